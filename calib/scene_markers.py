"""Single markers that lie or hang in the scene: where cameras see their corners, and what scale they tell."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from calib.board_sources import BoardSource
from calib.detection_refine import CornerModel, refine_corners
from calib.dictionaries import marker_dictionary
from mv3d.data.rig import Rig

# Pictures of a camera in which markers that lie still are looked for.
_MOST_PICTURES = 12
# The window of a corner's fit ends well before the nearest bit.
_WITHIN = 0.72

Corners = dict[int, dict[str, np.ndarray]]


def find_markers(rig: Rig, dictionary: str, sources: Sequence[BoardSource]) -> Corners:
    """Corners of all markers of a dictionary that lie still.

    Args:
        rig: the cameras.
        dictionary: OpenCV's name.
        sources: pictures, named as the cameras.

    Returns:
        (4, 2) px by number and camera, in the pixels that the rig was calibrated for: medians over a camera's pictures,
        going round from the upper left of the marker upright.

    Raises:
        ValueError: a picture shows one number twice; names both.
    """
    detector = cv2.aruco.ArucoDetector(marker_dictionary(dictionary))
    model = _corner_model(detector.getDictionary().markerSize)
    seen: dict[int, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for source in sources:
        count = len(source)
        for _, image in source.read(np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).astype(int))):
            gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
            quads, numbers, _ = detector.detectMarkers(gray)
            found = [] if numbers is None else [int(n) for n in np.ravel(numbers)]
            twice = next((n for n in found if found.count(n) > 1), None)
            if twice is not None:
                raise ValueError(f"marker {twice} shows twice in a picture of {source.camera}; remove one of the two")
            factor = np.array(rig[source.camera].size) / (image.shape[1], image.shape[0])
            for number, quad in zip(found, quads, strict=True):
                fitted = refine_corners(gray, model, quad.reshape(4, 2).astype(float))
                if fitted is not None:  # others are blurred, or cut by something before them
                    seen[number][source.camera].append((fitted[0] + 0.5) * factor - 0.5)
    return {n: {c: np.median(quads, axis=0) for c, quads in of.items()} for n, of in seen.items()}


def _corner_model(bits: int) -> CornerModel:
    """What the four corners of a marker look like, going round, dark towards its middle."""
    cells = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    share = _WITHIN * np.sqrt(2) / (bits + 2)
    return CornerModel(cells.astype(float), cells, float(share), np.where(cells == 0, 1.0, -1.0))


@dataclass(frozen=True, slots=True)
class ScaleFit:
    """What measured lengths say of a scale.

    Attributes:
        scale: by which lengths of the rig would have to grow.
        sd: its standard deviation by how the lengths disagree; NaN of a single length.
    """

    scale: float
    sd: float


def fit_scale(found: Float[np.ndarray, " length"], measured: Float[np.ndarray, " length"]) -> ScaleFit:
    """Scale by least squares of the lengths: corners are placed equally well, so that long lengths count for more."""
    total = float(found @ found)
    scale = float(found @ measured) / total
    misfit = measured - scale * found
    sd = np.sqrt(float(misfit @ misfit) / (len(found) - 1) / total) if len(found) > 1 else np.nan
    return ScaleFit(scale, float(sd))
