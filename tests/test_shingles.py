"""Shared patches: found wherever a window was cut, and only there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.shingles import PATCH, offset, overlap, shingles

NOISE = np.random.default_rng(3).integers(90, 120, (300, 400), np.uint8)
NOISE.setflags(write=False)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(30, 200), st.integers(30, 250))
def test_a_window_keeps_what_the_whole_keeps_of_it(top, left, rows, columns):
    whole, window = shingles(NOISE), shingles(NOISE[top : top + rows, left : left + columns])
    x, y = whole.places.T
    inside = (x >= left) & (y >= top) & (x + PATCH <= left + columns) & (y + PATCH <= top + rows)
    assert set(whole.hashes[inside].tolist()) <= set(window.hashes.tolist())
    assert offset(whole, window)[2] >= inside.sum()
    if inside.any():
        assert offset(whole, window)[:2] == (left, top)


@pytest.mark.parametrize("side", [60, 150, 300])
def test_pictures_of_any_size_keep_about_as_many(side):
    assert 120 < len(shingles(NOISE[:side, :side]).hashes) < 400


def test_other_noise_shares_nothing_and_air_says_nothing():
    other = np.random.default_rng(4).integers(90, 120, NOISE.shape, np.uint8)
    one = NOISE.copy()
    other[:150] = one[:150] = 255
    assert not np.intersect1d(shingles(one).hashes, shingles(other).hashes).size
    flat = shingles(np.full((200, 200), 7, np.uint16))
    assert not flat.hashes.size and offset(flat, flat) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (8, 8), (500, 7)])
def test_small_pictures(shape):
    found = shingles(np.zeros(shape, np.uint8))
    assert len(found.hashes) == len(found.places) <= 1


def test_sixteen_bits_count_in_full():
    deep = np.random.default_rng(1).integers(1000, 1016, (300, 300), np.uint16)
    shifted = deep + np.uint16(256)
    assert len(np.intersect1d(shingles(deep).hashes, shingles(deep[3:, 5:]).hashes)) > 60
    assert not np.intersect1d(shingles(deep).hashes, shingles(shifted).hashes).size


@pytest.mark.parametrize("wrong", [np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20), np.float32)])
def test_other_pictures_are_refused(wrong):
    with pytest.raises(ValueError, match="not \\(rows, columns\\)"):
        shingles(wrong)


def test_overlap_measures_what_is_shared_and_equal():
    a, b = NOISE[:200, :200], NOISE[100:, 50:].copy()
    found = overlap(a, b, 50, 100)
    assert (found.share, found.equal) == pytest.approx((100 * 150 / (200 * 350), 1.0))
    b[:10, :10] = 0
    assert overlap(a, b, 50, 100).equal == pytest.approx(1 - 100 / 15000, abs=2e-3)
    assert overlap(a, b, 500, 0) == (0.0, 0.0, 0) == overlap(a, b.astype(np.uint16), 0, 0)


def test_air_in_common_is_no_evidence():
    one, other = np.full((2, 100, 100), 255, np.uint8)
    one[20:40, 20:40] = NOISE[:20, :20]
    other[60:80, 20:40] = NOISE[:20, :20]
    found = overlap(one, other, 0, 0)
    assert found.equal == 0.0 and found.telling == 800
