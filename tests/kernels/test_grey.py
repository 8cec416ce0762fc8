"""The compiled grey of 8-bit pictures against Pillow's, that of deep ones against NumPy's arithmetic.

Wrong while green would be: weights that agree on most colours only, so all of them are tried; channels counted in
threes where there are four, which a picture of one row would show only by its length; deep values whose last bit
differs, which turns bits of hashes and no picture would show.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from xqdata import kernels


def test_every_colour():
    red, green, blue = (np.arange(256, dtype=np.uint8) for _ in range(3))
    pixels = np.empty((256, 256, 256, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = red[:, None, None], green[:, None], blue
    pixels = pixels.reshape(4096, 4096, 3)
    np.testing.assert_array_equal(kernels.grey_of(pixels), np.asarray(Image.fromarray(pixels).convert("L")))


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([3, 4]), st.integers(0, 2**32))
def test_every_shape(height, width, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    np.testing.assert_array_equal(kernels.grey_of(pixels), np.asarray(Image.fromarray(pixels).convert("L")))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_part_of_a_picture(channels):
    """Its rows do not follow each other in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, channels), np.uint8)[3:17, 5:21]
    expected = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))
    np.testing.assert_array_equal(kernels.grey_of(pixels), expected)


EVERY_VALUE = np.arange(65536, dtype=np.uint16).reshape(256, 256)
WINDOWS = [(0.0, 65535.0), (0.0, 1.0), (687.0, 65410.0), (1000.0, 3000.0), (0.1, 0.7), (-5.5, 70000.25), (20000, 20007)]


@pytest.mark.parametrize(("low", "high"), WINDOWS)
def test_every_deep_value(low, high):
    found = kernels.scaled(EVERY_VALUE, low, high)
    expected = (EVERY_VALUE.astype(np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.clip(expected, 0, 255))
    found = kernels.sixteen_bits(expected.clip(0, 255))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.rint(expected.clip(0, 255) * np.float32(257)))


def test_halves_go_to_the_even_number():
    halves = (np.arange(0, 300, dtype=np.float32) + np.float32(0.5)) / np.float32(257)
    exact = halves[halves * np.float32(257) % 1 == 0.5]
    assert exact.size > 50
    assert not (kernels.sixteen_bits(exact.reshape(1, -1)) % 2).any()


@pytest.mark.parametrize(("low", "high"), WINDOWS)
def test_the_same_without_numba(low, high, monkeypatch):
    found = kernels.scaled(EVERY_VALUE, low, high)
    whole = kernels.sixteen_bits(found)
    monkeypatch.setattr("xqdata.kernels.grey.AVAILABLE", False)
    np.testing.assert_array_equal(kernels.scaled(EVERY_VALUE, low, high), found)
    np.testing.assert_array_equal(kernels.sixteen_bits(found), whole)
