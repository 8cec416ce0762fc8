"""The compiled sums of the Laplacian against OpenCV's picture of it.

Wrong while green would be: a border that counts otherwise, which hardly shows in a large picture; sums that leave 32
bits, which only wide pictures of the strongest edges drive them to.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xqdata import kernels


def by_opencv(grey: np.ndarray) -> tuple[int, int]:
    edges = cv2.Laplacian(grey, cv2.CV_16S).astype(np.int64)
    return int(edges.sum()), int((edges * edges).sum())


@settings(max_examples=300)
@given(st.integers(1, 40), st.integers(1, 90), st.booleans(), st.integers(0, 2**32))
@example(1, 1, True, 0)
@example(1, 2, True, 0)
@example(2, 1, True, 0)
@example(2, 2, True, 0)
def test_every_shape(height, width, extreme, seed):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (height, width), np.uint8)
    if extreme:
        grey = np.where(grey > 127, 255, 0).astype(np.uint8)
    assert kernels.laplacian_sums(grey) == by_opencv(grey)


@pytest.mark.parametrize("shape", [(3, 100_000), (100_000, 3), (1, 200_000), (200_000, 1), (500, 1023), (500, 1025)])
def test_the_strongest_edges(shape):
    """A chessboard: every pixel's square is the largest there is."""
    grey = (255 * (np.indices(shape).sum(axis=0) % 2)).astype(np.uint8)
    assert kernels.laplacian_sums(grey) == by_opencv(grey)


def test_a_part_of_a_picture():
    """Its rows do not follow each other in memory."""
    grey = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    assert kernels.laplacian_sums(grey[7:40, 11:60]) == by_opencv(np.ascontiguousarray(grey[7:40, 11:60]))
