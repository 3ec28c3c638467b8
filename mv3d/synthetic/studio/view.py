"""One camera in the studio: pictures of a scene and their truth, at any time."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mv3d.data.camera import Camera
from mv3d.synthetic.studio.background_kernels import cast_background, light_background
from mv3d.synthetic.studio.film import Film, developed
from mv3d.synthetic.studio.panel_kernels import draw_panel
from mv3d.synthetic.studio.raster_kernels import cover_depth, rasterise
from mv3d.synthetic.studio.rooms import shadow_map
from mv3d.synthetic.studio.scene import Panel, PosedActor, Scene
from mv3d.synthetic.studio.shading_kernels import add_resolved, shade_person

# Pixels between the directions that the lens is asked for; between them it is straight to a few thousandths of one.
_RAY_STEP = 4
_SHADOW_REACH = 4.0
_PANEL_ID = -2


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture and its truth.

    Attributes:
        image: (height, width, 3) BGR.
        person: (height, width) number of the actor that most of the pixel shows, -1 for none.
        keypoints: (actor, keypoint, 2) px, also where hidden or outside; NaN behind the camera.
        visible: (actor, keypoint) whether the place is in the picture and nothing stands before it.
    """

    image: np.ndarray
    person: np.ndarray
    keypoints: np.ndarray
    visible: np.ndarray

    def without_pictures(self) -> "Shot":
        """The truth alone, to be kept for many frames."""
        nothing = np.zeros((0, 0, 3), np.uint8)
        return replace(self, image=nothing, person=nothing[..., 0])


class View:
    """A camera that stands still in a scene; what stands still before it is drawn once."""

    def __init__(self, camera: Camera, scene: Scene, film: Film, offset: float = 0.0) -> None:
        """Cast the rays of all samples at the room.

        Args:
            camera: any lens.
            scene: what it sees.
            film: how it takes pictures.
            offset: s; what it stamps t is the world at t + offset.
        """
        self.camera, self.scene, self.film, self.offset = camera, scene, film, offset
        self._rays = _sample_rays(camera, film.samples)
        shape = self._rays.shape[:2]
        self._distance = np.empty(shape, np.float32)
        self._lit, self._dark = (np.empty((*shape, 3), np.float32) for _ in range(2))
        boxes, materials = scene.room.boxes, scene.room.materials
        light = scene.light.row
        cast_background(camera.center, self._rays, boxes, materials, light, self._distance, self._lit, self._dark)
        self._shadows = shadow_map(scene.room, scene.light, (0.0, 0.0, 1.0), _SHADOW_REACH)
        self._pictures = [_linear_picture(panel) for panel in scene.panels]
        self._depths = [actor.keypoint_depths() for actor in scene.actors]

    def shoot(self, t: float, seed: int = 0) -> Shot:
        """The picture that the camera stamps t (s), and its truth at the middle of the exposure."""
        film, size = self.film, self.camera.size
        count = film.blur_samples if film.exposure_s > 0 else 1
        light = np.zeros((size[1], size[0], 3), np.float32)
        instants = t + self.offset + film.exposure_s * ((np.arange(count) + 0.5) / count - 0.5)
        for n, instant in enumerate(instants):
            drawn = self._draw(float(instant))
            add_resolved(drawn.color, film.samples, 1 / count, light)
            if n == count // 2:
                people, truth = self._people(drawn.ids), self._truth(drawn)
        return Shot(developed(light, film, seed), people, *truth)

    def _draw(self, t: float) -> "_Drawn":
        """All samples at one instant of the middle line."""
        scene, film = self.scene, self.film
        readout = film.line_time * self.camera.size[1]
        ends = [[actor.posed(t + share * readout) for actor in scene.actors] for share in self._ends()]
        depth, ids = self._distance.copy(), np.full(self._distance.shape, -1, np.int32)
        color = np.empty((*depth.shape, 3), np.float32)
        seen, first = [], 0
        for start, end in zip(ends[0], ends[-1], strict=True):
            xy, distance = self._on_samples(start.vertices, end.vertices)
            triangles = scene.actors[len(seen)].human.triangles
            rasterise(xy, distance, triangles, first, depth, ids)
            seen.append((first, xy, distance))
            first += len(triangles)
        for panel, picture in zip(scene.panels, self._pictures, strict=True):
            self._draw_panel(panel, picture, t, depth, ids, color)
        shadow = self._shadow(ends[0])
        s, light = self._shadows, scene.light.row
        for actor, posed, (number, xy, distance) in zip(scene.actors, ends[0], seen, strict=True):
            dressed, human = actor.dressed, actor.human
            geometry = human.triangles, posed.vertices, posed.normals, dressed.vertices
            look = dressed.fields, dressed.materials, light, shadow, s.frame, color
            shade_person(ids, number, xy, distance, *geometry, *look)
        rays, origin = self._rays, self.camera.center
        light_background(self._distance, ids, rays, origin, self._lit, self._dark, s.depth, shadow, s.frame, color)
        return _Drawn(ids, depth, color, ends[0], ends[-1])

    def _ends(self) -> tuple[float, ...]:
        """Shares of the readout, from the middle, at which everything is posed."""
        return (-0.5, 0.5) if self.film.line_time else (0.0,)

    def _on_image(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (n, 2) and distances (n,) of points that move from `first` to `last` while the image is read out.

        The row on which a point falls is when it is seen; both change evenly, so that row is solved for.
        """
        xy, distance = self.camera.project(first), np.linalg.norm(first - self.camera.center, axis=-1)
        if first is last:
            return xy, distance
        later, far = self.camera.project(last), np.linalg.norm(last - self.camera.center, axis=-1)
        height = self.camera.size[1]
        share = (xy[..., 1] + 0.5) / (height - (later[..., 1] - xy[..., 1]))
        share = np.clip(share, -0.5, 1.5)
        return xy + share[..., None] * (later - xy), distance + share * (far - distance)

    def _on_samples(self, first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        xy, distance = self._on_image(first, last)
        return (xy + 0.5) * self.film.samples - 0.5, distance

    def _draw_panel(
        self, panel: Panel, picture: list[np.ndarray], t: float, depth: np.ndarray, ids: np.ndarray, color: np.ndarray
    ) -> None:
        height, width = depth.shape
        lines = self.camera.size[1]
        if self.film.line_time:
            R, place = panel.pose(t + self.film.line_time * (np.arange(lines) - (lines - 1) / 2))
        else:
            R, place = (np.repeat(a, lines, axis=0) for a in panel.pose(np.array([t])))
        outline = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * [*panel.size, 0]
        grid = np.concatenate([outline + s * (np.roll(outline, -1, 0) - outline) for s in np.linspace(0, 1, 9)[:-1]])
        moments = [0, lines // 2, lines - 1] if self.film.line_time else [0]
        corners = np.concatenate([grid @ R[m].T + place[m] for m in moments])
        xy, distance = self._on_samples(corners, corners)
        if not np.isfinite(xy).any():
            return
        whole = np.isfinite(xy).all()
        low = np.clip(np.nanmin(xy, 0) - 4, 0, None) if whole else np.zeros(2)
        high = np.nanmax(xy, 0) + 6 if whole else np.array([width, height])
        box = np.array([low[0], min(high[0], width), low[1], min(high[1], height)]).astype(np.int64)
        # The coarsest copy whose texels are no larger than the samples.
        sample = float(distance.min()) / (self.camera.lens.focal * self.film.samples)
        texel = panel.size[0] / picture[0].shape[1]
        level = int(np.clip(np.floor(np.log2(max(sample / texel, 1.0))), 0, len(picture) - 1))
        poses = np.concatenate([R, place[..., None]], axis=-1)
        size, light = np.array(panel.size), self.scene.light.row
        samples, center = self.film.samples, self.camera.center
        draw_panel(self._rays, center, poses, samples, size, picture[level], box, light, _PANEL_ID, depth, ids, color)

    def _shadow(self, posed: list[PosedActor]) -> np.ndarray:
        """The shadow map with people in it."""
        depth = self._shadows.depth.copy()
        frame = self._shadows.frame
        for actor, one in zip(self.scene.actors, posed, strict=True):
            at = one.vertices @ frame[:, :3].T + frame[:, 3]
            cover_depth(np.ascontiguousarray(at[:, :2]), np.ascontiguousarray(at[:, 2]), actor.human.triangles, depth)
        return depth

    def _people(self, ids: Int[np.ndarray, "rows columns"]) -> Int[np.ndarray, "height width"]:
        """The actor of each pixel: the one with most samples, if more than half of all show people."""
        s, (width, height) = self.film.samples, self.camera.size
        counts, first = [], 0
        for actor in self.scene.actors:
            own = (ids >= first) & (ids < first + len(actor.human.triangles))
            counts.append(np.asarray(own).reshape(height, s, width, s).sum((1, 3), dtype=np.int16))
            first += len(actor.human.triangles)
        if not counts:
            return np.full((height, width), -1, np.int16)
        stacked = np.stack(counts)
        return np.where(2 * stacked.sum(0) >= s * s, stacked.argmax(0), -1).astype(np.int16)

    def _truth(
        self, drawn: "_Drawn"
    ) -> tuple[Float[np.ndarray, "actor keypoint 2"], Bool[np.ndarray, "actor keypoint"]]:
        count = len(self.scene.actors)
        keypoints = len(self.scene.actors[0].human.keypoints) if count else 0
        xy_all, visible = np.full((count, keypoints, 2), np.nan), np.zeros((count, keypoints), bool)
        s, (width, height) = self.film.samples, self.camera.size
        for a, (start, end) in enumerate(zip(drawn.first, drawn.last, strict=True)):
            last = start.keypoints if start is end else end.keypoints
            xy, distance = self._on_image(start.keypoints, last)
            xy_all[a] = xy
            inside = np.all((xy > -0.5) & (xy < np.array([width, height]) - 0.5), axis=-1)
            at = np.where(np.expand_dims(inside, 1), (xy + 0.5) * s - 0.5, 0).round().astype(int)
            at = np.minimum(at, np.array([width, height]) * s - 1)
            visible[a] = inside & (drawn.depth[at[:, 1], at[:, 0]] > distance - self._depths[a])
        return xy_all, visible


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Samples of one instant: triangle numbers, distances (m), linear colours; and the actors it was drawn from."""

    ids: np.ndarray
    depth: np.ndarray
    color: np.ndarray
    first: list[PosedActor]
    last: list[PosedActor]


def _sample_rays(camera: Camera, samples: int) -> Float[np.ndarray, "rows columns 3"]:
    """Unit directions of all samples, float32, interpolated between exact ones; NaN where the lens shows nothing."""
    width, height = camera.size
    xs, ys = (np.arange(-1, n + _RAY_STEP, _RAY_STEP, dtype=float) for n in (width, height))
    exact = camera.rays(np.stack(np.meshgrid(xs, ys), axis=-1))
    at = [((np.arange(samples * n) + 0.5) / samples - 0.5 + 1) / _RAY_STEP for n in (width, height)]
    columns, rows = np.meshgrid(*at)
    rays = cv2.remap(exact.astype(np.float32), columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True), np.float32)


def _linear_picture(panel: Panel) -> list[np.ndarray]:
    """The panel's picture in linear light, and ever coarser copies, each half the one before."""
    picture: UInt8[np.ndarray, ...] = panel.picture
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    levels: list[np.ndarray] = [np.ascontiguousarray((picture / 255.0) ** 2.2 * 0.9, np.float32)]
    while min(levels[-1].shape[:2]) > 16:
        rows, columns = levels[-1].shape[:2]
        levels.append(np.asarray(cv2.resize(levels[-1], (columns // 2, rows // 2), interpolation=cv2.INTER_AREA)))
    return levels
