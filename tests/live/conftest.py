"""What live runs are tested with: no cameras, and a listener that keeps what it is told."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from mv3d.capture.live_frames import LiveFrames
from mv3d.data.rig import Rig
from mv3d.live.config import LiveConfig
from mv3d.live.following import Follower
from mv3d.live.run import LiveRun


class NoFeed:
    """Nothing is read: the test hands frame sets in."""

    active = True

    def start(self) -> float:
        return 0.0

    def stop(self) -> None:
        self.active = False


class Kept:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[dict] = []

    def send(self, message: str) -> None:
        self.messages.append(json.loads(message))

    def close(self) -> None:
        pass


@pytest.fixture
def live_run() -> Callable[..., Any]:
    """Makes a run without cameras; returns it and what keeps its messages."""

    def made(rig: Rig, follower: Follower, frames: LiveFrames, clock: Callable[[], float]) -> tuple[LiveRun, Kept]:
        kept = Kept()
        return LiveRun(rig, follower, frames, NoFeed(), [kept], LiveConfig(), clock), kept

    return made
