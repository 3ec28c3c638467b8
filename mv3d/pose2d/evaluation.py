"""How good a detector is on images with COCO keypoint annotations: OKS average precision and PCK of each joint.

Average precision is computed by pycocotools, the maintained tools of the benchmark (extra `eval`). Joints are matched
by name, so any skeleton that holds COCO's joints serves: COCO_18, BODY_25, BLAZEPOSE_33, HALPE_26, ...
"""

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import COCO_17
from mv3d.errors import ConfigError, FormatError
from mv3d.files.image_folder import list_images, read_image
from mv3d.files.json_text import read_json
from mv3d.files.progress import Progress, silent
from mv3d.pose2d.detector import WholeImageDetector

# person_keypoints_train2017.json has 239 MB.
_MAX_ANNOTATION_BYTES = 512 * 2**20
_PERSON = 1
# A joint counts as found within this share of the longer side of the person's box (Yang and Ramanan 2013).
_PCK_SHARE = 0.1
# COCO's constants of the scatter between annotators, in the order of its joints; here they only pair people.
_SIGMAS = np.array((0.026, *np.repeat((0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089), 2)))
_STATISTICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a detector on annotated images.

    Attributes:
        images: how many images were looked at.
        people: how many annotated people with at least one joint they hold.
        statistics: AP, AP50, AP75, APM, APL and the same of recall, as pycocotools names them; -1 where it has no
            people to judge by.
        pck: for each joint of COCO_17 the share of annotated joints found within a tenth of the longer side of the
            person's box; NaN for a joint that no image has.
    """

    images: int
    people: int
    statistics: dict[str, float]
    pck: dict[str, float]

    @property
    def mean_pck(self) -> float:
        """Mean of `pck` over the joints that occur; NaN without any."""
        known = [value for value in self.pck.values() if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


def to_coco_17(
    xy: Float[np.ndarray, "*batch joint 2"], score: Float[np.ndarray, "*batch joint"], skeleton: Skeleton
) -> tuple[Float[np.ndarray, "*batch 17 2"], Float[np.ndarray, "*batch 17"]]:
    """The joints of COCO_17 out of another skeleton, by name; NaN and score 0 for those that it lacks.

    Raises:
        ConfigError: the skeleton shares no joint with COCO_17.
    """
    shared = [(i, skeleton.index(name)) for i, name in enumerate(COCO_17.keypoints) if name in skeleton.keypoints]
    if not shared:
        raise ConfigError(f"{skeleton.name} has no joint of COCO; it cannot be evaluated on COCO's annotations")
    to, source = (list(side) for side in zip(*shared, strict=True))
    out_xy, out_score = np.full((*xy.shape[:-2], len(COCO_17), 2), np.nan), np.zeros((*score.shape[:-1], len(COCO_17)))
    out_xy[..., to, :], out_score[..., to] = xy[..., source, :], score[..., source]
    return out_xy, out_score


def evaluate_on_coco(
    detector: WholeImageDetector, images: Path, annotations: Path, limit: int | None = None, progress: Progress = silent
) -> Evaluation:
    """Run a detector over the annotated images of a folder and judge it.

    Args:
        detector: finds people in whole images.
        images: folder of images; those that the annotations do not name are passed over, and so are annotated images
            that are not there (a subset of a benchmark is evaluated as such).
        annotations: person_keypoints_*.json of COCO, or a file of its form.
        limit: only the first so many images.
        progress: wraps the images.

    Raises:
        FormatError: the annotations are broken or fit no image of the folder.
        ConfigError: pycocotools is not installed, or the detector's joints are none of COCO's.
    """
    document = _annotations(annotations)
    there = {path.name: path for path in (list_images(images) if images.is_dir() else [])}
    entries = [entry for entry in document["images"] if Path(entry["file_name"]).name in there][:limit]
    if not entries:
        raise FormatError(f"{annotations}: names no image of {images}; give the folder that its file names are in")
    found = []
    for entry in progress(entries, len(entries), "evaluating"):
        image = read_image(there[Path(entry["file_name"]).name])
        found.append(detector.detect([image])[0])
    keypoints = [to_coco_17(d.xy, d.score, detector.skeleton) for d in found]
    ids = [int(entry["id"]) for entry in entries]
    people = [_people_of(document, image_id) for image_id in ids]
    return Evaluation(
        images=len(entries),
        people=sum(len(p) for p in people),
        statistics=average_precision(document, ids, keypoints),
        pck=_pck(people, keypoints),
    )


def _annotations(path: Path) -> dict[str, Any]:
    """What is used of the annotations, every value of its type; numbered anew, as pycocotools takes 0 for none."""
    document = read_json(path, _MAX_ANNOTATION_BYTES, "keypoint annotations")
    try:
        images = [{"id": int(entry["id"]), "file_name": str(entry["file_name"])} for entry in document["images"]]
        people = [_annotation(entry, number) for number, entry in enumerate(document["annotations"], start=1)]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(
            f"{path}: not keypoint annotations of COCO ({reason}); pass person_keypoints_*.json"
        ) from error
    return {"images": images, "annotations": people}


def _annotation(entry: dict[str, Any], number: int) -> dict[str, Any]:
    keypoints = np.array(entry["keypoints"], float)
    box = np.array(entry["bbox"], float)
    if keypoints.shape != (3 * len(COCO_17),) or box.shape != (4,):
        raise ValueError(f"an annotation of image {entry['image_id']} has not 17 keypoints and a box")
    area = float(entry.get("area", box[2] * box[3]))
    if not np.isfinite([*keypoints, *box, area]).all():
        raise ValueError(f"an annotation of image {entry['image_id']} has values that are not finite")
    return {
        "id": number,
        "image_id": int(entry["image_id"]),
        "category_id": _PERSON,
        "keypoints": keypoints.tolist(),
        "num_keypoints": int(entry["num_keypoints"]),
        "bbox": box.tolist(),
        "area": area,
        "iscrowd": int(entry.get("iscrowd", 0)),
    }


def _people_of(document: dict[str, Any], image_id: int) -> list[dict[str, Any]]:
    return [
        entry
        for entry in document["annotations"]
        if int(entry["image_id"]) == image_id and not entry["iscrowd"] and entry["num_keypoints"] > 0
    ]


def average_precision(
    document: dict[str, Any], ids: list[int], keypoints: Iterable[tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """Average precision and recall by pycocotools.

    Args:
        document: images and annotations of 17 keypoints in COCO's form, ids from 1.
        ids: of the images, in the order of `keypoints`.
        keypoints: what was found in each image, in the order of COCO_17.

    Raises:
        ConfigError: pycocotools is not installed.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise ConfigError("pycocotools is not installed; pip install 'mv3d[eval]'") from error
    results = [
        _result(image_id, xy, score)
        for image_id, (all_xy, all_score) in zip(ids, keypoints, strict=True)
        for xy, score in zip(all_xy, all_score, strict=True)
    ]
    if not results:
        return dict.fromkeys(_STATISTICS, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # the tools print as they go
        truth = COCO()
        truth.dataset = {**document, "categories": [{"id": _PERSON, "name": "person"}]}  # type: ignore[assignment]
        truth.createIndex()
        answers = truth.loadRes(results)  # type: ignore[arg-type]  # its types lack the list that it takes
        evaluation = COCOeval(truth, answers, "keypoints")
        evaluation.params.imgIds = ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(_STATISTICS, (float(value) for value in evaluation.stats), strict=True))


def _result(image_id: int, xy: Float[np.ndarray, "17 2"], score: Float[np.ndarray, "17"]) -> dict[str, Any]:
    """A person in COCO's form of results; ranked by the mean score over all joints, so a missing joint costs."""
    seen = np.isfinite(xy).all(axis=-1, keepdims=True)
    triples = np.concatenate([np.where(seen, xy, 0), seen], axis=1)
    return {
        "image_id": image_id,
        "category_id": _PERSON,
        "keypoints": [float(value) for value in triples.ravel()],
        "score": float(score.mean()),
    }


def _pck(
    people: Iterable[list[dict[str, Any]]], keypoints: Iterable[tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    hits, total = np.zeros(len(COCO_17)), np.zeros(len(COCO_17))
    for annotated, (xy, _) in zip(people, keypoints, strict=True):
        truth = np.array([entry["keypoints"] for entry in annotated], float).reshape(-1, len(COCO_17), 3)
        boxes = np.array([entry["bbox"] for entry in annotated], float).reshape(-1, 4)
        areas = np.array([entry["area"] for entry in annotated], float)
        labelled = truth[..., 2] > 0
        total += labelled.sum(0)
        for person, detection in _matches(truth, labelled, areas, xy):
            distance = np.linalg.norm(xy[detection] - truth[person, :, :2], axis=-1)
            hits += labelled[person] & (distance <= _PCK_SHARE * boxes[person, 2:].max())
    share = np.where(total > 0, hits / np.maximum(total, 1), np.nan)
    return {name: float(value) for name, value in zip(COCO_17.keypoints, share, strict=True)}


def _matches(
    truth: Float[np.ndarray, "person 17 3"],
    labelled: Bool[np.ndarray, "person 17"],
    areas: Float[np.ndarray, " person"],
    xy: Float[np.ndarray, "detection 17 2"],
) -> list[tuple[int, int]]:
    """Pairs (person, detection), each used once, those of the greatest object keypoint similarity first."""
    squared = ((xy[None] - truth[:, None, :, :2]) ** 2).sum(-1)
    spread = 2 * (2 * _SIGMAS) ** 2 * np.maximum(areas, 1.0)[:, None, None]
    likeness = np.where(labelled[:, None] & np.isfinite(squared), np.exp(-squared / spread), 0.0)
    similarity = likeness.sum(-1) / labelled.sum(-1)[:, None]
    pairs = []
    while similarity.size and similarity.max() > 0:
        person, detection = (int(i) for i in np.unravel_index(similarity.argmax(), similarity.shape))
        pairs.append((person, detection))
        similarity[person], similarity[:, detection] = 0, 0
    return pairs
