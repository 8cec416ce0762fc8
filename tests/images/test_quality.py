"""The measured figures.

Wrong while green would be: figures that hold for noise but not for a scan (air on the border, a thing in the middle),
a polarity guessed where nothing says it, a box with x and y swapped.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.pictures import encoded
from xqdata.images import Limits, Page, measure, pages


def page(pixels: np.ndarray) -> Page:
    (found,) = pages(encoded(pixels), Limits())
    assert isinstance(found, Page)
    return found


def scan(dtype: type = np.uint8) -> np.ndarray:
    """Air all round, a grey thing 30 wide and 10 high at (20, 15), and an opaque square in it."""
    top = np.iinfo(dtype).max
    pixels = np.full((60, 100), top, dtype)
    pixels[15:25, 20:50] = top // 2
    pixels[17:23, 22:28] = 0
    return pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("turned", [False, True])
def test_a_scan(dtype, turned):
    pixels = scan(dtype)
    if turned:
        pixels = np.iinfo(dtype).max - pixels
    found = measure(page(pixels))
    assert found.polarity == ("air_dark" if turned else "air_bright")
    assert found.content_box == [20, 15, 30, 10]
    assert found.air_fraction == pytest.approx(1 - 300 / 6000)
    assert found.opaque_fraction == pytest.approx(36 / 6000)
    shares = pixels / np.iinfo(dtype).max
    assert found.mean == pytest.approx(shares.mean(), abs=1e-6)
    assert found.std == pytest.approx(shares.std(), abs=1e-6)
    assert found.sharpness is not None


def test_eight_and_sixteen_bits_of_one_scan_agree():
    eight, sixteen = measure(page(scan())), measure(page(scan().astype(np.uint16) * 257))
    assert eight.mean == pytest.approx(sixteen.mean)
    assert eight.std == pytest.approx(sixteen.std)
    assert eight.sharpness == pytest.approx(sixteen.sharpness, rel=1e-5)
    assert (eight.air_fraction, eight.content_box) == (sixteen.air_fraction, sixteen.content_box)


def test_a_declared_polarity_is_taken():
    found = measure(page(scan()), "air_dark")
    assert found.polarity == "air_dark"
    assert found.air_fraction == pytest.approx(36 / 6000)


def test_where_nothing_says_the_polarity_it_is_unknown():
    noise = np.random.default_rng(0).integers(60, 200, (50, 50), np.uint8)
    split = np.zeros((50, 50), np.uint8)
    split[:, 25:] = 255
    for pixels in (noise, split):
        found = measure(page(pixels))
        assert (found.polarity, found.air_fraction, found.opaque_fraction, found.content_box) == (None,) * 4
        assert found.sharpness is not None


def test_a_blank_picture_has_no_sharpness_and_no_box():
    found = measure(page(np.full((20, 30), 255, np.uint8)))
    assert (found.mean, found.std) == (1.0, 0.0)
    assert (found.sharpness, found.polarity, found.air_fraction, found.content_box) == (None,) * 4


def test_a_blurred_picture_is_less_sharp():
    import cv2

    noise = np.random.default_rng(1).integers(0, 256, (60, 60), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    assert measure(page(soft)).sharpness < 0.2 * measure(page(noise)).sharpness


def test_a_dead_line_does_not_widen_the_box():
    pixels = scan()
    pixels[:, 90] = 0
    pixels[50, 5] = 0
    assert measure(page(pixels)).content_box == [20, 15, 30, 10]


def box_by_opening_everything(content: np.ndarray) -> list[int] | None:
    """What lies in lines of which more than 1% is left when all that is thinner than 5 pixels is taken away."""
    opened = cv2.morphologyEx(content.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    rows = np.flatnonzero(opened.sum(axis=1) > 0.01 * content.shape[1])
    columns = np.flatnonzero(opened.sum(axis=0) > 0.01 * content.shape[0])
    if not rows.size or not columns.size:
        return None
    return [int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]


@settings(max_examples=200)
@given(
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=6),
    st.floats(0, 0.3),
    st.integers(0, 2**32),
)
@example((150, 150), [(0.5, 0.5, 0.2, 0.2)], 0.02, 0)
@example((200, 200), [], 0.05, 0)
def test_the_box_holds_what_is_not_thin(shape, things, specks, seed):
    """Things of any size, and dust between them, which makes many lines look full before it is taken away."""
    content = np.random.default_rng(seed).random(shape) < specks
    for y, x, high, wide in things:
        top, left = int(y * shape[0]), int(x * shape[1])
        content[top : top + int(high * 40) + 1, left : left + int(wide * 40) + 1] = True
    pixels = np.where(content, 100, 255).astype(np.uint8)
    if content.any() and not content.all():
        assert measure(page(pixels), "air_bright").content_box == box_by_opening_everything(content)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 200)])
def test_tiny_pictures(size):
    pixels = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    for candidate in (pixels, pixels.astype(np.uint16) * 9):
        found = measure(page(candidate))
        assert 0 <= found.mean <= 1


def test_floats_keep_their_unit_and_what_is_no_number_is_left_out():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.array([[np.nan, 2.0], [4.0, np.inf]], np.float32))
    (found,) = pages(buffer.getvalue(), Limits())
    figures = measure(found)
    assert (figures.mean, figures.std) == (3.0, 1.0)
