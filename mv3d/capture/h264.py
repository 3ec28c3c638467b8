"""H.264 as streams carry it (start codes, ITU-T H.264 annex B) and as files do (lengths and avcC, ISO 14496-15)."""

import re

_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_SPS, _PPS, _DELIMITER = 7, 8, 9


def is_annex_b(data: bytes) -> bool:
    """Whether NAL units are told apart by start codes."""
    return data[:4] == b"\x00\x00\x00\x01" or data[:3] == b"\x00\x00\x01"


def nal_units(data: bytes) -> list[bytes]:
    """The NAL units of a stream with start codes."""
    # A unit does not end in zero bytes; those before a start code belong to it.
    return [unit for part in _START_CODE.split(data) if (unit := part.rstrip(b"\x00"))]


def with_lengths(data: bytes) -> bytes:
    """A packet with start codes as one with lengths; one that has lengths already is returned as it is."""
    if not is_annex_b(data):
        return data
    units = [unit for unit in nal_units(data) if unit[0] & 0x1F != _DELIMITER]
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def configuration(data: bytes) -> bytes:
    """The avcC header from the parameter sets in a stream with start codes.

    Args:
        data: extradata or a key frame; an avcC header is returned as it is.

    Returns:
        The header; empty if the parameter sets are not in it.
    """
    if data and not is_annex_b(data):
        return data if data[0] == 1 else b""
    units = nal_units(data)
    sps = [unit for unit in units if unit[0] & 0x1F == _SPS and len(unit) >= 4]
    pps = [unit for unit in units if unit[0] & 0x1F == _PPS]
    if not (sps and pps):
        return b""
    header = b"\x01" + sps[0][1:4] + b"\xff" + bytes((0xE0 | len(sps),))
    header += b"".join(len(unit).to_bytes(2, "big") + unit for unit in sps)
    return header + bytes((len(pps),)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in pps)
