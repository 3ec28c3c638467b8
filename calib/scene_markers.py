"""Single markers that lie or hang in the scene: where cameras see their corners, and what scale they tell."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from calib.board_sources import BoardSource
from calib.dictionaries import marker_dictionary
from mv3d.data.rig import Rig

# Pictures of a camera in which markers that lie still are looked for.
_MOST_PICTURES = 12
# OpenCV refines a corner within so many px of where it found it, and no more than so large a share of the marker.
_WINDOW_PX, _WINDOW_SHARE = 4, 0.15

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
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    parameters.cornerRefinementWinSize = _WINDOW_PX
    parameters.relativeCornerRefinmentWinSize = _WINDOW_SHARE
    detector = cv2.aruco.ArucoDetector(marker_dictionary(dictionary), parameters)
    seen: dict[int, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for source in sources:
        count = len(source)
        for _, image in source.read(np.unique(np.linspace(0, count - 1, min(count, _MOST_PICTURES)).astype(int))):
            quads, numbers, _ = detector.detectMarkers(image)
            found = [] if numbers is None else [int(n) for n in np.ravel(numbers)]
            twice = next((n for n in found if found.count(n) > 1), None)
            if twice is not None:
                raise ValueError(f"marker {twice} shows twice in a picture of {source.camera}; remove one of the two")
            factor = np.array(rig[source.camera].size) / (image.shape[1], image.shape[0])
            for number, quad in zip(found, quads, strict=True):
                seen[number][source.camera].append((quad.reshape(4, 2) + 0.5) * factor - 0.5)
    return {n: {c: np.median(quads, axis=0) for c, quads in of.items()} for n, of in seen.items()}


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
