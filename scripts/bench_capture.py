"""Recording from simulated network cameras: frames lost, times, memory, what H.264 holds, and what faults cost.

python scripts/bench_capture.py [--minutes 10] [--only passthrough|h264|faults] [--out bench_capture.json]

The cameras run in a process of their own and send pictures that were encoded before, a number burnt into each. What was
recorded is decoded again, frame by frame, and held against what was sent. Prints Markdown tables.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.capture.addresses import CameraAddress
from mv3d.capture.encoder import FrameEncoder
from mv3d.capture.frames import CapturedFrame, SourceSettings
from mv3d.capture.recorder import Recorder, RecorderConfig, open_recorder
from mv3d.files.frame_times import read_frame_times, timestamps_path
from mv3d.files.session_repair import repair_session
from mv3d.files.video import read_frames
from mv3d.synthetic.camera_server import CameraServer, SimulatedCamera
from mv3d.synthetic.frame_codes import read_number
from mv3d.synthetic.numbered_jpegs import NumberedJpegs

_CAMERAS = 4
_VGA, _FULL_HD = (640, 480), (1920, 1080)
# (size, frames per second) to encode as H.264; the lower rates show where it ends.
_H264 = ((_VGA, 30.0), (_VGA, 60.0), (_FULL_HD, 5.0), (_FULL_HD, 10.0), (_FULL_HD, 15.0))
_FAULTS = ("garbage", "truncated", "wrong-length", "no-length", "close", "stall", "resize")


def _send(pipe: Connection, size: tuple[int, int], fps: float, faults: dict[int, str]) -> None:
    """The process of the cameras: tells where they are, and at the end what they skipped for slow takers."""
    pictures, other = NumberedJpegs(size, quality=90), NumberedJpegs((320, 240))
    camera = SimulatedCamera(pictures, fps, faults=faults, other_picture=other)  # type: ignore[arg-type]
    epoch = time.monotonic()
    servers = [CameraServer(camera, epoch + k / fps / _CAMERAS) for k in range(_CAMERAS)]
    pipe.send([(s.url, s.epoch) for s in servers])
    pipe.send(float(np.mean([len(pictures(n)) for n in range(8)])))
    pipe.recv()
    pipe.send([s.skipped for s in servers])


@contextmanager
def _cameras(
    size: tuple[int, int], fps: float, faults: dict[int, str] | None = None
) -> Iterator[tuple[Connection, list]]:
    context = multiprocessing.get_context("spawn")
    pipe, other = context.Pipe()
    process = context.Process(target=_send, args=(other, size, fps, faults or {}), daemon=True)
    process.start()
    try:
        yield pipe, pipe.recv()
    finally:
        process.terminate()
        process.join()


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class _Watch:
    """Memory once a second, while the recorder runs."""

    def __init__(self) -> None:
        self.memory: list[float] = []
        self._next = 0.0

    def __call__(self, recorder: Recorder) -> bool:
        if recorder.elapsed >= self._next:
            self._next += 1.0
            self.memory.append(_resident_mb())
        return False


def bench_rate(size: tuple[int, int], fps: float, seconds: float, codec: Any, folder: Path) -> dict[str, Any]:
    """Record four cameras and look at every frame of it."""
    watch, root = _Watch(), Path(tempfile.mkdtemp(dir=folder))
    with _cameras(size, fps) as (pipe, told):
        picture_bytes = pipe.recv()
        addresses = [CameraAddress(f"cam{k}", url) for k, (url, _) in enumerate(told)]
        with open_recorder(root, addresses, RecorderConfig(codec=codec)) as recorder:
            cpu = time.process_time()
            recorder.start()
            recorder.wait(seconds, watch)
            cpu = time.process_time() - cpu
            recorded = recorder.stop()
        pipe.send("done")
        skipped = pipe.recv()
    cameras = [
        _judged(root / "videos" / c.file, epoch, fps) for c, (_, epoch) in zip(recorded.cameras, told, strict=True)
    ]
    shutil.rmtree(root)
    settled = watch.memory[len(watch.memory) // 10 :] or [_resident_mb()]
    return {
        "size": list(size),
        "fps": fps,
        "codec": codec,
        "seconds": seconds,
        "picture_kb": round(picture_bytes / 1e3, 1),
        "frames": sum(c["frames"] for c in cameras),
        "lost": sum(c["lost"] for c in cameras) - sum(skipped),
        "unreadable": sum(c["unreadable"] for c in cameras),
        "dropped_by_recorder": sum(c.counts["dropped"] for c in recorded.cameras),
        "skipped_by_sender": sum(skipped),
        "arrival_p95_ms": [c["arrival_p95_ms"] for c in cameras],
        "cpu_share_of_one_core": round(cpu / seconds, 3),
        "memory_mb": [round(m, 1) for m in (settled[0], settled[-1], max(settled))],
    }


def _judged(path: Path, epoch: float, fps: float) -> dict[str, Any]:
    """Frames that are missing between the first and the last, and the arrival against the sender's schedule."""
    read = [read_number(image) for _, image in read_frames(path)]
    numbers = np.array([-1 if n is None else n for n in read])
    good = numbers >= 0
    # The numbers burnt in start again after 65535.
    whole = np.unwrap(numbers[good], period=65536)
    arrivals = read_frame_times(timestamps_path(path))[0][:, 1]
    late = arrivals[good] - (epoch + whole / fps)
    return {
        "frames": len(numbers),
        "unreadable": int((~good).sum()),
        "lost": int(whole[-1] - whole[0] + 1 - len(np.unique(whole))),
        "arrival_p95_ms": round(float(np.percentile(np.abs(late - np.median(late)), 95)) * 1e3, 2),
    }


def bench_encoder(size: tuple[int, int], frames: int = 60) -> dict[str, Any]:
    """Frames a second of processor time from JPEG to H.264, one thread: what a core holds, whatever else runs on it."""
    pictures = NumberedJpegs(size, quality=90)
    encoder = FrameEncoder("h264", size, 30.0, jpeg=True, threads=1)
    packed = [CapturedFrame(0.0, pictures(number), size) for number in range(frames)]
    started = time.process_time()
    written = sum(len(data) for k, frame in enumerate(packed) for data, _ in encoder.encode(frame, k * 33_333))
    spent = time.process_time() - started
    return {
        "size": list(size),
        "fps_per_core": round(frames / spent, 1),
        "kb_per_frame": round(written / frames / 1e3, 1),
    }


def bench_fault(fault: str, folder: Path) -> dict[str, Any]:
    """One fault in each camera's stream, in the middle of a recording."""
    root, fps, at = Path(tempfile.mkdtemp(dir=folder)), 30.0, 150
    with _cameras(_VGA, fps, {at: fault}) as (pipe, told):
        pipe.recv()
        addresses = [CameraAddress(f"cam{k}", url) for k, (url, _) in enumerate(told)]
        config = RecorderConfig(SourceSettings(timeout=0.6))
        with open_recorder(root, addresses, config) as recorder:
            recorder.start()
            recorder.wait(9.0, _Watch())
            recorded = recorder.stop()
    return {"fault": fault, **_readable(root, sum(c.frames + c.counts["other_size"] for c in recorded.cameras))}


def bench_kill(folder: Path) -> dict[str, Any]:
    """Kill -9 of a process that records."""
    root = Path(tempfile.mkdtemp(dir=folder)) / "session"
    with _cameras(_VGA, 30.0) as (pipe, told):
        pipe.recv()
        cameras = [text for k, (url, _) in enumerate(told) for text in ("--camera", f"cam{k}={url}")]
        process = subprocess.Popen([sys.executable, "-m", "mv3d.cli", "record", str(root), *cameras, "--quiet"])
        time.sleep(8.0)
        process.send_signal(signal.SIGKILL)
        process.wait()
    rows = sum(len(read_frame_times(path)[0]) for path in (root / "videos").glob("*.csv"))
    repair_session(root)
    return {"fault": "kill -9", **_readable(root, rows)}


def bench_full_disk(folder: Path) -> dict[str, Any] | None:
    """A file system of 30 MB that fills up; None where none can be mounted."""
    disk = Path(tempfile.mkdtemp(dir=folder))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m", "tmpfs", str(disk)], capture_output=True).returncode:
        return None
    try:
        with _cameras(_VGA, 30.0) as (pipe, told):
            pipe.recv()
            addresses = [CameraAddress(f"cam{k}", url) for k, (url, _) in enumerate(told)]
            with open_recorder(disk / "session", addresses, RecorderConfig()) as recorder:
                recorder.start()
                recorder.wait(60.0, _Watch())
                written = sum(c.counts.written for c in recorder.cameras)
                recorder.stop()
        return {"fault": "full disk", **_readable(disk / "session", written)}
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _readable(root: Path, written: int) -> dict[str, Any]:
    """How many of the frames written are there, and how many numbers between the first and the last are not."""
    frames = gaps = 0
    for video in sorted((root / "videos").glob("*.mkv")):
        seen: list[int | None] = []
        for path in [video, *(root / "other_sizes").glob(f"{video.stem}_*.mkv")]:
            seen += [read_number(image) for _, image in read_frames(path)]
        numbers = [n for n in seen if n is not None]
        frames += len(numbers)
        gaps += max(numbers) - min(numbers) + 1 - len(set(numbers))
    return {"written": written, "written_lost": max(0, written - frames), "read": frames, "not_recorded": gaps}


def _table(rows: Sequence[dict[str, Any]]) -> None:
    print("\n| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |", flush=True)


def main() -> None:
    """Run what was asked for, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of each passthrough recording")
    parser.add_argument("--only", choices=["passthrough", "h264", "faults"])
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where recordings go")
    parser.add_argument("--out", type=Path, default=Path("bench_capture.json"))
    arguments = parser.parse_args()
    results: dict[str, Any] = {"cpus": os.cpu_count()}
    if arguments.only in (None, "passthrough"):
        rates = ((_VGA, 30.0), (_FULL_HD, 15.0))
        results["passthrough"] = [bench_rate(s, f, arguments.minutes * 60, "auto", arguments.folder) for s, f in rates]
    if arguments.only in (None, "h264"):
        results["encoder"] = [bench_encoder(size) for size in (_VGA, _FULL_HD)]
        results["h264"] = [bench_rate(s, f, 20.0, "h264", arguments.folder) for s, f in _H264]
    if arguments.only in (None, "faults"):
        faults = [bench_fault(fault, arguments.folder) for fault in _FAULTS]
        results["faults"] = [*faults, bench_kill(arguments.folder), bench_full_disk(arguments.folder)]
        results["faults"] = [fault for fault in results["faults"] if fault]
    for name in ("passthrough", "encoder", "h264", "faults"):
        if name in results:
            _table(results[name])
    arguments.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
