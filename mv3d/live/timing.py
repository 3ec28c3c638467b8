"""How a live run goes: counts, rate, latency; while it runs and at the end."""

import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.files.writing import whole_file


@dataclass(frozen=True, slots=True)
class Timing:
    """One frame set.

    Attributes:
        done: when its skeleton was there, s.
        latency: from the arrival of the last of its frames until then, s.
        network: of it in the 2D stage, s.
        reconstruction: of it in the 3D stage, s.
    """

    done: float
    latency: float
    network: float
    reconstruction: float


@dataclass(frozen=True, slots=True, eq=False)
class LiveStatus:
    """How it goes.

    Attributes:
        sets: frame sets that were looked at.
        dropped: frames of the busiest camera that were not, because newer ones were there.
        fps: sets a second, of the last ones; NaN before there are two.
        latency: from the arrival of a set's last frame to its skeleton, median of the last ones, s.
        network: of it in the 2D stage, s.
        reconstruction: of it in the 3D stage, s.
        people: who were found last.
        joints: of them that are not missing.
        trouble: by camera, why it has no picture.
    """

    sets: int
    dropped: int
    fps: float
    latency: float
    network: float
    reconstruction: float
    people: int
    joints: int
    trouble: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 95th percentile and largest of times, ms."""

    median_ms: float
    p95_ms: float
    largest_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class LiveSummary:
    """How it went.

    Attributes:
        seconds: from the first set to the last.
        sets: frame sets that were looked at.
        dropped: frames of the busiest camera that were not.
        fps: sets a second.
        latency: from the arrival of a set's last frame to its skeleton.
        network: the 2D stage alone.
        reconstruction: the 3D stage alone.
        beyond_network: latency less the 2D stage.
        with_people: sets in which somebody was found.
        without: by camera, sets in which it had no picture.
    """

    seconds: float
    sets: int
    dropped: int
    fps: float
    latency: Spread
    network: Spread
    reconstruction: Spread
    beyond_network: Spread
    with_people: int
    without: dict[str, int]

    def save(self, path: Path) -> None:
        """Write JSON; a number that is not known is null."""
        with whole_file(path) as part:
            part.write_text(json.dumps(_known(asdict(self)), indent=1) + "\n", encoding="utf-8")


class Timings:
    """Keeps the last sets' times and counts the rest."""

    def __init__(self, remembered: int, summarised: int) -> None:
        """Nothing has happened; see `LiveConfig`."""
        self._remembered = remembered
        self._all: deque[Timing] = deque(maxlen=summarised)
        self._first = float("nan")
        self.sets, self.with_people = 0, 0
        self.without: Counter[str] = Counter()

    def add(self, timing: Timing, people: int, without: Mapping[str, str]) -> None:
        """A set is done, with so many people, without these cameras."""
        self._first = timing.done if self.sets == 0 else self._first
        self._all.append(timing)
        self.sets += 1
        self.with_people += people > 0
        self.without.update(without.keys())

    @property
    def last(self) -> Timing:
        """Of the last set."""
        return self._all[-1]

    def recent(self) -> tuple[float, float, float, float]:
        """Sets a second, and the medians of latency, 2D stage and 3D stage, of the last sets, s."""
        last = [self._all[k] for k in range(max(len(self._all) - self._remembered, 0), len(self._all))]
        if not last:
            return float("nan"), float("nan"), float("nan"), float("nan")
        fps = (len(last) - 1) / (last[-1].done - last[0].done) if len(last) > 1 else float("nan")
        latency, network, reconstruction = np.median([(t.latency, t.network, t.reconstruction) for t in last], axis=0)
        return fps, float(latency), float(network), float(reconstruction)

    def summary(self, dropped: int) -> LiveSummary:
        """All of it."""
        times = np.array([(t.latency, t.network, t.reconstruction, t.latency - t.network) for t in self._all])
        seconds = self._all[-1].done - self._first if self._all else 0.0
        fps = (self.sets - 1) / seconds if seconds > 0 else float("nan")
        latency, network, reconstruction, beyond = (_spread(column) for column in times.reshape(-1, 4).T)
        return LiveSummary(
            seconds, self.sets, dropped, fps, latency, network, reconstruction, beyond, self.with_people,
            dict(self.without),
        )  # fmt: skip


def _spread(seconds: np.ndarray) -> Spread:
    if not len(seconds):
        return Spread(float("nan"), float("nan"), float("nan"))
    return Spread(*(float(1e3 * np.percentile(seconds, q)) for q in (50, 95, 100)))


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(own) for key, own in value.items()}
    if isinstance(value, float):
        return round(value, 3) if np.isfinite(value) else None
    return value
