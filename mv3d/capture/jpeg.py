"""JPEG pictures from the outside: size and wholeness, without decoding them (ITU-T T.81, B.1)."""

_START, _END = b"\xff\xd8", b"\xff\xd9"
# Start-of-frame markers; C4, C8 and CC are tables and an extension.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SCAN = 0xDA
# Cameras fill the last packet with zeros or end it with a line break.
_PADDING = b"\x00\r\n"


def jpeg_size(data: bytes | bytearray) -> tuple[int, int] | None:
    """(width, height) px of a picture that is there from start to end; None if it is not one, or cut short."""
    if data[:2] != _START or data[-64:].rstrip(_PADDING)[-2:] != _END:
        return None
    at, size = 2, None
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker == _SCAN:
            return size
        if marker in _FRAME_MARKERS and at + 9 <= len(data):
            height, width = (int.from_bytes(data[at + k : at + k + 2], "big") for k in (5, 7))
            size = (width, height) if width and height else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
