"""Pictures as they are, without the texts inside them, or coded anew.

Wrong while green would be: pixels that change where it is said that they do not, a text that stays in a place where no
usual writer puts it, a second picture behind the first, a linked file with texts, or a deep picture that lost bits.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from assets.pictures import colour, deep, encoded, grey, save
from exports.conftest import tiff
from xqdata.exports.pictures import AS_IS, CODED, PREVIEW, SCALED, STRIPPED, USUAL, Order, Place, Rules, made
from xqdata.exports.stripping import without_texts
from xqdata.images import BadImage, Limits, pages, pixel_hash
from xqdata.scans import Scan

SECRET = b"Kim Minsu"


def order(path, data: bytes, page: int = 0) -> Order:
    save(path, data)
    info = path.stat()
    scan = Scan("id", path, page, info.st_size, info.st_mtime_ns, "", None, Limits(), None)
    return Order(scan, Place("id"), hashlib.sha256(data).hexdigest())


def picture(path, data: bytes, page: int = 0, **rules):
    return made(
        order(path, data, page), Rules(**{"kinds": USUAL, "deep": True, "texts": False, "link": False, **rules})
    )


def hashes(data: bytes) -> list[str]:
    return [pixel_hash(page) for page in pages(data, Limits())]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunk(png: bytes, name: bytes, body: bytes, late: bool = False) -> bytes:
    place = len(png) - 12 if late else 33
    return png[:place] + chunk(name, body) + png[place:]


PNG = encoded(colour())
JPEG = encoded(colour(64, 64), "JPEG", quality=90)
EXIF = Image.Exif()
EXIF[0x013B] = SECRET.decode()


def jpeg(**options: object) -> bytes:
    return encoded(colour(64, 64), "JPEG", **options)


WITH_TEXTS = {
    "png tEXt": ("PNG", with_chunk(PNG, b"tEXt", b"Author\0" + SECRET)),
    "png zTXt": ("PNG", with_chunk(PNG, b"zTXt", b"Author\0\0" + zlib.compress(SECRET))),
    "png behind the pixels": ("PNG", with_chunk(PNG, b"iTXt", b"Author\0\0\0\0\0" + SECRET, late=True)),
    "png private chunk": ("PNG", with_chunk(PNG, b"scAn", SECRET)),
    "png exif": ("PNG", encoded(colour(), exif=EXIF)),
    "png behind its end": ("PNG", PNG + SECRET),
    "jpeg exif": ("JPEG", jpeg(exif=EXIF)),
    "jpeg comment": ("JPEG", jpeg(comment=SECRET)),
    "jpeg xmp": ("JPEG", jpeg(xmp=b"<x>" + SECRET + b"</x>")),
    "jpeg behind its end": ("JPEG", JPEG + SECRET),
    "jpeg a second picture": ("JPEG", JPEG + jpeg(exif=EXIF)),
    "jpeg progressive": ("JPEG", jpeg(progressive=True, exif=EXIF, comment=SECRET)),
    "jpeg restarts": ("JPEG", jpeg(restart_marker_blocks=2, exif=EXIF)),
    "jpeg cmyk": ("JPEG", encoded(Image.fromarray(colour(64, 64)).convert("CMYK"), "JPEG", exif=EXIF)),
    "jpeg comment between scans": ("JPEG", b""),
}


def _between() -> bytes:
    """A progressive JPEG with a comment in front of its second scan."""
    data = jpeg(progressive=True)
    place = data.index(b"\xff\xc4", data.index(b"\xff\xda"))
    return data[:place] + b"\xff\xfe" + struct.pack(">H", len(SECRET) + 2) + SECRET + data[place:]


WITH_TEXTS["jpeg comment between scans"] = ("JPEG", _between())


@pytest.mark.parametrize("name", WITH_TEXTS)
def test_texts_go_and_pixels_stay(tmp_path, name):
    kind, data = WITH_TEXTS[name]
    found = picture(tmp_path / "a", data)
    assert found.way == STRIPPED
    assert SECRET not in found.data
    with Image.open(io.BytesIO(found.data)) as image:
        image.load()
        assert not {"exif", "comment", "xmp", "Author"} & set(image.info)
    assert hashes(found.data) == hashes(data)[:1]
    assert without_texts(found.data, kind) == found.data


@pytest.mark.parametrize("options", [
    {}, {"progressive": True}, {"quality": 100}, {"restart_marker_rows": 1}, {"subsampling": 0}, {"optimize": True},
])  # fmt: skip
def test_a_jpeg_without_texts_stays_byte_for_byte(tmp_path, options):
    data = jpeg(**options)
    assert picture(tmp_path / "a", data).data == data
    assert picture(tmp_path / "a", data).way == AS_IS


@pytest.mark.parametrize("image", [
    Image.fromarray(grey()), Image.fromarray(colour()), Image.fromarray(colour(channels=4)), Image.fromarray(deep()),
    Image.fromarray(grey()).quantize(8), Image.fromarray(grey()).convert("1"), Image.fromarray(grey()).convert("LA"),
])  # fmt: skip
def test_a_png_without_texts_stays_byte_for_byte(tmp_path, image):
    data = encoded(image, icc_profile=b"a profile", gamma=0.5) if image.mode == "RGB" else encoded(image)
    found = picture(tmp_path / "a", data)
    assert (found.data, found.way, found.ending) == (data, AS_IS, ".png")


def test_a_colour_profile_stays(tmp_path):
    data = encoded(colour(), icc_profile=b"a profile", exif=EXIF)
    with Image.open(io.BytesIO(picture(tmp_path / "a", data).data)) as image:
        assert image.info["icc_profile"] == b"a profile"


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damaged_files_end_and_never_keep_a_text(body, place):
    for kind, data in (("PNG", PNG), ("JPEG", JPEG)):
        found = without_texts(data[:place] + body, kind)
        assert found is None or len(found) <= len(data[:place] + body)


def test_texts_stay_where_that_is_asked_for(tmp_path):
    for name in ("png tEXt", "jpeg exif"):
        data = WITH_TEXTS[name][1]
        assert picture(tmp_path / "a", data, texts=True).data == data
    two = picture(tmp_path / "a", animated(), texts=True)
    assert two.way == STRIPPED


def animated() -> bytes:
    frames = [Image.fromarray(colour(seed=seed)) for seed in range(3)]
    return encoded(frames[0], save_all=True, append_images=frames[1:])


def test_of_an_animated_png_the_picture_that_was_ingested_stays(tmp_path):
    found = picture(tmp_path / "a", animated())
    with Image.open(io.BytesIO(found.data)) as image:
        assert getattr(image, "n_frames", 1) == 1
        assert np.array_equal(np.asarray(image), colour(seed=0))


@pytest.mark.parametrize(("data", "way"), [
    (encoded(colour(), "BMP"), AS_IS),
    (encoded(colour(), "BMP") + SECRET, CODED),
    (encoded(colour(), "WEBP", lossless=True), AS_IS),
    (encoded(colour(), "WEBP", lossless=True, exif=EXIF), CODED),
    (encoded(colour(), "WEBP", lossless=True, xmp=SECRET), CODED),
    (tiff(colour()), CODED), (tiff(grey()), CODED), (tiff(deep()), CODED),
    (encoded(Image.fromarray(grey()).convert("LA"), "TIFF"), CODED),
    (tiff(deep().astype(np.float32) / 7), SCALED), (tiff(deep().astype(np.int16)), SCALED),
    (tiff(deep().astype(np.uint32) << 8), SCALED),
])  # fmt: skip
def test_other_formats(tmp_path, data, way):
    found = picture(tmp_path / "a", data)
    assert found.way == way
    assert SECRET not in found.data
    if way != SCALED:
        assert hashes(found.data) == hashes(data)
    else:
        (before,), (after,) = pages(data, Limits()), pages(found.data, Limits())
        assert np.abs(after.grey - before.grey).max() < 1 / 128
        assert after.bit_depth == 16


def test_formats_that_a_reader_does_not_read_are_coded_anew(tmp_path):
    data = encoded(colour(), "BMP")
    found = picture(tmp_path / "a", data, kinds=("PNG", "JPEG"))
    assert (found.way, found.ending) == (CODED, ".png")
    assert hashes(found.data) == hashes(data)


def test_cmyk_becomes_the_colours_that_it_means(tmp_path):
    image = Image.fromarray(colour()).convert("CMYK")
    found = picture(tmp_path / "a", encoded(image, "TIFF"))
    with Image.open(io.BytesIO(found.data)) as again:
        assert np.array_equal(np.asarray(again), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("data", [encoded(deep()), tiff(deep())])
def test_a_preview_uses_the_whole_range(tmp_path, data):
    found = picture(tmp_path / "a", data, deep=False)
    assert found.way == PREVIEW
    with Image.open(io.BytesIO(found.data)) as image:
        assert image.mode == "L"
        shown = np.asarray(image).astype(int)
    wanted = (deep() - deep().min()) / (deep().max() - deep().min()) * 255
    assert np.abs(shown - wanted).max() <= 0.51


def test_a_dark_deep_picture_is_not_black(tmp_path):
    data = encoded((deep() // 300).astype(np.uint16))
    with Image.open(io.BytesIO(picture(tmp_path / "a", data, deep=False).data)) as image:
        assert np.asarray(image).max() == 255


def test_dicom_becomes_png(tmp_path):
    from images.test_dicom import dicom

    for pixels, bits in ((grey(), None), (deep(), None), (deep() >> 4, 12)):
        found = picture(tmp_path / "a", dicom(pixels, bits=bits))
        assert found.way == CODED
        (page,) = pages(found.data, Limits())
        assert np.array_equal(page.pixels, pixels)
    frames = np.stack([grey(seed=1), grey(seed=2)])
    (page,) = pages(picture(tmp_path / "a", dicom(frames, frames=2), page=1).data, Limits())
    assert np.array_equal(page.pixels, frames[1])


def test_a_file_that_changed_within_its_second_is_found_out(tmp_path):
    asked = order(tmp_path / "a", PNG)
    other = Order(asked.scan, asked.place, "0" * 64)
    with pytest.raises(BadImage, match="changed since ingest"):
        made(other, Rules(USUAL, True, False, False))


def test_png_texts_that_pillow_writes_are_those_that_go():
    texts = PngImagePlugin.PngInfo()
    for kind in ("add_text", "add_itxt"):
        getattr(texts, kind)("Author", SECRET.decode())
    texts.add_text("Zip", SECRET.decode() * 20, zip=True)
    data = encoded(colour(), pnginfo=texts)
    assert without_texts(data, "PNG") == PNG
