"""Streams of H.264 and others through FFmpeg: from a real RTSP server, over HTTP, and streams that do not come."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from mv3d.capture import h264
from mv3d.capture.addresses import CameraAddress
from mv3d.capture.frames import CapturedFrame, SourceSettings
from mv3d.capture.network import NetworkSource
from mv3d.capture.recorder import RecorderConfig, open_recorder
from mv3d.capture.sources import open_source
from mv3d.errors import CaptureError
from mv3d.files.video import probe_video, read_frames
from mv3d.synthetic.frame_codes import draw_number, read_number

SIZE = (128, 96)
SETTINGS = SourceSettings(timeout=2.0)


def _film(path: Path, codec: str = "libx264", frames: int = 200) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"bf": "0", "g": "10"}
        for number in range(frames):
            image = np.full((SIZE[1], SIZE[0], 3), 80, np.uint8)
            draw_number(image, number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of another project that plays a video at its own pace."""
    folder = tmp_path_factory.mktemp("published")
    _film(folder / "cam.mp4")
    port, control = _free_port(), _free_port()
    serve = f"import asyncio, aio_rtsp_toolkit.server as s; asyncio.run(s.serve(r'{folder}', '127.0.0.1', {port}"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{serve}, control_port={control}))"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.1)
    yield f"rtsp://me:secret@127.0.0.1:{port}/cam.mp4"
    process.terminate()
    process.wait()


def test_h264_of_an_rtsp_server_is_kept_as_it_comes(tmp_path: Path, rtsp: str) -> None:
    with open_recorder(tmp_path, [CameraAddress("a", rtsp)], RecorderConfig(SETTINGS, reconnect=False)) as recorder:
        recorder.start()
        recorder.wait(30.0, lambda r: r.cameras[0].counts.written >= 30)
        recorded = recorder.stop()
    camera = recorded.cameras[0]
    assert (camera.codec, camera.passed_through, camera.times) == ("h264", True, "device")
    video = probe_video(tmp_path / "videos/a.mkv")
    numbers = [read_number(image) for _, image in read_frames(video.path)]
    np.testing.assert_array_equal(np.diff(numbers), 1)
    assert numbers[0] % 10 == 0, "begins with a key frame"
    assert len(numbers) == camera.frames >= 30
    # RTP's clock has 90 kHz.
    np.testing.assert_allclose(np.diff(video.timestamps), 0.04, atol=2e-5)
    assert "secret" not in (tmp_path / "session.yaml").read_text()


def test_an_rtsp_path_that_does_not_exist(rtsp: str) -> None:
    with pytest.raises(CaptureError, match="cannot be reached") as caught:
        open_source(rtsp.replace("cam.mp4", "other.mp4"), SETTINGS)
    assert "secret" not in str(caught.value)


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for url in (f"rtsp://u:secret@127.0.0.1:{port}/x", f"http://u:secret@127.0.0.1:{port}/x"):
            with pytest.raises(CaptureError, match="cannot be reached") as caught:
                open_source(url, SourceSettings(timeout=0.3))
            assert "secret" not in str(caught.value)


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_other_streams_over_http(tmp_path: Path, codec: str) -> None:
    _film(tmp_path / "film.ts", codec, 40)
    data = (tmp_path / "film.ts").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = open_source(f"http://127.0.0.1:{server.server_address[1]}/film.ts", SETTINGS)
        assert isinstance(source, NetworkSource)
        assert source.info.codec == ("h264" if codec == "libx264" else "image")
        frames = _read_to_the_end(source)
        source.close()
    finally:
        server.shutdown()
        server.server_close()
    assert all(isinstance(frame, CapturedFrame) for frame in frames)
    if codec != "libx264":
        numbers = [read_number(frame.data) for frame in frames]
        # FFmpeg looks at the first frames and lets go of them; a decoder keeps its last until it is told to stop.
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[-1] >= 38


def _read_to_the_end(source) -> list:
    frames: list = []
    with pytest.raises(CaptureError, match=r"ended the stream|connection broke"):
        frames.extend(iter(source.read, None))
    return frames


def test_start_codes_become_lengths() -> None:
    sps, pps, slice_ = b"\x67\x42\xc0\x1e\xda", b"\x68\xce\x02", b"\x65\x88\x84\x01"
    stream = (
        b"\x00\x00\x00\x01\x09\xf0"
        + b"".join(b"\x00\x00\x00\x01" + unit for unit in (sps, pps))
        + b"\x00\x00\x01"
        + slice_
    )
    assert h264.nal_units(stream) == [b"\x09\xf0", sps, pps, slice_]
    packed = h264.with_lengths(stream)
    assert packed == b"".join(len(unit).to_bytes(4, "big") + unit for unit in (sps, pps, slice_))
    assert h264.with_lengths(packed) == packed
    header = h264.configuration(stream)
    assert header == b"\x01\x42\xc0\x1e\xff\xe1\x00\x05" + sps + b"\x01\x00\x03" + pps
    assert h264.configuration(header) == header
    assert h264.configuration(b"\x00\x00\x01" + slice_) == b""
