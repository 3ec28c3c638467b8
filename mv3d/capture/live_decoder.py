"""H.264 of a camera that runs: packets build on each other, so all are decoded; few are made into images."""

import threading
from collections import deque
from collections.abc import Callable
from functools import partial

import av
import av.error
import numpy as np

from mv3d.capture.decoding import h264_decoder
from mv3d.capture.frames import CapturedFrame

# Packets that wait for the decoder; what is a second late is of no use any more.
_MOST_PACKETS = 30


class LiveDecoder:
    """Packets in, pictures out, in a thread of its own: what reads the camera must not wait."""

    def __init__(self, private: bytes, show: Callable[[float, Callable[[], np.ndarray | None]], None]) -> None:
        """Set up the decoder.

        Args:
            private: avcC header; empty where the packets carry theirs.
            show: gets the time of each picture and a function that makes it.
        """
        self._show = show
        self._context = h264_decoder(private)
        self._waits_for_key, self._closed = True, False
        self._packets: deque[CapturedFrame] = deque()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        self._thread.start()

    def put(self, frame: CapturedFrame) -> None:
        """Queue a packet; where the decoder is too slow, all go up to the next key frame."""
        with self._changed:
            if len(self._packets) >= _MOST_PACKETS:
                self._packets.clear()
                self._waits_for_key = True
            if self._waits_for_key and not frame.key:
                return
            self._waits_for_key = False
            self._packets.append(frame)
            self._changed.notify()

    def close(self) -> None:
        """Decode what is there, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._packets or self._closed)
                if not self._packets:
                    return
                frame = self._packets.popleft()
            self._decode(frame)

    def _decode(self, frame: CapturedFrame) -> None:
        assert isinstance(frame.data, bytes)
        if frame.private:
            self._context = h264_decoder(frame.private)
        try:
            pictures = self._context.decode(av.Packet(frame.data))
        except av.error.FFmpegError:
            self._waits_for_key = True
            return
        for picture in pictures:
            self._show(frame.arrival, partial(picture.to_ndarray, format="bgr24"))
