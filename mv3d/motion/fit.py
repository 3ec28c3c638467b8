"""A moving body from the joint positions of a sequence: constant bones, smooth rotations within the joints' limits.

Lengths are learnt first, on the whole recording or on pieces of a long one, in turn with its poses; then all frames are
solved, a long recording in windows that overlap. docs/motion.md derives it.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.motion import Motion
from mv3d.data.poses import MISSING, Poses3D
from mv3d.errors import ReconstructionError
from mv3d.geometry.kinematics import joint_frames
from mv3d.motion import pose_kernels
from mv3d.motion.contact import ContactConfig, Contacts, foot_contacts, with_contacts
from mv3d.motion.human import human_body, is_human
from mv3d.motion.lengths import Posed, improved
from mv3d.motion.model import Body
from mv3d.motion.observed import Targets, targets
from mv3d.motion.solve import MotionPrior, State, solve, tracked
from mv3d.motion.start import root_guess
from mv3d.motion.stretches import StretchConfig, pieces, windows
from mv3d.motion.tree import tree_body


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How a body is fitted.

    Attributes:
        prior: what is usual for angles.
        contact: feet on the floor.
        refinements: how often lengths are improved.
        iterations: most steps of a solution.
        stretches: how a long recording is cut.
    """

    prior: MotionPrior = field(default_factory=MotionPrior)
    contact: ContactConfig = field(default_factory=ContactConfig)
    refinements: int = 2
    iterations: int = 30
    stretches: StretchConfig = field(default_factory=StretchConfig)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fitted body.

    Attributes:
        motion: rotations in all frames.
        body: its joints' freedom, where keypoints sit on it.
        bone_sigma: (bone,) m, standard deviation of the lengths of `body.bones`.
        angles: (frame, angle) rad, in the order of `body.angle_names`; always within `body.limits`.
        residual: (frame, site) m, distance of each site to its keypoint; NaN where that is missing.
        contacts: when and where feet rest.
        converged: whether all windows converged.
    """

    motion: Motion
    body: Body
    bone_sigma: np.ndarray
    angles: np.ndarray
    residual: np.ndarray
    contacts: Contacts
    converged: bool


def fit_motion(poses: Poses3D, person: int = 0, config: FitConfig | None = None) -> Fitted:
    """Fit a body to one person.

    Args:
        poses: the joints.
        person: index on the person axis.
        config: settings; FitConfig() if None.

    Raises:
        ReconstructionError: the person has no frame, or no bone that was ever measured.
    """
    config = config or FitConfig()
    body = _measured_body(poses, person)
    body, sigma = _learnt(body, poses, person, config)
    contacts = foot_contacts(poses, person, body, config.contact)
    state, converged = _in_windows(body, poses, person, contacts, config)
    rotations = _rotations(body, state.root, state.q)
    motion = Motion(body.armature, rotations, state.t, poses.timestamps, int(poses.person_id[person]))
    return Fitted(motion, body, sigma, state.q, _residual(motion, body, poses, person), contacts, converged)


def fit_motions(poses: Poses3D, config: FitConfig | None = None) -> tuple[Fitted, ...]:
    """Fit a body to every person; see `fit_motion`."""
    return tuple(fit_motion(poses, person, config) for person in range(poses.xyz.shape[1]))


def site_positions(motion: Motion, body: Body) -> Float[np.ndarray, "frame site 3"]:
    """Where a body's keypoints are (m) in a motion of its armature."""
    R, x = motion.world_frames()
    joints = [site.joint for site in body.sites]
    offsets = np.array([site.offset for site in body.sites])
    return x[:, joints] + np.einsum("fsab,sb->fsa", R[:, joints], offsets)


def _measured_body(poses: Poses3D, person: int) -> Body:
    xyz = np.where((poses.state[:, person] == MISSING)[..., None], np.nan, poses.xyz[:, person])
    if is_human(poses.skeleton, xyz):
        return human_body(poses.skeleton, xyz)
    body = tree_body(poses.skeleton, xyz)
    if body is None:
        raise ReconstructionError(
            f"person {int(poses.person_id[person])}: no bone of {poses.skeleton.name} was measured in"
            f" {len(poses)} frames, so there is no body to fit; give a recording with measured joints"
        )
    return body


def _learnt(body: Body, poses: Poses3D, person: int, config: FitConfig) -> tuple[Body, np.ndarray]:
    """Lengths in turn with the poses of a sample."""
    sample = [targets(poses, person, body.sites, piece) for piece in pieces(len(poses), config.stretches)]
    sigma = np.zeros(len(body.bones))
    for _ in range(config.refinements):
        posed = []
        for part in sample:
            state, _ = _solved(body, part, config)
            R, x = joint_frames(
                np.array(body.armature.parents),
                body.armature.offsets,
                _rotations(body, state.root, state.q),
                state.t,
            )
            posed.append(Posed(part, R, x))
        body, sigma = improved(body, posed, config.prior.blunder_sigmas)
    return body, sigma


def _in_windows(body: Body, poses: Poses3D, person: int, contacts: Contacts, config: FitConfig) -> tuple[State, bool]:
    """All frames; where windows overlap, one is faded into the other."""
    frames, angles, converged, end = len(poses), len(body.angle_names), True, 0
    whole = State(np.empty((frames, angles)), np.empty((frames, 3, 3)), np.empty((frames, 3)))
    for window in windows(frames, config.stretches):
        aims = with_contacts(targets(poses, person, body.sites, window), contacts, window)
        part, done = _solved(body, aims, config)
        shared = slice(window.start, end)
        part.fade_in(State(whole.q[shared], whole.root[shared], whole.t[shared]))
        whole.q[window], whole.root[window], whole.t[window] = part.q, part.root, part.t
        end, converged = window.stop, converged and done
    return whole, converged


def _solved(body: Body, part: Targets, config: FitConfig) -> tuple[State, bool]:
    start = tracked(body, part, config.prior, *root_guess(body, part))
    state, outcome = solve(body, part, config.prior, start, config.iterations)
    return state, outcome.converged


def _rotations(body: Body, root: np.ndarray, q: np.ndarray) -> np.ndarray:
    out = np.empty((len(q), len(body.armature), 3, 3))
    pose_kernels.local_rotations(body.chain(), q, root, out)
    return out


def _residual(motion: Motion, body: Body, poses: Poses3D, person: int) -> np.ndarray:
    keypoints = [site.keypoint for site in body.sites]
    return np.linalg.norm(site_positions(motion, body) - poses.xyz[:, person][:, keypoints], axis=-1)
