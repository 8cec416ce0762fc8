"""Components into parts.

It could be wrong while tests pass if the figures were the optimiser's own, or if a bound were only ever compared with
what the search found: so costs are counted anew, and bounds and proofs are compared with every assignment there is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splits.conftest import cost_of, every_assignment, task
from xqdata.splits.balance import balance
from xqdata.splits.bounds import rounding, row_bound

SHARES = st.sampled_from([(1, 1), (3, 1), (14, 3, 3), (1, 1, 1), (2, 1, 1), (1, 1, 1, 1)])


@st.composite
def tables(draw: st.DrawFn, most: int = 6, rows: int = 3) -> list[list[int]]:
    """Counts of a few components in a few rows, many of them 0; no component is empty."""
    count, width = draw(st.integers(1, most)), draw(st.integers(1, rows))
    cell = st.one_of(st.just(0), st.integers(1, 9))
    row = st.lists(cell, min_size=width, max_size=width).filter(any)
    return draw(st.lists(row, min_size=count, max_size=count))


@given(tables(most=5), SHARES)
@settings(max_examples=150)
def test_nothing_beats_what_is_said_to_be_unbeaten(counts: list[list[int]], shares: tuple[int, ...]) -> None:
    problem = task(counts, shares)
    found = balance(problem)
    best = min(cost_of(problem, parts) for parts in every_assignment(len(counts), len(shares)))
    mine = cost_of(problem, found.parts)
    assert mine == (found.empty, found.deviation * sum(shares))
    assert found.least_empty <= best[0]
    if found.empty == best[0]:
        assert found.bound * sum(shares) <= best[1]
    if found.proven:
        assert mine == best


@given(tables(most=6), SHARES)
@settings(max_examples=40)
def test_every_class_is_everywhere_if_it_can_be_and_small_problems_are_solved(
    counts: list[list[int]], shares: tuple[int, ...]
) -> None:
    problem = task(counts, shares)
    best = min(cost_of(problem, parts) for parts in every_assignment(len(counts), len(shares)))
    found = balance(problem)
    assert found.empty == best[0] == found.least_empty
    assert cost_of(problem, found.parts) == best


@given(tables(most=25, rows=4), SHARES)
@settings(max_examples=15)
def test_never_worse_than_greedy_and_never_better_than_the_bound(
    counts: list[list[int]], shares: tuple[int, ...]
) -> None:
    found = balance(task(counts, shares))
    assert (found.empty, found.deviation) <= (found.greedy_empty, found.greedy)
    quick = balance(task(counts, shares), prove=False)
    assert (found.empty, found.deviation) <= (quick.empty, quick.deviation)
    assert found.bound <= found.deviation


@settings(max_examples=15)
@given(tables(most=20, rows=3), SHARES, st.randoms(use_true_random=False))
def test_the_order_of_components_changes_nothing(counts: list[list[int]], shares: tuple[int, ...], random) -> None:
    problem = task(counts, shares)
    order = list(range(len(counts)))
    random.shuffle(order)
    shuffled = task(np.array(counts)[order], shares, luck=problem.luck[order])
    assert balance(shuffled).parts.tolist() == balance(problem).parts[order].tolist()


@given(st.integers(0, 60), SHARES, st.booleans())
def test_the_best_rounding_is_the_best(total: int, shares: tuple[int, ...], must: bool) -> None:
    least = [int(must and total >= len(shares))] * len(shares)
    den = sum(shares)

    def ways(left: int, parts: int):
        if parts == 1:
            yield (left,)
            return
        for first in range(left + 1):
            yield from ((first, *rest) for rest in ways(left - first, parts - 1))

    best = min(
        sum(abs(den * x - share * total) for x, share in zip(way, shares, strict=True))
        for way in ways(total, len(shares))
        if all(x >= low for x, low in zip(way, least, strict=True))
    )
    assert rounding(total, shares, least) == best


@given(st.lists(st.integers(1, 30), min_size=1, max_size=7), SHARES, st.data())
@settings(max_examples=150)
def test_a_bound_of_one_row_holds_also_where_parts_hold_images_already(
    sizes: list[int], shares: tuple[int, ...], data: st.DataObject
) -> None:
    base = data.draw(st.lists(st.integers(0, 20), min_size=len(shares), max_size=len(shares)))
    den, total = sum(shares), sum(sizes) + sum(base)
    best = None
    for parts in every_assignment(len(sizes), len(shares)):
        held = [b + sum(s for s, p in zip(sizes, parts, strict=True) if p == q) for q, b in enumerate(base)]
        away = sum(abs(den * h - share * total) for h, share in zip(held, shares, strict=True))
        best = away if best is None else min(best, away)
    grouped = sorted({(s, sizes.count(s)) for s in sizes}, reverse=True)
    assert row_bound(grouped, base, shares, must=False) <= best


@given(tables(most=8, rows=3), st.integers(0, 3))
@settings(max_examples=30)
def test_what_lies_in_parts_already_is_counted(counts: list[list[int]], fixed: int) -> None:
    whole = task(counts, (2, 1, 1))
    fixed = min(fixed, len(counts) - 1)
    dense = np.array(counts)
    base, base_size = np.zeros((dense.shape[1], 3), np.int64), np.zeros(3, np.int64)
    for c in range(fixed):
        base[:, c % 3] += dense[c]
        base_size[c % 3] += dense[c].sum()
    found = balance(task(dense[fixed:], (2, 1, 1), base=base, base_size=base_size))
    parts = [c % 3 for c in range(fixed)] + found.parts.tolist()
    assert cost_of(whole, parts) == (found.empty, found.deviation * 4)


def test_100_000_pure_components_of_50_classes_are_proven_optimal() -> None:
    random = np.random.default_rng(0)
    sizes, classes = random.integers(1, 20, 100_000), random.integers(0, 50, 100_000)
    counts = np.zeros((100_000, 50), np.int64)
    counts[np.arange(100_000), classes] = sizes
    found = balance(task(counts, (14, 3, 3)))
    assert found.proven
    assert found.empty == 0


def test_large_sizes_and_uneven_shares_do_not_overflow() -> None:
    problem = task([[10**6], [10**6], [1]], (999_983, 17))
    found = balance(problem)
    assert found.parts.tolist() == [0, 0, 1]
    assert found.deviation * 10**6 == cost_of(problem, [0, 0, 1])[1]


_SCRIPT = """
import json, sys
import numpy as np
from splits.conftest import task
from xqdata.splits.balance import balance
# Python is a thousand times slower: less work, the same in both.
module = sys.modules["xqdata.splits.balance"]
module._STEPS, module._FEWEST_STEPS, module._LOOKS = 3_000, 500, 200_000
random = np.random.default_rng(1)
found = [balance(task(random.integers(0, 5, (9, 3)) + 1, s)).parts.tolist() for s in ((1, 1, 1), (14, 3, 3))]
print(json.dumps(found))
"""


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "PYTHONHASHSEED"])
def test_without_compiled_loops_and_in_another_process_it_is_the_same(variable: str) -> None:
    tests = str(Path(__file__).parents[1])
    here = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=tests, capture_output=True, text=True, check=True)
    environment = {**os.environ, variable: "1"}
    there = subprocess.run(
        [sys.executable, "-c", _SCRIPT], cwd=tests, capture_output=True, text=True, check=True, env=environment
    )
    assert json.loads(here.stdout) == json.loads(there.stdout)
