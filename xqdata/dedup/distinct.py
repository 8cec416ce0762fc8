"""Equal hashes taken together: each value once, with its rows; and back from pairs of values to pairs of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import loops

Rows = NDArray[np.int64]


class Members(NamedTuple):
    """The rows that have each value: those of value n are rows[starts[n]:starts[n + 1]], ascending."""

    rows: Rows
    starts: NDArray[np.int64]

    def sizes(self) -> NDArray[np.int64]:
        """The number of rows of each value."""
        return np.diff(self.starts)

    def sizes_of(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same of some values, by their numbers."""
        return self.starts[values + 1] - self.starts[values]


class Distinct(NamedTuple):
    """`values` (m, orientations) uint64 in ascending order, their rows, and the crowds: rows of one value, too many.

    A crowd is represented in `members` by its first row alone.
    """

    values: NDArray[np.uint64]
    members: Members
    crowds: list[Rows]


def distinct(hashes: NDArray[np.uint64], crowd: int) -> Distinct:
    """The distinct rows of `hashes` (n, orientations); a value of more than `crowd` rows is a crowd."""
    order = np.lexsort(hashes.T[::-1])
    ordered = hashes[order]
    fresh = np.ones(len(order), bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    starts = np.append(np.flatnonzero(fresh), len(order))
    crowded = np.flatnonzero(np.diff(starts) > crowd)
    crowds = [order[starts[n] : starts[n + 1]] for n in crowded]
    kept = np.ones(len(order), bool)
    for n in crowded:
        kept[starts[n] + 1 : starts[n + 1]] = False
    before = np.concatenate([[0], np.cumsum(kept)])
    return Distinct(ordered[fresh], Members(order[kept], before[starts]), crowds)


def pairs_inside(members: Members, limit: int) -> Iterator[tuple[Rows, Rows]]:
    """All pairs of rows that have one value, the lower row first, about `limit` at a time."""
    place = np.arange(len(members.rows))
    end = np.repeat(members.starts[1:], members.sizes())
    other = place + 1
    while True:
        left = other < end
        place, other, end = place[left], other[left], end[left]
        if not len(place):
            return
        for low in range(0, len(place), limit):
            part = slice(low, low + limit)
            yield members.rows[place[part]], members.rows[other[part]]
        other = other + 1


def pairs_across(
    members: Members, a: NDArray[np.int64], b: NDArray[np.int64], limit: int
) -> Iterator[tuple[Rows, Rows, NDArray[np.int64]]]:
    """Each row of value `a[k]` with each row of value `b[k]`, and k: about `limit` at a time, at most one k more."""
    if members.starts[-1] == len(members.starts) - 1:  # each value has one row
        yield members.rows[a], members.rows[b], np.arange(len(a))
        return
    ends = np.cumsum(members.sizes_of(a) * members.sizes_of(b))
    low = 0
    while low < len(a):
        done = ends[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(ends, done + limit, side="right")))
        first, second, number = loops.across(*members, a[low:high], *members, b[low:high], int(ends[high - 1] - done))
        yield first, second, number + low
        low = high
