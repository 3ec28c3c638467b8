"""People who were lost, and how they are known again: by the lengths of their bones."""

import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Fewer bones do not tell one person from another.
_FEWEST_BONES = 5
# Whoever else was lost must differ by so many times more.
_CLEAR = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Acquaintance:
    """Somebody who may come back.

    Attributes:
        person: number.
        bones: for each of the last frames (bone,) lengths, m; NaN where not seen.
        usual: (bone,) their median.
        clarity: how many views saw them, and for how long.
    """

    person: int
    bones: tuple[np.ndarray, ...]
    usual: np.ndarray
    clarity: float


class Acquaintances:
    """The last people who were lost, at most so many."""

    def __init__(self, most: int) -> None:
        self._lost: deque[Acquaintance] = deque(maxlen=most)

    @property
    def numbers(self) -> list[int]:
        """Theirs."""
        return [lost.person for lost in self._lost]

    def add(self, person: int, bones: Sequence[np.ndarray], clarity: float) -> None:
        """Somebody was lost; whoever was lost first is forgotten where there are too many."""
        self._lost.append(Acquaintance(person, tuple(bones), _usual(bones), clarity))

    def recognised(self, bones: Sequence[np.ndarray], tolerance: float) -> Acquaintance | None:
        """Who has these bones (relative difference, rms, at most `tolerance`), if one has and no other nearly so.

        They are no longer lost then.
        """
        if not self._lost:
            return None
        usual = _usual(bones)
        distances = [_difference(usual, lost.usual) for lost in self._lost]
        order = np.argsort(distances)
        best = distances[order[0]]
        if best >= tolerance or (len(order) > 1 and distances[order[1]] <= _CLEAR * best):
            return None
        found = self._lost[int(order[0])]
        self._lost.remove(found)
        return found


def _usual(lengths: Sequence[np.ndarray]) -> np.ndarray:
    """The median of each bone; NaN for those that were never seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(lengths, axis=0)


def _difference(usual: np.ndarray, other: np.ndarray) -> float:
    """Rms over bones of the relative difference; infinite where too few bones are known."""
    known = np.isfinite(usual / other) & (usual > 0)
    return float(np.sqrt(np.mean(np.log(usual[known] / other[known]) ** 2))) if known.sum() >= _FEWEST_BONES else np.inf
