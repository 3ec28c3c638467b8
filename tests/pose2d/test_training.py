"""Training: targets where they belong, mirrors, masks, going on after a stop, pictures learnt by heart."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mv3d.data.skeletons import BODY_25, COCO_18
from mv3d.errors import ConfigError, FormatError
from mv3d.pose2d.estimator import PoseEstimator
from mv3d.pose2d.models import MODELS
from mv3d.pose2d.peaks import find_peaks
from mv3d.pose2d.training.annotations import Annotated, joint_name, read_annotated, with_joints_between
from mv3d.pose2d.training.augmentation import Placed, draw_placement, placed_joints, placed_picture
from mv3d.pose2d.training.config import Augmentation, Optimisation, TrainingConfig
from mv3d.pose2d.training.feature_cache import cached_features, trunk_features
from mv3d.pose2d.training.judging import judge, pck_of_joints
from mv3d.pose2d.training.pictures import Choice, Pictures
from mv3d.pose2d.training.run import train
from mv3d.pose2d.training.targets import make_targets
from mv3d.pose2d.training.trained_network import start

MODEL = MODELS["mv3d-body25"]
SIZE = 176
# All pictures of an image are alike.
PLAIN = Augmentation((0.9, 0.9), 0.0, 0.0, 0.0, 0.0, 0.0, 100)
# Joints of the drawn person that the network does not tell, in hundredths of the height from the top of the head.
DRAWN = {"MidHip": (0, 53), "BigToe": (10, 99), "SmallToe": (14, 96), "Heel": (7, 95)}


def _annotated(xy: np.ndarray, known: np.ndarray | None = None, unlabelled: tuple = ()) -> Annotated:
    low, high = np.nanmin(xy, axis=1), np.nanmax(xy, axis=1)
    known = np.ones(xy.shape[1], bool) if known is None else known
    return Annotated(Path("none.png"), xy, np.column_stack([low, high - low]), known, unlabelled)


def _body(seed: int) -> np.ndarray:
    """Joints apart from each other by more than the width of a peak."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(25, 2) * 60.0 + 100
    return grid + np.random.default_rng(seed).uniform(-9, 9, (25, 2))


@pytest.mark.parametrize("name", ["mv3d-body25", "body_25", "lightweight"])
@pytest.mark.parametrize("seed", range(3))
def test_decoded_targets_are_the_keypoints(name: str, seed: int) -> None:
    model = MODELS[name]
    image = _annotated(_body(seed)[None, : len(model.skeleton)])
    config = Augmentation(person_share=(0.9, 0.95))
    placed = draw_placement(image, 352, config, np.random.default_rng(seed))
    wanted = placed_joints(image.xy, placed, 352, model.skeleton)[0]
    fields, weights = make_targets(image, placed, 352, model)
    peaks = find_peaks(fields[: len(model.skeleton)], 0.05, model.stride, model.cell_offset)
    inside = np.isfinite(wanted[:, 0]) & (np.abs(wanted - 175.5) < 165).all(-1)
    assert inside.sum() > 10
    assert np.abs(peaks.xy[inside, 0] - wanted[inside]).max() < 0.5
    assert (weights == 1).all()


def test_a_mirrored_picture_has_mirrored_targets() -> None:
    """With cells that lie alike from both sides, a mirror exchanges columns, sides and the sign of x."""
    model = replace(MODEL, cell_offset=(3.5, 3.5))
    image = _annotated(_body(4)[None] * 0.4)
    plain = Placed(np.array([[1.0, 0, 0], [0, 1, 0]]), False)
    mirrored = Placed(np.array([[-1.0, 0, SIZE - 1], [0, 1, 0]]), True)
    a, b = (make_targets(image, placed, SIZE, model)[0] for placed in (plain, mirrored))
    layout, maps = model.layout, model.layout.heatmap_count
    np.testing.assert_allclose(b[:25], a[layout.mirror][..., ::-1], atol=1e-6)
    np.testing.assert_allclose(b[25], a[25][..., ::-1], atol=1e-6)
    places = {limb: i for i, limb in enumerate(layout.limbs)}
    for (one, other), (x, y) in zip(layout.limbs, layout.paf_channels, strict=True):
        twin = layout.mirror[one], layout.mirror[other]
        back = twin not in places
        tx, ty = layout.paf_channels[places[twin[::-1] if back else twin]]
        sign = -1 if back else 1
        np.testing.assert_allclose(b[maps + x], -sign * a[maps + tx][..., ::-1], atol=1e-5)
        np.testing.assert_allclose(b[maps + y], sign * a[maps + ty][..., ::-1], atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_the_picture_is_where_the_joints_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at = rng.uniform((300, 260), (420, 320))
    image = _annotated(np.concatenate([_body(seed)[:24], [at]])[None] * 1.0)
    placed = draw_placement(image, 352, Augmentation(person_share=(0.15, 0.9)), rng)
    scale = np.sqrt(abs(np.linalg.det(placed.input_from_source[:, :2])))
    x, y = np.meshgrid(np.arange(800), np.arange(600))
    blob = 128 + 120 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * (5 / scale) ** 2))
    picture = placed_picture(np.repeat(np.round(blob)[..., None], 3, axis=2).astype(np.uint8), placed, 352)
    bright = picture[..., 0].astype(float) - 128
    y, x = np.indices(bright.shape)
    found = np.array([(bright * x).sum(), (bright * y).sum()]) / bright.sum()
    side = BODY_25.mirror[24] if placed.mirrored else 24
    wanted = placed_joints(image.xy, placed, 352, BODY_25)[0, side]
    assert np.abs(found - wanted).max() < 0.1  # 8 bits and linear interpolation


def test_what_is_not_labelled_is_not_judged() -> None:
    known = np.ones(25, bool)
    known[19:] = False
    crowd = np.array([(80.0, 0.0), (120, 0), (120, 60), (80, 60)])
    image = _annotated(_body(0)[None] * 0.4, known, (crowd,))
    _, weights = make_targets(image, Placed(np.array([[1.0, 0, 0], [0, 1, 0]]), False), SIZE, MODEL)
    assert (weights[:, :8, 10:15] == 0).all()
    assert (weights[19:26] == 0).all()  # the feet, and the background that wants all joints
    assert (weights[:19, 8:] == 1).all()
    feet = [i for i, limb in enumerate(MODEL.layout.limbs) if max(limb) >= 19]
    channels = [26 + c for i in feet for c in MODEL.layout.paf_channels[i]]
    assert len(channels) == 12
    assert (weights[channels] == 0).all()


def _write(folder: Path, names: list[str], images: list[np.ndarray], people: list[np.ndarray]) -> None:
    (folder / "images").mkdir(parents=True)
    entries, annotations = [], []
    for i, (image, xy) in enumerate(zip(images, people, strict=True)):
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        entries.append({"id": i, "file_name": f"{i}.png"})
        seen = np.isfinite(xy[:, 0])
        rows = np.concatenate([np.nan_to_num(xy), 2.0 * seen[:, None]], axis=1)
        low, high = np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)
        box = [*low.tolist(), *(high - low).tolist()]
        annotations.append({"id": i, "image_id": i, "keypoints": rows.ravel().tolist(), "bbox": box})
    document = {"images": entries, "annotations": annotations, "categories": [{"id": 1, "keypoints": names}]}
    (folder / "annotations.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, draw_people) -> Path:
    """Two drawn people; the shared joints are where the network has them, the new ones where they were drawn."""
    folder = tmp_path_factory.mktemp("drawn") / "set"
    images, people = [], []
    for x, top, height in ((90.0, 20.0, 200.0), (140.0, 30.0, 190.0)):
        image = draw_people((230, 240), [(x, top, height)])
        (found,) = PoseEstimator(long_sides=(192,)).detect([image])
        xy = np.full((25, 2), np.nan)
        xy[[BODY_25.index(name) for name in COCO_18.keypoints]] = found.xy[0]
        for name, (a, b) in DRAWN.items():
            for side in (-1, 1) if name != "MidHip" else (1,):
                joint = name if name == "MidHip" else ("L" if side > 0 else "R") + name
                xy[BODY_25.index(joint)] = (x + side * a * height / 100, top + b * height / 100)
        images.append(image)
        people.append(xy)
    _write(folder, list(BODY_25.keypoints), images, people)
    return folder


def _config(folder: Path, out: Path, **changes) -> TrainingConfig:
    how = {"steps": 6, "batch": 2, "learning_rate": 1e-3, "warm_up": 2, **changes.pop("how", {})}
    config = TrainingConfig((str(folder),), out, size=SIZE, device="cpu", log_every=1, judge_every=10**6)
    return replace(config, optimisation=Optimisation(**how), **changes)


@pytest.mark.slow
def test_a_handful_of_pictures_is_learnt_by_heart(drawn: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = _config(
        drawn,
        tmp_path / "run",
        augmentation=PLAIN,
        cached_variants=1,
        validation=str(drawn),
        how={"steps": 80, "warm_up": 10, "ema": 0.9, "learning_rate": 4e-3},
    )
    weights = train(config)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    assert float(rows[-1]["loss"]) < 0.1 * float(rows[0]["loss"])
    figures = judge(PoseEstimator(str(weights), long_sides=(192,)), read_annotated(str(drawn), BODY_25))
    assert {name for name, share in figures.items() if name.startswith("PCK") and share < 1} == set()
    # Only the head was trained: the rest is as it ships.
    shipped = PoseEstimator(long_sides=(192,))._engine._network.state_dict()  # type: ignore[attr-defined]
    state = load_file(weights)
    assert all(torch.equal(state[name], value) for name, value in shipped.items())


@pytest.mark.parametrize("train_what", ["new", "all"])
def test_a_run_goes_on_as_if_it_had_not_stopped(drawn: Path, tmp_path: Path, train_what: str) -> None:
    torch.set_num_threads(1)
    strong = Augmentation(person_share=(0.4, 0.9))
    how = {"augmentation": strong, "train": train_what}
    whole = train(_config(drawn, tmp_path / "whole", **how, how={"steps": 4}))

    class Stop(Exception):
        pass

    def stopping(items, total, title):
        for i, item in enumerate(items):
            if title == "training" and i == 3:
                raise Stop
            yield item

    config = replace(_config(drawn, tmp_path / "parts", **how, how={"steps": 4}), judge_every=2)
    with pytest.raises(Stop):
        train(config, stopping)
    parts = load_file(train(config))
    for name, value in load_file(whole).items():
        torch.testing.assert_close(parts[name], value, atol=1e-6, rtol=1e-6)
    logs = [[row["loss"] for row in csv.DictReader((tmp_path / n / "log.csv").open())] for n in ("whole", "parts")]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 4
    (tmp_path / "parts" / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(FormatError, match="not a checkpoint of this run"):
        train(config)


def test_a_window_of_features_is_what_the_whole_has_there(drawn: Path, tmp_path: Path) -> None:
    config = _config(drawn, tmp_path, cached_variants=2, cached_window=12, cached_windows=3)
    model, everything = MODELS["mv3d-body25"], np.ones(25, bool)
    part, whole = Pictures(config, model, everything), Pictures(replace(config, cached_window=0), model, everything)
    network = start(model, config)
    cache = cached_features(config, network, part, torch.device("cpu"), lambda items, total, title: items)
    choices = [Choice(0, 0, variant) for variant in range(6)]
    places = set()
    for choice, features in zip(choices, cache.of(choices), strict=True):
        same = replace(choice, variant=choice.variant // 3)
        window = part.window(choice)
        places.add((window.row, window.column))
        expected = window.of(trunk_features(network, whole.picture(same)[None], torch.device("cpu")).numpy()[0])
        # Half floats on disk.
        np.testing.assert_allclose(features, expected, atol=2e-3 * np.abs(expected).max())
        targets, weights = part.targets(choice)
        np.testing.assert_array_equal(targets, window.of(whole.targets(same)[0]))
        assert targets.shape[1:] == (12, 12)
        assert 0 < weights.mean() < 1  # not where the head sees beyond the edge
    assert len(places) > 2
    assert train(config).is_file()


def test_mixed_precision_and_stages_of_mobilenet_thin(drawn: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    config = _config(drawn, tmp_path, model="mobilenet_thin", train="stages", precision="bf16", how={"steps": 1})
    state = load_file(train(config))
    shipped = PoseEstimator()._engine._network.state_dict()  # type: ignore[attr-defined]
    changed = {name.partition(".")[0] for name, value in shipped.items() if not torch.equal(value, state[name])}
    assert changed == {"stages"}


def test_names_and_joints_of_other_data_sets(tmp_path: Path) -> None:
    names = ["nose", "left_shoulder", "right_shoulder", "left_big_toe", "left_hip", "right_hip"]
    assert [joint_name(n) for n in names] == ["Nose", "LShoulder", "RShoulder", "LBigToe", "LHip", "RHip"]
    assert joint_name("MidHip") == "MidHip"
    assert joint_name("pelvis") == "MidHip"
    xy = np.array([(50.0, 10), (60, 20), (40, 22), (62, 90), (55, 50), (np.nan, np.nan)])
    _write(tmp_path / "set", names, [np.zeros((100, 100, 3), np.uint8)], [xy])
    (image,) = with_joints_between(read_annotated(str(tmp_path / "set"), BODY_25), BODY_25)
    np.testing.assert_allclose(image.xy[0, BODY_25.index("Neck")], (50, 21))
    assert np.isnan(image.xy[0, BODY_25.index("MidHip")]).all()
    assert image.known[[BODY_25.index(n) for n in ("Neck", "MidHip", "LBigToe")]].all()
    assert not image.known[BODY_25.index("RHeel")]
    pck = pck_of_joints([image], [image.xy + np.array([7.9, 0])], BODY_25)
    assert pck["Nose"] == 1.0  # the box is 80 px tall
    assert pck_of_joints([image], [image.xy + np.array([8.1, 0])], BODY_25)["Nose"] == 0.0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("categories"),
        lambda d: d["categories"][0].update(keypoints=7),
        lambda d: d["annotations"][0].update(keypoints=["x", 1, 2]),
        lambda d: d["annotations"][0].update(keypoints=[1, 2]),
        lambda d: d["annotations"][0].update(bbox=[1, 2]),
        lambda d: d["annotations"][0].update(bbox=[1, 2, float("nan"), 4]),
        lambda d: d["annotations"][1].update(keypoints=[float("inf")] * 75),
        lambda d: d["annotations"][1].update(image_id=[]),
        lambda d: d["images"][0].update(file_name="../../elsewhere.png") or d["images"].pop(),
        lambda d: d.update(images=5),
    ],
)
def test_broken_annotations_are_one_line(drawn: Path, tmp_path: Path, spoil: Callable[[dict], object]) -> None:
    document = json.loads((drawn / "annotations.json").read_text())
    spoil(document)
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    with pytest.raises(FormatError) as caught:
        read_annotated(f"{drawn / 'images'}:{tmp_path / 'annotations.json'}", BODY_25)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_trained_is_said(drawn: Path, tmp_path: Path) -> None:
    for changes, error, message in (
        ({"model": "hand_21"}, ConfigError, "mobilenet_thin or mv3d-body25 can"),
        ({"model": "mobilenet_thin"}, ConfigError, "nothing of this network is new"),
        ({"data": (str(tmp_path),)}, FormatError, "corrupt JSON"),
    ):
        with pytest.raises(error, match=message):
            train(_config(drawn, tmp_path / "run", **changes))
    (tmp_path / "annotations.json").write_text(
        '{"images": [], "annotations": [], "categories": [{"keypoints": ["a"]}]}'
    )
    with pytest.raises(FormatError, match="no joint of BODY_25"):
        read_annotated(str(tmp_path), BODY_25)
    document = json.loads((drawn / "annotations.json").read_text())
    for category in document["categories"]:
        category["keypoints"] = [f"whisker_{i}" for i in range(len(category["keypoints"]))]
    (tmp_path / "whiskers.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match="no joint of BODY_25"):
        read_annotated(f"{drawn / 'images'}:{tmp_path / 'whiskers.json'}", BODY_25)
    for wrong in ({"size": 100}, {"mix": (1.0, 2.0)}, {"cached_variants": 2, "train": "all"}):
        with pytest.raises(ValueError, match=r"wanted|wants|folder"):
            _config(drawn, tmp_path, **wrong)
