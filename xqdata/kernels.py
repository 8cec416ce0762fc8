"""Compiled loops, bit for bit what Pillow computes: the Lanczos reduction and the grey conversion of 8-bit pictures.

Pillow reduces in fixed point: coefficients of 22 bits, one axis after the other, each pass rounded to 8 bits. The same
integers are computed here several times faster, in a form that the compiler turns into vector instructions. Where numba
is not installed, `AVAILABLE` is false and callers use Pillow.

Source: Pillow 13, src/libImaging/Resample.c (`precompute_coeffs`, `normalize_coeffs_8bpc`) and Convert.c (`L24`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

try:
    from numba import njit

    AVAILABLE = True
except ImportError:  # an exotic platform or a Python newer than numba: slower, with the same bits
    AVAILABLE = False

_BITS = 22  # Pillow's PRECISION_BITS for 8-bit channels: 32 - 8 - 2
_HALF = 1 << (_BITS - 1)
_LOBES = 3.0
# Beyond this width a row's sum could leave 32 bits, as it could in Pillow; callers then leave the work to Pillow.
MAX_SIDE = 1 << 16

Coefficients = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]


def reduce(grey: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """`Image.resize((width, height), LANCZOS)` of a grey picture, equal in every pixel; (height, width) uint8.

    `grey`: (rows, columns) uint8, C-contiguous, at most MAX_SIDE on a side.
    """
    rows, columns = grey.shape
    if _tall(rows - height, columns - width) and _tall_goes_down_first():
        return _reduce_across(_reduce_down(grey, height), width)
    return _reduce_down(_reduce_across(grey, width), height)


def _reduce_across(grey: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    if width == grey.shape[1]:
        return grey
    out = np.empty((grey.shape[0], width), np.uint8)
    _across(grey, *_coefficients(grey.shape[1], width), out)
    return out


def _reduce_down(grey: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    if height == grey.shape[0]:
        return grey
    out = np.empty((height, grey.shape[1]), np.uint8)
    _down(grey, *_coefficients(grey.shape[0], height), out)
    return out


def _tall(fewer_rows: int, fewer_columns: int) -> bool:
    return fewer_rows > 0 and fewer_rows > 2 * fewer_columns


@cache
def _tall_goes_down_first() -> bool:
    """Whether the Pillow that is installed reduces the height of tall pictures first, as newer ones do.

    Each pass rounds, so the order shows in the pixels; asking Pillow itself holds for every version.
    """
    tall = (np.arange(200 * 3) * 73 % 256).astype(np.uint8).reshape(200, 3)
    pillow = np.asarray(Image.fromarray(tall).resize((2, 9), Image.Resampling.LANCZOS))
    return np.array_equal(pillow, _reduce_across(_reduce_down(tall, 9), 2))


def reduce_deep(values: NDArray[np.uint16], width: int, height: int) -> NDArray[np.int64]:
    """The same reduction of 16-bit values without any rounding: (height, width) int64, in units of 2^-44.

    Pillow reduces such pictures in floating point, whose last bits depend on the order of summing; whole numbers do
    not. `values`: (rows, columns) uint16, C-contiguous, at most MAX_SIDE on a side.
    """
    rows, columns = values.shape
    if not AVAILABLE:
        return _dense(rows, height) @ (values.astype(np.int64) @ _dense(columns, width).T)
    across = np.empty((rows, width), np.int64)
    _across_deep(values, *_coefficients(columns, width), across)
    out = np.zeros((height, width), np.int64)
    _down_deep(across, *_coefficients(rows, height), out)
    return out


def _dense(size: int, target: int) -> NDArray[np.int64]:
    first, count, weights = _coefficients(size, target)
    dense = np.zeros((target, size), np.int64)
    for row in range(target):
        dense[row, first[row] : first[row] + count[row]] = weights[row, : count[row]]
    return dense


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pillow's grey of an RGB or RGBA picture: (height, width, 3 or 4) to (height, width)."""
    out = np.empty(pixels.shape[:2], np.uint8)
    _grey(pixels, out)
    return out


@lru_cache(maxsize=256)
def _coefficients(size: int, target: int) -> Coefficients:
    """For each of `target` outputs: the first input pixel, how many are weighed, and their weights in 2^-22."""
    scale = size / target
    stretch = max(scale, 1.0)
    support = _LOBES * stretch
    first = np.zeros(target, np.int32)
    count = np.zeros(target, np.int32)
    weights = np.zeros((target, math.ceil(support) * 2 + 1), np.int32)
    for out in range(target):
        centre = (out + 0.5) * scale
        low = max(int(centre - support + 0.5), 0)
        many = min(int(centre + support + 0.5), size) - low
        raw = [_lanczos((n + low - centre + 0.5) * (1.0 / stretch)) for n in range(many)]
        total = 0.0
        for weight in raw:  # not sum(): since Python 3.12 it compensates rounding, which Pillow does not
            total += weight
        normal = [weight / total for weight in raw] if total else raw
        first[out], count[out] = low, many
        weights[out, :many] = [int(w * (1 << _BITS) + (0.5 if w >= 0 else -0.5)) for w in normal]
    return first, count, weights


def _lanczos(x: float) -> float:
    return _sinc(x) * _sinc(x / _LOBES) if -_LOBES <= x < _LOBES else 0.0


def _sinc(x: float) -> float:
    if x == 0.0:
        return 1.0
    x *= math.pi
    return math.sin(x) / x


def _across_loop(
    grey: NDArray[np.uint8],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> None:
    for y in range(grey.shape[0]):
        row = grey[y]
        for x in range(first.shape[0]):
            # Slices of equal length with a plain index are what the vectoriser recognises: six times faster than
            # the same sum with row[first[x] + n].
            pixels = row[first[x] : first[x] + count[x]]
            weight = weights[x, : count[x]]
            total = np.int32(_HALF)
            for n in range(count[x]):
                total += np.int32(pixels[n]) * weight[n]
            value = total >> np.int32(_BITS)
            out[y, x] = 0 if value < 0 else (255 if value > 255 else value)


def _down_loop(
    rows: NDArray[np.uint8],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> None:
    width = rows.shape[1]
    totals = np.empty(width, np.int32)
    for y in range(first.shape[0]):
        totals[:] = _HALF
        for n in range(count[y]):
            row = rows[first[y] + n]
            weight = weights[y, n]
            for x in range(width):
                totals[x] += np.int32(row[x]) * weight
        for x in range(width):
            value = totals[x] >> np.int32(_BITS)
            out[y, x] = 0 if value < 0 else (255 if value > 255 else value)


def _across_deep_loop(
    values: NDArray[np.uint16],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.int64],
) -> None:
    for y in range(values.shape[0]):
        row = values[y]
        for x in range(first.shape[0]):
            pixels = row[first[x] : first[x] + count[x]]
            weight = weights[x, : count[x]]
            total = np.int64(0)
            for n in range(count[x]):
                total += np.int64(pixels[n]) * np.int64(weight[n])
            out[y, x] = total


def _down_deep_loop(
    rows: NDArray[np.int64],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.int64],
) -> None:
    for y in range(first.shape[0]):
        for n in range(count[y]):
            row = rows[first[y] + n]
            weight = np.int64(weights[y, n])
            for x in range(rows.shape[1]):
                out[y, x] += row[x] * weight


def _grey_loop(pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    for y in range(pixels.shape[0]):
        row = pixels[y]
        for x in range(row.shape[0]):
            total = np.int32(row[x, 0]) * 19595 + np.int32(row[x, 1]) * 38470 + np.int32(row[x, 2]) * 7471
            out[y, x] = np.uint8((total + 0x8000) >> 16)


def _compiled(function: Callable[..., None]) -> Callable[..., Any]:
    if not AVAILABLE:
        return function
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder can be written to keep the machine code: compile in every process
        return njit(nogil=True)(function)


_across = _compiled(_across_loop)
_down = _compiled(_down_loop)
_across_deep = _compiled(_across_deep_loop)
_down_deep = _compiled(_down_deep_loop)
_grey = _compiled(_grey_loop)
