"""Hands: a palm that turns at the wrist, and fingers where they are measured."""

import numpy as np

from mv3d.motion import human_freedom as freedom
from mv3d.motion.builder import Builder, frames_of, median_in
from mv3d.motion.model import Freedom

_LONG_FINGERS = ("Index", "Middle", "Ring", "Pinky")
# What a thumb's joints may turn in any direction, degrees: at its root, and further out.
_THUMB_REACH = (60.0, 70.0)


def _names(b: Builder, side: str) -> dict[str, str]:
    """Keypoints of the palm by what they are: Thumb, Index, ...; of a hand of 21 points or of BlazePose's three."""
    wanted = {finger: (f"{side}Hand_{finger}1", f"{side}{finger}") for finger in ("Thumb", *_LONG_FINGERS)}
    return {finger: name for finger, names in wanted.items() for name in names if b.has(name)}


def has_hand(b: Builder, side: str) -> bool:
    """Whether the palm's orientation is measured: by the roots of the index and the little finger."""
    names = _names(b, side)
    return "Index" in names and "Pinky" in names


def add_hand(b: Builder, side: str) -> None:
    """Palm and fingers on the wrist, which has its joint."""
    wrist, names = f"{side}Wrist", _names(b, side)
    R = _palm_frames(b, side, names)
    origin = b.points(wrist)
    if b.has(f"{side}Hand_Wrist"):
        b.site(f"{side}Hand_Wrist", wrist, np.zeros(3))
    places = {finger: median_in(R, b.points(name) - origin) for finger, name in names.items()}
    if not np.isfinite(list(places.values())).all():
        return
    tip = places.get("Middle", (places["Index"] + places["Pinky"]) / 2)
    chains = [finger for finger, name in names.items() if b.has(f"{side}Hand_{finger}1", f"{side}Hand_{finger}2")]
    for finger, name in names.items():
        if finger not in chains:
            b.site(name, wrist, places[finger])
    for finger in chains:
        _add_finger(b, side, finger, places[finger])
    if not chains:
        b.tip(wrist, 2 * tip)


def _palm_frames(b: Builder, side: str, names: dict[str, str]) -> np.ndarray:
    """Palm down, fingers sideways: x from the little to the index finger, y along the left hand's fingers."""
    index, little = b.points(names["Index"]), b.points(names["Pinky"])
    middle = b.points(names["Middle"]) if "Middle" in names else (index + little) / 2
    along = (middle - b.points(f"{side}Wrist")) * (1.0 if side == "L" else -1.0)
    # x is square to y here: the frame keeps the fingers' direction and turns about it.
    across = index - little
    across = across - (across * along).sum(-1, keepdims=True) / (along * along).sum(-1, keepdims=True) * along
    return frames_of(across, np.cross(across, along))


def _add_finger(b: Builder, side: str, finger: str, root: np.ndarray) -> None:
    """Phalanges in a row; at rest a finger is straight in the direction that its first phalanx has in the palm."""
    joints = [f"{side}Hand_{finger}{k}" for k in range(1, 5)]
    joints = [name for name in joints if b.has(name)]
    straight = np.array([0.0, -1.0 if side == "R" else 1.0, 0.0])
    direction = root / np.linalg.norm(root) if finger == "Thumb" else straight
    b.joint(joints[0], f"{side}Wrist", _turning(side, finger, 0, direction), root)
    b.site(joints[0], joints[0])
    for k in range(1, len(joints)):
        length = b.length(joints[k - 1], joints[k])
        if k == len(joints) - 1:
            b.tip(joints[k - 1], length * direction)
            b.site(joints[k], joints[k - 1], length * direction)
        else:
            b.limb(joints[k], joints[k - 1], direction, length, _turning(side, finger, k, direction))


def _turning(side: str, finger: str, k: int, direction: np.ndarray) -> Freedom:
    if finger == "Thumb":
        return freedom.swinging(direction, _THUMB_REACH[0] if k == 0 else _THUMB_REACH[1])
    turns = freedom.KNUCKLE if k == 0 else freedom.FINGER
    return turns if side == "R" else turns.mirrored()
