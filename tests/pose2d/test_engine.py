"""How the network is run: precisions, backends, scales, where people are found; and inputs that are odd."""

import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mv3d.errors import ConfigError
from mv3d.pose2d.config import EngineConfig, ResolutionConfig
from mv3d.pose2d.engine import TorchEngine, make_engine
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.models import MODELS, model_named
from mv3d.pose2d.peaks import find_peaks
from mv3d.pose2d.preprocess import as_bgr, fit_within
from mv3d.pose2d.resolution import average_scales, placements_of


@pytest.fixture(scope="module")
def person(draw_people) -> np.ndarray:
    return draw_people((256, 368), [(127.5, 70, 230)])


def _engine(**config):
    return make_engine(model_named("mobilenet_thin"), "cpu", EngineConfig(**config))


def test_half_precision_finds_the_same_person(person):
    (whole,) = PoseEstimator().detect([person])
    # fp16 keeps 11 bits of the maps, bf16 8: peaks of height 1 move by some hundredths and some tenths of a cell.
    for precision, moved in (("fp16", 0.5), ("bf16", 2.0)):
        (half,) = PoseEstimator(engine=EngineConfig(precision=precision)).detect([person])
        assert len(half) == 1
        assert np.nanmedian(np.linalg.norm(half.xy - whole.xy, axis=-1)) < moved
        maps = _engine(precision=precision).maps(person[None])
        assert {m.dtype for m in maps} == {torch.float32}


def test_openvino_gives_the_same_numbers(person):
    pytest.importorskip("openvino")
    ours, theirs = _engine().maps(person[None]), _engine(backend="openvino").maps(person[None])
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b).abs().max() < 1e-4
    with pytest.raises(ConfigError, match="fp32"):
        _engine(backend="openvino", precision="bf16")


class _Halves(nn.Module):
    """Compiles in seconds, where a real network takes minutes (scripts/bench_pose2d.py --compile)."""

    def forward(self, images):
        return images[..., ::8, ::8] / 2, images[..., ::8, ::8] - 1


def test_compiling_is_left_to_torch(person, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "compile", lambda network, mode: asked.append(mode) or network)
    _engine(compile="fuse").maps(person[None])
    assert asked == ["default"]


_COMPILED = """
import logging, torch
from mv3d.pose2d.config import EngineConfig
from mv3d.pose2d.engine import TorchEngine

class Halves(torch.nn.Module):
    def forward(self, x):
        return x[:, :1, ::8, ::8] / 2, x[:, 1:, ::8, ::8] / 4

logging.basicConfig(level=logging.WARNING, format="%(message)s")
images = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)).numpy()
plain, fused = (
    TorchEngine(Halves(), torch.device("cpu"), EngineConfig(compile=how)).maps(images) for how in ("off", "fuse")
)
for a, b in zip(plain, fused, strict=True):
    torch.testing.assert_close(a, b)
"""


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_numbers():
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("torch.compile needs a C++ compiler on a CPU")
    # In a process of its own: what a worker of the tests has loaded before is not what a user's process holds.
    done = subprocess.run([sys.executable, "-c", _COMPILED], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "does not work here" not in done.stderr


def test_without_a_compiler_the_network_runs_as_it_is(person, monkeypatch, caplog):
    from torch._dynamo.exc import BackendCompilerFailed

    def compiled(network, mode):
        def run(x):
            raise BackendCompilerFailed(network, RuntimeError("no C++ compiler\nand more lines"), None)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    engine = TorchEngine(_Halves(), torch.device("cpu"), EngineConfig(compile="fuse"))
    for _ in range(2):
        heatmaps, _ = engine.maps(person[None])
    torch.testing.assert_close(heatmaps[0, 0], torch.from_numpy(person[::8, ::8, 0] / 2).float())
    (record,) = caplog.records
    assert "torch.compile does not work here (" in record.getMessage()
    assert "no C++ compiler" in record.getMessage()
    assert "more lines" not in record.getMessage()


def test_what_this_machine_lacks_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="graphs records CUDA graphs, and the device is cpu"):
        _engine(compile="graphs")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="'cuda' cannot be used here"):
            PoseEstimator(device="cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigError, match=r"pip install 'mv3d\[openvino\]'"):
        _engine(backend="openvino")
    with pytest.raises(ConfigError, match="hand_21 looks at hands or faces"):
        PoseEstimator("hand_21")


def test_the_device_path_finds_the_same_people(draw_people):
    images = [draw_people((320, 368), [(80, 110, 180), (220, 60, 250)]), draw_people((200, 368), [(100, 60, 250)])]
    host = PoseEstimator().detect(images)
    device = PoseEstimator(engine=EngineConfig(decode="device")).detect(images)
    for a, b in zip(host, device, strict=True):
        np.testing.assert_allclose(b.xy, a.xy, atol=0.02)
        np.testing.assert_allclose(b.peaks_score, a.peaks_score, atol=1e-4)


@pytest.mark.parametrize(
    ("image", "resolution", "size"),
    [
        ((1920, 1080), "-1x368", (656, 368)),  # OpenPose's 656x368
        ((1920, 1080), "1312x736", (1312, 736)),
        ((3000, 500), "-1x368", (656, 368)),  # the limit of 16/9
        ((1080, 1920), "368x-1", (368, 656)),
        ((640, 480), "-1x-368", None),
        ((100, 100), "-1x5", (16, 16)),
    ],
)
def test_net_sizes_are_openposes(image, resolution, size):
    if size is None:
        with pytest.raises(ValueError, match="WIDTHxHEIGHT is wanted"):
            ResolutionConfig(resolution)
        return
    (placement,) = placements_of(image, ResolutionConfig(resolution))
    assert placement == fit_within(image, size)


def test_scales_are_truncated_to_sixteen():
    placements = placements_of((1920, 1080), ResolutionConfig("-1x368", scale_number=4))
    canvases = [(656, 368), (480, 272), (320, 176), (160, 80)]
    assert placements == [fit_within((1920, 1080), canvas) for canvas in canvases]
    with pytest.raises(ValueError, match="leave no image"):
        ResolutionConfig("-1x368", scale_number=6)
    unlimited = placements_of((3000, 500), ResolutionConfig("-1x368", dynamic=0.0))
    assert unlimited == [fit_within((3000, 500), (2208, 368))]


def _peak_map(at: np.ndarray, shape: tuple[int, int], stride: int, offset: tuple[float, float]) -> torch.Tensor:
    """A Gaussian of one cell around a place in input px."""
    x, y = np.meshgrid(stride * np.arange(shape[1]) + offset[0], stride * np.arange(shape[0]) + offset[1])
    squared = ((x - at[0]) ** 2 + (y - at[1]) ** 2) / stride**2
    return torch.from_numpy(np.exp(-squared / 2).astype(np.float32))[None]


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("offset", [(3.5, 3.5), (3.0, 2.5), (0.0, 0.0)])
def test_averaged_scales_agree_to_a_part_of_a_pixel(stride, offset):
    """One point seen at four scales: the mean peaks where each of them does."""
    placements = placements_of((1920, 1080), ResolutionConfig("-1x368", scale_number=3))
    for truth in np.random.default_rng(0).uniform((300, 200), (1600, 900), (12, 2)):
        maps = []
        for placement in placements:
            shape = tuple(-(-n // stride) for n in placement.size[::-1])
            maps.append(_peak_map(placement.to_input(truth), shape, stride, offset))
        mean = average_scales(maps, placements, stride, offset).numpy()
        peaks = find_peaks(mean, 0.05, stride, offset)
        found = placements[0].to_source(peaks.xy[0, 0].astype(float))
        # Peaks of other widths are added: the sum is no Gaussian any more. A whole net px is 2.9 source px.
        assert np.abs(found - truth).max() < 0.06 * stride * 2.93


def test_several_scales_find_the_person_where_one_does(person):
    (one,) = PoseEstimator(resolution=ResolutionConfig("-1x368")).detect([person])
    (several,) = PoseEstimator(resolution=ResolutionConfig("-1x368", scale_number=2)).detect([person])
    assert len(one) == len(several) == 1
    assert np.nanmedian(np.linalg.norm(one.xy - several.xy, axis=-1)) < 3
    long_side = PoseEstimator(long_sides=(368,)).detect([person])[0]
    np.testing.assert_allclose(one.xy, long_side.xy, atol=1e-9)


def test_maps_and_their_people(person):
    estimator = PoseEstimator()
    (maps,) = estimator.maps([person])
    assert maps.heatmaps.shape == (19, 46, 32)
    assert maps.pafs.shape == (38, 46, 32)
    (decoded,) = estimator.decode([maps])
    np.testing.assert_array_equal(decoded.xy, estimator.detect([person])[0].xy)
    assert estimator.maps([]) == []


def test_images_of_every_usual_kind(person):
    grey = cv2.cvtColor(person, cv2.COLOR_BGR2GRAY)
    alpha = np.dstack([person, np.full(grey.shape, 7, np.uint8)])
    deep = person.astype(np.uint16) << 8
    found = PoseEstimator().detect([person, grey, grey[..., None], alpha, deep])
    np.testing.assert_array_equal(found[1].xy, found[2].xy)
    for same in (found[3], found[4]):
        np.testing.assert_array_equal(same.xy, found[0].xy)
    for odd in (person.astype(float), person[..., :2], np.zeros((0, 5, 3), np.uint8), np.zeros(3, np.uint8)):
        with pytest.raises(ValueError, match="image"):
            as_bgr(odd)


def test_tiny_huge_and_no_images(person):
    estimator = PoseEstimator(long_sides=(64,))
    pixel, line = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 500, 3), np.uint8)
    huge = np.zeros((4320, 7680, 3), np.uint8)
    found = estimator.detect([pixel, line, huge])
    assert [len(f) for f in found] == [0, 0, 0]
    assert estimator.detect([]) == []
    assert estimator.detect_in_crops([], []) == []


def test_the_fast_mpi_network_is_the_first_four_stages():
    with torch.device("meta"):
        whole, fast = (MODELS[n].build(MODELS[n].skeleton) for n in ("mpi_15", "mpi_15_fast"))
    assert set(fast.state_dict()) < set(whole.state_dict())
    assert len(whole.stages) == 6
    assert len(fast.stages) == 4
