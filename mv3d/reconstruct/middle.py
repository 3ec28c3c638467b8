"""Where the middle of a person is: what "too far to be one of their joints" is measured from."""

import numpy as np
from jaxtyping import Float

from mv3d.reconstruct.noise import nanmedian

# The joints of a body come first in every skeleton that has hands and a face too, 21 to 70 points each; the largest
# body known has 33. Counted in, they would draw the median into the face, and the feet would be out of reach.
_BODY_JOINTS = 33


def middle_of_body(xyz: Float[np.ndarray, "*batch joint 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Median of the body's joints, m; of all joints where none of the body is known, NaN where none is at all."""
    middle = nanmedian(xyz[..., :_BODY_JOINTS, :], axis=-2)
    unknown = np.isnan(middle[..., 0])
    if xyz.shape[-2] > _BODY_JOINTS and unknown.any():
        middle = np.where(unknown[..., None], nanmedian(xyz, axis=-2), middle)
    return middle
