"""A long live run with a network made slow on purpose: does latency stay, does memory?

    python scripts/bench_live_soak.py --seconds 600 --network-ms 150 --json bench_live_soak.json

Four cameras bring a picture each at 30 frames/s, in threads as real ones do; the network only waits, and then knows
where a walker's joints are; matching, the causal filter with its learning, and messages are those of `mv3d live`.
Latency is counted from the arrival of a set's last frame to its skeleton; memory is what the process holds (Linux).
"""

import argparse
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep

import numpy as np
from bench_reconstruct_measures import use_one_thread

from mv3d.capture.frames import SourceInfo
from mv3d.capture.live_camera import LiveCamera
from mv3d.capture.live_frames import LiveFrames
from mv3d.config import Config
from mv3d.live.config import LiveConfig
from mv3d.live.following import LivePerson, Seen2D, reconstructor
from mv3d.live.run import LiveRun
from mv3d.live.senders import UdpSender
from mv3d.live.timing import LiveStatus
from mv3d.synthetic.families import FAMILIES, Trial, make_trial

_FPS = 30.0
_SIZE = (640, 480)


class SlowFollower:
    """Sleeps as long as a network would look, then sees the trial's keypoints of that instant."""

    def __init__(self, trial: Trial, network_s: float) -> None:
        self._trial, self._network_s = trial, network_s
        self._reconstructor = reconstructor(trial.rig, trial.skeleton, Config())
        self.skeleton = trial.skeleton

    def prepare(self) -> None:
        """Nothing to load."""

    def look(self, images: Sequence[np.ndarray | None], time: float) -> Seen2D:
        """Wait, then the keypoints; there and back, so that the walker never leaps."""
        sleep(self._network_s)
        count = len(self._trial.xy)
        frame = round(time * _FPS) % (2 * count - 2)
        frame = frame if frame < count else 2 * count - 2 - frame
        return Seen2D(tuple(xy[None] for xy in self._trial.xy[frame]), tuple(s[None] for s in self._trial.score[frame]))

    def step(self, seen: Seen2D, time: float, delay: np.ndarray) -> list[LivePerson]:
        """The causal filter."""
        skeleton = self._reconstructor.step(np.concatenate(seen.xy), np.concatenate(seen.score), time, delay)
        return [] if skeleton is None else [LivePerson(0, skeleton)]


class PacedFeed:
    """Shows a new picture of every camera 30 times a second."""

    def __init__(self, cameras: list[LiveCamera]) -> None:
        self._cameras, self._stopped = cameras, threading.Event()

    @property
    def active(self) -> bool:
        """Until it is stopped."""
        return not self._stopped.is_set()

    def start(self) -> float:
        """Start all."""
        at = monotonic()
        for camera in self._cameras:
            camera.start(at)
            threading.Thread(target=self._run, args=(camera, at), daemon=True).start()
        return at

    def stop(self) -> None:
        """End."""
        self._stopped.set()

    def _run(self, camera: LiveCamera, at: float) -> None:
        frame = 0
        while not self._stopped.wait(max(0.0, at + frame / _FPS - monotonic())):
            camera.show(at + frame / _FPS, lambda: np.zeros((_SIZE[1], _SIZE[0], 3), np.uint8))
            frame += 1


def main() -> None:
    """One run; a row of memory every tenth of it, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--network-ms", type=float, default=150.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    use_one_thread()
    trial = make_trial(FAMILIES["correlated"], 4, 600, 0)
    cameras = [LiveCamera(c.name, SourceInfo("image", _SIZE, _FPS), 8) for c in trial.rig]
    live = LiveConfig()
    follower = SlowFollower(trial, arguments.network_ms / 1e3)
    run = LiveRun(
        trial.rig, follower, LiveFrames(cameras, live.frames), PacedFeed(cameras), [UdpSender("127.0.0.1:9")], live
    )
    memory, began = [], monotonic()

    def look(status: LiveStatus) -> bool:
        if monotonic() - began >= len(memory) * arguments.seconds / 10:
            memory.append(_resident_mb())
            print(
                f"{monotonic() - began:.0f} s: {memory[-1]:.0f} MB, latency {1e3 * status.latency:.1f} ms",
                flush=True,
            )
        return False

    run.run(look, arguments.seconds)
    s = run.summary
    print(
        f"{s.sets} sets, {s.dropped} dropped, {s.fps:.2f} a second; latency ms {s.latency}; beyond {s.beyond_network}"
    )
    if arguments.json:
        s.save(arguments.json)
        found = json.loads(arguments.json.read_text()) | {"memory_mb": memory}
        arguments.json.write_text(json.dumps(found, indent=1))


def _resident_mb() -> float:
    """What the process holds in memory, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
