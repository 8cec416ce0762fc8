"""Cheap filters that candidate pairs stream through before any picture is opened."""
# ruff: noqa: C901, PLR0912, PLR0915 -- compiled loops are not cut into calls

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xqdata.dedup.register import turned
from xqdata.features import SIDE
from xqdata.schema import ORIENTATIONS

# How far a trimmed copy may lie off: pixels of a thumbnail, and stretch.
_SHIFT, _STRETCH, _STEPS = 2.5, 0.06, 4


def correlations(
    thumbs: NDArray[np.uint8], a: NDArray[np.int64], b: NDArray[np.int64], orientation: NDArray[np.int8]
) -> NDArray[np.float32]:
    """Normalised cross-correlation of thumbnails a with b turned as `orientation` (an index of ORIENTATIONS) says.

    `thumbs`: (n, SIDE, SIDE) uint8; `a`, `b`, `orientation`: (pairs,). Returns (pairs,) float32, -1 to 1; 0 where
    either thumbnail is of one value.
    """
    flat = thumbs.reshape(len(thumbs), SIDE * SIDE)
    mean, spread = np.empty(len(flat)), np.empty(len(flat))
    _moments(flat, mean, spread)
    out = np.empty(len(a), np.float32)
    _correlate(flat, mean, spread, a, b, orientation, _places(), out)
    return out


def aligned(
    thumbs: NDArray[np.uint8], a: NDArray[np.int64], b: NDArray[np.int64], orientation: NDArray[np.int8]
) -> NDArray[np.float32]:
    """The same correlations after the turned b was shifted and stretched a little to lie on a.

    What was trimmed by a few percent lies a pixel off, which costs small things most of their correlation.
    """
    out = np.empty(len(a), np.float32)
    _align(thumbs, a, b, orientation, _places(), out)
    return out


def _places() -> NDArray[np.int64]:
    """For each orientation and pixel, from which pixel of the picture before it comes: (8, SIDE * SIDE)."""
    whole = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    return np.stack([turned(whole, orientation).ravel() for orientation in ORIENTATIONS])


@njit(cache=True, nogil=True)
def _moments(flat, mean, spread):  # type: ignore[no-untyped-def]
    size = flat.shape[1]
    for row in range(flat.shape[0]):
        total = squares = np.int64(0)
        for i in range(size):
            value = np.int64(flat[row, i])
            total += value
            squares += value * value
        mean[row] = total / size
        spread[row] = np.sqrt(max(squares / size - mean[row] * mean[row], 0.0))


@njit(cache=True, nogil=True)
def _correlate(flat, mean, spread, a, b, orientation, places, out):  # type: ignore[no-untyped-def]
    size = flat.shape[1]
    for pair in range(a.size):
        one, other = flat[a[pair]], flat[b[pair]]
        both = spread[a[pair]] * spread[b[pair]]
        if both <= 0.0:
            out[pair] = 0.0
            continue
        total = np.int64(0)
        if orientation[pair] == 0:
            for i in range(size):
                total += np.int64(np.int32(one[i]) * np.int32(other[i]))
        else:
            place = places[orientation[pair]]
            for i in range(size):
                total += np.int64(np.int32(one[i]) * np.int32(other[place[i]]))
        out[pair] = (total / size - mean[a[pair]] * mean[b[pair]]) / both


@njit(cache=True, nogil=True, fastmath=True)
def _align(thumbs, a, b, orientation, places, out):  # type: ignore[no-untyped-def]
    side = thumbs.shape[1]
    middle = 0.5 * (side - 1)
    other = np.empty((side, side), np.float32)
    for pair in range(a.size):
        one, turned = thumbs[a[pair]], thumbs[b[pair]].ravel()
        place = places[orientation[pair]]
        for i in range(side * side):
            other[i // side, i % side] = turned[place[i]]
        # Columns x and rows y of `other` for each pixel: shift and stretch about the middle.
        shift_x, shift_y, stretch_x, stretch_y = 0.0, 0.0, 1.0, 1.0
        best = -1.0
        for step in range(_STEPS + 1):
            # A quarter of the pixels shows where to go; all of them tell how well it fits at the start and at the end.
            stride = 2 if 0 < step < _STEPS else 1
            normal = np.zeros((4, 4))
            target = np.zeros(4)
            n = s1 = s2 = s11 = s22 = s12 = 0.0
            for row in range(0, side, stride):
                y = middle + shift_y + stretch_y * (row - middle)
                y0 = int(np.floor(y))
                if y0 < 0 or y0 >= side - 1:
                    continue
                fy = y - y0
                for column in range(0, side, stride):
                    x = middle + shift_x + stretch_x * (column - middle)
                    x0 = int(np.floor(x))
                    if x0 < 0 or x0 >= side - 1:
                        continue
                    fx = x - x0
                    v00, v01 = other[y0, x0], other[y0, x0 + 1]
                    v10, v11 = other[y0 + 1, x0], other[y0 + 1, x0 + 1]
                    upper, lower = v00 + (v01 - v00) * fx, v10 + (v11 - v10) * fx
                    value = upper + (lower - upper) * fy
                    wanted = float(one[row, column])
                    n += 1.0
                    s1 += wanted
                    s2 += value
                    s11 += wanted * wanted
                    s22 += value * value
                    s12 += wanted * value
                    gx = (v01 - v00) * (1 - fy) + (v11 - v10) * fy
                    gy = lower - upper
                    if gx != 0.0 or gy != 0.0:
                        slope = (gx, gy, gx * (column - middle), gy * (row - middle))
                        for i in range(4):
                            target[i] += slope[i] * (wanted - value)
                            for j in range(4):
                                normal[i, j] += slope[i] * slope[j]
            spread = (s11 - s1 * s1 / n) * (s22 - s2 * s2 / n) if n * stride * stride > 0.5 * side * side else 0.0
            if spread <= 0.0:
                break
            if stride == 1:
                best = max(best, (s12 - s1 * s2 / n) / np.sqrt(spread))
            if step == _STEPS:
                break
            for i in range(4):
                normal[i, i] += 1e-3 * normal[i, i] + 1e-3
            move = np.linalg.solve(normal, target)
            shift_x, shift_y = _within(shift_x + move[0], _SHIFT), _within(shift_y + move[1], _SHIFT)
            stretch_x = 1.0 + _within(stretch_x + move[2] - 1.0, _STRETCH)
            stretch_y = 1.0 + _within(stretch_y + move[3] - 1.0, _STRETCH)
        out[pair] = best


@njit(cache=True, nogil=True)
def _within(value, bound):  # type: ignore[no-untyped-def]
    return min(max(value, -bound), bound)
