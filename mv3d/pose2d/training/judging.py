"""How good weights are on annotated images: OKS AP on COCO's joints, PCK of all joints."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mv3d.data.skeleton import Skeleton
from mv3d.errors import ConfigError
from mv3d.files.image_folder import read_image
from mv3d.pose2d.detector import WholeImageDetector
from mv3d.pose2d.evaluation import average_precision, to_coco_17
from mv3d.pose2d.training.annotations import Annotated

# A joint counts as found within this share of the longer side of the person's box.
_SHARE = 0.1


def judge(detector: WholeImageDetector, images: Sequence[Annotated]) -> dict[str, float]:
    """AP (left out without pycocotools), the mean PCK of all labelled joints, and the PCK of each by its name."""
    found = [detector.detect([read_image(image.path)])[0] for image in images]
    pck = pck_of_joints(images, [d.xy for d in found], detector.skeleton)
    known = [value for value in pck.values() if np.isfinite(value)]
    figures = {"PCK": float(np.mean(known)) if known else float("nan"), **{f"PCK {k}": v for k, v in pck.items()}}
    keypoints = [to_coco_17(d.xy, d.score, detector.skeleton) for d in found]
    try:
        statistics = average_precision(_document(images, detector.skeleton), list(range(len(images))), keypoints)
    except ConfigError:
        return figures
    return {"AP": statistics["AP"], **figures}


def pck_of_joints(
    images: Sequence[Annotated], found: Sequence[Float[np.ndarray, "detection joint 2"]], skeleton: Skeleton
) -> dict[str, float]:
    """For each joint the share of labelled ones found within a tenth of the longer side of the person's box.

    A person is held against the detection whose joints are nearest in the median, each used once; NaN without labels.
    """
    hits, total = np.zeros(len(skeleton)), np.zeros(len(skeleton))
    for image, xy in zip(images, found, strict=True):
        labelled = np.isfinite(image.xy[..., 0])
        total += labelled.sum(0)
        distance = np.linalg.norm(xy[None] - image.xy[:, None], axis=-1)
        distance[np.isnan(distance)] = np.inf
        typical = np.array([[np.median(d[k]) for d in ds] for ds, k in zip(distance, labelled, strict=True)])
        typical = typical.reshape(len(image.xy), len(xy))
        while typical.size and np.isfinite(typical.min()):
            person, detection = np.unravel_index(typical.argmin(), typical.shape)
            near = distance[person, detection] <= _SHARE * image.boxes[person, 2:].max()
            hits += labelled[person] & near
            typical[person], typical[:, detection] = np.inf, np.inf
    share = np.where(total > 0, hits / np.maximum(total, 1), np.nan)
    return {name: float(value) for name, value in zip(skeleton.keypoints, share, strict=True)}


def _document(images: Sequence[Annotated], skeleton: Skeleton) -> dict:
    """The annotations in COCO's form for its tools."""
    people = []
    for number, image in enumerate(images):
        xy, score = to_coco_17(image.xy, np.isfinite(image.xy[..., 0]).astype(float), skeleton)
        for keypoints, seen, box in zip(xy, score, image.boxes, strict=True):
            rows = np.concatenate([np.nan_to_num(keypoints), 2 * seen[:, None]], axis=1)
            people.append(
                {
                    "id": len(people) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "keypoints": rows.ravel().tolist(),
                    "num_keypoints": int(seen.sum()),
                    "bbox": box.tolist(),
                    "area": float(0.53 * box[2] * box[3]),
                }
            )
    return {
        "images": [{"id": i, "file_name": im.path.name} for i, im in enumerate(images)],
        "annotations": people,
    }
