"""Top-down models in ONNX files whose outputs are SimCC vectors: the RTMPose and RTMW family (extra `onnx`).

SimCC (Li et al. 2022) gives for each joint one vector over the columns and one over the rows of the input, some bins a
pixel; the joint is where both are highest. Input: RGB, normalised by ImageNet's mean and spread, person in the middle.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import SKELETON_OF_COUNT
from mv3d.errors import ConfigError, FormatError

_MEAN, _SPREAD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
_MAX_BYTES = 1 << 30


class OnnxPersonModel:
    """The joints of the person in a square crop, by an ONNX file that the user has."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Load the file.

        Args:
            path: .onnx with one image input and two SimCC outputs, columns first.
            device: cpu, or cuda where the installed onnxruntime has it.

        Raises:
            ConfigError: onnxruntime is not installed.
            FormatError: the file is missing, no ONNX model, or not a SimCC model of a known number of joints.
        """
        self._session = _session(path, device)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or not all(isinstance(n, int) for n in shape[2:]):
            raise FormatError(f"{path}: wants inputs {shape}, not one image of fixed size; pass an RTMPose file")
        self._input, self._height, self._width = inputs[0].name, int(shape[2]), int(shape[3])
        # Files may leave the sizes of their outputs open: one run on nothing tells them.
        sizes = [np.shape(out) for out in self._run(np.zeros((1, 3, self._height, self._width), np.float32))]
        if len(sizes) != 2 or any(len(size) != 3 for size in sizes) or sizes[0][1] != sizes[1][1]:
            raise FormatError(f"{path}: gives {sizes}, not two SimCC outputs; pass an RTMPose file")
        if sizes[0][1] not in SKELETON_OF_COUNT:
            known = ", ".join(map(str, sorted(SKELETON_OF_COUNT)))
            raise FormatError(f"{path}: finds {sizes[0][1]} joints; models of {known} joints are known")
        self._skeleton = SKELETON_OF_COUNT[sizes[0][1]]
        self._bins = np.array([sizes[0][2] / self._width, sizes[1][2] / self._height])

    @property
    def skeleton(self) -> Skeleton:
        """The joints that it finds, told by their number."""
        return self._skeleton

    def look(
        self, crops: Sequence[UInt8[np.ndarray, "size size 3"]]
    ) -> tuple[Float[np.ndarray, "crop joint 2"], Float[np.ndarray, "crop joint"]]:
        """Joints in px of each square crop, and the lower of the heights of their two vectors."""
        found = [self._run(self._input_of(crop)) for crop in crops]
        vectors = [np.concatenate([out[axis] for out in found]) for axis in (0, 1)]
        at = np.stack([v.argmax(2) for v in vectors], axis=-1) / self._bins
        score = np.minimum(*(v.max(2) for v in vectors))
        scale = np.array([crop.shape[0] for crop in crops])[:, None, None] / self._height
        middle = np.array([(crop.shape[0] - 1) / 2 for crop in crops])[:, None, None]
        return (at - np.array([self._width, self._height]) / 2) * scale + middle, score.astype(float)

    def _run(self, image: Float[np.ndarray, "1 3 h w"]) -> list[np.ndarray]:
        return [np.asarray(out) for out in self._session.run(None, {self._input: image})]

    def _input_of(self, crop: UInt8[np.ndarray, "size size 3"]) -> Float[np.ndarray, "1 3 h w"]:
        """The crop at the input's height, its middle columns, or all of them with black beside.

        MMPose puts the middle of a person's box at (width / 2, height / 2) of the input px, and so does this.
        """
        scale = self._height / crop.shape[0]
        middle = (crop.shape[0] - 1) / 2
        matrix = np.array([[scale, 0, self._width / 2 - scale * middle], [0, scale, self._height / 2 - scale * middle]])
        seen = cv2.warpAffine(crop, matrix, (self._width, self._height), flags=cv2.INTER_LINEAR)
        normalised = (seen[..., ::-1] - _MEAN) / _SPREAD
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None], np.float32)


def _session(path: Path, device: str):
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError("onnxruntime is not installed; pip install 'mv3d[onnx]'") from error
    if not path.is_file():
        raise FormatError(f"{path}: no such model file")
    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: larger than {_MAX_BYTES >> 20} MB; pass a pose model")
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ConfigError(f"device {device!r}: the installed onnxruntime has no CUDA; use cpu")
        providers = ["CUDAExecutionProvider", *providers]
    try:
        return onnxruntime.InferenceSession(str(path), providers=providers)
    except Exception as error:  # its classes of errors differ from version to version
        reason = " ".join(str(error).split())[:200]
        raise FormatError(f"{path}: cannot be loaded as an ONNX model ({reason})") from error
