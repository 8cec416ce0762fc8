"""The pixels of ordinary PNG files in half of libpng's time: libdeflate inflates, a compiled loop undoes the filters.

Source: PNG specification, third edition, sections 5 to 11.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import imagecodecs
import numpy as np

from xqdata import kernels
from xqdata.images.page import Pixels

_HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, kind of colour; compression, filters, interlacing
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # kind of colour: values per pixel; what is missing has a palette
_MOST = 1 << 26  # bytes that are unpacked at once; larger pictures are left to libraries, which go row by row


def late_chunks(data: bytes) -> set[bytes]:
    """The kinds of chunk that stand behind the last pixels of a PNG, as far as it can be followed."""
    at, found = 8, set[bytes]()
    while at + 8 <= len(data) and b"IEND" not in found:
        size, kind = struct.unpack_from(">I4s", data, at)
        found = set() if kind == b"IDAT" else found | {kind}
        at += 12 + size
    return found


def png_pixels(data: bytes) -> Pixels | None:
    """The pixels of a PNG, (height, width) or (height, width, channels), uint8 or big-endian uint16.

    None for what is not ordinary: a palette, interlacing, a transparent colour, several frames, few bits, damage of
    any kind. Libraries then decode it, or say what is wrong.
    """
    if not kernels.AVAILABLE:
        return None
    try:
        return _ordinary(data)
    except Exception:  # noqa: BLE001 - the library's error is the one that is told
        return None


def _ordinary(data: bytes) -> Pixels | None:
    header, packed = _header_and_pixels(data)
    width, height, bits, colour, *methods = _HEADER.unpack(header)
    if bits not in (8, 16) or any(methods):
        return None
    step = _CHANNELS[colour] * bits // 8
    size = height * (1 + width * step)
    if not 0 < size <= _MOST:
        return None
    stored = np.empty(size, np.uint8)
    if len(imagecodecs.deflate_decode(packed, out=stored.data)) != size:
        return None
    rows = kernels.unfilter(stored.reshape(height, -1), step)
    if rows is None:
        return None
    pixels: Pixels = rows if bits == 8 else rows.view(">u2")
    return pixels if step == bits // 8 else pixels.reshape(height, width, -1)


def _header_and_pixels(data: bytes) -> tuple[memoryview, bytes]:
    """What the chunks IHDR and IDAT hold. Raises ValueError where they or others are not as they are in most files."""
    kinds, bodies = zip(*_chunks(memoryview(data)), strict=True)
    first, count = kinds.index(b"IDAT"), kinds.count(b"IDAT")
    others = {*kinds[1:first], *kinds[first + count : -1]}
    # A letter in upper case at the front says that no decoder may pass over the chunk.
    strange = {kind for kind in others if kind in (b"tRNS", b"acTL") or (kind[:1].isupper() and kind != b"PLTE")}
    if kinds[0] != b"IHDR" or kinds[-1] != b"IEND" or strange:
        raise ValueError(f"chunks {kinds}")
    return bodies[0], b"".join(bodies[first : first + count])


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and body of each chunk up to IEND. Raises ValueError or struct.error where one is cut or damaged."""
    at, kind = 8, b""
    while kind != b"IEND":
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        (checksum,) = struct.unpack_from(">I", data, end)
        if imagecodecs.deflate_crc32(data[at + 4 : end]) != checksum:  # type: ignore[arg-type]
            raise ValueError("damaged")
        kind = bytes(data[at + 4 : at + 8])
        yield kind, data[at + 8 : end]
        at = end + 4
