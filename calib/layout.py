"""What the bundle solves for: the cameras' unknowns, which of them are free, and what is known of them beforehand."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mv3d.data.lens import LENSES, DoubleSphere, Lens, Pinhole
from mv3d.geometry.lens_kernels import DOUBLE_SPHERE, FISHEYE, PINHOLE

_DIST_NAMES = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4", "tau_x", "tau_y")
# Standard deviation of the time between two lines of a rolling shutter: 1080 of them in a thirtieth of a second.
_LINE_TIME_S = 3e-5
_POSE_NAMES = ("rx", "ry", "rz", "tx", "ty", "tz")
# The number of distortion coefficients of each lens model's name.
LENS_MODELS = {**{f"pinhole{n}": n for n in (0, 4, 5, 8, 12, 14)}, "double-sphere": 2, "fisheye": 4}
_KINDS = {"pinhole": PINHOLE, "fisheye": FISHEYE, "double-sphere": DOUBLE_SPHERE}
_KIND_NAMES = {number: name for name, number in _KINDS.items()}
# Where the two parameters of double spheres lie: alpha of real lenses is 0.5 to 0.65, xi -0.3 to 0.6.
_DOUBLE_SPHERE = np.array([0.0, 0.5])


@dataclass(frozen=True, slots=True)
class LensPrior:
    """What is known of any lens before an image is seen: standard deviations.

    They are wide against what a good set of views tells, and hold what a poor one leaves open.

    Attributes:
        aspect: of fy / fx around 1: pixels are square to a fraction of a percent.
        center: of the principal point around the middle of the image, as a share of its width.
        radial: of each radial coefficient around 0. Real lenses lie within 0.5, fitted ones wander farther in k3 to k6.
        tangential: of p1 and p2, of the thin prism and of the tilt around 0.
    """

    aspect: float = 0.005
    center: float = 0.05
    radial: float = 1.0
    tangential: float = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Order of the unknowns. A camera's block: fx fy cx cy, dist (count), rotation and translation, [line, offset].

    Attributes:
        kinds: (camera,) pinhole, fisheye or double sphere, as the kernels number them.
        used: (camera,) number of distortion coefficients of each lens.
        count: room for coefficients: the largest of `used`.
        timed: whether line time and offset exist.
        owner: (unknown,) index of the free unknown that each one moves with, -1 where fixed.
        prior_mean: (camera, unknown) of the lens; NaN where nothing is known.
        prior_sd: (camera, unknown) standard deviations.
        aspect_sd: (camera,) of fy - fx, px; infinite where they are not coupled.
    """

    kinds: np.ndarray
    used: np.ndarray
    count: int
    timed: bool
    owner: np.ndarray
    prior_mean: np.ndarray
    prior_sd: np.ndarray
    aspect_sd: np.ndarray

    @property
    def size(self) -> int:
        """Unknowns of a camera."""
        return 10 + self.count + (2 if self.timed else 0)

    @property
    def free_count(self) -> int:
        """Number of free unknowns."""
        return int(self.owner.max(initial=-1)) + 1

    def names(self) -> list[str]:
        """Names of a camera's unknowns, in order."""
        dist = [*_DIST_NAMES, *(f"k{i}" for i in range(20))][: self.count]
        return ["fx", "fy", "cx", "cy", *dist, *_POSE_NAMES, *(("line", "offset") if self.timed else ())]


def make_layout(
    lenses: list[Lens],
    sizes: Int[np.ndarray, "camera 2"],
    *,
    fixed_lenses: frozenset[int] = frozenset(),
    fixed_poses: frozenset[int] = frozenset({0}),
    timed: bool = False,
    fixed_offsets: frozenset[int] = frozenset({0}),
    line_time: bool = False,
    square_pixels: bool = False,
    only_focal: bool = False,
    prior: LensPrior | None = None,
) -> Layout:
    """The unknowns of these cameras.

    Args:
        lenses: of the cameras; their models say which coefficients there are.
        sizes: of the images, px.
        fixed_lenses: cameras whose lens is known.
        fixed_poses: cameras whose pose is known, at least one.
        timed: give every camera a mean time offset.
        fixed_offsets: cameras whose offset is 0, at least one.
        line_time: free the time between image lines (rolling shutter).
        square_pixels: one focal length for x and y.
        only_focal: free nothing of a lens but focal length and the first two coefficients: for a start.
        prior: of the lenses.
    """
    prior = prior or LensPrior()
    used = np.array([len(lens.dist) for lens in lenses], np.int64)
    kinds = np.array([_KINDS[lens.kind] for lens in lenses], np.int64)
    count = int(used.max(initial=0))
    size = 10 + count + (2 if timed else 0)
    owner = np.full((len(lenses), size), -1, np.int64)
    number = 0
    for c in range(len(lenses)):
        free = _free_of_lens(int(used[c]), only_focal) if c not in fixed_lenses else []
        free += list(range(4 + count, 10 + count)) if c not in fixed_poses else []
        if timed:
            free += [10 + count] * line_time + [11 + count] * (c not in fixed_offsets)
        for column in free:
            if column == 1 and (square_pixels or only_focal):
                owner[c, 1] = owner[c, 0]
                continue
            owner[c, column] = number
            number += 1
    mean, sd, aspect = _priors(lenses, sizes, count, size, prior)
    return Layout(kinds, used, count, timed, owner.ravel(), mean, sd, aspect)


def _free_of_lens(used: int, only_focal: bool) -> list[int]:
    return [0, 1, *range(4, 4 + min(used, 2))] if only_focal else list(range(4 + used))


def _priors(
    lenses: list[Lens], sizes: np.ndarray, count: int, size: int, prior: LensPrior
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, sd = np.full((len(lenses), size), np.nan), np.full((len(lenses), size), np.inf)
    for c, lens in enumerate(lenses):
        mean[c, 2:4], sd[c, 2:4] = (sizes[c] - 1) / 2, prior.center * sizes[c, 0]
        mean[c, 4 : 4 + len(lens.dist)] = 0.0
        sd[c, 4 : 4 + len(lens.dist)] = prior.radial
        if isinstance(lens, DoubleSphere):
            mean[c, 4:6] = _DOUBLE_SPHERE
        if isinstance(lens, Pinhole):
            small = [j for j in (2, 3, 8, 9, 10, 11, 12, 13) if j < len(lens.dist)]
            sd[c, [4 + j for j in small]] = prior.tangential
    if size > 10 + count:
        mean[:, 10 + count], sd[:, 10 + count] = 0.0, _LINE_TIME_S
    focal = np.array([lens.K[0, 0] for lens in lenses])
    return mean, sd, prior.aspect * focal


def block_of(layout: Layout, camera: int) -> slice:
    """Where a camera's unknowns stand among all."""
    return slice(camera * layout.size, (camera + 1) * layout.size)


def lens_of(layout: Layout, camera: int, K: Float[np.ndarray, "4"], dist: Float[np.ndarray, " count"]) -> Lens:
    """A camera's lens from its unknowns."""
    matrix = np.array([[K[0], 0, K[2]], [0, K[1], K[3]], [0, 0, 1]])
    return LENSES[_KIND_NAMES[int(layout.kinds[camera])]](matrix, dist[: layout.used[camera]])


def focal_sd(lens: Lens, covariance: Float[np.ndarray, "n n"]) -> float:
    """Standard deviation of `lens.focal`, px, from the covariance of fx, fy, cx, cy, dist and whatever follows."""
    slope = np.zeros(len(covariance))
    slope[0] = lens.focal / lens.K[0, 0]
    if isinstance(lens, DoubleSphere):
        slope[4] = -lens.focal / (1 + lens.dist[0])
    return float(np.sqrt(max(slope @ covariance @ slope, 0.0)))
