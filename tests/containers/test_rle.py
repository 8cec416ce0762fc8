"""Run lengths: there and back, as COCO writes them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from xqdata.containers.rle import rle, unrle


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_a_mask_comes_back(mask):
    assert np.array_equal(unrle(rle(mask)), mask)


def test_counts_go_down_the_columns_and_begin_with_zeros():
    mask = np.array([[0, 0, 1], [0, 1, 1]])
    assert json.loads(rle(mask)) == {"size": [2, 3], "counts": [3, 3]}
    assert json.loads(rle(np.array([[1, 0], [0, 1]]))) == {"size": [2, 2], "counts": [0, 1, 2, 1]}
    assert json.loads(rle(np.ones((3, 2)))) == {"size": [3, 2], "counts": [0, 6]}
    assert json.loads(rle(np.zeros((3, 2)))) == {"size": [3, 2], "counts": [6]}


def test_any_memory_order_and_number_type():
    mask = np.zeros((5, 7), np.uint8)
    mask[1:4, 2:6] = 255
    assert rle(mask) == rle(np.asfortranarray(mask)) == rle(mask.astype(bool)) == rle(mask[::-1][::-1])
    assert unrle(rle(mask)).flags.c_contiguous


@pytest.mark.parametrize("counts", [[3], [5], [-1, 5]])
def test_counts_that_do_not_fill_the_size_are_refused(counts):
    with pytest.raises(ValueError, match="run lengths"):
        unrle(json.dumps({"size": [2, 2], "counts": counts}))
