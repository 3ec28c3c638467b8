"""A verdict in plain words on a reconstruction: good, usable, or look at this; and why."""

from dataclasses import dataclass

import numpy as np

from mv3d.data.diagnosis import Diagnosis
from mv3d.data.quality import Quality
from mv3d.data.rig import Rig
from mv3d.viz.findings import diagnosis_reasons
from mv3d.viz.reason import LEVELS, Level, Reason

__all__ = ["Level", "Reason", "Verdict", "averted_cameras", "inconsistent_cameras", "judge"]

# Share of the limb joints in xyz. Filled gaps count; 2 % missing is a hand hidden for a moment, 10 % a limb for long.
_COVERAGE_GOOD, _COVERAGE_USABLE = 0.98, 0.90
# Left-out error as a share of the image's longer side. Two careful detectors on a well calibrated rig leave 0.6 %
# (12 px of 1920), which is about the width of a wrist; twice a good one still shows the movement.
_LEFT_OUT_GOOD, _LEFT_OUT_USABLE = 0.008, 0.016
# Constant shift of one camera, as a share of the image's longer side. A detector's own bias is below 0.4 %; 2 % (38 px
# of 1920) is a hand's width at the person: the camera was moved, or the videos are not in sync.
_SHIFT_NOTED, _SHIFT_WRONG = 0.005, 0.02
# A camera whose left-out error is this many times the median of the others does not fit them, whatever the cause.
_ODD_ONE_OUT = 2.0
# Bones do not change their length. Raw triangulation of a good detector varies by 7 %; the smoothed result of a good
# session stays below 3 %, and at 6 % (2.5 cm of a thigh) joint angles are off by several degrees.
_BONE_CV_GOOD, _BONE_CV_USABLE = 0.03, 0.06
_BONE_CV_PER_FRAME_USABLE = 0.16
# A joint measured in fewer frames than this is mostly a guess; one present in fewer than half cannot be used.
_JOINT_MEASURED, _JOINT_PRESENT = 0.80, 0.50
# A camera that sees fewer of the limb joints hardly takes part.
_CAMERA_SEES = 0.50
# A camera in front of which so little of what it sees lies has another pose than the rig says.
_IN_FRONT = 0.1
# Poorly seen joints named in one sentence.
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst of the reasons, and all of them, worst first.

    Attributes:
        level: of the worst.
        reasons: all of them.
        to_do: what to do at the worst level, the sentence at the top then.
    """

    level: Level
    reasons: tuple[Reason, ...]
    to_do: str = "Look at this before you use the result."

    @property
    def headline(self) -> str:
        """One sentence for the top of a report."""
        return {
            "good": "Good: nothing stands in the way of using this result.",
            "usable": "Usable, with the reservations below.",
            "look at this": self.to_do,
        }[self.level]


def judge(rig: Rig, quality: Quality, diagnosis: Diagnosis | None = None) -> Verdict:
    """Hold the figures against the limits of this module.

    Args:
        rig: the cameras that the figures are of; their image sizes give the px a scale.
        quality: the figures.
        diagnosis: what was found out about clocks, cameras and detections.
    """
    sides = np.array([max(rig[name].size) for name in quality.cameras], dtype=float)
    found = [
        *_coverage_reasons(quality),
        *_left_out_reasons(quality, sides),
        *_shift_reasons(quality, sides),
        *_odd_camera_reasons(quality),
        *_averted_camera_reasons(quality),
        *_blind_camera_reasons(quality),
        *_bone_reasons(quality),
        *_joint_reasons(quality),
        *diagnosis_reasons(diagnosis or Diagnosis(), quality),
    ]
    found.sort(key=lambda reason: -LEVELS.index(reason.level))
    return Verdict(found[0].level if found else "good", tuple(found))


def inconsistent_cameras(rig: Rig, quality: Quality) -> tuple[str, ...]:
    """Names of the cameras whose constant shift against the others is worth telling."""
    sizes = np.linalg.norm(quality.shift_px, axis=1)
    pairs = zip(quality.cameras, sizes, strict=True)
    return tuple(name for name, size in pairs if size > _SHIFT_NOTED * max(rig[name].size))


def averted_cameras(quality: Quality) -> tuple[str, ...]:
    """Names of the cameras that see the person, whom the rig places behind them."""
    seen = quality.coverage_2d.mean(1)
    in_front = np.isfinite(quality.reprojection_px).mean((0, 2))
    return tuple(
        name for name, s, f in zip(quality.cameras, seen, in_front, strict=True) if s > _IN_FRONT and f < _IN_FRONT * s
    )


def _grade(value: float, good: float, usable: float) -> Level:
    """Level of a figure of which less is better."""
    return "good" if value <= good else "usable" if value <= usable else "look at this"


def _coverage_reasons(quality: Quality) -> list[Reason]:
    share = quality.limb_coverage
    if not np.isfinite(share):
        return [Reason("usable", "This skeleton has no limb joints, so its coverage was not judged.")]
    level = _grade(1 - share, 1 - _COVERAGE_GOOD, 1 - _COVERAGE_USABLE)
    filled = float(quality.filled[list(quality.limb_joints)].mean())
    text = f"{share:.1%} of the limb joints were found over all frames ({filled:.1%} filled over gaps)."
    return [Reason(level, text)]


def _left_out_reasons(quality: Quality, sides: np.ndarray) -> list[Reason]:
    known = np.isfinite(quality.left_out_px)
    if not known.any():
        text = "No camera could be checked against the others: that needs three cameras that see the person."
        return [Reason("usable", text)]
    share = float((quality.left_out_px / sides)[known].mean())
    text = (
        f"The other cameras predict what a camera sees to within {quality.left_out_px[known].mean():.1f} px "
        f"({share:.1%} of the image's longer side)."
    )
    return [Reason(_grade(share, _LEFT_OUT_GOOD, _LEFT_OUT_USABLE), text)]


def _shift_reasons(quality: Quality, sides: np.ndarray) -> list[Reason]:
    size = np.linalg.norm(quality.shift_px, axis=1)
    reasons = []
    for view in np.argsort(-np.nan_to_num(size)):
        share = size[view] / sides[view]
        if not share > _SHIFT_NOTED:
            continue
        dx, dy = quality.shift_px[view]
        text = f"{quality.cameras[view]} is inconsistent by {size[view]:.0f} px with the others ({dx:+.0f}, {dy:+.0f})."
        level = _grade(share, _SHIFT_NOTED, _SHIFT_WRONG)
        text += _gain(quality, int(view))
        reasons.append(Reason(level, text, "calibration", quality.cameras[view]))
    known = np.isfinite(quality.left_out_px) & np.isfinite(quality.left_out_without_shift_px)
    if reasons and known.any():
        before, after = quality.left_out_px[known].mean(), quality.left_out_without_shift_px[known].mean()
        text = (
            f"Correcting the cameras' shifts would bring the mean left-out error from {before:.1f} to {after:.1f} px. "
            "Your calibration was not changed: calibrate again, look for a camera that was moved, or pass --refine-rig."
        )
        reasons.append(Reason("usable", text, "calibration"))
    return reasons


def _gain(quality: Quality, view: int) -> str:
    before, after = quality.left_out_px[view], quality.left_out_without_shift_px[view]
    if not (np.isfinite(before) and np.isfinite(after)):
        return ""
    return f" Its left-out error is {before:.1f} px, and {after:.1f} px once the shifts are taken off."


def _odd_camera_reasons(quality: Quality) -> list[Reason]:
    known = np.flatnonzero(np.isfinite(quality.left_out_px))
    reasons = []
    for view in known if len(known) > 2 else []:
        others = float(np.median(quality.left_out_px[known[known != view]]))
        ratio = quality.left_out_px[view] / max(others, 1e-9)
        if ratio > _ODD_ONE_OUT:
            text = (
                f"{quality.cameras[view]} fits worst: its left-out error of {quality.left_out_px[view]:.1f} px is "
                f"{ratio:.1f} times that of the other cameras ({others:.1f} px)."
            )
            reasons.append(Reason("usable", text, camera=quality.cameras[view]))
    return reasons


def _averted_camera_reasons(quality: Quality) -> list[Reason]:
    text = "{} looks away from the person whom it sees: its pose in the rig is wrong. Calibrate it again."
    return [Reason("look at this", text.format(name), "calibration", name) for name in averted_cameras(quality)]


def _blind_camera_reasons(quality: Quality) -> list[Reason]:
    limbs = list(quality.limb_joints) or list(range(len(quality.keypoints)))
    seen = quality.coverage_2d[:, limbs].mean(axis=1)
    return [
        Reason("usable", f"{name} sees only {share:.0%} of the limb joints; it hardly helps.", "detection", name)
        for name, share in zip(quality.cameras, seen, strict=True)
        if share < _CAMERA_SEES
    ]


def _bone_reasons(quality: Quality) -> list[Reason]:
    reasons = []
    known = np.isfinite(quality.bone_cv)
    if known.any():
        mean, worst = float(quality.bone_cv[known].mean()), int(np.nanargmax(quality.bone_cv))
        a, b = quality.bones[worst]
        text = f"Bones keep their length to {mean:.1%} (worst: {a} to {b}, {quality.bone_cv[worst]:.1%})."
        reasons.append(Reason(_grade(mean, _BONE_CV_GOOD, _BONE_CV_USABLE), text))
    rough = quality.bone_cv_per_frame[np.isfinite(quality.bone_cv_per_frame)]
    if len(rough) and rough.mean() > _BONE_CV_PER_FRAME_USABLE:
        text = f"Frame by frame, bone lengths vary by {rough.mean():.1%}: the result leans heavily on the smoothing."
        reasons.append(Reason("usable", text))
    return reasons


def _joint_reasons(quality: Quality) -> list[Reason]:
    """Limb joints that are mostly absent or guessed; hands and faces off the picture are no fault."""
    present = quality.measured + quality.filled
    limbs = list(quality.limb_joints)
    absent = [j for j in limbs if present[j] < _JOINT_PRESENT]
    guessed = [j for j in limbs if j not in absent and quality.measured[j] < _JOINT_MEASURED]
    reasons = []
    if absent:
        text = f"Missing in most frames: {_named(quality, absent, present)}."
        reasons.append(Reason("look at this", text, "detection"))
    if guessed:
        text = f"Poorly seen, often filled or missing: {_named(quality, guessed, quality.measured)} of frames measured."
        reasons.append(Reason("usable", text, "detection"))
    return reasons


def _named(quality: Quality, joints: list[int], share: np.ndarray) -> str:
    worst = sorted(joints, key=lambda j: share[j])
    named = ", ".join(f"{quality.keypoints[j]} ({share[j]:.0%})" for j in worst[:_MOST_NAMED])
    return named + (f" and {len(worst) - _MOST_NAMED} more" if len(worst) > _MOST_NAMED else "")
