"""The body fitted to a person, once for all formats that want it."""

from functools import lru_cache

from mv3d.data.poses import Poses3D
from mv3d.motion.fit import Fitted, fit_motion


@lru_cache(maxsize=4)
def fitted_body(poses: Poses3D, person: int) -> Fitted:
    """`fit_motion` with its defaults; the last few are kept, since each format asks for every person in turn."""
    return fit_motion(poses, person)
