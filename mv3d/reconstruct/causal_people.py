"""Several people, one frame in, their skeletons out: the tracker tells who is who, a causal filter follows each.

What was learnt of the cameras' noise from one person is where the next one's filter starts; somebody who comes back
goes on with the bones that were theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.association import chosen_keypoints
from mv3d.reconstruct.causal import CausalReconstructor
from mv3d.reconstruct.causal_lag import CausalSkeleton
from mv3d.reconstruct.causal_model import CausalConfig, CausalModel, Learning, without_bones
from mv3d.reconstruct.people import PeopleConfig, PeopleTracker
from mv3d.reconstruct.ray_table import RayTable


@dataclass(frozen=True, slots=True, eq=False)
class CausalPerson:
    """Somebody in one frame: a number that stays theirs, and the skeleton."""

    number: int
    skeleton: CausalSkeleton


@dataclass(slots=True, eq=False)
class _Followed:
    filter: CausalReconstructor
    confirmed: bool


class CausalPeople:
    """Follows those people whom most views have seen for longest, at most `people.count` at a time."""

    def __init__(
        self, rig: Rig, skeleton: Skeleton, people: PeopleConfig, config: CausalConfig, learning: Learning
    ) -> None:
        self._rig, self._skeleton = rig, skeleton
        self._people, self._config, self._learning = people, config, learning
        self._table = RayTable(rig)
        self._tracker = PeopleTracker(rig, skeleton, people, self._table)
        self._followed: dict[int, _Followed] = {}
        # Models of those who may come back.
        self._models: dict[int, CausalModel] = {}

    def step(
        self,
        xy: Sequence[Float[np.ndarray, "_ joint 2"]],
        score: Sequence[Float[np.ndarray, "_ joint"]],
        time: float,
        delay: Float[np.ndarray, " view"] | None = None,
    ) -> list[CausalPerson]:
        """Take in one frame.

        Args:
            xy: each view's detections, px; NaN where missing.
            score: likewise; 0 where missing.
            time: s, later than the last frame's.
            delay: s by which each view's picture is later than `time`; none if not given.

        Returns:
            Everybody who was seen for long enough to be somebody, by number; with a lag, as they were that many frames
            before. Who is out of sight for the moment is among them, their joints missing.
        """
        seen = {one.person: one for one in self._tracker.step(xy, score, time)}
        self._rename()
        self._choose()
        out = []
        for number in sorted(self._followed):
            one, followed = seen.get(number), self._followed[number]
            nowhere = (-1,) * len(self._rig)
            own = nowhere if one is None else one.detections.tolist()
            keypoints = chosen_keypoints(xy, score, [d if d >= 0 else None for d in own])
            skeleton = followed.filter.step(*keypoints, time, delay)
            followed.confirmed |= one is not None and one.confirmed
            if skeleton is not None and followed.confirmed:
                out.append(CausalPerson(number, skeleton))
        return out

    def expected(self, time: float) -> dict[int, Float[np.ndarray, "joint 3"]]:
        """Where the joints of those who are followed will be, by number, m; NaN where unknown."""
        return self._tracker.expected(time)

    def _rename(self) -> None:
        """Who turned out to be an old acquaintance goes on under the old number, with the old bones."""
        for new, old in self._tracker.take_renamed().items():
            if new in self._followed:
                self._followed[old] = self._followed.pop(new)
                if old in self._models:
                    self._followed[old].filter.model = self._models.pop(old)

    def _choose(self) -> None:
        """Whom to follow now; begins and ends filters."""
        chosen = self._tracker.wanted
        for number in self._followed.keys() - set(chosen):
            ended = self._followed.pop(number)
            if ended.confirmed:
                self._models[number] = ended.filter.model
        for number in chosen:
            if number not in self._followed:
                self._followed[number] = _Followed(self._begun(number), confirmed=False)
        known = {*self._tracker.numbers, *self._tracker.remembered}
        self._models = {number: model for number, model in self._models.items() if number in known}

    def _begun(self, number: int) -> CausalReconstructor:
        begun = CausalReconstructor(self._rig, self._skeleton, self._config, self._learning, self._table)
        if number in self._models:
            begun.model = self._models.pop(number)
        elif self._followed:
            longest = max(self._followed.values(), key=lambda followed: followed.filter.frames)
            begun.model = without_bones(longest.filter.model, len(self._skeleton))
        return begun
