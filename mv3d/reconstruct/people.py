"""Everybody at once, frame after frame: which detection of which view is who, by geometry.

A causal tracker. Every person is expected somewhere; in each view the detections are given to the people by linear
assignment, so that each is used once; what is left over and meets across views becomes a new person, who counts once
they were seen for a while. People who were lost keep their number and bone lengths, and are known by them when they
come back.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mv3d.data.rig import Rig
from mv3d.data.skeleton import Skeleton
from mv3d.reconstruct.acquaintances import Acquaintances
from mv3d.reconstruct.frame_rays import FrameRays, rays_of_frame
from mv3d.reconstruct.ray_table import RayTable
from mv3d.reconstruct.tracking import Expectation

# Fewer joints do not tell one person from another.
_FEWEST_JOINTS = 3
# Frames whose bone lengths are remembered.
_REMEMBERED = 200
# Somebody new gets a detection that suits an old acquaintance as well only if they are this much the better match.
_NEWCOMERS_CLAIM = 0.7
# A pause between two sights counts as this long at most.
_LONGEST_STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class PeopleConfig:
    """Following several people.

    Attributes:
        count: how many people are wanted, the clearest first; 1 is the performer alone, None is all.
        tolerance_m: distance between a joint's ray and the 3D joint at which support halves.
        growth: m by which the tolerance grows for each second that a person was not seen.
        least_support: share of a detection's score that must agree with a person.
        pair_support: share of common joints whose rays must meet for two detections to be a new person, whom a third
            view confirms.
        lone_pair_support: the same where no third view does: people who walk upright on one floor nearly meet in
            places where nobody is.
        least_joints: common joints that a new person needs.
        reach_m: no joint of a person lies farther than this from the middle of the joints.
        apart_m: a new person must be this far from all others, as the median over joints; nearer is the same person.
        confirm_s: a new person counts from the first frame, once they were seen for so long.
        hold_s: how long a person who is not seen is expected where they would be by now.
        bone_tolerance: relative difference of bone lengths, rms, up to which somebody may be a person who was lost.
        recognise_s: a new person who was seen for longer is nobody who was lost: by then their bones would have told.
        most_detections: of a view and frame that are looked at, those of the highest scores; this and the next two
            bound the time of a frame, whatever a detector gives.
        most_people: who are followed at once.
        most_tries: pairs of detections of a frame that are tried as a new person, the best first.
        most_lost: people who were lost and would be known again, the last ones.
    """

    count: int | None = 1
    tolerance_m: float = 0.10
    growth: float = 0.5
    least_support: float = 0.3
    pair_support: float = 0.7
    lone_pair_support: float = 0.8
    least_joints: int = 5
    reach_m: float = 1.3
    apart_m: float = 0.3
    confirm_s: float = 0.2
    hold_s: float = 0.7
    bone_tolerance: float = 0.06
    recognise_s: float = 1.0
    most_detections: int = 100
    most_people: int = 64
    most_tries: int = 16
    most_lost: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A person in one frame.

    Attributes:
        person: number, for good.
        detections: (view,) index of the detection in each view's list; -1 where none is theirs.
        xyz: (joint, 3) m; NaN where fewer than two views agree.
        confirmed: False in the first moments, when it may still be nobody.
    """

    person: int
    detections: np.ndarray
    xyz: np.ndarray
    confirmed: bool


@dataclass(slots=True)
class _Track:
    person: int
    expected: Expectation
    seen_at: float
    seen_for: float = 0.0
    confirmed: bool = False
    named: bool = False
    clarity: float = 0.0
    bones: deque[np.ndarray] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class PeopleTracker:
    """Follows people through the frames of all views."""

    def __init__(self, rig: Rig, skeleton: Skeleton, config: PeopleConfig, table: RayTable | None = None) -> None:
        """Nobody is followed yet; `table` is the rig's, where it is there already."""
        self._skeleton, self._config = skeleton, config
        self._table, self._centers = table or RayTable(rig), np.ascontiguousarray(rig.centers)
        self._tracks: list[_Track] = []
        self._lost = Acquaintances(config.most_lost)
        self._next = 0
        self._renamed: dict[int, int] = {}

    @property
    def numbers(self) -> list[int]:
        """Of those who are followed, seen in the last frame or expected still, confirmed or not."""
        return [track.person for track in self._tracks]

    @property
    def remembered(self) -> list[int]:
        """Of those who were lost and would be known again."""
        return self._lost.numbers

    @property
    def wanted(self) -> list[int]:
        """Of them the `count` whom most views have seen for longest."""
        return [track.person for track in sorted(self._tracks, key=lambda t: -t.clarity)[: self._config.count]]

    def expected(self, time: float) -> dict[int, Float[np.ndarray, "joint 3"]]:
        """Where the joints of those who are wanted will be, by number, m; NaN where unknown."""
        wanted = set(self.wanted)
        at = {track.person: track.expected.at(time) for track in self._tracks if track.person in wanted}
        return {person: xyz for person, xyz in at.items() if xyz is not None}

    def take_renamed(self) -> dict[int, int]:
        """Numbers that turned out to be of people known before, new to old, since this was last asked."""
        renamed, self._renamed = self._renamed, {}
        return renamed

    def step(
        self,
        xy: Sequence[Float[np.ndarray, "_ joint 2"]],
        score: Sequence[Float[np.ndarray, "_ joint"]],
        time: float,
    ) -> list[Seen]:
        """Take in one frame.

        Args:
            xy: each view's detections, px; NaN where missing.
            score: likewise; 0 where missing.
            time: s, later than the last frame's.

        Returns:
            Everybody who is seen by two views or more, confirmed or not.
        """
        rays = rays_of_frame(self._table, self._centers, xy, score).clearest(self._config.most_detections)
        free = np.ones(len(rays), bool)
        out = self._followed(rays, free, time)
        out += self._newcomers(rays, free, time, [seen.xyz for seen in out])
        self._forget(time)
        return out

    def _followed(self, rays: FrameRays, free: np.ndarray, time: float) -> list[Seen]:
        """People who were there before."""
        expected = [track.expected.at(time) for track in self._tracks]
        tracks = [track for track, xyz in zip(self._tracks, expected, strict=True) if xyz is not None]
        if not tracks or not len(rays):
            return []
        config = self._config
        predicted = np.stack([xyz for xyz in expected if xyz is not None])
        unseen = np.array([time - track.seen_at for track in tracks])
        ratio, support = rays.supports(predicted, config.tolerance_m + config.growth * unseen)
        # Who is known for long has the first claim where a detection suits two.
        support *= np.array([1.0 if track.confirmed else _NEWCOMERS_CLAIM for track in tracks])[:, None]
        chosen = rays.assigned(np.where(ratio > config.least_support, support, 0.0))
        xyz = rays.triangulated(chosen, config.reach_m)
        chosen = rays.still_agreeing(chosen, xyz, config.tolerance_m, config.least_support)
        out = []
        for track, own, points in zip(tracks, chosen, xyz, strict=True):
            if (own >= 0).sum() >= 2 and np.isfinite(points[:, 0]).sum() >= _FEWEST_JOINTS:
                free[own[own >= 0]] = False
                out.append(self._update(track, own, points, rays, time))
        return out

    def _newcomers(self, rays: FrameRays, free: np.ndarray, time: float, others: list[np.ndarray]) -> list[Seen]:
        """People made of detections that are nobody's."""
        config, out = self._config, []
        left = rays.only(np.flatnonzero(free & ((rays.score > 0).sum(1) >= config.least_joints)))
        if len(left) < 2:
            return out
        # A point lies half as far from each of two rays as they pass from each other.
        pairs, shares = left.meeting_pairs(
            config.tolerance_m / 2, config.reach_m, config.least_joints, config.pair_support
        )
        unclaimed, tries = np.ones(len(left), bool), 0
        for (d, e), share in zip(pairs.tolist(), shares, strict=True):
            if not (unclaimed[d] and unclaimed[e]):
                continue
            if tries == config.most_tries or len(self._tracks) >= config.most_people:
                break
            tries += 1
            own, xyz = self._joined(left, d, e, unclaimed)
            views = (own >= 0).sum()
            if views < 2 or (views == 2 and share < config.lone_pair_support):
                continue
            if np.isfinite(xyz[:, 0]).sum() < config.least_joints or any(
                _apart(xyz, other) < config.apart_m for other in others
            ):
                continue
            unclaimed[own[own >= 0]] = False
            others.append(xyz)
            track = _Track(self._next, Expectation(len(self._skeleton), config.hold_s), time)
            self._next += 1
            self._tracks.append(track)
            out.append(self._update(track, own, xyz, left, time))
        return out

    def _joined(self, rays: FrameRays, first: int, second: int, unclaimed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two detections and all others that agree with the points where they meet."""
        config = self._config
        own = np.full((1, len(self._centers)), -1)
        own[0, rays.view[first]], own[0, rays.view[second]] = first, second
        for _ in range(2):
            xyz = rays.triangulated(own, config.reach_m)
            ratio, support = rays.supports(xyz, np.array([config.tolerance_m]))
            own = rays.assigned(np.where((ratio > config.least_support) & unclaimed, support, 0.0))
        xyz = rays.triangulated(own, config.reach_m)
        return rays.still_agreeing(own, xyz, config.tolerance_m, config.least_support)[0], xyz[0]

    def _update(self, track: _Track, own: np.ndarray, xyz: np.ndarray, rays: FrameRays, time: float) -> Seen:
        track.expected.update(xyz, time)
        track.seen_for += min(time - track.seen_at, _LONGEST_STEP_S)
        track.seen_at = time
        # A view and a half agree by themselves.
        track.clarity += max(float((own >= 0).sum()) - 1.5, 0.0)
        track.bones.append(self._bone_lengths(xyz))
        track.confirmed |= track.seen_for >= self._config.confirm_s
        if track.confirmed and not track.named:
            self._recognise(track)
            track.named |= track.seen_for >= self._config.recognise_s
        return Seen(track.person, np.where(own >= 0, rays.number[own], -1), xyz, track.confirmed)

    def _bone_lengths(self, xyz: np.ndarray) -> np.ndarray:
        a, b = np.array(self._skeleton.bones).T
        return np.linalg.norm(xyz[a] - xyz[b], axis=1)

    def _forget(self, time: float) -> None:
        for track in list(self._tracks):
            if time - track.seen_at > self._config.hold_s or (
                not track.confirmed and time > track.seen_at + self._config.confirm_s
            ):
                self._tracks.remove(track)
                if track.confirmed:
                    self._lost.add(track.person, track.bones, track.clarity)

    def _recognise(self, track: _Track) -> None:
        """Give a newcomer the number of the person who was lost and has the same bones, if only one has."""
        lost = self._lost.recognised(track.bones, self._config.bone_tolerance)
        if lost is not None:
            self._renamed[track.person] = lost.person
            track.person, track.bones = lost.person, deque([*lost.bones, *track.bones], _REMEMBERED)
            track.named, track.clarity = True, track.clarity + lost.clarity


def _apart(xyz: np.ndarray, other: np.ndarray) -> float:
    distance = np.linalg.norm(xyz - other, axis=1)
    known = np.isfinite(distance)
    return float(np.median(distance[known])) if known.any() else np.inf
