"""All pairs of hashes within a radius, exactly: the sorted pigeonhole join.

Two hashes that differ in at most `radius` bits disagree in at most `radius` of M disjoint blocks of bits, whichever
bits these are, so they agree in K = M - radius of them. For each choice of K blocks, a table: sort by those blocks,
compare what is equal in them. A pair that agrees in more blocks is met in several tables and told by the first alone,
which is seen from the pair itself: it agrees in no other block up to the last that the table chose.

How many blocks, and which bits they get, is chosen from a sample by what it would cost. Hashes of scans have bits that
hardly vary; dealt evenly, they do not pile up. A bucket that is still large is joined by the same means inside, where
the bits that all its hashes share play no part any more.

Source: the blocks of Manku, Jain and Das Sarma, Detecting near-duplicates for web crawling (2007).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import loops
from xqdata.dedup.hits import MAX_PARTS, Hits, Key, Side

_SAMPLE = 2048
_SAMPLE_TABLES = 6
# What one step costs, in nanoseconds on one core of a server of 2023: only their proportions matter.
_COMPARE, _HIT, _ROW, _SLOT = 0.18, 10.0, 25.0, 20.0
# Below this a plan costs more than it saves.
_PLAN = 2e7
# Hashes on a tile's side: both sides of 16 KiB.
_TILE = 2048
NONE = np.zeros(0, np.uint64)

T = TypeVar("T")
Table = tuple[int, ...]


class Plan(NamedTuple):
    """How to split hashes: their bits in a new order, blocks of that order (lowest bit, width), and how many agree.

    Without blocks everything is compared with everything, which is the fastest where there are few hashes or where
    most of them are near.
    """

    order: NDArray[np.int64]
    blocks: tuple[tuple[int, int], ...]
    agreeing: int

    def tables(self) -> list[Table]:
        """The choices of blocks, in the order in which a pair is told by the first."""
        return list(combinations(range(len(self.blocks)), self.agreeing))

    def others(self, table: Table) -> NDArray[np.uint64]:
        """Masks of the blocks that must not agree, or an earlier table has told the pair."""
        passed = sorted(set(range(max(table, default=0))) - set(table))
        return np.array([((1 << width) - 1) << low for low, width in (self.blocks[n] for n in passed)], np.uint64)


def plan(a: Side, b: Side, radius: int) -> Plan:
    """The cheapest way to join `a` and `b` (the same object for one side with itself), judged by a sample."""
    best = Plan(np.arange(64), (), 0)
    if len(a.rows) * len(b.rows) * _COMPARE <= _PLAN:
        return best
    sample = _Sample(a, b, radius)
    ranked = sample.informative_bits()
    price = sample.price(best)
    widest = max(MAX_PARTS, math.ceil(math.log2(max(len(a.rows), len(b.rows)))) - 2)
    for agreeing in range(1, MAX_PARTS + 1):
        if radius + agreeing > len(ranked):
            break
        tried = _deal(ranked, radius + agreeing, agreeing, widest // agreeing)
        cost = sample.price(tried)
        if cost < price:
            best, price = tried, cost
    return best


def _deal(ranked: NDArray[np.int64], blocks: int, agreeing: int, widest: int) -> Plan:
    """The bits `ranked`, the most telling first, dealt to `blocks` of at most `widest` bits, forth and back."""
    turn = np.arange(len(ranked)) // blocks
    seat = np.arange(len(ranked)) % blocks
    seat = np.where(turn % 2, blocks - 1 - seat, seat)
    kept = turn < widest  # blocks need not hold all bits: a difference outside of them only helps
    order = ranked[kept][np.argsort(seat[kept], kind="stable")]
    widths = np.bincount(seat[kept], minlength=blocks)
    lows = np.cumsum(widths) - widths
    unused = np.setdiff1d(np.arange(64), order)
    return Plan(np.concatenate([order, unused]), tuple(zip(lows.tolist(), widths.tolist(), strict=True)), agreeing)


class _Sample:
    """Some hashes of both sides, and what they say of all."""

    def __init__(self, a: Side, b: Side, radius: int) -> None:
        self.same = a is b
        self.counts = len(a.rows), len(b.rows)
        # Drawn apart: the two sides of pictures that are turned come in one order, and places drawn alike would be of
        # the same pictures, which are near.
        self.a = _thinned(a, 0)
        self.b = self.a if self.same else _thinned(b, 1)
        # How many pairs one pair of the sample stands for.
        self.scale = self.counts[0] * self.counts[1] / (len(self.a.rows) * len(self.b.rows))
        spans = tiles(len(self.a.rows), len(self.b.rows), self.same)
        found = [h.distance for h in loops.hits(self.a, self.b, spans, radius, NONE, _TILE**2)]
        self.near = np.bincount(np.concatenate([np.zeros(0, np.uint8), *found]), minlength=radius + 1) * self.scale

    def informative_bits(self) -> NDArray[np.int64]:
        """The bits that vary, those nearest to one half first."""
        values = np.concatenate([self.a.values[: len(self.a.rows)], self.b.values[: len(self.b.rows)]])
        bits = np.unpackbits(values.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        rare = np.minimum(ones := bits.sum(axis=0, dtype=np.int64), len(values) - ones)
        return np.argsort(-rare, kind="stable")[: np.count_nonzero(rare)]

    def price(self, tried: Plan) -> float:
        """What `tried` would cost, in nanoseconds of one core."""
        if not tried.blocks:
            pairs = self.counts[0] * self.counts[1] / (2 if self.same else 1)
            return pairs * _COMPARE + float(self.near.sum()) * _HIT
        tables = tried.tables()
        some = tables[:: math.ceil(len(tables) / _SAMPLE_TABLES)]
        a, b = _both(self.a, self.b, lambda side: reorder(side.values[: len(side.rows)], tried.order))
        keys = [Key.over(tuple(tried.blocks[n] for n in table)) for table in some]
        compared = sum(self._compared(key.of(a), key.of(b)) for key in keys) / len(some)
        slots = sum(2.0**key.bits for key in keys) / len(some)
        rows = self.counts[0] if self.same else sum(self.counts)
        met = float(self.near @ _times_met(len(tried.blocks), tried.agreeing, len(self.near)))
        return len(tables) * (rows * _ROW + slots * _SLOT + compared * _COMPARE) + met * _HIT

    def _compared(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
        """How many pairs of all hashes share a key, judged by the sample's."""
        if self.same:
            sizes = np.unique(a, return_counts=True)[1]
            return float((sizes * (sizes - 1) / 2).sum()) * self.scale
        _, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        sizes_a, sizes_b = (np.bincount(part, minlength=places.max() + 1) for part in np.split(places, [len(a)]))
        return float(sizes_a @ sizes_b) * self.scale


def _thinned(side: Side, seed: int) -> Side:
    count = len(side.rows)
    # At random: hashes at even distances in a sorted column are never near. The seed only makes plans repeatable.
    some = np.unique(np.random.default_rng(seed).integers(0, count, _SAMPLE)) if count > _SAMPLE else slice(count)
    return Side.of(side.values[some])


def _times_met(blocks: int, agreeing: int, distances: int) -> NDArray[np.float64]:
    """In how many tables a pair is met at each distance 0, 1, ..., if its differences fall evenly."""
    agree = [round(blocks * (1 - 1 / blocks) ** n) for n in range(distances)]
    return np.array([math.comb(n, agreeing) for n in agree], np.float64)


def _both(a: Side, b: Side, function: Callable[[Side], T]) -> tuple[T, T]:
    """`function` of both, and once where they are the same."""
    done = function(a)
    return done, done if a is b else function(b)


def tiles(count_a: int, count_b: int, same: bool) -> NDArray[np.int64]:
    """Spans that cover all pairs of places, each small enough for the processor's nearest cache."""
    a, b = np.meshgrid(np.arange(0, count_a, _TILE), np.arange(0, count_b, _TILE), indexing="ij")
    a, b = (a[a <= b], b[a <= b]) if same else (a.ravel(), b.ravel())
    return np.stack([a, np.minimum(a + _TILE, count_a), b, np.minimum(b + _TILE, count_b)], axis=1)


def reorder(values: NDArray[np.uint64], order: NDArray[np.int64]) -> NDArray[np.uint64]:
    """`values` with their bits in another order: bit n of the result is bit order[n] of the value."""
    table = np.zeros((8, 256), np.uint64)
    byte = np.arange(256, dtype=np.uint64)
    for to, bit in enumerate(order):
        table[bit // 8] |= ((byte >> np.uint64(bit % 8)) & np.uint64(1)) << np.uint64(to)
    out = np.zeros(len(values), np.uint64)
    for n in range(8):
        out |= table[n][(values >> np.uint64(8 * n)).astype(np.uint8)]
    return out


def join(a: Side, b: Side, radius: int, excluded: NDArray[np.uint64], limit: int) -> Iterator[Hits]:
    """All pairs of `a` and `b` within `radius` that agree in no mask of `excluded`, each once, `limit` at a time."""
    chosen = plan(a, b, radius)
    if chosen.blocks:
        excluded = reorder(excluded, chosen.order)
        a, b = _both(a, b, lambda side: Side(reorder(side.values, chosen.order), side.rows))
    for table in chosen.tables():
        yield from scan(a, b, chosen, table, radius, excluded, limit)


def scan(
    a: Side, b: Side, chosen: Plan, table: Table, radius: int, excluded: NDArray[np.uint64], limit: int
) -> Iterator[Hits]:
    """The pairs that `table` tells. The bits of `a` and `b` are in the plan's order already."""
    if not table:
        yield from loops.hits(a, b, tiles(len(a.rows), len(b.rows), a is b), radius, excluded, limit)
        return
    key = Key.over(tuple(chosen.blocks[n] for n in table))
    excluded = np.concatenate([excluded, chosen.others(table)])
    sorted_a, starts_a = loops.sort_by_key(a, key)
    sorted_b, starts_b = (sorted_a, starts_a) if a is b else loops.sort_by_key(b, key)
    sizes_a, sizes_b = np.diff(starts_a), np.diff(starts_b)
    some = np.flatnonzero(sizes_a > 1 if a is b else (sizes_a > 0) & (sizes_b > 0))
    spans = np.stack([starts_a[some], starts_a[some + 1], starts_b[some], starts_b[some + 1]], axis=1)
    large = sizes_a[some] * sizes_b[some] * _COMPARE > _PLAN
    yield from loops.hits(sorted_a, sorted_b, spans[~large], radius, excluded, limit)
    for a_low, a_high, b_low, b_high in spans[large].tolist():
        part = sorted_a.part(a_low, a_high)
        yield from join(part, part if a is b else sorted_b.part(b_low, b_high), radius, excluded, limit)
