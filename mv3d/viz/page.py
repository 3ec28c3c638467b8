"""A page that needs nothing else: verdict, figures, tables and pictures in one HTML file."""

import base64
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mv3d.files.writing import write_text
from mv3d.viz.verdict import Verdict

# Wider pictures are shrunk: a report should stay small enough to send.
_PICTURE_WIDTH = 1600
# A larger PNG is a photograph: as JPEG it is a tenth of that and looks the same.
_LARGEST_PNG_BYTES = 400_000
_JPEG_QUALITY = 90
NOT_KNOWN = "–"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of finished text: each row has a heading and cells; `marked` rows are those to look at."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """An image inside the page and the sentence below it."""

    title: str
    note: str
    data_uri: str


@dataclass(frozen=True, slots=True)
class Page:
    """What a report shows, from top to bottom.

    Attributes:
        title: what it is about.
        verdict: good or not, and why.
        warnings: sentences of the stages.
        summary: the handful of figures that matter most, (name, value).
        first_tables: figures that tell where to look, above the pictures.
        pictures: photographs and scenes.
        tables: the other figures.
        plots: drawn figures.
        facts: versions, settings, run time.
        footer: what the figures mean.
    """

    title: str
    verdict: Verdict
    warnings: list[str]
    summary: list[tuple[str, str]]
    first_tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Picture] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    footer: str = ""

    def write(self, path: str | Path) -> None:
        """Write the HTML; it appears whole or not at all. Everything a stranger may have named is escaped.

        Raises:
            SessionError: the file cannot be written.
        """
        folder = Path(__file__).parent / "templates"
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        text = environment.get_template("report.html.j2").render(page=self)
        write_text(path, text)


def photograph(title: str, image: UInt8[np.ndarray, "height width 3"]) -> Picture:
    """A BGR image, shrunk to the width of a page."""
    if image.shape[1] > _PICTURE_WIDTH:
        height = max(round(image.shape[0] * _PICTURE_WIDTH / image.shape[1]), 1)
        image = cv2.resize(image, (_PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
    png = cv2.imencode(".png", image)[1].tobytes()
    if len(png) <= _LARGEST_PNG_BYTES:
        return Picture(title, "", _data_uri("png", png))
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
    return Picture(title, "", _data_uri("jpeg", jpeg))


def drawing(title: str, note: str, png: bytes) -> Picture:
    """A figure that was drawn, as PNG, with a sentence on how to read it."""
    return Picture(title, note, _data_uri("png", png))


def number(value: float, unit: str = "", digits: int = 1) -> str:
    """A figure as text; a dash if it is not known."""
    return f"{value:.{digits}f} {unit}".strip() if np.isfinite(value) else NOT_KNOWN


def percent(share: float) -> str:
    """A share as text; a dash if it is not known."""
    return f"{round(100 * share, 1) + 0.0:.1f} %" if np.isfinite(share) else NOT_KNOWN


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
