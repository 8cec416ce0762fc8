"""Pixels to perceptual hashes. ImageHash defines them and stays the reference: on 8-bit pictures the bits are equal.

ImageHash turns a picture to 8-bit grey, which for a 16-bit scan clips nearly every value. Here deeper pictures are
scaled from their own range (or a declared window) and reduced in whole numbers of 16 bits and more, never through 8.

Source: ImageHash 4.3 `phash` (hash_size 8 or 16, highfreq_factor 4) and `dhash` (hash_size 8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from xqdata import kernels

Grey = NDArray[np.uint8] | NDArray[np.float32]
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
    return Hashes(
        phash=int.from_bytes(_phash(grey, 8), "big"),
        dhash=int.from_bytes(_dhash(grey, 8), "big"),
        phash256=_phash(grey, 16),
    )


def _phash(grey: Grey, size: int) -> bytes:
    side = size * _HIGHFREQ_FACTOR
    pixels = _resize(grey, side, side)
    if pixels.dtype == np.int64:
        pixels = pixels * _UNIT
    frequencies = scipy.fft.dct(scipy.fft.dct(pixels, axis=0), axis=1)[:size, :size]
    return np.packbits(frequencies > np.median(frequencies)).tobytes()


def _dhash(grey: Grey, size: int) -> bytes:
    pixels = _resize(grey, size + 1, size)
    return np.packbits(pixels[:, 1:] > pixels[:, :-1]).tobytes()


def _resize(grey: Grey, width: int, height: int) -> Grey | NDArray[np.int64]:
    if grey.dtype != np.uint8:
        # The 16 bits that the picture's range is told in are at least as fine as any scanner's.
        return kernels.reduce_deep(np.rint(grey * np.float32(257)).astype(np.uint16), width, height)
    if kernels.AVAILABLE and max(grey.shape) <= kernels.MAX_SIDE:
        return kernels.reduce(np.ascontiguousarray(grey), width, height)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.LANCZOS))
