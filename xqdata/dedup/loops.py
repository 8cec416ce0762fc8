"""The inner loops of the join, compiled by numba."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from xqdata.dedup.hits import INVERSE, PADDING, Hits, Key, Side
from xqdata.kernels.compiled import compiled, inner

Rows = NDArray[np.int64]

# Loops of a fixed length are unrolled into vector instructions. Counting hits over a whole block and looking closer
# only where there is one is five times faster than asking of each hash in turn.
_BLOCK = PADDING


def sort_by_key(side: Side, key: Key) -> tuple[Side, NDArray[np.int64]]:
    """`side` ordered by its keys, and where each key's bucket begins: (2**key.bits + 1,) int64."""
    count = len(side.rows)
    values, rows = np.empty(count + PADDING, np.uint64), np.empty(count, np.uint32)
    starts = np.zeros((1 << key.bits) + 2, np.int64)
    _counting_sort(side.values, side.rows, *key.four_parts(), starts, values, rows)
    values[count:] = 0
    return Side(values, rows), starts[:-1]


def hits(
    a: Side, b: Side, spans: NDArray[np.int64], radius: int, excluded: NDArray[np.uint64], limit: int
) -> Iterator[Hits]:
    """The pairs within `radius` inside `spans`, at most `limit` at a time.

    `spans`: (k, 4) int64, from and to in `a`, from and to in `b`. Where `a` is `b`, each pair is met once, the lower
    place first. `excluded`: masks of blocks; a pair that agrees in one of them is left out.
    """
    limit = max(limit, _BLOCK)
    cursor = np.zeros(3, np.int64)
    spans = np.ascontiguousarray(spans)  # one machine code for all
    while cursor[0] < len(spans):
        out = Hits(np.empty(limit, np.uint32), np.empty(limit, np.uint32), np.empty(limit, np.uint8))
        filled = _scan(tuple(a), tuple(b), a is b, spans, np.uint64(radius), excluded, cursor, tuple(out))
        if filled:
            yield Hits(out.first[:filled].copy(), out.second[:filled].copy(), out.distance[:filled].copy())


def across(
    rows_a: Rows, starts_a: Rows, a: Rows, rows_b: Rows, starts_b: Rows, b: Rows, total: int
) -> tuple[Rows, Rows, Rows]:
    """Each row of bucket `a[k]` with each row of bucket `b[k]`, and k: `total` of each.

    Bucket n holds rows[starts[n]:starts[n + 1]].
    """
    out = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    _across((rows_a, starts_a, a), (rows_b, starts_b, b), out)
    return out


def census(
    columns: NDArray[np.uint64], weights: NDArray[np.int64], picks: NDArray[np.int64], radius: int
) -> NDArray[np.int64]:
    """How much weight lies at each distance 0 to `radius` of the rows `picks`, themselves left out: (radius + 1,).

    `columns`: (n, 1) or (n, 8) uint64; of eight orientations the nearest counts.
    """
    counts = np.zeros(radius + 1, np.int64)
    if columns.shape[1] > 1:
        _census_turned(columns, weights, picks, radius, counts)
        return counts
    values = np.zeros(len(columns) + PADDING, np.uint64)
    values[: len(columns)] = columns[:, 0]
    _census(values, weights, picks, np.uint64(radius), counts)
    return counts


def turns(
    turned: NDArray[np.uint64], a: NDArray[np.int64], b: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """The best orientation of each row of `b` onto its row of `a`, the distance, and whether it is `b` that was turned.

    `turned`: (n, 8) uint64. A turned `a` against a plain `b` counts as the inverse orientation.
    """
    out = np.empty(len(a), np.uint8), np.empty(len(a), np.uint8), np.empty(len(a), np.bool_)
    _turns(turned, a, b, INVERSE, *out)
    return out


def distances(words: NDArray[np.uint64], a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The number of bits in which rows `a` and rows `b` of `words` (n, k) differ."""
    out = np.empty(len(a), np.uint16)
    _distances(words, a, b, out)
    return out


def _generate_popcount(_: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


_popcount: Any = intrinsic(_generate_popcount)


@compiled
def _counting_sort(
    values: NDArray[np.uint64],
    rows: NDArray[np.uint32],
    shifts: NDArray[np.uint64],
    masks: NDArray[np.uint64],
    starts: NDArray[np.int64],
    sorted_values: NDArray[np.uint64],
    sorted_rows: NDArray[np.uint32],
) -> None:
    s0, s1, s2, s3 = shifts[0], shifts[1], shifts[2], shifts[3]
    m0, m1, m2, m3 = masks[0], masks[1], masks[2], masks[3]
    for i in range(rows.shape[0]):
        v = values[i]
        starts[(((v >> s0) & m0) | ((v >> s1) & m1) | ((v >> s2) & m2) | ((v >> s3) & m3)) + np.uint64(2)] += 1
    for k in range(2, starts.shape[0]):
        starts[k] += starts[k - 1]
    # starts[k + 1] walks through bucket k and ends where bucket k + 1 begins.
    for i in range(rows.shape[0]):
        v = values[i]
        k = (((v >> s0) & m0) | ((v >> s1) & m1) | ((v >> s2) & m2) | ((v >> s3) & m3)) + np.uint64(1)
        place = starts[k]
        starts[k] = place + 1
        sorted_values[place] = v
        sorted_rows[place] = rows[i]


@inner
def _near(others: NDArray[np.uint64], value: np.uint64, radius: np.uint64) -> int:
    """How many of a whole block are within the radius."""
    near = 0
    for n in range(_BLOCK):
        near += _popcount(others[n] ^ value) <= radius
    return near


@inner
def _which(others: NDArray[np.uint64], value: np.uint64, radius: np.uint64) -> np.uint64:
    """The same as a mask, the first of the block its lowest bit."""
    which = np.uint64(0)
    for n in range(_BLOCK):
        which |= np.uint64(_popcount(others[n] ^ value) <= radius) << np.uint64(n)
    return which


@inner
def _lowest(mask: np.uint64) -> int:
    return np.int64(_popcount((mask & (~mask + np.uint64(1))) - np.uint64(1)))  # type: ignore[return-value]


@inner
def _told_before(differing: np.uint64, excluded: NDArray[np.uint64]) -> bool:
    for mask in excluded:  # noqa: SIM110 - any() is not compiled
        if differing & mask == 0:
            return True
    return False


@compiled
def _scan(
    a: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    b: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    same: bool,
    spans: NDArray[np.int64],
    radius: np.uint64,
    excluded: NDArray[np.uint64],
    cursor: NDArray[np.int64],
    out: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8]],
) -> int:
    """Fill `out` from where `cursor` (span, place in a, place in b) stands, and move it."""
    (a_values, a_rows), (b_values, b_rows), (first, second, distance) = a, b, out
    filled = 0
    for span in range(cursor[0], spans.shape[0]):
        low, high, b_low, b_high = spans[span]
        for i in range(max(low, cursor[1]), high):
            value = a_values[i]
            begin = max(b_low, i + 1) if same else b_low
            for block in range(max(begin, cursor[2]), b_high, _BLOCK):
                # Beyond the bucket's end lie its neighbours or the padding: they may cost a closer look, no more.
                others = b_values[block : block + _BLOCK]
                if _near(others, value, radius) == 0:
                    continue
                if filled + _BLOCK > first.shape[0]:
                    cursor[0], cursor[1], cursor[2] = span, i, block
                    return filled
                which = _which(others, value, radius)
                while which:
                    j = block + _lowest(which)
                    which &= which - np.uint64(1)
                    if j < b_high and not _told_before(value ^ b_values[j], excluded):
                        first[filled], second[filled] = a_rows[i], b_rows[j]
                        distance[filled] = _popcount(value ^ b_values[j])
                        filled += 1
            cursor[2] = 0
        cursor[1] = 0
    cursor[0] = spans.shape[0]
    return filled


@compiled
def _across(one: tuple[Rows, Rows, Rows], other: tuple[Rows, Rows, Rows], out: tuple[Rows, Rows, Rows]) -> None:
    (rows_a, starts_a, a), (rows_b, starts_b, b), (first, second, number) = one, other, out
    filled = 0
    for k in range(a.shape[0]):
        for i in range(starts_a[a[k]], starts_a[a[k] + 1]):
            for j in range(starts_b[b[k]], starts_b[b[k] + 1]):
                first[filled], second[filled], number[filled] = rows_a[i], rows_b[j], k
                filled += 1


@compiled
def _census(
    values: NDArray[np.uint64],
    weights: NDArray[np.int64],
    picks: NDArray[np.int64],
    radius: np.uint64,
    counts: NDArray[np.int64],
) -> None:
    for pick in picks:
        value = values[pick]
        for block in range(0, weights.shape[0], _BLOCK):
            if _near(values[block : block + _BLOCK], value, radius) == 0:
                continue
            for j in range(block, min(block + _BLOCK, weights.shape[0])):
                bits = _popcount(values[j] ^ value)
                if bits <= radius and j != pick:
                    counts[bits] += weights[j]


@compiled
def _census_turned(
    columns: NDArray[np.uint64],
    weights: NDArray[np.int64],
    picks: NDArray[np.int64],
    radius: int,
    counts: NDArray[np.int64],
) -> None:
    for pick in picks:
        for j in range(columns.shape[0]):
            best: Any = np.uint64(64)
            for g in range(columns.shape[1]):
                best = min(best, _popcount(columns[pick, 0] ^ columns[j, g]))
                best = min(best, _popcount(columns[j, 0] ^ columns[pick, g]))
            if best <= radius and j != pick:
                counts[best] += weights[j]


@compiled
def _turns(
    turned: NDArray[np.uint64],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    inverse: NDArray[np.uint8],
    orientation: NDArray[np.uint8],
    distance: NDArray[np.uint8],
    b_turned: NDArray[np.bool_],
) -> None:
    for n in range(a.shape[0]):
        i, j = a[n], b[n]
        best: Any = np.uint64(255)
        for g in range(8):
            forth = _popcount(turned[i, 0] ^ turned[j, g])
            back = _popcount(turned[j, 0] ^ turned[i, inverse[g]])
            if min(forth, back) < best:
                best = min(forth, back)
                orientation[n], distance[n], b_turned[n] = g, best, forth <= back


@compiled
def _distances(words: NDArray[np.uint64], a: NDArray[np.int64], b: NDArray[np.int64], out: NDArray[np.uint16]) -> None:
    for n in range(a.shape[0]):
        bits: Any = np.uint64(0)
        for k in range(words.shape[1]):
            bits += _popcount(words[a[n], k] ^ words[b[n], k])
        out[n] = bits
