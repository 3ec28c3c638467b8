"""A board that is filmed with guidance: over simulated cameras and over files, at their own pace."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calib.board_sheet import draw_sheet, lay_out
from calib.boards import Board
from mv3d.board_watch import BoardWatch, WatchConfig
from mv3d.capture.addresses import CameraAddress
from mv3d.capture.decoding import NewestPicture
from mv3d.capture.frames import CapturedFrame, SourceInfo, SourceSettings
from mv3d.capture.recorder import Recorder, RecorderConfig, open_recorder
from mv3d.cli import main
from mv3d.data.camera import Camera
from mv3d.data.lens import Pinhole
from mv3d.data.rig import Rig
from mv3d.files.video import probe_video
from mv3d.files.video_writer import VideoWriter
from mv3d.synthetic.boards import carried_board
from mv3d.synthetic.camera_server import CameraServer, SimulatedCamera
from mv3d.synthetic.rigs import camera_ring

BOARD = Board("charuco", (6, 5), 0.1, 0.075, "DICT_4X4_100")
BOARD_YAML = "kind: charuco\nsquares: [6, 5]\nsquare_mm: 100\nmarker_mm: 75\ndictionary: DICT_4X4_100\n"
FPS, FRAMES = 10.0, 80
_TEXELS_PER_SQUARE = 24
# Of white around the squares, in squares; with more, the sheet of a board that is almost square is turned.
_MARGIN = 0.25


def _pair() -> Rig:
    ring = camera_ring(6, radius=2.4, size=(640, 480), focal=480.0, seed=2).cameras[:2]
    return Rig(tuple(replace(c, lens=Pinhole(c.lens.K, np.zeros(0))) for c in ring))


def film(rig: Rig, board: Board, seconds: np.ndarray, **motion: Any) -> list[list[np.ndarray]]:
    """Gray images of every camera of pinholes without distortion, at each time; `motion` as of `carried_board`."""
    width, height = (1e3 * (side + 2 * _MARGIN * board.square_m) for side in board.size_m)
    texture = draw_sheet(lay_out(board, f"{width}x{height}"), _TEXELS_PER_SQUARE / (1e3 * board.square_m))
    # A texel's centre is at half.
    scale = board.square_m / _TEXELS_PER_SQUARE
    start = 0.5 * scale - _MARGIN * board.square_m
    from_texel = np.array([[scale, 0, start], [0, scale, start], [0, 0, 1.0]])
    R, t = carried_board(seconds, **motion)
    middle = np.array([*board.size_m, 0.0]) / 2
    return [[_seen(camera, R[f], t[f] - R[f] @ middle, texture, from_texel) for f in range(len(t))] for camera in rig]


def _seen(camera: Camera, R: np.ndarray, t: np.ndarray, texture: np.ndarray, from_texel: np.ndarray) -> np.ndarray:
    to_camera = np.column_stack([camera.R @ R[:, :2], camera.R @ t + camera.t])
    corners = np.array([[0, 0, 1.0], [0, texture.shape[0], 1], [texture.shape[1], 0, 1], [*texture.shape[::-1], 1]])
    behind = (corners @ (to_camera @ from_texel).T)[:, 2].min() < 0.05
    facing = (camera.R @ R)[:, 2] @ (camera.R @ t + camera.t) > 0
    size = camera.size
    if behind or not facing:
        return np.full(size[::-1], 90, np.uint8)
    H = camera.lens.K @ to_camera @ from_texel
    # Shrinking without a blur would alias: twice the size, then the mean of four.
    double = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
    large = cv2.warpPerspective(texture, double @ H, (2 * size[0], 2 * size[1]), borderValue=90, flags=cv2.INTER_AREA)
    return cv2.GaussianBlur(cv2.resize(large, size, interpolation=cv2.INTER_AREA), (0, 0), 0.6)


@pytest.fixture(scope="module")
def filmed() -> dict[str, list[np.ndarray]]:
    rig = _pair()
    images = film(rig, BOARD, np.arange(FRAMES) / FPS, speed=2.0, toward=rig.centers.mean(0), seed=1)
    return dict(zip(rig.names, images, strict=True))


def _picture_of(images: Sequence[np.ndarray]) -> Callable[[int], bytes]:
    packed = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for image in images]
    return lambda number: packed[number % len(packed)]


def test_cameras_are_watched_until_it_is_enough(filmed: dict[str, list[np.ndarray]], tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        servers = {
            n: stack.enter_context(CameraServer(SimulatedCamera(_picture_of(i), FPS))) for n, i in filmed.items()
        }
        epoch = min(server.epoch for server in servers.values())
        for server in servers.values():
            server.epoch = epoch
        addresses = [CameraAddress(name, server.url) for name, server in servers.items()]
        recorder = stack.enter_context(open_recorder(tmp_path, addresses, RecorderConfig()))
        watch = BoardWatch(BOARD, recorder.cameras, tmp_path / "calibration/guidance.png", WatchConfig())
        with watch:
            recorder.start()
            recorder.wait(60.0, lambda _: watch.state.pairs[0].views >= 8)
            recorded = recorder.stop()
    state = watch.state
    assert all(camera.views >= 8 and camera.cells.any() for camera in state.cameras)
    assert state.connected
    assert all(0 < camera.focal_sd < 0.1 for camera in state.cameras)
    assert all(c.counts["dropped"] == 0 for c in recorded.cameras)
    assert watch.lines()
    shown = cv2.imread(str(tmp_path / "calibration/guidance.png"))
    assert shown.shape[1] == 960
    assert not list((tmp_path / "calibration").glob("*.part"))


def test_the_command_over_files(
    filmed: dict[str, list[np.ndarray]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "board.yaml").write_text(BOARD_YAML)
    cameras = []
    for name, images in filmed.items():
        path = tmp_path / f"{name}.mp4"
        with VideoWriter(path, FPS) as writer:
            for image in images[:30]:
                writer.write(np.repeat(image[..., None], 3, 2))
        cameras += ["--camera", f"{name}={path}"]
    session = tmp_path / "session"
    with pytest.raises(SystemExit):
        main(["record", str(session), *cameras, "--board", "no_such_board"])
    assert "no board 'no_such_board'" in capsys.readouterr().err
    main(["record", str(session), *cameras, "--board", str(tmp_path / "board.yaml"), "--seconds", "4"])
    shown = capsys.readouterr()
    assert "want 20; focal length" in shown.out
    assert f"mv3d calibrate {session} --board {tmp_path / 'board.yaml'}" in shown.out
    assert "guidance.png shows what to show next" in shown.err
    assert (session / "calibration/guidance.png").is_file()
    assert probe_video(session / "videos" / f"{next(iter(filmed))}.mkv").frame_count == 30


def test_whoever_watches_does_not_stop_a_recording(
    filmed: dict[str, list[np.ndarray]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr("mv3d.board_watch.detect_board", fails)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(filmed["cam01"][:5]):
        cv2.imwrite(str(folder / f"{i}.png"), image)

    def open_files() -> contextlib.AbstractContextManager[Recorder]:
        settings = SourceSettings(fps=20.0)
        return open_recorder(tmp_path / "s", [CameraAddress("cam01", str(folder))], RecorderConfig(settings))

    with open_files() as recorder, BoardWatch(BOARD, recorder.cameras, tmp_path / "p.png") as watch:
        recorder.start()
        recorder.wait(20.0, lambda _: False)
        recorded = recorder.stop()
    assert recorded.cameras[0].frames == 5
    assert watch.lines()[-1] == "! no more guidance: out of order"


def test_a_packed_stream_is_decoded_up_to_its_newest_frame(filmed: dict[str, list[np.ndarray]]) -> None:
    from mv3d.capture.encoder import FrameEncoder

    images = filmed["cam01"][20:26]
    encoder = FrameEncoder("h264", (640, 480), FPS, jpeg=False, threads=1)
    packets = [
        encoder.encode(CapturedFrame(float(i), np.repeat(image[..., None], 3, 2), (640, 480)), i * 100_000)[0]
        for i, image in enumerate(images)
    ]
    frames = [CapturedFrame(float(i), data, (640, 480), key) for i, (data, key) in enumerate(packets)]
    newest = NewestPicture(SourceInfo("h264", (640, 480), private=encoder.private))
    assert frames[0].key
    assert not frames[5].key
    for last in (2, 5):
        found = newest.decode(frames[: last + 1])
        assert found is not None
        # x264 at its rate factor of 18 leaves a gray level or two.
        assert np.abs(found[..., 1].astype(float) - images[last]).mean() < 2
    assert newest.decode(()) is None
