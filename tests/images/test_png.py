"""The pixels of ordinary PNG files without libpng.

Wrong while green would be: a picture made of a file that libraries refuse, because a checksum was not compared or a cut
not seen; pictures with a transparent colour, several frames or interlaced rows taken for ordinary ones; a test of
filters that the encoder never chose, so rows of random bytes under random filters stand in for pictures.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.pictures import colour, deep, encoded, grey
from xqdata.images import Limits, Page, pages
from xqdata.images.png import png_pixels

Chunk = tuple[bytes, bytes]
KINDS = {0: 1, 2: 3, 4: 2, 6: 4}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, bits: int = 8, kind: int = 2, rest: tuple[int, int, int] = (0, 0, 0)) -> Chunk:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, *rest)


def png(*chunks: Chunk) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*c) for c in chunks)


def rows(width: int, height: int, step: int, seed: int = 0, filters: Sequence[int] = range(5)) -> bytes:
    """Random bytes, which are a picture under any filters."""
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 256, (height, 1 + width * step), np.uint8)
    stored[:, 0] = rng.choice(filters, height)
    return stored.tobytes()


END = (b"IEND", b"")
HEADER = header(6, 5)
BODY = (b"IDAT", zlib.compress(rows(6, 5, 3)))


@settings(max_examples=150)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from([8, 16]), st.sampled_from(sorted(KINDS)), st.integers(0, 99)
)
def test_every_shape_colour_and_filter(width, height, bits, kind, seed):
    body = zlib.compress(rows(width, height, KINDS[kind] * bits // 8, seed))
    cut = len(body) * seed // 100
    data = png(header(width, height, bits, kind), (b"IDAT", body[:cut]), (b"IDAT", body[cut:]), END)
    found = png_pixels(data)
    assert found is not None
    expected = np.asarray(Image.open(io.BytesIO(data))) if bits == 8 else imagecodecs.png_decode(data)
    np.testing.assert_array_equal(found, expected)
    (page,) = pages(data, Limits())
    np.testing.assert_array_equal(page.pixels, expected)
    assert page.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert page.pixels.dtype.isnative


@pytest.mark.parametrize("pixels", [grey(), colour(), colour(channels=4), deep()])
def test_files_of_encoders(pixels):
    for level in (0, 1, 6, 9):
        found = png_pixels(encoded(pixels, compress_level=level))
        assert found is not None
        np.testing.assert_array_equal(found, pixels)


ORDINARY = {
    "with what programs add": png(
        HEADER,
        (b"gAMA", struct.pack(">I", 45455)),
        (b"pHYs", bytes(9)),
        (b"PLTE", bytes(9)),
        (b"tEXt", b"Software\0scan"),
        BODY,
        (b"tIME", bytes(7)),
        END,
    ),
    "with data behind the end": png(HEADER, BODY, END) + b"IDAT of somebody else",
    "in many pieces": png(HEADER, *((b"IDAT", BODY[1][n : n + 7]) for n in range(0, len(BODY[1]), 7)), END),
    "with a piece of nothing": png(HEADER, (b"IDAT", b""), BODY, (b"IDAT", b""), END),
}
STRANGE = {
    "transparent colour": png(HEADER, (b"tRNS", bytes(6)), BODY, END),
    "frames": png(HEADER, (b"acTL", bytes(8)), BODY, END),
    "interlaced": png(header(6, 5, rest=(0, 0, 1)), BODY, END),
    "another compression": png(header(6, 5, rest=(1, 0, 0)), BODY, END),
    "another set of filters": png(header(6, 5, rest=(0, 1, 0)), BODY, END),
    "palette": png(header(6, 5, 8, 3), (b"PLTE", bytes(768)), (b"IDAT", zlib.compress(rows(6, 5, 1))), END),
    "few bits": png(header(6, 5, 4, 0), (b"IDAT", zlib.compress(rows(3, 5, 1))), END),
    "no colour of that kind": png(header(6, 5, 8, 5), BODY, END),
    "too few rows": png(HEADER, (b"IDAT", zlib.compress(rows(6, 4, 3))), END),
    "too many rows": png(HEADER, (b"IDAT", zlib.compress(rows(6, 6, 3))), END),
    "no filter of that number": png(HEADER, (b"IDAT", zlib.compress(rows(6, 5, 3, 0, [5]))), END),
    "a wrong checksum of all rows": png(HEADER, (b"IDAT", BODY[1][:-1] + bytes([BODY[1][-1] ^ 1])), END),
    "pixels without their checksum": png(HEADER, (b"IDAT", BODY[1][:-4]), END),
    "pixels in two places": png(HEADER, (b"IDAT", BODY[1][:9]), (b"tEXt", b"a\0b"), (b"IDAT", BODY[1][9:]), END),
    "a chunk that must be understood": png(HEADER, (b"ABCD", b""), BODY, END),
    "two headers": png(HEADER, HEADER, BODY, END),
    "the header not first": png((b"tEXt", b"a\0b"), HEADER, BODY, END),
    "no pixels": png(HEADER, END),
    "no end": png(HEADER, BODY),
    "no size": png(header(0, 5), BODY, END),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_files(name):
    found = png_pixels(ORDINARY[name])
    assert found is not None
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(ORDINARY[name]))))


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_strange_is_left_to_libraries(name):
    assert png_pixels(STRANGE[name]) is None


def interlaced(pixels: np.ndarray) -> bytes:
    """A PNG whose rows come in the seven passes of Adam7, unfiltered."""
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = [pixels[top::down, left::right] for top, left, down, right in steps]
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for part in passes for row in part))
    return png(header(pixels.shape[1], pixels.shape[0], rest=(0, 0, 1)), (b"IDAT", packed), END)


def animated(pixels: np.ndarray) -> bytes:
    frames = [Image.fromarray(colour(*pixels.shape[:2], seed=9))]
    data = encoded(pixels, save_all=True, append_images=frames)
    assert b"acTL" in data
    return data


@pytest.mark.parametrize("write", [interlaced, animated])
def test_several_passes_or_frames_are_still_decoded(write):
    data = write(colour(20, 30))
    assert png_pixels(data) is None
    (page,) = pages(data, Limits())
    np.testing.assert_array_equal(page.pixels, colour(20, 30))


@pytest.mark.parametrize("name", ["transparent colour", "palette", "few bits"])
def test_what_is_strange_and_sound_is_still_decoded(name):
    (page,) = pages(STRANGE[name], Limits())
    assert isinstance(page, Page)
    image = Image.open(io.BytesIO(STRANGE[name]))
    np.testing.assert_array_equal(page.grey, np.asarray(image.convert("L")))


@pytest.mark.parametrize("place", ["before", "behind", "far behind"])
def test_texts_before_and_behind_the_pixels(place):
    text = (b"tEXt", b"Software\0scan 3")
    before = [text] if place == "before" else []
    behind = [] if place == "before" else [text]
    if place == "far behind":
        behind.append((b"prVt", bytes(100_000)))
    (page,) = pages(png(HEADER, *before, BODY, *behind, END), Limits())
    assert page.tags == {"Software": "scan 3"}


def test_damage_to_any_byte_is_seen():
    """Every bit of the file is under a checksum, a length or a signature."""
    data = ORDINARY["with what programs add"]
    for at in range(8, len(data)):
        spoilt = bytearray(data)
        spoilt[at] ^= 0x10
        assert png_pixels(bytes(spoilt)) is None, at


def test_a_file_cut_anywhere_is_seen():
    data = ORDINARY["with what programs add"]
    assert all(png_pixels(data[:end]) is None for end in range(len(data)))


def test_without_numba_libraries_do_it(monkeypatch):
    monkeypatch.setattr("xqdata.kernels.AVAILABLE", False)
    assert png_pixels(encoded(colour())) is None
    (page,) = pages(encoded(colour()), Limits())
    np.testing.assert_array_equal(page.pixels, colour())
