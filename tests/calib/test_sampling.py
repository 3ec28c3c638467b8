import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import calib.detection_cache
from calib.board_sources import align, extrinsics_sources, intrinsics_sources
from calib.boards import Board, load_board
from calib.sampling import SamplingConfig, observe_session
from calib.view_selection import choose_views
from mv3d.data.lens import Pinhole
from mv3d.data.session import Session
from mv3d.errors import CalibrationError, FormatError, VideoError
from mv3d.files.video import VideoWriter

BOARD, RIG = load_board("demo_checkerboard"), load_board("charuco_rig")
# px; JPEG and H.264 move corners of these pictures by a few hundredths.
CODED = 0.15
SIZE = (400, 300)


@pytest.fixture(scope="session")
def small_lens(lens: Pinhole) -> Pinhole:
    return lens.scaled(0.5, 0.5)


@pytest.fixture(scope="session")
def pictures(render: Callable, small_lens: Pinhole, stand: Callable) -> list[tuple[np.ndarray, np.ndarray]]:
    """A board that turns, with its corners."""
    return [render(BOARD, small_lens, *stand(BOARD, 2.4, turn=0.08 * k - 0.3), size=SIZE, seed=k) for k in range(8)]


def write_images(folder: Path, images: list[np.ndarray], suffix: str = ".png") -> None:
    folder.mkdir(parents=True)
    for k, image in enumerate(images):
        cv2.imwrite(str(folder / f"shot{k}{suffix}"), image)


def write_video(path: Path, images: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 30) as writer:
        for image in images:
            writer.write(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))


def test_images_of_single_cameras(tmp_path: Path, pictures: list) -> None:
    for camera in ("cam2", "cam10"):
        write_images(tmp_path / "calibration/intrinsics" / camera, [p[0] for p in pictures[:3]])
    (tmp_path / "calibration/intrinsics/cam2/notes.txt").write_text("hello")
    found = observe_session(tmp_path, BOARD)
    assert found.cameras == ("cam2", "cam10")
    assert found.views.tolist() == [[True] * 3 + [False] * 3, [False] * 3 + [True] * 3]
    assert found.frame_names[:2] == ("intrinsics/cam2/shot0", "intrinsics/cam2/shot1")
    assert len(set(found.segments.tolist())) == 6
    assert np.isnan(found.times).all()
    assert found.sizes.tolist() == [[400, 300]] * 2
    np.testing.assert_allclose(found.xy[0, 1], pictures[1][1], atol=CODED)


def test_images_of_one_instant_share_a_name(tmp_path: Path, pictures: list) -> None:
    write_images(tmp_path / "calibration/extrinsics/a", [p[0] for p in pictures[:3]])
    write_images(tmp_path / "calibration/extrinsics/b", [p[0] for p in pictures[:3]], ".jpg")
    (tmp_path / "calibration/extrinsics/b/shot1.jpg").unlink()
    found = observe_session(tmp_path, BOARD)
    assert found.frame_names == tuple(f"extrinsics/shot{k}" for k in range(3))
    assert found.views.tolist() == [[True, True, True], [True, False, True]]
    np.testing.assert_allclose(found.xy[1, 2], pictures[2][1], atol=CODED)


@pytest.mark.parametrize("folder", ["calibration/extrinsics", "videos"])
def test_videos_keep_all_frames_and_their_times(tmp_path: Path, pictures: list, folder: str) -> None:
    images = [p[0] for p in pictures]
    write_video(tmp_path / folder / "a.mp4", images)
    write_video(tmp_path / folder / "b.mp4", images[::-1])
    found = observe_session(tmp_path, BOARD)
    assert found.views.all()
    assert found.segments.tolist() == [0] * 8
    np.testing.assert_allclose(found.times, np.arange(8)[None] / 30 + np.zeros((2, 1)), atol=1e-6)
    np.testing.assert_allclose(found.xy[0], [p[1] for p in pictures], atol=CODED)
    np.testing.assert_allclose(found.xy[1, ::-1], found.xy[0], atol=2 * CODED)


def test_recorded_times_match_the_frames(tmp_path: Path, pictures: list) -> None:
    """A camera that dropped a frame has none there, and its own times elsewhere."""
    write_video(tmp_path / "videos/a.mp4", [p[0] for p in pictures])
    write_video(tmp_path / "videos/b.mp4", [p[0] for k, p in enumerate(pictures) if k != 3])
    for name, times in (("a", np.arange(8) / 10), ("b", np.delete(np.arange(8) / 10 + 0.02, 3))):
        rows = "".join(f"{k},{t}\n" for k, t in enumerate(times))
        (tmp_path / f"videos/{name}.timestamps.csv").write_text("frame,seconds\n" + rows)
    found = observe_session(tmp_path, BOARD)
    assert found.views.tolist() == [[True] * 8, [True] * 3 + [False] + [True] * 4]
    np.testing.assert_allclose(found.times[1] - found.times[0], [0.02] * 3 + [np.nan] + [0.02] * 4, atol=1e-9)
    np.testing.assert_allclose(found.xy[1, 4], found.xy[0, 4], atol=2 * CODED)


def test_of_long_videos_runs_of_frames_are_taken(tmp_path: Path, pictures: list) -> None:
    images = [p[0] for p in pictures]
    for name in ("a", "b"):
        write_video(tmp_path / f"videos/{name}.mp4", images * 5)
    found = observe_session(tmp_path, BOARD, SamplingConfig(extrinsics_frames=12, run_frames=4))
    assert found.frame_names == tuple(f"extrinsics/frame {k}" for s in (0, 18, 36) for k in range(s, s + 4))
    assert found.segments.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    np.testing.assert_allclose(found.xy[0, 5], pictures[19 % 8][1], atol=CODED)


def test_both_kinds_together(tmp_path: Path, pictures: list) -> None:
    write_images(tmp_path / "calibration/intrinsics/a", [p[0] for p in pictures[:2]])
    write_video(tmp_path / "calibration/extrinsics/a/board.mp4", [p[0] for p in pictures])
    write_video(tmp_path / "calibration/extrinsics/b/board.mp4", [p[0] for p in pictures])
    found = observe_session(tmp_path, BOARD)
    assert found.cameras == ("a", "b")
    assert found.views.sum(1).tolist() == [10, 8]
    assert found.segments.tolist() == [0] * 8 + [1, 2]
    assert found.frame_names[8] == "intrinsics/a/shot0"


def test_videos_of_single_cameras_give_different_poses(tmp_path: Path, pictures: list) -> None:
    still = [pictures[0][0]] * 6
    write_video(tmp_path / "calibration/intrinsics/a/long.mp4", still + [p[0] for p in pictures] + still)
    found = observe_session(tmp_path, BOARD, SamplingConfig(intrinsics_views=5))
    assert len(found.frame_names) == 5
    numbers = [int(name.split()[-1]) for name in found.frame_names]
    assert numbers == sorted(numbers)
    assert sum(6 < n < 14 for n in numbers) == 4  # one of those that stand still, not more


def test_pictures_of_another_size_are_scaled(tmp_path: Path, pictures: list) -> None:
    images = [p[0] for p in pictures[:3]]
    images[1] = cv2.resize(images[1], (800, 600), interpolation=cv2.INTER_CUBIC)
    write_images(tmp_path / "calibration/intrinsics/a", images)
    found = observe_session(tmp_path, BOARD)
    assert found.sizes.tolist() == [[400, 300]]
    np.testing.assert_allclose(found.xy[0, 1], pictures[1][1], atol=CODED)


def test_pictures_of_another_shape_are_refused(tmp_path: Path, pictures: list) -> None:
    images = [p[0] for p in pictures[:3]]
    images[1] = np.ascontiguousarray(images[1][:, :-20])
    write_images(tmp_path / "calibration/intrinsics/a", images)
    with pytest.raises(CalibrationError, match="shot1 is 380x300, another shape than the 400x300"):
        observe_session(tmp_path, BOARD)


def test_what_was_found_is_kept_until_something_changes(
    tmp_path: Path, pictures: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "calibration/intrinsics/a"
    write_images(folder, [p[0] for p in pictures[:3]])
    looked: list[int] = []
    detect = calib.detection_cache.detect_board
    monkeypatch.setattr(calib.detection_cache, "detect_board", lambda *a: looked.append(1) or detect(*a))
    first = observe_session(tmp_path, BOARD)
    assert (tmp_path / "calibration/detections/intrinsics/a.npz").is_file()
    again = observe_session(tmp_path, BOARD)
    np.testing.assert_array_equal(first.xy, again.xy)
    assert len(looked) == 3
    cv2.imwrite(str(folder / "shot1.png"), pictures[5][0])
    changed = observe_session(tmp_path, BOARD)
    assert len(looked) == 6
    np.testing.assert_allclose(changed.xy[0, 1], pictures[5][1], atol=CODED)
    (tmp_path / "calibration/detections/intrinsics/a.npz").write_bytes(b"PK damaged")
    observe_session(tmp_path, BOARD)
    assert len(looked) == 9


def test_progress_counts_every_frame(tmp_path: Path, pictures: list) -> None:
    for camera in "ab":
        write_images(tmp_path / "calibration/intrinsics" / camera, [p[0] for p in pictures[:3]])
    counted = []

    def progress(items, length, description):
        counted.append((length, description))
        counted.append(sum(1 for _ in items))
        return []

    for _ in range(2):  # the second time from the cache
        counted.clear()
        observe_session(tmp_path, BOARD, progress=progress)
        assert counted == [(6, "finding boards"), 6]


def refused(root: Path, board: Board, message: str) -> None:
    with pytest.raises(CalibrationError, match=message) as caught:
        observe_session(root, board)
    assert "\n" not in str(caught.value)


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "calibration/intrinsics/a").mkdir(parents=True)
    refused(tmp_path, BOARD, "no pictures of a board; put videos or images into")


def test_wrong_number_of_squares(tmp_path: Path, pictures: list) -> None:
    write_images(tmp_path / "calibration/intrinsics/a", [p[0] for p in pictures[:4]])
    refused(tmp_path, Board("checkerboard", (4, 7), 0.06), "no checkerboard of 4x7 .* 4 of 4 .* show .* 5x8 squares")


@pytest.mark.parametrize("wrong", [(5, 5), (6, 4)])
def test_wrong_number_of_squares_of_a_charuco_board(
    tmp_path: Path, render: Callable, lens: Pinhole, stand: Callable, wrong: tuple[int, int]
) -> None:
    images = [render(RIG, lens, *stand(RIG, 2.4, tilt=tilt))[0] for tilt in (0.2, 0.4)]
    write_images(tmp_path / "calibration/intrinsics/a", images)
    refused(tmp_path, replace(RIG, squares=wrong), r"board of 4x5 squares; write squares: \[4, 5\] if")


def test_a_camera_that_sees_another_board_is_told_what_it_shows(
    tmp_path: Path, pictures: list, render: Callable, lens: Pinhole, stand: Callable
) -> None:
    other = Board("checkerboard", (6, 9), 0.06)
    write_images(tmp_path / "calibration/intrinsics/a", [p[0] for p in pictures[:3]])
    write_images(tmp_path / "calibration/intrinsics/b", [render(other, lens, *stand(other, 2.4))[0]])
    refused(tmp_path, BOARD, "in 1 pictures of b, but 1 of 1 .* show a checkerboard of 6x9 squares")


def test_no_board_at_all(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)
    write_images(tmp_path / "calibration/intrinsics/a", [noise, noise])
    refused(
        tmp_path, BOARD, "no checkerboard of 5x8 squares of 60 mm in 2 pictures of 1 cameras, no other checkerboard"
    )
    refused(tmp_path, RIG, "no charuco of 4x5 .* no markers of another dictionary")


@pytest.mark.parametrize(
    ("board", "mirrored", "message"),
    [
        (Board("charuco", (4, 5), 0.054, 0.0405, "DICT_4X4_1000"), False, "white on black; set inverted: true"),
        (Board("charuco", (4, 5), 0.054, 0.0405, "DICT_5X5_50", True), False, "markers of DICT_4X4_1000"),
        (RIG, True, "mirrored; turn off mirroring"),
    ],
)
def test_another_kind_of_markers(
    tmp_path: Path, render: Callable, lens: Pinhole, stand: Callable, board: Board, mirrored: bool, message: str
) -> None:
    image, _ = render(RIG, lens, *stand(RIG, 2.4))
    write_images(tmp_path / "calibration/intrinsics/a", [image[:, ::-1] if mirrored else image])
    refused(tmp_path, board, message)


def test_a_damaged_image(tmp_path: Path, pictures: list) -> None:
    write_images(tmp_path / "calibration/intrinsics/a", [p[0] for p in pictures[:3]])
    path = tmp_path / "calibration/intrinsics/a/shot1.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(VideoError, match=r"shot1\.png"):
        observe_session(tmp_path, BOARD)


def test_a_damaged_video(tmp_path: Path, pictures: list) -> None:
    for name in "ab":
        write_video(tmp_path / f"videos/{name}.mp4", [p[0] for p in pictures])
    path = tmp_path / "videos/b.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(VideoError, match=r"b\.mp4"):
        observe_session(tmp_path, BOARD)


def test_mixed_sources_are_refused(tmp_path: Path, pictures: list) -> None:
    folder = tmp_path / "calibration/extrinsics"
    write_images(folder / "a", [p[0] for p in pictures[:2]])
    write_video(folder / "b/board.mp4", [p[0] for p in pictures])
    refused(tmp_path, BOARD, "images for a but videos for the other cameras")
    shutil.copy(folder / "b/board.mp4", folder / "b/board2.mp4")
    refused(tmp_path, BOARD, "several recordings of one camera")


def test_times_that_do_not_fit(tmp_path: Path, pictures: list) -> None:
    write_video(tmp_path / "videos/a.mp4", [p[0] for p in pictures])
    (tmp_path / "videos/a.timestamps.csv").write_text("0,0.0\n1,0.1\n")
    with pytest.raises(FormatError, match="lists 2 frames"):
        observe_session(tmp_path, BOARD)


def test_sources_are_named_by_folder_or_file(tmp_path: Path, pictures: list) -> None:
    write_images(tmp_path / "calibration/intrinsics/a", [pictures[0][0]])
    write_video(tmp_path / "calibration/intrinsics/b/one.mp4", [pictures[0][0]])
    write_video(tmp_path / "calibration/intrinsics/c.mp4", [pictures[0][0]])
    assert [source.camera for source in intrinsics_sources(Session(tmp_path))] == ["a", "b", "c"]
    assert extrinsics_sources(Session(tmp_path)) == []


def test_alignment_of_images_is_natural(tmp_path: Path, pictures: list) -> None:
    folder = tmp_path / "calibration/extrinsics/a"
    write_images(folder, [pictures[0][0]])
    for name in ("shot10", "shot9"):
        shutil.copy(folder / "shot0.png", folder / f"{name}.png")
    found = align(extrinsics_sources(Session(tmp_path)), 100, 10)
    assert found.names == ("shot0", "shot9", "shot10")
    assert found.index.ravel().tolist() == [0, 1, 2]


def test_blurred_views_are_not_chosen(pictures: list) -> None:
    xy = np.stack([p[1] for p in pictures])
    sigma = np.full(len(xy), 0.05)
    sigma[7] = 1.0
    chosen = choose_views(xy, sigma, BOARD, 100)
    assert 7 not in chosen
    assert 2 < len(chosen) <= 7
    assert choose_views(xy[:0], sigma[:0], BOARD, 5).tolist() == []
