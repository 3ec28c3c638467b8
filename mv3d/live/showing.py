"""A live run in a window: the run in a thread of its own, the window at its own pace, so that neither waits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.files.image_folder import write_png
from mv3d.live.run import LiveMoment, LiveRun
from mv3d.live.timing import LiveStatus
from mv3d.viz.live_view import LiveContent, LiveView
from mv3d.viz.renderer import SceneError, captured, has_display, open3d, quiet_start, style_window

SIZE = (1280, 720)
_WINDOW_RATE = 30.0


def show_live(
    run: LiveRun,
    rig: Rig,
    skeleton: Skeleton,
    look: Callable[[LiveStatus], bool],
    seconds: float | None,
    picture: Path | None = None,
) -> None:
    """Run until the window is closed, or as `LiveRun.run` ends.

    Args:
        run: not started.
        rig: the cameras in the views' order.
        skeleton: the joints.
        look: as for `LiveRun.run`.
        seconds: how long; None without end.
        picture: PNG of the window at the end. Without a display the window is hidden, and there must be a picture.

    Raises:
        SceneError: there is no display, or Open3D cannot open a window on it.
    """
    window = _opened(hidden=not has_display() and picture is not None)
    try:
        view = LiveView(window, rig, poses3d_of(None, skeleton, rig), SIZE)
        with beside(run, look, seconds) as thread:
            _draw(window, view, run, rig, skeleton, thread)
            if picture is not None:
                write_png(picture, captured(window, SIZE))
    finally:
        window.destroy_window()


@contextmanager
def beside(run: LiveRun, look: Callable[[LiveStatus], bool], seconds: float | None) -> Iterator[threading.Thread]:
    """The run in a thread, which ends with the context at the latest; what it failed by is raised there."""
    failed: list[BaseException] = []
    closed = threading.Event()
    thread = threading.Thread(target=_run, args=(run, look, seconds, closed, failed), name="live run", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        closed.set()
        thread.join()
    if failed:
        raise failed[0]


def newest(run: LiveRun, thread: threading.Thread, rate: float) -> Iterator[LiveMoment | None]:
    """`rate` times a second the newest frame set, or None if it is the one before; until the run ends."""
    shown: LiveMoment | None = None
    while thread.is_alive() or run.newest is not shown:
        moment = run.newest
        yield None if moment is shown else moment
        shown = moment
        time.sleep(1 / rate)


def content_of(moment: LiveMoment, rig: Rig, skeleton: Skeleton) -> LiveContent:
    """What is shown of a frame set."""
    times = np.array([moment.time])
    poses2d = {
        name: Poses2D(skeleton, xy[None], score[None], times)
        for name, xy, score in zip(rig.names, moment.seen.xy, moment.seen.score, strict=True)
    }
    status = moment.status
    found = f"{status.people} in view, {status.joints} joints" if status.joints else "nobody in view"
    lines = (
        f"{status.fps:.1f} a second   latency {1e3 * status.latency:.0f} ms (2D {1e3 * status.network:.0f},"
        f" 3D {1e3 * status.reconstruction:.1f})   {status.dropped} dropped",
        f"{moment.time:.1f} s   {found}",
    )
    trouble = tuple(f"{name}: {why}" for name, why in status.trouble.items())
    return LiveContent(moment.images, poses2d, poses3d_of(moment, skeleton, rig), lines, trouble)


def poses3d_of(moment: LiveMoment | None, skeleton: Skeleton, rig: Rig) -> Poses3D:
    """The people of a frame set as a reconstruction of one frame; nobody for None."""
    people = [] if moment is None else [person for person in moment.people if person.joints]
    shape = (1, len(people), len(skeleton))
    xyz, state = np.full((*shape, 3), np.nan), np.zeros(shape, np.uint8)
    covariance = np.full((*shape, 3, 3), np.nan, np.float32)
    for p, person in enumerate(people):
        xyz[0, p], state[0, p] = person.skeleton.xyz, person.skeleton.state
        covariance[0, p] = person.skeleton.covariance
    return Poses3D(
        skeleton,
        xyz,
        np.asarray(state > 0, np.float32),
        np.full(shape, np.nan, np.float32),
        np.zeros(shape, np.uint8),
        covariance,
        state,
        np.full((*shape, 3), np.nan),
        np.array([0.0 if moment is None else moment.time]),
        rig.names,
        np.array([person.number for person in people], np.int64),
    )


def _opened(*, hidden: bool) -> Any:
    if not hidden and not has_display():
        raise SceneError("there is no display to open a window on; leave --window out")
    window = open3d().visualization.Visualizer()
    with quiet_start():
        opened = window.create_window("mv3d live", width=SIZE[0], height=SIZE[1], visible=not hidden)
    if not opened or window.get_render_option() is None:
        raise SceneError("Open3D cannot open a window here; leave --window out")
    style_window(window)
    return window


def _draw(window: Any, view: LiveView, run: LiveRun, rig: Rig, skeleton: Skeleton, thread: threading.Thread) -> None:
    """Show the newest frame set, again and again, until the run ends or the window is closed."""
    for moment in newest(run, thread, _WINDOW_RATE):
        if moment is not None:
            view.show(content_of(moment, rig, skeleton))
        if not window.poll_events():
            return
        window.update_renderer()


def _run(
    run: LiveRun,
    look: Callable[[LiveStatus], bool],
    seconds: float | None,
    closed: threading.Event,
    failed: list[BaseException],
) -> None:
    try:
        run.run(lambda status: look(status) or closed.is_set(), seconds)
    except BaseException as error:  # told by the thread that waits
        failed.append(error)
