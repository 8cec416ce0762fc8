"""Candidates from pictures on disk: the same in pieces of any size, in one thread, in several, and elsewhere.

Wrong while green would be: a channel that stands in no test, so that its pieces may be lost; a pair whose two ends are
mixed up when their pictures are read; a cluster that is not told which files its nodes must see.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from xqdata.dedup import patches, propose, thumbs
from xqdata.dedup.coarse import aligned, correlations
from xqdata.dedup.pictures import Pictures
from xqdata.dedup.propose import CHANNELS, _merged, _pieces, _Sieve
from xqdata.dedup.thumbs import Thumbs
from xqdata.engine import Engine
from xqdata.features import SIDE, orientations


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Forty, of which many are much like another; every other one with a foreground; all made one after another."""
    folder, rng, count = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), 40
    coarse = rng.integers(0, 255, (count, 8, 8), np.uint8)
    coarse[26:] = coarse[:14]
    coarse[20:24] = coarse[20]
    shown = np.stack([cv2.resize(c, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for c in coarse])
    shown = np.clip(shown + rng.normal(0, 3, shown.shape), 0, 255).astype(np.uint8)
    fore = np.where(np.arange(count)[:, None, None] % 2, shown // 2, 0).astype(np.uint8)
    with thumbs.writing(folder / "thumbs", count) as put, thumbs.writing(folder / "foregrounds", count) as put_fore:
        for n in range(count):
            put(n, shown[n])
            put_fore(n, fore[n])
    with patches.writing(folder, count) as (shared, add):
        for n in range(count):  # each other one shares three with the next
            add(np.arange(3, dtype=np.uint64) + np.uint64(n // 2 * 3), np.full(3, n))
    hashes = np.array([orientations(picture) for picture in shown], np.uint64)
    return Pictures(
        phash8=hashes,
        content8=hashes[:, ::-1].copy(),
        foreground8=hashes,
        has_foreground=np.arange(count) % 2 == 1,
        phash256=np.repeat(hashes[:, :1], 4, axis=1),
        informative=np.ones(count, bool),
        machine=np.zeros(count, np.int64),
        order=np.arange(count, dtype=float),
        scan=np.where(np.arange(count) < 4, 1, -1),
        thumbs=Thumbs(folder / "thumbs"),
        foreground_thumbs=Thumbs(folder / "foregrounds"),
        patches=shared,
    )


def columns(found):
    return [getattr(found, name).tolist() for name in ("a", "b", "orientation", "channels", "for_copy", "for_tie",
                                                      "for_window")]  # fmt: skip


@pytest.fixture(scope="module")
def expected(pictures):
    found = propose.propose(pictures, workers=1)
    assert all(found.proposed.values())
    for name in ("phash", "neighbour", "descriptor", "shingles"):
        assert (found.channels >> propose.CHANNELS.index(name) & 1).any()
    return found


@pytest.mark.parametrize(("piece", "workers"), [(1, 1), (7, 3), (1024, 2)])
def test_pieces_and_threads_change_nothing(pictures, expected, monkeypatch, piece, workers):
    monkeypatch.setattr(propose, "_PIECE", piece)
    monkeypatch.setattr(propose, "_BLOCK", 100)
    found = propose.propose(pictures, workers=workers)
    assert columns(found) == columns(expected)
    assert found.proposed == expected.proposed


def test_what_passes_is_what_the_pictures_say(pictures):
    """The filter as a formula on all pairs of all pictures in memory."""
    a, b = np.triu_indices(40, 1)
    turned = np.random.default_rng(1).integers(0, 2, len(a)).astype(np.int8)
    every = np.arange(40)
    whole, fore = pictures.thumbs.take(every), pictures.foreground_thumbs.take(every)
    for channel in (CHANNELS.index("phash"), CHANNELS.index("neighbour")):
        alike, known = correlations(whole, a, b, turned), (a % 2 == 1) & (b % 2 == 1)
        copy = (alike >= propose._COPY[0]) & (aligned(whole, a, b, turned) >= propose._COPY[1])
        far = int(channel != CHANNELS.index("neighbour"))
        near = correlations(fore, a, b, turned) >= propose._TIE[far] - propose._SLACK
        laid = near & (aligned(fore, a, b, turned) >= propose._TIE[far])
        tie = (turned == 0) & np.where(known, laid, alike >= propose._TIE_WHOLE[far])
        apart = (a >= 4) | (b >= 4)
        assert copy.any() and tie[known].any() and tie[~known].any()
        pieces = _pieces(pictures, propose._Batch(a, b, turned), channel)
        sieve = _Sieve(pictures.thumbs, pictures.foreground_thumbs)
        found = _merged([propose._sifted(sieve, piece) for piece in pieces], {}, 0, [])
        kept = apart & (copy | tie)
        assert columns(found)[:2] == [a[kept].tolist(), b[kept].tolist()]
        assert columns(found)[4:6] == [copy[kept].tolist(), tie[kept].tolist()]


def test_a_cluster_is_told_which_files_its_nodes_must_see(pictures, expected, monkeypatch, tmp_path):
    told = []

    def map_shards(function, shards, *, workers, sees):
        told.extend(sees)
        return ((shard, function(shard)) for shard in shards)

    monkeypatch.setattr(propose, "chosen", lambda: Engine("ray"))
    monkeypatch.setattr(propose, "map_shards", map_shards)
    monkeypatch.setattr(propose, "_FEW", 2)
    assert columns(propose.propose(pictures, sees=[tmp_path])) == columns(expected)
    assert told == [tmp_path, pictures.thumbs.path, pictures.foreground_thumbs.path]


def test_no_channel_tells_a_pair_twice(pictures):
    """Four words of one hash, and both ends of a pair, may find it: it is filtered and counted once."""
    for name, batches in (
        ("phash256", propose._wide(pictures, 1)),
        ("descriptor", propose._nearest(pictures)),
    ):
        pairs = [pair for batch in batches for pair in zip(batch.a.tolist(), batch.b.tolist(), strict=True)]
        assert pairs, name
        assert len(set(pairs)) == len(pairs), name
        assert all(a < b for a, b in pairs), name
