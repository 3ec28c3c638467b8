"""OpenPose's files of single images, and maps drawn over them."""

import json

import cv2
import numpy as np
import pytest

from mv3d.cli import main
from mv3d.data.skeletons import BODY_25, COCO_18, with_hands_and_face
from mv3d.errors import SessionError
from mv3d.pose2d.detections import Detections
from mv3d.pose2d.map_pictures import draw_heatmaps, draw_map, draw_pafs
from mv3d.pose2d.openpose_output import (
    WantedMaps,
    output_factor,
    people_document,
    scaled_keypoints,
    wanted_maps,
    write_map_floats,
    write_map_picture,
)
from mv3d.pose2d.preprocess import Fit

_PLACEMENT = Fit((641, 361), (328, 184))


def _detections(skeleton, people: int) -> Detections:
    rng = np.random.default_rng(people)
    n = len(skeleton)
    score = rng.uniform(0.2, 1, (people, n))
    score[:, 3] = 0
    xy = np.where(score[..., None] > 0, rng.uniform(0, 360, (people, n, 2)), np.nan)
    peaks = np.full((n, 2, 2), np.nan)
    peaks[:, 0] = 7
    return Detections(xy, score, np.ones(people), peaks, np.tile([0.5, 0.0], (n, 1)))


def test_the_json_has_openposes_keys_and_lengths():
    document = people_document(_detections(BODY_25, 2), BODY_25, "source", _PLACEMENT)
    assert list(document) == ["version", "people"]
    person = document["people"][0]
    assert list(person) == [
        *("person_id", "pose_keypoints_2d", "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d"),
        *("pose_keypoints_3d", "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d"),
    ]
    assert person["person_id"] == [-1]
    assert len(person["pose_keypoints_2d"]) == 75
    assert person["pose_keypoints_2d"][9:12] == [0, 0, 0]
    whole = with_hands_and_face(COCO_18, True, 70)
    person = people_document(_detections(whole, 1), whole, "source", _PLACEMENT)["people"][0]
    lengths = [len(person[f"{k}_keypoints_2d"]) for k in ("pose", "face", "hand_left", "hand_right")]
    assert lengths == [54, 210, 63, 63]


def test_part_candidates():
    document = people_document(_detections(COCO_18, 0), COCO_18, "source", _PLACEMENT, candidates=True)
    (candidates,) = document["part_candidates"]
    assert list(candidates) == [str(j) for j in range(18)]
    assert candidates["5"] == [7, 7, 0.5]


def test_keypoint_scales():
    corners = np.array([[0.0, 0.0], [640.0, 360.0]])
    np.testing.assert_allclose(scaled_keypoints(corners, "unit", _PLACEMENT), [[0, 0], [1, 1]])
    np.testing.assert_allclose(scaled_keypoints(corners, "symmetric", _PLACEMENT), [[-1, -1], [1, 1]])
    np.testing.assert_array_equal(scaled_keypoints(corners, "source", _PLACEMENT), corners)
    np.testing.assert_allclose(scaled_keypoints(corners, "net", _PLACEMENT), _PLACEMENT.to_input(corners))
    np.testing.assert_allclose(scaled_keypoints(corners, "unit_aspect", _PLACEMENT), [[0, 0], [1, 360 / 640]])
    np.testing.assert_allclose(scaled_keypoints(corners, "symmetric_aspect", _PLACEMENT), [[-1, -1], [1, 0.125]])
    np.testing.assert_array_equal(scaled_keypoints(corners, "output", _PLACEMENT), corners)
    # 641 px fit 321 px by 1/2, 361 px fit 91 px by 1/4: the smaller factor holds for both axes.
    for output, factor in (((321, 721), 0.5), ((1281, 91), 0.25), ((1281, 721), 2.0)):
        scaled = scaled_keypoints(corners, "output", _PLACEMENT, output)
        np.testing.assert_allclose(scaled, factor * corners)
    assert output_factor((1, 1), (100, 50)) == 49


def test_maps_in_openposes_order_and_scales(tmp_path):
    heatmaps, pafs = np.zeros((3, 4, 6), np.float32), np.full((2, 4, 6), -1, np.float32)
    heatmaps[0, 1, 2], heatmaps[2] = 1, 0.5
    every = WantedMaps(True, True, True, "uint8")
    maps = wanted_maps(heatmaps, pafs, 2, every)
    assert maps.shape == (5, 32, 48)
    assert maps.dtype == np.uint8
    assert np.unravel_index(maps[0].argmax(), (32, 48)) == pytest.approx((11.5, 19.5), abs=1)
    assert (maps[2] == 128).all()
    assert (maps[3:] == 0).all()
    for scale, background, field in (("unit", 0.5, 0), ("symmetric", 0, -1), ("none", 0.5, -1)):
        maps = wanted_maps(heatmaps, pafs, 2, WantedMaps(False, True, True, scale))
        assert maps.shape == (3, 32, 48)
        assert maps[0] == pytest.approx(background)
        assert maps[1:] == pytest.approx(field)
    write_map_picture(tmp_path / "m.png", wanted_maps(heatmaps, pafs, 2, every))
    assert cv2.imread(str(tmp_path / "m.png"), cv2.IMREAD_UNCHANGED).shape == (32, 240)
    write_map_floats(tmp_path / "m.float", maps)
    values = np.fromfile(tmp_path / "m.float", np.float32)
    assert values[:4].tolist() == [3, 3, 32, 48]
    np.testing.assert_array_equal(values[4:].reshape(3, 32, 48), maps)
    with pytest.raises(SessionError, match="no map to write"):
        write_map_picture(tmp_path / "n.png", np.zeros((0, 3, 3), np.uint8))


def test_maps_are_drawn_where_they_are():
    image = np.full((361, 641, 3), 60, np.uint8)
    cells, offset = (23, 41), (3.0, 2.5)
    heatmaps, pafs = np.zeros((18, *cells), np.float32), np.zeros((4, *cells), np.float32)
    heatmaps[4, 10, 20] = 1
    pafs[2, 5:9, 30] = 1
    at = _PLACEMENT.to_source(8 * np.array([20.0, 10.0]) + offset)
    drawn = draw_heatmaps(image, heatmaps, _PLACEMENT, 8, offset)
    changed = np.abs(drawn.astype(int) - 60).max(-1)
    weight = changed / changed.sum()
    y, x = np.indices(changed.shape)
    # The spot of one cell reaches 16 px to each side; its middle is the cell's place.
    np.testing.assert_allclose([(weight * x).sum(), (weight * y).sum()], at, atol=0.1)
    one = draw_map(image, heatmaps[4], _PLACEMENT, 8, offset)
    far = np.abs(drawn.astype(int) - 60).max(-1) > 2
    assert (one[far] != 60).any(-1).all()
    peak = one[round(at[1]), round(at[0])].astype(int)
    assert peak[2] == peak.max() > 180  # red where it is strongest
    fields = draw_pafs(image, pafs, _PLACEMENT, 8, offset)
    assert (fields[int(at[1]) - 60] != 60).any()
    assert (fields[:, 0] == 60).all()


def test_the_command(tmp_path, draw_people, capsys):
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "in" / "a.png"), draw_people((256, 368), [(127.5, 70, 230)]))
    out = tmp_path / "out"
    common = ["images", str(tmp_path / "in"), "--out", str(out), "--device", "cpu", "--quiet"]
    main([*common, "--heatmaps", "parts", "pafs", "--draw", "heatmaps", "pafs", "--part-candidates"])
    assert sorted(p.name for p in out.iterdir()) == [
        *("a_heatmaps.png", "a_heatmaps_drawn.png", "a_keypoints.json", "a_pafs_drawn.png"),
    ]
    source = json.loads((out / "a_keypoints.json").read_text())
    assert len(source["people"]) == len(source["part_candidates"]) == 1
    assert cv2.imread(str(out / "a_heatmaps.png"), cv2.IMREAD_UNCHANGED).shape == (368, 56 * 256)
    main([*common, "--keypoint-scale", "unit"])
    unit = json.loads((out / "a_keypoints.json").read_text())
    x = source["people"][0]["pose_keypoints_2d"][0]
    assert unit["people"][0]["pose_keypoints_2d"][0] == pytest.approx(x / 255, abs=1e-3)
    main([*common, "--draw", "RWrist", "RElbow-RWrist", "background", "skeleton", "--output-resolution", "129x200"])
    image = cv2.resize(cv2.imread(str(tmp_path / "in" / "a.png")), (128, 184))
    pictures = {what: cv2.imread(str(out / f"a_{what}_drawn.png")) for what in ("RWrist", "background", "skeleton")}
    assert {p.shape for p in pictures.values()} == {(200, 129, 3)}
    # The factor is 128 / 255, so row 184 is the first that the image does not reach.
    assert all((p[187:] == 0).all() for p in pictures.values())
    wrist = np.array(source["people"][0]["pose_keypoints_2d"][12:14]) * 128 / 255
    changed = np.abs(pictures["RWrist"][:184, :128].astype(np.float32) - image).sum(-1)
    y, x = np.unravel_index(cv2.GaussianBlur(changed, (0, 0), 3).argmax(), changed.shape)
    assert np.abs([x - wrist[0], y - wrist[1]]).max() < 4  # a cell of the net at half the size
    assert not (pictures["background"] == pictures["RWrist"]).all()
    for wrong, said in (
        (["--heatmaps", "parts", "--heatmaps-scale", "unit"], "png holds uint8 only"),
        (["--draw", "RFin"], "'RFin' cannot be drawn; skeleton, heatmaps"),
        (["--output-resolution", "0x7"], "WIDTHxHEIGHT is wanted"),
        (["--hands"], "hand_21 has no weights here"),
        (["--model", "body_25"], "body_25 has no weights here"),
    ):
        with pytest.raises(SystemExit):
            main([*common, *wrong])
        assert said in capsys.readouterr().err
