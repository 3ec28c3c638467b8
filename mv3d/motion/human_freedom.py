"""How a human body's joints may turn: axes and ranges.

Rest pose: upright, arms out sideways, palms down (T). In these tables x is forward, y left, z up; they are of the right
side, the left one mirrors them. Ranges are those of healthy adults' active motion (American Academy of Orthopaedic
Surgeons, Joint Motion, 1965; White and Panjabi 1990 for the spine), widened by about a quarter, since keypoints are not
joint centres and performers are supple.
"""

import numpy as np

from mv3d.motion.model import Freedom

_X, _Y, _Z = np.eye(3)
# Where the arm of an upright body points in the middle of its range. Its opposite, which a swing cannot reach
# smoothly, lies behind and above the other shoulder, where no arm goes.
_MIDDLE_OF_REACH = np.array([0.35, -0.6, -0.7])
# rad; hips and shoulders alone do not tell the pelvis' tilt from the spine's, nor a chest's from its clavicles'.
# A spine that is nearly straight shortens with the square of its bend: errors of a few millimetres would bend it far.
_TRUNK_POSTURE = 0.5
_SPINE_POSTURE = (0.2, 0.5, 0.5)
_SHOULDER_REACH = np.radians(155.0)


def _turns(*rows: tuple[str, np.ndarray, int, int], posture: float | tuple[float, ...] = 10.0) -> Freedom:
    names, axes, lower, upper = zip(*rows, strict=True)
    return Freedom(names, np.stack(axes), np.radians(lower), np.radians(upper), posture=posture)


SPINE = _turns(("flexion", _Y, -25, 50), ("lateral", _X, -30, 30), ("rotation", _Z, -30, 30), posture=_SPINE_POSTURE)
CHEST = _turns(("flexion", _Y, -20, 40), ("lateral", _X, -25, 25), ("rotation", _Z, -40, 40), posture=_SPINE_POSTURE)
NECK = _turns(("flexion", _Y, -50, 50), ("lateral", _X, -40, 40), ("rotation", _Z, -50, 50), posture=_TRUNK_POSTURE)
HEAD = _turns(("flexion", _Y, -40, 40), ("lateral", _X, -25, 25), ("rotation", _Z, -45, 45), posture=_TRUNK_POSTURE)
CLAVICLE = _turns(("elevation", -_X, -20, 50), ("protraction", _Z, -35, 40), posture=_TRUNK_POSTURE)
HIP = _turns(("flexion", -_Y, -45, 145), ("abduction", -_X, -50, 80), ("rotation", _Z, -65, 65))
KNEE = _turns(("flexion", _Y, -3, 160))
ANKLE = _turns(("flexion", -_Y, -70, 50), ("inversion", -_X, -45, 45), ("rotation", _Z, -45, 45))
ELBOW = _turns(("flexion", _Z, -3, 155))
FOREARM = _turns(("flexion", _Z, -3, 155), ("pronation", -_Y, -110, 110))
WRIST = _turns(("flexion", _X, -85, 85), ("deviation", _Z, -45, 45))
KNUCKLE = _turns(("flexion", _X, -35, 100), ("abduction", _Z, -30, 30))
FINGER = _turns(("flexion", _X, -10, 115))


def _from_to(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Rotation of least angle that takes unit vector a to b, which is not opposite to it."""
    v, c = np.cross(a, b), float(a @ b)
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + c)


def _swing(rest: np.ndarray, middle: np.ndarray, reach: float, twist: tuple[float, float] | None) -> Freedom:
    """A bone that swings around its middle direction by up to `reach`, and twists about itself unless twist is None."""
    side = np.cross(middle, _X if abs(middle[0]) < 0.9 else _Y)
    side /= np.linalg.norm(side)
    axes, names = [side, np.cross(middle, side)], ["swing_1", "swing_2"]
    lower, upper = [-reach, -reach], [reach, reach]
    if twist is not None:
        axes.append(rest)
        names.append("rotation")
        lower.append(twist[0])
        upper.append(twist[1])
    return Freedom(tuple(names), np.stack(axes), np.array(lower), np.array(upper), 2, _from_to(rest, middle), reach)


def shoulder() -> Freedom:
    """The right shoulder: a swing about the middle of the arm's reach, then a turn about the upper arm."""
    middle = _MIDDLE_OF_REACH / np.linalg.norm(_MIDDLE_OF_REACH)
    return _swing(-_Y, middle, _SHOULDER_REACH, (-np.radians(120), np.radians(120)))


def swinging(direction: np.ndarray, reach_deg: float) -> Freedom:
    """A bone that swings around its rest direction, without a twist."""
    unit = direction / np.linalg.norm(direction)
    return _swing(unit, unit, np.radians(reach_deg), None)


def ball(reach_deg: float) -> Freedom:
    """Any turn of up to so many degrees."""
    reach = np.radians(reach_deg)
    names = ("turn_x", "turn_y", "turn_z")
    return Freedom(names, np.eye(3), np.full(3, -reach), np.full(3, reach), 3, np.eye(3), reach)
