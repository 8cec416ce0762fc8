"""The comparison with peers counts right: pairs by kind, ties by scan, look-alikes, and rare copies."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from xqdata.manifest import Project

FOLDER = Path(__file__).parents[2] / "benchmark" / "dedup"
NAMES = ("compare", "copies", "judging", "tally", "workloads")


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's modules, whose folder is on the path while they are imported."""
    kept = {name: sys.modules.pop(name, None) for name in NAMES}
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("judging"), importlib.import_module("workloads")
    finally:
        sys.path.remove(str(FOLDER))
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.fixture(scope="module")
def case(benchmark):
    """A scan a with two copies and an edited scan; b, a rescan of a; c, other things in the same basket."""
    _, workloads = benchmark
    made = [
        ("a", "a", "scan", "bag1", "s1", "apple"),
        ("a-jpeg", "a", "copy", "bag1", "s1", "apple"),
        ("a-turned", "a", "copy", "bag1", "s1", "apple"),
        ("a-more", "a", "edit", "bag1", "", ""),
        ("b", "b", "scan", "bag1", "s1", "apple"),
        ("c", "c", "scan", "bag2", "s2", "egg"),
        ("d", "d", "scan", "bag3", "s1", "apple"),
    ]
    pictures = [
        workloads.Picture(
            path, root, kind, frozenset(), bag, frozenset(o.split()), frozenset(s.split()), "", "basket-1"
        )
        for path, root, kind, bag, s, o in made
    ]
    kinds = {(0, 1): "re-encoded", (0, 2): "turned", (1, 2): "turned", (3, 4): "unjudged"}
    kinds |= {(0, 4): "rescan", (1, 4): "rescan", (2, 4): "rescan"}
    pairs = sorted((a * len(made) + b, workloads.KINDS.index(kind)) for (a, b), kind in kinds.items())
    keys, codes = np.array(pairs).T
    return workloads.Case("toy", Project(Path()), pictures, [], [], keys, codes.astype(np.int8))


def keys(case, *pairs):
    return np.array([a * len(case) + b for a, b in pairs], np.int64)


def counted(shares, *key):
    return shares.hits(*key), shares.of(*key)


def test_pairs_of_a_peer(benchmark, case):
    judging, _ = benchmark
    shares = judging.Shares()
    # One copy, one rescan, the edited scan, one that is not judged, and two scans that only look alike.
    found = judging.of_peer(np.array([(0, 1), (0, 4), (0, 3), (3, 4), (0, 6)]), len(case))
    judging.judge(case, "peer", found, shares)
    judging.look_alikes(case, shares, ["peer"])
    assert counted(shares, "recall", "peer", "re-encoded") == (1, 1)
    assert counted(shares, "recall", "peer", "turned") == (0, 2)
    assert counted(shares, "recall", "peer", "copies") == (1, 3)
    assert counted(shares, "recall", "peer", "rescan") == (1, 1)
    assert counted(shares, "precision", "peer", "copies") == (1, 4)
    assert counted(shares, "precision", "peer", "any") == (2, 4)
    # a, b, c, d are scans: a and b are one packing.
    assert counted(shares, "false", "peer", "all") == (1, 5)
    assert counted(shares, "false", "peer", "pose") == (1, 2)
    assert counted(shares, "false", "peer", "container") == (0, 3)
    assert counted(shares, "false", "peer", "round") == (1, 2)
    assert counted(shares, "false", "peer", "edit") == (1, 3)


def test_links_count_for_what_they_claim_and_ties_by_scan(benchmark, case):
    judging, _ = benchmark
    shares = judging.Shares()
    links = {"re-encoded": keys(case, (0, 1)), "turned": keys(case, (1, 2), (0, 5))}
    ties = {"rescan": keys(case, (1, 4), (4, 5), (3, 4))}
    found = judging.Found(keys(case, (0, 1), (0, 2), (1, 2), (0, 5)), links, ties, {}, keys(case))
    judging.judge(case, judging.OURS, found, shares)
    assert counted(shares, "precision", judging.OURS, "re-encoded") == (1, 1)
    assert counted(shares, "precision", judging.OURS, "turned") == (1, 2)
    # The copy of a stands for a; the edited scan is not judged.
    assert counted(shares, "recall", judging.OURS, "rescan") == (1, 1)
    assert counted(shares, "precision", judging.OURS, "rescan") == (1, 2)
    assert counted(shares, "false", f"{judging.OURS}, ties", "all") == (1, 0)


def test_rare_copies(benchmark, case):
    judging, _ = benchmark
    shares = judging.Shares()
    found = judging.of_peer(np.array([(0, 1), (0, 2), (1, 2), (4, 5)]), len(case))
    judging.rare(case, "peer", found, 0.0, shares)
    # One copy in each draw: one pair of copies and one that is none.
    assert counted(shares, "rare", "peer", "0.0", "precision") == (100, 200)
    assert counted(shares, "rare", "peer", "0.0", "recall") == (100, 100)
    assert shares.told("rare", "peer", "0.0", "recall") == "1.000 (0.963 to 1.000)"
    assert judging.floor(1999, 2000) == "0.999"
