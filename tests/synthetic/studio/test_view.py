"""Pictures of the studio against their truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mv3d.synthetic.rigs import camera_ring
from mv3d.synthetic.studio.actors import random_actor
from mv3d.synthetic.studio.fields import REGIONS, Cut, region_fields
from mv3d.synthetic.studio.film import Film
from mv3d.synthetic.studio.human import BodyShape, load_human, random_shape, shaped_body
from mv3d.synthetic.studio.rooms import plain_room, random_room
from mv3d.synthetic.studio.scene import Actor, Panel, Scene
from mv3d.synthetic.studio.view import View

_CLEAN = Film(read_noise=0.0, shot_noise=0.0)
_BARREL = np.array([-0.25, 0.08, 1e-3, -1e-3])


@pytest.fixture(scope="module")
def actor() -> Actor:
    return random_actor(load_human(), np.random.default_rng(1), "dance", 2.0)


@pytest.mark.parametrize(("fisheye", "line_time"), [(False, 0.0), (True, 0.0), (False, 5e-5)])
def test_corners_of_a_rendered_board_lie_where_they_are_projected(fisheye: bool, line_time: float) -> None:
    dist = np.array([-0.02, 0.004, 0, 0]) if fisheye else _BARREL
    camera = camera_ring(1, radius=2.5, size=(640, 480), focal=480.0, distortion=dist, fisheye=fisheye, seed=1)[0]
    board = np.kron(np.indices((6, 8)).sum(0) % 2 * 255, np.ones((64, 64))).astype(np.uint8)
    R = camera.R.T @ cv2.Rodrigues(np.array([0.3, -0.4, 0.2]))[0]
    place, speed = np.array([0.0, -0.4, 1.3]), np.array([0.0, 3.0, 0.0])

    def pose(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.repeat(R[None], len(t), 0), place + t[:, None] * speed

    room, light = plain_room()
    view = View(
        camera, Scene(room, light, panels=(Panel(board, (0.8, 0.6), pose),)), replace(_CLEAN, line_time=line_time)
    )
    grey = ((view.shoot(0.0).image[..., 1] / 255) ** 2.2).astype(np.float32)  # edges are straight in linear light
    x, y = np.meshgrid(np.arange(1, 8) * 0.1, np.arange(1, 6) * 0.1)
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1) @ R.T + place
    exact = camera.project(points)
    for _ in range(20):  # the line on which a corner falls says when it is seen
        late = line_time * (exact[:, 1] - (camera.size[1] - 1) / 2)
        exact = camera.project(points + late[:, None] * speed)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    found = cv2.cornerSubPix(grey, np.ascontiguousarray(exact[:, None], np.float32), (5, 5), (-1, -1), criteria)[:, 0]
    error = np.linalg.norm(found - exact, axis=1)
    # The goal is 0.1 px; the corner finder's own error on eight bits is a part of what is seen (0.06 px measured).
    assert error.mean() < 0.1
    assert error.max() < 0.25


def test_the_outline_of_a_person_is_that_of_the_projected_mesh(actor: Actor) -> None:
    camera = camera_ring(1, radius=3.0, size=(160, 120), focal=110.0, distortion=_BARREL, seed=2)[0]
    film = replace(_CLEAN, samples=10)
    room, light = plain_room()
    view = View(camera, Scene(room, light, (actor,)), film)
    rows, columns = np.nonzero(view._draw(0.5).ids >= 0)
    xy = camera.project(actor.posed(0.5).vertices)
    low, high = (np.array([columns, rows]).min(1) + 0.5) / 10 - 0.5, (np.array([columns, rows]).max(1) + 0.5) / 10 - 0.5
    # A sample is a tenth of a pixel; an outermost tip can be thinner than one.
    np.testing.assert_allclose(low, xy.min(0), atol=0.15)
    np.testing.assert_allclose(high, xy.max(0), atol=0.15)


def test_the_same_seed_makes_the_same_picture(actor: Actor) -> None:
    camera = camera_ring(1, size=(96, 64), focal=60.0)[0]
    shots = []
    for _ in range(2):
        again = random_actor(load_human(), np.random.default_rng(1), "dance", 2.0)
        room, light = plain_room()
        shots.append(View(camera, Scene(room, light, (again,)), Film(exposure_s=0.01)).shoot(0.4, seed=3))
    np.testing.assert_array_equal(shots[0].image, shots[1].image)
    np.testing.assert_allclose(shots[0].keypoints, shots[1].keypoints, atol=1e-6)


def test_who_stands_behind_is_hidden() -> None:
    """A second person straight behind the first: in front all is seen, behind little of it."""
    rng = np.random.default_rng(4)
    front, back = (random_actor(load_human(), rng, "wave", 1.0, place=(x, 0.0), shape=BodyShape()) for x in (0.6, -0.6))
    camera = camera_ring(1, radius=3.5, height=1.0, size=(160, 120), focal=110.0)[0]
    room, light = plain_room()
    body = slice(0, 25)
    shot = View(camera, Scene(room, light, (front, back)), _CLEAN).shoot(0.0)
    assert shot.visible[0, body].mean() > 0.7
    assert shot.visible[1, body].mean() < 0.3
    assert np.isfinite(shot.keypoints).all()
    assert set(np.unique(shot.person)) <= {-1, 0, 1}


def test_bodies_are_as_large_as_people() -> None:
    human, rng = load_human(), np.random.default_rng(0)
    for _ in range(20):
        body = shaped_body(human, random_shape(rng, children=0.0))
        assert 1.4 < body.vertices[:, 2].max() < 2.1
    assert shaped_body(human, BodyShape(stature=1.75)).vertices[:, 2].max() == pytest.approx(1.75)


def test_bones_are_rigid_and_feet_stand_on_the_floor(actor: Actor) -> None:
    posed = [actor.posed(t) for t in np.linspace(0, 1.5, 7)]
    names = actor.human.keypoints
    for a, b in (("RHip", "RKnee"), ("LKnee", "LAnkle"), ("RElbow", "RWrist")):
        lengths = [np.linalg.norm(p.keypoints[names.index(a)] - p.keypoints[names.index(b)]) for p in posed]
        np.testing.assert_allclose(lengths, lengths[0], atol=1e-9)
    for one in posed:  # interpolation between samples of 120 Hz, and soles that bend at the ball of the foot
        assert abs(one.vertices[:, 2].min()) < 0.015


def test_the_truth_of_a_blurred_picture_is_that_of_its_middle(actor: Actor) -> None:
    camera = camera_ring(1, radius=3.0, size=(96, 64), focal=60.0)[0]
    room, light = plain_room()
    sharp, blurred = (
        View(camera, Scene(room, light, (actor,)), replace(_CLEAN, exposure_s=e)).shoot(0.4) for e in (0.0, 0.06)
    )
    np.testing.assert_array_equal(blurred.keypoints, sharp.keypoints)
    np.testing.assert_array_equal(blurred.person, sharp.person)
    assert np.abs(blurred.image.astype(int) - sharp.image).max() > 20
    with pytest.raises(ValueError, match="odd"):
        Film(blur_samples=4)


def test_no_box_stands_before_a_camera() -> None:
    cameras = camera_ring(4, radius=3.6).centers
    for seed in range(20):
        room, _ = random_room(np.random.default_rng(seed), half=5.4, occluders=6, cameras=cameras)
        middle = (room.boxes[1:, :2] + room.boxes[1:, 3:5]) / 2
        reach = np.linalg.norm(room.boxes[1:, 3:5] - room.boxes[1:, :2], axis=1) / 2
        apart = np.linalg.norm(middle[:, None] - cameras[:, :2], axis=-1) - reach[:, None]
        assert apart.min() > 1.5


def test_clothes_end_at_the_neck() -> None:
    """The chin stands out over the collar, whose plane meets it."""
    human = load_human()
    chin = human.keypoint_index[human.keypoints.index("Face_8")][0]
    for neckline in (-0.05, 0.02):
        fields = region_fields(human, Cut(neckline=neckline))
        assert fields[chin, REGIONS.index("top")] < 0
