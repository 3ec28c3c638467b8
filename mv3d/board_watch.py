"""Looks at the board while it is being recorded: newest frames only, in a thread that recording never waits for."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calib.boards import Target
from calib.detection import BoardView, detect_board
from calib.guidance import ShootingGuide
from calib.guidance_advice import advise
from calib.guidance_picture import draw_guidance
from calib.guidance_state import GuidanceConfig, GuidanceState
from calib.separate_boards import as_if_apart, views_of_each
from mv3d.capture.camera_recorder import CameraRecorder
from mv3d.capture.decoding import NewestPicture
from mv3d.capture.frames import CapturedFrame
from mv3d.errors import Mv3dError
from mv3d.files.image_folder import write_png

# How much the thread gives way to those that record, as the system counts it.
_NICE = 10


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """How a recording is watched.

    Attributes:
        guidance: when it is enough.
        together_s: frames that are apart by less are taken for the same instant.
        estimate_every_s: at least so long from the end of one estimate to the next.
        picture_every_s: between two pictures.
        rest_s: after every look, so that recording has the machine to itself for a while.
        patience_s: how long the end of the recording waits for a look that is under way.
    """

    guidance: GuidanceConfig = field(default_factory=GuidanceConfig)
    together_s: float = 0.05
    estimate_every_s: float = 3.0
    picture_every_s: float = 1.0
    rest_s: float = 0.02
    patience_s: float = 30.0


class BoardWatch:
    """Finds a board in the newest frames of cameras that record, and says what to show next.

    Use as a context; at its end the last estimate is made from all that was kept.
    """

    def __init__(
        self, board: Target, cameras: tuple[CameraRecorder, ...], picture: Path, config: WatchConfig | None = None
    ) -> None:
        """Watch nothing yet.

        Args:
            board: the board.
            cameras: being recorded.
            picture: PNG that is written anew all the time.
            config: how often.
        """
        self.picture, self._config = picture, config or WatchConfig()
        self._board, self._cameras = board, cameras
        sizes = {c.address.name: c.info.size for c in cameras}
        self._guide = ShootingGuide(as_if_apart(board), sizes, self._config.guidance)
        self._state, self._trouble = self._guide.state(), ""
        self._decoders = {c.address.name: NewestPicture(c.info) for c in cameras}
        self._looked_at: dict[str, CapturedFrame] = {}
        self._next: dict[str, float] = {"estimate": 0.0, "picture": 0.0}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch the board", daemon=True)

    def __enter__(self) -> "BoardWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(self._config.patience_s)

    @property
    def state(self) -> GuidanceState:
        """What was shown so far."""
        return self._state

    def lines(self) -> list[str]:
        """What to show next; what went wrong, if anything did."""
        return [*advise(self._state, self._config.guidance), *([f"! {self._trouble}"] if self._trouble else [])]

    def _watch(self) -> None:
        with suppress(OSError, AttributeError):  # where the system lets single threads give way
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        try:
            while not self._stopped.wait(self._config.rest_s):
                self._look()
            self._learn()
        except Exception as error:  # a recording goes on whatever becomes of who watches it
            self._trouble = f"no more guidance: {' '.join(str(error).split()) or type(error).__name__}"

    def _look(self) -> None:
        """Look at the newest frames of all cameras that are new."""
        recent = {c.address.name: c.recent for c in self._cameras}
        new = {n: f for n, f in recent.items() if f and f[-1] is not self._looked_at.get(n)}
        frames = _of_one_instant(new, self._config.together_s)
        self._looked_at |= {name: taken[-1] for name, taken in frames.items()}
        sizes = {c.address.name: c.info.size for c in self._cameras}
        decoded = {name: self._decoders[name].decode(taken) for name, taken in frames.items()}
        images = {n: image for n, image in decoded.items() if image is not None and _size(image) == sizes[n]}
        views = {n: view for n, image in images.items() if (view := detect_board(image, self._board)) is not None}
        new = [self._guide.add(of_one) for of_one in views_of_each(self._board, views)]
        if any(new):
            self._every("estimate", self._config.estimate_every_s, self._learn)
            self._state = self._guide.state()
        if images:
            self._every("picture", self._config.picture_every_s, lambda: self._draw(images, views))

    def _learn(self) -> None:
        self._guide.estimate()
        self._state = self._guide.state()

    def _every(self, what: str, seconds: float, work: Callable[[], None]) -> None:
        if time.monotonic() >= self._next[what]:
            work()
            self._next[what] = time.monotonic() + seconds

    def _draw(self, images: dict[str, np.ndarray], views: dict[str, BoardView]) -> None:
        drawn = draw_guidance(images, views, self._state, advise(self._state, self._config.guidance))
        try:
            write_png(self.picture, drawn, compression=1)
        except Mv3dError as error:
            self._trouble = str(error)


def _of_one_instant(
    frames: dict[str, tuple[CapturedFrame, ...]], apart_s: float
) -> dict[str, tuple[CapturedFrame, ...]]:
    """Those whose last frame arrived at most `apart_s` before the newest one."""
    latest = max((taken[-1].arrival for taken in frames.values()), default=0.0)
    return {name: taken for name, taken in frames.items() if latest - taken[-1].arrival <= apart_s}


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[1], image.shape[0]
