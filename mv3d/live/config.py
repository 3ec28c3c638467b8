"""Settings of a live run."""

from dataclasses import dataclass, field

from mv3d.capture.frames import SourceSettings
from mv3d.capture.live_frames import LiveFramesConfig


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """A live run.

    Attributes:
        source: what is asked of the cameras.
        frames: matching them.
        remembered: sets over which rate and latency are told while it runs.
        summarised: sets over which they are told at the end, the last ones; half an hour at 30 frames/s.
        patience_s: without a new set for so long somebody should hear of it.
    """

    source: SourceSettings = field(default_factory=SourceSettings)
    frames: LiveFramesConfig = field(default_factory=LiveFramesConfig)
    remembered: int = 60
    summarised: int = 54_000
    patience_s: float = 1.0
