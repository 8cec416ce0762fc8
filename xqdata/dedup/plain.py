"""The inner loops of the join in NumPy: the functions of `compiled`, with the same answers, several times slower."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup.hits import INVERSE, PADDING, Hits, Key, Side

Rows = NDArray[np.int64]

# Rows of temporary arrays: few enough to stay in the processor's caches.
_ROWS = 1 << 16


def sort_by_key(side: Side, key: Key) -> tuple[Side, NDArray[np.int64]]:
    """`side` ordered by its keys, and where each key's bucket begins: (2**key.bits + 1,) int64."""
    plain = side.values[: len(side.rows)]
    keys = key.of(plain)
    order = np.argsort(keys, kind="stable")
    values = np.zeros(len(plain) + PADDING, np.uint64)
    values[: len(plain)] = plain[order]
    return Side(values, side.rows[order]), np.searchsorted(keys[order], np.arange((1 << key.bits) + 1))


def hits(
    a: Side, b: Side, spans: NDArray[np.int64], radius: int, excluded: NDArray[np.uint64], limit: int
) -> Iterator[Hits]:
    """The pairs within `radius` inside `spans`, at most `limit` at a time.

    `spans`: (k, 4) int64, from and to in `a`, from and to in `b`. Where `a` is `b`, each pair is met once, the lower
    place first. `excluded`: masks of blocks; a pair that agrees in one of them is left out.
    """
    step = max(1, min(_ROWS, limit))
    sizes = spans[:, 1] - spans[:, 0]
    ends = np.cumsum(sizes)
    for begin in range(0, int(ends[-1]) if len(ends) else 0, step):
        numbers = np.arange(begin, min(begin + step, ends[-1]))
        span = np.searchsorted(ends, numbers, side="right")
        i = numbers - ends[span] + spans[span, 1]
        j, stop = spans[span, 2], spans[span, 3]
        yield from _walk(a, b, i, np.maximum(j, i + 1) if a is b else j, stop, radius, excluded)


def _walk(
    a: Side,
    b: Side,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    stop: NDArray[np.int64],
    radius: int,
    excluded: NDArray[np.uint64],
) -> Iterator[Hits]:
    """Compare all places `i` with their first partner `j`, then all with their second, until they reach `stop`."""
    while True:
        left = j < stop
        i, j, stop = i[left], j[left], stop[left]
        if not len(i):
            return
        differing = a.values[i] ^ b.values[j]
        bits = np.bitwise_count(differing)
        near = bits <= radius
        for mask in excluded:
            near &= (differing & mask) != 0
        if near.any():
            yield Hits(a.rows[i[near]], b.rows[j[near]], bits[near])
        j = j + 1


def across(
    rows_a: Rows, starts_a: Rows, a: Rows, rows_b: Rows, starts_b: Rows, b: Rows, total: int
) -> tuple[Rows, Rows, Rows]:
    """Each row of bucket `a[k]` with each row of bucket `b[k]`, and k: `total` of each.

    Bucket n holds rows[starts[n]:starts[n + 1]].
    """
    sizes_a, sizes_b = starts_a[a + 1] - starts_a[a], starts_b[b + 1] - starts_b[b]
    sizes = sizes_a * sizes_b
    number = np.repeat(np.arange(len(a)), sizes)
    within = np.arange(total) - (np.cumsum(sizes) - sizes)[number]
    i, j = np.divmod(within, sizes_b[number])
    return rows_a[starts_a[a[number]] + i], rows_b[starts_b[b[number]] + j], number


def census(
    columns: NDArray[np.uint64], weights: NDArray[np.int64], picks: NDArray[np.int64], radius: int
) -> NDArray[np.int64]:
    """How much weight lies at each distance 0 to `radius` of the rows `picks`, themselves left out: (radius + 1,).

    `columns`: (n, 1) or (n, 8) uint64; of eight orientations the nearest counts.
    """
    counts = np.zeros(radius + 1, np.int64)
    for pick in picks:
        near = np.bitwise_count(columns ^ columns[pick, 0]).min(axis=1)
        if columns.shape[1] > 1:
            near = np.minimum(near, np.bitwise_count(columns[:, :1] ^ columns[pick]).min(axis=1))
        near[pick] = 255
        found = near <= radius
        counts += np.bincount(near[found], weights[found], radius + 1).astype(np.int64)
    return counts


def turns(
    turned: NDArray[np.uint64], a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """The best orientation of each row of `b` onto its row of `a`, the distance, and whether it is `b` that was turned.

    `turned`: (n, 8) uint64. A turned `a` against a plain `b` counts as the inverse orientation.
    """
    forth = np.bitwise_count(turned[a, :1] ^ turned[b])
    back = np.bitwise_count(turned[b, :1] ^ turned[a][:, INVERSE])
    best = np.minimum(forth, back)
    orientation = best.argmin(axis=1)
    at = np.arange(len(a)), orientation
    return orientation.astype(np.uint8), best[at], forth[at] <= back[at]


def distances(words: NDArray[np.uint64], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The number of bits in which rows `a` and rows `b` of `words` (n, k) differ."""
    out = np.empty(len(a), np.uint16)
    for low in range(0, len(a), _ROWS):
        part = slice(low, low + _ROWS)
        out[part] = np.bitwise_count(words[a[part]] ^ words[b[part]]).sum(axis=1, dtype=np.uint16)
    return out
