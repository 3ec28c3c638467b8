"""Video files and folders of images as cameras: at their own pace, or as fast as they are taken."""

import time
from pathlib import Path

from mv3d.capture.frames import CapturedFrame, DamagedFrame, SourceInfo, SourceSettings
from mv3d.errors import CaptureError, Mv3dError
from mv3d.files.video import VideoInfo, probe_video, read_frames


class PlaybackSource:
    """Plays a file; its frames are taken to arrive when they are shown, whatever the pace."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        """Look at the file.

        Raises:
            VideoError: missing, or not a video.
        """
        self._path, self._paced = path, settings.pace == "own"
        self._video = probe_video(path, settings.fps)
        self._frames = read_frames(path, info=self._video)
        self._start = time.monotonic()
        # A camera cannot wait for the recorder; a file can, and only at its own pace plays a camera.
        self._info = SourceInfo("image", self._video.size, self._video.fps, live=False)

    @property
    def video(self) -> VideoInfo:
        """The file."""
        return self._video

    @property
    def info(self) -> SourceInfo:
        """Size and rate of the file."""
        return self._info

    def start(self, at: float) -> None:
        """The first frame is shown at `at`."""
        self._start = at

    def read(self) -> CapturedFrame | DamagedFrame | None:
        """The next frame, when it is due; None after the last one."""
        try:
            timestamp, image = next(self._frames, (0.0, None))
        except Mv3dError as error:
            raise CaptureError(str(error)) from error
        if image is None:
            return None
        since = timestamp - float(self._video.timestamps[0])
        due = self._start + since
        if self._paced:
            time.sleep(max(0.0, due - time.monotonic()))
        return CapturedFrame(due, image, self._video.size)

    def close(self) -> None:
        """Close the file."""
        if hasattr(self._frames, "close"):
            self._frames.close()  # type: ignore[union-attr]
