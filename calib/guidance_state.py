"""How far the filming of a board has come: what was shown to cameras and pairs of them, against what is wanted."""

from dataclasses import dataclass

import numpy as np

# Rows and columns of the places in an image that are told apart in words, and of its coverage map.
PLACES = 3
COVERAGE_CELLS = 8
# Ways to hold a board: facing the camera, or away from it to one of four sides.
TILTS = ("facing it", "turned left", "turned right", "tipped up", "tipped down")


@dataclass(frozen=True, slots=True)
class GuidanceConfig:
    """When a board has been shown enough, and what is kept to tell it.

    Attributes:
        focal_share: standard deviation of the focal length, as a share of it, at which a camera is done. The verdict
            of a calibration calls the same share good.
        distance_share: of the distance between two cameras, as a share of it, at which a rig is done.
        views: different views that every camera must have.
        pair_views: views that two cameras must share to be joined by them.
        tilt_deg: angle from which a board counts as tilted.
        new_view: mean distance of the corners from those of every other view, as a share of the image's diagonal, from
            which a view is a new one.
        most_frames: frames that are kept.
    """

    focal_share: float = 0.001
    distance_share: float = 0.002
    views: int = 20
    pair_views: int = 8
    tilt_deg: float = 15.0
    new_view: float = 0.02
    most_frames: int = 120


@dataclass(frozen=True, slots=True, eq=False)
class CameraCoverage:
    """What a camera has been shown.

    Attributes:
        camera: its name.
        views: different views.
        cells: (row, column) corners in each cell of the coverage map.
        shown: (place, tilt) views by where the board's middle was, row by row, and by how it was held, see `TILTS`.
        focal_sd: predicted standard deviation of the focal length as a share of it; infinite where nothing tells it.
        enough: whether it is done.
    """

    camera: str
    views: int
    cells: np.ndarray
    shown: np.ndarray
    focal_sd: float
    enough: bool


@dataclass(frozen=True, slots=True)
class PairCoverage:
    """What two cameras saw together.

    Attributes:
        cameras: names.
        views: frames in which both saw the board.
        distance: between them, m; NaN where not known yet.
        distance_sd: its predicted standard deviation as a share of it; infinite where not known yet.
        joined: whether they share enough views.
    """

    cameras: tuple[str, str]
    views: int
    distance: float
    distance_sd: float
    joined: bool


@dataclass(frozen=True, slots=True)
class GuidanceState:
    """All cameras and pairs, and whether it is enough for a calibration.

    Attributes:
        cameras: in order.
        pairs: all of them.
        joining: pairs that would make the rig one; none where those that share enough views join all cameras.
        enough: whether the targets are met.
    """

    cameras: tuple[CameraCoverage, ...]
    pairs: tuple[PairCoverage, ...]
    joining: tuple[PairCoverage, ...]
    enough: bool

    @property
    def connected(self) -> bool:
        """Whether pairs that share enough views join all cameras."""
        return not self.joining


def joining_pairs(names: tuple[str, ...], pairs: tuple[PairCoverage, ...]) -> tuple[PairCoverage, ...]:
    """Pairs that are not joined yet and would make the rig one, along a tree of the most shared views; worst first."""
    group = {name: i for i, name in enumerate(names)}
    wanted = []
    for pair in sorted(pairs, key=lambda p: -p.views):
        a, b = (group[name] for name in pair.cameras)
        if a == b:
            continue
        if not pair.joined:
            wanted.append(pair)
        group = {name: a if g == b else g for name, g in group.items()}
    return tuple(wanted[::-1])
