"""The compiled reduction against Pillow's, pixel by pixel.

Wrong while green would be: weights that read beyond the right edge where a picture is barely wider than they are many;
a last group of rows that is left out or written twice with other values; sums that are right until a picture of
nothing but black and white drives them to their ends; an order of the two passes that shows in tall pictures only.
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from xqdata import kernels
from xqdata.kernels import pairs

SIZES = [(9, 8), (32, 32), (64, 64)]


@pytest.fixture(params=["by pairs", "one by one"])
def loop(request, monkeypatch):
    """Both loops for wide pictures, whichever this processor would take."""
    if request.param == "one by one":
        monkeypatch.setattr("xqdata.kernels.pairs.usable", lambda: False)
    elif not pairs.usable():
        pytest.skip("this processor has no instruction for pairs")


def by_pillow(grey: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS))


def picture(height: int, width: int, kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "noise":
        return rng.integers(0, 256, (height, width), np.uint8)
    if kind == "black and white":
        return rng.choice(np.array([0, 255], np.uint8), (height, width))
    y, x = np.indices((height, width))
    return (255 * ((x // 7 + y // 5) % 2)).astype(np.uint8)


@settings(max_examples=300)
@given(
    st.integers(1, 150),
    st.integers(1, 150) | st.integers(180, 300),
    st.sampled_from(SIZES) | st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from(["noise", "black and white", "blocks"]),
    st.integers(0, 2**32),
)
@example(3, 1000, (32, 32), "noise", 0)
@example(4, 1000, (32, 32), "noise", 0)
@example(5, 1000, (9, 8), "black and white", 0)
@example(7, 1000, (64, 64), "noise", 0)
@example(1, 1, (32, 32), "noise", 0)
def test_every_shape(loop, height, width, size, kind, seed):
    grey = picture(height, width, kind, seed)
    np.testing.assert_array_equal(kernels.reduce(grey, *size), by_pillow(grey, *size))


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 5000), (5000, 1), (2, 3000), (3000, 2), (4, 4000), (4000, 4), (9, 2000), (2000, 9), (700, 1000), (1300, 301)],
)
@pytest.mark.parametrize("size", SIZES)
def test_narrow_tall_and_of_a_scans_size(loop, height, width, size):
    for kind in ("noise", "black and white"):
        grey = picture(height, width, kind)
        np.testing.assert_array_equal(kernels.reduce(grey, *size), by_pillow(grey, *size))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 254, 255])
def test_one_value_stays_that_value(loop, value):
    grey = np.full((123, 457), value, np.uint8)
    for size in SIZES:
        assert (kernels.reduce(grey, *size) == value).all()


def test_as_wide_as_is_allowed(loop):
    grey = picture(5, kernels.MAX_SIDE, "black and white")
    for size in SIZES:
        np.testing.assert_array_equal(kernels.reduce(grey, *size), by_pillow(grey, *size))


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(SIZES), st.integers(0, 2**32))
def test_deep_pictures_are_reduced_without_rounding(height, width, size, seed):
    """In floating point, with Pillow's weights as they are before they become whole numbers."""
    values = np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)
    found = kernels.reduce_deep(values, *size) * 2.0**-44
    pillow = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
    np.testing.assert_allclose(found, np.asarray(pillow), atol=0.5)


@settings(max_examples=100)
@given(
    st.integers(1, 60) | st.integers(300, 310),
    st.integers(1, 60) | st.integers(180, 310),
    st.sampled_from(SIZES),
    st.booleans(),
    st.integers(0, 2**32),
)
@example(3, 1000, (32, 32), True, 0)
@example(5, 1000, (9, 8), True, 0)
def test_deep_pictures_to_the_last_bit(height, width, size, extreme, seed):
    """The compiled loops against a product of whole matrices of integers."""
    values = np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)
    if extreme:
        values = np.where(values > 32767, 65535, 0).astype(np.uint16)
    found = kernels.reduce_deep(values, *size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xqdata.kernels.resample.AVAILABLE", False)
        np.testing.assert_array_equal(found, kernels.reduce_deep(values, *size))


def test_a_deep_picture_as_wide_as_is_allowed():
    values = np.where(np.arange(5 * kernels.MAX_SIDE) % 3, 65535, 0).astype(np.uint16).reshape(5, -1)
    found = kernels.reduce_deep(values, 9, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xqdata.kernels.resample.AVAILABLE", False)
        np.testing.assert_array_equal(found, kernels.reduce_deep(values, 9, 8))


@settings(max_examples=100)
@given(st.lists(st.integers(-(2**22), 2**22), min_size=1, max_size=40))
def test_split_weights_add_up(weights):
    low, high = np.moveaxis(pairs.split(np.array([weights], np.int32)), 1, 0).astype(int)
    assert (low + (high << 11) == weights).all()


def test_pairs_that_fail_or_are_wrong_are_not_used(monkeypatch):
    def fail(*_: object) -> None:
        raise AttributeError("numba has changed")

    monkeypatch.setattr(pairs, "_has_instruction", fail)
    assert pairs._weighing_if_possible() is None
    monkeypatch.setattr(pairs, "_weighed", object())
    monkeypatch.setattr(pairs, "across", fail)
    assert pairs.usable.__wrapped__() is False
    monkeypatch.setattr(pairs, "across", lambda pixels, start, weights, out: out.fill(7))
    assert pairs.usable.__wrapped__() is False


@pytest.mark.parametrize("variable", ["NUMBA_CPU_NAME=generic", "NUMBA_CPU_FEATURES=+sse2", "NUMBA_ENABLE_AVX=0"])
def test_code_for_another_processor_has_no_pairs(variable):
    command = "from xqdata.kernels import pairs; assert not pairs.usable(); print('right')"
    environment = {**os.environ, **dict([variable.split("=")])}
    assert subprocess.check_output([sys.executable, "-c", command], env=environment) == b"right\n"
