"""The commands that run the chain from videos to skeletons, whole or stage by stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

import mv3d
from mv3d.commands.arguments import Lines, Session
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError

if TYPE_CHECKING:
    from mv3d.result import Result

Offsets = Literal["auto", "calibration", "none"]

_DEFAULTS = Settings()


def demo(
    synthetic: bool = False,
    out: Path | None = None,
    cache: Path | None = None,
    from_keypoints: bool = False,
    cameras: int = 4,
    size: tuple[int, int] = (640, 480),
    seconds: float = 8.0,
    board_seconds: float = 60.0,
    seed: int = 0,
    settings: Settings = _DEFAULTS,
) -> Lines:
    """The main job on a real recording of four cameras, fetched once; or on a synthetic one, which needs no network.

    The synthetic one is rendered: a carried board calibrates the cameras, a performer walks, waves, squats and turns,
    and the errors of cameras, keypoints and skeleton are told against the truth. The options from --from-keypoints to
    --seed are its.

    Args:
        synthetic: render a recording instead of fetching one; some minutes on two cores.
        out: folder for the session; demo_session or demo_synthetic by default.
        cache: where the fetched recording is kept; the user's cache folder by default.
        from_keypoints: no pictures: noisy keypoints of a walking performer; seconds.
        cameras: on a ring around the performer.
        size: width and height of the pictures, px.
        seconds: length of the performance.
        board_seconds: how long the board is carried.
        seed: of everything random.
        settings: shared settings.
    """
    from mv3d import demonstration

    if synthetic and from_keypoints:
        root = out or Path("demo_synthetic")
        result, errors = demonstration.run_synthetic(root, settings.load(), progress=settings.progress)
        return result_lines(result, settings, errors)
    if synthetic:
        from mv3d.studio import StudioConfig
        from mv3d.studio_demo import run_rendered

        studio = StudioConfig(cameras=cameras, size=size, seconds=seconds, board_seconds=board_seconds, seed=seed)
        result, found = run_rendered(out or Path("demo_synthetic"), studio, settings.load(), settings.progress)
        return result_lines(result, settings, ["", *found.lines()])
    root = demonstration.prepare_real(out or Path("demo_session"), cache)
    result, lenses = demonstration.run_real(root, settings.load(), settings.progress)
    return settings.unless_quiet(lenses) + result_lines(result, settings)


def run(
    session: Session,
    overwrite: bool = False,
    common_time: bool = False,
    corrections: Path | None = None,
    time_offsets: Offsets = "auto",
    settings: Settings = _DEFAULTS,
) -> Lines:
    """Videos and cameras.yaml of a session in; skeletons, exports, pictures and report out.

    Args:
        session: the session folder.
        overwrite: make results anew that are already there.
        common_time: accept videos of unequal length and use the time that all of them cover.
        corrections: YAML file of corrections by hand; corrections.yaml of the session by default.
        time_offsets: of the cameras' clocks: auto takes those of `mv3d calibrate` if the board was filmed in these very
            videos, calibration takes them in any case (the cameras ran through), none takes the clocks as they are.
        settings: shared settings.
    """
    from mv3d import pipeline

    result = pipeline.run(
        session,
        settings.load(),
        overwrite=overwrite,
        common_time=common_time,
        corrections=corrections,
        time_offsets=time_offsets,
        progress=settings.progress,
    )
    return result_lines(result, settings)


def pose2d(session: Session, overwrite: bool = False, settings: Settings = _DEFAULTS) -> Lines:
    """Find everybody in every video, whole images, one view at a time; writes pose2d/.

    Args:
        session: the session folder.
        overwrite: make results anew that are already there.
        settings: shared settings.
    """
    from mv3d.detection import find_in_whole_images

    outputs = find_in_whole_images(session, settings.load(), overwrite=overwrite, progress=settings.progress)
    return settings.unless_quiet([str(path) for path in outputs.values()])


def reconstruct(
    session: tyro.conf.Positional[Path | None] = None,
    rig: Path | None = None,
    keypoints: Path | None = None,
    out: Path | None = None,
    fps: float = 30.0,
    skeleton: str | None = None,
    units: str | None = None,
    keypoint_format: str = "auto",
    overwrite: bool = False,
    corrections: Path | None = None,
    time_offsets: Offsets = "auto",
    settings: Settings = _DEFAULTS,
) -> Lines:
    """Keypoints in, 3D skeleton out: of a session's pose2d/, or with --rig, --keypoints and --out of any folder.

    Args:
        session: the session folder.
        rig: rig file of any known format.
        keypoints: folder of <camera>.npz, or of what another program wrote.
        out: the pose3d.npz to write.
        fps: frames per second of keypoints whose format does not say.
        skeleton: the joints where the keypoints do not tell them: a name (BODY_25B), or a YAML file with the joints
            and bones of an animal.
        units: unit of length of the rig file, if not its format's own: m, cm, mm, in, ft.
        keypoint_format: what wrote the keypoints, if the files do not tell: mv3d, caliscope, freemocap, deeplabcut,
            easymocap, alphapose, mmpose, openpose.
        overwrite: make results anew that are already there.
        corrections: YAML file of corrections by hand; corrections.yaml of the session by default.
        time_offsets: of the cameras' clocks, in a session; see `mv3d run --help`.
        settings: shared settings.
    """
    from mv3d import pipeline

    if session is not None and (rig or keypoints or out):
        raise ConfigError("give either a session or --rig, --keypoints and --out, not both")
    config = settings.load()
    if session is not None:
        result = pipeline.reconstruct_session(
            session, config, overwrite=overwrite, corrections=corrections, time_offsets=time_offsets
        )
        return result_lines(result, settings)
    if rig is None or keypoints is None or out is None:
        raise ConfigError("give a session folder, or all of --rig, --keypoints and --out")
    source = pipeline.KeypointSource(rig, keypoints, fps, skeleton, units, keypoint_format)
    result = pipeline.reconstruct_files(source, out, config, overwrite=overwrite, corrections=corrections)
    return result_lines(result, settings)


def version() -> Lines:
    """Print the version."""
    return [mv3d.__version__]


def result_lines(result: "Result", settings: Settings, extra: Sequence[str] = ()) -> Lines:
    """The figures of a reconstruction, and where its files lie."""
    from mv3d.summary import quality_lines

    files = [f"{name:<10}{path}" for name, path in result.outputs.items()]
    notes = [f"note: {note}" for note in result.notes]
    return settings.unless_quiet(["", *quality_lines(result.rig, result.quality), *extra, *notes, "", *files])
