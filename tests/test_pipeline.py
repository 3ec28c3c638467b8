"""The whole chain on videos of a few small frames; only the network is a stand-in that finds everybody exactly."""

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from mv3d import pipeline
from mv3d.config import Config, OutputConfig
from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.data.session import Session
from mv3d.data.skeletons import COCO_18
from mv3d.detection import find_in_whole_images
from mv3d.errors import ConfigError, FormatError, ReconstructionError, SessionError, VideoError
from mv3d.files.video import VideoWriter, probe_video, read_frames
from mv3d.reconstruct.rig_check import RigCheckConfig
from mv3d.reconstruct.sync_refinement import SyncConfig
from mv3d.synthetic.observations import observe
from mv3d.synthetic.performer import standing_person, walking_person
from mv3d.synthetic.rigs import camera_ring

SIZE = (160, 120)
FRAMES = 12
FPS = 25.0
# Files without pictures: what most tests look at.
PLAIN = Config(output=OutputConfig(overlay=False, scene=False, report=False))
DRAWN = Config(output=OutputConfig(scene=False))


@pytest.fixture(scope="module")
def rig() -> Rig:
    return camera_ring(4, size=SIZE, focal=95.0, distortion=np.array([-0.1, 0.03, 0.0, 0.0]), seed=5)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return walking_person(FRAMES, fps=FPS, skeleton=COCO_18, seed=4)[0]


@pytest.fixture
def estimator(rig: Rig, truth: np.ndarray, staged_estimator, monkeypatch: pytest.MonkeyPatch):
    """The stand-in, wherever the chain makes itself a network."""
    bystander = standing_person((1.6, 1.2), 0.5, FRAMES, fps=FPS, skeleton=COCO_18, seed=1)
    staged = staged_estimator(rig, truth, bystander)
    monkeypatch.setattr("mv3d.detection.PoseEstimator", lambda *_, **__: staged)
    return staged


@pytest.fixture
def film(coded) -> Callable[..., Path]:
    """Writes videos of a rig's cameras; `frames` says which of the truth's frames each video shows."""

    def make(root: Path, rig: Rig, size: tuple[int, int] = SIZE, frames: dict[str, list[int]] | None = None) -> Path:
        for view, name in enumerate(rig.names):
            with VideoWriter(root / "videos" / f"{name}.mp4", FPS) as writer:
                for frame in (frames or {}).get(name, range(FRAMES)):
                    writer.write(coded(frame, view, size), frame / FPS)
        rig.save(root / "cameras.yaml")
        return root

    return make


@pytest.fixture
def session(tmp_path: Path, film, rig: Rig) -> Path:
    return film(tmp_path / "walk", rig)


def _contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _assert_near_truth(poses3d: Poses3D, truth: np.ndarray, atol: float = 0.01) -> None:
    """Detections are exact, so that what is left is the smoother's: it takes steps of 25 fps for noise, a few mm."""
    error = np.linalg.norm(poses3d.xyz[:, 0] - truth, axis=-1)
    assert np.isfinite(error).all()
    assert error.max() < 5 * atol
    assert error.mean() < atol
    # Without a model of time nothing but rounding to float32 px is left: 1e-5 px of 19 px per metre.
    assert np.abs(poses3d.xyz_per_frame[:, 0] - truth).max() < 1e-4


def test_every_output_is_there_and_can_be_read(session: Path, estimator, truth: np.ndarray) -> None:
    result = pipeline.run(session, Config())
    folder = Session(session)
    assert not [path for path in session.rglob("*") if path.suffix == ".part" or path.name.startswith(".")]
    for name in result.rig.names:
        with np.load(folder.pose2d / f"{name}.npz", allow_pickle=False) as file:
            assert {"xy", "score", "timestamps", "skeleton", "keypoints", "format_version"} <= set(file.files)
        assert len(Poses2D.load(folder.pose2d / f"{name}.npz")) == FRAMES
        files = sorted((folder.export / "openpose" / name).iterdir())
        assert [path.name for path in files] == [f"walk_{i:012d}_keypoints.json" for i in range(FRAMES)]
        person = json.loads(files[0].read_text())["people"][0]
        assert len(person["pose_keypoints_2d"]) == 3 * len(COCO_18)
    _assert_near_truth(Poses3D.load(folder.pose3d), truth)
    assert len((folder.export / "walk.csv").read_text().splitlines()) >= FRAMES
    assert (folder.export / "walk.trc").read_text().startswith("PathFileType")
    assert probe_video(folder.overlay_video).frame_count == FRAMES
    assert sum(1 for _ in read_frames(folder.overlay_video)) == FRAMES
    page = folder.report.read_text(encoding="utf-8")
    assert "cam03" in page
    assert page.count("data:image/") >= 3
    document = yaml.safe_load((session / "session.yaml").read_text())
    assert document["made_by"] == "mv3d run"
    assert [c["source"] for c in document["cameras"]] == [f"{name}.mp4" for name in result.rig.names]
    assert document["cameras"][0]["frames"] == FRAMES
    for what, path in result.outputs.items():
        assert path.exists(), what
        assert session in path.parents
    if "scene" in result.outputs:
        assert probe_video(folder.scene_video).frame_count == FRAMES
    else:  # no way to draw on this machine: said, not hidden
        assert any("scene.mp4 was not made" in note for note in result.notes)
    assert result.quality.limb_coverage == 1.0
    assert estimator.searched == [0]


def test_reconstructing_again_gives_the_same(session: Path, estimator) -> None:
    first = pipeline.run(session, PLAIN).poses3d
    again = pipeline.reconstruct_session(session, PLAIN, overwrite=True)
    for name in ("xyz", "xyz_per_frame", "state", "covariance", "score"):
        np.testing.assert_array_equal(getattr(again.poses3d, name), getattr(first, name), err_msg=name)
    np.testing.assert_array_equal(Poses3D.load(session / "pose3d.npz").xyz, first.xyz)


def test_corrections_survive_a_re_run(session: Path, estimator) -> None:
    """pose2d/ keeps what was found: the same file gives the same skeleton again, and its removal undoes it."""
    plain = pipeline.run(session, PLAIN).poses3d
    found = Poses2D.load(session / "pose2d/cam02.npz").xy
    file = session / "corrections.yaml"
    file.write_text(f"- {{frames: [2, {FRAMES - 1}], camera: cam02, ignore: true}}")
    first = pipeline.run(session, PLAIN, overwrite=True)
    assert "1 correction by hand applied (cam02)" in first.notes
    assert first.poses3d.n_views[:2].max() == 4
    assert first.poses3d.n_views[2:].max() == 3
    np.testing.assert_array_equal(Poses2D.load(session / "pose2d/cam02.npz").xy, found)
    again = pipeline.reconstruct_session(session, PLAIN, overwrite=True)
    np.testing.assert_array_equal(again.poses3d.xyz, first.poses3d.xyz)
    assert again.notes == ("1 correction by hand applied (cam02)",)
    other = file.rename(session / "other.yaml")
    undone = pipeline.reconstruct_session(session, PLAIN, overwrite=True)
    np.testing.assert_array_equal(undone.poses3d.xyz, plain.xyz)
    given = pipeline.reconstruct_session(session, PLAIN, overwrite=True, corrections=other)
    np.testing.assert_array_equal(given.poses3d.xyz, first.poses3d.xyz)


def test_bad_corrections_are_told_before_the_long_work(session: Path, estimator) -> None:
    (session / "corrections.yaml").write_text(f"- {{frames: [0, {FRAMES}], camera: cam02, ignore: true}}")
    with pytest.raises(FormatError, match=rf"entry 1: .* the last frame of cam02 is {FRAMES - 1}"):
        pipeline.run(session, PLAIN)
    assert estimator.searched == []


def test_one_person_is_followed_when_asked(session: Path, estimator) -> None:
    config = dataclasses.replace(PLAIN, pose2d=dataclasses.replace(PLAIN.pose2d, track=True))
    outputs = find_in_whole_images(session, config)
    for path in outputs.values():
        assert Poses2D.load(path).xy.shape == (FRAMES, 1, len(COCO_18), 2)


def test_reconstructing_from_whole_images(session: Path, estimator, truth: np.ndarray) -> None:
    """The slow way: everybody in every video, then the performer among them."""
    outputs = find_in_whole_images(session, PLAIN)
    assert sorted(outputs) == sorted(path.stem for path in (session / "pose2d").iterdir())
    assert Poses2D.load(outputs["cam01"]).xy.shape[1] == 2  # the bystander too
    assert Poses2D.load(outputs["cam03"]).xy.shape[1] == 1
    _assert_near_truth(pipeline.reconstruct_session(session, PLAIN).poses3d, truth)
    with pytest.raises(SessionError, match="pose2d: already there; pass --overwrite"):
        find_in_whole_images(session, PLAIN)


def test_everybody_in_the_session(session: Path, estimator, truth: np.ndarray) -> None:
    people = dataclasses.replace(PLAIN.reconstruct.people, count=None)
    config = dataclasses.replace(PLAIN, reconstruct=dataclasses.replace(PLAIN.reconstruct, people=people))
    result = pipeline.run(session, config)
    _assert_near_truth(result.poses3d, truth)  # the performer, none the worse
    assert Poses2D.load(session / "pose2d" / "cam01.npz").xy.shape[1] == 2
    assert Poses3D.load(session / "pose3d.npz").xyz.shape[1] == result.poses3d.xyz.shape[1] == 2
    # The same from the files.
    np.testing.assert_array_equal(
        pipeline.reconstruct_session(session, config, overwrite=True).poses3d.xyz, result.poses3d.xyz
    )


def test_refuses_to_overwrite(session: Path, estimator) -> None:
    pipeline.run(session, PLAIN)
    before = _contents(session)
    for again in (pipeline.run, pipeline.reconstruct_session):
        with pytest.raises(SessionError, match="already there; pass --overwrite"):
            again(session, PLAIN)
    assert _contents(session) == before


@pytest.mark.parametrize("earlier", ["pose2d/cam01.npz", "overlay.mp4", "report.html", "export/walk.csv"])
def test_refuses_to_overwrite_any_single_output(session: Path, estimator, earlier: str) -> None:
    path = session / earlier
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"somebody's work")
    with pytest.raises(SessionError, match=f"{earlier.split('/cam')[0]}.*--overwrite"):
        pipeline.run(session, DRAWN)
    assert estimator.searched == []
    assert path.read_bytes() == b"somebody's work"


def test_overwrites_when_asked_and_leaves_nothing_stale(session: Path, estimator) -> None:
    pipeline.run(session, PLAIN)
    late = session / "export/openpose/cam01" / f"walk_{FRAMES + 7:012d}_keypoints.json"
    foreign, other = session / "export/mine.json", session / "export/openpose/cam01/notes.txt"
    shutil.copy(session / "pose2d/cam01.npz", session / "pose2d/cam09.npz")
    for path in (late, foreign, other):
        path.write_text("earlier")
    pipeline.run(session, PLAIN, overwrite=True)
    assert not late.exists(), "a frame of a longer run before"
    assert not (session / "pose2d/cam09.npz").exists(), "a camera of a run before"
    assert foreign.read_text() == other.read_text() == "earlier"
    pipeline.reconstruct_session(session, PLAIN, overwrite=True)


def _earlier_outputs(session: Path) -> dict[str, bytes]:
    """Files where a run before left its own; what is in them does not matter, only that it stays."""
    names = ["pose2d/cam01.npz", "pose2d/cam09.npz", "pose3d.npz", "overlay.mp4", "report.html", "session.yaml"]
    for name in [*names, "export/walk.csv", "export/openpose/cam01/walk_000000000099_keypoints.json"]:
        path = session / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"earlier {name}")
    return _contents(session)


def _fail(error: Exception, *_: object, **__: object) -> None:
    raise error


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("mv3d.pipeline.export_poses", SessionError("the export failed")),
        ("mv3d.pipeline.export_poses", OSError(28, "No space left on device")),
        ("mv3d.pipeline.report", KeyboardInterrupt()),
        ("mv3d.pipeline.write_session_file", OSError(28, "No space left on device", "session.yaml")),
        ("mv3d.pipeline.find_keypoints", VideoError("damaged in the middle")),
    ],
)
def test_a_run_that_fails_leaves_everything_as_it_was(
    session: Path, estimator, monkeypatch: pytest.MonkeyPatch, what: str, error: BaseException
) -> None:
    before = _earlier_outputs(session)
    monkeypatch.setattr(what, functools.partial(_fail, error))
    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else (SessionError, VideoError)
    with pytest.raises(expected) as caught:
        pipeline.run(session, DRAWN, overwrite=True)
    assert _contents(session) == before
    assert ".unfinished" not in str(caught.value)
    if isinstance(error, OSError):
        assert "the disk is full" in str(caught.value)


def test_a_disk_that_fills_while_a_video_is_drawn(session: Path, estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _earlier_outputs(session)
    monkeypatch.setattr(VideoWriter, "write", functools.partial(_fail, OSError(28, "No space left on device")))
    with pytest.raises(SessionError, match="the disk is full"):
        pipeline.run(session, DRAWN, overwrite=True)
    assert _contents(session) == before


def test_a_video_that_breaks_off_while_it_is_read(session: Path, estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _earlier_outputs(session)

    def breaks(*args: object, **kwargs: object):
        for i, frame in enumerate(read_frames(*args, **kwargs)):  # type: ignore[arg-type]
            if i == 5:
                raise VideoError("frame 5 of 12 cannot be decoded")
            yield frame

    monkeypatch.setattr("mv3d.files.multiview.read_frames", breaks)
    monkeypatch.setattr("mv3d.detection.read_frames", breaks)
    for again in (pipeline.run, find_in_whole_images):
        with pytest.raises(VideoError, match="frame 5"):
            again(session, PLAIN, overwrite=True)
        assert _contents(session) == before


def test_an_unknown_export_format_is_named_before_the_work() -> None:
    with pytest.raises(ConfigError, match="did you mean trc"):
        OutputConfig(formats=("trk",))


def test_a_missing_blender_is_told_before_the_work(session: Path, estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(session))
    wanted = dataclasses.replace(PLAIN, output=dataclasses.replace(PLAIN.output, formats=("csv", "fbx")))
    before = _contents(session)
    with pytest.raises(FormatError, match="no `blender` is on the PATH"):
        pipeline.run(session, wanted)
    assert _contents(session) == before


def test_a_frame_that_one_camera_dropped(tmp_path: Path, film, rig: Rig, estimator, truth: np.ndarray) -> None:
    """Frame times say so; the other three cameras carry on, and the keypoints stay with their frames."""
    kept = [f for f in range(FRAMES) if f != 5]
    session = film(tmp_path / "dropped", rig, frames={"cam02": kept})
    result = pipeline.run(session, DRAWN)
    _assert_near_truth(result.poses3d, truth)
    np.testing.assert_array_equal(result.poses3d.n_views[:, 0, 0], np.where(np.arange(FRAMES) == 5, 3, 4))
    own = Poses2D.load(session / "pose2d/cam02.npz")
    assert len(own) == FRAMES - 1
    np.testing.assert_allclose(own.xy[:, 0], rig["cam02"].project(truth[kept]), atol=1e-4)
    assert probe_video(session / "overlay.mp4").frame_count == FRAMES
    again = pipeline.reconstruct_session(session, PLAIN, overwrite=True)
    np.testing.assert_array_equal(again.poses3d.xyz, result.poses3d.xyz)


def test_a_camera_whose_clock_a_calibration_knows(tmp_path: Path, film, rig: Rig, estimator, truth: np.ndarray) -> None:
    """cam02 started two frames after the others; the board was filmed in another recording, so it must be asked for."""
    frames = {name: list(range(FRAMES - 2)) for name in rig.names} | {"cam02": list(range(2, FRAMES))}
    session = film(tmp_path / "late", rig, frames=frames)
    (session / "calibration").mkdir()
    offsets = np.array([0, 2 / FPS, 0, 0])
    empty = {"videos": np.array([], dtype=np.str_), "video_bytes": np.zeros(0, np.int64)}
    uncertainty = session / "calibration" / "uncertainty.npz"
    np.savez(uncertainty, cameras=np.array(rig.names), time_offsets=offsets, **empty)
    result = pipeline.run(session, PLAIN, time_offsets="calibration")
    _assert_near_truth(result.poses3d, truth[: FRAMES - 2])
    np.testing.assert_array_equal(result.poses3d.time_offsets, offsets)
    assert result.poses3d.n_views[:, 0, 0].tolist() == [3, 3] + [4] * (FRAMES - 4)
    assert Poses2D.load(session / "pose2d/cam02.npz").timestamps[0] == 0, "files keep the cameras' own times"
    again = pipeline.reconstruct_session(session, PLAIN, overwrite=True, time_offsets="calibration")
    np.testing.assert_array_equal(again.poses3d.xyz, result.poses3d.xyz)
    pipeline.report_session(session, PLAIN)
    unasked = pipeline.reconstruct_session(session, PLAIN, overwrite=True)
    assert not unasked.poses3d.time_offsets.any()
    assert "--time-offsets calibration" in unasked.notes[0]


def test_a_video_that_ends_early_is_an_error_unless_told(tmp_path: Path, film, rig: Rig, estimator, truth) -> None:
    session = film(tmp_path / "short", rig, frames={"cam03": list(range(FRAMES - 3))})
    with pytest.raises(VideoError, match=r"cam03.mp4: 9 frames .*--common-time"):
        pipeline.run(session, PLAIN)
    assert not (session / "pose3d.npz").exists()
    result = pipeline.run(session, PLAIN, common_time=True)
    _assert_near_truth(result.poses3d, truth[: FRAMES - 3])
    assert len(Poses2D.load(session / "pose2d/cam01.npz")) == FRAMES


def test_videos_of_half_the_calibrated_size(tmp_path: Path, film, rig: Rig, estimator, truth: np.ndarray) -> None:
    full = pipeline.run(film(tmp_path / "full", rig), PLAIN)
    half = pipeline.run(film(tmp_path / "half", rig, size=(SIZE[0] // 2, SIZE[1] // 2)), PLAIN)
    assert half.rig[0].size == (80, 60)
    assert all("calibration scaled from 160x120 to the video's 80x60" in note for note in half.notes)
    assert len(half.notes) == 4
    np.testing.assert_allclose(half.poses3d.xyz_per_frame, full.poses3d.xyz_per_frame, atol=1e-4)
    # The smoother trusts them less: its noise floor, 0.2 px, is 2 cm now.
    _assert_near_truth(half.poses3d, truth, atol=0.015)


def test_exports_of_a_session(session: Path, estimator, tmp_path: Path) -> None:
    pipeline.run(session, PLAIN)
    made = pipeline.export_session(session, ("json", "npz", "csv_tidy"))
    assert [path.name for path in made] == ["walk.json", "walk.npz", "walk_tidy.csv"]
    assert len(json.loads(made[0].read_text())["timestamps"]) == FRAMES
    with pytest.raises(SessionError, match=r"walk_tidy\.csv: already there"):
        pipeline.export_session(session, ("csv_tidy", "json"))
    elsewhere = pipeline.export_session(session, ("trc", "openpose"), tmp_path / "out")
    assert all(path.exists() for path in elsewhere)
    with pytest.raises(ConfigError, match="'bvhh' is unknown"):
        pipeline.export_session(session, ("bvhh",))


def test_the_report_of_a_session(session: Path, estimator) -> None:
    result = pipeline.run(session, DRAWN)
    first = (session / "report.html").read_text(encoding="utf-8")
    (session / "report.html").unlink()
    assert pipeline.report_session(session, DRAWN) == [session / "report.html"]
    again = (session / "report.html").read_text(encoding="utf-8")
    error = f"{np.nanmean(result.quality.left_out_px):.1f}"
    assert error in first
    assert error in again
    assert again.count("data:image/") == first.count("data:image/"), "the stills come from overlay.mp4"


def _moving_cameras_session(root: Path, late: float = 0.0, shift: float = 0.0) -> tuple[Session, np.ndarray]:
    """Keypoints of a walk seen by four cameras, the second late by so many frames, or its image shifted by px."""
    rig, fine = camera_ring(4, seed=0), 10
    xyz, _ = walking_person(2000, fps=60.0 * fine, skeleton=COCO_18, seed=0)
    stamps = np.arange(150) / 60.0
    rig.save(root / "cameras.yaml")
    at = 200 + fine * np.arange(150)
    for view, name in enumerate(rig.names):
        seen = xyz[at - (round(fine * late) if view == 1 else 0)]
        poses = observe(rig, seen, stamps, COCO_18, noise_px=1.0, missing=0.05, outliers=0.02)[name]
        moved = dataclasses.replace(poses, xy=poses.xy + (np.array([shift, 0.0]) if view == 1 else 0.0))
        moved.save(Session(root).pose2d / f"{name}.npz")
    return Session(root), xyz[at]


def test_a_late_camera_is_put_right_and_told(tmp_path: Path) -> None:
    session, truth = _moving_cameras_session(tmp_path, late=3.4)
    result = pipeline.reconstruct_session(tmp_path, PLAIN)
    poses3d = Poses3D.load(session.pose3d)
    # A tenth of a frame is the goal of synchronisation; see tests/reconstruct/test_sync.py.
    assert poses3d.time_offsets * 60 == pytest.approx([0, -3.4, 0, 0], abs=0.1)
    error = np.linalg.norm(poses3d.xyz[:, 0] - truth, axis=-1)
    untold = pipeline.reconstruct_session(
        tmp_path, dataclasses.replace(PLAIN, sync=SyncConfig(enabled=False)), overwrite=True
    )
    # 3.4 frames of a walker are 75 mm: untold, the late camera's views count for less, or pull the person after it.
    assert np.nanmean(error) < 0.9 * np.nanmean(np.linalg.norm(untold.poses3d.xyz[:, 0] - truth, axis=-1))
    assert not untold.poses3d.time_offsets.any()
    assert result.outputs["verdict"] == session.verdict
    pipeline.reconstruct_session(tmp_path, PLAIN, overwrite=True)
    verdict = json.loads(session.verdict.read_text())
    assert any("cam02 is 3.4 frames late" in reason["text"] for reason in verdict["reasons"])


def test_a_refined_rig_lies_beside_the_users_own(tmp_path: Path) -> None:
    session, _ = _moving_cameras_session(tmp_path, shift=25.0)
    before = session.rig.read_bytes()
    plain = pipeline.reconstruct_session(tmp_path, PLAIN)
    assert not session.refined_rig.exists()
    refine = dataclasses.replace(PLAIN, rig_check=RigCheckConfig(refine="image-shift"))
    refined = pipeline.reconstruct_session(tmp_path, refine, overwrite=True)
    assert session.rig.read_bytes() == before
    assert refined.outputs["refined rig"] == session.refined_rig
    moved = Rig.load(session.refined_rig)[1].lens.K[0, 2] - Rig.load(session.rig)[1].lens.K[0, 2]
    assert moved == pytest.approx(25.0, abs=2.0)
    assert refined.quality.left_out_px.mean() < 0.5 * plain.quality.left_out_px.mean()
    assert json.loads(session.verdict.read_text())["rig"]["refined"] == "image-shift"
    # The report is made with the rig of the reconstruction, and a plain run takes the refined one away again.
    pipeline.report_session(tmp_path, DRAWN)
    assert "cameras.refined.yaml" in session.report.read_text(encoding="utf-8")
    pipeline.reconstruct_session(tmp_path, PLAIN, overwrite=True)
    assert not session.refined_rig.exists()


def test_before_there_is_anything(session: Path, estimator) -> None:
    with pytest.raises(SessionError, match="no reconstruction yet; run `mv3d run"):
        pipeline.export_session(session, ("csv",))
    with pytest.raises(SessionError, match="no keypoints yet"):
        pipeline.reconstruct_session(session, PLAIN)


def test_a_single_camera_is_refused_before_the_work(tmp_path: Path, film, rig: Rig, estimator) -> None:
    session = film(tmp_path / "one", rig.subset(["cam01"]))
    with pytest.raises(ReconstructionError, match=r"one camera \(cam01\); 3D needs two"):
        pipeline.run(session, PLAIN)
    assert estimator.searched == []


def test_a_camera_that_never_sees_the_performer(tmp_path: Path, film, rig: Rig, estimator, truth, coded) -> None:
    away = dataclasses.replace(rig[3], R=-rig[3].R * [[1], [-1], [1]], t=-rig[3].t * [1, -1, 1])  # looks outwards
    turned = Rig((*rig.cameras[:3], away))
    estimator.rig = turned
    session = film(tmp_path / "away", turned)
    with pytest.raises(ReconstructionError, match=r"camera cam04: the performer was found in no frame.*--allow-empty"):
        pipeline.run(session, PLAIN)
    config = dataclasses.replace(PLAIN, reconstruct=dataclasses.replace(PLAIN.reconstruct, allow_empty_views=True))
    _assert_near_truth(pipeline.run(session, config).poses3d, truth)


def test_one_frame(tmp_path: Path, film, rig: Rig, estimator, truth: np.ndarray) -> None:
    session = film(tmp_path / "still", rig, frames={name: [0] for name in rig.names})
    result = pipeline.run(session, Config())
    np.testing.assert_allclose(result.poses3d.xyz[0, 0], truth[0], atol=0.01)
