"""Feet that rest are held where they rest, and only those."""

import numpy as np
import pytest

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.geometry.rotations import rotation_from_vector
from mv3d.motion.contact import ContactConfig
from mv3d.motion.fit import FitConfig, Fitted, fit_motion, site_positions
from mv3d.synthetic.performer import walking_person
from mv3d.synthetic.steps import stepping_person

# m, a foot may slide and sink by this; see the goal in docs/motion.md.
_GOAL = 0.02


def _slides(fitted: Fitted, resting: np.ndarray) -> np.ndarray:
    """How far (m) foot points move from the middle of each rest; resting: (frame, foot point)."""
    places, out = site_positions(fitted.motion, fitted.body), []
    for i, site in enumerate(fitted.contacts.sites):
        frames = np.flatnonzero(resting[:, i])
        for rest in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
            x = places[rest, site]
            out += [np.linalg.norm(x - x.mean(0), axis=-1).max()] if len(rest) > 6 else []
    return np.array(out)


def _truly(fitted: Fitted, resting: np.ndarray) -> np.ndarray:
    """The truth of (frame, left and right) for each foot point."""
    names = [BODY_25.keypoints[fitted.body.sites[i].keypoint] for i in fitted.contacts.sites]
    return resting[:, [0 if name[0] == "L" else 1 for name in names]]


def test_steps_do_not_slide_or_sink(make_poses):
    truth, times, resting = stepping_person(200)
    fitted = fit_motion(make_poses(truth, times))
    feet = _truly(fitted, resting)
    found = fitted.contacts.resting
    # Averaging over a tenth of a second blurs the ends of a rest.
    assert (found == feet).mean() > 0.9
    assert _slides(fitted, found & feet).max() < _GOAL
    assert fitted.contacts.floor == 0.0
    assert site_positions(fitted.motion, fitted.body)[:, list(fitted.contacts.sites), 2].min() > -_GOAL
    free = fit_motion(make_poses(truth, times), config=FitConfig(contact=ContactConfig(enabled=False)))
    held = list(fitted.contacts.sites)
    miss = [
        np.linalg.norm(site_positions(f.motion, f.body)[:, held] - _feet(truth, f, held), axis=-1)
        for f in (fitted, free)
    ]
    assert np.median(miss[0]) < 0.7 * np.median(miss[1])


def _feet(truth: np.ndarray, fitted: Fitted, sites: list[int]) -> np.ndarray:
    return truth[:, [fitted.body.sites[i].keypoint for i in sites]]


def test_feet_that_skate_are_left_alone(make_poses):
    """The synthetic walker's feet do not rest: what is found is the blink at which they turn round."""
    truth, times = walking_person(150, seed=3)
    fitted = fit_motion(make_poses(truth, times))
    assert fitted.contacts.resting.mean() < 0.1


def test_measured_below_the_floor_is_put_on_it(make_poses):
    truth, times, _ = stepping_person(90)
    feet = [BODY_25.index(side + name) for side in "LR" for name in ("Heel", "BigToe", "SmallToe")]
    truth[..., 2] -= truth[:, feet, 2].min() - 0.005
    truth[20:40, feet, 2] -= 0.05
    fitted = fit_motion(make_poses(truth, times, noise=0.001))
    assert site_positions(fitted.motion, fitted.body)[:, list(fitted.contacts.sites), 2].min() > -_GOAL


def test_floor_is_where_feet_rest(make_poses):
    truth, times, _ = stepping_person(90)
    fitted = fit_motion(make_poses(truth + np.array([0, 0, 0.4]), times))
    # The foot's points rest 26 mm over the floor.
    assert fitted.contacts.floor == pytest.approx(0.426, abs=0.01)


def test_no_floor_where_z_is_not_up(make_poses):
    truth, times, _ = stepping_person(90)
    lying = truth @ rotation_from_vector(np.array([np.pi / 2, 0, 0])).T
    fitted = fit_motion(make_poses(lying, times))
    assert fitted.contacts.floor is None
    assert fitted.contacts.resting.any()


def test_without_feet_there_are_no_contacts(make_poses):
    truth, times = walking_person(10, skeleton=COCO_18)
    contacts = fit_motion(make_poses(truth, times, COCO_18)).contacts
    assert contacts.sites == ()
    assert contacts.floor is None
