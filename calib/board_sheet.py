"""A board as a page to print at true size: PDF with a ruler, and PNG.

Everything on the page is a rectangle, a disc or a line of text in millimetres, origin at the upper left, y down.
"""

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from calib.board_marks import board_discs, board_rectangles
from calib.boards import Target
from mv3d.errors import ConfigError
from mv3d.files.writing import whole_file

# mm, upright.
PAGES = {"A4": (210.0, 297.0), "A3": (297.0, 420.0), "letter": (215.9, 279.4)}
_SMALLEST_PAGE_MM, _LARGEST_PAGE_MM = 20.0, 5000.0
_POINTS_PER_MM = 72 / 25.4
# A board may touch the page's edge by rounding of inches.
_ROUNDING_MM = 0.01
# mm of margin that the ruler and the caption take.
_RULER_ROOM_MM = 14.0
_RULER_STEP_MM = 10
# PNG: as sharp as a good printer, and less for walls.
_DPI, _MOST_PIXELS = (600, 300, 150, 75, 36), 40_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A page.

    Attributes:
        size_mm: width and height.
        board: the board on it.
        marks: (rectangle, 4) x, y, width, height mm of what is printed in ink: squares, bits, ruler.
        discs: (disc, 3) x, y of the centre and radius mm.
        texts: (x, y of the baseline's start, height mm, text).
        has_ruler: whether there was room for it.
    """

    size_mm: tuple[float, float]
    board: Target
    marks: np.ndarray
    discs: np.ndarray
    texts: tuple[tuple[float, float, float, str], ...]
    has_ruler: bool


def lay_out(board: Target, page: str = "A4") -> Sheet:
    """Put a board on a page, upright or on its side, in the middle.

    Args:
        board: the board.
        page: A4, A3, letter, or width x height in mm, e.g. "600x400".

    Raises:
        ConfigError: there is no such page, or the board does not fit on it.
    """
    size = _page_size(page)
    width, height = (1e3 * side for side in board.size_m)
    fitting = [s for s in (size, size[::-1]) if width <= s[0] + _ROUNDING_MM and height <= s[1] + _ROUNDING_MM]
    if not fitting:
        larger = [n for n, s in PAGES.items() if max(width, height) <= max(s) and min(width, height) <= min(s)]
        hint = larger[0] if larger else f"{np.ceil(width) + 20:.0f}x{np.ceil(height) + 2 * _RULER_ROOM_MM + 2:.0f}"
        raise ConfigError(
            f"the board of {width:g} x {height:g} mm is larger than the page {page} of {size[0]:g} x {size[1]:g} mm;"
            f" take --page {hint}, or a smaller board"
        )
    page_width, page_height = max(fitting, key=lambda s: s[1] - height)
    left, top = (page_width - width) / 2, (page_height - height) / 2
    marks, discs = _placed(board, left, top)
    ruler, texts = np.zeros((0, 4)), ()
    if has_ruler := top >= _RULER_ROOM_MM:
        ruler, texts = _ruler(board, left, page_width, page_height - top)
    return Sheet((page_width, page_height), board, np.concatenate([marks, ruler]), discs, texts, has_ruler)


def bare_sheet(board: Target, margin_mm: float) -> Sheet:
    """A board by itself with the same margin on all sides."""
    width, height = (1e3 * side + 2 * margin_mm for side in board.size_m)
    return Sheet((width, height), board, *_placed(board, margin_mm, margin_mm), (), has_ruler=False)


def _placed(board: Target, left: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    """The board's rectangles and discs in mm, its upper left corner at a place of the sheet."""
    return board_rectangles(board) * 1e3 + [left, top, 0, 0], board_discs(board) * 1e3 + [left, top, 0]


def _page_size(page: str) -> tuple[float, float]:
    named = {name.lower(): size for name, size in PAGES.items()}
    if page.lower() in named:
        return named[page.lower()]
    try:
        width, height = (float(side) for side in page.lower().split("x"))
    except ValueError:
        raise ConfigError(f"no page {page[:40]!r}; one of {', '.join(PAGES)}, or mm like 600x400") from None
    if not all(_SMALLEST_PAGE_MM <= side <= _LARGEST_PAGE_MM for side in (width, height)):
        raise ConfigError(
            f"a page of {page[:40]} mm; sides from {_SMALLEST_PAGE_MM:g} to {_LARGEST_PAGE_MM:g} are wanted"
        )
    return width, height


def _ruler(
    board: Target, left: float, page_width: float, below: float
) -> tuple[np.ndarray, tuple[tuple[float, float, float, str], ...]]:
    """Ticks of a ruler under the board and its numbers, and a caption."""
    start = max(left, 5.0)
    length = int((page_width - 2 * start) // _RULER_STEP_MM) * _RULER_STEP_MM
    top = below + 3.0
    marks = [(start, top, float(length), 0.15)]
    for mm in range(length + 1):
        tick = 3.0 if mm % 10 == 0 else 2.0 if mm % 5 == 0 else 1.2
        marks.append((start + mm - 0.075, top, 0.15, tick))
    texts = [(start + mm + 0.6, top + 4.4, 2.2, str(mm)) for mm in range(0, length, _RULER_STEP_MM)]
    caption = f"{board.describe()}. Print at 100 %, then check: the ruler is {length} mm long."
    texts.append((start, top + 8.5, 2.4, caption))
    return np.array(marks), tuple(texts)


def write_sheet(sheet: Sheet, path: str | Path) -> None:
    """Write a sheet as .pdf or .png; ConfigError for another suffix, SessionError if the file cannot be written."""
    path = Path(path)
    writers = {".pdf": _pdf, ".png": _png}
    if path.suffix.lower() not in writers:
        raise ConfigError(f"{path}: a sheet is written as .pdf or .png")
    content = writers[path.suffix.lower()](sheet)
    with whole_file(path) as part:
        part.write_bytes(content)


def _pdf(sheet: Sheet) -> bytes:
    """The page as vectors (PDF 1.4, ISO 32000)."""
    width, height = sheet.size_mm
    ink, paper = ("1 g", "0 g") if sheet.board.inverted else ("0 g", "1 g")
    lines = [f"{_POINTS_PER_MM:.8f} 0 0 {_POINTS_PER_MM:.8f} 0 0 cm"]
    lines += [paper, f"0 0 {width:.4f} {height:.4f} re f", ink]
    lines += [f"{x:.4f} {height - y - h:.4f} {w:.4f} {h:.4f} re" for x, y, w, h in sheet.marks]
    lines += [_round(x, height - y, radius) for x, y, radius in sheet.discs]
    lines.append("f")
    lines += [f"BT /F {h:.2f} Tf {x:.3f} {height - y:.3f} Td ({_escaped(text)}) Tj ET" for x, y, h, text in sheet.texts]
    stream = "\n".join(lines).encode("latin-1", "replace")
    box = f"[0 0 {width * _POINTS_PER_MM:.4f} {height * _POINTS_PER_MM:.4f}]"
    packed = zlib.compress(stream, 9)
    objects = [
        # No scaling: printers' dialogs take it for their default.
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents 4 0 R".encode()
        + b" /Resources << /Font << /F 5 0 R >> >> >>",
        f"<< /Length {len(packed)} /Filter /FlateDecode >>\nstream\n".encode() + packed + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    content, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, item in enumerate(objects, 1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n".encode() + item + b"\nendobj\n"
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n" + "".join(f"{at:010d} 00000 n \n" for at in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(content)}\n%%EOF\n"
    return content + table.encode() + trailer.encode()


def _round(x: float, y: float, radius: float) -> str:
    """A circle of four Bezier curves, which leave it by 0.03 % of the radius."""
    k = 4 / 3 * (np.sqrt(2) - 1)
    turns = [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 0)]
    parts = [f"{x + radius:.4f} {y:.4f} m"]
    for (a, b), (c, d) in pairwise(turns):
        bent = [(a + k * c, b + k * d), (c + k * a, d + k * b), (c, d)]
        parts.append(" ".join(f"{x + radius * u:.4f} {y + radius * v:.4f}" for u, v in bent) + " c")
    return "\n".join([*parts, "h"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _png(sheet: Sheet) -> bytes:
    """The page as pixels, with its resolution, so that it prints at true size."""
    area = (sheet.size_mm[0] / 25.4) * (sheet.size_mm[1] / 25.4)
    dpi = next((n for n in _DPI if n * n * area <= _MOST_PIXELS), _DPI[-1])
    encoded = cv2.imencode(".png", draw_sheet(sheet, dpi / 25.4))[1].tobytes()
    per_metre = round(dpi / 0.0254)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    head = 8 + 25  # signature and IHDR, which must come first
    return encoded[:head] + struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk)) + encoded[head:]


def draw_sheet(sheet: Sheet, pixels_per_mm: float | int) -> UInt8[np.ndarray, "height width"]:
    """The page as an image of gray levels; a pixel is as dark as the share of it that is covered."""
    width, height = (round(side * pixels_per_mm) for side in sheet.size_mm)
    ink = np.zeros((height, width), np.float32)
    for left, top, across, along in sheet.marks * pixels_per_mm:
        _cover(ink, left, top, left + max(across, 1.0), top + max(along, 1.0))
    for x, y, radius in sheet.discs * pixels_per_mm:
        _cover_disc(ink, x, y, radius)
    image = np.round(255 * (1 - np.minimum(ink, 1.0))).astype(np.uint8)
    for x, y, size, text in sheet.texts:
        # Hershey's letters are 21 units high at scale 1.
        scale, place = size * pixels_per_mm / 30, (round(x * pixels_per_mm), round(y * pixels_per_mm))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, max(round(scale * 2), 1), cv2.LINE_AA)
    return 255 - image if sheet.board.inverted else image


def _cover(ink: np.ndarray, left: float, top: float, right: float, bottom: float) -> None:
    """Add a rectangle's share of each pixel; pixel n reaches from n to n + 1."""
    x, y = (np.arange(int(low), min(int(high) + 1, n)) for low, high, n in _spans(ink, left, top, right, bottom))
    across = np.minimum(x + 1, right) - np.maximum(x, left)
    along = np.minimum(y + 1, bottom) - np.maximum(y, top)
    ink[y[0] : y[-1] + 1, x[0] : x[-1] + 1] += along[:, None] * across


def _spans(ink: np.ndarray, left: float, top: float, right: float, bottom: float) -> list[tuple[float, float, int]]:
    return [(max(left, 0.0), right, ink.shape[1]), (max(top, 0.0), bottom, ink.shape[0])]


def _cover_disc(ink: np.ndarray, x: float, y: float, radius: float) -> None:
    """Add a disc; a pixel at its edge is covered as by a straight line at its distance."""
    columns = np.arange(max(int(x - radius) - 1, 0), min(int(x + radius) + 2, ink.shape[1]))
    rows = np.arange(max(int(y - radius) - 1, 0), min(int(y + radius) + 2, ink.shape[0]))
    distance = np.hypot(rows[:, None] + 0.5 - y, columns + 0.5 - x)
    ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += np.clip(radius - distance + 0.5, 0, 1)
