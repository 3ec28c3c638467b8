"""Pictures for the network out of annotated images: scaled, turned, mirrored, of other colours, as a seed says."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.pose2d.preprocess import PAD_VALUE
from mv3d.pose2d.training.annotations import Annotated
from mv3d.pose2d.training.config import Augmentation


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where an image goes in the input.

    Attributes:
        input_from_source: (2, 3) input px of source px.
        mirrored: whether it is mirrored, so that left is right.
    """

    input_from_source: Float[np.ndarray, "2 3"]
    mirrored: bool


def draw_placement(image: Annotated, size: int, config: Augmentation, rng: np.random.Generator) -> Placed:
    """A random placement around one of the people, or around the middle of the image if there is nobody.

    Args:
        image: the image.
        size: side of the input px.
        config: how far it may differ.
        rng: decides.
    """
    person = rng.integers(len(image.boxes)) if len(image.boxes) else None
    box = image.boxes[person] if person is not None else np.array([0.0, 0.0, size, size])
    share, turn = rng.uniform(*config.person_share), np.deg2rad(rng.uniform(-1, 1) * config.rotation_deg)
    shift, mirrored = rng.uniform(-1, 1, 2) * config.shift * size, bool(rng.random() < config.flip)
    scale = share * size / max(box[2:].max(), 1.0)
    middle = box[:2] + box[2:] / 2
    A = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if mirrored:
        A = np.diag([-1.0, 1.0]) @ A
    return Placed(np.column_stack([A, (size - 1) / 2 + shift - A @ middle]), mirrored)


def placed_joints(
    xy: Float[np.ndarray, "person joint 2"], placed: Placed, size: int, skeleton: Skeleton
) -> Float[np.ndarray, "person joint 2"]:
    """Joints in input px, left and right exchanged in a mirror; NaN outside of the input."""
    moved = xy @ placed.input_from_source[:, :2].T + placed.input_from_source[:, 2]
    if placed.mirrored:
        moved = moved[:, skeleton.mirror]
    inside = ((moved >= -0.5) & (moved <= size - 0.5)).all(-1, keepdims=True)
    return np.where(inside, moved, np.nan)


def placed_picture(image: UInt8[np.ndarray, "h w 3"], placed: Placed, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The image in the input, shrunk by area first where it shrinks by more than 2; grey beyond its border."""
    M = placed.input_from_source
    shrink = int(1 / np.sqrt(abs(np.linalg.det(M[:, :2]))))
    if shrink > 1 and min(image.shape[:2]) >= 2 * shrink:
        small = (image.shape[1] // shrink, image.shape[0] // shrink)
        factors = np.array(image.shape[1::-1]) / np.array(small)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        # A source px of a small px: factor * (p + 0.5) - 0.5.
        M = np.column_stack([M[:, :2] * factors, M[:, 2] + M[:, :2] @ (0.5 * factors - 0.5)])
    grey = (PAD_VALUE,) * 3
    return cv2.warpAffine(image, M, (size, size), flags=cv2.INTER_LINEAR, borderValue=grey)


def recoloured(
    picture: UInt8[np.ndarray, "size size 3"], config: Augmentation, rng: np.random.Generator
) -> UInt8[np.ndarray, "size size 3"]:
    """Other brightness, contrast and colour; blurred and compressed now and then."""
    gain = 1 + rng.uniform(-1, 1, 3) * config.colour / 2 + rng.uniform(-1, 1) * config.colour
    level = rng.uniform(-1, 1) * config.colour * 128
    out = np.clip((picture.astype(np.float32) - 128) * gain + 128 + level, 0, 255).astype(np.uint8)
    if config.blur_sigma > 0 and rng.random() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.2, max(config.blur_sigma, 0.21)))
    if config.least_jpeg_quality < 100 and rng.random() < 0.5:
        quality = int(rng.integers(config.least_jpeg_quality, 100))
        coded = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        assert out is not None
    return np.ascontiguousarray(out, np.uint8)
