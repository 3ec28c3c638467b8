"""Who is followed while the cameras run: the 2D look and the 3D step of one frame set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from mv3d.config import Config
from mv3d.data.poses import MISSING
from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.guidance import Guide
from mv3d.people_guidance import PeopleGuide
from mv3d.pose2d.detector import Detector
from mv3d.reconstruct.causal import CausalReconstructor
from mv3d.reconstruct.causal_lag import CausalSkeleton
from mv3d.reconstruct.causal_model import CausalConfig, Learning
from mv3d.reconstruct.causal_people import CausalPeople
from mv3d.reconstruct.people import PeopleConfig

# Apart in time as two frames of a camera are; which does not matter where kernels are only compiled.
_A_FRAME = 1 / 30
# Where somebody made up stands before the first camera.
_AWAY_M = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen2D:
    """The 2D detections of one frame set.

    Attributes:
        xy: for each view (detection, joint, 2) px; NaN where missing.
        score: for each view (detection, joint).
    """

    xy: tuple[np.ndarray, ...]
    score: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LivePerson:
    """Somebody in one frame set: a number that stays theirs, and the skeleton."""

    number: int
    skeleton: CausalSkeleton

    @property
    def joints(self) -> int:
        """How many are not missing; none where nobody is in view."""
        return int((self.skeleton.state != MISSING).sum())


@runtime_checkable
class Follower(Protocol):
    """Finds people in frame sets, one set after the other."""

    @property
    def skeleton(self) -> Skeleton:
        """The joints of everybody."""
        ...

    def prepare(self) -> None:
        """Compile and load what the first set would have to wait for."""
        ...

    def look(self, images: Sequence[np.ndarray | None], time: float) -> Seen2D:
        """The 2D stage; None for views without a picture."""
        ...

    def step(self, seen: Seen2D, time: float, delay: np.ndarray) -> list[LivePerson]:
        """The 3D stage; with a lag, of the frame so many sets before."""
        ...


class OnePerson:
    """The performer alone."""

    def __init__(self, rig: Rig, estimator: Detector, config: Config) -> None:
        self._rig, self._estimator = rig, estimator
        # The next frame set is the next look: settling on this one, or looking closer, would only make it late.
        close = replace(config.guidance.wrists, enabled=False)
        guidance = replace(config.guidance, settling_looks=0, wrists=close)
        self._guide = Guide(rig, estimator, guidance, config.reconstruct.association)
        self._reconstructor = reconstructor(rig, estimator.skeleton, config)

    @property
    def skeleton(self) -> Skeleton:
        """The joints."""
        return self._estimator.skeleton

    def prepare(self) -> None:
        """Let the network see black images and compile the filter's kernels, which takes seconds the first time."""
        prepare(self._rig, self._estimator)

    def look(self, images: Sequence[np.ndarray | None], time: float) -> Seen2D:
        """The 2D stage, guided by the last look."""
        look = self._guide.look(images, time)
        return Seen2D(tuple(xy[None] for xy in look.xy), tuple(score[None] for score in look.score))

    def step(self, seen: Seen2D, time: float, delay: np.ndarray) -> list[LivePerson]:
        """The 3D stage."""
        skeleton = self._reconstructor.step(np.concatenate(seen.xy), np.concatenate(seen.score), time, delay)
        return [] if skeleton is None else [LivePerson(0, skeleton)]


class SeveralPeople:
    """Everybody, or so many: in crops around those who are followed, and now and then in whole images."""

    def __init__(self, rig: Rig, estimator: Detector, config: Config) -> None:
        self._rig, self._estimator = rig, estimator
        reconstruct, guidance = config.reconstruct, config.guidance
        self._guide = PeopleGuide(rig, estimator, guidance, guidance.live_search_s)
        learning = Learning(reconstruct.triangulation, reconstruct.sequence)
        causal = replace(reconstruct.causal, in_background=True)
        self._people = CausalPeople(rig, estimator.skeleton, reconstruct.people, causal, learning)

    @property
    def skeleton(self) -> Skeleton:
        """The joints."""
        return self._estimator.skeleton

    def prepare(self) -> None:
        """As for one person; the tracker's kernels too, on somebody made up, of whom nothing is kept."""
        prepare(self._rig, self._estimator)
        made_up = CausalPeople(self._rig, self.skeleton, PeopleConfig(), CausalConfig(), Learning())
        xyz = self._rig.centers[0] + _AWAY_M * self._rig[0].R[2]
        xyz = xyz + np.random.default_rng(0).uniform(-0.4, 0.4, (len(self.skeleton), 3))
        xy = [camera.project(xyz)[None] for camera in self._rig]
        score = [np.isfinite(own[..., 0]).astype(float) for own in xy]
        for frame in range(3):
            made_up.step(xy, score, frame * _A_FRAME)

    def look(self, images: Sequence[np.ndarray | None], time: float) -> Seen2D:
        """The 2D stage, guided by the last skeletons."""
        look = self._guide.look(images, time, self._people.expected(time))
        return Seen2D(look.xy, look.score)

    def step(self, seen: Seen2D, time: float, delay: np.ndarray) -> list[LivePerson]:
        """The 3D stage."""
        return [LivePerson(p.number, p.skeleton) for p in self._people.step(seen.xy, seen.score, time, delay)]


def make_follower(rig: Rig, estimator: Detector, config: Config) -> Follower:
    """The performer alone, or as many people as are wanted."""
    several = config.reconstruct.people.count != 1
    return SeveralPeople(rig, estimator, config) if several else OnePerson(rig, estimator, config)


def prepare(rig: Rig, estimator: Detector) -> None:
    """Let the network see black images and compile the filter's kernels, which takes seconds the first time."""
    skeleton = estimator.skeleton
    estimator.detect([np.zeros((h, w, 3), np.uint8) for w, h in (camera.size for camera in rig)])
    filtered = CausalReconstructor(rig, skeleton, CausalConfig())
    xy = np.tile(np.array([camera.size for camera in rig], float)[:, None] / 2, (1, len(skeleton), 1))
    for frame in range(3):
        filtered.step(xy, np.ones(xy.shape[:2]), frame * _A_FRAME)


def reconstructor(rig: Rig, skeleton: Skeleton, config: Config) -> CausalReconstructor:
    """The causal filter of one person; it learns beside the run."""
    learning = Learning(config.reconstruct.triangulation, config.reconstruct.sequence)
    return CausalReconstructor(rig, skeleton, replace(config.reconstruct.causal, in_background=True), learning)
