"""Which pairs of pictures might be copies or ties: many channels propose, cheap filters pass what pixels then decide.

A channel only ever adds candidates. `phash` is complete: no pair within its radius in any orientation is left out.
The others are there for what it misses: a small change that moves many of its few bits, a bag whose items moved.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xqdata.dedup.census import census
from xqdata.dedup.coarse import aligned, correlations
from xqdata.dedup.join import distance256, oriented_pairs, pairs_within
from xqdata.dedup.pictures import Pictures
from xqdata.dedup.streams import in_threads
from xqdata.dedup.thumbs import Thumbs
from xqdata.engine import Bound, chosen, default_workers, map_shards

Rows = NDArray[np.int64]

# In the order of the bits of `Candidates.channels`.
CHANNELS = ("phash", "content", "foreground", "phash256", "neighbour", "descriptor", "shingles")
# Of 256 bits: a pair within it has one of the four words within a fifth, which is how it is found.
_RADIUS_256 = 19
_WORD_RADIUS = 4
# Of the 64-bit hashes of contents and of foregrounds.
_CONTENT_RADIUS = 4
_FOREGROUND_RADIUS = 8
# Neighbours by descriptor, where there are at most so many pictures: all are compared with all.
_NEAREST = 4
_DESCRIPTOR_LIMIT = 60_000
_DESCRIPTOR_SIDE = 16
# Patches of equal pixels that windows of one scan must have in common.
_SHARED = 3
# The least correlation of thumbnails for a possible copy: as they are, and laid on one another.
_COPY = (0.85, 0.99)
# The least for a possible tie, between neighbours in time and between others: of foregrounds; and of whole thumbnails
# where foregrounds are not known. `_SLACK`: how much less is enough before foregrounds are laid on one another.
_TIE = (0.75, 0.9)
_TIE_WHOLE = (0.75, 0.95)
_SLACK = 0.3
_CHUNK = 2048
# Likenesses of descriptors that are held at once.
_BLOCK = _CHUNK * _CHUNK
# Pairs that are filtered at once: their low-resolution pictures take up to 16 MB.
_PIECE = 1024
# Below this many pictures, sending pairs to a cluster takes longer than filtering them here.
_FEW = 50_000


@dataclass(frozen=True)
class Gates:
    """How near pairs must be to be proposed.

    `radius`: bits of the pHash's 64, in any orientation; `budget`: pairs that it may propose, above it the radius
    shrinks. `window`: neighbours to each side in the order of acquisition.
    """

    radius: int = 8
    window: int = 6
    budget: int = 20_000_000


@dataclass
class Candidates:
    """Pairs that passed, each once: rows `a` < `b`, how b is turned to lie on a, and who proposed them (bits).

    `for_copy`, `for_tie`, `for_window`: what the pair may be. `proposed`: pairs by channel before the filters.
    `radius`: the one that was used. `crowds`: rows that share one hash in such numbers that only the first was paired.
    """

    a: Rows
    b: Rows
    orientation: NDArray[np.int8]
    channels: NDArray[np.uint8]
    for_copy: NDArray[np.bool_]
    for_tie: NDArray[np.bool_]
    for_window: NDArray[np.bool_]
    proposed: dict[str, int] = field(default_factory=dict)
    radius: int = 0
    crowds: list[Rows] = field(default_factory=list)


@dataclass(frozen=True)
class _Batch:
    a: Rows
    b: Rows
    orientation: NDArray[np.int8]


class _Piece(NamedTuple):
    """Some pairs of one channel; `known`: whether the foregrounds of both are."""

    channel: int
    a: Rows
    b: Rows
    orientation: NDArray[np.int8]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class _Sieve:
    """What pairs are filtered by, wherever that is done."""

    thumbs: Thumbs
    foreground_thumbs: Thumbs


_Survivors = tuple[NDArray[Any], ...]


def propose(
    pictures: Pictures, gates: Gates = Gates(), *, workers: int | None = None, sees: Sequence[Path] = ()
) -> Candidates:
    """All candidate pairs of `pictures`.

    Pairs stream through the filters, so memory grows with what passes. `sees`: as of `map_shards`. Raises XqdataError
    where low-resolution pictures are gone meanwhile.
    """
    radius = _affordable(pictures, gates)
    crowds: list[Rows] = []
    streams: dict[str, Iterator[_Batch]] = {
        "phash": _oriented(pictures.phash8, pictures.informative, radius, workers, crowds),
        "content": _oriented(pictures.content8, pictures.informative, _CONTENT_RADIUS, workers, crowds),
        "foreground": _oriented(
            pictures.foreground8,
            pictures.has_foreground & pictures.informative,
            _FOREGROUND_RADIUS,
            workers,
            crowds,
        ),
        "phash256": _wide(pictures, workers),
        "neighbour": _neighbours(pictures, gates.window),
        "descriptor": _nearest(pictures),
        "shingles": _windows(pictures),
    }
    proposed = dict.fromkeys(CHANNELS, 0)
    kept: list[_Survivors] = [_nothing()]

    def pieces() -> Iterator[_Piece]:
        for channel, name in enumerate(CHANNELS):
            for batch in streams[name]:
                proposed[name] += len(batch.a)
                yield from _pieces(pictures, batch, channel)

    sieve = _Sieve(pictures.thumbs, pictures.foreground_thumbs)
    with closing(_filtered(sieve, pieces(), len(pictures.scan), workers, sees)) as finished:
        kept += finished
    return _merged(kept, proposed, radius, crowds)


def _filtered(
    sieve: _Sieve, pieces: Iterator[_Piece], pictures: int, workers: int | None, sees: Sequence[Path]
) -> Generator[_Survivors, None, None]:
    """What passes of each piece, in any order: from threads of this process, whose compiled code lets go of the
    interpreter, or from the cluster.
    """
    if chosen().is_cluster and workers != 1 and pictures >= _FEW:
        files = [sieve.thumbs.path, sieve.foreground_thumbs.path]
        for _, survivors in map_shards(Bound(_sifted, sieve), pieces, workers=workers, sees=[*sees, *files]):
            yield survivors
    else:
        count = default_workers() if workers is None else workers
        yield from in_threads(lambda piece: [_sifted(sieve, piece)], pieces, count)


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
    found = []
    for word in range(4):
        for pairs in pairs_within(np.ascontiguousarray(words[:, word]), _WORD_RADIUS, workers=workers):
            near = distance256(words, pairs.first, pairs.second) <= _RADIUS_256
            found.append(pairs.first[near] * len(rows) + pairs.second[near])
    yield _once(rows, found)


def _neighbours(pictures: Pictures, window: int) -> Iterator[_Batch]:
    """Scans that one machine made shortly after one another."""
    rows = np.flatnonzero(pictures.informative & ~np.isnan(pictures.order))
    ordered = rows[np.lexsort((rows, pictures.order[rows], pictures.machine[rows]))]
    for step in range(1, window + 1):
        a, b = ordered[:-step], ordered[step:]
        together = pictures.machine[a] == pictures.machine[b]
        a, b = a[together], b[together]
        yield _Batch(np.minimum(a, b), np.maximum(a, b), np.zeros(len(a), np.int8))


def _nearest(pictures: Pictures) -> Iterator[_Batch]:
    """The nearest neighbours of each foreground, seen very coarsely; none where comparing all would take too long."""
    rows = np.flatnonzero(pictures.informative)
    if len(rows) < 2 or len(rows) > _DESCRIPTOR_LIMIT:
        return
    points = _descriptors(pictures, rows)
    count = min(_NEAREST, len(rows) - 1)
    step = max(1, min(_CHUNK, _BLOCK // len(rows)))
    found = []
    for start in range(0, len(rows), step):
        block = points[start : start + step] @ points.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -np.inf
        near = np.argpartition(np.negative(block, out=block), count - 1, axis=1)[:, :count].ravel()
        a, b = np.repeat(np.arange(start, start + len(block)), count), near
        found.append(np.minimum(a, b) * len(rows) + np.maximum(a, b))
    yield _once(rows, found)


def _once(rows: Rows, found: Sequence[Rows]) -> _Batch:
    """Pairs that several words, or both pictures, found, each once. `found`: first * len(rows) + second, as places."""
    a, b = np.divmod(np.unique(np.concatenate([np.zeros(0, np.int64), *found])), max(len(rows), 1))
    return _Batch(rows[a], rows[b], np.zeros(len(a), np.int8))


def _descriptors(pictures: Pictures, rows: Rows) -> NDArray[np.float32]:
    """Unit vectors (rows, 256): the thumbnail, or its foreground where that is known, on a coarse grid."""
    points = np.empty((len(rows), _DESCRIPTOR_SIDE**2), np.float32)
    for start in range(0, len(rows), _CHUNK):
        some, into = rows[start : start + _CHUNK], points[start : start + _CHUNK]
        known = pictures.has_foreground[some]
        for thumbs, which in ((pictures.thumbs, ~known), (pictures.foreground_thumbs, known)):
            into[which] = _coarse(thumbs.take(some[which]))
    points -= points.mean(1, keepdims=True)
    return np.asarray(points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6))


def _coarse(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    factor = thumbs.shape[1] // _DESCRIPTOR_SIDE
    tiles = thumbs.reshape(len(thumbs), _DESCRIPTOR_SIDE, factor, _DESCRIPTOR_SIDE, factor)
    return np.asarray(tiles.mean(axis=(2, 4), dtype=np.float32).reshape(len(thumbs), _DESCRIPTOR_SIDE**2))


def _windows(pictures: Pictures) -> Iterator[_Batch]:
    """Pictures that have patches of equal pixels in common: windows of one scan."""
    a, b = pictures.patches.shared(_SHARED)
    yield _Batch(a, b, np.zeros(len(a), np.int8))


def _pieces(pictures: Pictures, batch: _Batch, channel: int) -> Iterator[_Piece]:
    # Views and energies of one scan are never copies unless their pixels agree, which hashes have told already.
    apart = (pictures.scan[batch.a] != pictures.scan[batch.b]) | (pictures.scan[batch.a] < 0)
    a, b, orientation = batch.a[apart], batch.b[apart], batch.orientation[apart]
    known = pictures.has_foreground[a] & pictures.has_foreground[b]
    for low in range(0, len(a), _PIECE):
        part = slice(low, low + _PIECE)
        yield _Piece(channel, a[part], b[part], orientation[part], known[part])


def _sifted(sieve: _Sieve, piece: _Piece) -> _Survivors:
    """Wherever it is done: the pairs that are alike at low resolution, as columns of `_merged`."""
    channel, a, b, orientation, known = piece
    if channel == CHANNELS.index("shingles"):
        no, yes = np.zeros(len(a), bool), np.ones(len(a), bool)
        return _columns(a, b, orientation, channel, no, no, yes, np.ones(len(a), np.float32))
    thumbs, one, two = _opened(sieve.thumbs, a, b)
    whole = correlations(thumbs, one, two, orientation)
    for_copy = whole >= _COPY[0]
    near = np.flatnonzero(for_copy)
    for_copy[near] = aligned(thumbs, one[near], two[near], orientation[near]) >= _COPY[1]
    # Where foregrounds are known they decide: two bags in one kind of basket are alike as wholes.
    other = int(channel != CHANNELS.index("neighbour"))
    least, least_whole = np.float64(_TIE[other]), np.float64(_TIE_WHOLE[other])
    for_tie = (orientation == 0) & ~known & (whole >= least_whole)
    fore = np.flatnonzero(known & (orientation == 0))
    thumbs, one, two = _opened(sieve.foreground_thumbs, a[fore], b[fore])
    upright = np.zeros(len(fore), np.int8)
    near = np.flatnonzero(correlations(thumbs, one, two, upright) >= least - _SLACK)
    for_tie[fore[near]] = aligned(thumbs, one[near], two[near], upright[near]) >= least
    kept = for_copy | for_tie
    no = np.zeros(int(kept.sum()), bool)
    return _columns(a[kept], b[kept], orientation[kept], channel, for_copy[kept], for_tie[kept], no, whole[kept])


def _opened(thumbs: Thumbs, a: Rows, b: Rows) -> tuple[NDArray[np.uint8], Rows, Rows]:
    """The pictures of some pairs, each once, and which of them each pair is of."""
    numbers, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    one, two = np.split(place, 2)
    return thumbs.take(numbers), one, two


def _columns(
    a: Rows,
    b: Rows,
    orientation: NDArray[np.int8],
    channel: int,
    *uses_and_likeness: NDArray[Any],
) -> _Survivors:
    return a, b, orientation, np.full(len(a), 1 << channel, np.uint8), *uses_and_likeness


def _nothing() -> _Survivors:
    rows, no = np.zeros(0, np.int64), np.zeros(0, bool)
    return _columns(rows, rows, np.zeros(0, np.int8), 0, no, no, no, np.zeros(0, np.float32))


def _merged(
    kept: Sequence[_Survivors],
    proposed: dict[str, int],
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
        radius,
        crowds,
    )
