"""Camera rings and arcs: rigs with exact truth for tests, the synthetic demo and benchmarks."""

import numpy as np
from jaxtyping import Float

from mv3d.data.camera import Camera
from mv3d.data.lens import Fisheye, Pinhole
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import look_along

UP = np.array([0.0, 0.0, 1.0])
# How far hands put tripods from where they should stand.
_PLACE_SPREAD = 0.15
_ANGLE_SPREAD = 0.08
_FOCAL_SPREAD = 0.01
_CENTRE_SPREAD_PX = 8.0


def camera_ring(
    n: int,
    *,
    radius: float = 5.0,
    height: float = 1.8,
    target: tuple[float, float, float] = (0.0, 0.0, 0.95),
    size: tuple[int, int] = (1920, 1080),
    focal: float = 1100.0,
    distortion: Float[np.ndarray, " k"] | None = None,
    span: float = 2 * np.pi,
    fisheye: bool = False,
    seed: int | None = None,
) -> Rig:
    """Cameras cam01, cam02, ... evenly on a circle or an arc of it, all looking at one point with a level horizon.

    Args:
        n: number of cameras.
        radius: of the circle around the vertical axis through `target`, m.
        height: of the cameras above z = 0, m.
        target: the point that all look at, m; z is up.
        size: (width, height) px of the images.
        focal: focal length, px.
        distortion: coefficients of every lens, as `mv3d.data.lens.Pinhole` takes them; none by default.
        span: angle of the arc from the first camera to the last, rad; a whole turn makes a ring.
        fisheye: lenses that keep the angle (Kannala-Brandt) instead of pinholes; then `distortion` has 4 coefficients.
        seed: moves each camera, its focal length and its principal point a little, as in a real room; None leaves
            the ring perfect.
    """
    if n < 1:
        raise ValueError(f"a ring needs at least one camera, not {n}")
    rng = np.random.default_rng(seed)
    spread = 0.0 if seed is None else 1.0
    dist = np.zeros(4 if fisheye else 0) if distortion is None else distortion
    model = Fisheye if fisheye else Pinhole
    step = span / n if span >= 2 * np.pi else span / max(n - 1, 1)
    return Rig(
        tuple(
            _camera(i, step * i, np.array([radius, height]), np.array(target), size, focal, dist, model, rng, spread)
            for i in range(n)
        )
    )


def _camera(
    index: int,
    angle: float,
    place: np.ndarray,
    target: np.ndarray,
    size: tuple[int, int],
    focal: float,
    dist: np.ndarray,
    model: type[Pinhole] | type[Fisheye],
    rng: np.random.Generator,
    spread: float,
) -> Camera:
    angle += spread * rng.normal(0, _ANGLE_SPREAD)
    radius, height = place + spread * rng.normal(0, _PLACE_SPREAD, 2)
    center = np.array([target[0] + radius * np.cos(angle), target[1] + radius * np.sin(angle), height])
    R = look_along(target - center, UP)
    f = focal * (1 + spread * rng.normal(0, _FOCAL_SPREAD))
    # The middle of an image of width w is at (w - 1) / 2, since pixel centres are at the integers.
    middle = (np.array(size) - 1) / 2 + spread * rng.normal(0, _CENTRE_SPREAD_PX, 2)
    K = np.array([[f, 0, middle[0]], [0, f, middle[1]], [0, 0, 1]])
    return Camera(f"cam{index + 1:02d}", size, model(K, dist), R, -R @ center)
