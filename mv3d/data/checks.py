"""Checks shared by the frozen data types: an array of the right shape, finite where it must be, and read-only."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike


def frozen_array(
    name: str,
    value: object,
    shape: Sequence[int | None],
    dtype: DTypeLike = np.float64,
    *,
    finite: bool = True,
) -> np.ndarray:
    """Copy `value` into a read-only C-ordered array and check it.

    Args:
        name: what the array is, for the message.
        value: anything `np.array` takes.
        shape: the wanted shape; None stands for any length.
        dtype: the element type.
        finite: refuse NaN and infinity.

    Raises:
        ValueError: wrong shape or a value that is not finite.
    """
    array = np.array(value, dtype=dtype, order="C")
    fits = array.ndim == len(shape) and all(
        want is None or have == want for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{name} has shape {array.shape}, wanted {wanted}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite")
    array.setflags(write=False)
    return array
