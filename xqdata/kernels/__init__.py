"""Compiled loops over pixels, bit for bit what Pillow and OpenCV compute.

Where numba is not installed, `AVAILABLE` is false and callers use those libraries.
"""

from xqdata.kernels.compiled import AVAILABLE
from xqdata.kernels.edges import laplacian_sums
from xqdata.kernels.grey import grey_of, scaled, sixteen_bits
from xqdata.kernels.resample import MAX_SIDE, reduce, reduce_deep
from xqdata.kernels.unfilter import unfilter

__all__ = [
    "AVAILABLE",
    "MAX_SIDE",
    "grey_of",
    "laplacian_sums",
    "reduce",
    "reduce_deep",
    "scaled",
    "sixteen_bits",
    "unfilter",
]
