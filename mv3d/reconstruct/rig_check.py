"""Does the rig fit the videos? What the skeletons say of each camera, and what a correction would gain."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.diagnosis import Correction, RigCheck
from mv3d.data.rig import Rig
from mv3d.reconstruct.keypoints import Keypoints
from mv3d.reconstruct.observations import observe
from mv3d.reconstruct.per_frame import TriangulationConfig
from mv3d.reconstruct.quality import left_out
from mv3d.reconstruct.rig_moves import MoveConfig, find_moves
from mv3d.reconstruct.rig_refinement import KINDS, Refined, Refinement, RefinementConfig, refine_rig


@dataclass(frozen=True, slots=True)
class RigCheckConfig:
    """Check of the rig by the skeletons.

    Attributes:
        enabled: check.
        frames: instants used, spread evenly: a constant needs no more.
        refine: correct the rig before the reconstruction: image-shift, extrinsics or focal; nothing by default.
        refinement: how cameras are corrected.
        moves: search for cameras that moved in mid-session.
    """

    enabled: bool = True
    frames: int = 150
    refine: Refinement | None = None
    refinement: RefinementConfig = field(default_factory=RefinementConfig)
    moves: MoveConfig = field(default_factory=MoveConfig)


def check_rig(
    rig: Rig, keypoints: Keypoints, joints: tuple[int, ...], triangulation: TriangulationConfig, config: RigCheckConfig
) -> RigCheck | None:
    """Try every kind of correction, and look for cameras that moved.

    Returns:
        None with fewer than three views, where none can be held against the others.
    """
    if len(rig) < 3 or not joints:
        return None
    xy, score = sampled(keypoints, joints, config.frames)
    used = tuple(range(len(joints)))

    def error(of: Rig) -> Float[np.ndarray, " view"]:
        return left_out(observe(of, xy, score), used, triangulation)

    corrections = []
    for kind in KINDS:
        refined = refine_rig(rig, xy, score, kind, triangulation, config.refinement)
        corrections.append(Correction(kind, refined.change, refined.change_sd, error(refined.rig)))
    corrections.sort(key=lambda correction: float(np.nansum(correction.left_out_px)))
    chosen = list(joints)
    moves = find_moves(
        rig,
        keypoints.xy[:, :, chosen],
        keypoints.score[:, :, chosen],
        keypoints.timestamps,
        triangulation,
        config.refinement,
        config.moves,
    )
    return RigCheck(rig.names, error(rig), tuple(corrections), moves)


def refine_by_keypoints(
    rig: Rig,
    keypoints: Keypoints,
    joints: tuple[int, ...],
    kind: Refinement,
    triangulation: TriangulationConfig,
    config: RigCheckConfig,
    covariance: Float[np.ndarray, "unknown unknown"] | None = None,
) -> Refined:
    """The rig corrected by the performer's keypoints; see `mv3d.reconstruct.rig_refinement.refine_rig`."""
    xy, score = sampled(keypoints, joints, config.frames)
    return refine_rig(rig, xy, score, kind, triangulation, config.refinement, covariance)


def sampled(keypoints: Keypoints, joints: tuple[int, ...], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and scores of some joints at instants spread evenly."""
    chosen = np.unique(np.linspace(0, len(keypoints.xy) - 1, min(frames, len(keypoints.xy))).astype(int))
    return keypoints.xy[chosen][:, :, list(joints)], keypoints.score[chosen][:, :, list(joints)]
