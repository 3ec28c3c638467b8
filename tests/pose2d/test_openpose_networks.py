"""OpenPose's architectures: sizes, and every layer's numbers against OpenCV's on generated Caffe files.

OpenCV 5 no longer reads Caffe's files. For the comparison set MV3D_OPENCV4_PYTHON to a Python that has OpenCV 4
(`python -m venv DIR; DIR/bin/pip install "opencv-python-headless<5"`).
"""

import importlib.util
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.models import MODELS, load_network, model_named
from mv3d.pose2d.weight_import import add_weights

_FOLDER = Path(__file__).parent / "caffe"
_spec = importlib.util.spec_from_file_location("caffe_nets", _FOLDER / "nets.py")
assert _spec is not None
assert _spec.loader is not None
nets = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(nets)

_PYTHON = os.environ.get("MV3D_OPENCV4_PYTHON", "")
_needs_opencv_4 = pytest.mark.skipif(not _PYTHON, reason="MV3D_OPENCV4_PYTHON is not set")
# float32 sums of up to 10^4 products in another order, through up to 60 layers that keep the scale.
_EQUAL = 1e-3


@pytest.mark.parametrize(
    ("name", "millions", "convs"),
    # Computed from the published layer tables. COCO has 92 convolutions and 52.31 M, BODY_25 26.17 M parameters.
    [
        ("coco_18", 52.311446, 92),
        ("mpi_15", 51.481032, 92),
        ("body_25", 26.166084, 114),
        ("hand_21", 36.832324, 52),
        ("face_70", 38.425706, 52),
        ("lightweight", 4.1, 57),
    ],
)
def test_sizes_and_channels(name, millions, convs):
    model = model_named(name)
    with torch.device("meta"):
        network = model.build(model.skeleton)
        heatmaps, pafs = network(torch.zeros(2, 3, 16, 24))
    # 4.1 M are published of the lightweight network, two digits; its batch norms are folded here.
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.01 if convs == 57 else 0)
    assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == convs
    assert heatmaps.shape == (2, model.skeleton.heatmap_count, 2, 3)
    assert pafs.shape == (2, model.skeleton.paf_count, 2, 3)


@pytest.mark.parametrize("name", [n for n in MODELS if n != "mobilenet_thin"])
def test_sides_are_multiples_of_eight(name):
    with torch.device("meta"), pytest.raises(ValueError, match="multiple of 8"):
        MODELS[name].build(MODELS[name].layout)(torch.zeros(1, 3, 16, 20))


def _outputs(network: nn.Module, image: np.ndarray, *, whole_names: bool = False) -> dict[str, np.ndarray]:
    """What every convolution and PReLU gives, by the name of the layer, before any activation in place."""
    kept: dict[str, np.ndarray] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.PReLU):
            layer = name if whole_names else name.rpartition(".")[2]
            module.register_forward_hook(lambda _m, _i, out, layer=layer: kept.update({layer: out.clone().numpy()}))
    with torch.inference_mode():
        heatmaps, pafs = network(torch.from_numpy(image))
    kept["net_output"] = torch.cat([heatmaps, pafs], 1).numpy()
    return kept


def _theirs(folder: Path, net, image: np.ndarray, layers: list[str]) -> dict[str, np.ndarray]:
    """The outputs of layers by OpenCV 4."""
    files = [folder / n for n in ("net.prototxt", "net.caffemodel", "image.npy", "layers.txt", "out.npz")]
    files[0].write_text(net.prototxt)
    files[1].write_bytes(net.caffemodel())
    np.save(files[2], image / 256 - 0.5)
    files[3].write_text("\n".join(layers))
    subprocess.run([_PYTHON, _FOLDER / "run_opencv.py", *files], check=True, timeout=300)
    with np.load(files[4]) as out:
        return dict(out)


def _assert_equal(ours: np.ndarray, theirs: np.ndarray, layer: str) -> None:
    largest = np.abs(theirs).max()
    assert ours.shape == theirs.shape, layer
    assert np.abs(ours - theirs).max() < _EQUAL * max(1, largest), layer
    assert largest > 0.01, layer


@pytest.fixture
def image(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return np.random.default_rng(1).integers(0, 256, (1, 3, 32, 48)).astype(np.float32)


@_needs_opencv_4
@pytest.mark.slow
@pytest.mark.parametrize("name", list(nets.ARCHITECTURES))
def test_every_layer_gives_the_numbers_of_opencv(name, image, tmp_path):
    net = nets.generated(name)
    (tmp_path / "added.caffemodel").write_bytes(net.caffemodel())
    ours = _outputs(load_network(add_weights(tmp_path / "added.caffemodel").model), image)
    # The part networks end with a convolution, the others with a concatenation.
    same = {} if "net_output" in net.channels else {"net_output": list(net.channels)[-1]}
    theirs = _theirs(tmp_path, net, image, [same.get(layer, layer) for layer in ours])
    assert len(ours) == len(net.blobs) + 1
    for layer, output in ours.items():
        _assert_equal(output, theirs[same.get(layer, layer)], layer)


@_needs_opencv_4
def test_the_lightweight_network_gives_the_numbers_of_opencv(image, tmp_path):
    net = nets.generated_lightweight()
    state = {f"module.{name}": torch.from_numpy(value) for name, value in net.state.items()}
    torch.save({"state_dict": state, "iter": 370000}, tmp_path / "added.pth")
    ours = _outputs(load_network(add_weights(tmp_path / "added.pth").model), image, whole_names=True)
    # A convolution with its batch norm folded gives what the batch norm, one place further, gave.
    after = {name: f"{name[:-1]}{int(name[-1]) + 1}" for name in ours if name != "net_output"}
    same = {name: norm for name, norm in after.items() if norm in net.blobs}
    theirs = _theirs(tmp_path, net, image, [same.get(layer, layer) for layer in ours])
    for layer, output in ours.items():
        _assert_equal(output, theirs[same.get(layer, layer)], layer)


def test_an_added_network_goes_through_the_estimator(image, tmp_path):
    """Random weights find nothing to be sure of; what is wanted is that all of the way is there."""
    state = {name: torch.from_numpy(value) for name, value in nets.generated_lightweight().state.items()}
    torch.save(state, tmp_path / "added.pth")
    assert add_weights(tmp_path / "added.pth").model.name == "lightweight"
    (found,) = PoseEstimator("lightweight", long_sides=(64,)).detect([np.zeros((48, 64, 3), np.uint8)])
    assert found.xy.shape[1:] == (18, 2)
