"""Lenses of single cameras, without a rig: what pictures that no two cameras share can give."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from calib.config import CalibrationConfig
from calib.intrinsics import CameraFit, fit_camera
from calib.observations import BoardObservations
from calib.result import ExcludedView
from mv3d.data.intrinsics import Intrinsics
from mv3d.data.lens import Lens
from mv3d.errors import CalibrationError

# Sides of two sizes of images that differ by less than this share keep the aspect of the picture.
_SAME_ASPECT = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class LensResult:
    """Lenses of the cameras, each from its own views alone.

    Attributes:
        cameras: in the order of the observations, those without a board left out.
        fits: of each of them.
        residuals: (camera, frame, corner, 2) px, model minus observation; NaN where not used.
        excluded: views left out, with reasons.
    """

    cameras: tuple[Intrinsics, ...]
    fits: tuple[CameraFit, ...]
    residuals: np.ndarray
    excluded: tuple[ExcludedView, ...]


def calibrate_lenses(
    observations: BoardObservations,
    config: CalibrationConfig | None = None,
    *,
    known_lenses: Mapping[str, Lens] | None = None,
) -> LensResult:
    """Fit each camera's lens to its own views.

    Args:
        observations: corners of the board in every camera and frame.
        config: settings; those of time are not used.
        known_lenses: lenses by camera name that are only checked against the views.

    Raises:
        CalibrationError: a camera saw no board, too few, or views that do not tell its focal length; names it.
    """
    config, known = config or CalibrationConfig(), known_lenses or {}
    points, xy = observations.board.points, observations.xy
    cameras, fits, residuals, excluded = [], [], np.full_like(xy, np.nan), []
    for c, name in enumerate(observations.cameras):
        width, height = (int(n) for n in observations.sizes[c])
        fit = fit_camera(
            points, xy[c], observations.sigma_px[c], (width, height), name=name, model=config.lens.of(name),
            known=known.get(name), config=config.lens, outliers=config.outliers,
        )  # fmt: skip
        x_cam = points @ np.swapaxes(fit.R, 1, 2) + fit.t[:, None]
        residuals[c] = np.where(fit.keep[..., None], fit.lens.project(x_cam) - xy[c], np.nan)
        cameras.append(Intrinsics(name, (width, height), fit.lens))
        fits.append(fit)
        excluded += [ExcludedView(name, frame, reason, False) for frame, reason in sorted(fit.excluded.items())]
    return LensResult(tuple(cameras), tuple(fits), residuals, tuple(excluded))


def fitted_lenses(cameras: tuple[Intrinsics, ...], observations: BoardObservations) -> dict[str, Lens]:
    """Known lenses for the size of the pictures that the cameras took.

    Args:
        cameras: what is known, perhaps for images of another size, perhaps of other cameras too.
        observations: whose cameras and sizes count.

    Returns:
        Lens by camera name, of the observations' cameras that are known.

    Raises:
        CalibrationError: none of the cameras is known, or a lens was calibrated for images of another shape.
    """
    sizes = dict(zip(observations.cameras, observations.sizes, strict=True))
    lenses = {camera.name: scaled_lens(camera, sizes[camera.name]) for camera in cameras if camera.name in sizes}
    if not lenses:
        raise CalibrationError(
            f"known are {', '.join(camera.name for camera in cameras)}, the pictures are of"
            f" {', '.join(observations.cameras)}: no name in common; rename the folders or the cameras"
        )
    return lenses


def scaled_lens(camera: Intrinsics, size: np.ndarray) -> Lens:
    """The lens for pictures of another size and the same shape; CalibrationError if the shape differs."""
    factors = np.asarray(size) / np.asarray(camera.size)
    if abs(factors[0] / factors[1] - 1) > _SAME_ASPECT:
        raise CalibrationError(
            f"{camera.name}: its pictures are {size[0]}x{size[1]}, its known lens is for"
            f" {camera.size[0]}x{camera.size[1]}, another shape; take pictures with the settings that it is for"
        )
    return camera.lens.scaled(float(factors[0]), float(factors[1]))
