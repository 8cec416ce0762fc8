"""The filters of PNG undone: each row was stored as its difference from what its neighbours foretell.

Source: PNG specification, third edition, section 9. The Paeth predictor stands here in Fabian Giesen's form, which
compares the neighbours in their order instead of distances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled, inner

_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)

Bytes = NDArray[np.uint8]
Foretell = Callable[[np.int32, np.int32, np.int32], np.int32]


def unfilter(stored: Bytes, step: int) -> Bytes | None:
    """The bytes of the rows, (rows, bytes of one row), or None if a row names a filter that there is not.

    `stored`: (rows, 1 + bytes of one row), first the number of the row's filter. `step`: the bytes of one pixel.
    """
    out = np.empty((stored.shape[0], stored.shape[1] - 1), np.uint8)
    if step in (2, 3, 4):
        right = {2: _unfilter_twos, 3: _unfilter_threes, 4: _unfilter_fours}[step](stored, out)
    else:
        right = _unfilter_steps(stored, step, out)
    return out if right else None


@inner
def _left(left: np.int32, above: np.int32, corner: np.int32) -> np.int32:
    return left


@inner
def _mean(left: np.int32, above: np.int32, corner: np.int32) -> np.int32:
    return (left + above) >> 1


@inner
def _paeth(left: np.int32, above: np.int32, corner: np.int32) -> np.int32:
    bound = 3 * corner - left - above
    low, high = min(left, above), max(left, above)
    nearer = low if high <= bound else corner
    return high if bound <= low else nearer


# The usual pixels have loops of their own, which keep the neighbours in registers: twice as fast as reading them again.
# What a picture needs is compiled for itself, for all of it together takes seconds.
def _in_twos(foretell: Foretell) -> Callable[..., Any]:
    @inner
    def twos(row: Bytes, above: Bytes, out: Bytes) -> None:
        left0 = left1 = corner0 = corner1 = np.int32(0)
        for n in range(row.shape[0] // 2):
            above0, above1 = np.int32(above[2 * n]), np.int32(above[2 * n + 1])
            left0 = np.int32((row[2 * n] + foretell(left0, above0, corner0)) & 255)
            left1 = np.int32((row[2 * n + 1] + foretell(left1, above1, corner1)) & 255)
            out[2 * n], out[2 * n + 1] = left0, left1
            corner0, corner1 = above0, above1

    return twos


def _in_threes(foretell: Foretell) -> Callable[..., Any]:
    @inner
    def threes(row: Bytes, above: Bytes, out: Bytes) -> None:
        left0 = left1 = left2 = corner0 = corner1 = corner2 = np.int32(0)
        for n in range(row.shape[0] // 3):
            above0, above1, above2 = np.int32(above[3 * n]), np.int32(above[3 * n + 1]), np.int32(above[3 * n + 2])
            left0 = np.int32((row[3 * n] + foretell(left0, above0, corner0)) & 255)
            left1 = np.int32((row[3 * n + 1] + foretell(left1, above1, corner1)) & 255)
            left2 = np.int32((row[3 * n + 2] + foretell(left2, above2, corner2)) & 255)
            out[3 * n], out[3 * n + 1], out[3 * n + 2] = left0, left1, left2
            corner0, corner1, corner2 = above0, above1, above2

    return threes


def _in_fours(foretell: Foretell) -> Callable[..., Any]:
    @inner
    def fours(row: Bytes, above: Bytes, out: Bytes) -> None:
        left0 = left1 = left2 = left3 = corner0 = corner1 = corner2 = corner3 = np.int32(0)
        for n in range(row.shape[0] // 4):
            above0, above1 = np.int32(above[4 * n]), np.int32(above[4 * n + 1])
            above2, above3 = np.int32(above[4 * n + 2]), np.int32(above[4 * n + 3])
            left0 = np.int32((row[4 * n] + foretell(left0, above0, corner0)) & 255)
            left1 = np.int32((row[4 * n + 1] + foretell(left1, above1, corner1)) & 255)
            left2 = np.int32((row[4 * n + 2] + foretell(left2, above2, corner2)) & 255)
            left3 = np.int32((row[4 * n + 3] + foretell(left3, above3, corner3)) & 255)
            out[4 * n], out[4 * n + 1], out[4 * n + 2], out[4 * n + 3] = left0, left1, left2, left3
            corner0, corner1, corner2, corner3 = above0, above1, above2, above3

    return fours


def _in_steps(foretell: Foretell) -> Callable[..., Any]:
    @inner
    def steps(row: Bytes, above: Bytes, step: int, out: Bytes) -> None:
        for n in range(step):
            out[n] = row[n] + foretell(np.int32(0), np.int32(above[n]), np.int32(0))
        for n in range(step, row.shape[0]):
            out[n] = row[n] + foretell(np.int32(out[n - step]), np.int32(above[n]), np.int32(above[n - step]))

    return steps


@inner
def _without_sides(kind: np.uint8, row: Bytes, above: Bytes, out: Bytes) -> bool:
    """Undo the filters that do not look to the left; false for all others."""
    if kind == _NONE:
        for n in range(row.shape[0]):
            out[n] = row[n]
    elif kind == _UP:
        for n in range(row.shape[0]):
            out[n] = row[n] + above[n]
    else:
        return False
    return True


_left_twos, _mean_twos, _paeth_twos = _in_twos(_left), _in_twos(_mean), _in_twos(_paeth)
_left_threes, _mean_threes, _paeth_threes = _in_threes(_left), _in_threes(_mean), _in_threes(_paeth)
_left_fours, _mean_fours, _paeth_fours = _in_fours(_left), _in_fours(_mean), _in_fours(_paeth)
_left_steps, _mean_steps, _paeth_steps = _in_steps(_left), _in_steps(_mean), _in_steps(_paeth)


@compiled
def _unfilter_twos(stored: Bytes, out: Bytes) -> bool:
    above = np.zeros(out.shape[1], np.uint8)
    for y in range(stored.shape[0]):
        kind, row, to = stored[y, 0], stored[y, 1:], out[y]
        if kind == _SUB:
            _left_twos(row, above, to)
        elif kind == _AVERAGE:
            _mean_twos(row, above, to)
        elif kind == _PAETH:
            _paeth_twos(row, above, to)
        elif not _without_sides(kind, row, above, to):
            return False
        above = to
    return True


@compiled
def _unfilter_threes(stored: Bytes, out: Bytes) -> bool:
    above = np.zeros(out.shape[1], np.uint8)
    for y in range(stored.shape[0]):
        kind, row, to = stored[y, 0], stored[y, 1:], out[y]
        if kind == _SUB:
            _left_threes(row, above, to)
        elif kind == _AVERAGE:
            _mean_threes(row, above, to)
        elif kind == _PAETH:
            _paeth_threes(row, above, to)
        elif not _without_sides(kind, row, above, to):
            return False
        above = to
    return True


@compiled
def _unfilter_fours(stored: Bytes, out: Bytes) -> bool:
    above = np.zeros(out.shape[1], np.uint8)
    for y in range(stored.shape[0]):
        kind, row, to = stored[y, 0], stored[y, 1:], out[y]
        if kind == _SUB:
            _left_fours(row, above, to)
        elif kind == _AVERAGE:
            _mean_fours(row, above, to)
        elif kind == _PAETH:
            _paeth_fours(row, above, to)
        elif not _without_sides(kind, row, above, to):
            return False
        above = to
    return True


@compiled
def _unfilter_steps(stored: Bytes, step: int, out: Bytes) -> bool:
    above = np.zeros(out.shape[1], np.uint8)
    for y in range(stored.shape[0]):
        kind, row, to = stored[y, 0], stored[y, 1:], out[y]
        if kind == _SUB:
            _left_steps(row, above, step, to)
        elif kind == _AVERAGE:
            _mean_steps(row, above, step, to)
        elif kind == _PAETH:
            _paeth_steps(row, above, step, to)
        elif not _without_sides(kind, row, above, to):
            return False
        above = to
    return True
