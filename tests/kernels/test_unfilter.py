"""PNG's filters undone, against the specification's own words.

Wrong while green would be: a predictor that differs where two neighbours are equally near, which smooth pictures hardly
meet, so all 2^24 cases are tried; one loop of several that is wrong, so pixels of all sizes are; the first row and the
first pixel, which have no neighbours.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xqdata.kernels.unfilter import unfilter


def paeth(left: int, above: int, corner: int) -> int:
    """As the specification has it."""
    guess = left + above - corner
    by_left, by_above, by_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if by_left <= by_above and by_left <= by_corner:
        return left
    return above if by_above <= by_corner else corner


def by_the_book(stored: np.ndarray, step: int) -> np.ndarray:
    out = np.zeros((stored.shape[0] + 1, stored.shape[1] - 1 + step), int)  # a row and a pixel of zeros before
    for y, (kind, *row) in enumerate(stored.tolist(), 1):
        for n, value in enumerate(row, step):
            left, above, corner = out[y, n - step], out[y - 1, n], out[y - 1, n - step]
            foretold = (0, left, above, (left + above) // 2, paeth(left, above, corner))[kind]
            out[y, n] = (value + foretold) % 256
    return out[1:, step:].astype(np.uint8)


@settings(max_examples=150)
@given(
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from([1, 2, 3, 4, 6, 8]),
    st.sampled_from([4, 16, 256]),
    st.integers(0, 2**32),
)
def test_every_filter_and_size_of_pixel(rows, pixels, step, values, seed):
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, values, (rows, 1 + pixels * step), np.uint8)
    stored[:, 0] = rng.integers(0, 5, rows)
    np.testing.assert_array_equal(unfilter(stored, step), by_the_book(stored, step))


def test_the_nearest_of_all_neighbours():
    """Two rows of two pixels, each of 65,536 values: all pairs of above and corner, for each left."""
    above, corner = (n.ravel().astype(np.uint8) for n in np.indices((256, 256)))
    zeros = np.zeros(65536, np.uint8)
    guesses = above.astype(np.int16) - corner  # plus left
    for left in range(256):
        first = np.concatenate([[0], corner, above])
        second = np.concatenate([[4], left - corner, zeros])  # the first pixel foretells what is above it: corner
        found = unfilter(np.stack([first, second]).astype(np.uint8), 65536)
        assert found is not None
        assert (found[1, :65536] == left).all()
        distances = np.abs(np.stack([left + guesses - n for n in (np.full(65536, left, np.int16), above, corner)]))
        expected = np.choose(
            distances.argmin(axis=0), [np.full(65536, left, np.int16), above, corner]
        )  # the first of equals
        np.testing.assert_array_equal(found[1, 65536:], expected)


@pytest.mark.parametrize("kind", [5, 6, 255])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_filter_that_there_is_not(kind, row):
    stored = np.zeros((3, 10), np.uint8)
    stored[row, 0] = kind
    assert unfilter(stored, 3) is None
