"""What the network should answer: Gaussians and fields on its cells, and where it is not judged."""

import cv2
import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.ideal_maps import ideal_maps
from mv3d.pose2d.models import Model
from mv3d.pose2d.training.annotations import Annotated
from mv3d.pose2d.training.augmentation import Placed, placed_joints


def make_targets(
    image: Annotated, placed: Placed, size: int, model: Model
) -> tuple[Float[np.ndarray, "fields h w"], Float[np.ndarray, "fields h w"]]:
    """Heatmaps and PAFs, one after the other, and their weights.

    A weight is 0 where people without keypoints are, and everywhere for joints and limbs that the data set does not
    label; else 1.

    Args:
        image: people in source px.
        placed: where the image is in the input.
        size: side of the input px.
        model: stride, cell offset and layout of the fields.
    """
    skeleton, shape = model.layout, (size // model.stride, size // model.stride)
    xy = placed_joints(image.xy, placed, size, skeleton)
    maps, pafs = ideal_maps(xy, skeleton, shape, model.stride, model.cell_offset)
    judged = _judged(image, placed, size, model)
    known = image.known[skeleton.mirror] if placed.mirrored else image.known
    weights = _labelled(known, skeleton)[:, None, None] * judged
    return np.concatenate([maps, pafs]), weights.astype(np.float32)


def _labelled(known: np.ndarray, skeleton: Skeleton) -> Float[np.ndarray, " fields"]:
    """1 for the channels that the data set has labels for; the background wants all joints."""
    pafs = np.zeros(skeleton.paf_count)
    for (a, b), channels in zip(skeleton.limbs, skeleton.paf_channels, strict=True):
        pafs[list(channels)] = known[a] and known[b]
    background = [known.all()] if skeleton.has_background else []
    return np.concatenate([known.astype(float), background, pafs])


def _judged(image: Annotated, placed: Placed, size: int, model: Model) -> Float[np.ndarray, "h w"]:
    """Share of each cell that is not covered by somebody without keypoints."""
    mask = np.ones((size, size), np.float32)
    M = placed.input_from_source
    for outline in image.unlabelled:
        corners = outline @ M[:, :2].T + M[:, 2]
        cv2.fillPoly(mask, [np.round(np.clip(corners, -1e4, 1e4)).astype(np.int32)], 0.0)
    cells = mask.reshape(size // model.stride, model.stride, size // model.stride, model.stride).mean((1, 3))
    # A person who is cut out is cut out with the cells that see their edge.
    return (cells == 1).astype(np.float32)
