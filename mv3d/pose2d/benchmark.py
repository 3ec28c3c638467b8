"""Times of the 2D stage: the network against OpenCV's on the original graph, and what comes after the network."""

import importlib.util
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float

from mv3d.pose2d.assembly import AssemblyConfig, assemble
from mv3d.pose2d.config import EngineConfig
from mv3d.pose2d.device import choose_device
from mv3d.pose2d.engine import Engine, TorchEngine, make_engine
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.models import MODELS, model_named
from mv3d.pose2d.peaks import Peaks, find_peaks

# A standing person, joints of COCO_18, as shares of stature: x to the image's right from the midline, y down.
_STANDING = np.array(
    [
        *((0.0, 0.1), (0.0, 0.19), (-0.1, 0.19), (-0.14, 0.36), (-0.15, 0.51), (0.1, 0.19), (0.14, 0.36), (0.15, 0.51)),
        *((-0.06, 0.5), (-0.06, 0.73), (-0.06, 0.95), (0.06, 0.5), (0.06, 0.73), (0.06, 0.95)),
        *((-0.02, 0.08), (0.02, 0.08), (-0.05, 0.09), (0.05, 0.09)),
    ]
)


@dataclass(frozen=True, slots=True)
class Timing:
    """One row: what ran, on what, the median of each contender in ms, and the ratio of the first to the second."""

    what: str
    input: str
    ms: float
    reference_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the reference's time; None without a reference."""
        return None if self.reference_ms is None else self.ms / self.reference_ms


@dataclass(frozen=True, slots=True)
class BenchmarkConfig:
    """What is timed.

    Attributes:
        graph: the original frozen graph for OpenCV's network; None leaves it out.
        repeats: runs of each contender, in turn; medians are reported.
        threads: threads of torch and OpenCV.
        device: where torch runs.
        compile: torch.compile as well, which takes a minute or more for each size.
        large: every network (random weights) as well, bodies at 656x368, hands and faces at 368x368, in batches of this
            many; 0 leaves them out.
    """

    graph: Path | None = None
    repeats: int = 9
    threads: int = 1
    device: str = "cpu"
    compile: bool = False
    large: int = 0


def run_benchmark(config: BenchmarkConfig) -> list[Timing]:
    """Time everything."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(config.threads)
    rows = []
    for shape in [(1, 208, 368), (4, 208, 368), (1, 352, 352), (4, 352, 352)]:
        rows += time_engines(config, shape)
    if config.large:
        rows += [row for name in MODELS for row in time_large(config, name)]
    return [*rows, *(row for n in (2, 20) for row in time_people(n, 50))]


def time_engines(config: BenchmarkConfig, shape: tuple[int, int, int]) -> list[Timing]:
    """One pass of mobilenet_thin per image, ms, by every engine there is, in turn with cv2.dnn on the same images."""
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    size = f"{shape[0]} x {shape[1]}x{shape[2]}"
    contenders: dict[str, Callable[[], object]] = {}
    for name, engine in _engines(config):
        contenders[name] = lambda engine=engine: [m.cpu() for m in engine.maps(images)]
    if config.graph is not None:
        reference = cv2.dnn.readNetFromTensorflow(str(config.graph))
        reference.setInput(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32))
        contenders["cv2.dnn"] = reference.forward
    medians = dict(zip(contenders, alternate(list(contenders.values()), config.repeats) / shape[0], strict=True))
    peer = medians.pop("cv2.dnn", None)
    return [Timing(name, size, float(ms), None if peer is None else float(peer)) for name, ms in medians.items()]


def _engines(config: BenchmarkConfig) -> list[tuple[str, Engine]]:
    model = model_named("mobilenet_thin")
    kinds = {f"torch {precision}": EngineConfig(precision=precision) for precision in ("fp32", "bf16")}
    if config.device != "cpu":
        kinds["torch fp16"] = EngineConfig(precision="fp16")
    if config.compile:
        kinds["torch compiled"] = EngineConfig(compile="fuse" if config.device == "cpu" else "graphs")
    if importlib.util.find_spec("openvino") is not None:
        kinds["openvino fp32"] = EngineConfig(backend="openvino")
    return [(name, make_engine(model, config.device, kind)) for name, kind in kinds.items()]


def time_large(config: BenchmarkConfig, name: str) -> list[Timing]:
    """A network with random weights at the size that OpenPose runs it at, ms an image."""
    model, device = model_named(name), choose_device(config.device)
    width = 656 if model.finds_people else 368
    images = np.random.default_rng(0).integers(0, 256, (config.large, 368, width, 3), dtype=np.uint8)
    rows = []
    for precision in ("fp32",) if device.type == "cpu" else ("fp32", "fp16"):
        network = model.untrained().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        engine = TorchEngine(network, device, EngineConfig(precision=precision))
        ms = alternate([lambda engine=engine: [m.cpu() for m in engine.maps(images)]], config.repeats)[0]
        rows.append(Timing(f"{name} {precision}", f"{config.large} x 368x{width}", float(ms) / config.large))
    return rows


def time_people(people: int, repeats: int) -> list[Timing]:
    """Peaks and parsing of a row or block of standing people, ms."""
    model, config = model_named("mobilenet_thin"), AssemblyConfig()
    xy, shape = standing_people(people)
    heatmaps, pafs = ideal_maps(xy, model.skeleton, shape, model.stride, model.cell_offset)
    maps = heatmaps[: len(model.skeleton)]

    def peaks() -> Peaks:
        return find_peaks(maps, config.peak_threshold, model.stride, model.cell_offset)

    found = peaks()
    ms = alternate(
        [peaks, lambda: assemble(found, pafs, model.skeleton, config, model.stride, model.cell_offset)], repeats
    )
    size = f"{people} people, maps {shape[0]}x{shape[1]}"
    return [Timing("peaks", size, float(ms[0])), Timing("parsing", size, float(ms[1]))]


def standing_people(count: int) -> tuple[Float[np.ndarray, "person joint 2"], tuple[int, int]]:
    """People 180 px tall in a block of up to ten a row, and the (h, w) of the maps that hold them."""
    stature, pitch_x, pitch_y = 180.0, 64.0, 200.0
    columns = min(count, 10)
    rows = -(-count // columns)
    at = np.array([((i % columns + 0.75) * pitch_x, i // columns * pitch_y + 10) for i in range(count)])
    xy = at[:, None] + stature * _STANDING
    return xy, (int(rows * pitch_y / 8) + 3, int((columns + 0.5) * pitch_x / 8))


def alternate(contenders: list[Callable[[], object]], repeats: int) -> Float[np.ndarray, " contender"]:
    """Median ms of each contender over runs in turn, after one warm-up each."""
    for run in contenders:
        run()
    took = np.empty((repeats, len(contenders)))
    for i in range(repeats):
        for k, run in enumerate(contenders):
            start = time.perf_counter()
            run()
            took[i, k] = 1e3 * (time.perf_counter() - start)
    return np.median(took, axis=0)


def as_table(rows: list[Timing]) -> str:
    """The rows as text."""
    lines = [f"{'what':<20}{'input':<32}{'ms':>9}{'cv2.dnn':>9}{'ratio':>7}"]
    for row in rows:
        reference = "" if row.reference_ms is None else f"{row.reference_ms:.1f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        lines.append(f"{row.what:<20}{row.input:<32}{row.ms:>9.2f}{reference:>9}{ratio:>7}")
    return "\n".join(lines)


def as_records(rows: list[Timing]) -> list[dict[str, Any]]:
    """The rows as JSON-ready dicts."""
    return [{**asdict(row), "ratio": row.ratio} for row in rows]
