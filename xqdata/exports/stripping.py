"""A picture file without the texts inside it: what programs, scanners and people wrote beside the pixels is left out.

The coded pixels are copied byte for byte, so every decoder gives what it gave before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Ancillary chunks of PNG that change how pixels are shown; all others are left out.
_PNG_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP sBIT bKGD pHYs".split())
_PNG_HEAD = 8
# Markers of JPEG: start, end, start of a scan, and those that stand alone.
_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_ALONE = frozenset([0x01, *range(0xD0, 0xD8)])
_APPS = range(0xE0, 0xF0)
_WEBP_KEPT = frozenset([b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"])


def without_texts(data: bytes, kind: str) -> bytes | None:
    """The file `data` of the format `kind` (PNG, JPEG, BMP, WEBP) without texts; None where it must be coded anew.

    Equal to `data` where there was nothing to leave out.
    """
    try:
        if kind == "PNG":
            return data[:_PNG_HEAD] + b"".join(chunk for name, chunk in _png_chunks(data) if name in _PNG_KEPT)
        if kind == "JPEG":
            return b"\xff\xd8" + b"".join(_jpeg_pieces(data))
        if kind == "BMP":
            return data if len(data) == struct.unpack("<I", data[2:6])[0] else None
        return data if kind == "WEBP" and set(_webp_chunks(data)) <= _WEBP_KEPT else None
    except (struct.error, IndexError):  # decoders forgive what a strict reading does not
        return None


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of each chunk, up to the end of the picture."""
    place, name = _PNG_HEAD, b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", data[place : place + 8])
        chunk = data[place : place + 12 + length]
        if len(chunk) < 12 + length:
            raise IndexError("the file ends inside a chunk")
        yield name, chunk
        place += len(chunk)


def _jpeg_pieces(data: bytes) -> Iterator[bytes]:
    """What follows the start of the picture, up to its end, without comments and applications' segments."""
    place = 2
    while True:
        while data[place] == 0xFF and data[place + 1] == 0xFF:  # fill bytes
            place += 1
        if data[place] != 0xFF:
            raise IndexError("no marker where one must be")
        marker = data[place + 1]
        if marker == _EOI:
            yield b"\xff\xd9"
            return
        length = 0 if marker in _ALONE else struct.unpack(">H", data[place + 2 : place + 4])[0]
        end = place + 2 + length
        segment = data[place:end]
        place = end
        if marker == _SOS:
            place = _end_of_scan(data, end)
            yield segment + data[end:place]
        elif marker != _COM and (marker not in _APPS or _shows(marker, segment)):
            yield segment


def _end_of_scan(data: bytes, place: int) -> int:
    """Where the next marker stands that is neither a stuffed byte nor a restart."""
    while True:
        place = data.find(b"\xff", place)
        if place < 0:
            raise IndexError("the scan has no end")
        follows = data[place + 1]
        if follows not in (0x00, 0xFF) and follows not in _ALONE:
            return place
        place += 1 if follows == 0xFF else 2


def _shows(marker: int, segment: bytes) -> bool:
    """True for the applications' segments that decoders need: JFIF's, Adobe's, and the colour profile."""
    return (
        (marker == 0xE0 and segment[4:9] == b"JFIF\0")
        or (marker == 0xEE and segment[4:9] == b"Adobe")
        or (marker == 0xE2 and segment[4:16] == b"ICC_PROFILE\0")
    )


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    place, end = 12, 8 + struct.unpack("<I", data[4:8])[0]
    if len(data) > end + end % 2:
        yield b"more"
    while place < end:
        name, length = struct.unpack("<4sI", data[place : place + 8])
        yield name
        place += 8 + length + length % 2
