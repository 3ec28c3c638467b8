"""What a rig will see and how exactly, before it is bought: `mv3d rig plan`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.rig import Rig
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ConfigError
from mv3d.files.writing import whole_file, write_text
from mv3d.synthetic.performer import standing_person
from mv3d.synthetic.rigs import camera_ring
from mv3d.viz.plan_picture import PlanMap, plan_figure
from mv3d.viz.plots import to_png

_STATURE = 1.75
# Rows of the table: both sides of the body are alike.
_JOINTS = ("Nose", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "BigToe")
# What the embedded network leaves of a person who fills the picture: 3 px of 640 (scripts/bench_studio.py).
_NOISE_SHARE = 3 / 640
# Step of the numerical derivative of a projection, m; distortion is smooth over millimetres.
_STEP = 1e-3


@dataclass(frozen=True, slots=True)
class Ring:
    """Cameras evenly on a circle, all looking at its middle.

    Attributes:
        cameras: how many.
        radius, height, look_at: of the circle, of the cameras, and of what they look at, m.
        size: (width, height) px.
        field_of_view_deg: from the left to the right edge.
    """

    cameras: int = 4
    radius: float = 3.6
    height: float = 1.6
    look_at: float = 0.95
    size: tuple[int, int] = (1920, 1080)
    field_of_view_deg: float = 65.0

    def __post_init__(self) -> None:
        if self.cameras < 1 or min(self.radius, *self.size) <= 0 or not 0 < self.field_of_view_deg < 170:
            raise ConfigError("a ring wants a camera, a radius, a size and a field of view below 170 degrees")


def ring_of(ring: Ring) -> Rig:
    """The cameras of a ring, without distortion."""
    focal = float(0.5 * ring.size[0] / np.tan(np.radians(ring.field_of_view_deg) / 2))
    target = (0.0, 0.0, ring.look_at)
    return camera_ring(ring.cameras, radius=ring.radius, height=ring.height, target=target, size=ring.size, focal=focal)


def usual_noise(rig: Rig) -> float:
    """Standard deviation of a keypoint's coordinate, px: a share of the width of the pictures."""
    return _NOISE_SHARE * float(np.mean([camera.size[0] for camera in rig]))


@dataclass(frozen=True, slots=True)
class PlanConfig:
    """What is asked of a rig.

    Attributes:
        area: size along x and y of the floor on which people move, m.
        center: its middle, m.
        height: up to which they reach, m.
        spacing: of the places that are looked at, m.
        noise_px: standard deviation of a coordinate of a keypoint.
        margin_px: a keypoint nearer to the edge of the picture does not count.
    """

    area: tuple[float, float] = (3.0, 3.0)
    center: tuple[float, float] = (0.0, 0.0)
    height: float = 2.0
    spacing: float = 0.1
    noise_px: float = 3.0
    margin_px: float = 5.0

    def __post_init__(self) -> None:
        if min(*self.area, self.height, self.spacing, self.noise_px) <= 0:
            raise ConfigError("area, height, spacing and noise of a plan must be positive")
        if self.area[0] * self.area[1] * self.height / self.spacing**3 > 2e6:
            raise ConfigError(f"spacing {self.spacing:g} m makes more than two million places; choose a larger one")


@dataclass(frozen=True, slots=True)
class JointPlan:
    """A joint of a standing person, over all places of the area and ways to face.

    Attributes:
        name: of the joint, both sides.
        seen_by_two, seen_by_three: share of places in which so many cameras have it in their pictures.
        median_mm, worst_mm: root mean square of the 3D error in one frame: of the middle place, and of the place that
            19 of 20 are better than.
        hidden_mm: median with one camera's view of it taken away, mean over which.
    """

    name: str
    seen_by_two: float
    seen_by_three: float
    median_mm: float
    worst_mm: float
    hidden_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class RigPlan:
    """What is to be expected of a rig.

    Attributes:
        joints: see `JointPlan`.
        seen: (x, y, z) number of cameras that see each place of the volume.
        error_mm: (x, y, z) expected error there, NaN where fewer than two see it.
        axes: coordinates along x, y and z, m.
        person_px: of each camera, the least and largest height in px of a standing person in the area that it sees
            whole; NaN where it sees none.
    """

    joints: tuple[JointPlan, ...]
    seen: np.ndarray
    error_mm: np.ndarray
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    person_px: dict[str, tuple[float, float]]

    def lines(self) -> list[str]:
        """A table for the terminal."""
        head = f"{'joint':<10}{'2 see it':>10}{'3 see it':>10}{'error mm':>10}{'one hidden':>12}{'19 of 20':>10}"
        lines = [head, "-" * len(head)]
        for j in self.joints:
            lines.append(
                f"{j.name:<10}{j.seen_by_two:>10.0%}{j.seen_by_three:>10.0%}{j.median_mm:>10.1f}{j.hidden_mm:>12.1f}"
                f"{j.worst_mm:>10.1f}"
            )
        tall = [f"{name} {low:.0f} to {high:.0f} px" for name, (low, high) in self.person_px.items()]
        return [*lines, "", f"a standing person of {_STATURE} m is tall: {', '.join(tall)}"]


def plan_rig(rig: Rig, config: PlanConfig | None = None) -> RigPlan:
    """Coverage and expected accuracy of a rig.

    A place's covariance is the inverse of the information that its views give, J^T J / noise^2 with J the derivative of
    the projection: least squares of one frame, with every view that has the place in its picture. Nobody stands in
    the way, and the rig is known exactly.

    Args:
        rig: the cameras, in a world whose z is up and whose floor is z = 0.
        config: the volume and the noise.
    """
    config = config or PlanConfig()
    (low_x, low_y), (high_x, high_y) = (np.array(config.center) + s * np.array(config.area) / 2 for s in (-1, 1))
    axes = tuple(
        np.linspace(low, high, max(round((high - low) / config.spacing) + 1, 2))
        for low, high in ((low_x, high_x), (low_y, high_y), (0.0, config.height))
    )
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    information, seen = _information(rig, grid.reshape(-1, 3), config)
    error = _rms_mm(information.sum(0), seen).reshape(grid.shape[:3])
    count = seen.sum(0).reshape(grid.shape[:3])
    people = _people(axes[0], axes[1])
    return RigPlan(_joint_plans(rig, people, config), count, error, (axes[0], axes[1], axes[2]), _heights(rig, people))


def write_plan(folder: Path, rig: Rig, plan: RigPlan, config: PlanConfig) -> dict[str, Path]:
    """Write the planned rig, the figures as JSON and the maps as PNG; returns the files by what they are."""
    outputs = {"rig": folder / "cameras.yaml", "figures": folder / "plan.json", "maps": folder / "plan.png"}
    rig.save(outputs["rig"])
    figures = {"config": asdict(config), "joints": [asdict(j) for j in plan.joints], "person_px": plan.person_px}
    write_text(outputs["figures"], json.dumps(figures, indent=1) + "\n")
    picture = to_png(plan_figure(rig, PlanMap(plan.axes, plan.seen, plan.error_mm)))
    with whole_file(outputs["maps"]) as part:
        part.write_bytes(picture)
    return outputs


def _information(
    rig: Rig, points: Float[np.ndarray, "point 3"], config: PlanConfig
) -> tuple[Float[np.ndarray, "camera point 3 3"], Bool[np.ndarray, "camera point"]]:
    """What each view tells of each point (1/m2), zero where it does not see it; and whether it does."""
    steps = _STEP * np.concatenate([np.eye(3), -np.eye(3)])
    information = np.zeros((len(rig), len(points), 3, 3))
    seen = np.zeros((len(rig), len(points)), bool)
    for c, camera in enumerate(rig):
        xy = camera.project(points)
        margin, size = config.margin_px, np.array(camera.size)
        moved = camera.project(points[:, None] + steps)
        J = np.swapaxes(moved[:, :3] - moved[:, 3:], 1, 2) / (2 * _STEP)
        inside = np.all((xy > margin - 0.5) & (xy < size - 0.5 - margin), axis=-1)
        seen[c] = inside & np.isfinite(J).all((1, 2))
        J = np.where(seen[c][:, None, None], J, 0.0) / config.noise_px
        information[c] = np.swapaxes(J, 1, 2) @ J
    return information, seen


def _rms_mm(information: Float[np.ndarray, "point 3 3"], seen: Bool[np.ndarray, "camera point"]) -> np.ndarray:
    """Root of the trace of the covariance, mm; NaN where fewer than two cameras see the point."""
    known = seen.sum(0) >= 2
    out = np.full(len(information), np.nan)
    # Two cameras in line with a point tell nothing along that line: the trace is then large, not infinite.
    covariance = np.linalg.inv(information[known] + 1e-9 * np.eye(3))
    out[known] = 1e3 * np.sqrt(np.trace(covariance, axis1=1, axis2=2))
    return out


def _people(xs: np.ndarray, ys: np.ndarray) -> Float[np.ndarray, "place joint 3"]:
    """Standing people on a grid of at most 7 by 7 places of the area, each facing four ways."""
    places = [np.linspace(a[0], a[-1], min(len(a), 7)) for a in (xs, ys)]
    body = [standing_person((0.0, 0.0), yaw, 1, height=_STATURE)[0] for yaw in np.pi / 2 * np.arange(4)]
    at = np.stack(np.meshgrid(*places, [0.0], indexing="ij"), axis=-1).reshape(-1, 1, 1, 3)
    return (at + np.stack(body)).reshape(-1, len(BODY_25), 3)


def _joint_plans(rig: Rig, people: np.ndarray, config: PlanConfig) -> tuple[JointPlan, ...]:
    plans = []
    for name in _JOINTS:
        columns = [j for j, full in enumerate(BODY_25.keypoints) if full in (name, f"R{name}", f"L{name}")]
        information, seen = _information(rig, people[:, columns].reshape(-1, 3), config)
        error = _rms_mm(information.sum(0), seen)
        hidden = [_rms_mm(information.sum(0) - information[c], _without(seen, c))[seen[c]] for c in range(len(rig))]
        plans.append(
            JointPlan(
                name,
                float((seen.sum(0) >= 2).mean()),
                float((seen.sum(0) >= 3).mean()),
                _percentile(error, 50.0),
                _percentile(error, 95.0),
                _percentile(np.concatenate(hidden), 50.0),
            )
        )
    return tuple(plans)


def _without(seen: np.ndarray, camera: int) -> np.ndarray:
    return seen & (np.arange(len(seen)) != camera)[:, None]


def _percentile(values: np.ndarray, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if known.size else float("nan")


def _heights(rig: Rig, people: np.ndarray) -> dict[str, tuple[float, float]]:
    """Height in the picture between crown and sole, at the least and the largest."""
    out = {}
    middle = people[:, BODY_25.index("MidHip"), :2]
    ends = np.stack([np.concatenate([middle, np.full((len(middle), 1), z)], axis=1) for z in (0.0, _STATURE)], axis=1)
    for camera in rig:
        xy = camera.project(ends)
        inside = np.all((xy > -0.5) & (xy < np.array(camera.size) - 0.5), axis=(1, 2))
        tall = np.linalg.norm(xy[inside, 1] - xy[inside, 0], axis=-1)
        out[camera.name] = (float(tall.min()), float(tall.max())) if tall.size else (float("nan"), float("nan"))
    return out
