"""Grids of square tags with gaps between them: Kalibr's AprilGrid and OpenCV's ArUco grid board."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, Int

from calib.dictionaries import check_dictionary, check_numbers, marker_dictionary
from calib.square_board import LARGEST_M, SMALLEST_M
from calib.target import Target

LAYOUTS = ("kalibr", "opencv")
_MOST_TAGS = 50
# A gap narrower than a cell of the tag leaves its corners no room; a wider one than the tag wastes the page.
_NARROWEST_GAP, _WIDEST_GAP = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class TagGrid(Target):
    """A grid of tags that are told apart by their numbers; its points are the corners of the tags.

    The origin is the upper left corner of all that is printed, as the layout has it upright; points go row by row.

    Layouts, seen upright:
        kalibr: tag numbers start at the lower left and run to the right, then up; tags are turned by half a turn
            against OpenCV's pictures of them; a small square in each gap touches the corners of the tags around it.
            Source: kalibr_create_target_pdf and GridCalibrationTargetAprilgrid of Kalibr.
        opencv: tag numbers start at the upper left and run to the right, then down; nothing is in the gaps.
            Source: cv2.aruco.GridBoard.

    Attributes:
        tags: number of tags along x and along y.
        tag_m: side of a tag with its dark border, m.
        spacing: gap between tags as a share of `tag_m`.
        dictionary: OpenCV's name of the tags' dictionary.
        layout: "kalibr" or "opencv".
        border_bits: width of a tag's dark border in cells: 2 as Kalibr prints, 1 as OpenCV does.
        first: number of the first tag.
        inverted: white on black.
        kind: "aprilgrid".
    """

    tags: tuple[int, int]
    tag_m: float
    spacing: float
    dictionary: str = "DICT_APRILTAG_36h11"
    layout: str = "kalibr"
    border_bits: int = 2
    first: int = 0
    inverted: bool = False
    kind: str = field(default="aprilgrid", init=False)

    def __post_init__(self) -> None:
        if len(self.tags) != 2 or not all(1 <= n <= _MOST_TAGS for n in self.tags) or self.tag_count < 2:
            raise ValueError(f"tags is {list(self.tags)}, two numbers from 1 to {_MOST_TAGS} are wanted, not both 1")
        if not SMALLEST_M <= self.tag_m <= LARGEST_M:
            raise ValueError(f"tag_mm is {self.tag_m * 1e3:g}, 1 to 10000 is wanted")
        if not _NARROWEST_GAP <= self.spacing <= _WIDEST_GAP:
            raise ValueError(f"spacing is {self.spacing:g}, the gap as a share of the tag, 0.1 to 1, is wanted")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is {self.layout!r}, one of {', '.join(LAYOUTS)} is wanted")
        if self.border_bits not in (1, 2):
            raise ValueError(f"border_bits is {self.border_bits}, 1 or 2 is wanted")
        check_dictionary(self.dictionary, "DICT_APRILTAG_36h11")
        last = self.first + self.tag_count - 1
        check_numbers(f"tags {self.first} to {last}", self.first, last, self.dictionary)

    @property
    def tag_count(self) -> int:
        """Number of tags."""
        return self.tags[0] * self.tags[1]

    @property
    def gap_m(self) -> float:
        """Between neighbouring tags, m."""
        return self.spacing * self.tag_m

    @property
    def corner_squares(self) -> bool:
        """Whether squares in the gaps touch the tags' corners."""
        return self.layout == "kalibr"

    @property
    def pitch_m(self) -> float:
        """From a tag to the next, m."""
        return self.tag_m + self.gap_m

    @property
    def margin_m(self) -> float:
        """What is printed outside of the tags, m."""
        return self.gap_m if self.corner_squares else 0.0

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of all that is printed, m."""
        across, along = (n * self.pitch_m - self.gap_m + 2 * self.margin_m for n in self.tags)
        return across, along

    @property
    def cells(self) -> Int[np.ndarray, "corner 2"]:
        """Column and row of each point among the lines that the tags' sides make, two a tag."""
        across, along = (2 * n for n in self.tags)
        index = np.arange(across * along)
        return np.stack([index % across, index // across], axis=1)

    @property
    def points(self) -> Float[np.ndarray, "corner 3"]:
        """Corners of the tags, m."""
        xy = self.margin_m + self.cells // 2 * self.pitch_m + self.cells % 2 * self.tag_m
        return np.concatenate([xy, np.zeros((len(xy), 1))], axis=1)

    @property
    def identifiers(self) -> Int[np.ndarray, "row column"]:
        """Number of the tag in each place of the grid."""
        numbers = self.first + np.arange(self.tag_count).reshape(self.tags[::-1])
        return numbers[::-1] if self.layout == "kalibr" else numbers

    @property
    def half_turned(self) -> bool:
        """Whether tags stand on their heads against OpenCV's pictures of them."""
        return self.layout == "kalibr"

    def marker_dictionary(self) -> cv2.aruco.Dictionary:
        """OpenCV's dictionary of the tags."""
        return marker_dictionary(self.dictionary)

    def describe(self) -> str:
        """The board in a few words, for messages."""
        across, along = self.tags
        return f"grid of {across}x{along} {self.dictionary} tags of {self.tag_m * 1e3:g} mm"

    def scale(self) -> str:
        """The length on which all others hang."""
        return f"tags of {self.tag_m * 1e3:g} mm"
