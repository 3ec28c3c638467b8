"""What a calibration gives."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from calib.intrinsics import CameraFit
from calib.layout import focal_sd
from mv3d.data.lens import Lens
from mv3d.data.rig import Rig


@dataclass(frozen=True, slots=True)
class ExcludedView:
    """A view that was left out, whole or from what joins the cameras.

    Attributes:
        camera: its camera's name.
        frame: index of its frame.
        reason: why, in words.
        joint_only: it still counts for its own camera's lens.
    """

    camera: str
    frame: int
    reason: str
    joint_only: bool


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Covariance of the cameras' parameters at the optimum.

    Attributes:
        cameras: names, in the order of the blocks.
        parameters: names of a camera's parameters, in order: fx fy cx cy px, distortion, rx ry rz (rad) and tx ty tz
            (m) of a change of pose from the left, R <- exp(r) R, t <- exp(r) t + (tx ty tz), then perhaps line and
            offset (s).
        covariance: (camera * parameter,) squared; zero where a parameter is fixed.
        distances: (camera, camera) m between camera centres.
        distances_sd: (camera, camera) m.
    """

    cameras: tuple[str, ...]
    parameters: tuple[str, ...]
    covariance: np.ndarray
    distances: np.ndarray
    distances_sd: np.ndarray

    def sd(self, camera: str, parameter: str) -> float:
        """Standard deviation of one parameter of one camera."""
        size = len(self.parameters)
        i = self.cameras.index(camera) * size + self.parameters.index(parameter)
        return float(np.sqrt(max(self.covariance[i, i], 0.0)))

    def focal_share(self, camera: str, lens: Lens) -> float:
        """Standard deviation of a camera's focal length as a share of it."""
        at, size = self.cameras.index(camera) * len(self.parameters), len(self.parameters)
        return focal_sd(lens, self.covariance[at : at + size, at : at + size]) / lens.focal


@dataclass(frozen=True, slots=True, eq=False)
class TimeEstimate:
    """Offsets of the cameras' clocks: what camera v stamps t is the world at t + offset.

    Attributes:
        estimated: whether the board's motion told anything; if not, all is zero.
        offsets: (camera, frame) s; NaN where a view was not used.
        mean: (camera,) s around the middle camera's.
        mean_sd: (camera,) s, of `mean`; 0 of the camera that is the middle one.
        spread: standard deviation of one view's clock around its camera's mean, s.
        frame_shifts: (camera,) whole frames by which a camera shows the scene later than the others.
        line_time: (camera,) s between image lines; zero if not estimated.
        hinted: cameras whose pictures tell of a rolling shutter that was ruled out: names, and s between lines.
    """

    estimated: bool
    offsets: np.ndarray
    mean: np.ndarray
    mean_sd: np.ndarray
    spread: float
    frame_shifts: np.ndarray
    line_time: np.ndarray
    hinted: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationResult:
    """A calibrated rig and how good it is.

    Attributes:
        rig: the cameras; the world is the first camera's frame, or that of the known cameras.
        board_R, board_t: (frame, 3, 3), (frame, 3) m, x_world = R x_board + t at the frame's instant; NaN where no
            camera joins. A camera with a frame shift contributes the frame that shows the same instant.
        board_points: (corner, 3) m, corners on the board: as described, or as estimated where that was asked for.
        residuals: (camera, frame, corner, 2) px, model minus observation with time taken out; NaN where not used.
        noise_px: (camera,) standard deviation of a coordinate.
        time: offsets.
        excluded: views left out, with reasons.
        lenses_alone: each camera's fit alone; what the joint fit started from.
        uncertainty: None where the views do not tell every parameter.
        warnings: sentences about what is suspicious.
        converged: whether the last step no longer mattered.
        status: how the minimisation ended.
    """

    rig: Rig
    board_R: np.ndarray
    board_t: np.ndarray
    board_points: np.ndarray
    residuals: np.ndarray
    noise_px: np.ndarray
    time: TimeEstimate
    excluded: tuple[ExcludedView, ...]
    lenses_alone: tuple[CameraFit, ...]
    uncertainty: Uncertainty | None
    warnings: tuple[str, ...]
    converged: bool
    status: str

    @property
    def view_rms(self) -> Float[np.ndarray, "camera frame"]:
        """Root mean square residual (2D length) of each view, px; NaN where not used."""
        square = (self.residuals**2).sum(-1)
        count = np.isfinite(square).sum(-1)
        return np.where(count > 0, np.sqrt(np.nansum(square, -1) / np.maximum(count, 1)), np.nan)

    @property
    def rms(self) -> float:
        """Root mean square residual (2D length) of all used corners, px."""
        square = (self.residuals**2).sum(-1)
        return float(np.sqrt(np.nanmean(square)))
