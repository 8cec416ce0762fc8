"""Pairs of images whose perceptual hashes are equal or near: every one within the radius, each once.

    for pairs in pairs_within(hashes, 8):
        ...                                # columns: first, second, distance

Pairs come in chunks, so memory stays flat however many there are; how many there will be, `census` tells beforehand.
Equal hashes are joined as one. A value that very many rows share, as blank scans do, is a crowd: its rows are told as
one group, and only the first of them is paired with others.

The work falls into tasks that know nothing of each other: threads of this process, or tasks of a cluster that share one
copy of the hashes on each node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import loops, pigeonhole
from xqdata.dedup.distinct import Distinct, Members, Rows, distinct, pairs_across, pairs_inside
from xqdata.dedup.hits import INVERSE, Hits, Side
from xqdata.dedup.pigeonhole import Plan
from xqdata.dedup.streams import in_threads
from xqdata.engine import Bound, chosen, default_workers, map_shards

# Rows of one value beyond which they are a crowd: a thousand are half a million pairs that say the same.
CROWD = 1000
CHUNK = 1 << 18
# Tasks that a join without tables is cut into.
_PARTS = 16
# Below this many hashes, sending them to a cluster takes longer than joining them here.
_FEW = 50_000


class Pairs(NamedTuple):
    """Pairs of rows: `first` and `second` int64, `distance` and `orientation` uint8, all of one length.

    The lower row comes first. `orientation` is how `second` is turned to match `first`: 0 to 3
    quarter turns counter-clockwise (`np.rot90`), 4 to 7 the same after mirroring left to right (`np.fliplr`).
    """

    first: Rows
    second: Rows
    distance: NDArray[np.uint8]
    orientation: NDArray[np.uint8]


class Task(NamedTuple):
    """A part of a join that is worked on alone: a table, or a part of one, or the rows whose hashes are equal."""

    table: pigeonhole.Table
    part: int = 0
    parts: int = 1
    equal: bool = False


@dataclass(frozen=True)
class Join:
    """A join that is ready to run.

    `sides`: the hashes, or the hashes as they are and in all orientations. `members`: the rows of each. `crowds`:
    arrays of rows, ascending, that share one hash and of which only the first stands in pairs. `turned`: (n, 8)
    hashes, where they are of pictures in eight orientations.
    """

    radius: int
    chosen: Plan
    sides: tuple[Side, ...]
    members: Members
    crowds: list[Rows]
    turned: NDArray[np.uint64] | None = None

    @classmethod
    def of_one(cls, hashes: NDArray[np.uint64], radius: int, *, crowd: int = CROWD) -> Join:
        """Of a column with itself; arguments as of `pairs_within`."""
        check_hashes(hashes, 1, radius)
        found = distinct(hashes[:, None], crowd)
        return cls._prepared(radius, [found.values[:, 0]], found, None)

    @classmethod
    def of_oriented(cls, hashes: NDArray[np.uint64], radius: int, *, crowd: int = CROWD) -> Join:
        """Of pictures in eight orientations; arguments as of `oriented_pairs`."""
        check_hashes(hashes, 2, radius)
        found = distinct(hashes, crowd)
        # Plain pictures against all that are turned: what is near in any two orientations is near in one of these.
        return cls._prepared(radius, [found.values[:, 0], found.values.ravel()], found, found.values)

    @classmethod
    def _prepared(
        cls, radius: int, values: list[NDArray[np.uint64]], found: Distinct, turned: NDArray[np.uint64] | None
    ) -> Join:
        sides = [Side.of(column) for column in values]
        if radius % 2 and _distances_are_even(values):
            radius -= 1
        chosen = pigeonhole.plan(sides[0], sides[-1], radius)
        ordered = tuple(Side(pigeonhole.reorder(side.values, chosen.order), side.rows) for side in sides)
        return cls(radius, chosen, ordered, found.members, found.crowds, turned)

    def tasks(self) -> list[Task]:
        """The parts of the work; empty for an empty column."""
        equal = [Task((), equal=True)]
        if not all(len(side.rows) for side in self.sides):
            return []
        if self.radius == 0 and len(self.sides) == 1:
            return equal
        if not self.chosen.blocks:
            parts = min(_PARTS, len(self._tiles()))
            return [Task((), n, parts) for n in range(parts)] + equal
        return [Task(table) for table in self.chosen.tables()] + equal

    def pairs(self, task: Task, *, chunk: int = CHUNK) -> Iterator[Pairs]:
        """The pairs of one task, about `chunk` at a time."""
        if task.equal:
            for first, second in pairs_inside(self.members, chunk):
                same = np.zeros(len(first), np.uint8)
                yield Pairs(first, second, same, same)
            return
        for hits in self._hits(task, chunk):
            yield from self._of_plain(hits, chunk) if self.turned is None else self._of_turned(self.turned, hits, chunk)

    def _hits(self, task: Task, chunk: int) -> Iterator[Hits]:
        a, b = self.sides[0], self.sides[-1]
        if not task.table:
            spans = self._tiles()[task.part :: task.parts]
            return loops.hits(a, b, spans, self.radius, pigeonhole.NONE, chunk)
        return pigeonhole.scan(a, b, self.chosen, task.table, self.radius, pigeonhole.NONE, chunk)

    def _tiles(self) -> NDArray[np.int64]:
        return pigeonhole.tiles(len(self.sides[0].rows), len(self.sides[-1].rows), len(self.sides) == 1)

    def _of_plain(self, hits: Hits, chunk: int) -> Iterator[Pairs]:
        a, b = hits.first.astype(np.int64), hits.second.astype(np.int64)
        for first, second, number in pairs_across(self.members, a, b, chunk):
            low, high = np.minimum(first, second), np.maximum(first, second)
            yield Pairs(low, high, hits.distance[number], np.zeros(len(first), np.uint8))

    def _of_turned(self, turned: NDArray[np.uint64], hits: Hits, chunk: int) -> Iterator[Pairs]:
        plain, other = hits.first.astype(np.int64), hits.second.astype(np.int64)
        orientation, other = (other % 8).astype(np.uint8), other // 8
        # A pair may be met in several orientations and from both of its ends. It is told where it is nearest.
        a, b = np.minimum(plain, other), np.maximum(plain, other)
        best, _, b_turned = loops.turns(turned, a, b)
        told = np.where(b_turned, (plain == a) & (orientation == best), (plain == b) & (orientation == INVERSE[best]))
        told &= a != b
        for first, second, number in pairs_across(self.members, a[told], b[told], chunk):
            swapped = first > second
            a_values, b_values = a[told][number], b[told][number]
            low, high = np.where(swapped, b_values, a_values), np.where(swapped, a_values, b_values)
            orientations, distances, _ = loops.turns(turned, low, high)
            yield Pairs(np.minimum(first, second), np.maximum(first, second), distances, orientations)


class Matches:
    """The pairs of a join, once through, in no particular order; and its crowds.

    `crowds`: arrays of rows, ascending, that share one hash; only the first row of each stands in pairs.
    """

    def __init__(self, join: Join, chunk: int, workers: int | None) -> None:
        self.crowds = join.crowds
        self._pairs = run(join, chunk=chunk, workers=workers)

    def __iter__(self) -> Iterator[Pairs]:
        return self._pairs


def pairs_within(
    hashes: NDArray[np.uint64], radius: int, *, crowd: int = CROWD, chunk: int = CHUNK, workers: int | None = None
) -> Matches:
    """All unordered pairs of rows whose hashes differ in at most `radius` bits.

    `hashes`: (n,) uint64. `radius`: 0 to 64 bits. `crowd`: the most rows of one hash that are paired with each other.
    `chunk`: pairs in each piece of the result, give or take as many and crowd² more. `workers`: threads of this
    process, None for one on each processor.

    Raises ValueError for another type or shape, or a radius out of range.
    """
    return Matches(Join.of_one(hashes, radius, crowd=crowd), chunk, workers)


def oriented_pairs(
    hashes: NDArray[np.uint64], radius: int, *, crowd: int = CROWD, chunk: int = CHUNK, workers: int | None = None
) -> Matches:
    """All unordered pairs of pictures that are within `radius` in some orientation, once, with the best one.

    `hashes`: (n, 8) uint64, the hash of each picture in the orientations that `Pairs` numbers. Two pictures are
    compared in an orientation by turning the second one, and by turning the first one back; the nearer counts. Of
    orientations that are equally near, the lowest number is given. Else as `pairs_within`; equal means equal in all
    orientations.
    """
    return Matches(Join.of_oriented(hashes, radius, crowd=crowd), chunk, workers)


def distance256(hashes: NDArray[np.uint64], first: Rows, second: Rows) -> NDArray[np.uint16]:
    """In how many bits the 256-bit hashes of rows `first` and rows `second` differ.

    `hashes`: (n, 4) uint64, as of `np.frombuffer(column, np.uint64).reshape(-1, 4)`.
    """
    if hashes.ndim != 2 or hashes.dtype != np.uint64:
        raise ValueError(f"hashes is {hashes.dtype} of shape {hashes.shape}, not (n, 4) of uint64")
    return loops.distances(np.ascontiguousarray(hashes), first, second)


def check_hashes(hashes: NDArray[np.uint64], dimensions: int, radius: int) -> None:
    """Raise ValueError unless `hashes` is uint64, (n,) or with two `dimensions` (n, 8), and `radius` is 0 to 64."""
    wanted = "(n,)" if dimensions == 1 else "(n, 8)"
    if hashes.ndim != dimensions or hashes.dtype != np.uint64 or (dimensions == 2 and hashes.shape[1] != 8):
        raise ValueError(f"hashes is {hashes.dtype} of shape {hashes.shape}, not {wanted} of uint64")
    if not 0 <= radius <= 64:
        raise ValueError(f"radius is {radius}, not 0 to 64")


def _distances_are_even(values: list[NDArray[np.uint64]]) -> bool:
    """Whether all hashes have an even number of bits set, or all an odd one; in a pHash it is half of them."""
    odd = np.concatenate([np.bitwise_count(column) % 2 for column in values])
    return bool((odd == odd[:1]).all())


def run(join: Join, *, chunk: int = CHUNK, workers: int | None = None) -> Iterator[Pairs]:
    """The pairs of all tasks, in threads of this process or on the cluster; arguments as of `pairs_within`."""
    tasks = join.tasks()
    if chosen().is_cluster and workers != 1 and len(join.sides[0].rows) >= _FEW:
        return _gathered(_on_cluster(join, tasks, chunk, workers), chunk)
    count = default_workers() if workers is None else workers
    pieces = in_threads(
        lambda task: _gathered(join.pairs(task, chunk=chunk), chunk), tasks, min(count, len(tasks) or 1)
    )
    return _gathered(pieces, chunk)


def _on_cluster(join: Join, tasks: Sequence[Task], chunk: int, workers: int | None) -> Iterator[Pairs]:
    # All of a task's pairs come back at once: together they are as many as the budget allows.
    work = Bound(_pairs, (replace(join, crowds=[]), chunk))
    with closing(map_shards(work, tasks, workers=workers)) as finished:
        for _, found in finished:
            yield from found


def _pairs(given: tuple[Join, int], task: Task) -> list[Pairs]:
    """In a worker: the pairs of one task."""
    join, chunk = given
    return list(_gathered(join.pairs(task, chunk=chunk), chunk))


def _gathered(pieces: Iterable[Pairs], chunk: int) -> Iterator[Pairs]:
    """Small pieces put together until they are `chunk` pairs."""
    held: list[Pairs] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece.first)
        if count >= chunk:
            yield _joined(held)
            held, count = [], 0
    if count:
        yield _joined(held)


def _joined(pieces: list[Pairs]) -> Pairs:
    if len(pieces) == 1:
        return pieces[0]
    return Pairs(*(np.concatenate(column) for column in zip(*pieces, strict=True)))
