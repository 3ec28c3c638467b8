"""What to show of a board next, in words: the most urgent first."""

import numpy as np

from calib.guidance_state import PLACES, TILTS, CameraCoverage, GuidanceConfig, GuidanceState

_ROWS, _COLUMNS = ("upper", "", "lower"), ("left", "", "right")
_ALONE = ("top", "middle", "bottom")
_ENOUGH = "enough: every target is met; stop, or go on for more certainty"


def place_name(place: int) -> str:
    """Where in the image a place is: upper left, top, ..., lower right."""
    row, column = divmod(place, PLACES)
    if column == 1:
        return _ALONE[row]
    return f"{_ROWS[row]} {_COLUMNS[column]}".strip()


def next_view(camera: CameraCoverage) -> tuple[int, int]:
    """Place and tilt that a camera was shown least.

    A tilted board tells the focal length and one that faces the camera does not, so tilts come first; of places alike
    the outer ones, where a lens bends most.
    """
    tilts, places = camera.shown.sum(0), camera.shown.sum(1)
    tilted = 1 + int(np.argmin(tilts[1:]))
    outward = np.array([np.hypot(*(np.array(divmod(p, PLACES)) - PLACES // 2)) for p in range(PLACES**2)])
    return int(np.lexsort((-outward, places + camera.shown[:, tilted]))[0]), tilted


def advise(state: GuidanceState, config: GuidanceConfig) -> list[str]:
    """A line for everything that is missing, one for each camera and pair at most; what is worst first."""
    if state.enough:
        return [_ENOUGH]
    cameras = sorted((c for c in state.cameras if not c.enough), key=lambda c: (c.views, -c.focal_sd))
    lines = [_camera_line(c, config) for c in cameras]
    return [*_pair_lines(state, config), *lines]


def _camera_line(camera: CameraCoverage, config: GuidanceConfig) -> str:
    if not camera.views:
        return f"{camera.camera}: has not seen the board yet"
    place, tilt = next_view(camera)
    known = f"focal length known to {camera.focal_sd:.2%}" if np.isfinite(camera.focal_sd) else "focal length not known"
    return (
        f"{camera.camera}: {place_name(place)}, {TILTS[tilt]}"
        f" ({camera.views} views, want {config.views}; {known}, want {config.focal_share:.2%})"
    )


def _pair_lines(state: GuidanceState, config: GuidanceConfig) -> list[str]:
    """The pairs that would join the rig, or else the one whose distance is known worst."""
    if state.joining:
        return [
            f"{' and '.join(p.cameras)} see the board together: {p.views}, want {config.pair_views}"
            for p in state.joining
        ]
    loose = [p for p in state.pairs if not p.distance_sd <= config.distance_share]
    if not loose or any(not np.isfinite(p.distance_sd) for p in loose):
        return []
    worst = max(loose, key=lambda p: p.distance_sd)
    apart = f"{worst.distance:.2f} m apart to {worst.distance_sd:.2%}, want {config.distance_share:.2%}"
    return [f"{' and '.join(worst.cameras)}: {apart}; show the board to both, and between them to all"]
