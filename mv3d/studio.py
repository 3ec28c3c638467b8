"""`mv3d synth`: a recording that never took place, with boards to calibrate it from and the truth of all of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from os import cpu_count
from pathlib import Path

import numpy as np
import yaml

from calib.board_set import motion_of
from calib.board_sheet import bare_sheet, draw_sheet
from calib.boards import BoardSet, Target, load_board
from mv3d.data.npz import save_npz
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import ConfigError
from mv3d.files.bvh import read_bvh
from mv3d.files.progress import Progress, silent
from mv3d.files.video_writer import VideoWriter
from mv3d.files.writing import check_output_folder, refuse_overwriting, write_text
from mv3d.synthetic.motions import MOTIONS
from mv3d.synthetic.rigs import camera_ring
from mv3d.synthetic.studio.actors import random_actor
from mv3d.synthetic.studio.board_tour import BoardTour, tour_of
from mv3d.synthetic.studio.film import Film
from mv3d.synthetic.studio.human import load_human
from mv3d.synthetic.studio.retargeting import clip_of_motion
from mv3d.synthetic.studio.rooms import random_room
from mv3d.synthetic.studio.scene import Actor, Panel, Scene
from mv3d.synthetic.studio.view import Shot, View

_PIXELS_PER_SQUARE = 48


@dataclass(frozen=True, slots=True)
class StudioConfig:
    """A recording.

    Attributes:
        cameras: on a ring around the middle, looking inwards.
        size: (width, height) px.
        focal: px; 0 for a field of view of about 65 degrees.
        distortion: of every lens, in OpenCV's order.
        fisheye: lenses that keep the angle; then four coefficients.
        radius, camera_height: of the ring, m.
        fps, seconds: of the recording.
        motion: "routine", "walk", or one of `mv3d.synthetic.motions.MOTIONS`.
        people: how many.
        occluders: boxes that stand about, none within 1.5 m of a camera.
        board: YAML file or name of a shipped board, filmed for `calibration/extrinsics/`; "" for none.
        board_seconds: how long it is carried, from camera to camera and between neighbours.
        offset_s: standard deviation of the cameras' time offsets.
        film: shutter, exposure, noise.
        seed: of everything random.
    """

    cameras: int = 4
    size: tuple[int, int] = (640, 480)
    focal: float = 0.0
    distortion: tuple[float, ...] = (-0.12, 0.05, 3e-4, -3e-4)
    fisheye: bool = False
    radius: float = 3.6
    camera_height: float = 1.6
    fps: float = 25.0
    seconds: float = 8.0
    motion: str = "routine"
    people: int = 1
    occluders: int = 0
    board: str = "charuco_studio"
    board_seconds: float = 60.0
    offset_s: float = 0.0
    film: Film = field(default_factory=Film)
    seed: int = 0


def studio_rig(config: StudioConfig) -> Rig:
    """The cameras of a recording."""
    return camera_ring(
        config.cameras,
        radius=config.radius,
        height=config.camera_height,
        size=config.size,
        focal=config.focal or 0.78 * max(config.size),
        distortion=np.array(config.distortion),
        fisheye=config.fisheye,
        seed=config.seed,
    )


def studio_scene(config: StudioConfig, bvh: Path | None = None, panels: tuple[Panel, ...] = ()) -> Scene:
    """Room, light and people of a recording; with panels there are no people, who would hide them."""
    if config.motion not in ("routine", "walk", *MOTIONS):
        raise ConfigError(f"motion {config.motion}: there are routine, walk, {', '.join(MOTIONS)}")
    rng = np.random.default_rng(config.seed)
    stands = studio_rig(config).centers
    room, light = random_room(rng, half=1.5 * config.radius, occluders=config.occluders, cameras=stands)
    return Scene(room, light, () if panels else _actors(config, bvh), panels)


def render_session(
    root: str | Path,
    config: StudioConfig,
    bvh: Path | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = silent,
) -> dict[str, Path]:
    """Render a session folder: videos, boards, and beside them the truth.

    `truth/cameras.yaml` are the cameras as they are and `truth/truth.npz` the people: keypoints (name), xyz (frame,
    person, keypoint, 3) m, timestamps (s), offsets (camera) s, and for each camera xy (px) and visible. There is no
    cameras.yaml in the session itself where boards were filmed: calibrating is part of the exercise.

    Raises:
        Mv3dError: what is wrong with the settings or the folder.
    """
    root, session = Path(root), Session(Path(root))
    for path in (session.videos, session.rig):
        refuse_overwriting(path, overwrite)
    check_output_folder(root)
    rig = studio_rig(config)
    offsets = config.offset_s * np.random.default_rng([config.seed, 1]).normal(size=len(rig))
    if config.board:
        scene = studio_scene(config, panels=carried_panels(load_board(config.board), rig, config))
        folder = root / "calibration" / "extrinsics"
        _film(rig, scene, config, offsets, config.board_seconds, config.fps / 3, folder, progress)
    else:
        rig.save(session.rig)
    scene = studio_scene(config, bvh)
    shots = _film(rig, scene, config, offsets, config.seconds, config.fps, session.videos, progress)
    truth = root / "truth"
    rig.save(truth / "cameras.yaml")
    save_npz(truth / "truth.npz", _truth(scene, rig, shots, config, offsets))
    write_text(root / "studio.yaml", yaml.safe_dump({**asdict(config), "bvh": str(bvh) if bvh else None}))
    return {"videos": session.videos, "truth": truth / "truth.npz", "cameras": truth / "cameras.yaml"}


def board_picture(board: Target) -> tuple[np.ndarray, tuple[float, float]]:
    """The board with a margin of one square all round, drawn (grey, uint8), and its size with the margin (m)."""
    sheet = bare_sheet(board, 1e3 * board.pitch_m)
    width, height = (1e-3 * side for side in sheet.size_mm)
    return draw_sheet(sheet, 1e-3 * _PIXELS_PER_SQUARE / board.pitch_m), (width, height)


def carried_panels(board: Target, rig: Rig, config: StudioConfig) -> tuple[Panel, ...]:
    """The board in somebody's hands; several boards in the hands of several, or fixed to one another in one's."""
    if not isinstance(board, BoardSet):
        return (_panel(board, rig, config, config.seed),)
    if not board.rigid:
        return tuple(_panel(part, rig, config, config.seed + k) for k, part in enumerate(board.parts))
    if not board.places:
        raise ConfigError(f"{config.board}: how the boards are fixed must be known to draw them; give thickness_mm")
    middle = np.array([*board.parts[0].size_m, 0.0]) / 2
    fixed = [(R, t - middle) for R, t in map(motion_of, board.places)]
    tour = _tour(board.parts[0], rig, config, config.seed)
    return tuple(_held(part, tour, *place) for part, place in zip(board.parts, fixed, strict=True))


def _panel(board: Target, rig: Rig, config: StudioConfig, seed: int) -> Panel:
    """A board that is carried by its middle."""
    middle = -np.array([*board.size_m, 0.0]) / 2
    return _held(board, _tour(board, rig, config, seed), np.eye(3), middle)


def _tour(board: Target, rig: Rig, config: StudioConfig, seed: int) -> BoardTour:
    extent = (float(np.ptp(board.points[:, 0])), float(np.ptp(board.points[:, 1])))
    return tour_of(rig, extent, config.board_seconds, seed=seed)


def _held(board: Target, tour: BoardTour, fixed_R: np.ndarray, fixed_t: np.ndarray) -> Panel:
    """A board fixed (R, t m) to what is carried."""
    picture, size = board_picture(board)
    margin = (np.array([*size, 0.0]) - [*board.size_m, 0.0]) / 2

    def pose(seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        R, t = tour.at(seconds)
        return R @ fixed_R, t + R @ (fixed_t - fixed_R @ margin)

    return Panel(picture, size, pose)


def _actors(config: StudioConfig, bvh: Path | None) -> tuple[Actor, ...]:
    human, actors = load_human(), []
    for person in range(config.people):
        rng = np.random.default_rng([config.seed, 2, person])
        angle = 2 * np.pi * person / max(config.people, 1)
        away = 0.0 if config.people == 1 else 0.22 * config.radius
        place = (float(away * np.cos(angle)), float(away * np.sin(angle)))
        actor = random_actor(human, rng, config.motion, config.seconds, place=place)
        if bvh is not None and person == 0:
            clip = clip_of_motion(human, actor.dressed.body, read_bvh(bvh, rigid=False), name=str(bvh))
            actor = Actor(human, actor.dressed, clip)
        actors.append(actor)
    return tuple(actors)


def _film(
    rig: Rig,
    scene: Scene,
    config: StudioConfig,
    offsets: np.ndarray,
    seconds: float,
    fps: float,
    folder: Path,
    progress: Progress,
) -> list[list[Shot]]:
    """Write <camera>.mp4 of every camera; returns the shots without their pictures, by frame and camera."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with ThreadPoolExecutor(cpu_count()) as pool, ExitStack() as open_files:
        views = list(pool.map(lambda a: View(a[0], scene, config.film, float(a[1])), zip(rig, offsets, strict=True)))
        writers = [open_files.enter_context(VideoWriter(folder / f"{camera.name}.mp4", fps)) for camera in rig]

        def take(frame: int) -> Callable[[int], Shot]:
            return lambda v: views[v].shoot(frame / fps, seed=config.seed + 1000 * frame + v)

        count = round(seconds * fps)
        for frame in progress(range(count), count, f"rendering {folder.name}"):
            shots = list(pool.map(take(frame), range(len(views))))
            for writer, shot in zip(writers, shots, strict=True):
                writer.write(shot.image)
            made.append([shot.without_pictures() for shot in shots])
    return made


def _truth(
    scene: Scene, rig: Rig, shots: list[list[Shot]], config: StudioConfig, offsets: np.ndarray
) -> dict[str, np.ndarray]:
    times = np.arange(len(shots)) / config.fps
    xyz = np.stack([[actor.posed(float(t)).keypoints for actor in scene.actors] for t in times])
    out = {"keypoints": np.array(load_human().keypoints), "xyz": xyz, "timestamps": times, "offsets": offsets}
    for v, name in enumerate(rig.names):
        out[f"xy_{name}"] = np.stack([frame[v].keypoints for frame in shots]).astype(np.float32)
        out[f"visible_{name}"] = np.stack([frame[v].visible for frame in shots])
    return out
