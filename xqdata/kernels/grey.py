"""Pixels to grey, of 8-bit pictures bit for bit what Pillow computes.

Source: Pillow 13, src/libImaging/Convert.c (`L24`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import AVAILABLE, compiled

_RED, _GREEN, _BLUE, _HALF = (np.uint32(n) for n in (19595, 38470, 7471, 0x8000))  # in 2^-16
_BITS = np.uint32(16)


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pillow's grey of an RGB or RGBA picture: (height, width, 3 or 4) to (height, width)."""
    out = np.empty(pixels.shape[:2], np.uint8)
    loop = _grey_of_threes if pixels.shape[2] == 3 else _grey_of_fours
    loop(pixels.reshape(-1), out.reshape(-1))
    return out


def scaled(values: NDArray[np.uint16], low: float, high: float) -> NDArray[np.float32]:
    """16-bit values as float32 from 0 to 255, which stand for `low` and `high`; what lies beyond is clipped."""
    factor = 255.0 / (high - low)
    if not AVAILABLE:
        out = np.subtract(values, low, dtype=np.float32)
        out *= factor
        return np.clip(out, 0.0, 255.0, out=out)
    out = np.empty(values.shape, np.float32)
    _scaled(values.reshape(-1), np.float32(low), np.float32(factor), out.reshape(-1))
    return out


def sixteen_bits(grey: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Grey values of 0 to 255 as whole numbers of 0 to 65535, each the nearest, of two the even one."""
    if not AVAILABLE:
        whole: NDArray[np.uint16] = np.rint(grey * np.float32(257)).astype(np.uint16)
        return whole
    out = np.empty(grey.shape, np.uint16)
    _sixteen_bits(grey.reshape(-1), out.reshape(-1))
    return out


# One loop over all bytes, its step written as a number, is what the vectoriser turns into loads of whole registers:
# four times faster than row by row.
@compiled
def _grey_of_threes(values: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    for n in range(out.shape[0]):
        red, green, blue = np.uint32(values[3 * n]), np.uint32(values[3 * n + 1]), np.uint32(values[3 * n + 2])
        out[n] = (red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> _BITS


@compiled
def _grey_of_fours(values: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    for n in range(out.shape[0]):
        red, green, blue = np.uint32(values[4 * n]), np.uint32(values[4 * n + 1]), np.uint32(values[4 * n + 2])
        out[n] = (red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> _BITS


@compiled
def _scaled(values: NDArray[np.uint16], low: np.float32, factor: np.float32, out: NDArray[np.float32]) -> None:
    for n in range(out.shape[0]):
        value = (np.float32(values[n]) - low) * factor
        out[n] = min(max(value, np.float32(0.0)), np.float32(255.0))


@compiled
def _sixteen_bits(grey: NDArray[np.float32], out: NDArray[np.uint16]) -> None:
    for n in range(out.shape[0]):
        out[n] = np.uint16(np.rint(grey[n] * np.float32(257)))
