"""Every failure is a reason, and none is a picture.

Wrong while green would be: a damaged file that decodes to half a picture (Pillow pads what is missing when asked to), a
bomb that is refused only after it was unpacked, and a half-broken TIFF of which good pages are lost.
"""

from __future__ import annotations

import io
import signal
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from assets.pictures import colour, deep, encoded, grey
from xqdata import schema
from xqdata.images import HEAD_BYTES, BadImage, Limits, Page, pages, sniff


def reason(data: bytes, limits: Limits | None = None) -> str:
    """The one reason why no page comes out of `data`."""
    try:
        found = list(pages(data, limits or Limits()))
    except BadImage as error:
        return error.reason
    assert found
    assert not any(isinstance(page, Page) for page in found)
    reasons = {error.reason for _, error in found}
    assert len(reasons) == 1
    return reasons.pop()


def png_of_size(width: int, height: int, bits: int = 8, data: bytes = b"") -> bytes:
    """A PNG whose header claims a size, whatever its data holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="minisblack", metadata=None, **options)
    return buffer.getvalue()


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Fail what does not end; no `except Exception` can swallow it."""

    def fail(*_: object) -> None:
        pytest.fail(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


WHOLE = {
    "png": encoded(colour(40, 50)),
    "png 16": encoded(deep(40, 50)),
    "jpeg": encoded(colour(40, 50), "JPEG"),
    "bmp": encoded(colour(40, 50), "BMP"),
    "webp": encoded(colour(40, 50), "WEBP"),
    "tiff": tiff(grey(40, 50)),
    "tiff 16": tiff(deep(40, 50)),
    "tiff 16 lzw": tiff(deep(40, 50), compression="lzw"),
}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b"\x89PNG", "truncated"),
        (b"\x89", "truncated"),
        (b"\xff\xd8", "truncated"),
        (b"just text\n", "not_an_image"),
        ("바구니".encode("cp949"), "not_an_image"),
        ("바구니".encode(), "not_an_image"),
        (bytes(1000), "not_an_image"),
        (b"GIF89a" + bytes(50), "unsupported"),
        (encoded(grey(), "GIF"), "unsupported"),
        (encoded(grey(), "JPEG2000"), "unsupported"),
        (b"PK\x03\x04" + bytes(200), "not_an_image"),
        (b"MZ" + bytes(200), "not_an_image"),
        (b"BMW, red, tray 4: nothing found\n" * 3, "not_an_image"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "truncated"),
    ],
)
def test_reasons(data, expected):
    assert reason(data) == expected


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_anywhere_is_truncated(name):
    whole = WHOLE[name]
    for share in (0.15, 0.4, 0.7, 0.95):
        assert reason(whole[: int(len(whole) * share)]) == "truncated", share


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_cut_in_its_last_bytes_is_never_a_wrong_picture(name):
    """A cut that costs no pixel may be forgiven; one that costs pixels may not."""
    whole = WHOLE[name]
    (expected,) = pages(whole, Limits())
    for missing in (1, 2, 4, 8, 12, 20):
        try:
            (page,) = pages(whole[:-missing], Limits())
        except BadImage as error:
            assert error.reason in ("truncated", "unreadable")
            continue
        if isinstance(page, Page):
            np.testing.assert_array_equal(page.pixels, expected.pixels)


@pytest.mark.parametrize("name", ["png", "png 16", "jpeg", "tiff 16 lzw"])
def test_pillow_told_to_forgive_truncation_changes_nothing(name, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    assert reason(WHOLE[name][: len(WHOLE[name]) // 2]) == "truncated"


def test_garbage_inside_is_unreadable():
    whole = bytearray(WHOLE["png"])
    middle = len(whole) // 2
    whole[middle : middle + 40] = bytes(40)
    assert reason(bytes(whole)) == "unreadable"
    whole = bytearray(WHOLE["png 16"])
    whole[middle : middle + 40] = bytes(40)
    assert reason(bytes(whole)) == "unreadable"


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (0, 0)])
@pytest.mark.parametrize("bits", [8, 16])
def test_pictures_without_pixels(size, bits):
    assert reason(png_of_size(*size, bits)) == "unreadable"


def test_a_bmp_without_pixels():
    data = bytearray(encoded(grey(), "BMP"))
    data[18:22] = bytes(4)
    assert reason(bytes(data)) == "unreadable"


@pytest.mark.parametrize("bits", [8, 16])
def test_a_header_that_claims_too_much(bits):
    with pytest.raises(BadImage, match="60000 x 60000 pixels, more than max_pixels = 250000000"):
        list(pages(png_of_size(60000, 60000, bits), Limits()))
    assert reason(png_of_size(60000, 60000, bits)) == "too_large"


@pytest.mark.parametrize(
    "data",
    [
        png_of_size(20000, 20000, 8, bytes(1000)),
        png_of_size(20000, 20000, 16, bytes(1000)),
        encoded(np.zeros((8000, 8000), np.uint8)),
        tiff(np.zeros((8000, 8000), np.uint16), compression="zlib"),
        tiff(np.zeros((8000, 8000), np.uint8), compression="lzw"),
        encoded(np.zeros((8000, 8000), np.uint8), "WEBP", lossless=True),
    ],
    ids=["png header", "png 16 header", "png", "tiff 16", "tiff", "webp"],
)
def test_a_bomb_is_refused_before_it_is_unpacked(data):
    tracemalloc.start()
    try:
        assert reason(data, Limits(max_pixels=1_000_000)) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 20 * len(data) + 4_000_000
    finally:
        tracemalloc.stop()


def test_a_large_picture_within_the_limit_is_no_bomb():
    """Pillow's own limit, which warns and then refuses, does not apply."""
    (page,) = pages(encoded(np.zeros((14000, 14000), np.uint8), compress_level=1), Limits())
    assert isinstance(page, Page)
    assert Image.MAX_IMAGE_PIXELS is not None


def test_many_channels_count_as_pixels_do():
    """A TIFF of few pixels and thousands of values each is as large as one of many."""
    buffer = io.BytesIO()
    pixels = np.zeros((100, 100, 2000), np.uint16)
    tifffile.imwrite(buffer, pixels, photometric="minisblack", planarconfig="contig", compression="zlib", metadata=None)
    assert reason(buffer.getvalue(), Limits(max_pixels=1_000_000)) == "too_large"


def test_half_a_tiff_keeps_its_good_pages():
    stack = np.random.default_rng(3).integers(0, 65536, (3, 30, 30), np.uint16)
    data = bytearray(tiff(stack, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        start, count = file.pages[1].dataoffsets[0], file.pages[1].databytecounts[0]
    data[start : start + count] = bytes(count)
    found = list(pages(bytes(data), Limits()))
    np.testing.assert_array_equal(found[0].pixels, stack[0])
    np.testing.assert_array_equal(found[2].pixels, stack[2])
    index, error = found[1]
    assert (index, error.reason) == (1, "unreadable")


def test_a_tiff_cut_between_pages_loses_only_what_is_gone():
    """tifffile writes one page's tags, all pixels, then the other pages' tags."""
    stack = np.random.default_rng(3).integers(0, 65536, (3, 30, 30), np.uint16)
    whole = tiff(stack)
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        second, third = file.pages[1].offset, file.pages[2].offset
    for cut, left in ((second - 50, 1), (second + 5, 1), (third + 5, 2)):
        found = list(pages(whole[:cut], Limits()))
        for page, expected in zip(found[:left], stack, strict=False):
            np.testing.assert_array_equal(page.pixels, expected)
        # The pages that cannot be found are said to be lost, not passed over.
        ((index, error),) = found[left:]
        assert (index, error.reason) == (left, "truncated")


def test_a_page_too_large_does_not_cost_the_others():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(deep(), metadata=None)
        writer.write(np.zeros((2000, 2000), np.uint16), compression="zlib", metadata=None)
        writer.write(grey(), metadata=None)
    first, second, third = pages(buffer.getvalue(), Limits(max_pixels=1_000_000))
    assert isinstance(first, Page)
    assert second[1].reason == "too_large"
    assert isinstance(third, Page)


def test_a_tiff_whose_pages_go_in_a_circle_ends():
    data = bytearray(tiff(grey()))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages[0]
        at = page.offset + 2 + 12 * len(page.tags)
    data[at : at + 4] = struct.pack("<I", page.offset)
    with time_limit(3):
        assert sum(isinstance(p, Page) for p in pages(bytes(data), Limits())) == 1


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(share):
    """Cameras and some scanners put a whole small JPEG, its end marker included, before the picture."""
    thumbnail = encoded(grey(4, 4), "JPEG")
    whole = encoded(colour(40, 50), "JPEG", exif=b"Exif\0\0" + thumbnail)
    start = whole.index(thumbnail) + len(thumbnail)
    assert reason(whole[: start + int(share * (len(whole) - start))]) == "truncated"


def test_complex_values_are_not_supported():
    assert reason(tiff(np.zeros((8, 8), np.complex64))) == "unsupported"


def test_messages_are_one_line_and_reasons_are_the_schemas():
    for data in (b"", b"text\nline", WHOLE["png"][:60], WHOLE["tiff"][:60], WHOLE["jpeg"][:300], png_of_size(0, 0)):
        try:
            found = [p for p in pages(data, Limits()) if not isinstance(p, Page)]
            errors = [error for _, error in found]
        except BadImage as error:
            errors = [error]
        for error in errors:
            assert error.reason in schema.REJECT_REASONS
            assert "\n" not in error.message
            assert error.message


@settings(max_examples=300)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damage_is_never_a_crash(name, draw):
    """Whatever stands in the file, either a page or a reason comes out, and no other exception."""
    data = bytearray(WHOLE[name])
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, min(len(data), 300) - 1) | st.integers(0, len(data) - 1))
        data[at] = draw.draw(st.integers(0, 255))
    try:
        found = list(pages(bytes(data), Limits(max_pixels=100_000)))
        for page in found:
            assert isinstance(page, Page) or page[1].reason in schema.REJECT_REASONS
    except BadImage as error:
        assert error.reason in schema.REJECT_REASONS


@given(st.binary(max_size=300))
def test_any_bytes_have_an_announcement_or_a_reason(data):
    try:
        assert sniff(data[:HEAD_BYTES]) in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "DICOM")
    except BadImage as error:
        assert error.reason in ("empty", "truncated", "not_an_image", "unsupported")


def test_a_wrong_ending_does_not_count():
    assert sniff(encoded(colour(), "JPEG")[:HEAD_BYTES]) == "JPEG"
    assert sniff(imagecodecs.png_encode(grey())[:HEAD_BYTES]) == "PNG"
