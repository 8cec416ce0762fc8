"""Patches that pictures share, counted file by file.

Wrong while green would be: a pair whose patches fall into several files counted in each alone; a pair told from its
other end as well; patches added in another order than that of the pictures.
"""

from itertools import combinations

import numpy as np
import pytest

from xqdata.dedup import patches


def counted(of: dict[int, set[int]], least: int) -> list[tuple[int, int]]:
    every = [h for own in of.values() for h in own]
    rare = {h for h in every if every.count(h) <= patches._COMMON}
    return [(a, b) for a, b in combinations(sorted(of), 2) if len(of[a] & of[b] & rare) >= least]


@pytest.mark.parametrize(("pictures", "few"), [(4096, 1 << 20), (7, 1), (1, 5)])
def test_pairs_are_those_of_sets(tmp_path, monkeypatch, pictures, few):
    monkeypatch.setattr(patches, "_PICTURES", pictures)
    monkeypatch.setattr(patches, "_FEW", few)
    rng = np.random.default_rng(3)
    of = {n: set(rng.integers(0, 150, 9).tolist()) for n in range(60)}
    for own in of.values():
        own.add(7)  # what all have is no noise
    with patches.writing(tmp_path, 60) as (made, add):
        for some in np.split(rng.permutation(60), [5, 6, 40]):
            hashes = [np.array(sorted(of[n]), np.uint64) for n in some]
            add(np.concatenate(hashes), np.repeat(some, [len(h) for h in hashes]))
    assert len(made.files) == min(patches._FILES, 1 + 60 // pictures)
    for least in (1, 2, 3):
        a, b = made.shared(least)
        assert list(zip(a.tolist(), b.tolist(), strict=True)) == counted(of, least)
    assert counted(of, 2)


def test_none_share_nothing(tmp_path):
    with patches.writing(tmp_path, 0) as (made, _):
        pass
    assert [len(column) for column in made.shared(1)] == [0, 0]
