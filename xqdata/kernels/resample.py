"""The Lanczos reduction, of 8-bit pictures bit for bit what Pillow computes.

Pillow reduces in fixed point: coefficients of 22 bits, one axis after the other, each pass rounded to 8 bits. The same
integers are computed here several times faster, in a form that the compiler turns into vector instructions.

Source: Pillow 13, src/libImaging/Resample.c (`precompute_coeffs`, `normalize_coeffs_8bpc`).
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xqdata.kernels import pairs
from xqdata.kernels.compiled import AVAILABLE, compiled, compiled_in_any_order, inner
from xqdata.kernels.fixed import BITS, HALF, byte_of

_LOBES = 3.0
# Weights loaded once serve so many rows, and come in runs of so many, which fill whole registers.
_ROWS, _RUN = pairs.ROWS, pairs.RUN
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
    even = _even_coefficients(grey.shape[1], width)
    if even is None or grey.shape[0] < _ROWS:
        _across(grey, *_coefficients(grey.shape[1], width), out)
    elif pairs.usable():
        pairs.across(grey, even[0], _split_coefficients(grey.shape[1], width), out)
    else:
        _across_by_rows(grey, *even, out)
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
    even = _even_coefficients(columns, width)
    if even is None or rows < _ROWS:
        _across_deep(values, *_coefficients(columns, width), across)
    else:
        _across_deep_by_rows(values, even[0], even[1].astype(np.float64), across)
    out = np.zeros((height, width), np.int64)
    _down_deep(across, *_coefficients(rows, height), out)
    return out


def _dense(size: int, target: int) -> NDArray[np.int64]:
    first, count, weights = _coefficients(size, target)
    dense = np.zeros((target, size), np.int64)
    for row in range(target):
        dense[row, first[row] : first[row] + count[row]] = weights[row, : count[row]]
    return dense


@lru_cache(maxsize=256)
def _coefficients(size: int, target: int) -> Coefficients:
    """For each of `target` outputs: the first input pixel, how many are weighed, and their weights in 2^-22."""
    first = np.zeros(target, np.int32)
    count = np.zeros(target, np.int32)
    weights = np.zeros((target, math.ceil(_LOBES * max(size / target, 1.0)) * 2 + 1), np.int32)
    _weigh(size, first, count, weights)
    return first, count, weights


@inner
def _sinc(x: float) -> float:
    if x == 0.0:
        return 1.0
    x *= math.pi
    return math.sin(x) / x


# In Python it takes 5 ms, as long as all else that a cropped picture, whose size never recurs, is hashed by.
@compiled
def _weigh(size: int, first: NDArray[np.int32], count: NDArray[np.int32], weights: NDArray[np.int32]) -> None:
    scale = size / len(first)
    stretch = max(scale, 1.0)
    support = _LOBES * stretch
    raw = np.zeros(weights.shape[1])
    for out in range(len(first)):
        centre = (out + 0.5) * scale
        low = max(int(centre - support + 0.5), 0)
        many = min(int(centre + support + 0.5), size) - low
        total = 0.0
        for n in range(many):  # one after the other, as Pillow adds them
            x = (n + low - centre + 0.5) * (1.0 / stretch)
            raw[n] = _sinc(x) * _sinc(x / _LOBES) if -_LOBES <= x < _LOBES else 0.0
            total += raw[n]
        first[out], count[out] = low, many
        for n in range(many):
            weight = (raw[n] / total if total else raw[n]) * (1 << BITS)
            weights[out, n] = int(weight + (0.5 if weight >= 0 else -0.5))


@lru_cache(maxsize=256)
def _even_coefficients(size: int, target: int) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
    """For each of `target` outputs the first input pixel and its weights, as many for all; None in narrow pictures.

    Weights of 0 fill up what is missing. At the right edge they come first, so that no pixel beyond it is weighed.
    """
    first, count, weights = _coefficients(size, target)
    many = -(-int(count.max()) // _RUN) * _RUN
    if many > size:
        return None
    start = np.minimum(first, size - many)
    even = np.zeros((target, many), np.int32)
    for out, (shift, known) in enumerate(zip(first - start, count, strict=True)):
        even[out, shift : shift + known] = weights[out, :known]
    return start, even


@lru_cache(maxsize=256)
def _split_coefficients(size: int, target: int) -> NDArray[np.int16]:
    even = _even_coefficients(size, target)
    return pairs.split(even[1] if even else np.zeros((0, 0), np.int32))


@compiled
def _across(
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
            total = np.int32(HALF)
            for n in range(count[x]):
                total += np.int32(pixels[n]) * weight[n]
            out[y, x] = byte_of(total)


@compiled
def _across_by_rows(
    grey: NDArray[np.uint8], start: NDArray[np.int32], weights: NDArray[np.int32], out: NDArray[np.uint8]
) -> None:
    rows, many = grey.shape[0], weights.shape[1]
    for group in range(-(-rows // _ROWS)):
        y = min(_ROWS * group, rows - _ROWS)  # the last group may repeat rows of the one before
        for x in range(start.shape[0]):
            left = start[x]
            row0, row1 = grey[y, left : left + many], grey[y + 1, left : left + many]
            row2, row3 = grey[y + 2, left : left + many], grey[y + 3, left : left + many]
            weight = weights[x]
            total0 = total1 = total2 = total3 = np.int32(HALF)
            for n in range(many):
                # Without the outer np.int32 the sums would take 64 bits each, half as many to a register.
                total0 = np.int32(total0 + np.int32(row0[n]) * weight[n])
                total1 = np.int32(total1 + np.int32(row1[n]) * weight[n])
                total2 = np.int32(total2 + np.int32(row2[n]) * weight[n])
                total3 = np.int32(total3 + np.int32(row3[n]) * weight[n])
            out[y, x] = byte_of(total0)
            out[y + 1, x] = byte_of(total1)
            out[y + 2, x] = byte_of(total2)
            out[y + 3, x] = byte_of(total3)


@compiled
def _down(
    rows: NDArray[np.uint8],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weights: NDArray[np.int32],
    out: NDArray[np.uint8],
) -> None:
    width = rows.shape[1]
    totals = np.empty(width, np.int32)
    for y in range(first.shape[0]):
        totals[:] = HALF
        for n in range(count[y]):
            row = rows[first[y] + n]
            weight = weights[y, n]
            for x in range(width):
                totals[x] += np.int32(row[x]) * weight
        for x in range(width):
            out[y, x] = byte_of(totals[x])


@compiled
def _across_deep(
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


@compiled_in_any_order  # whole numbers below 2^53
def _across_deep_by_rows(
    values: NDArray[np.uint16], start: NDArray[np.int32], weights: NDArray[np.float64], out: NDArray[np.int64]
) -> None:
    rows, many = values.shape[0], weights.shape[1]
    lines = np.empty((_ROWS, values.shape[1]))
    for group in range(-(-rows // _ROWS)):
        y = min(_ROWS * group, rows - _ROWS)
        for row in range(_ROWS):
            for n in range(values.shape[1]):
                lines[row, n] = values[y + row, n]
        for x in range(start.shape[0]):
            left = start[x]
            row0, row1 = lines[0, left : left + many], lines[1, left : left + many]
            row2, row3 = lines[2, left : left + many], lines[3, left : left + many]
            weight = weights[x]
            total0 = total1 = total2 = total3 = 0.0
            for n in range(many):
                total0 += row0[n] * weight[n]
                total1 += row1[n] * weight[n]
                total2 += row2[n] * weight[n]
                total3 += row3[n] * weight[n]
            out[y, x] = total0
            out[y + 1, x] = total1
            out[y + 2, x] = total2
            out[y + 3, x] = total3


@compiled
def _down_deep(
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
