"""What the views kept so far tell of lenses and distances: a quick joint fit, for its covariance.

The fit takes pictures of one sweep for simultaneous and a calibration does not, so the figures that it is made for are
predicted from the scatter of each camera's own corners, which no clock disturbs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from calib.calibrate import board_turns
from calib.config import CalibrationConfig, TimeConfig
from calib.covariance import uncertainty_of
from calib.intrinsics import CameraFit, fit_camera
from calib.joint import solve_joint
from calib.lens_start import plain_lens
from calib.observations import BoardObservations
from calib.planar import board_poses
from calib.pose_graph import ViewPoses
from calib.preparation import FEWEST_CORNERS, prepare_joint
from mv3d.data.lens import Lens
from mv3d.errors import CalibrationError

# A quick fit of few views; where it leaves more scatter than this, the lens is none of its kind.
_MODEL, _OTHER_MODEL, _POOR_FIT_PX = "pinhole4", "fisheye", 1.5
# Focal length of a lens of which nothing is known yet, as a share of the image's width: 56 degrees.
_USUAL_FOCAL = 0.95
# Skew between cameras makes errors of many pixels.
_HUBER, _TOLERANCE = 1.5, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class RunningEstimate:
    """Lenses and distances so far.

    Attributes:
        lenses: of each camera; None where its views do not tell one yet.
        focal_sd: (camera,) standard deviation of the focal length as a share of it; infinite where not told.
        distances: (camera, camera) m; NaN where not told.
        distances_sd: (camera, camera) m; infinite where not told.
    """

    lenses: tuple[Lens | None, ...]
    focal_sd: np.ndarray
    distances: np.ndarray
    distances_sd: np.ndarray

    @classmethod
    def unknown(cls, cameras: int) -> "RunningEstimate":
        """Of so many cameras, before anything was seen."""
        blank = np.full((cameras, cameras), np.nan)
        return cls((None,) * cameras, np.full(cameras, np.inf), blank, np.full_like(blank, np.inf))


def estimate_rig(observations: BoardObservations) -> RunningEstimate:
    """Fit every camera by itself, then the rig where its cameras are joined by views that they share."""
    count = len(observations.cameras)
    fits = [_fit(observations, c) for c in range(count)]
    alone = RunningEstimate.unknown(count)
    alone = RunningEstimate(
        tuple(fit.lens if fit else None for fit in fits),
        np.array([fit.focal_sd / fit.lens.focal if fit else np.inf for fit in fits]),
        alone.distances,
        alone.distances_sd,
    )
    known = [fit for fit in fits if fit]
    return _joined(observations, tuple(known), alone) if len(known) == count > 1 else alone


def _fit(observations: BoardObservations, c: int) -> CameraFit | None:
    """A camera's own fit; None where its views do not tell the lens yet."""
    seen = observations.seen[c].sum(-1) >= FEWEST_CORNERS
    xy = np.where(seen[:, None, None], observations.xy[c], np.nan)
    size = (int(observations.sizes[c, 0]), int(observations.sizes[c, 1]))
    best: CameraFit | None = None
    for model in (_MODEL, _OTHER_MODEL):
        if best is not None and best.noise_px < _POOR_FIT_PX:
            break
        try:
            fit = fit_camera(observations.board.points, xy, observations.sigma_px[c], size, model=model)
        except CalibrationError:
            continue
        if best is None or fit.noise_px < best.noise_px:
            best = fit
    return best


def _joined(observations: BoardObservations, fits: tuple[CameraFit, ...], alone: RunningEstimate) -> RunningEstimate:
    """The estimate with what the joint fit tells; `alone` where the cameras do not hang together yet."""
    weight = np.stack([fit.keep.sum(1) for fit in fits]).astype(float)
    R, t = np.stack([fit.R for fit in fits]), np.stack([fit.t for fit in fits])
    has = np.asarray(np.isfinite(t).all(-1))
    poses = ViewPoses(
        np.where(has[..., None, None], R, np.eye(3)), np.where(has[..., None], t, 0.0), np.where(has, weight, 0.0)
    )
    sources = np.tile(np.arange(weight.shape[1]), (len(fits), 1))
    turns = board_turns(observations.board)
    try:
        joint = prepare_joint(observations, observations.board.points, sources, fits, poses, turns, {})
    except CalibrationError:
        return alone
    config = CalibrationConfig(time=TimeConfig(enabled=False))
    bundle, _ = solve_joint(joint, config, _HUBER, _TOLERANCE)
    uncertainty = uncertainty_of(bundle, observations.cameras)
    if uncertainty is None:
        return alone
    focal = [uncertainty.focal_share(*each) for each in zip(observations.cameras, joint.lenses, strict=True)]
    return RunningEstimate(alone.lenses, np.array(focal), uncertainty.distances, uncertainty.distances_sd)


def view_tilts(
    points: Float[np.ndarray, "corner 3"],
    xy: Float[np.ndarray, "camera corner 2"],
    sizes: Int[np.ndarray, "camera 2"],
    lenses: Sequence[Lens | None],
) -> Float[np.ndarray, "camera 2"]:
    """How a board is tilted against the line of sight of each camera that sees it.

    Returns:
        (camera, 2) components, to the right and down in the image, of the unit vector from the board's face; zero where
        it faces the camera, NaN where no pose can be had.
    """
    tilts = np.full((len(xy), 2), np.nan)
    for c, corners in enumerate(xy):
        seen = np.isfinite(corners[:, 0])
        if not seen.any():
            continue
        size = (int(sizes[c, 0]), int(sizes[c, 1]))
        lens = lenses[c] or plain_lens(_USUAL_FOCAL * max(size), size, "pinhole4")
        R, t = board_poses(points, corners[None], lens, seen[None])
        sight = t[0] + R[0] @ points[seen].mean(0)
        face = -R[0, :, 2]
        across = face - sight * (face @ sight) / max(float(sight @ sight), 1e-12)
        tilts[c] = across[:2]
    return tilts
