"""Quality: the figures by which a reconstruction is judged, made by `reconstruct`, shown by `viz`."""

from dataclasses import dataclass

import numpy as np


def mean_known(values: np.ndarray) -> float:
    """Mean of what is known; NaN if nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def median_known(values: np.ndarray) -> float:
    """Median of what is known; NaN if nothing is."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Figures of one person's reconstruction.

    Attributes:
        cameras: names of the views.
        keypoints: names on the joint axis.
        limb_joints: indices of the limb joints (shoulders to wrists, hips to ankles) that this skeleton has; of all
            joints where it is not of a human body.
        bones: (from, to) joint names of the limb bones (all bones where there are no such), in the order of the axis.
        reprojection_px: (frame, view, joint) distance of each detection from the projection of xyz; NaN where none.
        left_out_px: (view,) median distance, over limb joints, between a view's detections and what the triangulation
            of all other views predicts there; NaN where no others see the person.
        shift_px: (view, 2) constant image shift by which a view disagrees with the others, robustly estimated.
        left_out_without_shift_px: (view,) `left_out_px` after each view's `shift_px` was taken off.
        coverage_2d: (view, joint) share of frames in which the view sees the joint.
        measured: (joint,) share of frames in which xyz was measured.
        filled: (joint,) share of frames in which xyz was filled over a gap.
        bone_length: (frame, bone) m, of xyz.
        bone_cv: (bone,) standard deviation / mean of `bone_length`.
        bone_cv_per_frame: (bone,) the same for `xyz_per_frame`.
        jitter_mm: median second difference of xyz over limb joints and frames, mm.
    """

    cameras: tuple[str, ...]
    keypoints: tuple[str, ...]
    limb_joints: tuple[int, ...]
    bones: tuple[tuple[str, str], ...]
    reprojection_px: np.ndarray
    left_out_px: np.ndarray
    shift_px: np.ndarray
    left_out_without_shift_px: np.ndarray
    coverage_2d: np.ndarray
    measured: np.ndarray
    filled: np.ndarray
    bone_length: np.ndarray
    bone_cv: np.ndarray
    bone_cv_per_frame: np.ndarray
    jitter_mm: float

    @property
    def limb_coverage(self) -> float:
        """Share of limb joints, over all frames, that xyz holds (measured or filled)."""
        limbs = list(self.limb_joints)
        return float((self.measured + self.filled)[limbs].mean()) if limbs else float("nan")
