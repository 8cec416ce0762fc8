"""Masks as COCO's uncompressed run lengths: column by column, counts that begin with what is not in the mask."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def rle(mask: NDArray[Any]) -> str:
    """`mask`, (height, width), as JSON: `size` is [height, width], `counts` the lengths of the runs of zeros and ones
    in turns, the first one of zeros and perhaps 0. What is not zero is in the mask.

    Source: the uncompressed form of https://cocodataset.org/#format-data.
    """
    height, width = mask.shape
    flat = np.ascontiguousarray(mask.astype(bool, copy=False).T).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(edges, prepend=0, append=flat.size).tolist()
    if flat.size and flat[0]:
        counts = [0, *counts]
    return json.dumps({"size": [height, width], "counts": counts}, separators=(",", ":"))


def unrle(text: str) -> Mask:
    """The mask that `rle` wrote, (height, width). ValueError for run lengths that do not fill the size."""
    told = json.loads(text)
    height, width = told["size"]
    counts = np.asarray(told["counts"], np.int64)
    if counts.sum() != height * width or (counts < 0).any():
        raise ValueError(f"run lengths of {counts.sum()} pixels, where {height} x {width} are {height * width}")
    flat = np.repeat(np.arange(counts.size) % 2 == 1, counts)
    return np.ascontiguousarray(flat.reshape(width, height).T)
