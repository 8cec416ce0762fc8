"""Patches of pixels that a picture shares with no other but its own crops: a scanner's noise never recurs.

Every patch of 8 x 8 pixels is hashed, and those with the smallest hashes are kept: all below a bound that gives about
256 for a picture of its size, so that a smaller picture keeps whatever a larger one would. What two windows of one scan
have in common they keep in common, however they were cut; two scans, even of one bag, share nothing. Only pixels that
are exactly equal are recognised: a window that was compressed with loss, resized or turned is not.

Source: the sampling of hash values is FracMinHash (Irber et al., Lightweight compositional analysis of metagenomes with
FracMinHash and minimum metagenome covers, 2022), here in two dimensions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

PATCH = 8
_KEPT = 256
_MOST = 16  # at most one patch in so many is kept: next to each other they say the same
_BASE_ROW, _BASE_COLUMN = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
_MIX = 0xFF51AFD7ED558CCD


class Shingles(NamedTuple):
    """The kept patches' hashes, (n,) uint64, ascending and each once in the picture, and their places, (n, 2) x, y."""

    hashes: NDArray[np.uint64]
    places: NDArray[np.int32]


def shingles(pixels: NDArray[Any]) -> Shingles:
    """The kept patches of a picture of whole numbers, (rows, columns) of an unsigned type.

    Patches that recur within the picture, such as empty air, are left out. Smaller pictures than a patch have none.
    Raises ValueError for another type or shape.
    """
    if pixels.ndim != 2 or pixels.dtype.kind != "u":
        raise ValueError(f"pixels are {pixels.dtype} of shape {pixels.shape}, not (rows, columns) of an unsigned type")
    if min(pixels.shape) < PATCH:
        return Shingles(np.zeros(0, np.uint64), np.zeros((0, 2), np.int32))
    one_in = max(_MOST, pixels.size // _KEPT)
    hashes, places = _kept(np.ascontiguousarray(pixels), np.uint64(2**64 // one_in), 64 + 4 * pixels.size // one_in)
    fresh, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    once = counts == 1
    return Shingles(fresh[once], places[first[once]])


def offset(a: Shingles, b: Shingles) -> tuple[int, int, int]:
    """By how many columns and rows b's origin lies from a's, and how many shared patches say so; (0, 0, 0) if none."""
    _, in_a, in_b = np.intersect1d(a.hashes, b.hashes, assume_unique=True, return_indices=True)
    if not in_a.size:
        return 0, 0, 0
    shifts, counts = np.unique(a.places[in_a] - b.places[in_b], axis=0, return_counts=True)
    best = int(np.argmax(counts))
    return int(shifts[best, 0]), int(shifts[best, 1]), int(counts[best])


class Overlap(NamedTuple):
    """What two pictures laid on one another share: `share` of the larger one's pixels, `equal` of those that tell.

    What shows each picture's most common value, air as a rule, tells nothing. `telling`: how many pixels do.
    """

    share: float
    equal: float
    telling: int


def overlap(a: NDArray[Any], b: NDArray[Any], dx: int, dy: int) -> Overlap:
    """Compare a with b, whose origin lies at column `dx` and row `dy` of a; both (rows, columns) of one type."""
    left, top = max(dx, 0), max(dy, 0)
    right, bottom = min(a.shape[1], dx + b.shape[1]), min(a.shape[0], dy + b.shape[0])
    if right <= left or bottom <= top or a.dtype != b.dtype:
        return Overlap(0.0, 0.0, 0)
    own, other = a[top:bottom, left:right], b[top - dy : bottom - dy, left - dx : right - dx]
    telling = (own != _commonest(own)) | (other != _commonest(other))
    count = int(telling.sum())
    equal = float((own == other)[telling].mean()) if count else 0.0
    return Overlap((right - left) * (bottom - top) / max(a.size, b.size), equal, count)


def _commonest(pixels: NDArray[Any]) -> int:
    return int(np.bincount(pixels.ravel()).argmax())


@njit(cache=True, nogil=True)
def _kept(values, limit, room):  # type: ignore[no-untyped-def]
    """Hash and place of up to `room` patches whose hash is below `limit`.

    The hashes roll along rows, then down columns. A flat picture keeps all its patches or none; else there is room.
    """
    rows, columns = values.shape
    wide = columns - PATCH + 1
    across = np.empty((rows, wide), np.uint64)
    base, other, mix = np.uint64(_BASE_ROW), np.uint64(_BASE_COLUMN), np.uint64(_MIX)
    top, other_top = np.uint64(1), np.uint64(1)
    for _ in range(PATCH - 1):
        top *= base
        other_top *= other
    for row in range(rows):
        rolled = np.uint64(0)
        for column in range(columns):
            if column >= PATCH:
                rolled -= top * (np.uint64(values[row, column - PATCH]) + np.uint64(1))
            rolled = rolled * base + np.uint64(values[row, column]) + np.uint64(1)
            if column >= PATCH - 1:
                across[row, column - PATCH + 1] = rolled
    hashes, places = np.empty(room, np.uint64), np.empty((room, 2), np.int32)
    found = 0
    down = np.zeros(wide, np.uint64)
    for row in range(rows):
        for column in range(wide):
            rolled = down[column]
            if row >= PATCH:
                rolled -= other_top * across[row - PATCH, column]
            rolled = rolled * other + across[row, column]
            down[column] = rolled
            mixed = (rolled ^ (rolled >> np.uint64(33))) * mix
            mixed ^= mixed >> np.uint64(29)
            if row >= PATCH - 1 and mixed < limit and found < room:
                hashes[found], places[found, 0], places[found, 1] = mixed, column, row - PATCH + 1
                found += 1
    return hashes[:found], places[:found]
