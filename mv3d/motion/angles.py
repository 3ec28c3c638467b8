"""Joint angles by the recommendations of the International Society of Biomechanics, as far as keypoints allow.

Axes of a segment in the anatomical position: x forward, y up, z to the right; the left side is mirrored, so that an
angle means the same on both. Hip, knee, ankle and spine after Wu et al. 2002 (Grood and Suntay's joint coordinate
system, turns z x y), shoulder (y x y), elbow and wrist after Wu et al. 2005. docs/motion.md says which angles are what.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mv3d.geometry.euler import euler_from_rotation, rotation_about
from mv3d.motion.filters import FilterConfig, filtered
from mv3d.motion.fit import Fitted

# The rest pose faces -y with z up: columns are its directions forward, up and right.
_ISB = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_FLIP = np.diag([1.0, 1.0, -1.0])
# Axes of humerus and forearm in the T pose, palm down: the arm is abducted by 90 degrees, the forearm half pronated.
_HUMERUS = rotation_about("X", -np.pi / 2)
_FOREARM = _HUMERUS @ rotation_about("Y", np.pi / 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Angles:
    """Angles of one joint: turns of the last of `joints` in the parent of the first; only those with a name count."""

    name: str
    joints: tuple[str, ...]
    angles: tuple[str, str, str]
    signs: tuple[int, int, int] = (1, 1, 1)
    before: np.ndarray = field(default_factory=lambda: np.eye(3))
    after: np.ndarray = field(default_factory=lambda: np.eye(3))
    sequence: str = "ZXY"


_TRUNK = ("flexion", "lateral_right", "rotation_left")
_MIDDLE = (
    _Angles("Thorax", ("Spine", "Chest"), _TRUNK, (-1, 1, 1)),
    _Angles("Head", ("Neck", "Head"), _TRUNK, (-1, 1, 1)),
)
_SIDED = (
    _Angles("Hip", ("Hip",), ("flexion", "adduction", "internal_rotation")),
    _Angles("Knee", ("Knee",), ("flexion", "", ""), (-1, 1, 1)),
    _Angles("Ankle", ("Ankle",), ("dorsiflexion", "inversion", "internal_rotation")),
    _Angles(
        "Shoulder",
        ("Clavicle", "Shoulder"),
        ("plane_of_elevation", "elevation", "internal_rotation"),
        (1, -1, 1),
        after=_HUMERUS,
        sequence="YXY",
    ),
    _Angles("Elbow", ("Elbow",), ("flexion", "", "pronation"), before=_HUMERUS, after=_FOREARM),
    _Angles("Wrist", ("Wrist",), ("flexion", "ulnar_deviation", "rotation"), before=_FOREARM, after=_FOREARM),
)


@dataclass(frozen=True, slots=True, eq=False)
class JointAngles:
    """Angles over time.

    Attributes:
        names: e.g. "RKnee_flexion"; "Pelvis_..." are turns of the pelvis in a world whose z is up.
        values: (frame, angle) rad.
        timestamps: (frame,) s.
    """

    names: tuple[str, ...]
    values: np.ndarray
    timestamps: np.ndarray

    def filtered(self, config: FilterConfig) -> "JointAngles":
        """The angles after a filter; a joint's own cut-off is found by the part of the name before "_"."""
        columns = [
            filtered(self.values[:, [i]], self.timestamps, config, config.joints.get(name.partition("_")[0]))
            for i, name in enumerate(self.names)
        ]
        return replace(self, values=np.concatenate(columns, axis=1) if columns else self.values)


def joint_angles(fitted: Fitted) -> JointAngles:
    """Angles of the joints that a fitted human body turns; none for other bodies.

    Those that no keypoint shows are left out: all of a joint that does not turn, and the pronation without a hand.

    Args:
        fitted: of `fit_motion`, in its own rest pose.
    """
    joints = fitted.motion.armature.joints
    names: list[str] = []
    values: list[np.ndarray] = []
    if "MidHip" in joints and "Chest" in joints:
        pelvis = _ISB.T @ fitted.motion.rotations[:, 0] @ _ISB
        turns = euler_from_rotation(pelvis, "YXZ") * [1, 1, -1]
        names += ["Pelvis_rotation_left", "Pelvis_lateral_right", "Pelvis_tilt_forward"]
        values += list(turns.T)
        for table in (*_MIDDLE, *(_of_side(row, side) for side in "RL" for row in _SIDED)):
            for name, value in _turns(fitted, table):
                names.append(name)
                values.append(value)
    stacked = np.stack(values, axis=1) if values else np.zeros((len(fitted.motion), 0))
    return JointAngles(tuple(names), stacked, fitted.motion.timestamps)


def _of_side(row: _Angles, side: str) -> _Angles:
    return replace(row, name=side + row.name, joints=tuple(side + joint for joint in row.joints))


def _turns(fitted: Fitted, row: _Angles) -> list[tuple[str, np.ndarray]]:
    joints = fitted.motion.armature.joints
    used = [joints.index(joint) for joint in row.joints if joint in joints]
    free = {name for j in used for name in fitted.body.freedom[j].names}
    if len(used) < len(row.joints) or not fitted.body.freedom[used[-1]].names:
        return []
    R = np.broadcast_to(np.eye(3), (len(fitted.motion), 3, 3))
    for j in used:
        R = R @ fitted.motion.rotations[:, j]
    R = _ISB.T @ R @ _ISB
    if row.name.startswith("L"):
        R = _FLIP @ R @ _FLIP
    R = row.before.T @ R @ row.after
    turns = _elevation(R) if row.sequence == "YXY" else euler_from_rotation(R, row.sequence)
    found = zip(row.angles, (turns * row.signs).T, strict=True)
    return [
        (f"{row.name}_{angle}", value) for angle, value in found if angle and (angle != "pronation" or angle in free)
    ]


def _elevation(R: Float[np.ndarray, "frame 3 3"]) -> Float[np.ndarray, "frame 3"]:
    """Turns about y, x and y again, the middle one from -180 to 0; undetermined where the arm hangs straight."""
    middle = -np.arctan2(np.hypot(R[:, 0, 1], R[:, 2, 1]), R[:, 1, 1])
    plane = np.arctan2(-R[:, 0, 1], -R[:, 2, 1])
    return np.stack([plane, middle, np.arctan2(-R[:, 1, 0], R[:, 1, 2])], axis=-1)
