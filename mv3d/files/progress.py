"""How long work is shown: a function that wraps an iterable of known length, so that stages know no progress bar."""

from collections.abc import Iterable
from typing import Protocol, TypeVar, runtime_checkable

_T = TypeVar("_T")


@runtime_checkable
class Progress(Protocol):
    """Wraps items with a progress bar."""

    def __call__(self, items: Iterable[_T], length: int, description: str, /) -> Iterable[_T]:
        """Pass the items on; `description` says what is done to them."""
        ...


def silent(items: Iterable[_T], length: int, description: str, /) -> Iterable[_T]:
    """No progress bar."""
    return items
