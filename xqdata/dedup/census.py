"""How many pairs a join would find at each radius, before it is run: from evenly spaced hashes, compared with all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import loops
from xqdata.dedup.distinct import distinct
from xqdata.dedup.join import CROWD, check_hashes

# Two hashes compared: about a second's work on one core, and the least rows that a sample is worth anything with.
_COMPARISONS = 4 << 30
_LEAST = 256


@dataclass(frozen=True)
class Census:
    """`pairs`: (radius + 1,) float64, how many pairs differ in at most 0, 1, ... bits, as the join counts them.

    `sampled` of `rows` were compared with all others; the counts are exact where these are equal, else estimates.
    """

    pairs: NDArray[np.float64]
    sampled: int
    rows: int

    @property
    def exact(self) -> bool:
        """Whether every row was counted."""
        return self.sampled == self.rows

    def radius_within(self, budget: float) -> int | None:
        """The largest radius with at most `budget` pairs, or None if even equal hashes are more."""
        fitting = np.flatnonzero(self.pairs <= budget)
        return int(fitting[-1]) if len(fitting) else None


def census(hashes: NDArray[np.uint64], radius: int, *, crowd: int = CROWD, comparisons: int = _COMPARISONS) -> Census:
    """Count the pairs that `pairs_within` (`hashes` (n,)) or `oriented_pairs` (`hashes` (n, 8)) would find.

    `comparisons`: of two hashes, about as many as may be spent. Where all rows can be compared, the counts are exact.
    The sample is taken at even distances from the sorted hashes, so the same hashes in any order give the same counts.

    Raises ValueError as `pairs_within` does.
    """
    check_hashes(hashes, hashes.ndim, radius)
    found = distinct(hashes if hashes.ndim == 2 else hashes[:, None], crowd)
    weights = found.members.sizes()
    rows = int(weights.sum())
    # A turned pair is compared from both ends.
    for_each = len(weights) * (1 if hashes.ndim == 1 else 2 * hashes.shape[1])
    sampled = min(rows, max(_LEAST, comparisons // max(for_each, 1)))
    # Rows, not values: a value that many rows share weighs as many times.
    places = (2 * np.arange(sampled) + 1) * rows // (2 * sampled) if sampled else np.zeros(0, np.int64)
    picks = np.searchsorted(found.members.starts, places, side="right") - 1
    near = loops.census(found.values, weights, picks, radius).astype(np.float64)
    near *= rows / sampled / 2 if sampled else 0.0
    near[0] += float((weights * (weights - 1)).sum()) / 2
    return Census(np.cumsum(near), sampled, rows)
