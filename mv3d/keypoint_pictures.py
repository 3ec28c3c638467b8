"""`mv3d synth-images`: rendered pictures of people with their keypoints in COCO's form, to train networks on."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from os import cpu_count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from mv3d.data.skeletons import BODY_25
from mv3d.files.progress import Progress, silent
from mv3d.files.writing import check_output_folder, refuse_overwriting, whole_file, write_text
from mv3d.synthetic.studio.human import load_human
from mv3d.synthetic.studio.snapshots import SnapshotConfig, snapshots
from mv3d.synthetic.studio.view import Shot

# Somebody of whom fewer joints are seen has no keypoints, as in COCO, but still a mask.
_LEAST_SEEN = 5
_HIDDEN, _SEEN = 1, 2
# Decimals of px that are written.
_DIGITS = 2
_BYTES_PER_PICTURE = 150_000


@dataclass(frozen=True, slots=True)
class PicturesConfig:
    """A set of pictures.

    Attributes:
        images: how many.
        seed: of everything random; sets of other seeds have nothing in common.
        jpeg_quality: of the files.
        content: what is in the pictures.
    """

    images: int = 1000
    seed: int = 0
    jpeg_quality: int = 95
    content: SnapshotConfig = field(default_factory=SnapshotConfig)


def render_pictures(
    root: str | Path, config: PicturesConfig, *, overwrite: bool = False, progress: Progress = silent
) -> Path:
    """Write images/ and annotations.json, and the settings as pictures.yaml; returns the annotations.

    Raises:
        Mv3dError: what is wrong with the folder.
    """
    root = Path(root)
    annotations, images = root / "annotations.json", root / "images"
    refuse_overwriting(annotations, overwrite)
    check_output_folder(images, config.images * _BYTES_PER_PICTURE)
    shots = config.content.shots
    rooms = range(-(-config.images // shots))

    def made(room: int) -> list[list[dict[str, Any]]]:
        seed = int(np.random.SeedSequence([config.seed, room]).generate_state(1)[0])
        found = []
        for number, shot in enumerate(snapshots(config.content, seed), start=room * shots):
            if number < config.images:
                _write_picture(images / _name(number), shot.image, config.jpeg_quality)
                found.append(_people(shot, number))
        return found

    with ThreadPoolExecutor(cpu_count()) as pool:
        people = [one for found in progress(pool.map(made, rooms), len(rooms), "rendering") for one in found]
    write_text(annotations, json.dumps(_document(people, config)))
    write_text(root / "pictures.yaml", yaml.safe_dump(json.loads(json.dumps(asdict(config)))))
    return annotations


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _write_picture(path: Path, image: np.ndarray, quality: int) -> None:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    with whole_file(path) as part:
        part.write_bytes(coded.tobytes())


def _document(people: Sequence[list[dict[str, Any]]], config: PicturesConfig) -> dict[str, Any]:
    """The file: images, people numbered from 1, and the category with its joints and limbs."""
    width, height = config.content.size
    images = [
        {"id": number, "file_name": _name(number), "width": width, "height": height} for number in range(len(people))
    ]
    entries = [entry for found in people for entry in found]
    limbs = [[a + 1, b + 1] for a, b in BODY_25.limbs]
    person = {"id": 1, "name": "person", "supercategory": "person"}
    return {
        "info": {"description": "rendered by mv3d synth-images", "seed": config.seed},
        "images": images,
        "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
        "categories": [{**person, "keypoints": list(BODY_25.keypoints), "skeleton": limbs}],
    }


def _people(shot: Shot, number: int) -> list[dict[str, Any]]:
    """COCO's entries of all people of whom a pixel shows."""
    joints = [load_human().keypoints.index(name) for name in BODY_25.keypoints]
    entries = []
    for person, (xy, visible) in enumerate(zip(shot.keypoints[:, joints], shot.visible[:, joints], strict=True)):
        mask = (shot.person == person).astype(np.uint8)
        if mask.any():
            keypoints, labelled = _keypoints(xy, visible, mask.shape)
            entries.append(
                {
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "keypoints": keypoints,
                    "num_keypoints": labelled,
                    "bbox": [int(value) for value in cv2.boundingRect(mask)],
                    "area": int(mask.sum()),
                    "segmentation": _outlines(mask),
                }
            )
    return entries


def _keypoints(xy: np.ndarray, visible: np.ndarray, shape: tuple[int, ...]) -> tuple[list[float], int]:
    """x, y and visibility of each joint (0 outside of the picture, 1 hidden, 2 seen) and how many are not 0."""
    inside = ((xy > -0.5) & (xy < np.array(shape[::-1]) - 0.5)).all(1)
    flags = np.where(inside, np.where(visible, _SEEN, _HIDDEN), 0)
    if visible.sum() < _LEAST_SEEN:
        flags[:] = 0
    rows = np.where(flags[:, None] > 0, np.nan_to_num(xy).round(_DIGITS), 0.0)
    flat = np.column_stack([rows, flags]).ravel()
    return flat.tolist(), int((flags > 0).sum())


def _outlines(mask: np.ndarray) -> list[list[float]]:
    """Polygons around the parts of a mask, through the middles of their outermost pixels."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour.ravel().astype(float).tolist() for contour in contours if len(contour) >= 3]
