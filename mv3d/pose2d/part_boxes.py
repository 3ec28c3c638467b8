"""Where a person's hands and face are, by OpenPose's rules on the joints of the body: squares in source pixels."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton

_HAND_SCORE, _FACE_SCORE = 0.03, 0.25
# The hand's middle lies this far beyond the wrist, as a share of the forearm; the square is this many arms wide.
_BEYOND_WRIST, _ARMS_WIDE, _UPPER_ARM = 0.33, 1.5, 0.9
_LEAST_HAND_AREA, _LEAST_FACE_SIDE = 10.0, 40.0


@dataclass(frozen=True, slots=True)
class PartBox:
    """A square that a hand or a face is sought in.

    Attributes:
        center: (x, y) source px.
        side: px.
        mirrored: look at it in a mirror: hands are known as right ones.
    """

    center: tuple[float, float]
    side: float
    mirrored: bool = False


def hand_box(
    xy: Float[np.ndarray, "joint 2"], score: Float[np.ndarray, " joint"], skeleton: Skeleton, side: str
) -> PartBox | None:
    """The square of one hand; None if its wrist, elbow or shoulder is not known.

    Args:
        xy: joints of one person, source px.
        score: their scores.
        skeleton: which joints they are.
        side: "L" or "R".
    """
    arm = _joints(xy, score, skeleton, (f"{side}Wrist", f"{side}Elbow", f"{side}Shoulder"), _HAND_SCORE)
    if len(arm) < 3:
        return None
    wrist, elbow, shoulder = arm.values()
    center = wrist + _BEYOND_WRIST * (wrist - elbow)
    size = _ARMS_WIDE * max(np.linalg.norm(wrist - elbow), _UPPER_ARM * np.linalg.norm(elbow - shoulder))
    return _box(center, float(size), mirrored=side == "L") if size * size > _LEAST_HAND_AREA else None


def face_box(
    xy: Float[np.ndarray, "joint 2"], score: Float[np.ndarray, " joint"], skeleton: Skeleton
) -> PartBox | None:
    """The square of the face: the mean of what neck and nose, the eyes, and the ears say; None if it is too small."""
    names = ("Neck", "Nose", "REye", "LEye", "REar", "LEar", "Head")
    at = _joints(xy, score, skeleton, names, _FACE_SCORE)
    terms: list[tuple[np.ndarray, float]] = []
    if "Neck" in at and "Head" in at and "Nose" not in skeleton.keypoints:
        terms.append((at["Head"], 1.33 * _apart(at, "Neck", "Head")))
    if "Neck" in at and "Nose" in at:
        terms.append(_from_neck_and_nose(at))
    for a, b, width in (("REye", "LEye", 3.0), ("REar", "LEar", 2.0)):
        if a in at and b in at:
            terms.append(((at[a] + at[b]) / 2, width * _apart(at, a, b)))
    if not terms:
        return None
    center, side = np.mean([t[0] for t in terms], axis=0), float(np.mean([t[1] for t in terms]))
    return _box(center, side) if side > _LEAST_FACE_SIDE else None


def _from_neck_and_nose(at: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """In profile one eye and ear are seen, and the nose is at the edge of the face."""
    sides = [s for s in "RL" if f"{s}Eye" in at and f"{s}Ear" in at]
    other = {"R": "L", "L": "R"}
    profile = len(sides) == 1 and not {f"{other[sides[0]]}Eye", f"{other[sides[0]]}Ear"} & at.keys()
    if not profile:
        return (at["Neck"] + at["Nose"]) / 2, 2 * _apart(at, "Neck", "Nose")
    eye, ear = f"{sides[0]}Eye", f"{sides[0]}Ear"
    lengths = _apart(at, "Nose", eye) + _apart(at, "Nose", ear) + _apart(at, "Neck", "Nose")
    return np.mean([at["Nose"], at[eye], at[ear]], axis=0), 0.85 * lengths


def _joints(
    xy: np.ndarray, score: np.ndarray, skeleton: Skeleton, names: tuple[str, ...], least: float
) -> dict[str, np.ndarray]:
    index = {name: skeleton.index(name) for name in names if name in skeleton.keypoints}
    return {name: xy[i] for name, i in index.items() if score[i] > least and np.isfinite(xy[i]).all()}


def _apart(at: dict[str, np.ndarray], a: str, b: str) -> float:
    return float(np.linalg.norm(at[a] - at[b]))


def _box(center: np.ndarray, side: float, *, mirrored: bool = False) -> PartBox:
    return PartBox((float(center[0]), float(center[1])), side, mirrored)
