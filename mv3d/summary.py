"""The figures of a reconstruction as a few lines of text."""

import numpy as np

from mv3d.data.quality import Quality, mean_known, median_known
from mv3d.data.rig import Rig
from mv3d.viz.verdict import averted_cameras, inconsistent_cameras

# Correcting the shift must lower the left-out error by this share to be worth a line.
_NOTABLE_GAIN = 0.1


def quality_lines(rig: Rig, quality: Quality) -> list[str]:
    """A table of cameras, the bones, the coverage, and a word on cameras that look away or disagree."""
    limbs = list(quality.limb_joints)
    header = f"{'camera':<14}{'left-out px':>12}{'reprojection px':>17}{'shift px':>12}{'limbs seen':>12}"
    lines = [header, "-" * len(header)]
    for v, name in enumerate(quality.cameras):
        error = median_known(quality.reprojection_px[:, v, limbs])
        x, y = np.round(quality.shift_px[v]) + 0.0  # no minus before a zero
        shift = f"{x:+.0f}, {y:+.0f}"
        seen = quality.coverage_2d[v, limbs].mean() if limbs else float("nan")
        lines.append(f"{name[:13]:<14}{quality.left_out_px[v]:>12.1f}{error:>17.1f}{shift:>12}{seen:>12.1%}")
    lines += [
        "",
        f"left-out error, mean over cameras   {mean_known(quality.left_out_px):6.1f} px"
        f"  ({mean_known(quality.left_out_without_shift_px):.1f} px with each camera's shift taken off)",
        f"limb joints reconstructed           {quality.limb_coverage:6.1%}"
        f"  (filled over gaps {quality.filled[limbs].mean() if limbs else 0:.1%})",
        f"bone length variation, mean         {mean_known(quality.bone_cv):6.1%}"
        f"  (per frame {mean_known(quality.bone_cv_per_frame):.1%})",
        f"jitter, median second difference    {quality.jitter_mm:6.2f} mm",
    ]
    averted = [
        f"{name} looks away from the person whom it sees: calibrate it again" for name in averted_cameras(quality)
    ]
    return lines + averted + shift_lines(rig, quality)


def shift_lines(rig: Rig, quality: Quality) -> list[str]:
    """One line for each camera whose image is constantly displaced against what the others see."""
    before, after = mean_known(quality.left_out_px), mean_known(quality.left_out_without_shift_px)
    if not after < (1 - _NOTABLE_GAIN) * before:
        return []
    size = dict(zip(quality.cameras, np.linalg.norm(quality.shift_px, axis=1), strict=True))
    return [
        f"{name} is inconsistent by {size[name]:.0f} px with the others: check its calibration"
        for name in inconsistent_cameras(rig, quality)
    ]
