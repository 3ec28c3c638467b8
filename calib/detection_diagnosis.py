"""Why a board is nowhere to be found: what else is in the pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import UInt8

from calib.boards import Board, BoardSet, CircleGrid, TagGrid, Target
from calib.detection_charuco import detect_charuco
from calib.detection_checkerboard import find_any_checkerboard

# The largest dictionary of each family holds the markers of its smaller ones, with the same numbers.
_FAMILIES = (
    "DICT_4X4_1000",
    "DICT_5X5_1000",
    "DICT_6X6_1000",
    "DICT_7X7_1000",
    "DICT_ARUCO_ORIGINAL",
    "DICT_APRILTAG_36h11",
)
# How far off a number of squares is tried, on how many pictures, and how nearly as many corners are as good.
_SQUARES_OFF, _TRIED_ON, _AS_GOOD = 2, 2, 0.95
# Markers in one picture that are no chance.
_ENOUGH_MARKERS = 3


def why_not_found(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], board: Target) -> str:
    """What is in the images instead of the board, or what to check; a clause without a full stop."""
    gray = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images]
    if isinstance(board, BoardSet):
        return "nor one of them alone; " + why_not_found(images, board.parts[0])
    if isinstance(board, TagGrid):
        return _other_tags(gray, board)
    if isinstance(board, CircleGrid):
        return "all of its circles must be in the picture, lit evenly and sharp; check circles, asymmetric and inverted"
    if isinstance(board, Board) and board.kind == "charuco":
        return _other_markers(gray, board)
    return _other_checkerboard(gray)


def _other_checkerboard(images: list[np.ndarray]) -> str:
    sizes = Counter(size for image in images if (size := find_any_checkerboard(image)) is not None)
    if not sizes:
        return "no other checkerboard either; all of its squares must be in the picture, lit evenly and sharp"
    (long, short), count = sizes.most_common(1)[0]
    return (
        f"but {count} of {len(images)} pictures looked at show a checkerboard of {short}x{long} squares;"
        f" write squares: [{short}, {long}] if that is the board (squares, not inner corners)"
    )


def _other_tags(images: list[np.ndarray], board: TagGrid) -> str:
    """Tags of the same dictionary printed otherwise, or of another dictionary."""
    ways = [
        (board.dictionary, bits, inverted)
        for bits in (board.border_bits, 3 - board.border_bits)
        for inverted in (board.inverted, not board.inverted)
    ]
    ways += [(f, bits, inverted) for f in _FAMILIES for bits in (1, 2) for inverted in (False, True)]
    for family, bits, inverted in ways:
        found = [_marker_ids(_seen(image, inverted, False), family, bits) for image in images]
        count = sum(len(ids) >= _ENOUGH_MARKERS for ids in found)
        if not count:
            continue
        seen = f"but {count} of {len(images)} pictures looked at show"
        if family != board.dictionary:
            return f"{seen} tags of {family} with border_bits: {bits}; set dictionary and border_bits like the print"
        if bits != board.border_bits:
            return f"{seen} its tags with another border; set border_bits: {bits}"
        if inverted != board.inverted:
            return f"{seen} its tags with colours swapped; set inverted: {str(inverted).lower()}"
        numbers = sorted({i for ids in found for i in ids})
        return f"{seen} tags of its dictionary, numbers {numbers[0]} to {numbers[-1]}; check tags, layout and first"
    return "no tags of another dictionary either; two tags or more must be large and sharp enough to be read"


def _other_markers(images: list[np.ndarray], board: Board) -> str:
    own = next((f for f in _FAMILIES if f.rsplit("_", 1)[0] == str(board.dictionary).rsplit("_", 1)[0]), _FAMILIES[0])
    ways = [
        (own, inverted, mirrored) for inverted in (board.inverted, not board.inverted) for mirrored in (False, True)
    ]
    ways += [(f, inverted, False) for f in _FAMILIES for inverted in (False, True) if f != own]
    best: tuple[tuple[int, int], str, bool, bool, int] = ((0, 0), "", False, False, 0)
    for family, inverted, mirrored in ways:
        found = [_marker_ids(_seen(image, inverted, mirrored), family) for image in images]
        count = sum(len(ids) >= _ENOUGH_MARKERS for ids in found)
        # In a large dictionary, mirrored markers pass for others: those with the board's own numbers count first.
        fitting = sum(sum(0 <= i - board.first < board.marker_count for i in ids) >= _ENOUGH_MARKERS for ids in found)
        if (fitting, count) > best[0]:
            best = ((fitting, count), family, inverted, mirrored, max(max(ids, default=0) for ids in found))
    (_, count), family, inverted, mirrored, highest = best
    if not count:
        return "no markers of another dictionary either; the markers must be large and sharp enough to be read"
    seen = f"but {count} of {len(images)} pictures looked at show"
    if mirrored:
        return f"{seen} its kind of markers mirrored; turn off mirroring in the camera's software and record again"
    if inverted != board.inverted:
        colours = "white on black" if inverted else "black on white"
        return f"{seen} markers printed {colours}; set inverted: {str(inverted).lower()}"
    if family != own:
        return f"{seen} markers of {family} or a smaller one of its kind; set dictionary to that of the print"
    fitting = fitting_squares(images, board)
    if fitting is not None and fitting != (board.squares, board.legacy):
        (across, along), legacy = fitting
        layout = "" if legacy == board.legacy else f" and legacy: {str(legacy).lower()}"
        return (
            f"{seen} its markers, arranged as on a board of {across}x{along} squares;"
            f" write squares: [{across}, {along}]{layout} if that is the board"
        )
    return (
        f"{seen} markers of this dictionary up to number {highest}, while the board has {board.first} to"
        f" {board.first + board.marker_count - 1}; check squares, first, legacy and the dictionary's size"
    )


def fitting_squares(
    images: Sequence[UInt8[np.ndarray, "height width"]], board: Board
) -> tuple[tuple[int, int], bool] | None:
    """Numbers of squares, and the layout (legacy or not), by which most corners of a charuco board are found.

    Of boards that are equally good the one with the fewest squares: rows below the last that shows change no number.
    None where none near the board's own fits.
    """
    found: dict[tuple[tuple[int, int], bool], int] = {}
    for candidate in _near(board):
        views = [detect_charuco(image, candidate) for image in images[:_TRIED_ON]]
        found[candidate.squares, candidate.legacy] = sum(len(view.ids) for view in views if view is not None)
    most = max(found.values(), default=0)
    good = [(squares, legacy) for (squares, legacy), count in found.items() if count and count >= _AS_GOOD * most]
    return min(good, key=lambda f: (f[0][0] * f[0][1], f[1] != board.legacy), default=None)


def _near(board: Board) -> Iterator[Board]:
    """Boards of nearly as many squares, in either layout."""
    span = range(-_SQUARES_OFF, _SQUARES_OFF + 1)
    across, along = board.squares
    sizes = {(across + i, along + j) for i in span for j in span} | {(along, across)}
    for squares in sorted(sizes):
        for legacy in (False, True) if squares[1] % 2 == 0 else (False,):
            with suppress(ValueError):  # too few squares, or more markers than the dictionary has
                yield replace(board, squares=squares, legacy=legacy)


def _seen(image: np.ndarray, inverted: bool, mirrored: bool) -> np.ndarray:
    image = 255 - image if inverted else image
    return np.ascontiguousarray(image[:, ::-1]) if mirrored else image


def _marker_ids(image: np.ndarray, family: str, border_bits: int = 1) -> list[int]:
    dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, family))
    parameters = cv2.aruco.DetectorParameters()
    parameters.markerBorderBits = border_bits
    ids = cv2.aruco.ArucoDetector(dictionary, parameters).detectMarkers(image)[1]
    return [] if ids is None else [int(i) for i in np.ravel(ids)]
