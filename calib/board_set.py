"""Several boards in one session: each by itself, or fixed to one another as the two sides of a plate."""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float, Int

from calib.circle_grid import CircleGrid
from calib.square_board import Board
from calib.tag_grid import TagGrid
from calib.target import Target
from mv3d.geometry.rotations import rotation_from_vector, vector_from_rotation

_MOST_BOARDS = 12
# How the back of a plate is turned: like a page of a book, or like a sheet of a calendar.
TURNS = {"y": np.diag([-1.0, 1.0, -1.0]), "x": np.diag([1.0, -1.0, -1.0])}
_THINNEST_M, _THICKEST_M = 0.0, 1.0

Place = tuple[float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoardSet(Target):
    """Boards that are told apart by what is printed on them; the points are those of all, one board after another.

    Attributes:
        parts: the boards.
        rigid: whether they are fixed to one another, so that one pose is the pose of all.
        places: of a rigid set each board's frame in that of the first: rotation vector (rad) and shift (m),
            x_set = R x_board + t; empty where it is to be found from pictures.
        kind: "several".
        inverted: of the first board; each is printed in its own colours.
    """

    parts: tuple[Target, ...]
    rigid: bool = False
    places: tuple[Place, ...] = ()
    kind: str = field(default="several", init=False)

    def __post_init__(self) -> None:
        if not 2 <= len(self.parts) <= _MOST_BOARDS:
            raise ValueError(f"boards lists {len(self.parts)}, 2 to {_MOST_BOARDS} are wanted")
        if self.places and (not self.rigid or len(self.places) != len(self.parts)):
            raise ValueError("a rigid set has a place for each of its boards or for none")
        for number, part in enumerate(self.parts, 1):
            if isinstance(part, BoardSet):
                raise ValueError(f"board {number} is itself several boards; list them all side by side")
            if len(part.symmetries()) > 1:
                raise ValueError(
                    f"board {number}, {part.describe()}, looks the same when it is turned; of several boards each must"
                    " have one way up: a charuco board, a grid of tags, or a checkerboard of odd x even squares"
                )
        for (i, a), (j, b) in combinations(enumerate(self.parts, 1), 2):
            if alike := _alike(a, b):
                raise ValueError(f"boards {i} and {j} are alike: {alike}")

    @property
    def inverted(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the first board is white on black."""
        return self.parts[0].inverted

    @property
    def part_of(self) -> Int[np.ndarray, " corner"]:
        """Index of the board that each point is on."""
        return np.repeat(np.arange(len(self.parts)), [part.corner_count for part in self.parts])

    @property
    def own_points(self) -> Float[np.ndarray, "corner 3"]:
        """Points in the frames of their own boards, m; z = 0."""
        return np.concatenate([part.points for part in self.parts])

    @property
    def points(self) -> Float[np.ndarray, "corner 3"]:
        """Points in the frame of the first board, m; of boards whose places are not known in their own frames."""
        return self.placed(self.places) if self.places else self.own_points

    @property
    def cells(self) -> Int[np.ndarray, "corner 2"]:
        """Column and row of each point on its own board."""
        return np.concatenate([part.cells for part in self.parts])

    @property
    def pitch_m(self) -> float:
        """Of the first board, m."""
        return self.parts[0].pitch_m

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of the largest, m."""
        width, height = np.max([part.size_m for part in self.parts], axis=0)
        return float(width), float(height)

    @property
    def corner_count(self) -> int:
        """Number of points of all boards."""
        return sum(part.corner_count for part in self.parts)

    def members(self, part: int) -> Bool[np.ndarray, " corner"]:
        """Which points are on a board."""
        return np.asarray(self.part_of == part)

    def placed(self, places: tuple[Place, ...]) -> Float[np.ndarray, "corner 3"]:
        """Points in the frame of the first board where the boards are fixed like this, m."""
        moved = [part.points @ R.T + t for part, (R, t) in zip(self.parts, map(motion_of, places), strict=True)]
        return np.concatenate(moved)

    def describe(self) -> str:
        """The boards in a few words, for messages."""
        how = "fixed to each other" if self.rigid else "each by itself"
        return f"{len(self.parts)} boards {how}: {'; '.join(part.describe() for part in self.parts)}"

    def scale(self) -> str:
        """The lengths on which all others hang."""
        return " and ".join(dict.fromkeys(part.scale() for part in self.parts))


def motion_of(place: Place) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """Rotation and shift (m) of a place."""
    return rotation_from_vector(np.array(place[:3])), np.array(place[3:])


def place_of(R: Float[np.ndarray, "3 3"], t: Float[np.ndarray, "3"]) -> Place:
    """A place from rotation and shift (m)."""
    a, b, c = (float(v) for v in vector_from_rotation(R))
    x, y, z = (float(v) for v in t)
    return a, b, c, x, y, z


def two_sided_places(front: Target, back: Target, thickness_m: float, turned_about: str) -> tuple[Place, ...]:
    """Places of the two sides of a plate, middle behind middle.

    Args:
        front, back: the boards.
        thickness_m: from print to print, m.
        turned_about: the axis of the front about which the plate is turned over so that the back stands upright.
    """
    if not _THINNEST_M <= thickness_m <= _THICKEST_M:
        raise ValueError(f"thickness_mm is {thickness_m * 1e3:g}, 0 to 1000 is wanted")
    if turned_about not in TURNS:
        raise ValueError(f"turned_about is {turned_about!r}, one of {', '.join(TURNS)} is wanted")
    R = TURNS[turned_about]
    middles = [np.array([*board.size_m, 0.0]) / 2 for board in (front, back)]
    return place_of(np.eye(3), np.zeros(3)), place_of(R, middles[0] + [0, 0, thickness_m] - R @ middles[1])


def _alike(a: Target, b: Target) -> str:
    """Why two boards cannot be told apart; empty if they can."""
    if isinstance(a, CircleGrid) and isinstance(b, CircleGrid):
        same = sorted(a.circles) == sorted(b.circles) and a.asymmetric == b.asymmetric
        return "circles of the same numbers; give one of them more" if same else ""
    if isinstance(a, Board) and isinstance(b, Board) and "checkerboard" in (a.kind, b.kind):
        same = sorted(a.squares) == sorted(b.squares)
        return "the same numbers of squares; give one of them more squares, or markers to both" if same else ""
    first, second = _markers(a), _markers(b)
    if first is None or second is None:
        return ""
    (family, numbers), (other, others) = first, second
    shared = sorted(set(numbers) & set(others))
    if family != other or not shared:
        return ""
    return (
        f"both have markers {shared[0]} to {shared[-1]} of {family}; give one of them another dictionary, or"
        f" first: {numbers.stop}"
    )


def _markers(board: Target) -> tuple[str, range] | None:
    """Family of the markers and their numbers: a dictionary's numbers are those of the larger ones of its family."""
    if not isinstance(board, Board | TagGrid) or board.dictionary is None:
        return None
    family, _, size = board.dictionary.rpartition("_")
    count = board.tag_count if isinstance(board, TagGrid) else board.marker_count
    return (family if size.isdigit() else board.dictionary), range(board.first, board.first + count)
