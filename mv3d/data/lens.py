"""Lenses: how a direction in the camera frame becomes a pixel. Pixel centres are at integer coordinates."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from jaxtyping import Float

from mv3d.data.checks import frozen_array
from mv3d.geometry import double_sphere, fisheye, pinhole

_AnyLens = TypeVar("_AnyLens", bound="_Lens")


@dataclass(frozen=True, slots=True, eq=False)
class _Lens:
    """What every lens has: the camera matrix and distortion coefficients.

    Attributes:
        K: camera matrix (3, 3) px, upper triangular, K[2, 2] = 1.
        dist: distortion coefficients of the lens's model.
    """

    K: np.ndarray
    dist: np.ndarray
    kind: ClassVar[str]

    def __post_init__(self) -> None:
        K = frozen_array("K", self.K, (3, 3))
        if K[0, 0] <= 0 or K[1, 1] <= 0:
            raise ValueError("focal lengths in K must be positive")
        if np.any(np.abs(np.array([K[1, 0], K[2, 0], K[2, 1], K[2, 2] - 1])) > 1e-9):
            raise ValueError("K must be upper triangular with K[2, 2] = 1")
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "dist", frozen_array("dist", np.ravel(np.asarray(self.dist, float)), (None,)))

    @property
    def model(self) -> str:
        """Name of the model as settings know it."""
        return self.kind

    def scaled(self: _AnyLens, factor_x: float, factor_y: float) -> _AnyLens:
        """The lens of the same camera after its images were resized by these factors."""
        scale = np.array([[factor_x, 0, (factor_x - 1) / 2], [0, factor_y, (factor_y - 1) / 2], [0, 0, 1]])
        return replace(self, K=scale @ self.K)

    def project(self, x_cam: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels of points in the camera frame; NaN where the lens does not show them (see the conventions)."""
        return np.where(self._shows(x_cam)[..., None], self.equation(x_cam), np.nan)

    def project_with_jacobian(
        self, x_cam: Float[np.ndarray, "*batch 3"]
    ) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
        """Pixels, NaN as in `project`, and d x_image / d x_cam."""
        x_image, by_cam = self.equation_with_jacobian(x_cam)
        return np.where(self._shows(x_cam)[..., None], x_image, np.nan), by_cam

    @property
    def focal(self) -> float:
        """Pixels per radian along x in the middle of the image."""
        return float(self.K[0, 0])

    @abstractmethod
    def equation(self, x_cam: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels by the model's bare equation, for solvers: also of points that the lens does not show."""

    @abstractmethod
    def equation_with_jacobian(
        self, x_cam: Float[np.ndarray, "*batch 3"]
    ) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
        """Pixels by the bare equation, and d x_image / d x_cam."""

    @abstractmethod
    def unproject(self, x_image: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Unit direction of each pixel in the camera frame; NaN where the lens shows none there."""

    @abstractmethod
    def _shows(self, x_cam: np.ndarray) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class Pinhole(_Lens):
    """Pinhole with OpenCV's distortion of 0, 4, 5, 8, 12 or 14 coefficients (see `mv3d.geometry.pinhole`).

    It shows what lies before the camera plane and within the fold of its polynomial.
    """

    kind: ClassVar[str] = "pinhole"

    def __post_init__(self) -> None:
        _Lens.__post_init__(self)
        if len(self.dist) not in pinhole.DISTORTION_COUNTS:
            raise ValueError(f"a pinhole has {pinhole.DISTORTION_COUNTS} distortion coefficients, not {len(self.dist)}")

    @property
    def model(self) -> str:
        """Name of the model as settings know it, with the number of coefficients."""
        return f"{self.kind}{len(self.dist)}"

    def equation(self, x_cam: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels by the bare equation; NaN on or behind the camera plane."""
        return pinhole.project(x_cam, self.K, self.dist)

    def equation_with_jacobian(
        self, x_cam: Float[np.ndarray, "*batch 3"]
    ) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
        """Pixels by the bare equation, and d x_image / d x_cam."""
        return pinhole.project_with_point_jacobian(x_cam, self.K, self.dist)

    def unproject(self, x_image: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Unit direction of each pixel in the camera frame; NaN where the lens folds."""
        x_norm = pinhole.undistort(np.asarray(x_image, float), self.K, self.dist)
        direction = np.concatenate([x_norm, np.ones((*x_norm.shape[:-1], 1))], axis=-1)
        return direction / np.linalg.norm(direction, axis=-1, keepdims=True)

    def _shows(self, x_cam: np.ndarray) -> Any:
        return np.hypot(x_cam[..., 0], x_cam[..., 1]) <= pinhole.fold_radius(self.dist) * x_cam[..., 2]


@dataclass(frozen=True, slots=True, eq=False)
class Fisheye(_Lens):
    """Kannala-Brandt fisheye with four coefficients (see `mv3d.geometry.fisheye`).

    It shows what lies beside and behind the camera too, up to the fold of its polynomial.
    """

    kind: ClassVar[str] = "fisheye"

    def __post_init__(self) -> None:
        _Lens.__post_init__(self)
        if len(self.dist) != 4:
            raise ValueError(f"a fisheye has 4 distortion coefficients, not {len(self.dist)}")

    def equation(self, x_cam: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels by the bare polynomial, folded back or not."""
        return fisheye.project(x_cam, self.K, self.dist)

    def equation_with_jacobian(
        self, x_cam: Float[np.ndarray, "*batch 3"]
    ) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
        """Pixels by the bare polynomial, and d x_image / d x_cam."""
        return fisheye.project_with_jacobians(x_cam, self.K, self.dist)[:2]

    def unproject(self, x_image: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Unit direction of each pixel in the camera frame; NaN beyond what the lens can show."""
        return fisheye.unproject(np.asarray(x_image, float), self.K, self.dist)

    def _shows(self, x_cam: np.ndarray) -> Any:
        angle = np.arctan2(np.hypot(x_cam[..., 0], x_cam[..., 1]), x_cam[..., 2])
        return angle <= fisheye.fold_angle(self.dist)


@dataclass(frozen=True, slots=True, eq=False)
class DoubleSphere(_Lens):
    """Double sphere with the two parameters xi and alpha in `dist` (see `mv3d.geometry.double_sphere`).

    It shows what lies beside and behind the camera too, up to the edge that xi and alpha give.
    """

    kind: ClassVar[str] = "double-sphere"

    def __post_init__(self) -> None:
        _Lens.__post_init__(self)
        if len(self.dist) != 2:
            raise ValueError(f"a double sphere has 2 parameters, xi and alpha, not {len(self.dist)}")
        xi, alpha = self.dist
        if not (-1 < xi < 1 and 0 <= alpha <= 1):
            raise ValueError(f"a double sphere has xi between -1 and 1 and alpha in 0..1, not {xi:.4g}, {alpha:.4g}")

    @property
    def focal(self) -> float:
        """Pixels per radian along x in the middle of the image, where both spheres shorten it."""
        return float(self.K[0, 0] / (1 + self.dist[0]))

    def equation(self, x_cam: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Pixels by the bare equation, also beyond the edge; NaN where it has no value."""
        return double_sphere.project(x_cam, self.K, self.dist)

    def equation_with_jacobian(
        self, x_cam: Float[np.ndarray, "*batch 3"]
    ) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch 2 3"]]:
        """Pixels by the bare equation, and d x_image / d x_cam."""
        return double_sphere.project_with_jacobians(x_cam, self.K, self.dist)[:2]

    def unproject(self, x_image: Float[np.ndarray, "*batch 2"]) -> Float[np.ndarray, "*batch 3"]:
        """Unit direction of each pixel in the camera frame; NaN beyond what the lens can show."""
        return double_sphere.unproject(np.asarray(x_image, float), self.K, self.dist)

    def _shows(self, x_cam: np.ndarray) -> Any:
        return x_cam[..., 2] > double_sphere.edge_cosine(self.dist) * np.linalg.norm(x_cam, axis=-1)


Lens = Pinhole | Fisheye | DoubleSphere
LENSES: dict[str, type[Lens]] = {kind.kind: kind for kind in (Pinhole, Fisheye, DoubleSphere)}
