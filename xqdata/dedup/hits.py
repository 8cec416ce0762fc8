"""What the loops of the join take and give: a side of hashes, a key over some of their bits, and the pairs they hit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Hashes are compared in blocks of this many, which may reach beyond the last one: so many values lie behind it unused.
PADDING = 64
# A key is taken from at most this many blocks of bits.
MAX_PARTS = 4
# Orientations 0 to 3 are quarter turns, 4 to 7 a mirroring followed by quarter turns, which undoes itself.
INVERSE = np.array([0, 3, 2, 1, 4, 5, 6, 7], np.uint8)


class Side(NamedTuple):
    """Hashes to be joined: `values` (n + PADDING,) uint64 and the row of each, (n,) uint32."""

    values: NDArray[np.uint64]
    rows: NDArray[np.uint32]

    @classmethod
    def of(cls, values: NDArray[np.uint64]) -> Side:
        """The side of `values` (n,), their rows 0 to n - 1."""
        padded = np.zeros(len(values) + PADDING, np.uint64)
        padded[: len(values)] = values
        return cls(padded, np.arange(len(values), dtype=np.uint32))

    def part(self, low: int, high: int) -> Side:
        """Places `low` to `high`, as views."""
        return Side(self.values[low : high + PADDING], self.rows[low:high])


class Hits(NamedTuple):
    """Pairs of rows, (k,) uint32 each, and the bits in which their hashes differ, (k,) uint8."""

    first: NDArray[np.uint32]
    second: NDArray[np.uint32]
    distance: NDArray[np.uint8]


class Key(NamedTuple):
    """Some blocks of bits of a hash, pushed together into one number below 2**bits.

    The number is the sum over blocks of (hash >> shift) & mask.
    """

    bits: int
    shifts: tuple[int, ...]
    masks: tuple[int, ...]

    @classmethod
    def over(cls, blocks: tuple[tuple[int, int], ...]) -> Key:
        """The key over `blocks`, each its lowest bit and its width, from the lowest up."""
        bits, shifts, masks = 0, [], []
        for low, width in blocks:
            shifts.append(low - bits)
            masks.append(((1 << width) - 1) << bits)
            bits += width
        return cls(bits, tuple(shifts), tuple(masks))

    def of(self, values: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The key of each of `values`."""
        keys = np.zeros(len(values), np.uint64)
        for shift, mask in zip(self.shifts, self.masks, strict=True):
            keys |= (values >> np.uint64(shift)) & np.uint64(mask)
        return keys.astype(np.int64)

    def four_parts(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Shifts and masks, filled up with empty blocks to MAX_PARTS of each."""
        unused = (0,) * (MAX_PARTS - len(self.shifts))
        return np.array(self.shifts + unused, np.uint64), np.array(self.masks + unused, np.uint64)
