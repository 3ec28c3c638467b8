"""Frames of a session's videos in any order: played, stepped and scrubbed."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from mv3d.data.poses import Poses2D, Poses3D
from mv3d.data.rig import Rig
from mv3d.errors import VideoError
from mv3d.files.video import VideoInfo, read_frames
from mv3d.viz.faces import blurred, face_regions
from mv3d.viz.ideal_view import IdealView, ideal_view
from mv3d.viz.moments import ABSENT, frames_at

# Pictures are drawn on and straightened at this size: enough for half a screen, and 25 of them a second.
LONGEST_PX = 720
# Decoding on to a frame so near is cheaper than seeking to it.
_FORWARD = 24


class CameraImages:
    """Images of the cameras that have a video, at the instants of a reconstruction.

    A video that turns out to be damaged while it is read has no images from there on; `problems` says so.
    """

    def __init__(
        self,
        rig: Rig,
        videos: Mapping[str, VideoInfo],
        poses3d: Poses3D,
        faces_of: Mapping[str, Poses2D] | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            rig: cameras for the sizes of the videos.
            videos: by camera; those of some may be missing.
            poses3d: whose instants count, with the offsets of the cameras' clocks.
            faces_of: blur the faces of these detections, at the cameras' own frames; a camera without any is not shown.
        """
        if faces_of is not None:
            videos = {name: video for name, video in videos.items() if name in faces_of}
        offsets = dict(zip(poses3d.cameras, poses3d.time_offsets, strict=True))
        self._streams = {name: _Scrubber(videos[name]) for name in rig.names if name in videos}
        self._frames = {
            name: frames_at(videos[name].timestamps + offsets.get(name, 0.0), poses3d.timestamps)
            for name in self._streams
        }
        hidden = faces_of or {}
        self._faces = {
            name: face_regions(hidden[name], videos[name].size[1]) for name in self._streams if name in hidden
        }
        self._rig = rig
        self._views: dict[str, IdealView] = {}
        self.problems: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        """Cameras that have a video."""
        return tuple(self._streams)

    def view(self, name: str) -> IdealView:
        """How the pictures of a camera are straightened."""
        if name not in self._views:
            self._views[name] = ideal_view(self._rig[name], LONGEST_PX)
        return self._views[name]

    def image(self, name: str, frame: int) -> UInt8[np.ndarray, "height width 3"] | None:
        """BGR image of a camera at a frame of the reconstruction; None where it has none."""
        number = int(self._frames[name][frame]) if name in self._frames else ABSENT
        if number == ABSENT:
            return None
        try:
            image = self._streams[name].frame(number)
            return blurred(image, self._faces[name][number]) if self._faces else image
        except VideoError as error:
            self.problems.append(str(error))
            self._frames[name] = np.full_like(self._frames[name], ABSENT)
            return None

    def close(self) -> None:
        """Let go of the files."""
        for stream in self._streams.values():
            stream.close()


class _Scrubber:
    """One video: the last image is kept, the next is decoded on, others are sought."""

    def __init__(self, video: VideoInfo) -> None:
        self._video = video
        self._at, self._image = ABSENT, None
        self._reading = iter(())

    def frame(self, number: int) -> np.ndarray:
        if number == self._at and self._image is not None:
            return self._image
        if self._image is None or not self._at < number <= self._at + _FORWARD:
            self.close()
            self._reading, self._at = read_frames(self._video.path, number, info=self._video), number - 1
        try:
            while self._at < number:
                _, self._image = next(self._reading)
                self._at += 1
        except StopIteration:
            self._image = None
            raise VideoError(f"{self._video.path}: ends before frame {number}") from None
        assert self._image is not None
        return self._image

    def close(self) -> None:
        if hasattr(self._reading, "close"):
            self._reading.close()  # type: ignore[union-attr]
        self._reading, self._image = iter(()), None
