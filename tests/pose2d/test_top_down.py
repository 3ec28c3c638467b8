"""Detectors of one person in a square: an ONNX model made here that finds the brightest spot, and BlazePose."""

import importlib.util
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from mv3d.config import Pose2DConfig
from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.skeletons import COCO_17, COCO_18
from mv3d.detection import detected_skeleton, make_estimator
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.blazepose import BlazePoseModel
from mv3d.pose2d.crops import make_crop
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.detector import Detector
from mv3d.pose2d.onnx_model import OnnxPersonModel
from mv3d.pose2d.top_down import TopDownEstimator, person_squares

pytest.importorskip("onnxruntime")
_spec = importlib.util.spec_from_file_location("caffe_nets", Path(__file__).parent / "caffe" / "nets.py")
assert _spec is not None
assert _spec.loader is not None
_nets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_nets)
message = _nets.message

_FLOAT, _INT64 = 1, 7


def _tensor(name: str, values: np.ndarray) -> bytes:
    kind = _INT64 if values.dtype == np.int64 else _FLOAT
    dims = b"".join(message(1, n) for n in values.shape)
    return message(5, dims + message(2, kind) + message(8, name.encode()) + message(9, values.tobytes()))


def _node(op: str, inputs: tuple[str, ...], output: str, **ints: tuple[int, ...]) -> bytes:
    body = b"".join(message(1, i.encode()) for i in inputs) + message(2, output.encode()) + message(4, op.encode())
    for name, values in ints.items():
        listed = b"".join(message(8, v) for v in values)
        body += message(5, message(1, name.encode()) + listed + message(20, 7))
    return message(1, body)


def _value(field: int, name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = b"".join(message(1, message(1, n) if isinstance(n, int) else message(2, n.encode())) for n in shape)
    return message(field, message(1, name.encode()) + message(2, message(1, message(1, _FLOAT) + message(2, dims))))


def _spot_model(joints: int = 17, size: tuple[int, int] = (64, 48)) -> bytes:
    """Two SimCC outputs of two bins a pixel: the mean brightness of each column, and of each row."""
    graph = b""
    for axis, n, name in ((2, size[1], "x"), (3, size[0], "y")):
        spread = np.zeros((n, joints, 2 * n), np.float32)
        spread[np.arange(n), :, 2 * np.arange(n)] = spread[np.arange(n), :, 2 * np.arange(n) + 1] = 1
        graph += _tensor(f"m{name}", spread.reshape(n, -1)) + _tensor(f"s{name}", np.array([1, joints, 2 * n]))
        graph += _node("ReduceMean", ("image",), f"r{name}", axes=(1, axis))
        # Normalised black is -1.985 in the mean: what is seen of it scores less than a person must.
        graph += _node("Add", (f"r{name}", "light" + name), f"a{name}") + _tensor("light" + name, np.float32([2.1]))
        graph += _node("Reshape", (f"a{name}", "flat" + name), f"f{name}") + _tensor("flat" + name, np.array([1, n]))
        graph += _node("MatMul", (f"f{name}", f"m{name}"), f"p{name}")
        graph += _node("Reshape", (f"p{name}", f"s{name}"), f"simcc_{name}")
    graph += message(2, b"spot") + _value(11, "image", ("batch", 3, *size))
    graph += _value(12, "simcc_x", ("batch", joints, "bins")) + _value(12, "simcc_y", ("batch", joints, 2 * size[0]))
    return message(1, 8) + message(7, graph) + message(8, message(2, 13))


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "spot.onnx"
    path.write_bytes(_spot_model())
    return path


def _spot(size: tuple[int, int], at: tuple[float, float], sigma: float = 6.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    bright = 255 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
    return np.repeat(np.round(bright)[..., None], 3, axis=2).astype(np.uint8)


def test_simcc_is_decoded_to_crop_pixels(model_file):
    model = OnnxPersonModel(model_file)
    assert model.skeleton is COCO_17
    for size in (64, 256):
        for at in ((0.5, 0.4), (0.42, 0.77)):
            xy, score = model.look([_spot((size, size), (at[0] * size, at[1] * size), size / 12)])
            assert xy.shape == (1, 17, 2)
            # The highest of whole pixels of a 64 px input.
            assert np.abs(xy[0] - np.array(at) * size).max() <= 0.6 * size / 64
            assert score.shape == (1, 17)


class _Finder:
    skeleton = COCO_18

    def __init__(self, *people) -> None:
        xy = np.array(people, float).reshape(-1, 18, 2)
        score = np.isfinite(xy).all(-1) * 1.0
        self._found = Detections(xy, score, np.ones(len(xy)), np.zeros((18, 0, 2)), np.zeros((18, 0)))

    def detect(self, images):
        return [self._found for _ in images]


def _person(x: float, y: float) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.array([x, y]) + rng.uniform(-50, 50, (18, 2))


def test_whole_images_go_by_way_of_the_finder(model_file):
    estimator = TopDownEstimator(OnnxPersonModel(model_file), _Finder(_person(150, 150), _person(350, 160)))
    assert isinstance(estimator, Detector)
    image = np.maximum(_spot((500, 320), (140, 160)), _spot((500, 320), (362, 150)))
    (found,) = estimator.detect([image])
    assert len(found) == 2
    assert np.abs(found.xy[0] - (140, 160)).max() < 3
    assert np.abs(found.xy[1] - (362, 150)).max() < 3
    assert {tuple(p) for p in found.peaks_xy[5, :2]} == {tuple(p) for p in found.xy[:, 5]}
    assert (np.diff(found.peaks_score, axis=1) <= 0).all()
    assert [len(d) for d in TopDownEstimator(OnnxPersonModel(model_file), _Finder()).detect([image])] == [0]
    assert estimator.detect([]) == []


def test_guided_crops_are_looked_at_directly(model_file):
    estimator = TopDownEstimator(OnnxPersonModel(model_file), _Finder())
    K = np.array([[700.0, 0, 321], [0, 700, 178], [0, 0, 1]])
    camera = Camera("cam", (640, 360), Pinhole(K, np.zeros(5)), np.eye(3), np.zeros(3))
    target = camera.rays(np.array([300.0, 170.0])) * 3
    crop = make_crop(camera, target, np.array([0.3, -1, 0]), 300.0, 256)
    image = _spot((640, 360), (310, 160), 8)
    nobody, found, black = estimator.detect_in_crops([image, image, np.zeros_like(image)], [[], [crop], [crop]])
    assert len(nobody) == 0
    assert np.abs(found.xy[0] - (310, 160)).max() < 5
    # The stand-in's scores on black are below nothing: nobody.
    assert len(black) == 0


def test_people_of_few_joints_have_no_square():
    few = np.full((18, 2), np.nan)
    few[:3] = 10
    assert person_squares(_Finder(few)._found) == []
    (box,) = person_squares(_Finder(_person(100, 90))._found)
    xy = _Finder(_person(100, 90))._found.xy[0]
    assert box.side == pytest.approx(1.5 * np.ptp(xy, axis=0).max())


def test_files_that_are_no_such_models(tmp_path):
    path = tmp_path / "m.onnx"
    for content, said in ((b"not a model", "cannot be loaded"), (_spot_model(5), "finds 5 joints; models of 15, 17")):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=said) as caught:
            OnnxPersonModel(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="no such model file"):
        OnnxPersonModel(tmp_path / "none.onnx")
    path.write_bytes(_spot_model())
    with pytest.raises(ConfigError, match="has no CUDA"):
        OnnxPersonModel(path, "cuda")


def test_the_model_is_chosen_by_its_name(model_file):
    config = Pose2DConfig(model=str(model_file), device="cpu")
    assert detected_skeleton(config) is COCO_17
    assert make_estimator(config).skeleton is COCO_17
    assert detected_skeleton(Pose2DConfig(model="blazepose")).name == "BLAZEPOSE_33"


def test_without_mediapipe_the_user_is_told():
    if importlib.util.find_spec("mediapipe") is not None:
        pytest.skip("mediapipe is installed")
    with pytest.raises(ConfigError, match=r"pip install 'mv3d\[blazepose\]'"):
        BlazePoseModel()


_BLAZEPOSE = """
import sys
import cv2
from mv3d.pose2d.blazepose import BlazePoseModel
xy, score = BlazePoseModel().look([cv2.imread(sys.argv[1])])
print(xy.shape, score.shape, BlazePoseModel().skeleton.name)
"""


@pytest.mark.slow
@pytest.mark.skipif("MV3D_MEDIAPIPE_PYTHON" not in os.environ, reason="MV3D_MEDIAPIPE_PYTHON is not set")
def test_blazepose_runs(tmp_path, draw_people, repository):
    """In a Python of its own that has mediapipe 0.10.21 and what this module imports (jaxtyping)."""
    cv2.imwrite(str(tmp_path / "a.png"), draw_people((384, 384), [(192, 40, 300)]))
    command = [os.environ["MV3D_MEDIAPIPE_PYTHON"], "-c", _BLAZEPOSE, str(tmp_path / "a.png")]
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, env=environment)
    assert done.stdout.strip() == "(1, 33, 2) (1, 33) BLAZEPOSE_33"
