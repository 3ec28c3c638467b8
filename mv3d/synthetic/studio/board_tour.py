"""A board carried as a good operator carries it: near every camera, then where neighbours see it together.

Lenses are told by boards that fill the picture, its corners too, and lean; places of cameras by boards that two of them
see large at once. Each stance is the best of many drawn ones by what it adds: cells of the pictures that few boards
covered so far; of two cameras, the one counts to which it adds less.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.camera import Camera
from mv3d.data.rig import Rig
from mv3d.geometry.rotations import look_along, rotation_from_vector, vector_from_rotation

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class TourConfig:
    """How a board is carried.

    Attributes:
        stance_s: from one stance to the next.
        hold: share of it that the board rests.
        near_share: how much of the picture's width the points of a board before one camera fill, least and most.
        lean: of a board before one camera, rad, least and most.
        lean_together: most that a board leans from between two cameras, rad.
        roll: most that it is turned in its plane, rad.
        flattest: most between its normal and a line of sight, rad.
        heights: of its middle, m, least and most.
        reach: how far from the middle of the scene two cameras are shown the board, of the cameras' distance.
        candidates: drawn for each stance.
        cells: of a picture, across and down.
    """

    stance_s: float = 1.5
    hold: float = 0.4
    near_share: tuple[float, float] = (0.4, 0.85)
    lean: tuple[float, float] = (0.25, 0.75)
    lean_together: float = 0.35
    roll: float = 0.5
    flattest: float = 1.05
    heights: tuple[float, float] = (0.5, 2.0)
    reach: float = 0.5
    candidates: int = 120
    cells: tuple[int, int] = (8, 6)


@dataclass(frozen=True, slots=True, eq=False)
class BoardTour:
    """A board that goes from stance to stance and rests in each.

    Attributes:
        R, t: (stance, 3, 3), (stance, 3) m: world from board, of whose frame the origin is the middle.
        stance_s, hold: see `TourConfig`.
    """

    R: np.ndarray
    t: np.ndarray
    stance_s: float
    hold: float

    def at(
        self, seconds: Float[np.ndarray, "*batch"]
    ) -> tuple[Float[np.ndarray, "*batch 3 3"], Float[np.ndarray, "*batch 3"]]:
        """World from board at times; before the first stance and after the last it rests."""
        slot = np.clip(seconds / self.stance_s, 0, len(self.t) - 1)
        first = np.minimum(slot.astype(int), len(self.t) - 2) if len(self.t) > 1 else np.zeros(slot.shape, int)
        second = np.minimum(first + 1, len(self.t) - 1)
        share = np.clip((slot - first - self.hold) / (1 - self.hold), 0, 1)
        share = (share * share * (3 - 2 * share))[..., None]
        turn = vector_from_rotation(np.swapaxes(self.R[first], -1, -2) @ self.R[second])
        return self.R[first] @ rotation_from_vector(share * turn), (1 - share) * self.t[first] + share * self.t[second]


def tour_of(
    rig: Rig, size: tuple[float, float], seconds: float, config: TourConfig | None = None, seed: int = 0
) -> BoardTour:
    """Stances for a rig, ordered so that the way between them is short.

    Args:
        rig: the cameras.
        size: (width, height) of the rectangle around the board's points, m.
        seconds: length of the tour.
        config: how the board is carried.
        seed: of the draws.
    """
    config, rng = config or TourConfig(), np.random.default_rng([seed, 7])
    count = max(int(np.ceil(seconds / config.stance_s)), 1)
    outline = _grid_of(size)
    covered = np.zeros((len(rig), config.cells[1], config.cells[0]))
    targets = _targets(rig)
    R, t = np.empty((count, 3, 3)), np.empty((count, 3))
    for stance in range(count):
        R[stance], t[stance] = _best(rig, targets[stance % len(targets)], outline, size[0], covered, config, rng)
    order = _short_way(R, t)
    return BoardTour(R[order], t[order], config.stance_s, config.hold)


def middle_of(rig: Rig) -> Float[np.ndarray, "3"]:
    """The place (m) nearest to all optical axes: what the cameras look at."""
    axes = np.stack([camera.R[2] for camera in rig])
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    # Axes that are all parallel meet nowhere: then a place before the cameras.
    far = 1e-6 * np.eye(3)
    return np.linalg.solve(
        across.sum(0) + far, np.einsum("cij,cj->i", across, rig.centers) + far @ (rig.centers + 3 * axes).mean(0)
    )


def _grid_of(size: tuple[float, float]) -> Float[np.ndarray, "place 3"]:
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 9) * size[0], np.linspace(-0.5, 0.5, 7) * size[1])
    return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)


def _targets(rig: Rig) -> list[tuple[int, ...]]:
    """In turn every camera alone, and with the one whose direction from the middle is next."""
    away = rig.centers - middle_of(rig)
    order = [int(i) for i in np.argsort(np.arctan2(away[:, 1], away[:, 0]))]
    targets: list[tuple[int, ...]] = []
    for here, following in zip(order, order[1:] + order[:1], strict=True):
        targets += [(here,)] + ([(here, following)] if here != following else [])
    return targets


def _best(
    rig: Rig,
    target: tuple[int, ...],
    outline: np.ndarray,
    width: float,
    covered: np.ndarray,
    config: TourConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The drawn stance that adds most; adds it to `covered`."""
    best, best_gain, best_hit = None, -1.0, covered
    for R, t in _drawn(rig, target, width, config, rng):
        hit = np.stack([_cells_hit(camera, R, t, outline, config) for camera in rig])
        # What the camera gains that gains least: a board near one of two is too small for the other.
        gain = min(float((hit[c] / (1 + covered[c])).sum()) for c in target)
        if best is None or gain > best_gain:
            best, best_gain, best_hit = (R, t), gain, hit
    if best is None:  # no camera's pictures reach where hands do: show it in the middle
        return look_along(-rig[target[0]].R[2], _UP).T, middle_of(rig)
    covered += best_hit
    return best


def _drawn(
    rig: Rig, target: tuple[int, ...], width: float, config: TourConfig, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    middle = middle_of(rig)
    reach = config.reach * float(np.linalg.norm((rig.centers - middle)[:, :2], axis=1).mean())
    for _ in range(config.candidates):
        if len(target) == 1:
            t, lean = _near(rig[target[0]], width, config, rng), rng.uniform(*config.lean)
        else:
            away = reach * np.sqrt(rng.random()) * np.array([np.cos(a := rng.uniform(0, 2 * np.pi)), np.sin(a)])
            t = np.array([*(middle[:2] + away), rng.uniform(*config.heights)])
            lean = rng.uniform(0, config.lean_together)
        if t is None or not config.heights[0] <= t[2] <= config.heights[1]:
            continue
        toward = rig.centers[list(target)] - t
        sight = -(toward / np.linalg.norm(toward, axis=1, keepdims=True)).mean(0)
        axis = rng.uniform(0, 2 * np.pi)
        turn = rotation_from_vector(lean * np.array([np.cos(axis), np.sin(axis), 0.0]))
        roll = rotation_from_vector(np.array([0.0, 0.0, rng.uniform(-config.roll, config.roll)]))
        yield look_along(sight, _UP).T @ turn @ roll, t


def _near(camera: Camera, width: float, config: TourConfig, rng: np.random.Generator) -> np.ndarray | None:
    """A place before one camera, seen anywhere in its picture; None where the lens shows nothing."""
    pixel = rng.random(2) * camera.size - 0.5
    ray = camera.rays(pixel)
    if not np.isfinite(ray).all():
        return None
    distance = camera.lens.focal * width / (rng.uniform(*config.near_share) * camera.size[0])
    return camera.center + distance * ray


def _cells_hit(
    camera: Camera, R: np.ndarray, t: np.ndarray, outline: np.ndarray, config: TourConfig
) -> Bool[np.ndarray, "down across"]:
    """Cells of a picture in which it sees the board; none if it is too flat or most of it is outside."""
    down_across = config.cells[1], config.cells[0]
    hit = np.zeros(down_across, bool)
    sight = t - camera.center
    if R[:, 2] @ sight < np.cos(config.flattest) * np.linalg.norm(sight):
        return hit
    xy = camera.project(outline @ R.T + t)
    share = (xy + 0.5) / np.array(camera.size)
    inside = np.all((share >= 0) & (share < 1), axis=1)
    if inside.mean() < 0.7:
        return hit
    at = (share[inside] * config.cells).astype(int)
    hit[at[:, 1], at[:, 0]] = True
    return hit


def _short_way(R: np.ndarray, t: np.ndarray) -> list[int]:
    """Always on to the nearest stance that is left; a radian counts as half a metre."""
    left, order = set(range(1, len(t))), [0]
    while left:
        here = order[-1]
        rest = np.array(sorted(left))
        apart = np.linalg.norm(t[rest] - t[here], axis=1)
        apart += 0.5 * np.linalg.norm(vector_from_rotation(R[here].T @ R[rest]), axis=1)
        order.append(int(rest[apart.argmin()]))
        left.remove(order[-1])
    return order
