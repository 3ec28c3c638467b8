"""What is sent of every frame set: one line of JSON; docs/live.md says what is in it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mv3d.data.poses import MEASURED, MISSING
from mv3d.data.skeleton import Skeleton
from mv3d.live.following import LivePerson

# Raised where a receiver that knows the version before would read it wrongly.
MESSAGE_VERSION = 1


def message_of(
    people: Sequence[LivePerson],
    skeleton: Skeleton,
    time: float,
    frame: int,
    latency: float,
    trouble: Mapping[str, str],
) -> str:
    """The message of a set.

    A joint is [x, y, z, measured]: 1 where it was measured in this frame, 0 where it was filled; a missing joint is
    left out, and so is a person without any.

    Args:
        people: who was found, m.
        skeleton: names of the joints.
        time: of the newest set, s since the start; what is sent is the time of the skeletons, if there are any.
        frame: number of the newest set.
        latency: from the arrival of the skeletons' set until they were there, s.
        trouble: by camera, why it has no picture.
    """
    listed = [{"id": p.number, "joints": joints} for p in people if (joints := _joints(p, skeleton))]
    message: dict[str, Any] = {
        "version": MESSAGE_VERSION,
        "time": round(people[0].skeleton.time if people else time, 4),
        "frame": frame,
        "latency_ms": round(1e3 * latency, 1),
        "people": listed,
        "trouble": dict(trouble),
    }
    return json.dumps(message, separators=(",", ":"))


def _joints(person: LivePerson, skeleton: Skeleton) -> dict[str, list[Any]]:
    found = person.skeleton
    return {
        name: [*np.round(found.xyz[j], 4).tolist(), int(found.state[j] == MEASURED)]
        for j, name in enumerate(skeleton.keypoints)
        if found.state[j] != MISSING
    }
