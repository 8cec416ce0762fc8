"""Candidate pairs to verdicts, in worker processes: each opens the pictures of its pairs and compares them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

from xqdata.containers.rle import unrle
from xqdata.dedup.prepared import Prepared, prepare
from xqdata.dedup.ties import verify_tie
from xqdata.dedup.verify import NO, ONE_SCAN, OVERLAP, Verdict, verify_copy
from xqdata.engine import map_shards
from xqdata.features import exact
from xqdata.images import BadImage
from xqdata.scans import Scan
from xqdata.shingles import offset, overlap, shingles

_SHARD = 64
# Pictures that a worker keeps prepared, about 3 MB each.
_KEPT = 96
# Windows of one scan: patches that agree on how they lie, share of equal pixels where they overlap, pixels shared.
_AGREEING, _EQUAL, _LEAST = 3, 0.5, 400

Progress = Callable[[int, int], None]


class Pair(NamedTuple):
    """Two pictures by their place, how the second is turned to lie on the first ("" if unknown), what they may be."""

    a: int
    b: int
    orientation: str
    for_copy: bool
    for_tie: bool
    for_window: bool = False


class Outcome(NamedTuple):
    """What became of a pair: the verdict, or why a picture could not be opened."""

    pair: Pair
    verdict: Verdict | None
    failed: str = ""


@dataclass(frozen=True)
class _Shard:
    pairs: tuple[Pair, ...]
    scans: Mapping[int, Scan]
    masks: Mapping[int, str]


def compare(
    scans: Sequence[Scan],
    pairs: Sequence[Pair],
    masks: Mapping[int, str],
    *,
    workers: int | None = None,
    sees: Sequence[Path] = (),
    progress: Progress = lambda done, total: None,
) -> Generator[Outcome, None, None]:
    """The verdict on each pair, in no particular order.

    `masks`: run lengths of foregrounds, by place. `sees`: as of `map_shards`. Pairs and masks are asked for when their
    turn comes, so neither need be held in memory.
    """
    order = _neighbourly(pairs, len(scans)).tolist()
    parts = (order[i : i + _SHARD] for i in range(0, len(order), _SHARD))
    shards = (_shard([pairs[n] for n in part], scans, masks) for part in parts)
    done = 0
    progress(0, len(order))
    few = len(order) < _SHARD
    with closing(map_shards(_compare_shard, shards, workers=1 if few else workers, sees=sees)) as finished:
        for shard, outcomes in finished:
            yield from outcomes
            done += len(shard.pairs)
            progress(done, len(order))


def _shard(pairs: Sequence[Pair], scans: Sequence[Scan], masks: Mapping[int, str]) -> _Shard:
    places = {place for pair in pairs for place in (pair.a, pair.b)}
    known = {p: masks[p] for p in places if p in masks}
    return _Shard(tuple(pairs), {p: scans[p] for p in places}, known)


def _neighbourly(pairs: Sequence[Pair], pictures: int) -> NDArray[np.int64]:
    """The pairs, by number, in an order in which a picture's lie close together: it is opened once or twice."""
    if not pairs:
        return np.zeros(0, np.int64)
    ends = np.fromiter(((p.a, p.b) for p in pairs), np.dtype((np.int64, 2)), len(pairs))
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(pictures, pictures))
    place = np.empty(pictures, np.int64)
    place[reverse_cuthill_mckee((graph + graph.T).tocsr(), symmetric_mode=True)] = np.arange(pictures)
    near = np.sort(place[ends], axis=1)
    return np.lexsort((near[:, 1], near[:, 0]))


def _compare_shard(shard: _Shard) -> list[Outcome]:
    opened = _Opened(shard)
    return [_compare(opened, pair) for pair in shard.pairs]


def _compare(opened: _Opened, pair: Pair) -> Outcome:
    try:
        (a, exact_a), (b, exact_b) = opened[pair.a], opened[pair.b]
    except BadImage as error:
        return Outcome(pair, None, error.message)
    shown = window(exact_a, exact_b) if pair.for_window else None
    if shown is not None and not shown.undecided:
        return Outcome(pair, shown)
    verdict = verify_copy(a, b, pair.orientation or None) if pair.for_copy or shown is not None else NO
    if shown is not None:
        return Outcome(pair, verdict if verdict.kind or verdict.one_scan else shown)
    if pair.for_tie and verdict.kind is None:
        tie = verify_tie(a, b)
        # A copy that could not be decided stays so, unless the pair is a tie for sure.
        if tie.kind is not None or not verdict.undecided:
            verdict = tie
    return Outcome(pair, verdict)


def window(a: NDArray[Any], b: NDArray[Any]) -> Verdict | None:
    """Whether two pictures are windows of one scan: equal pixels where they overlap, as only one scan's noise has.

    None where they are not; undecided where they show the same but for a few pixels: an item may have been added.
    """
    dx, dy, agreeing = offset(shingles(a), shingles(b))
    if agreeing < _AGREEING:
        return None
    found = overlap(a, b, dx, dy)
    # Text burnt into one of them, or a piece painted over, leaves the rest equal.
    shared = found.share * found.equal
    if found.equal < _EQUAL or found.equal * found.telling < _LEAST:
        return None
    if shared >= OVERLAP and found.equal < 1:
        return Verdict(None, f"{ONE_SCAN} in {max(1e-4, 1 - found.equal):.2%} of the pixels", overlap=found.share)
    return Verdict("transformed" if shared >= OVERLAP else "crop", ncc=found.equal, overlap=shared)


class _Opened:
    """The pictures of a shard, prepared when they are asked for; the latest are kept."""

    def __init__(self, shard: _Shard) -> None:
        self.shard = shard
        self.kept: OrderedDict[int, tuple[Prepared, NDArray[Any]] | BadImage] = OrderedDict()

    def __getitem__(self, place: int) -> tuple[Prepared, NDArray[Any]]:
        if place not in self.kept:
            self.kept[place] = self._prepare(place)
        self.kept.move_to_end(place)
        if len(self.kept) > _KEPT:
            self.kept.popitem(last=False)
        found = self.kept[place]
        if isinstance(found, BadImage):
            raise found
        return found

    def _prepare(self, place: int) -> tuple[Prepared, NDArray[Any]] | BadImage:
        scan = self.shard.scans[place]
        try:
            page = scan.read()
        except BadImage as error:
            return error
        mask: NDArray[np.bool_] | None = unrle(self.shard.masks[place]) if place in self.shard.masks else None
        return prepare(page.grey, scan.polarity, mask), exact(page)
