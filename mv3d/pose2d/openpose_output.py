"""What a network says of one image in OpenPose's file formats: keypoints, candidates, heatmaps and fields."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from mv3d.data.skeleton import Skeleton
from mv3d.errors import SessionError
from mv3d.files.image_folder import write_png
from mv3d.files.writing import whole_file, write_text
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.preprocess import Fit

KeypointScale = Literal["source", "net", "output", "unit", "symmetric", "unit_aspect", "symmetric_aspect"]
"""OpenPose's --keypoint_scale, 0 to 6."""
MapScale = Literal["symmetric", "unit", "uint8", "none"]
_JSON_GROUPS = {"face": "face", "left_hand": "hand_left", "right_hand": "hand_right"}
_STRIDE = 8


@dataclass(frozen=True, slots=True)
class WantedMaps:
    """Which maps are written, in OpenPose's order: joints, background, PAFs.

    Attributes:
        parts: the heatmaps of the joints.
        background: the background's.
        pafs: the part affinity fields.
        scale: symmetric -1 to 1, unit 0 to 1, uint8 0 to 255, none as the network gives them. Fields, which have signs,
            have their zero in the middle of each.
    """

    parts: bool = False
    background: bool = False
    pafs: bool = False
    scale: MapScale = "uint8"


def output_factor(source: tuple[int, int], output: tuple[int, int] | None) -> float:
    """Output px per source px, by which the whole image fits: first and last pixel centres meet (OpenPose's rule).

    Args:
        source: (width, height) px of the image.
        output: (width, height) px of the output; None for the image's own size.
    """
    if output is None:
        return 1.0
    return min(max(to - 1, 1) / max(of - 1, 1) for to, of in zip(output, source, strict=True))


def scaled_keypoints(
    xy: Float[np.ndarray, "*batch 2"],
    scale: KeypointScale,
    placement: Fit,
    output: tuple[int, int] | None = None,
) -> Float[np.ndarray, "*batch 2"]:
    """Keypoints (source px) in the units of OpenPose's --keypoint_scale.

    Args:
        xy: source px.
        scale: source (0), net (1), output (2), unit from 0 to 1 (3), symmetric from -1 to 1 (4); unit_aspect (5) and
            symmetric_aspect (6) divide x and y alike, by the longer side.
        placement: where the image lay in the network's input.
        output: (width, height) px of the output; None for the image's own size.
    """
    if scale == "net":
        return placement.to_input(xy)
    if scale == "source":
        return xy
    if scale == "output":
        return xy * output_factor(placement.source, output)
    sides = np.maximum(np.array(placement.source) - 1.0, 1.0)
    share = xy / (sides.max() if scale.endswith("_aspect") else sides)
    return share if scale.startswith("unit") else 2 * share - 1


def people_document(
    detections: Detections,
    skeleton: Skeleton,
    scale: KeypointScale,
    placement: Fit,
    output: tuple[int, int] | None = None,
    *,
    candidates: bool = False,
) -> dict[str, Any]:
    """OpenPose's JSON (1.3) of one image; a missing joint is 0, 0, 0. See `scaled_keypoints`."""
    parts = {name: list(joints) for name, joints in skeleton.groups if name in _JSON_GROUPS}
    others = {joint for joints in parts.values() for joint in joints}
    body = [joint for joint in range(len(skeleton)) if joint not in others]
    xy = scaled_keypoints(detections.xy, scale, placement, output)
    people = []
    for person in range(len(detections)):
        blocks = {name: _triples(xy[person, j], detections.score[person, j]) for name, j in parts.items()}
        flat = {f"{_JSON_GROUPS[name]}_keypoints_2d": values for name, values in blocks.items()}
        own = {"person_id": [-1], "pose_keypoints_2d": _triples(xy[person, body], detections.score[person, body])}
        empty = {f"{name}_keypoints_2d": [] for name in _JSON_GROUPS.values()}
        kinds = ("pose", *_JSON_GROUPS.values())
        people.append({**own, **empty, **flat, **{f"{kind}_keypoints_3d": [] for kind in kinds}})
    document: dict[str, Any] = {"version": 1.3, "people": people}
    if candidates:
        peaks = scaled_keypoints(detections.peaks_xy, scale, placement, output)
        seen = detections.peaks_score > 0
        document["part_candidates"] = [
            {str(j): _triples(peaks[j][seen[j]], detections.peaks_score[j][seen[j]]) for j in body}
        ]
    return document


def _triples(xy: Float[np.ndarray, "n 2"], score: Float[np.ndarray, " n"]) -> list[float]:
    known = np.isfinite(xy).all(-1) & (score > 0)
    rows = np.concatenate([xy, score[:, None]], axis=1)
    return [round(float(value), 4) for value in np.where(known[:, None], rows, 0.0).ravel()]


def write_people(path: Path, document: dict[str, Any]) -> None:
    """Write a document of people; SessionError if it cannot be written."""
    write_text(path, json.dumps(document) + "\n")


def wanted_maps(
    heatmaps: Float[np.ndarray, "maps h w"], pafs: Float[np.ndarray, "pafs h w"], joints: int, wanted: WantedMaps
) -> np.ndarray:
    """The maps asked for, cubically at the network's input size: (map, height, width) float32, or uint8."""
    chosen = [(heatmaps[:joints], wanted.parts), (heatmaps[joints:], wanted.background)]
    maps = np.concatenate([part for part, asked in chosen if asked] or [heatmaps[:0]])
    fields = pafs if wanted.pafs else pafs[:0]
    both = [_enlarged(part) for part in (maps, fields)]
    if wanted.scale == "none":
        return np.concatenate(both)
    unit = np.concatenate([np.clip(both[0], 0, 1), np.clip(both[1] / 2 + 0.5, 0, 1)])
    if wanted.scale == "uint8":
        return np.round(255 * unit).astype(np.uint8)
    return unit if wanted.scale == "unit" else 2 * unit - 1


def _enlarged(maps: Float[np.ndarray, "n h w"]) -> Float[np.ndarray, "n h2 w2"]:
    size = maps.shape[2] * _STRIDE, maps.shape[1] * _STRIDE
    out = [cv2.resize(np.asarray(m, np.float32), size, interpolation=cv2.INTER_CUBIC) for m in maps]
    return np.stack(out) if out else np.zeros((0, size[1], size[0]), np.float32)


def write_map_floats(path: Path, maps: np.ndarray) -> None:
    """OpenPose's float file: number of dimensions, sizes, data, all float32; SessionError if it cannot be written."""
    head = np.array([maps.ndim, *maps.shape], np.float32)
    with whole_file(path) as part:
        part.write_bytes(head.tobytes() + np.ascontiguousarray(maps, np.float32).tobytes())


def write_map_picture(path: Path, maps: UInt8[np.ndarray, "n h w"]) -> None:
    """The maps side by side as one grey PNG.

    Raises:
        SessionError: there is no map, or the file cannot be written.
    """
    if not len(maps):
        raise SessionError(f"{path}: no map to write; ask for parts, background or pafs")
    write_png(path, np.concatenate(list(maps), axis=1))
