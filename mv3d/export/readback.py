"""What a reader finds in an exported file."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class PointsRead:
    """Points of a file, as they stand in it.

    Attributes:
        points: (frame, person, joint, 3) in the axes and the unit of the file; NaN where missing.
        people: the index of each person in the skeletons.
        times: (frame,) s; None where the format has none.
        constant_rate: whether the times only count frames from an unknown start.
    """

    points: Float[np.ndarray, "frame person joint 3"]
    people: tuple[int, ...]
    times: Float[np.ndarray, " frame"] | None
    constant_rate: bool = False
