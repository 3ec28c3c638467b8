"""The end of a recorded Matroska file: what lies in it, and the index, duration and size that make it whole."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mv3d.errors import FormatError, SessionError
from mv3d.files import ebml
from mv3d.files.matroska import CLUSTER, CUES, DURATION, EBML, INFO, SEEK_HEAD, SEEK_HEAD_BYTES, SEGMENT, TRACKS, VOID
from mv3d.files.writing import why_not_written

# Enough for the heads of a cluster, of its time and of its block.
_PEEK_BYTES = 48
# An entry of the index a second is fine enough to seek by, and keeps hours of frames in some 100 kB.
_CUE_EVERY_US = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FramesInFile:
    """What a recorded file holds.

    Attributes:
        times_us: (frame,) int64 microseconds, in the order of the file.
        positions: (frame,) int64 byte at which the frame's cluster begins.
        key: (frame,) whether it can be decoded by itself.
        end: byte after the last whole frame.
        torn_bytes: bytes after it that are part of a frame.
        finished: whether the file has its index.
    """

    times_us: np.ndarray
    positions: np.ndarray
    key: np.ndarray
    end: int
    torn_bytes: int
    finished: bool


def scan_matroska(path: Path) -> FramesInFile:
    """Find the whole frames of a file written by `MatroskaWriter`, reading only their heads.

    Raises:
        FormatError: not such a file.
    """
    size = path.stat().st_size
    times, positions, keys, finished = [], [], [], False
    with path.open("rb") as file:
        at = end = _first_cluster(path, file)
        while (head := _element_at(file, at)) is not None:
            identifier, payload, head_length = head
            after = at + head_length + payload
            if after > size:
                break
            if identifier == CLUSTER:
                time, key = _cluster(file, at + head_length)
                times.append(time)
                positions.append(at)
                keys.append(key)
                end = after
            elif identifier == CUES:
                finished = True
            else:
                break
            at = after
    torn = 0 if finished else size - end
    return FramesInFile(
        np.array(times, np.int64), np.array(positions, np.int64), np.array(keys, bool), end, torn, finished
    )


def finish_matroska(path: Path) -> FramesInFile:
    """Cut off a torn frame and write index, duration and size, in place. A file that has them is left alone.

    The duration and the places come last, over bytes that are there already, so that a full disk costs the index only.

    Raises:
        FormatError: not a file of `MatroskaWriter`.
        SessionError: the index cannot be written; the frames are not touched.
    """
    found = scan_matroska(path)
    if found.finished:
        return found
    try:
        with path.open("r+b") as file:
            file.truncate(found.end)
            segment = _segment_payload(path, file)
            _write_front(file, segment, found, has_index=False)
            _append_index(file, segment, found)
            _write_front(file, segment, found, has_index=True)
    except OSError as error:
        raise SessionError(f"{path}: the index cannot be written, {why_not_written(error)}") from error
    return found


def _append_index(file: BinaryIO, segment: int, found: FramesInFile) -> None:
    try:
        file.seek(found.end)
        file.write(_cues(found, segment))
        file.flush()
    except OSError:
        os.ftruncate(file.fileno(), found.end)
        raise


def _write_front(file: BinaryIO, segment: int, found: FramesInFile, has_index: bool) -> None:
    """Fill the room that the head left: size of the segment, duration, where the index is."""
    file.seek(0, os.SEEK_END)
    size = file.tell() - segment
    file.seek(segment - 8)
    file.write(ebml.size_bytes(size, 8))
    places = {}
    at = segment + SEEK_HEAD_BYTES
    while (head := _element_at(file, at)) is not None and head[0] in (INFO, TRACKS):
        places[head[0]] = at - segment
        if head[0] == INFO:
            _write_duration(file, at + head[2], head[1], found)
        at += head[1] + head[2]
    if has_index:
        places[CUES] = found.end - segment
        seeks = b"".join(
            ebml.element(0x4DBB, ebml.element(0x53AB, ebml.identifier_bytes(i)) + ebml.unsigned(0x53AC, place))
            for i, place in places.items()
        )
        seek_head = ebml.element(SEEK_HEAD, seeks)
        file.seek(segment)
        file.write(seek_head + ebml.void(SEEK_HEAD_BYTES - len(seek_head)))
    file.flush()


def _write_duration(file: BinaryIO, at: int, length: int, found: FramesInFile) -> None:
    file.seek(at)
    payload = file.read(length)
    place = 0
    while (head := ebml.read_head(payload, place)) is not None:
        if head[0] in (VOID, DURATION):
            file.seek(at + place)
            file.write(ebml.real(DURATION, _duration_us(found)))
            return
        place += head[2] + (head[1] or 0)


def _duration_us(found: FramesInFile) -> float:
    """Time of the last frame and its share; times count from the start of the recording, not from the first frame.

    The share is the shortest interval: with frames missing, any other would promise more than there is.
    """
    if len(found.times_us) < 2:
        return float(found.times_us.max(initial=0))
    return float(found.times_us[-1] + np.diff(found.times_us).min())


def _cues(found: FramesInFile, segment: int) -> bytes:
    points, last = [], -_CUE_EVERY_US
    for time, position in zip(found.times_us[found.key], found.positions[found.key], strict=True):
        if time - last < _CUE_EVERY_US:
            continue
        last = time
        place = ebml.unsigned(0xF7, 1) + ebml.unsigned(0xF1, int(position) - segment)
        points.append(ebml.element(0xBB, ebml.unsigned(0xB3, int(time)) + ebml.element(0xB7, place)))
    return ebml.element(CUES, b"".join(points))


def _element_at(file: BinaryIO, at: int) -> tuple[int, int, int] | None:
    """Identifier, payload's size and head's length of an element of known size; None at the end."""
    file.seek(at)
    head = ebml.read_head(file.read(12))
    return None if head is None or head[1] is None else (head[0], head[1], head[2])


def _segment_payload(path: Path, file: BinaryIO) -> int:
    """Where the segment's content begins."""
    head = _element_at(file, 0)
    if head is not None and head[0] == EBML:
        at = head[1] + head[2]
        file.seek(at)
        segment = ebml.read_head(file.read(12))
        if segment is not None and segment[0] == SEGMENT and segment[2] == 12:
            return at + 12
    raise FormatError(f"{path}: not a Matroska file that mv3d recorded; only those can be repaired")


def _first_cluster(path: Path, file: BinaryIO) -> int:
    segment = _segment_payload(path, file)
    at = segment
    while (head := _element_at(file, at)) is not None and head[0] in (SEEK_HEAD, VOID, INFO, TRACKS):
        at += head[1] + head[2]
    if head is not None and head[0] not in (CLUSTER, CUES):
        raise FormatError(f"{path}: not a Matroska file that mv3d recorded; only those can be repaired")
    return at


def _cluster(file: BinaryIO, at: int) -> tuple[int, bool]:
    """Time in microseconds of a cluster's frame, and whether it is a key frame."""
    file.seek(at)
    data = file.read(_PEEK_BYTES)
    time_head = ebml.read_head(data)
    assert time_head is not None
    assert time_head[1] is not None
    block_at = time_head[2] + time_head[1]
    time = int.from_bytes(data[time_head[2] : block_at], "big")
    block = ebml.read_head(data, block_at)
    assert block is not None
    return time, bool(data[block_at + block[2] + 3] & 0x80)
