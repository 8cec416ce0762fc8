"""The join of hashes against comparing each with each.

Wrong while green would be: small inputs only, which the plan compares one by one, so that no table is ever sorted; a
pair told by two tables, which a set of pairs hides; a buffer that runs full between two pairs; hashes of zeros, which
look like the padding behind the last one; an orientation that is right but the wrong way round.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xqdata.dedup import loops, pigeonhole
from xqdata.dedup.census import census
from xqdata.dedup.hits import INVERSE, Side
from xqdata.dedup.join import Join, Pairs, distance256, oriented_pairs, pairs_within, run
from xqdata.hashing import hashes as hashes_of

FULL = 2**64 - 1
KINDS = ("random", "clustered", "skewed", "few bits", "equal", "extremes", "half set")


@pytest.fixture(params=["as it is", "dear"])
def price_of_comparing(request, monkeypatch):
    """Dear: tables, and tables inside of their buckets, pay for a few hashes already."""
    if request.param == "dear":
        monkeypatch.setattr(pigeonhole, "_COMPARE", 50.0)
        monkeypatch.setattr(pigeonhole, "_PLAN", 2e4)


def make(kind: str, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    some = rng.integers(0, FULL, count, np.uint64, endpoint=True)
    bases = rng.integers(0, FULL, 1 + count // 20, np.uint64, endpoint=True)
    if kind == "clustered":
        return flipped(bases[rng.integers(0, len(bases), count)], rng, 8)
    if kind == "skewed":  # most bits rarely vary, as behind a basket that is always there
        bits = np.zeros((count, 64), bool)
        bits[:, rng.permutation(64)[:26]] = rng.random((count, 26)) < rng.uniform(0.02, 0.4, 26)
        return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).reshape(count) ^ bases[0]
    if kind == "few bits":
        return some & np.uint64(0xF00000000000000F)
    if kind == "equal":
        return np.full(count, bases[0])
    if kind == "extremes":
        return np.array([0, 1, 2**63, FULL, FULL - 1], np.uint64)[rng.integers(0, 5, count)]
    if kind == "half set":
        order = rng.random((count, 64)).argsort(axis=1) < 32
        order[count // 2 :] = order[: count - count // 2]
        return np.packbits(order, axis=1).view(">u8").astype(np.uint64).reshape(count)
    return some


def flipped(values: np.ndarray, rng: np.random.Generator, most: int) -> np.ndarray:
    """`values` with up to `most` bits of each flipped, the low ones more often."""
    for n in range(most):
        bit = np.minimum(rng.geometric(0.05, values.shape), 64) - 1
        values = values ^ np.where(rng.random(values.shape) < 0.5 / (n + 1), np.uint64(1) << bit.astype(np.uint64), 0)
    return values.astype(np.uint64)


columns = st.builds(make, st.sampled_from(KINDS), st.integers(0, 300), st.integers(0, 2**32))
radii = st.integers(0, 12)


def rows(pieces: Iterable[Pairs]) -> list[tuple[int, ...]]:
    """All pairs as sorted rows: a pair that is told twice stays twice."""
    return sorted(row for piece in pieces for row in zip(*(column.tolist() for column in piece), strict=True))


def each_with_each(hashes: np.ndarray, radius: int) -> list[tuple[int, ...]]:
    return [(a, b, d, 0) for a, b, d in near(hashes, hashes, radius) if a < b]


def near(a: np.ndarray, b: np.ndarray, radius: int) -> list[tuple[int, int, int]]:
    distance = np.bitwise_count(a[:, None] ^ b[None, :])
    first, second = np.nonzero(distance <= radius)
    return list(zip(first.tolist(), second.tolist(), distance[first, second].tolist(), strict=True))


def each_in_all_orientations(turned: np.ndarray, radius: int) -> list[tuple[int, ...]]:
    found = []
    for a in range(len(turned)):
        for b in range(a + 1, len(turned)):
            forth = np.bitwise_count(turned[a, 0] ^ turned[b])
            back = np.bitwise_count(turned[b, 0] ^ turned[a][INVERSE])
            best = np.minimum(forth, back)
            if best.min() <= radius:
                found.append((a, b, int(best.min()), int(best.argmin())))
    return found


@settings(max_examples=40)
@given(columns, radii, st.sampled_from([1, 64, 1000]))
@example(np.zeros(0, np.uint64), 8, 64)
@example(np.zeros(70, np.uint64), 12, 64)
def test_every_pair_within_the_radius_is_told_once(price_of_comparing, hashes, radius, chunk):
    assert rows(pairs_within(hashes, radius, chunk=chunk, workers=1)) == each_with_each(hashes, radius)


@settings(max_examples=25)
@given(st.sampled_from(KINDS), st.integers(0, 50), st.integers(0, 2**32), radii)
def test_every_pair_is_told_once_with_its_best_orientation(price_of_comparing, kind, count, seed, radius):
    rng = np.random.default_rng(seed)
    turned = make(kind, 8 * count, seed).reshape(count, 8)
    # Some are others turned, some look alike in several orientations, some are the very same.
    for n in range(1, count):
        other, g = turned[rng.integers(n)], rng.integers(8)
        turned[n] = [np.roll(other, g), flipped(np.roll(other, g), rng, 3), other, turned[n], turned[n, [0] * 8]][n % 5]
    assert rows(oriented_pairs(turned, radius, workers=1)) == each_in_all_orientations(turned, radius)


@pytest.mark.parametrize("kind", ["clustered", "skewed", "half set"])
@pytest.mark.parametrize("radius", [2, 4, 8])
def test_thousands_of_hashes_by_the_plan_as_it_is(kind, radius):
    hashes = make(kind, 30_000 if kind != "skewed" else 1500, radius)
    assert kind == "skewed" or Join.of_one(hashes, radius).chosen.blocks
    pairs = [np.concatenate(column) for column in zip(*pairs_within(hashes, radius, crowd=10**6), strict=True)]
    assert (pairs[0] < pairs[1]).all()
    assert len(np.unique(pairs[0] * len(hashes) + pairs[1])) == len(pairs[0])
    assert np.array_equal(np.bitwise_count(hashes[pairs[0]] ^ hashes[pairs[1]]), pairs[2])
    within = sum(int((np.bitwise_count(hashes[n:] ^ h) <= radius).sum()) for n, h in enumerate(hashes[:-1], 1))
    assert len(pairs[0]) == within


def test_a_plan_is_not_misled_by_pictures_near_to_themselves():
    """Each picture is near to itself in one of its orientations: few of all pairs, however the sample is drawn."""
    count = 50_000
    hashes = make("random", 8 * count, 3)
    plain, turned = Side.of(hashes[::8]), Side.of(hashes)
    near = pigeonhole._Sample(plain, turned, 8).near
    assert 0.3 * count < near[0] < 3 * count
    assert near[1:].sum() == 0


def test_a_bucket_that_stays_large_is_split_again(monkeypatch):
    """Most hashes share 52 bits, so tables over these alone have one bucket of nearly all."""
    inside: list[pigeonhole.Plan] = []
    plan = pigeonhole.plan
    monkeypatch.setattr(pigeonhole, "_COMPARE", 50.0)
    monkeypatch.setattr(pigeonhole, "_PLAN", 2e4)
    hashes = np.concatenate([make("random", 300, 1), np.arange(0, 4096, 3).astype(np.uint64) << np.uint64(20)])
    join = Join.of_one(hashes, 2)
    monkeypatch.setattr(pigeonhole, "plan", lambda *args: inside.append(plan(*args)) or inside[-1])
    assert rows(run(join, chunk=1000, workers=1)) == each_with_each(hashes, 2)
    assert join.chosen.blocks
    assert any(inner.blocks for inner in inside)


@settings(max_examples=25)
@given(columns, radii, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(hashes, radius, random):
    order = np.array(random.sample(range(len(hashes)), len(hashes)), np.int64)
    again = [
        (*sorted((int(order[a]), int(order[b]))), *rest) for a, b, *rest in rows(pairs_within(hashes[order], radius))
    ]
    assert sorted(again) == rows(pairs_within(hashes, radius))


@settings(max_examples=25)
@given(columns, radii, st.sampled_from([1, 2, 5]))
@example(np.zeros(300, np.uint64), 8, 5)
def test_crowds_stand_for_their_rows(hashes, radius, crowd):
    matches = pairs_within(hashes, radius, crowd=crowd)
    members = {int(group[0]): group.tolist() for group in matches.crowds}
    for group in members.values():
        assert len(group) > crowd
        assert group == np.flatnonzero(hashes == hashes[group[0]]).tolist()
    pairs = [(a, b, 0, 0) for group in members.values() for a in group for b in group if a < b]
    for a, b, *rest in rows(matches):
        pairs += [(*sorted((i, j)), *rest) for i in members.get(a, [a]) for j in members.get(b, [b])]
    assert sorted(pairs) == each_with_each(hashes, radius)


def test_crowds_of_orientations():
    matches = oriented_pairs(np.full((9, 8), 5, np.uint64), 8, crowd=8)
    assert [group.tolist() for group in matches.crowds] == [list(range(9))]
    assert rows(matches) == []


def test_millions_of_equal_hashes_are_one_crowd():
    matches = pairs_within(np.full(2_000_000, 7, np.uint64), 8)
    assert [len(group) for group in matches.crowds] == [2_000_000]
    assert rows(matches) == []


@settings(max_examples=15)
@given(columns, st.integers(1, 100))
def test_pieces_are_bounded(hashes, chunk):
    sizes = [len(piece.first) for piece in pairs_within(hashes, 12, crowd=5, chunk=chunk)]
    assert max(sizes, default=0) <= chunk + max(chunk, 64) + 25
    assert min(sizes, default=1) > 0


def test_threads_find_what_one_finds():
    join = Join.of_one(make("clustered", 30_000, 4), 8)
    assert len(join.tasks()) > 4
    assert rows(run(join, chunk=500, workers=3)) == rows(run(join, chunk=10**6, workers=1))


def test_a_caller_that_stops_early_ends_the_threads():
    before = threading.active_count()
    running = iter(pairs_within(make("skewed", 3000, 0), 12, chunk=64, workers=3))
    next(running)
    running.close()
    assert threading.active_count() == before


def test_an_error_in_a_thread_is_raised_here(monkeypatch):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(loops, "sort_by_key", fail)
    with pytest.raises(MemoryError, match="no room"):
        list(pairs_within(make("random", 30_000, 0), 8, workers=2))


def test_the_orientation_turns_the_second_picture_to_the_first():
    picture = np.zeros((40, 40), np.uint8)
    picture[4:12, 6:30], picture[10:33, 3:9], picture[20:24, 20:36] = 200, 120, 80

    def all_turns(grey: np.ndarray) -> list[np.ndarray]:
        return [np.rot90(side, turn) for side in (grey, np.fliplr(grey)) for turn in range(4)]

    pictures = [picture, *all_turns(picture)]
    turned = np.array(
        [[hashes_of(np.ascontiguousarray(t)).phash for t in all_turns(p)] for p in pictures], dtype=np.uint64
    )
    assert len(set(turned[0].tolist())) == 8
    pairs = rows(oriented_pairs(turned, 4))
    assert len(pairs) == 9 * 8 // 2
    for first, second, distance, orientation in pairs:
        assert np.array_equal(all_turns(pictures[second])[orientation], pictures[first])
        assert distance <= 2


@settings(max_examples=30)
@given(columns, radii)
def test_a_census_of_all_rows_is_exact(hashes, radius):
    told = [distance for _, _, distance, _ in rows(pairs_within(hashes, radius, crowd=3))]
    counted = census(hashes, radius, crowd=3)
    assert counted.exact
    assert counted.pairs.tolist() == np.cumsum(np.bincount(told, minlength=radius + 1)).tolist()


@settings(max_examples=10)
@given(st.sampled_from(KINDS), st.integers(0, 12), st.integers(0, 2**32), radii)
def test_a_census_of_orientations_is_exact(kind, count, seed, radius):
    turned = make(kind, 8 * count, seed).reshape(count, 8)
    told = [distance for _, _, distance, _ in rows(oriented_pairs(turned, radius))]
    assert census(turned, radius).pairs.tolist() == np.cumsum(np.bincount(told, minlength=radius + 1)).tolist()


@pytest.mark.parametrize("kind", ["clustered", "skewed"])
def test_a_sampled_census_is_near_and_no_matter_of_order(kind):
    hashes = make(kind, 6000, 3)
    whole = census(hashes, 8)
    sampled = census(hashes, 8, comparisons=1000 * 6000)
    assert not sampled.exact
    assert sampled.sampled < 2500
    assert np.allclose(sampled.pairs, whole.pairs, rtol=0.15)
    assert np.array_equal(census(hashes[::-1].copy(), 8, comparisons=1000 * 6000).pairs, sampled.pairs)


def test_the_radius_shrinks_to_a_budget():
    hashes = make("skewed", 1000, 1)
    counted = census(hashes, 8)
    for budget in (counted.pairs[3], counted.pairs[8], counted.pairs[0]):
        radius = counted.radius_within(budget)
        assert len(rows(pairs_within(hashes, radius))) <= budget
        assert radius == 8 or counted.pairs[radius + 1] > budget
    assert counted.radius_within(counted.pairs[0] - 1) is None


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(0, 300), st.integers(0, 2**32))
def test_distances_of_256_bits(count, pairs, seed):
    rng = np.random.default_rng(seed)
    data = [rng.bytes(32) for _ in range(count)]
    words = np.frombuffer(b"".join(data), np.uint64).reshape(-1, 4)
    first, second = rng.integers(0, count, (2, pairs))
    ints = [int.from_bytes(d, "big") for d in data]
    expected = [(ints[a] ^ ints[b]).bit_count() for a, b in zip(first, second, strict=True)]
    assert distance256(words, first, second).tolist() == expected
    assert distance256(np.array([[FULL] * 4, [0] * 4], np.uint64), np.array([0]), np.array([1])).tolist() == [256]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pairs_within(np.zeros(3, np.int64), 8), "hashes is int64"),
        (lambda: pairs_within(np.zeros((3, 8), np.uint64), 8), "hashes is uint64 of shape"),
        (lambda: pairs_within(np.zeros(3, np.uint64), 65), "radius is 65"),
        (lambda: pairs_within(np.zeros(3, np.uint64), -1), "radius is -1"),
        (lambda: oriented_pairs(np.zeros((3, 4), np.uint64), 8), r"not \(n, 8\)"),
        (lambda: distance256(np.zeros((3, 32), np.uint8), np.zeros(0, int), np.zeros(0, int)), "hashes is uint8"),
        (lambda: census(np.zeros((3, 3), np.uint64), 8), r"not \(n, 8\)"),
    ],
)
def test_other_types_and_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
