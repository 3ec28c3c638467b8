"""Keypoints in the layouts of other programs, written here as those programs write them, and such files gone bad."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mv3d.data.skeleton import Skeleton
from mv3d.data.skeletons import BLAZEPOSE_33, BODY_25, COCO_17, COCO_133, HALPE_26, HALPE_136
from mv3d.errors import ConfigError, FormatError, Mv3dError, SessionError
from mv3d.files.keypoints import KEYPOINT_FORMATS, read_keypoints

RIG = ("cam_1", "cam_2")
DOG = ("nose", "left_paw", "right_paw")


def points(camera: int, frame: int, joints: int, person: int = 0) -> np.ndarray:
    """(joint, 3) x, y, score with digits that float32 keeps."""
    j = np.arange(joints)
    return np.stack([100 * camera + j + 0.5, 10 * frame + 1000 * person + 0.25 * j, np.full(joints, 0.5)], axis=1)


def expect(found, camera: int, row: int, frame: int, joints: int, score: float = 0.5, person: int = 0) -> None:
    wanted = points(camera, frame, joints, person)
    poses = found[RIG[camera]]
    np.testing.assert_array_equal(poses.xy[row, person, :joints], wanted[:, :2])
    np.testing.assert_allclose(poses.score[row, person, :joints], score)


# --- writers ---------------------------------------------------------------------------------------------------------


def pose2sim(folder: Path, joints: int = 26, frames=range(3), **parts: int) -> Path:
    """As Pose2Sim 0.10 (save_to_openpose): <camera>_json/<camera>_000000.json, empty lists for what it lacks."""
    for c, camera in enumerate(RIG):
        (folder / f"{camera}_json").mkdir(parents=True)
        for f in frames:
            person = {"person_id": [-1], "pose_keypoints_2d": points(c, f, joints).ravel().tolist()}
            for key in ("face", "hand_left", "hand_right"):
                person[f"{key}_keypoints_2d"] = points(c, f + 50, parts.get(key, 0)).ravel().tolist()
                person[f"{key}_keypoints_3d"] = []
            (folder / f"{camera}_json" / f"{camera}_{f:06d}.json").write_text(
                json.dumps({"version": 1.3, "people": [person]})
            )
    return folder


def deeplabcut(folder: Path, names=DOG, frames=range(3), individuals=("",), ending="DLC_resnet50_dogJun1shuffle1_9000"):
    """As pandas' to_csv of DeepLabCut 2.3 writes its multi-index."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [(i, n, k) for i in individuals for n in names for k in ("x", "y", "likelihood")]
    for c, camera in enumerate(RIG):
        with (folder / f"{camera}{ending}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["scorer", *["DLC_resnet50_dogJun1shuffle1_9000"] * len(columns)])
            if individuals != ("",):
                writer.writerow(["individuals", *[i for i, _, _ in columns]])
            writer.writerow(["bodyparts", *[n for _, n, _ in columns]])
            writer.writerow(["coords", *[k for _, _, k in columns]])
            for f in frames:
                rows = [points(c, f, len(names), p).ravel() for p in range(len(individuals))]
                writer.writerow([f, *np.concatenate(rows)])
    return folder


def caliscope(
    folder: Path, tracker="POSE", ids=range(33), frames=range(3), later=False, time: Callable = lambda f: 0.0
):
    """As caliscope 0.3 (port, point_id) or 0.11 (cam_id, keypoint_id): pandas' to_csv without index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("cam_id", "keypoint_id") if later else ("port", "point_id")
    header = ["sync_index", names[0], "frame_index", "frame_time", *(["object_id"] if later else []), names[1]]
    with (folder / f"xy_{tracker}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "img_loc_x", "img_loc_y", "obj_loc_x", "obj_loc_y", "obj_loc_z"])
        for f in frames:
            for c in range(len(RIG)):
                for j, (x, y, _) in zip(ids, points(c, f, len(ids)), strict=True):
                    row = [f, c + 1, f, time(f) + 0.001 * c, *([0] if later else []), j]
                    writer.writerow([*row, x, y, "", "", ""])
    return folder


def freemocap(folder: Path, count: int = 553, frames=range(3), name="mediapipe_2dData", columns: int = 3) -> Path:
    """As FreeMoCap 1.4: NaN where MediaPipe found nothing."""
    raw = folder / "output_data" / "raw_data"
    raw.mkdir(parents=True)
    array = np.full((len(RIG), len(frames), count, columns), np.nan)
    for c in range(len(RIG)):
        for f in frames:
            array[c, f, :, :2] = points(c, f, count)[:, :2]
    array[0, 1] = np.nan
    np.save(raw / f"{name}_numCams_numFrames_numTrackedPoints_pixelXY.npy", array)
    return folder


def easymocap(folder: Path, frames=range(3), **parts: int) -> Path:
    """As EasyMocap 0.2 (load_openpose, save_annot)."""
    for c, camera in enumerate(RIG):
        (folder / "annots" / camera).mkdir(parents=True)
        for f in frames:
            annots = []
            for p in range(2):
                annot = {"bbox": [0, 0, 9, 9, 0.5], "personID": p, "keypoints": points(c, f, 25, p).tolist()}
                annot |= {key: points(c, f + 50, n, p).tolist() for key, n in parts.items()}
                annots.append({**annot, "isKeyframe": False})
            document = {"filename": f"images/{camera}/{f:06d}.jpg", "height": 720, "width": 1280, "annots": annots}
            path = folder / "annots" / camera / f"{f:06d}.json"
            path.write_text(json.dumps({**document, "isKeyframe": False}, indent=4))
    return folder


def alphapose(folder: Path, joints: int = 26, frames=range(3), in_folders=True) -> Path:
    """As AlphaPose 0.6 (write_json, default form)."""
    folder.mkdir(parents=True, exist_ok=True)
    for c, camera in enumerate(RIG):
        entries = [
            {
                "image_id": f"{f}.jpg",
                "category_id": 1,
                "keypoints": points(c, f, joints, p).ravel().tolist(),
                "score": 2.9,
            }
            | {"box": [0.0, 0.0, 9.0, 9.0], "idx": [0.0]}
            for f in frames
            for p in range(2)
        ]
        path = folder / camera / "alphapose-results.json" if in_folders else folder / f"{camera}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(entries))
    return folder


def mmpose(folder: Path, joints: int = 17, frames=range(3), names: list[str] | None = None) -> Path:
    """As MMPose 1.x (demo/topdown_demo_with_mmdet.py --save-predictions); frame_id from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    meta = {"dataset_name": "x", "keypoint_id2name": {str(i): n for i, n in enumerate(names or [])}}
    for c, camera in enumerate(RIG):
        info = []
        for f in frames:
            p = points(c, f, joints)
            one = {"keypoints": p[:, :2].tolist(), "keypoint_scores": p[:, 2].tolist(), "bbox": [[0, 0, 9, 9]]}
            info.append({"frame_id": f + 1, "instances": [{**one, "bbox_score": 1.0}]})
        path = folder / f"results_{camera}.json"
        path.write_text(json.dumps({"meta_info": meta, "instance_info": info}, indent="\t"))
    return folder


_WRITERS = {
    "caliscope": (caliscope, BLAZEPOSE_33, 1.0),
    "freemocap": (freemocap, BLAZEPOSE_33, 1.0),
    "deeplabcut": (deeplabcut, Skeleton("DeepLabCut", DOG, ()), 0.5),
    "easymocap": (easymocap, BODY_25, 0.5),
    "alphapose": (alphapose, HALPE_26, 0.5),
    "mmpose": (mmpose, COCO_17, 0.5),
    "openpose": (pose2sim, HALPE_26, 0.5),
}


# --- every format ----------------------------------------------------------------------------------------------------


def test_every_format_is_tried_here():
    assert set(KEYPOINT_FORMATS) == {"mv3d", *_WRITERS}


@pytest.mark.parametrize("name", _WRITERS)
@pytest.mark.parametrize("told", [True, False])
def test_positions_scores_and_frames(tmp_path, name, told):
    write, skeleton, score = _WRITERS[name]
    found = read_keypoints(write(tmp_path / "k"), RIG, fps=10, format=name if told else "auto")
    assert tuple(found) == RIG
    for camera in range(2):
        assert found[RIG[camera]].skeleton == skeleton
        np.testing.assert_allclose(found[RIG[camera]].timestamps, [0, 0.1, 0.2])
        expect(found, camera, 2, 2, len(skeleton), score)


@pytest.mark.parametrize("name", [name for name in _WRITERS if name != "freemocap"])
def test_frames_that_are_left_out_stay_empty(tmp_path, name):
    write, skeleton, score = _WRITERS[name]
    found = read_keypoints(write(tmp_path / "k", frames=[4, 5, 8]), RIG, fps=10)
    np.testing.assert_allclose(found["cam_2"].timestamps, [0.4, 0.5, 0.6, 0.7, 0.8])
    assert (found["cam_2"].score > 0).any((1, 2)).tolist() == [True, True, False, False, True]
    expect(found, 1, 4, 8, len(skeleton), score)


@pytest.mark.parametrize("name", _WRITERS)
def test_what_was_read_survives_npz(tmp_path, name):
    write, _, _ = _WRITERS[name]
    found = read_keypoints(write(tmp_path / "k"), RIG)
    for camera, poses in found.items():
        poses.save(tmp_path / "npz" / f"{camera}.npz")
    again = read_keypoints(tmp_path / "npz", RIG)
    for camera, poses in found.items():
        assert again[camera].skeleton.keypoints == poses.skeleton.keypoints
        np.testing.assert_array_equal(again[camera].xy, poses.xy)
        np.testing.assert_array_equal(again[camera].score, poses.score)


@pytest.mark.parametrize("name", _WRITERS)
def test_the_cameras_must_be_the_rigs(tmp_path, name):
    write, _, _ = _WRITERS[name]
    with pytest.raises(SessionError, match="rig"):
        read_keypoints(write(tmp_path / "k"), ("cam_1",))


# What can be in place of any file. A valid file of the wrong content is tried format by format below.
_BROKEN = {
    "empty": b"",
    "cut": b'{"instance_info": [{"frame_id": 1, "inst',
    "binary": bytes(range(256)) * 8,
    "deep": b"[" * 100_000,
    "number": b"1",
    "list of numbers": b"[1, 2]",
    "text": b"scorer,a\nwhat,b\n",
}


@pytest.mark.parametrize("content", _BROKEN)
@pytest.mark.parametrize("name", _WRITERS)
def test_a_broken_file_is_one_line_that_names_it(tmp_path, name, content):
    write, _, _ = _WRITERS[name]
    write(tmp_path / "k")
    path = sorted(p for p in (tmp_path / "k").rglob("*") if p.is_file())[-1]
    path.write_bytes(_BROKEN[content])
    with pytest.raises(Mv3dError) as caught:
        read_keypoints(tmp_path / "k", RIG, format=name)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("name", [n for n in _WRITERS if n != "freemocap"])
def test_a_file_that_is_too_large_is_not_parsed(tmp_path, name):
    write, _, _ = _WRITERS[name]
    write(tmp_path / "k")
    path = sorted(p for p in (tmp_path / "k").rglob("*") if p.is_file())[-1]
    with path.open("ab") as file:
        file.truncate(5_000_000_000)  # sparse: takes no room on the disk
    with pytest.raises(FormatError, match="too many for"):
        read_keypoints(tmp_path / "k", RIG, format=name)


def test_no_keypoints_and_no_such_format(tmp_path):
    with pytest.raises(SessionError, match="deeplabcut"):
        read_keypoints(tmp_path, RIG)
    with pytest.raises(ConfigError, match="caliscope"):
        read_keypoints(tmp_path, RIG, format="dlc")


@pytest.mark.parametrize("name", ["caliscope", "freemocap", "deeplabcut", "openpose"])
def test_a_format_that_is_not_there_is_said(tmp_path, name):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(Mv3dError):
        read_keypoints(tmp_path, RIG, format=name)


# --- OpenPose's family -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", [COCO_17, HALPE_26, COCO_133, HALPE_136, BLAZEPOSE_33], ids=lambda s: s.name)
def test_skeletons_of_pose2sim(tmp_path, skeleton):
    found = read_keypoints(pose2sim(tmp_path / "k", len(skeleton)), RIG)
    assert found["cam_1"].skeleton is skeleton
    expect(found, 1, 1, 1, len(skeleton))


@pytest.mark.parametrize("face", [68, 70])
def test_hands_and_face_follow_the_body(tmp_path, face):
    found = read_keypoints(pose2sim(tmp_path / "k", 25, hand_left=21, hand_right=21, face=face), RIG)
    skeleton = found["cam_1"].skeleton
    assert skeleton.keypoints[:25] == BODY_25.keypoints
    assert skeleton.keypoints[25] == "LHand_Wrist"
    assert skeleton.keypoints[46] == "RHand_Wrist"
    assert skeleton.keypoints[67 + 30] == "Face_30"
    assert [name for name, _ in skeleton.groups] == ["body", "left_hand", "right_hand", "face"]
    assert skeleton.mirror[skeleton.index("LHand_Thumb3")] == skeleton.index("RHand_Thumb3")
    expect(found, 0, 1, 1, 25)
    for group in ("left_hand", "right_hand", "face"):
        joints = list(dict(skeleton.groups)[group])
        np.testing.assert_array_equal(found["cam_2"].xy[2, 0, joints], points(1, 52, len(joints))[:, :2])


def test_hands_of_one_person_in_one_view_make_hands_for_all(tmp_path):
    pose2sim(tmp_path / "k", 25)
    path = tmp_path / "k" / "cam_1_json" / "cam_1_000001.json"
    document = json.loads(path.read_text())
    document["people"][0]["hand_left_keypoints_2d"] = points(0, 1, 21).ravel().tolist()
    path.write_text(json.dumps(document))
    found = read_keypoints(tmp_path / "k", RIG)
    assert len(found["cam_2"].skeleton) == 25 + 42
    assert (found["cam_1"].score[:, 0, 25:46] > 0).all(1).tolist() == [False, True, False]
    assert not found["cam_2"].score[..., 25:].any()


def test_hands_of_another_number_of_points_are_refused(tmp_path):
    with pytest.raises(FormatError, match="hand_left_keypoints_2d has 20 points, wanted 21"):
        read_keypoints(pose2sim(tmp_path / "k", 25, hand_left=20), RIG)


def test_views_that_number_their_frames_differently_are_refused(tmp_path):
    pose2sim(tmp_path / "k", frames=[0])
    path = tmp_path / "k" / "cam_2_json" / "cam_2_000000.json"
    path.rename(path.with_name("cam_2_900000000.json"))
    with pytest.raises(FormatError, match="number the same frames alike"):
        read_keypoints(tmp_path / "k", RIG)


# --- DeepLabCut ------------------------------------------------------------------------------------------------------


def test_several_animals(tmp_path):
    deeplabcut(tmp_path, individuals=("rex", "bella"), ending="DLC_dlcrnetms5_dogJun1shuffle1_9000_el")
    path = tmp_path / "cam_1DLC_dlcrnetms5_dogJun1shuffle1_9000_el.csv"
    lines = path.read_text().splitlines()
    lines[5] = "1" + "," * 18  # nobody was found
    path.write_text("\n".join(lines))
    found = read_keypoints(tmp_path, RIG)
    assert found["cam_2"].xy.shape == (3, 2, 3, 2)
    for person in range(2):
        expect(found, 1, 2, 2, 3, person=person)
    assert not found["cam_1"].score[1].any()


def test_raw_and_filtered_files_must_not_lie_together(tmp_path):
    deeplabcut(tmp_path)
    deeplabcut(tmp_path, ending="DLC_resnet50_dogJun1shuffle1_9000_filtered")
    with pytest.raises(SessionError, match="both of camera cam_1; keep one"):
        read_keypoints(tmp_path, RIG)


def test_a_skeleton_takes_joints_by_their_names(tmp_path):
    deeplabcut(tmp_path)
    dog = Skeleton("DOG", ("right_paw", "nose"), ((0, 1),))
    found = read_keypoints(tmp_path, RIG, skeleton=dog)
    assert found["cam_1"].skeleton is dog
    np.testing.assert_array_equal(found["cam_1"].xy[1, 0], points(0, 1, 3)[[2, 0], :2])
    with pytest.raises(FormatError, match=r"no joint left_pawn of DOG; is it left_paw\?"):
        read_keypoints(tmp_path, RIG, skeleton=Skeleton("DOG", ("nose", "left_pawn"), ()))


def test_cameras_may_list_the_joints_in_another_order(tmp_path):
    deeplabcut(tmp_path)
    first = (tmp_path / "cam_1DLC_resnet50_dogJun1shuffle1_9000.csv").read_bytes()
    deeplabcut(tmp_path, names=DOG[::-1])
    (tmp_path / "cam_1DLC_resnet50_dogJun1shuffle1_9000.csv").write_bytes(first)
    found = read_keypoints(tmp_path, RIG)
    np.testing.assert_array_equal(found["cam_2"].xy[1, 0], points(1, 1, 3)[::-1, :2])


def test_hdf5_alone_says_what_to_do(tmp_path):
    (tmp_path / "cam_1DLC_resnet50.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(FormatError, match="save_as_csv=True"):
        read_keypoints(tmp_path, RIG)


@pytest.mark.parametrize(
    ("line", "text", "problem"),
    [
        (1, "bodyparts,nose", "differ in length"),
        (1, "who,nose", "header rows"),
        (2, "coords" + ",x" * 9, "one column"),
        (3, "img001.png" + ",1" * 9, "line 4: the first column must be a frame number"),
        (4, "0" + ",1" * 9, "line 5: a second row for frame 0"),
        (4, "1,1,2", "line 5: 2 values, the header names 9"),
        (4, "1" + ",x" * 9, "line 5"),
        (4, "9999999" + ",1" * 9, "must be its frame"),
    ],
)
def test_deeplabcut_gone_bad(tmp_path, line, text, problem):
    deeplabcut(tmp_path)
    path = tmp_path / "cam_2DLC_resnet50_dogJun1shuffle1_9000.csv"
    lines = path.read_text().splitlines()
    lines[line] = text
    path.write_text("\n".join(lines))
    with pytest.raises(FormatError, match=problem):
        read_keypoints(tmp_path, RIG)


# --- caliscope -------------------------------------------------------------------------------------------------------


def test_times_of_caliscope(tmp_path):
    caliscope(tmp_path, frames=[4, 5, 8], time=lambda f: 100 + 0.05 * f)
    found = read_keypoints(tmp_path, RIG, fps=1)
    # Instants without a point lie between their neighbours, at each camera's own clock readings.
    np.testing.assert_allclose(found["cam_1"].timestamps, 100 + 0.05 * np.arange(4, 9))
    np.testing.assert_allclose(found["cam_2"].timestamps, 100.001 + 0.05 * np.arange(4, 9))


def test_later_columns_and_hands(tmp_path):
    ids = [*range(33), *range(100, 121), *range(200, 221), 500, 777]
    found = read_keypoints(caliscope(tmp_path, "HOLISTIC", ids, later=True), RIG)
    skeleton, wanted = found["cam_1"].skeleton, points(1, 2, len(ids))
    assert len(skeleton) == 75
    for name, at in (("RHand_Index1", 33 + 5), ("LHand_Wrist", 54), ("LKnee", 25)):
        np.testing.assert_array_equal(found["cam_2"].xy[2, 0, skeleton.index(name)], wanted[at, :2])


def test_a_tracker_that_numbers_its_points_needs_a_skeleton(tmp_path):
    caliscope(tmp_path, "ONNX_rtmpose", range(20))  # the toes and heels beyond were seen by nobody
    with pytest.raises(FormatError, match="--skeleton"):
        read_keypoints(tmp_path, RIG)
    found = read_keypoints(tmp_path, RIG, skeleton=HALPE_26)
    expect(found, 1, 1, 1, 20, 1.0)
    assert not found["cam_2"].score[..., 20:].any()
    with pytest.raises(FormatError, match="20 joints, COCO_17 has 17"):
        read_keypoints(tmp_path, RIG, skeleton=COCO_17)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("0,1,0,0.0,4", "line 2"),
        ("0,1,0,0.0,4,x,1,,,", "line 2"),
        ("0,1,0,0.0,100000000,1,1,,,", "beyond any tracker"),
        ("0,7,0,0.0,4,1,1,,,", "cameras 7.*must end in caliscope's numbers"),
        ("1" + "0" * 400 + ",1,0,0.0,4,1,1,,,", "line 2"),
    ],
)
def test_caliscope_gone_bad(tmp_path, row, problem):
    caliscope(tmp_path, frames=[])
    with (tmp_path / "xy_POSE.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(Mv3dError, match=problem):
        read_keypoints(tmp_path, RIG)


# --- FreeMoCap -------------------------------------------------------------------------------------------------------


def test_freemocap_has_gaps_and_older_names(tmp_path):
    freemocap(tmp_path, count=543, name="mediapipe2dData", columns=2)
    for folder in (tmp_path, tmp_path / "output_data", tmp_path / "output_data" / "raw_data"):
        found = read_keypoints(folder, RIG)
        assert (found["cam_1"].score > 0).all((1, 2)).tolist() == [True, False, True]
        assert found["cam_1"].skeleton is BLAZEPOSE_33


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 33)),
        np.zeros((2, 3, 33, 5)),
        np.zeros((2, 3, 33, 2), int),
        np.zeros((0, 3, 33, 2)),
        np.array([[{"a": 1}]], dtype=object),
    ],
    ids=["flat", "five columns", "whole numbers", "empty", "pickled"],
)
def test_freemocap_gone_bad(tmp_path, array):
    np.save(tmp_path / "x_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy", array, allow_pickle=True)
    with pytest.raises(FormatError, match=r"pixelXY\.npy"):
        read_keypoints(tmp_path, RIG)


def test_an_array_that_promises_more_than_it_holds(tmp_path):
    path = tmp_path / "x_2dData_numCams_numFrames_numTrackedPoints_pixelXY.npy"
    np.save(path, np.zeros((2, 3, 33, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 3, 33, 2)", b"(2, 9**9, 33)")[:-1])
    with pytest.raises(FormatError, match=r"pixelXY\.npy"):
        read_keypoints(tmp_path, RIG)
    np.save(path, np.zeros((2, 3, 33, 2)))
    path.write_bytes(path.read_bytes().replace(b"(2, 3, 33, 2), }   ", b"(2, 300000000, 33, 2), }"))
    with pytest.raises(FormatError, match=r"pixelXY\.npy"):
        read_keypoints(tmp_path, RIG)


# --- EasyMocap, AlphaPose, MMPose ------------------------------------------------------------------------------------


def test_easymocap_with_hands_and_face_from_its_annots(tmp_path):
    easymocap(tmp_path, handl2d=21, handr2d=21, face2d=70)
    found = read_keypoints(tmp_path / "annots", RIG)
    assert len(found["cam_1"].skeleton) == 137
    for person in range(2):
        expect(found, 1, 2, 2, 25, person=person)
    np.testing.assert_array_equal(found["cam_1"].xy[0, 1, 46:67], points(0, 50, 21, 1)[:, :2])


@pytest.mark.parametrize("joints", [17, 26, 133, 136])
def test_skeletons_of_alphapose(tmp_path, joints):
    found = read_keypoints(alphapose(tmp_path, joints, in_folders=joints < 100), RIG)
    assert len(found["cam_1"].skeleton) == joints
    for person in range(2):
        expect(found, 0, 1, 1, joints, person=person)


def test_mmpose_names_the_joints_of_an_animal(tmp_path):
    names = ["nose", "left_paw", "right_paw", "tail"]
    found = read_keypoints(mmpose(tmp_path, 4, names=names), RIG)
    assert found["cam_1"].skeleton.keypoints == tuple(names)
    expect(found, 1, 1, 1, 4)


@pytest.mark.parametrize("name", ["easymocap", "alphapose", "mmpose"])
@pytest.mark.parametrize(
    "values", [None, "x", {"a": 1}, [1, 2, 3, 4], [[1, 2], [3]], [["a", "b", "c"]], [10**400, 1, 1]], ids=str
)
def test_points_gone_bad(tmp_path, name, values):
    write, _, _ = _WRITERS[name]
    write(tmp_path / "k")
    path = sorted((tmp_path / "k").rglob("*.json"))[-1]

    def spoil(node):
        if isinstance(node, dict):
            return {k: values if k == "keypoints" else spoil(v) for k, v in node.items()}
        return [spoil(v) for v in node] if isinstance(node, list) else node

    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(FormatError, match=path.name):
        read_keypoints(tmp_path / "k", RIG)


def test_a_score_of_zero_and_a_nan_are_missing(tmp_path):
    mmpose(tmp_path)
    path = tmp_path / "results_cam_1.json"
    document = json.loads(path.read_text())
    instance = document["instance_info"][0]["instances"][0]
    instance["keypoint_scores"][3], instance["keypoints"][4] = 0.0, [float("nan"), 1.0]
    instance["keypoint_scores"][5] = 1.02
    path.write_text(json.dumps(document))
    poses = read_keypoints(tmp_path, RIG)["cam_1"]
    assert np.isnan(poses.xy[0, 0, 3:5]).all()
    assert poses.score[0, 0, 3:6].tolist() == [0, 0, 1]
