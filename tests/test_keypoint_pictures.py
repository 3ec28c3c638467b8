"""Rendered pictures with keypoints in COCO's form."""

import json
from pathlib import Path

import numpy as np
import pytest

from mv3d.commands.studio import synth_images
from mv3d.data.skeletons import BODY_25
from mv3d.errors import ConfigError, SessionError
from mv3d.files.image_folder import read_image
from mv3d.keypoint_pictures import PicturesConfig, render_pictures
from mv3d.pose2d.training.annotations import read_annotated
from mv3d.synthetic.studio.snapshots import SnapshotConfig

_SMALL = SnapshotConfig(size=(96, 96), person_height=(50.0, 70.0), occluders=0.0, shots=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    render_pictures(root, PicturesConfig(images=5, seed=3, content=_SMALL))
    return root


def test_the_training_reads_what_was_rendered(folder: Path) -> None:
    images = read_annotated(str(folder), BODY_25)
    assert len(images) == 5
    assert all(image.known.all() for image in images)
    assert all(read_image(image.path).shape == (96, 96, 3) for image in images)
    xy = np.concatenate([image.xy for image in images])
    assert len(xy) >= 5
    assert np.isfinite(xy).mean() > 0.8


def test_coco_tools_read_it_and_masks_boxes_and_joints_agree(folder: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(folder / "annotations.json")
    assert coco.cats[1]["keypoints"] == list(BODY_25.keypoints)
    for entry in coco.anns.values():
        mask, keypoints = coco.annToMask(entry), np.array(entry["keypoints"]).reshape(-1, 3)
        # A polygon through the middles of the outermost pixels loses up to half a pixel all round.
        assert 0.6 * entry["area"] <= mask.sum() <= 1.4 * entry["area"]
        x, y, width, height = entry["bbox"]
        seen = keypoints[keypoints[:, 2] == 2, :2]
        # Joints that are seen lie on the person: a toe at the very edge may round out of the box.
        assert np.all((seen >= [x - 1.5, y - 1.5]) & (seen <= [x + width + 0.5, y + height + 0.5]))
        assert set(keypoints[:, 2].tolist()) <= {0, 1, 2}
        assert entry["num_keypoints"] == (keypoints[:, 2] > 0).sum()


def test_the_same_seed_makes_the_same_set_and_another_seed_another(folder: Path, tmp_path: Path) -> None:
    def bytes_of(root: Path) -> list[bytes]:
        return [path.read_bytes() for path in sorted((root / "images").iterdir())]

    for seed in (3, 4):
        render_pictures(tmp_path / str(seed), PicturesConfig(images=2, seed=seed, content=_SMALL))
    assert bytes_of(tmp_path / "3") == bytes_of(folder)[:2]
    assert not set(bytes_of(tmp_path / "4")) & set(bytes_of(folder))


def test_what_cannot_be_rendered_is_said(folder: Path) -> None:
    with pytest.raises(SessionError, match=r"annotations\.json"):
        render_pictures(folder, PicturesConfig(images=1, content=_SMALL))
    with pytest.raises(ConfigError, match="at least 1"):
        synth_images(folder, images=0)
    assert json.loads((folder / "annotations.json").read_text())["info"]["seed"] == 3
