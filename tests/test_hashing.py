"""Perceptual hashes against ImageHash, the reference.

Wrong while green would be: equality on square noise only, where a transposed or cropped resize would not show; 16-bit
scans that are hashed after a step to 8 bits; bits in another order, which only distances between our own hashes hide.
"""

from __future__ import annotations

import io

import imagehash
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.pictures import deep, encoded
from xqdata.hashing import Hashes, hashes
from xqdata.images import Limits, Page, deep_grey, pages

MODES = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4, "P": 1, "1": 1}
SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70)) | st.sampled_from([(1, 400), (400, 1), (3, 900), (33, 32)])


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    """A picture of some mode and size: noise, a ramp, blocks, or one value."""
    mode = draw(st.sampled_from(sorted(MODES)))
    height, width = draw(SIZES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (height, width, MODES[mode])
    y, x, _ = np.indices(shape)
    values = {
        "noise": lambda: rng.integers(0, 256, shape),
        "ramp": lambda: (x * 3 + y * 5) % 256,
        "blocks": lambda: 255 * ((x // 7 + y // 5) % 2),
        "flat": lambda: np.full(shape, rng.integers(0, 256)),
    }[draw(st.sampled_from(["noise", "ramp", "blocks", "flat"]))]()
    pixels = values.astype(np.uint8)
    if mode == "1":
        return Image.fromarray(pixels[..., 0]).convert("1")
    if mode == "P":
        image = Image.fromarray(pixels[..., 0]).convert("P")
        image.putpalette(rng.integers(0, 256, 768, np.uint8).tobytes())
        return image
    if mode in ("LA", "CMYK"):
        return Image.frombytes(mode, (width, height), pixels.tobytes())
    return Image.fromarray(pixels[..., 0] if MODES[mode] == 1 else pixels)


def reference(image: Image.Image) -> Hashes:
    """What ImageHash says, its bits row by row, the first the most significant."""
    bits = [imagehash.phash(image), imagehash.dhash(image), imagehash.phash(image, hash_size=16)]
    packed = [np.packbits(b.hash.ravel()).tobytes() for b in bits]
    return Hashes(int.from_bytes(packed[0], "big"), int.from_bytes(packed[1], "big"), packed[2])


def decoded(data: bytes) -> Page:
    (page,) = pages(data, Limits())
    assert isinstance(page, Page)
    return page


@settings(max_examples=250)
@given(pictures())
@example(Image.new("L", (1, 1), 7))
@example(Image.new("RGB", (2000, 2), (10, 20, 30)))
def test_hashes_equal_imagehash_bit_for_bit(image):
    assert hashes(np.asarray(image.convert("L"))) == reference(image)


@settings(max_examples=120)
@given(pictures(), st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP"]))
def test_a_file_hashes_as_imagehash_hashes_it(image, format):
    try:
        data = encoded(image, format)
    except OSError:  # this format has no such mode
        return
    with Image.open(io.BytesIO(data)) as again:
        expected = reference(again)
    assert hashes(decoded(data).grey) == expected


def test_integers_agree_with_imagehashes_own_spelling():
    image = Image.fromarray((np.indices((40, 50)).sum(axis=0) * 3 % 256).astype(np.uint8))
    found = hashes(np.asarray(image))
    assert f"{found.phash:016x}" == str(imagehash.phash(image))
    assert f"{found.dhash:016x}" == str(imagehash.dhash(image))
    assert found.phash256.hex() == str(imagehash.phash(image, hash_size=16))


def smooth(seed: int, low: float, high: float) -> np.ndarray:
    """A 16-bit picture of a few soft blobs with values between `low` and `high`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:60, :80]
    total = sum(np.exp(-((y - rng.uniform(0, 60)) ** 2 + (x - rng.uniform(0, 80)) ** 2) / 150) for _ in range(6))
    return (low + (high - low) * (total - total.min()) / (total.max() - total.min())).astype(np.uint16)


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (30000, 30400), (900, 1300), (64000, 65535)])
def test_deep_pictures_of_low_contrast_do_not_collapse(low, high):
    found = [hashes(deep_grey(smooth(seed, low, high), None)) for seed in range(30)]
    for name in ("phash", "dhash", "phash256"):
        assert len({getattr(h, name) for h in found}) == 30


def test_deep_hashes_do_not_change_with_gain_and_offset():
    """To the bit for a gain that floats hold exactly; nearly so for any other."""
    base = smooth(3, 0, 8191)
    expected = hashes(deep_grey(base, None))
    for gain, offset in ((1, 0), (2, 0), (4, 1000), (8, 7)):
        assert hashes(deep_grey((base.astype(int) * gain + offset).astype(np.uint16), None)) == expected
    other = hashes(deep_grey((base.astype(int) * 5 + 321).astype(np.uint16), None))
    assert (other.phash ^ expected.phash).bit_count() <= 2
    assert (other.dhash ^ expected.dhash).bit_count() <= 2


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64])
def test_the_type_of_values_does_not_matter(dtype):
    base = smooth(5, 0, 30000)
    assert hashes(deep_grey(base.astype(dtype), None)) == hashes(deep_grey(base, None))


def test_sixteen_bits_hash_as_the_same_picture_in_eight():
    grey = smooth(7, 0, 65535) >> 8
    eight = (((grey - grey.min()) * 255.0) / (grey.max() - grey.min())).round().astype(np.uint8)
    sixteen = hashes(deep_grey(eight.astype(np.uint16) * 257, None))
    as_eight = hashes(eight)
    # Pillow rounds between its two passes over 8 bits and not over floats: single bits near the threshold may differ.
    assert (sixteen.phash ^ as_eight.phash).bit_count() <= 4
    assert (sixteen.dhash ^ as_eight.dhash).bit_count() <= 4


def test_all_sixteen_bits_count():
    """Two pictures whose high bytes are equal and whose low bytes are not."""
    rng = np.random.default_rng(0)
    found = {hashes(deep_grey(0x4200 + rng.integers(0, 256, (40, 40)).astype(np.uint16), None)).phash for _ in range(9)}
    assert len(found) == 9


def test_a_declared_window_is_used_and_clips():
    base = smooth(2, 0, 4000)
    spoilt = base.copy()
    spoilt[0, 0] = 65535  # one dead pixel takes the whole range
    window = (0.0, 4000.0)
    near = hashes(deep_grey(spoilt, window)).phash ^ hashes(deep_grey(base, window)).phash
    assert near.bit_count() <= 8
    assert deep_grey(spoilt, window).max() == 255.0


def test_a_blank_picture_has_a_hash():
    blank = hashes(deep_grey(np.full((9, 9), 500, np.uint16), None))
    assert blank == hashes(deep_grey(np.full((9, 9), 7, np.uint16), None))


@pytest.mark.parametrize(
    "bad", [np.zeros((3, 3)), np.zeros((3, 3, 3), np.uint8), np.zeros((3, 3), np.uint16), np.zeros(3, np.uint8)]
)
def test_other_types_and_shapes_are_refused(bad):
    with pytest.raises(ValueError, match="grey is"):
        hashes(bad)


def test_a_sixteen_bit_file_is_hashed_from_its_own_range():
    pixels = deep(20, 20) // 256 + 20000
    page = decoded(encoded(pixels.astype(np.uint16)))
    assert page.grey.dtype == np.float32
    assert hashes(page.grey) == hashes(deep_grey(pixels, None))
