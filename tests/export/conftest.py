"""A short walk of one person with gaps, the cameras that saw it, and a body in poses that are easy to get wrong."""

import numpy as np
import pytest

from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.motion import Armature, Motion
from mv3d.data.poses import FILLED, MEASURED, MISSING, Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.skeletons import COCO_18
from mv3d.geometry.rotations import look_along, rotation_from_vector

FRAMES = 6


@pytest.fixture
def poses() -> Poses3D:
    """Six frames at 60 fps; the nose is missing in frame 2, the last joint in frame 3, everybody in frame 4."""
    xyz = np.random.default_rng(0).uniform(-0.5, 0.5, (FRAMES, 1, 18, 3)) + np.array([0, 0, 1])
    state = np.full(xyz.shape[:3], MEASURED)
    state[0, 0, 5] = FILLED
    state[2, 0, 0] = state[3, 0, 17] = state[4] = MISSING
    xyz[state == MISSING] = np.nan
    measured = state == MEASURED
    return Poses3D(
        skeleton=COCO_18,
        xyz=xyz,
        score=np.where(measured, 0.75, 0),
        reprojection_error=np.where(measured, 2.5, np.nan),
        n_views=np.where(measured, 2, 0),
        covariance=np.full((*state.shape, 3, 3), np.nan),
        state=state,
        xyz_per_frame=np.where(measured[..., None], xyz, np.nan),
        timestamps=2 + np.arange(FRAMES) / 60,
        cameras=("cam1", "cam2"),
    )


@pytest.fixture
def rig() -> Rig:
    K = np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]])
    cameras = []
    for i, center in enumerate(np.array([[4.0, 0, 1], [0, 4, 1]])):
        R = look_along(np.array([0.0, 0, 1]) - center, np.array([0.0, 0, 1]))
        cameras.append(Camera(f"cam{i + 1}", (640, 480), Pinhole(K, np.zeros(0)), R, -R @ center))
    return Rig(tuple(cameras))


@pytest.fixture
def poses2d(poses: Poses3D, rig: Rig) -> dict[str, Poses2D]:
    """What each camera saw: a bystander 300 px beside, who is surer and comes first in odd frames, and the person."""
    views = {}
    for camera in rig:
        person = np.nan_to_num(camera.project(poses.xyz_per_frame[:, 0]), nan=0)
        seen = np.isfinite(poses.xyz_per_frame[:, 0, :, 0])
        xy = np.stack([person, person + np.array([300, 0])], axis=1)
        score = np.stack([np.where(seen, 0.5, 0), np.full(seen.shape, 0.9)], axis=1)
        xy[1::2], score[1::2] = xy[1::2, ::-1].copy(), score[1::2, ::-1].copy()
        views[camera.name] = Poses2D(COCO_18, xy, score, poses.timestamps)
    return views


# Names, parents and rest offsets (m) of a body at rest: z up, facing -y, arms level. Left is at +x.
_TRUNK = (
    ("MidHip", None, (0.0, 0.0, 0.0)),
    ("Spine", "MidHip", (0.0, 0.0, 0.1)),
    ("Chest", "Spine", (0.0, 0.0, 0.18)),
    ("Neck", "Chest", (0.0, 0.0, 0.23)),
    ("Head", "Neck", (0.0, -0.01, 0.09)),
)
_LIMBS = (
    ("Clavicle", "Chest", (0.027, 0.0, 0.22)),
    ("Shoulder", "Clavicle", (0.155, 0.0, -0.02)),
    ("Elbow", "Shoulder", (0.3, 0.0, 0.0)),
    ("Wrist", "Elbow", (0.27, 0.0, 0.0)),
    ("Hip", "MidHip", (0.095, 0.0, 0.0)),
    ("Knee", "Hip", (0.0, 0.0, -0.43)),
    ("Ankle", "Knee", (0.0, 0.0, -0.43)),
)
_TIPS = {"Head": (0.0, -0.02, 0.2), "Wrist": (0.18, 0.0, 0.0), "Ankle": (0.0, -0.19, -0.07)}


def _mirrored(vector: tuple[float, float, float], side: str) -> np.ndarray:
    return np.array(vector) * ([-1, 1, 1] if side == "R" else 1)


@pytest.fixture
def human() -> Armature:
    """A body of nineteen joints, as a fit makes them."""
    rows = [(name, parent, np.array(offset), _TIPS.get(name)) for name, parent, offset in _TRUNK]
    for side in "RL":
        for name, parent, offset in _LIMBS:
            above = parent if parent in ("Chest", "MidHip") else side + parent
            tip = _mirrored(_TIPS[name], side) if name in _TIPS else None
            rows.append((side + name, above, _mirrored(offset, side), tip))
    names = tuple(name for name, *_ in rows)
    parents = tuple(names.index(parent) if parent else -1 for _, parent, _, _ in rows)
    tips = np.array([[np.nan] * 3 if tip is None else tip for *_, tip in rows])
    return Armature("human", names, parents, np.array([offset for _, _, offset, _ in rows]), tips)


@pytest.fixture
def dance(human: Armature) -> Motion:
    """Twelve poses at 50 fps that show a wrong axis, order, sign or side: the root moves, every joint turns.

    Turns of 30, 45 and 90 degrees about each axis, the middle angles of every Euler order at a right angle, half turns
    of the root, and mirrored limbs that turn by mirrored angles.
    """
    vectors = np.zeros((12, len(human), 3))
    index = human.joints.index
    turns = np.deg2rad([30.0, 45.0, 90.0])
    for f in range(9):
        axis, angle = np.eye(3)[f // 3], turns[f % 3]
        vectors[f, 0] = axis * angle
        for side, mirror in (("L", np.ones(3)), ("R", np.array([1.0, -1, -1]))):
            vectors[f, index(f"{side}Shoulder")] = axis * angle * mirror
            vectors[f, index(f"{side}Elbow")] = np.roll(axis, 1) * -angle * mirror
            vectors[f, index(f"{side}Knee")] = [turns[f % 3], 0, 0]
        vectors[f, index("Head")] = np.roll(axis, 2) * 0.5 * angle
    rotations = rotation_from_vector(vectors)
    y_right, x_30 = rotation_from_vector(np.deg2rad([[0, 90.0, 0], [30.0, 0, 0]]))
    rotations[9, [0, index("LShoulder"), index("RHip")]] = x_30 @ y_right @ x_30
    rotations[10, [0, index("RShoulder")]] = y_right @ np.roll(np.roll(x_30, 1, 0), 1, 1)
    rotations[11, 0] = np.diag([-1.0, -1.0, 1.0])
    places = np.array([0.3, -0.2, 0.95]) + np.arange(12)[:, None] * [0.05, -0.03, 0.01]
    return Motion(human, rotations, places, 2 + np.arange(12) / 50, 5)
