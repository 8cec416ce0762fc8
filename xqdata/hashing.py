"""Pixels to perceptual hashes. ImageHash defines them and stays the reference: on 8-bit pictures the bits are equal.

ImageHash turns a picture to 8-bit grey, which for a 16-bit scan clips nearly every value. Here deeper pictures are
scaled from their own range (or a declared window) and reduced in whole numbers of 16 bits and more, never through 8.

Source: ImageHash 4.3 `phash` (hash_size 8 or 16, highfreq_factor 4) and `dhash` (hash_size 8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from xqdata import kernels

Grey = NDArray[np.uint8] | NDArray[np.float32]
Whole = NDArray[np.uint8] | NDArray[np.uint16]
_HIGHFREQ_FACTOR = 4
_UNIT = 255 / 65535 * 2.0**-44  # of kernels.reduce_deep, in grey values


@dataclass(frozen=True)
class Hashes:
    """`phash` and `dhash` as 64-bit integers, the first bit the most significant; `phash256` as 32 bytes."""

    phash: int
    dhash: int
    phash256: bytes


def hashes(grey: Grey) -> Hashes:
    """The perceptual hashes of a grey picture (height, width): uint8, or float32 in 0 to 255.

    Raises ValueError for another dtype or shape.
    """
    if grey.ndim != 2 or grey.dtype not in (np.uint8, np.float32):
        raise ValueError(f"grey is {grey.dtype} of shape {grey.shape}, not (height, width) of uint8 or float32")
    whole = _whole(grey)
    return Hashes(
        phash=int.from_bytes(above_median(_frequencies(whole, 8)), "big"),
        dhash=int.from_bytes(_dhash(whole, 8), "big"),
        phash256=above_median(_frequencies(whole, 16)),
    )


def low_frequencies(grey: Grey, size: int = 8) -> NDArray[np.float64]:
    """The lowest `size` x `size` cosine frequencies that phash compares with their median: rows vertical, from 0."""
    return _frequencies(_whole(grey), size)


def above_median(frequencies: NDArray[np.float64]) -> bytes:
    """The hash that low frequencies make: a bit for each, row by row, the first the most significant."""
    return np.packbits(frequencies > _median(frequencies)).tobytes()


def _whole(grey: Grey) -> Whole:
    if grey.dtype == np.uint8:
        return np.ascontiguousarray(cast("NDArray[np.uint8]", grey))
    # The 16 bits that the picture's range is told in are at least as fine as any scanner's.
    return kernels.sixteen_bits(cast("NDArray[np.float32]", grey))


def _frequencies(whole: Whole, size: int) -> NDArray[np.float64]:
    side = size * _HIGHFREQ_FACTOR
    pixels = _resize(whole, side, side)
    if pixels.dtype == np.int64:
        pixels = pixels * _UNIT
    frequencies: NDArray[np.float64] = scipy.fft.dct(scipy.fft.dct(pixels, axis=0)[:size], axis=1)[:, :size]
    return frequencies


def _median(values: NDArray[np.float64]) -> np.float64:
    # np.median's arithmetic for an even number of values, without its other cases, which take ten times as long.
    ordered = np.sort(values, axis=None)
    median: np.float64 = (ordered[values.size // 2 - 1] + ordered[values.size // 2]) / 2
    return median


def _dhash(whole: Whole, size: int) -> bytes:
    pixels = _resize(whole, size + 1, size)
    return np.packbits(pixels[:, 1:] > pixels[:, :-1]).tobytes()


def _resize(whole: Whole, width: int, height: int) -> NDArray[Any]:
    """`whole` at another size: uint8 as Pillow reduces it, or int64 in units of 2^-44 of 16-bit values."""
    if whole.dtype == np.uint16:
        return kernels.reduce_deep(cast("NDArray[np.uint16]", whole), width, height)
    if kernels.AVAILABLE and max(whole.shape) <= kernels.MAX_SIDE:
        return kernels.reduce(cast("NDArray[np.uint8]", whole), width, height)
    return np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.LANCZOS))
