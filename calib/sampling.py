"""From the pictures of a session to the observations of its board."""

from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import cpu_count
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import numpy as np

from calib.assembly import Task, assemble
from calib.board_sources import Alignment, BoardSource, align, extrinsics_sources, intrinsics_sources
from calib.boards import BoardSet, Target
from calib.detection_cache import Detections, detect_in
from calib.detection_diagnosis import why_not_found
from calib.observations import BoardObservations
from calib.separate_boards import separated
from mv3d.data.lens import Lens
from mv3d.data.session import Session
from mv3d.errors import CalibrationError
from mv3d.files.progress import Progress, silent

# Pictures per camera in which to look for what is there instead of the board.
_LOOKED_AT, _LOOKED_AT_IN_ALL = 6, 12


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """How many frames are looked at and kept.

    Attributes:
        extrinsics_frames: frames of each camera of a recording by all cameras; of a longer one, runs are taken.
        run_frames: consecutive frames in such a run: time offsets are told from how the board moves in them.
        intrinsics_frames: frames of a video of one camera that are looked at.
        intrinsics_views: views of it that are kept: sharp ones, of poses as different as there are.
        workers: cameras at the same time; 0 for as many as there are processors.
        cache: keep what was found in calibration/detections/.
    """

    extrinsics_frames: int = 1200
    run_frames: int = 24
    intrinsics_frames: int = 300
    intrinsics_views: int = 60
    workers: int = 0
    cache: bool = True

    def __post_init__(self) -> None:
        if min(self.extrinsics_frames, self.run_frames, self.intrinsics_frames, self.intrinsics_views) < 1:
            raise ValueError("numbers of frames and views must be positive")


def observe_session(
    session: Session | Path | str,
    board: Target,
    config: SamplingConfig | None = None,
    lenses: Mapping[str, Lens] | None = None,
    progress: Progress = silent,
    *,
    alone_only: bool = False,
) -> BoardObservations:
    """Find a board in all pictures of a session's calibration.

    Sources are calibration/intrinsics/<camera>/ (each picture shows one camera's board) and
    calibration/extrinsics/<camera>/, or videos/ where there is no such folder (all cameras at the same instants).
    Frames of both kinds stand one after the other in the result, extrinsics first. Of several boards that are not fixed
    to one another each has frames of its own, those of the second after those of the first.

    Args:
        session: the folder.
        board: the board.
        config: how many frames.
        lenses: lenses that are known, by camera, for a stricter check.
        progress: progress bar.
        alone_only: look at the pictures of single cameras only, those of calibration/intrinsics/.

    Raises:
        CalibrationError: there are no pictures, or no board in any of one camera's; says what was looked for and what
            fits.
        VideoError: a frame cannot be read.
    """
    session = session if isinstance(session, Session) else Session(Path(session))
    config, lenses = config or SamplingConfig(), lenses or {}
    alone, together = intrinsics_sources(session), [] if alone_only else extrinsics_sources(session)
    if not alone and not together:
        raise CalibrationError(
            f"{session.root}: no pictures of a board; put videos or images into calibration/extrinsics/<camera>/, and"
            " of single cameras into calibration/intrinsics/<camera>/"
        )
    alignment = align(together, config.extrinsics_frames, config.run_frames) if together else None
    tasks = _tasks(alone, together, alignment, config)
    found = _run(tasks, session, board, config, lenses, progress)
    _check_found(session, board, tasks, found)
    observations = assemble(board, tasks, found, alignment, config.intrinsics_views)
    body = isinstance(board, BoardSet) and board.rigid and not alone_only
    return observations if body else separated(observations)


def _tasks(
    alone: list[BoardSource], together: list[BoardSource], alignment: Alignment | None, config: SamplingConfig
) -> list[Task]:
    tasks = []
    for source in alone:
        count = len(source)
        most = count if source.video is None else min(count, config.intrinsics_frames)
        frames = np.unique(np.linspace(0, count - 1, most).astype(int))
        tasks.append(Task(source, frames, "intrinsics", source.names()))
    if alignment is not None:
        for c, source in enumerate(together):
            index = alignment.index[:, c]
            tasks.append(Task(source, np.unique(index[index >= 0]), "extrinsics", source.names()))
    return tasks


def _run(
    tasks: list[Task],
    session: Session,
    board: Target,
    config: SamplingConfig,
    lenses: Mapping[str, Lens],
    progress: Progress,
) -> list[Detections]:
    """All tasks in parallel; threads, since decoding, OpenCV and the kernels leave the interpreter to others."""
    done: SimpleQueue[bool] = SimpleQueue()
    stopped = Event()

    def tick() -> None:
        if stopped.is_set():
            raise CancelledError
        done.put(True)

    total = sum(len(task.frames) for task in tasks)
    pool = ThreadPoolExecutor(config.workers or cpu_count() or 1)
    try:
        futures = [
            pool.submit(
                detect_in,
                task.source,
                board,
                task.frames,
                lenses.get(task.source.camera),
                _cache_file(session, task) if config.cache else None,
                tick,
            )
            for task in tasks
        ]
        for future in futures:
            future.add_done_callback(lambda f: done.put(False) if f.exception() else None)
        for _ in progress(_ticks(done, total), total, "finding boards"):
            pass
        return [future.result() for future in futures]
    finally:
        stopped.set()  # after an error, or when the user has had enough, the others need not finish
        pool.shutdown(wait=True, cancel_futures=True)


def _ticks(done: "SimpleQueue[bool]", total: int) -> Iterator[int]:
    """Counts the frames that are done; ends early when a task has failed."""
    for count in range(total):
        if not done.get():
            return
        yield count


def _cache_file(session: Session, task: Task) -> Path:
    # A camera may have several sources of intrinsics, each with a file of its own.
    same = task.source.path.stem == task.source.camera or task.source.video is None
    name = task.source.camera if same else f"{task.source.camera}.{task.source.path.stem}"
    return session.root / "calibration" / "detections" / task.kind / f"{name}.npz"


def _check_found(session: Session, board: Target, tasks: list[Task], found: list[Detections]) -> None:
    """Refuse where no camera found the board, or one that cannot be calibrated for that."""
    with_board = {
        task.source.camera for task, seen in zip(tasks, found, strict=True) if np.isfinite(seen.sigma_px).any()
    }
    blank = [task for task in tasks if task.source.camera not in with_board]
    if not blank:
        _check_all_shown(session, board, tasks, found)
        return
    if with_board:
        blank = [task for task in blank if task.source.camera == blank[0].source.camera]
    where = blank[0].source.camera if with_board else f"{len({task.source.camera for task in blank})} cameras"
    pictures = sum(len(task.frames) for task in blank)
    raise CalibrationError(
        f"{session.root}: no {board.describe()} in {pictures} pictures of {where},"
        f" {why_not_found(_some_images(blank), board)}"
    )


def _check_all_shown(session: Session, board: Target, tasks: list[Task], found: list[Detections]) -> None:
    """Refuse a board of several that shows nowhere: it is another than the file describes."""
    if not isinstance(board, BoardSet):
        return
    shown = np.any([np.isfinite(seen.xy).all(-1).any(0) for seen in found], axis=0)
    for k, part in enumerate(board.parts):
        if not shown[board.members(k)].any():
            # What the pictures of the others show instead is no news.
            empty = [
                replace(task, frames=task.frames[~np.isfinite(seen.sigma_px)])
                for task, seen in zip(tasks, found, strict=True)
            ]
            empty = [task for task in empty if len(task.frames)]
            images = _some_images(empty) if empty else []
            why = f", {why_not_found(images, part)}" if images else ", in all of which another of the boards shows"
            raise CalibrationError(
                f"{session.root}: board {k + 1}, {part.describe()}, is in none of the pictures{why};"
                " leave it out of the list if it was not filmed"
            )


def _some_images(tasks: list[Task]) -> list[np.ndarray]:
    images = []
    for task in tasks:
        spread = np.linspace(0, len(task.frames) - 1, min(len(task.frames), _LOOKED_AT)).astype(int)
        images += [image for _, image in task.source.read(task.frames[np.unique(spread)])]
    return images[:: -(-len(images) // _LOOKED_AT_IN_ALL)]
