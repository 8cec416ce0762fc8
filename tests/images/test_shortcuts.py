"""The fast decoders give what the slow ones give: the same pictures, and of damaged files the same reasons.

Wrong while green would be: a shortcut that accepts what Pillow or tifffile refuse, or decodes damage to other pixels;
shortcuts that are never taken, so that everything is trivially equal.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.pictures import colour, deep, encoded, grey
from xqdata.images import BadImage, Limits, Page, pages, plain, tiff


@contextmanager
def long_way() -> Iterator[None]:
    """Pillow, tifffile and libpng alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("plain._quick", "plain.png_pixels", "deep.png_pixels", "tiff._by_libtiff"):
            patch.setattr(f"xqdata.images.{name}", lambda *_: None)
        yield


def outcome(data: bytes) -> list[object]:
    """All that comes out of a file, in a form that can be compared."""
    try:
        found = list(pages(data, Limits(max_pixels=1_000_000)))
    except BadImage as error:
        return [error.reason, error.message]
    return [
        (page.mode, page.bit_depth, page.tags, page.pixels.dtype.str, page.pixels.tolist(), page.grey.tolist())
        if isinstance(page, Page)
        else (page[0], page[1].reason, page[1].message)
        for page in found
    ]


def tiff_of(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 else "minisblack")
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def top_down(data: bytes) -> bytes:
    """The same BMP with its rows from top to bottom, which a negative height says."""
    offset, height = struct.unpack_from("<I", data, 10)[0], struct.unpack_from("<i", data, 22)[0]
    stride = (len(data) - offset) // height
    body = [data[offset + n * stride : offset + (n + 1) * stride] for n in reversed(range(height))]
    return data[:22] + struct.pack("<i", -height) + data[26:offset] + b"".join(body)


G, C, A, D = grey(30, 41), colour(30, 41), colour(30, 41, channels=4), deep(30, 41)
D3 = np.random.default_rng(4).integers(0, 65536, (30, 41, 3), np.uint16)
FILES = {
    "png": encoded(C),
    "png rgba": encoded(A),
    "png 16": encoded(D),
    "jpeg": encoded(C, "JPEG"),
    "jpeg grey": encoded(G, "JPEG"),
    "bmp": encoded(C, "BMP"),
    "bmp grey": encoded(G, "BMP"),
    "bmp with a fourth value": encoded(A, "BMP"),
    "bmp top down": top_down(encoded(C, "BMP")),
    "bmp grey top down": top_down(encoded(G, "BMP")),
    "tiff": tiff_of(C),
    "tiff lzw": tiff_of(C, compression="lzw", predictor=True, rowsperstrip=7),
    "tiff 16": tiff_of(D, byteorder=">"),
    "tiff 16 lzw": tiff_of(D, compression="lzw", predictor=True, rowsperstrip=7),
    "tiff 16 lzw, tiled": tiff_of(D3, compression="lzw", tile=(16, 16)),
}


# Of these the long way is not asked when they are damaged: tifffile's decoder may crash.
LZW16 = {"tiff 16 lzw", "tiff 16 lzw, tiled"}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The shortcuts that found pixels."""
    taken: list[str] = []

    def watch(name: str, where: object) -> None:
        before = getattr(where, name)

        def watched(*arguments: object) -> object:
            pixels = before(*arguments)
            if pixels is not None:
                taken.append(name)
            return pixels

        monkeypatch.setattr(where, name, watched)

    watch("_quick", plain)
    watch("_by_libtiff", tiff)
    yield taken


@pytest.mark.parametrize("name", FILES)
def test_the_shortcut_is_taken_and_right(name, monkeypatch):
    with long_way():
        expected = outcome(FILES[name])
    with counted(monkeypatch) as taken:
        assert outcome(FILES[name]) == expected
    assert len(taken) == (name != "png 16")  # whose shortcut has tests of its own


@settings(max_examples=400)
@given(st.sampled_from(sorted(set(FILES) - LZW16)), st.data())
def test_damage_has_the_same_outcome(name, draw):
    data = bytearray(FILES[name])
    for _ in range(draw.draw(st.integers(1, 3))):
        at = draw.draw(st.integers(0, min(len(data), 200) - 1) | st.integers(0, len(data) - 1))
        data[at] ^= 1 << draw.draw(st.integers(0, 7))
    with long_way():
        expected = outcome(bytes(data))
    assert outcome(bytes(data)) == expected


@settings(max_examples=200)
@given(st.sampled_from(sorted(LZW16)), st.data())
def test_damaged_lzw_is_unreadable_or_a_whole_picture(name, draw):
    """It has no checksum; but places that are decoded from nothing would hold something else each time."""
    data = bytearray(FILES[name])
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(280, len(data) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    first = outcome(bytes(data))
    assert outcome(bytes(data)) == first


@settings(max_examples=100)
@given(st.sampled_from(sorted(FILES)), st.floats(0, 1))
def test_a_cut_file_has_the_same_outcome(name, share):
    data = FILES[name][: int(share * len(FILES[name]))]
    with long_way():
        expected = outcome(data)
    assert outcome(data) == expected


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["L", "RGB", "RGBA"]), st.booleans())
def test_bmp_of_every_width(height, width, mode, turned):
    """Rows are filled up to four bytes."""
    data = encoded(Image.fromarray(colour(height, width, channels=4)).convert(mode), "BMP")
    data = top_down(data) if turned else data
    (page,) = pages(data, Limits())
    image = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(page.pixels, np.asarray(image))
    np.testing.assert_array_equal(page.grey, np.asarray(image.convert("L")))


@settings(max_examples=100)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from([None, "lzw", "zlib"]),
    st.sampled_from([1, 3]),
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from("<>"),
    st.fixed_dictionaries({}, optional={"tile": st.just((16, 16)), "predictor": st.just(True)}),
)
def test_tiff_of_every_shape(height, width, compression, values, dtype, order, options):
    if compression not in ("lzw", "zlib"):
        options.pop("predictor", None)
    pixels = np.random.default_rng(height).integers(0, np.iinfo(dtype).max + 1, (height, width, values), dtype)
    pixels = pixels[..., 0] if values == 1 else pixels
    (page,) = pages(tiff_of(pixels, compression=compression, byteorder=order, **options), Limits())
    assert isinstance(page, Page)
    assert page.pixels.dtype == dtype
    np.testing.assert_array_equal(page.pixels, pixels)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (G, {"photometric": "miniswhite"}),
        (D, {"photometric": "miniswhite"}),
        (G, {"extratags": [(274, 3, 1, 6, True)]}),  # Orientation: turned
        (D, {"extratags": [(274, 3, 1, 6, True)]}),
        (A, {"extrasamples": ["assocalpha"]}),
        (np.moveaxis(D3, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}),
        (D.astype(np.int16), {}),
        (D.astype(np.float32), {}),
        (D.astype(np.uint32), {}),
    ],
)
def test_tiffs_of_other_kinds_go_the_long_way(pixels, options, monkeypatch):
    data = tiff_of(pixels, **options)
    with counted(monkeypatch) as taken:
        found = outcome(data)
    assert not taken
    with long_way():
        assert outcome(data) == found
