"""The studio against its goals: errors from pixels over seeds and numbers of cameras, truth of corners, speed.

python scripts/bench_studio.py --seeds 3 --cameras 4 8 --json studio.json
python scripts/bench_studio.py --seeds 0            # corners and speed alone
"""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from os import cpu_count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tyro

from mv3d.config import Config, OutputConfig
from mv3d.studio import StudioConfig, studio_rig, studio_scene
from mv3d.studio_demo import run_rendered
from mv3d.synthetic.studio.film import Film
from mv3d.synthetic.studio.rooms import plain_room
from mv3d.synthetic.studio.scene import Panel, Scene
from mv3d.synthetic.studio.view import View

_PLAIN = Config(output=OutputConfig(formats=("csv",), overlay=False, scene=False, report=False))


def main(
    seeds: int = 3,
    cameras: tuple[int, ...] = (4, 8),
    seconds: float = 4.0,
    board_seconds: float = 60.0,
    frames: int = 40,
    json_path: Path | None = None,
) -> None:
    """Measure.

    Args:
        seeds: 0 to seeds - 1.
        cameras: numbers of cameras.
        seconds: of the performance.
        board_seconds: that the board is carried.
        frames: that the speed is taken from.
        json_path: file for all figures; written anew after every run.
    """
    found: dict[str, Any] = {"runs": [], "corners_px": corner_error(), "speed": speed(frames)}
    corners = found["corners_px"]
    print(f"corners of a rendered board: mean {corners['mean']:.3f} px, largest {corners['max']:.3f}")
    print("speed: " + ", ".join(f"{name} {value:.1f} frames/s" for name, value in found["speed"].items()))
    print(
        f"\n{'seed':>4} {'cameras':>8} {'centre mm':>10} {'angle deg':>10} {'PCK':>7} {'median px':>10}"
        f" {'left-out px':>12} {'MPJPE mm':>9} {'limbs mm':>9} {'bones mm':>9} {'CPU s':>6}"
    )
    for seed in range(seeds):
        for count in cameras:
            found["runs"].append(
                run(StudioConfig(cameras=count, seconds=seconds, board_seconds=board_seconds, seed=seed))
            )
            print(_line(found["runs"][-1]), flush=True)
            if json_path:
                json_path.write_text(json.dumps(found, indent=1))


def run(config: StudioConfig) -> dict[str, Any]:
    """The demo from pixels once."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        result, errors = run_rendered(Path(folder) / "demo", config, _PLAIN)
    quality = result.quality
    return {
        "seed": config.seed,
        "cameras": config.cameras,
        "left_out_px": float(np.nanmean(quality.left_out_px)),
        "cpu_s": time.process_time() - started,
        "errors": asdict(errors),
    }


def _line(made: dict[str, Any]) -> str:
    errors, pose = made["errors"], made["errors"]["pose"]
    center, angle = (max(c[key] for c in errors["cameras"]) for key in ("center_mm", "angle_deg"))
    pck, median = (np.mean([v[key] for v in errors["views"]]) for key in ("found", "median_px"))
    return (
        f"{made['seed']:>4} {made['cameras']:>8} {center:>10.2f} {angle:>10.3f} {pck:>7.1%} {median:>10.1f}"
        f" {made['left_out_px']:>12.1f} {pose['mpjpe_mm']:>9.1f} {pose['limb_mpjpe_mm']:>9.1f} {pose['bone_mm']:>9.1f}"
        f" {made['cpu_s']:>6.0f}"
    )


def corner_error() -> dict[str, float]:
    """Distance of a rendered chessboard's corners, found in linear light, from where the camera projects them, px."""
    camera = studio_rig(StudioConfig(radius=2.5))[0]
    squares = np.kron(np.indices((6, 8)).sum(0) % 2 * 255, np.ones((64, 64))).astype(np.uint8)
    R = camera.R.T @ cv2.Rodrigues(np.array([0.3, -0.4, 0.2]))[0]
    place = np.array([0.0, -0.4, 1.3])
    panel = Panel(squares, (0.8, 0.6), lambda t: (np.repeat(R[None], len(t), 0), np.repeat(place[None], len(t), 0)))
    film = Film(read_noise=0.0, shot_noise=0.0)
    image = View(camera, Scene(*plain_room(), panels=(panel,)), film).shoot(0.0).image
    grey = ((image[..., 1] / 255) ** 2.2).astype(np.float32)
    x, y = np.meshgrid(np.arange(1, 8) * 0.1, np.arange(1, 6) * 0.1)
    exact = camera.project(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1) @ R.T + place)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    found = cv2.cornerSubPix(grey, np.ascontiguousarray(exact[:, None], np.float32), (5, 5), (-1, -1), criteria)[:, 0]
    error = np.linalg.norm(found - exact, axis=1)
    return {"mean": float(error.mean()), "max": float(error.max())}


def speed(frames: int) -> dict[str, float]:
    """Camera frames a second: wall clock of all threads, and of one thread by its CPU time."""
    out = {}
    for name, film in (("sharp", Film()), ("rolling", Film(line_time=3e-5)), ("blurred", Film(exposure_s=0.01))):
        config = replace(StudioConfig(), film=film)
        scene, rig = studio_scene(config), studio_rig(config)
        views = [View(camera, scene, film) for camera in rig]
        views[0].shoot(0.0)  # compiles
        started = time.thread_time()
        for frame in range(frames):
            views[frame % len(views)].shoot(frame / 25)
        out[f"{name}, one core"] = frames / (time.thread_time() - started)
        started = time.perf_counter()
        with ThreadPoolExecutor(cpu_count()) as pool:
            list(pool.map(lambda frame, views=views: views[frame % len(views)].shoot(frame / 25), range(frames)))
        out[f"{name}, {cpu_count()} cores"] = frames / (time.perf_counter() - started)
    return out


if __name__ == "__main__":
    tyro.cli(main)
