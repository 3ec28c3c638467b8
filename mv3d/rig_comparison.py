"""Two calibrations of one rig, camera by camera: `mv3d rig compare`."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import chi2

from calib.recheck import Recheck, compare_rigs
from calib.result import Uncertainty
from calib.world import WorldChange
from mv3d.calibration_check import load_uncertainty
from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.errors import CalibrationError
from mv3d.geometry.rotations import nearest_rotation, vector_from_rotation

# Cameras that fit to this (m, at the rig's reach) agree; rounds until their weights have settled.
_AGREE_M, _ROUNDS, _SETTLED = 1e-9, 100, 1e-12
# The scene is no nearer to the cameras, m.
_LEAST_REACH = 1.0
# Without uncertainties cameras are alike below this share of the image's width: two pixels of 1920.
_ALIKE = 1e-3
# Distances of a rig that was written with all digits; an uncertainty of others (share, m) is of another rig.
_SAME_RIG = 1e-4
# Pixels that are looked at along each side of an image.
_GRID = 7
# What a lens does with warmth, px; a lens that was known has no uncertainty of its own.
_YIELD_PX = 0.1
# Chance of naming a camera for its lens where all are alike.
_FALSE_ALARM = 0.01


@dataclass(frozen=True, slots=True)
class InSd:
    """Differences in standard deviations of both calibrations together; NaN where a lens does not compare."""

    turn: float
    move: float
    focal: float
    centre: float


@dataclass(frozen=True, slots=True)
class CameraDifference:
    """What the second calibration says of a camera against the first, in the first one's world.

    Attributes:
        name: the camera's.
        turn: angle, rad.
        move: of its centre, m.
        focal: share by which the focal length is larger.
        centre_px: distance of the principal points.
        seen_px: rms distance of the pixels in which the two see points of the scene; NaN of images of other shapes, as
            are `focal` and `centre_px`.
        sd: turn, move, focal length and principal point in standard deviations; None where they are not known.
        named: whether it differs by more than noise, or if that is not known by more than a thousandth of the image.
    """

    name: str
    turn: float
    move: float
    focal: float
    centre_px: float
    seen_px: float
    sd: InSd | None
    named: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two calibrations of a rig.

    Attributes:
        cameras: those of both, in the first one's order.
        scale: by which the second would have to grow to fit best.
        rescaled: whether it was.
        only_first, only_second: names of cameras that the other does not have.
        untold: poses differ, and it is seen by the uncertainties that it cannot be told which camera's.
        models_differ: uncertainties were given, but of other lens models or image shapes: they do not compare.
    """

    cameras: tuple[CameraDifference, ...]
    scale: float
    rescaled: bool
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    untold: bool
    models_differ: bool

    @property
    def worst(self) -> CameraDifference | None:
        """Of the cameras that are named the one that differs most in the picture; None if there is none."""
        named = [camera for camera in self.cameras if camera.named]
        return max(named, key=lambda c: (np.nan_to_num(c.seen_px, nan=np.inf), c.turn), default=None)


def compared(
    first: Rig, second: Rig, sd: tuple[Uncertainty, Uncertainty] | None = None, *, free_scale: bool = False
) -> Comparison:
    """Compare cameras of the same names, whatever the two worlds are.

    Args:
        first, second: the calibrations.
        sd: what is known of each; its cameras and more.
        free_scale: let the second grow to fit.

    Raises:
        CalibrationError: fewer than two common cameras, or a free scale of cameras in one place.
    """
    names = [name for name in first.names if name in second.names]
    if len(names) < 2:
        raise CalibrationError(
            f"{len(names)} cameras in common, two or more are wanted: {', '.join(first.names)} against"
            f" {', '.join(second.names)}; cameras are matched by name"
        )
    a, b = first.subset(names), second.subset(names)
    change, scale = _onto(a, b, free_scale)
    b = change.of_rig(b)
    pairs = [(old, _as_large(new, old.size)) for old, new in zip(a, b, strict=True)]
    noise = _Noise.of(pairs, (sd[0], _scaled(sd[1], a, b, change.scale))) if sd is not None else None
    differences = tuple(_difference(*pair, _reach(a), noise) for pair in pairs)
    lost, added = (tuple(n for n in rig.names if n not in names) for rig in (first, second))
    untold = noise is not None and noise.poses.untold
    return Comparison(differences, scale, free_scale, lost, added, untold, sd is not None and noise is None)


def known_of(path: Path, rig: Rig) -> Uncertainty | None:
    """What lies in calibration/uncertainty.npz beside a rig's file.

    Returns:
        None if there is nothing, or it is of another rig: of other cameras, or of other distances between them.

    Raises:
        FormatError: the file cannot be read.
    """
    found = load_uncertainty(Session(path.parent).calibration_uncertainty, rig)
    if found is None:
        return None
    apart = np.linalg.norm(rig.centers[:, None] - rig.centers, axis=-1)
    same = found.distances.shape == apart.shape and np.allclose(found.distances, apart, _SAME_RIG, _SAME_RIG)
    return found if same else None


def _reach(rig: Rig) -> float:
    return max(float(np.median(np.linalg.norm(rig.centers - rig.centers.mean(0), axis=1))), _LEAST_REACH)


def _onto(a: Rig, b: Rig, free_scale: bool) -> tuple[WorldChange, float]:
    """The change of b's world that brings its cameras onto those of a, and the scale that fits, taken or not.

    Least squares of centres and, times the reach, of turns; cameras that were moved lose their weight (Cauchy's, its
    width the median misfit), so that they do not pull the others.
    """
    reach, turns = _reach(a), np.stack([old.R.T @ new.R for old, new in zip(a, b, strict=True)])
    weight = np.ones(len(a))
    spread = [np.linalg.norm(rig.centers - rig.centers.mean(0)) for rig in (a, b)]
    if free_scale and min(spread) < _AGREE_M:
        raise CalibrationError("the cameras are all in one place, which tells no scale; leave out --free-scale")
    used = float(spread[0] / spread[1]) if free_scale else 1.0
    for _ in range(_ROUNDS):
        means = [np.average(rig.centers, axis=0, weights=weight) for rig in (a, b)]
        x, y = a.centers - means[0], b.centers - means[1]
        R = nearest_rotation(
            used * np.einsum("c,ci,cj->ij", weight, x, y) + reach**2 / 2 * np.einsum("c,cij->ij", weight, turns)
        )
        size = float(weight @ (y**2).sum(1))
        scale = float(weight @ (x * (y @ R.T)).sum(1)) / size if size > 0 else 1.0
        used = scale if free_scale else 1.0
        off = ((x - used * y @ R.T) ** 2).sum(1) + reach**2 / 2 * ((turns - R) ** 2).sum((1, 2))
        before, weight = weight, 1 / (1 + off / max(float(np.median(off)), _AGREE_M**2))
        if np.abs(weight - before).max() < _SETTLED:
            break
    return WorldChange(R, means[0] - used * R @ means[1], used), scale


def _as_large(camera: Camera, size: tuple[int, int]) -> Camera:
    """For images of that size if they have the same shape, else as it is."""
    w, h = camera.size
    return camera.resized(size) if abs(w * size[1] - h * size[0]) <= max(*size, w, h) else camera


def _scaled(sd: Uncertainty, a: Rig, b: Rig, scale: float) -> Uncertainty:
    """The uncertainty after lengths grew by `scale`, and images of b became as large as those of a."""
    factor = np.ones((len(sd.cameras), len(sd.parameters)))
    factor[:, [sd.parameters.index(name) for name in ("tx", "ty", "tz")]] = scale
    for name in b.names:
        ratio = np.divide(a[name].size, b[name].size)
        factor[sd.cameras.index(name), :4] = [*ratio, *ratio]
    flat = factor.ravel()
    return replace(sd, covariance=sd.covariance * np.outer(flat, flat))


@dataclass(frozen=True, slots=True, eq=False)
class _Noise:
    """How far poses are from each other by `compare_rigs`, and covariances of lenses' differences, camera by camera."""

    poses: Recheck
    lenses: dict[str, np.ndarray]

    @classmethod
    def of(cls, pairs: list[tuple[Camera, Camera]], sd: tuple[Uncertainty, Uncertainty]) -> "_Noise | None":
        """None where lenses are of other models or images of other shapes: parameters then do not compare."""
        a, b = (Rig(tuple(each)) for each in zip(*pairs, strict=True))
        if any(type(o.lens) is not type(n.lens) or o.size != n.size for o, n in pairs):
            return None
        try:
            poses = compare_rigs(a, b, sd[1], sd[0])
        except ValueError:
            return None
        lenses = {name: sum((_lens(known, name) for known in sd), _YIELD_PX**2 * np.eye(4)) for name in a.names}
        return cls(poses, lenses)


def _lens(sd: Uncertainty, camera: str) -> np.ndarray:
    """Covariance of fx, fy, cx, cy."""
    at = sd.cameras.index(camera) * len(sd.parameters)
    return sd.covariance[at : at + 4, at : at + 4]


def _difference(old: Camera, new: Camera, reach: float, noise: _Noise | None) -> CameraDifference:
    turn = float(np.linalg.norm(vector_from_rotation(new.R @ old.R.T)))
    move = float(np.linalg.norm(new.center - old.center))
    if old.size != new.size:
        # Of images of other shapes only the poses compare.
        named = turn > _ALIKE or move > _ALIKE * reach
        return CameraDifference(old.name, turn, move, np.nan, np.nan, np.nan, None, named)
    focal = [lens.focal * float(np.sqrt(lens.K[1, 1] / lens.K[0, 0])) for lens in (old.lens, new.lens)]
    centre = new.lens.K[:2, 2] - old.lens.K[:2, 2]
    seen = _seen_px(old, new, reach)
    sd, named = (None, seen > _ALIKE * old.size[0]) if noise is None else _in_sd(old, new, noise)
    return CameraDifference(
        old.name, turn, move, focal[1] / focal[0] - 1, float(np.linalg.norm(centre)), seen, sd, named
    )


def _in_sd(old: Camera, new: Camera, noise: _Noise) -> tuple[InSd, bool]:
    """Differences in standard deviations, and whether one of them is more than noise in one rig of a hundred."""
    pose = next(m for m in noise.poses.moves if m.camera == old.name)
    K, covariance = new.lens.K - old.lens.K, noise.lenses[old.name]
    by_K = np.array([1 / old.lens.K[0, 0], 1 / old.lens.K[1, 1], 0, 0]) / 2
    focal = abs(by_K[:2] @ [K[0, 0], K[1, 1]]) / np.sqrt(by_K @ covariance @ by_K)
    centre = np.sqrt(K[:2, 2] @ np.linalg.solve(covariance[2:, 2:], K[:2, 2]))
    limits = np.sqrt(chi2.ppf(1 - _FALSE_ALARM / (2 * len(noise.lenses)), [1, 2]))
    sd = InSd(pose.turned / pose.turned_sd, pose.moved / pose.moved_sd, float(focal), float(centre))
    return sd, bool(pose.named or focal > limits[0] or centre > limits[1])


def _seen_px(old: Camera, new: Camera, reach: float) -> float:
    """Rms distance of the pixels in which two cameras see points of the scene as far off as the rig reaches."""
    grid = np.meshgrid(*(np.linspace(0, side - 1, _GRID) for side in old.size))
    pixels = np.stack(grid, axis=-1).reshape(-1, 2)
    off = new.project(old.center + reach * old.rays(pixels)) - pixels
    squared = (off[np.isfinite(off).all(1)] ** 2).sum(1)
    return float(np.sqrt(squared.mean())) if len(squared) else np.nan
