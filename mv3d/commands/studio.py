"""Commands that render what never took place."""

from pathlib import Path

import tyro

from mv3d.commands.arguments import Lines
from mv3d.commands.settings import Settings
from mv3d.errors import ConfigError


def synth(
    out: tyro.conf.Positional[Path],
    cameras: int = 4,
    size: tuple[int, int] = (640, 480),
    fps: float = 25.0,
    seconds: float = 8.0,
    motion: str = "routine",
    bvh: Path | None = None,
    people: int = 1,
    occluders: int = 0,
    board: str = "charuco_studio",
    line_time_us: float = 0.0,
    exposure_ms: float = 0.0,
    offset_ms: float = 0.0,
    seed: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Render a session folder with known truth: videos of people and of a carried board; see docs/studio.md.

    Args:
        out: session folder to make.
        cameras: on a ring around the middle.
        size: width and height of the images, px.
        fps: frames per second.
        seconds: length of the recording.
        motion: routine (walk, wave, squat, turn), walk, jump, sit, squat, turn, wave, box, dance.
        bvh: motion file for the first person instead; lengths in centimetres, y up.
        people: how many.
        occluders: boxes that stand about at random, also before cameras.
        board: board that is filmed for calibration/extrinsics/; "" leaves it out and writes the true cameras.yaml.
        line_time_us: rolling shutter, microseconds from line to line.
        exposure_ms: motion blur.
        offset_ms: standard deviation of the cameras' time offsets.
        seed: of everything random; the same gives the same pictures.
        overwrite: replace an earlier recording.
        quiet: no progress bars, no summary.
    """
    from mv3d.studio import StudioConfig, render_session
    from mv3d.synthetic.studio.film import Film

    if cameras < 1 or people < 0 or min(size) < 16 or not (fps > 0 and seconds > 0):
        raise ConfigError("synth: --cameras, --size, --fps and --seconds must be positive, sizes at least 16 px")
    settings = Settings(quiet=quiet)
    film = Film(line_time=1e-6 * line_time_us, exposure_s=1e-3 * exposure_ms)
    config = StudioConfig(
        cameras=cameras,
        size=size,
        fps=fps,
        seconds=seconds,
        motion=motion,
        people=people,
        occluders=occluders,
        board=board,
        offset_s=1e-3 * offset_ms,
        film=film,
        seed=seed,
    )
    outputs = render_session(out, config, bvh, overwrite=overwrite, progress=settings.progress)
    return settings.unless_quiet([f"{name:<10}{path}" for name, path in outputs.items()])


def synth_images(
    out: tyro.conf.Positional[Path],
    images: int = 1000,
    size: tuple[int, int] = (480, 480),
    person_height: tuple[float, float] = (100.0, 450.0),
    people: int = 3,
    barefoot: float = 0.35,
    occluders: float = 0.3,
    shots: int = 2,
    seed: int = 0,
    overwrite: bool = False,
    quiet: bool = False,
) -> Lines:
    """Render pictures of people with exact keypoints in COCO's form, to train networks on; see docs/training.md.

    Args:
        out: folder for images/ and annotations.json.
        images: how many.
        size: width and height, px.
        person_height: least and largest height of somebody who stands in the middle, px.
        people: most in a picture; more than half have one.
        barefoot: share of people without shoes.
        occluders: share of rooms with boxes that stand near the people.
        shots: pictures of each room, camera and group, in other postures.
        seed: of everything random; pictures of another seed are good for validation.
        overwrite: replace an earlier set.
        quiet: no progress bars, no summary.
    """
    from mv3d.keypoint_pictures import PicturesConfig, render_pictures
    from mv3d.synthetic.studio.snapshots import SnapshotConfig

    if min(images, people, shots, *person_height) < 1 or min(size) < 16:
        raise ConfigError("synth-images: counts and heights must be at least 1, --size at least 16 px")
    settings = Settings(quiet=quiet)
    content = SnapshotConfig(size, person_height, people, barefoot, occluders, shots=shots)
    config = PicturesConfig(images, seed, content=content)
    annotations = render_pictures(out, config, overwrite=overwrite, progress=settings.progress)
    return settings.unless_quiet([f"annotations {annotations}"])
