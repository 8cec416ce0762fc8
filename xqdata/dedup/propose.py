"""Which pairs of pictures might be copies or ties: many channels propose, cheap filters pass what pixels then decide.

A channel only ever adds candidates. `phash` is complete: no pair within its radius in any orientation is left out.
The others are there for what it misses: a small change that moves many of its few bits, a bag whose items moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup.census import census
from xqdata.dedup.coarse import aligned, correlations
from xqdata.dedup.join import distance256, oriented_pairs, pairs_within

Rows = NDArray[np.int64]

# In the order of the bits of `Candidates.channels`.
CHANNELS = ("phash", "content", "foreground", "phash256", "neighbour", "descriptor", "shingles")
# Of 256 bits: a pair within it has one of the four words within a fifth, which is how it is found.
_RADIUS_256 = 19
_WORD_RADIUS = 4
_DESCRIPTOR_SIDE = 16
_CHUNK = 2048
_COMMON = 24
_BATCH = 1 << 20


@dataclass(frozen=True)
class Pictures:
    """What is known of n pictures, row by row.

    `phash8`, `content8`, `foreground8`: (n, 8) uint64, the hash of the picture, of what is not air, and of what is not
    container, in all orientations; `has_foreground`: (n,) bool. `phash256`: (n, 4) uint64. `thumbs`,
    `foreground_thumbs`: (n, side, side) uint8. `informative`: (n,) bool, false for pictures that show next to nothing.
    `machine`: (n,) int64, equal for one scanner, view and channel. `order`: (n,) float64, time or running number, NaN
    where unknown. `scan`: (n,) int64, equal for one scan_id, -1 where unknown. `shingles`, `starts`: as in
    `features.Sketches`.
    """

    phash8: NDArray[np.uint64]
    content8: NDArray[np.uint64]
    foreground8: NDArray[np.uint64]
    has_foreground: NDArray[np.bool_]
    phash256: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    foreground_thumbs: NDArray[np.uint8]
    informative: NDArray[np.bool_]
    machine: NDArray[np.int64]
    order: NDArray[np.float64]
    scan: NDArray[np.int64]
    shingles: NDArray[np.uint64]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Gates:
    """How near pairs must be to be proposed, and how alike at low resolution to be compared in full.

    `radius`: bits of 64, in any orientation; `budget`: pairs that the pHash may propose, above it the radius shrinks.
    `window`: neighbours to each side in the order of acquisition. `nearest`: neighbours by descriptor, where there are
    at most `descriptor_limit` pictures. `shared`: patches of equal pixels that windows of one scan must have in common.

    Correlations of thumbnails: `copy`, the least for a possible copy, as they are and laid on one another. `tie`: of
    foregrounds for a possible tie, between neighbours in time and others; `tie_whole`: of whole thumbnails where
    foregrounds are not known; `slack`: how much less is enough before they are laid on one another.
    """

    radius: int = 8
    content_radius: int = 4
    foreground_radius: int = 8
    window: int = 6
    nearest: int = 4
    copy: tuple[float, float] = (0.85, 0.99)
    tie: tuple[float, float] = (0.75, 0.9)
    tie_whole: tuple[float, float] = (0.75, 0.95)
    slack: float = 0.3
    budget: int = 20_000_000
    descriptor_limit: int = 60_000
    shared: int = 3


@dataclass
class Candidates:
    """Pairs that passed, each once: rows `a` < `b`, how b is turned to lie on a, and who proposed them (bits).

    `for_copy`, `for_tie`, `for_window`: what the pair may be. `proposed`, `passed`: pairs by channel before and after
    the filters. `radius`: the one that was used. `crowds`: rows that share one hash in such numbers that only the first
    was paired.
    """

    a: Rows
    b: Rows
    orientation: NDArray[np.int8]
    channels: NDArray[np.uint8]
    for_copy: NDArray[np.bool_]
    for_tie: NDArray[np.bool_]
    for_window: NDArray[np.bool_]
    proposed: dict[str, int] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    radius: int = 0
    crowds: list[Rows] = field(default_factory=list)


@dataclass(frozen=True)
class _Batch:
    a: Rows
    b: Rows
    orientation: NDArray[np.int8]


def propose(pictures: Pictures, gates: Gates = Gates(), *, workers: int | None = None) -> Candidates:
    """All candidate pairs of `pictures`.

    Pairs stream through the filters in batches, so memory grows with what passes.
    """
    radius = _affordable(pictures, gates)
    crowds: list[Rows] = []
    streams: dict[str, Iterator[_Batch]] = {
        "phash": _oriented(pictures.phash8, pictures.informative, radius, workers, crowds),
        "content": _oriented(pictures.content8, pictures.informative, gates.content_radius, workers, crowds),
        "foreground": _oriented(
            pictures.foreground8,
            pictures.has_foreground & pictures.informative,
            gates.foreground_radius,
            workers,
            crowds,
        ),
        "phash256": _wide(pictures, workers),
        "neighbour": _neighbours(pictures, gates.window),
        "descriptor": _nearest(pictures, gates),
        "shingles": iter([_windows(pictures, gates.shared)]),
    }
    proposed = dict.fromkeys(CHANNELS, 0)
    passed = dict.fromkeys(CHANNELS, 0)
    kept: list[tuple[NDArray[Any], ...]] = []
    for channel, stream in streams.items():
        for batch in stream:
            proposed[channel] += len(batch.a)
            survivors = _filtered(pictures, gates, batch, CHANNELS.index(channel), workers)
            passed[channel] += len(survivors[0])
            kept.append(survivors)
    return _merged(kept, proposed, passed, radius, crowds)


def _affordable(pictures: Pictures, gates: Gates) -> int:
    """The largest radius up to the one asked for whose pairs are within the budget; equal hashes are always joined."""
    hashes = np.ascontiguousarray(pictures.phash8[pictures.informative])
    return census(hashes, gates.radius).radius_within(gates.budget) or 0 if len(hashes) else gates.radius


def _oriented(
    hashes: NDArray[np.uint64], among: NDArray[np.bool_], radius: int, workers: int | None, crowds: list[Rows]
) -> Iterator[_Batch]:
    rows = np.flatnonzero(among)
    if len(rows) < 2:
        return
    matches = oriented_pairs(np.ascontiguousarray(hashes[rows]), radius, workers=workers)
    crowds += [rows[crowd] for crowd in matches.crowds]
    for pairs in matches:
        yield _Batch(rows[pairs.first], rows[pairs.second], pairs.orientation.astype(np.int8))


def _wide(pictures: Pictures, workers: int | None) -> Iterator[_Batch]:
    rows = np.flatnonzero(pictures.informative)
    words = np.ascontiguousarray(pictures.phash256[rows])
    for word in range(4):
        for pairs in pairs_within(np.ascontiguousarray(words[:, word]), _WORD_RADIUS, workers=workers):
            near = distance256(words, pairs.first, pairs.second) <= _RADIUS_256
            a, b = rows[pairs.first[near]], rows[pairs.second[near]]
            yield _Batch(a, b, np.zeros(len(a), np.int8))


def _neighbours(pictures: Pictures, window: int) -> Iterator[_Batch]:
    """Scans that one machine made shortly after one another."""
    rows = np.flatnonzero(pictures.informative & ~np.isnan(pictures.order))
    ordered = rows[np.lexsort((rows, pictures.order[rows], pictures.machine[rows]))]
    for step in range(1, window + 1):
        a, b = ordered[:-step], ordered[step:]
        together = pictures.machine[a] == pictures.machine[b]
        a, b = a[together], b[together]
        yield _Batch(np.minimum(a, b), np.maximum(a, b), np.zeros(len(a), np.int8))


def _nearest(pictures: Pictures, gates: Gates) -> Iterator[_Batch]:
    """The nearest neighbours of each foreground, seen very coarsely; none where comparing all would take too long."""
    rows = np.flatnonzero(pictures.informative)
    if len(rows) < 2 or len(rows) > gates.descriptor_limit:
        return
    points = _descriptors(pictures, rows)
    count = min(gates.nearest, len(rows) - 1)
    for start in range(0, len(rows), _CHUNK):
        block = points[start : start + _CHUNK] @ points.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        near = np.argpartition(-block, count - 1, axis=1)[:, :count].ravel()
        a, b = rows[np.repeat(np.arange(start, start + len(block)), count)], rows[near]
        yield _Batch(np.minimum(a, b), np.maximum(a, b), np.zeros(len(a), np.int8))


def _descriptors(pictures: Pictures, rows: Rows) -> NDArray[np.float32]:
    """Unit vectors (rows, 256): the thumbnail, or its foreground where that is known, on a coarse grid."""
    thumbs = np.where(
        pictures.has_foreground[rows, None, None], pictures.foreground_thumbs[rows], pictures.thumbs[rows]
    )
    factor = thumbs.shape[1] // _DESCRIPTOR_SIDE
    shape = (len(rows), _DESCRIPTOR_SIDE, factor, _DESCRIPTOR_SIDE, factor)
    points = thumbs.reshape(shape).mean(axis=(2, 4), dtype=np.float32).reshape(len(rows), -1)
    points -= points.mean(1, keepdims=True)
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6))


def _windows(pictures: Pictures, shared: int) -> _Batch:
    """Pictures that have `shared` or more patches of equal pixels in common: windows of one scan."""
    owner = np.repeat(np.arange(len(pictures.starts) - 1), np.diff(pictures.starts))
    order = np.argsort(pictures.shingles, kind="stable")
    hashes, owner = pictures.shingles[order], owner[order]
    bounds = np.append(np.flatnonzero(np.diff(hashes, prepend=~hashes[:1])), len(hashes))
    sizes = np.diff(bounds)
    # A patch that very many pictures have is no noise: an empty stretch, a logo, burnt-in text.
    keys = []
    for size in np.unique(sizes[(sizes > 1) & (sizes <= _COMMON)]):
        groups = owner[bounds[:-1][sizes == size][:, None] + np.arange(size)]
        first, second = np.triu_indices(size, 1)
        keys.append((groups[:, first] * len(pictures.starts) + groups[:, second]).ravel())
    pairs, counts = np.unique(np.concatenate([np.zeros(0, np.int64), *keys]), return_counts=True)
    a, b = np.divmod(pairs[counts >= shared], len(pictures.starts))
    return _Batch(a, b, np.zeros(len(a), np.int8))


def _filtered(
    pictures: Pictures, gates: Gates, batch: _Batch, channel: int, workers: int | None
) -> tuple[NDArray[Any], ...]:
    a, b, orientation = batch.a, batch.b, batch.orientation
    # Views and energies of one scan are never copies unless their pixels agree, which hashes have told already.
    apart = (pictures.scan[a] != pictures.scan[b]) | (pictures.scan[a] < 0)
    a, b, orientation = a[apart], b[apart], orientation[apart]
    if channel == CHANNELS.index("shingles"):
        no, yes = np.zeros(len(a), bool), np.ones(len(a), bool)
        return _columns(a, b, orientation, channel, no, no, yes, np.ones(len(a), np.float32))
    whole = correlations(pictures.thumbs, a, b, orientation)
    for_copy = whole >= gates.copy[0]
    near = np.flatnonzero(for_copy)
    for_copy[near] = aligned(pictures.thumbs, a[near], b[near], orientation[near], workers) >= gates.copy[1]
    other = int(channel != CHANNELS.index("neighbour"))
    known = pictures.has_foreground[a] & pictures.has_foreground[b]
    # Where foregrounds are known they decide: two bags in one kind of basket are alike as wholes.
    fore = np.where(known, correlations(pictures.foreground_thumbs, a, b, orientation), whole)
    least = np.where(known, gates.tie[other], gates.tie_whole[other])
    for_tie = (orientation == 0) & (fore >= least - gates.slack)
    near = np.flatnonzero(for_tie)
    laid = aligned(pictures.foreground_thumbs, a[near], b[near], orientation[near], workers)
    for_tie[near] = np.where(known[near], laid, fore[near]) >= least[near]
    kept = for_copy | for_tie
    no = np.zeros(int(kept.sum()), bool)
    return _columns(a[kept], b[kept], orientation[kept], channel, for_copy[kept], for_tie[kept], no, whole[kept])


def _columns(
    a: Rows,
    b: Rows,
    orientation: NDArray[np.int8],
    channel: int,
    *uses_and_likeness: NDArray[Any],
) -> tuple[NDArray[Any], ...]:
    return a, b, orientation, np.full(len(a), 1 << channel, np.uint8), *uses_and_likeness


def _merged(
    kept: Sequence[tuple[NDArray[Any], ...]],
    proposed: dict[str, int],
    passed: dict[str, int],
    radius: int,
    crowds: list[Rows],
) -> Candidates:
    """Each pair once: all that proposed it, and the orientation in which its thumbnails are most alike."""
    a, b, orientation, channel, *uses, alike = (np.concatenate(column) for column in zip(*kept, strict=True))
    order = np.lexsort((orientation, -alike, b, a))
    a, b, orientation, channel = a[order], b[order], orientation[order], channel[order]
    fresh = np.ones(len(a), bool)
    fresh[1:] = (a[1:] != a[:-1]) | (b[1:] != b[:-1])
    starts = np.flatnonzero(fresh)
    if len(starts):
        channel = np.bitwise_or.reduceat(channel, starts)
        uses = [np.logical_or.reduceat(use[order], starts) for use in uses]
    for_copy, for_tie, for_window = uses
    return Candidates(
        a[starts],
        b[starts],
        orientation[starts],
        channel,
        for_copy,
        for_tie,
        for_window,
        proposed,
        passed,
        radius,
        crowds,
    )
