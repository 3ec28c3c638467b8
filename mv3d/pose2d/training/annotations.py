"""Images with keypoints in COCO's form, for any joints that the file names, as joints of a skeleton."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mv3d.data.skeleton import Skeleton
from mv3d.errors import FormatError
from mv3d.files.json_text import read_json

_MAX_BYTES = 1024 * 2**20
# What other joints say of one that a data set lacks: OpenPose makes its neck and mid-hip so.
_BETWEEN = {"Neck": ("RShoulder", "LShoulder"), "MidHip": ("RHip", "LHip")}


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """One image.

    Attributes:
        path: of the image.
        xy: (person, joint, 2) px; NaN where not labelled.
        boxes: (person, 4) x, y, width, height px.
        known: (joint,) whether the data set labels the joint at all.
        unlabelled: outlines (corner, 2) px of people who have no keypoints.
    """

    path: Path
    xy: np.ndarray
    boxes: np.ndarray
    known: np.ndarray
    unlabelled: tuple[np.ndarray, ...]


def read_annotated(source: str, skeleton: Skeleton) -> list[Annotated]:
    """All images of a folder.

    Args:
        source: a folder of images/ and annotations.json, or IMAGES:ANNOTATIONS.json.
        skeleton: the joints that are wanted.

    Raises:
        FormatError: the annotations are broken, name no joint of the skeleton, or no image is there.
    """
    images, path = _places(source)
    document = read_json(path, _MAX_BYTES, "keypoint annotations")
    try:
        names = _joint_names(document)
        places = np.array([names.index(joint) if joint in names else -1 for joint in skeleton.keypoints])
        by_image: dict[int, list[dict[str, Any]]] = {}
        for entry in document["annotations"]:
            by_image.setdefault(int(entry["image_id"]), []).append(entry)
        found = [
            _annotated(images, entry, by_image.get(int(entry["id"]), []), places, len(names))
            for entry in document["images"]
        ]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: not keypoint annotations in COCO's form ({reason}); export them again") from error
    there = [image for image in found if image.path.is_file()]
    if not (places >= 0).any() or not there:
        raise FormatError(f"{path}: names no joint of {skeleton.name}, or no image of {images}")
    return there


def _places(source: str) -> tuple[Path, Path]:
    images, _, annotations = source.rpartition(":")
    return (Path(images), Path(annotations)) if images else (Path(source) / "images", Path(source) / "annotations.json")


def _joint_names(document: dict[str, Any]) -> list[str]:
    """The file's keypoints as OpenPose calls them."""
    return [joint_name(name) for name in next(c["keypoints"] for c in document["categories"] if "keypoints" in c)]


def joint_name(name: str) -> str:
    """A joint as OpenPose calls it: left_big_toe is LBigToe; names of that form stay."""
    words = name.replace(" ", "_").split("_")
    if len(words) == 1 and not name.islower():
        return name
    side = {"left": "L", "right": "R"}.get(words[0].lower(), "")
    plain = "".join(word.capitalize() for word in (words[1:] if side else words))
    return {"Pelvis": "MidHip"}.get(side + plain, side + plain)


def _annotated(
    images: Path, image: dict[str, Any], entries: list[dict[str, Any]], joints: np.ndarray, count: int
) -> Annotated:
    """One image; `joints` are the places, among the `count` keypoints of the file, of the skeleton's (-1: none)."""
    people, boxes, unlabelled = [], [], []
    for entry in entries:
        keypoints = np.array(entry.get("keypoints", []), float).reshape(-1, 3)
        labelled = len(keypoints) == count and bool((keypoints[:, 2] > 0).any())
        if entry.get("iscrowd", 0) or not labelled:
            unlabelled += _outlines(entry)
            continue
        rows = keypoints[joints]
        people.append(np.where((joints >= 0)[:, None] & (rows[:, 2:] > 0), rows[:, :2], np.nan))
        boxes.append(np.array(entry["bbox"], float))
        if boxes[-1].shape != (4,) or not np.isfinite([*boxes[-1], *keypoints.ravel()]).all():
            raise ValueError(f"image {image['id']} has somebody without a box, or numbers that are not finite")
    xy = np.array(people).reshape(-1, len(joints), 2)
    path = images / Path(str(image["file_name"])).name
    return Annotated(path, xy, np.array(boxes).reshape(-1, 4), joints >= 0, tuple(unlabelled))


def _outlines(entry: dict[str, Any]) -> list[np.ndarray]:
    """Polygons of the segmentation, or the box: a mask that is a little large costs nothing."""
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, list) and segmentation:
        return [np.array(polygon, float).reshape(-1, 2) for polygon in segmentation]
    x, y, width, height = (float(value) for value in entry["bbox"])
    return [np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])]


def with_joints_between(images: list[Annotated], skeleton: Skeleton) -> list[Annotated]:
    """The same with the neck and the mid-hip between shoulders and hips, where the data set lacks them."""
    out = []
    for image in images:
        xy, known = image.xy.copy(), image.known.copy()
        for name, pair in _BETWEEN.items():
            if name in skeleton.keypoints and not known[skeleton.index(name)]:
                joint, ends = skeleton.index(name), [skeleton.index(end) for end in pair]
                xy[:, joint], known[joint] = xy[:, ends].mean(1), known[ends].all()
        out.append(Annotated(image.path, xy, image.boxes, known, image.unlabelled))
    return out
