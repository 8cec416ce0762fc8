"""The Laplacian of a grey picture, summed while it is computed: that of OpenCV, without a picture of it.

Source: OpenCV 4, modules/imgproc/src/deriv.cpp (`Laplacian` of aperture 1, border reflected about its outermost pixel).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled, inner

_CHUNK = 1024  # so many squares of at most 1020 add up to less than 2^31


def laplacian_sums(grey: NDArray[np.uint8]) -> tuple[int, int]:
    """The sum of the Laplacian over all pixels of `grey`, (height, width) uint8, and the sum of its squares."""
    total, squares = _laplacian_sums(grey)
    return int(total), int(squares)


@compiled
def _laplacian_sums(grey: NDArray[np.uint8]) -> tuple[int, int]:
    rows, columns = grey.shape
    last = columns - 1
    edges = np.empty(columns, np.int16)
    total = squares = 0
    for y in range(rows):
        row, above, below = grey[y], grey[_reflected(y - 1, rows)], grey[_reflected(y + 1, rows)]
        for x in (0, last):
            vertical = np.int16(above[x]) + np.int16(below[x]) - 2 * np.int16(row[x])
            beside = np.int16(row[_reflected(x - 1, columns)]) + np.int16(row[_reflected(x + 1, columns)])
            edges[x] = vertical + beside - 2 * np.int16(row[x])
        if columns > 2:
            _inner_edges(above[1:last], row, below[1:last], edges[1:last])
        for start in range(0, columns, _CHUNK):
            total += _sum(edges[start : start + _CHUNK])
            squares += _sum_of_squares(edges[start : start + _CHUNK])
    return total, squares


@inner
def _reflected(index: int, size: int) -> int:
    """Where `index`, at most one step outside 0 to `size` - 1, comes to lie inside; in a line of one value, there."""
    if index < 0:
        return min(1, size - 1)
    return max(size - 2, 0) if index == size else index


@inner
def _inner_edges(
    above: NDArray[np.uint8], row: NDArray[np.uint8], below: NDArray[np.uint8], edges: NDArray[np.int16]
) -> None:
    many = edges.shape[0]
    before, middle, after = row[:many], row[1 : many + 1], row[2 : many + 2]
    for x in range(many):
        beside = np.int16(above[x]) + np.int16(below[x]) + np.int16(before[x]) + np.int16(after[x])
        edges[x] = beside - 4 * np.int16(middle[x])


@inner
def _sum(edges: NDArray[np.int16]) -> np.int32:
    total = np.int32(0)
    for x in range(edges.shape[0]):
        total = np.int32(total + edges[x])
    return total


@inner
def _sum_of_squares(edges: NDArray[np.int16]) -> np.int32:
    total = np.int32(0)
    for x in range(edges.shape[0]):
        edge = np.int32(edges[x])
        total = np.int32(total + np.int32(edge * edge))
    return total
