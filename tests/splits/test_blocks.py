"""Axes that cross.

It could be wrong while tests pass if "fewest" were only compared with what the search itself found, or with a MILP that
shares its mistake: so small problems are compared with every assignment of levels and components there is.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from xqdata.splits.blocks import Crossing, cross
from xqdata.splits.crossing import LEAST, WHOLE


def crossing(
    component: list[int], level: list[int], kind: list[int], shares: tuple[int, ...], seed: int = 0
) -> Crossing:
    count, levels, kinds = max(component) + 1, max(level) + 1, max(kind) + 1
    ones = np.ones(len(kind), np.int64)
    return Crossing(
        np.array(component),
        np.array(level)[:, None],
        np.zeros(levels, np.int64),
        np.full(count, -1),
        sp.csr_array((ones, (np.arange(len(kind)), kind)), shape=(len(kind), kinds)),
        shares,
        (None,) * len(shares),
        np.ones(kinds, bool),
        np.ones(kinds, bool),
        np.random.PCG64(seed).random_raw(levels).astype(np.int64) >> 1,
    )


def cost_of(task: Crossing, of_component: tuple[int, ...], of_level: tuple[int, ...]) -> tuple[int, int, int]:
    """Empty pairs, what parts lack, images set aside; counted without the code under test."""
    kinds = task.counts.toarray().argmax(1)
    used: list[list[int]] = [[] for _ in task.shares]
    for c, level, kind in zip(task.component, task.levels[:, 0], kinds, strict=True):
        if of_component[c] == of_level[level]:
            used[of_component[c]].append(kind)
    whole = sum(map(len, used))
    empty = sum(kind not in part for part in used for kind in {*kinds}) + sum(not part for part in used)
    lacks = 0
    for part, share in zip(used, task.shares, strict=True):
        need = -(-LEAST * share * whole // (WHOLE * sum(task.shares)))
        lacks += max(0, need - len(part))
    return empty, lacks, len(task.component) - whole


def least(task: Crossing) -> tuple[int, int, int]:
    parts = range(len(task.shares))
    return min(
        cost_of(task, c, z)
        for z in itertools.product(parts, repeat=len(task.allowed))
        for c in itertools.product(parts, repeat=len(task.pinned))
    )


@st.composite
def problems(draw: st.DrawFn, most: int) -> Crossing:
    images = draw(st.integers(4, 18))
    components, levels, kinds = draw(st.integers(2, most)), draw(st.integers(2, 4)), draw(st.integers(1, 2))

    def numbers(below: int) -> list[int]:
        drawn = draw(st.lists(st.integers(0, below - 1), min_size=images, max_size=images))
        return np.unique(drawn, return_inverse=True)[1].tolist()

    shares = draw(st.sampled_from([(1, 1), (3, 1)]))
    return crossing(numbers(components), numbers(levels), numbers(kinds), shares)


@given(problems(most=5))
@settings(max_examples=40)
def test_no_assignment_is_better_and_what_is_proven_is_true(task: Crossing) -> None:
    best = least(task)
    found = cross(task)
    of_component, of_level = tuple(found.of_component.tolist()), tuple(found.of_level.tolist())
    assert cost_of(task, of_component, of_level) == (found.empty, found.shortfall, found.aside)
    assert (found.empty, found.shortfall) == best[:2]
    assert found.aside == best[2]
    if found.least_aside is not None:
        assert found.least_aside <= best[2]


@given(problems(most=6))
@settings(max_examples=60)
def test_without_the_milp_it_is_nearly_as_good_and_bounds_hold(task: Crossing) -> None:
    found, exact = cross(task, exactly=False), cross(task)
    assert found.empty == exact.empty
    if found.shortfall == exact.shortfall:
        assert found.aside <= exact.aside + 1
    if found.least_aside is not None and (found.empty, found.shortfall) == (exact.empty, exact.shortfall):
        assert found.least_aside <= exact.aside


def test_levels_that_share_no_component_cost_nothing() -> None:
    component = list(range(30))
    level = [c % 6 for c in component]
    found = cross(crossing(component, level, [0] * 30, (1, 1, 1)))
    assert found.aside == 0
    assert found.least_aside == 0
    assert np.bincount(found.parts).tolist() == [10, 10, 10]


def test_a_split_that_costs_nothing_is_found_among_islands_of_levels() -> None:
    # Two islands of levels; within each, components cross all its levels.
    component, level = [], []
    for island in range(2):
        for c in range(10):
            for z in range(5):
                component.append(island * 10 + c)
                level.append(island * 5 + z)
    found = cross(crossing(component, level, [0] * 100, (1, 1)))
    assert found.aside == 0


def test_no_seed_is_much_worse_than_another() -> None:
    random = np.random.default_rng(0)
    component, level = random.integers(0, 60, 800).tolist(), random.integers(0, 10, 800).tolist()
    kind = [c % 6 for c in component]
    found = [cross(crossing(component, level, kind, (14, 3, 3), seed)) for seed in range(4)]
    aside = [f.aside for f in found]
    assert max(aside) <= 1.05 * min(aside)
    assert all((f.empty, f.shortfall) == (0, 0) for f in found)


_SCRIPT = """
import json
import numpy as np
from splits.test_blocks import crossing
from xqdata.splits.blocks import cross
random = np.random.default_rng(1)
component, level = random.integers(0, 7, 60).tolist(), random.integers(0, 4, 60).tolist()
found = cross(crossing(component, level, [c % 2 for c in component], (3, 1)))
print(json.dumps([found.parts.tolist(), found.least_aside]))
"""


def test_without_compiled_loops_it_is_the_same() -> None:
    tests = str(Path(__file__).parents[1])
    told = [
        subprocess.run(
            [sys.executable, "-c", _SCRIPT], cwd=tests, capture_output=True, text=True, check=True, env=environment
        ).stdout
        for environment in ({**os.environ}, {**os.environ, "NUMBA_DISABLE_JIT": "1"})
    ]
    assert json.loads(told[0]) == json.loads(told[1])
