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
        occluders: boxes that stand about at random, none within 1.5 m of a camera.
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


def plan(
    rig: tyro.conf.Positional[Path | None] = None,
    out: Path = Path("plan"),
    cameras: int = 4,
    radius: float = 3.6,
    camera_height: float = 1.6,
    look_at: float = 0.95,
    size: tuple[int, int] = (1920, 1080),
    field_of_view: float = 65.0,
    area: tuple[float, float] = (3.0, 3.0),
    center: tuple[float, float] = (0.0, 0.0),
    height: float = 2.0,
    noise_px: float | None = None,
    overwrite: bool = False,
) -> Lines:
    """What a rig would see and how exactly, before it is bought: how many cameras see each place, and the error in mm.

    Args:
        rig: a rig file of any known format, z up and the floor at 0; without one a ring is planned, as described by the
            options from --cameras to --field-of-view.
        out: folder for maps (plan.png), figures (plan.json) and the planned cameras.yaml.
        cameras: on a ring, looking inwards.
        radius: of the ring, m.
        camera_height: of the cameras over the floor, m.
        look_at: height that all look at, m.
        size: width and height of the pictures, px.
        field_of_view: from the left to the right edge, degrees.
        area: size along x and y of the floor on which people move, m.
        center: of that area, m.
        height: up to which they reach, m.
        noise_px: standard deviation of a keypoint's coordinate; 3 px at 640 px of width by default, and more in
            proportion.
        overwrite: replace an earlier plan.
    """
    from mv3d.files.rigs import read_rig
    from mv3d.files.writing import refuse_overwriting
    from mv3d.rig_plan import PlanConfig, Ring, plan_rig, ring_of, usual_noise, write_plan

    refuse_overwriting(out / "plan.json", overwrite)
    ring = Ring(cameras, radius, camera_height, look_at, size, field_of_view)
    planned = read_rig(rig) if rig else ring_of(ring)
    noise = noise_px if noise_px is not None else usual_noise(planned)
    config = PlanConfig(area=area, center=center, height=height, noise_px=noise)
    found = plan_rig(planned, config)
    files = write_plan(out, planned, found, config)
    return [*found.lines(), "", *(f"{name:<10}{path}" for name, path in files.items())]
