"""BlazePose by MediaPipe, which carries its model (extra `blazepose`): 33 joints with feet and hand roots.

The package wants other versions of numpy and OpenCV than mv3d's own pins: give it an environment of its own.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BLAZEPOSE_33
from mv3d.errors import ConfigError

# Of the models in the package the more accurate one.
_FULL = 1


class BlazePoseModel:
    """The joints of the person in a square crop, each crop for itself."""

    def __init__(self) -> None:
        """Load the model.

        Raises:
            ConfigError: MediaPipe is not installed, or is a version without its models.
        """
        try:
            from mediapipe.python.solutions.pose import Pose  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ConfigError("BlazePose needs MediaPipe; pip install 'mv3d[blazepose]'") from error
        self._pose = Pose(static_image_mode=True, model_complexity=_FULL, min_detection_confidence=0.3)

    @property
    def skeleton(self) -> Skeleton:
        """BLAZEPOSE_33."""
        return BLAZEPOSE_33

    def look(
        self, crops: Sequence[UInt8[np.ndarray, "size size 3"]]
    ) -> tuple[Float[np.ndarray, "crop joint 2"], Float[np.ndarray, "crop joint"]]:
        """Joints in px of each crop, and MediaPipe's visibility; NaN and 0 where it finds nobody."""
        xy, score = np.full((len(crops), 33, 2), np.nan), np.zeros((len(crops), 33))
        for i, crop in enumerate(crops):
            landmarks = self._pose.process(np.ascontiguousarray(crop[..., ::-1])).pose_landmarks
            if landmarks is not None:
                # Its coordinates are shares of the picture, from edge to edge.
                xy[i] = [(p.x * crop.shape[1] - 0.5, p.y * crop.shape[0] - 0.5) for p in landmarks.landmark]
                score[i] = [p.visibility for p in landmarks.landmark]
        return xy, score
