"""Every format and colour mode to pixels, with shape, dtype, bit depth and mode stated.

Wrong while green would be: bits dropped on the way (16 to 8, float to integer), byte order or planes swapped, which
shapes alone never show. So pixels are compared with what was written, value by value.
"""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from assets.pictures import colour, deep, encoded, grey
from xqdata.images import Limits, Page, pages, pixel_hash


def decode(data: bytes, limits: Limits | None = None) -> list[Page]:
    found = list(pages(data, limits or Limits()))
    assert all(isinstance(page, Page) for page in found), found
    return found


def one(data: bytes, limits: Limits | None = None) -> Page:
    (page,) = decode(data, limits)
    return page


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) else "minisblack")
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def palette(transparent: bool = False) -> tuple[Image.Image, np.ndarray]:
    image = Image.fromarray(grey(9, 11) % 4).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 250, 240, 230])
    if transparent:
        image.info["transparency"] = 2
    return image, np.asarray(image.convert("RGBA" if transparent else "RGB"))


def stated(page: Page) -> tuple[object, ...]:
    return page.format, page.mode, page.bit_depth, page.channels, str(page.pixels.dtype)


G, C, A, LA, D = grey(), colour(), colour(channels=4), colour(channels=2), deep()
BIT = np.asarray(Image.fromarray(G > 128))
D3 = np.random.default_rng(4).integers(0, 65536, (12, 16, 3), np.uint16)
D4 = np.random.default_rng(5).integers(0, 65536, (12, 16, 4), np.uint16)
D2 = np.random.default_rng(6).integers(0, 65536, (12, 16, 2), np.uint16)
I32 = np.random.default_rng(7).integers(0, 2**32, (12, 16), np.uint32)
S16 = np.random.default_rng(8).integers(-(2**15), 2**15, (12, 16), np.int16)
F32 = np.random.default_rng(9).normal(0, 1000, (12, 16)).astype(np.float32)
F64 = F32.astype(np.float64) * np.pi
CMYK = Image.frombytes("CMYK", (16, 12), A.tobytes())

LOSSLESS = {
    "png grey": (encoded(G), G, ("PNG", "L", 8, 1, "uint8")),
    "png rgb": (encoded(C), C, ("PNG", "RGB", 8, 3, "uint8")),
    "png rgba": (encoded(A), A, ("PNG", "RGBA", 8, 4, "uint8")),
    "png la": (encoded(Image.frombytes("LA", (16, 12), LA.tobytes())), LA, ("PNG", "LA", 8, 2, "uint8")),
    "png 1 bit": (encoded(Image.fromarray(BIT)), BIT * np.uint8(255), ("PNG", "1", 1, 1, "uint8")),
    "png palette": (encoded(palette()[0]), palette()[1], ("PNG", "P", 2, 3, "uint8")),
    "png palette, transparent": (
        encoded(palette(True)[0], transparency=2),
        palette(True)[1],
        ("PNG", "P", 2, 4, "uint8"),
    ),
    "png 16": (encoded(D), D, ("PNG", "I;16", 16, 1, "uint16")),
    "png 16 rgb": (imagecodecs.png_encode(D3), D3, ("PNG", "RGB;16", 16, 3, "uint16")),
    "png 16 rgba": (imagecodecs.png_encode(D4), D4, ("PNG", "RGBA;16", 16, 4, "uint16")),
    "png 16 la": (imagecodecs.png_encode(D2), D2, ("PNG", "LA;16", 16, 2, "uint16")),
    "bmp grey": (encoded(G, "BMP"), G, ("BMP", "L", 8, 1, "uint8")),
    "bmp rgb": (encoded(C, "BMP"), C, ("BMP", "RGB", 8, 3, "uint8")),
    "bmp 1 bit": (encoded(Image.fromarray(BIT), "BMP"), BIT * np.uint8(255), ("BMP", "1", 1, 1, "uint8")),
    "webp": (encoded(C, "WEBP", lossless=True), C, ("WEBP", "RGB", 8, 3, "uint8")),
    "tiff grey": (tiff(G), G, ("TIFF", "L", 8, 1, "uint8")),
    "tiff rgb": (tiff(C), C, ("TIFF", "RGB", 8, 3, "uint8")),
    "tiff rgba": (tiff(A), A, ("TIFF", "RGBA", 8, 4, "uint8")),
    "tiff 1 bit": (encoded(Image.fromarray(BIT), "TIFF"), BIT * np.uint8(255), ("TIFF", "1", 1, 1, "uint8")),
    "tiff palette": (encoded(palette()[0], "TIFF"), palette()[1], ("TIFF", "P", 8, 3, "uint8")),
    "tiff cmyk": (encoded(CMYK, "TIFF"), A, ("TIFF", "CMYK", 8, 4, "uint8")),
    "tiff lzw 8": (tiff(G, compression="lzw"), G, ("TIFF", "L", 8, 1, "uint8")),
    "tiff planar 8": (
        tiff(np.moveaxis(C, -1, 0), photometric="rgb", planarconfig="separate"),
        C,
        ("TIFF", "RGB", 8, 3, "uint8"),
    ),
    "tiff 16": (tiff(D), D, ("TIFF", "I;16", 16, 1, "uint16")),
    "tiff 16 big-endian": (tiff(D, byteorder=">"), D, ("TIFF", "I;16", 16, 1, "uint16")),
    "tiff 16 lzw, predictor": (tiff(D, compression="lzw", predictor=True), D, ("TIFF", "I;16", 16, 1, "uint16")),
    "tiff 16 zlib, tiled": (
        tiff(deep(40, 50), compression="zlib", tile=(16, 16)),
        deep(40, 50),
        ("TIFF", "I;16", 16, 1, "uint16"),
    ),
    "tiff 16 bigtiff": (tiff(D, bigtiff=True), D, ("TIFF", "I;16", 16, 1, "uint16")),
    "tiff 16 rgb": (tiff(D3), D3, ("TIFF", "RGB;16", 16, 3, "uint16")),
    "tiff 16 rgb planar": (
        tiff(np.moveaxis(D3, -1, 0), photometric="rgb", planarconfig="separate"),
        D3,
        ("TIFF", "RGB;16", 16, 3, "uint16"),
    ),
    "tiff 16 signed": (tiff(S16), S16, ("TIFF", "I;16", 16, 1, "int16")),
    "tiff 32": (tiff(I32), I32, ("TIFF", "I", 32, 1, "uint32")),
    "tiff float": (tiff(F32), F32, ("TIFF", "F", 32, 1, "float32")),
    "tiff double": (tiff(F64), F64, ("TIFF", "F;64", 64, 1, "float64")),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_pixels_come_back_as_they_were_written(name):
    data, expected, said = LOSSLESS[name]
    page = one(data)
    assert stated(page) == said
    assert (page.height, page.width) == expected.shape[:2]
    assert page.pixels.dtype.isnative
    np.testing.assert_array_equal(page.pixels, expected)
    assert page.grey.shape == expected.shape[:2]
    assert page.grey.dtype == (np.uint8 if said[2] <= 8 else np.float32)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.fromarray(G), ("JPEG", "L", 8, 1, "uint8")),
        (Image.fromarray(C), ("JPEG", "RGB", 8, 3, "uint8")),
        (CMYK, ("JPEG", "CMYK", 8, 4, "uint8")),
    ],
)
def test_jpeg(image, said):
    data = encoded(image, "JPEG", quality=95)
    page = one(data)
    assert stated(page) == said
    np.testing.assert_array_equal(page.pixels, np.asarray(Image.open(io.BytesIO(data))))


def test_grey_of_eight_bits_is_pillows():
    for data in (encoded(C), encoded(A), encoded(palette()[0]), encoded(CMYK, "JPEG"), encoded(C, "WEBP")):
        np.testing.assert_array_equal(one(data).grey, np.asarray(Image.open(io.BytesIO(data)).convert("L")))


def test_grey_of_deep_pictures_spans_their_own_range():
    found = one(encoded((D // 100 + 5000).astype(np.uint16))).grey
    assert (found.min(), found.max()) == (0, 255)
    assert len(np.unique(found)) > 100
    expected = np.array([[0, 255]], np.uint16)
    np.testing.assert_allclose(one(encoded(expected * 3)).grey, expected)


def test_grey_of_deep_pictures_in_a_declared_window():
    data = encoded(np.array([[0, 1000, 2000, 3000, 65535]], np.uint16))
    np.testing.assert_allclose(one(data, Limits(window=(1000, 3000))).grey, [[0, 0, 127.5, 255, 255]])


def test_grey_of_deep_colours_is_weighted():
    data = imagecodecs.png_encode(np.array([[[65535, 0, 0], [0, 65535, 0], [0, 0, 65535]]], np.uint16))
    np.testing.assert_allclose(one(data, Limits(window=(0, 65535))).grey, [[76.245, 149.685, 29.07]], rtol=1e-5)


def test_values_that_are_no_numbers_become_black():
    pixels = np.array([[np.nan, 1.0, np.inf, 3.0, -np.inf]], np.float32)
    np.testing.assert_allclose(one(tiff(pixels)).grey, [[0, 0, 0, 255, 0]])
    assert not one(tiff(np.full((2, 2), np.nan, np.float32))).grey.any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_pages_are_numbered_and_keep_their_order(dtype):
    stack = (np.random.default_rng(1).random((4, 10, 14)) * 250).astype(dtype)
    found = decode(tiff(stack))
    assert [p.index for p in found] == [0, 1, 2, 3]
    for page, expected in zip(found, stack, strict=True):
        np.testing.assert_array_equal(page.pixels, expected)


def test_pages_may_differ_in_depth_and_size():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(G, metadata=None)
        writer.write(deep(5, 6), metadata=None)
        writer.write(C, photometric="rgb", metadata=None)
    found = decode(buffer.getvalue())
    assert [(p.height, p.width, p.bit_depth, p.channels) for p in found] == [
        (12, 16, 8, 1),
        (5, 6, 16, 1),
        (12, 16, 8, 3),
    ]
    np.testing.assert_array_equal(found[2].pixels, C)


def test_reduced_copies_inside_a_file_are_no_pages():
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(D, metadata=None)
        writer.write(D[::2, ::2], subfiletype=1, metadata=None)
    assert [p.width for p in decode(buffer.getvalue())] == [16]


def test_two_encodings_of_the_same_pixels_agree():
    groups = (
        [encoded(G), encoded(G, "BMP"), tiff(G), tiff(G, compression="lzw"), tiff(G, byteorder=">")],
        [encoded(C), encoded(C, "BMP"), encoded(C, "WEBP", lossless=True), tiff(C), encoded(C, compress_level=0)],
        [encoded(D), tiff(D), tiff(D, byteorder=">"), tiff(D, compression="zlib"), tiff(D, bigtiff=True)],
        [imagecodecs.png_encode(D3), tiff(D3)],
    )
    hashes = [{pixel_hash(one(data)) for data in group} for group in groups]
    assert [len(h) for h in hashes] == [1, 1, 1, 1]
    assert len(set.union(*hashes)) == 4


def test_shape_type_and_every_value_count():
    changed = G.copy()
    changed[-1, -1] ^= 1
    different = [
        encoded(np.zeros((10, 20), np.uint8)),
        encoded(np.zeros((20, 10), np.uint8)),
        encoded(np.zeros((10, 20), np.uint16)),
        encoded(np.zeros((10, 20, 3), np.uint8)),
        encoded(np.zeros((5, 40), np.uint8)),
        encoded(G),
        encoded(changed),
        tiff(G.astype(np.float32)),
        tiff(G.astype(np.uint16)),
    ]
    assert len({pixel_hash(one(data)) for data in different}) == len(different)


def test_what_stands_inside_the_file_is_kept():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Software", "스캐너 3")
    assert one(encoded(G, pnginfo=info)).tags["Software"] == "스캐너 3"
    assert one(encoded(D, pnginfo=info)).tags["Software"] == "스캐너 3"
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Gilardoni", "FEP ME 640"
    assert one(encoded(C, "JPEG", exif=exif)).tags == {"Make": "Gilardoni", "Model": "FEP ME 640"}
    assert one(tiff(D, software="acq 1")).tags["Software"] == "acq 1"


def test_an_animation_says_how_many_frames_it_holds():
    frames = [Image.fromarray(colour(seed=n)) for n in range(3)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    page = one(data)
    assert page.tags["frames"] == "3"
    np.testing.assert_array_equal(page.pixels, np.asarray(frames[0]))
