"""One piece of a balancing problem, solved by the first of several ways that can: and what is proven then."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xqdata.splits import bounds, exact, loops
from xqdata.splits.loops import Aims, Graph, Ints, Search
from xqdata.splits.state import Floor, State

# Components that trying everything may have, and numbers of a MILP: more would never end.
_MOST_TRIED = 16
_MOST_VARIABLES, _MOST_ENTRIES = 150, 6_000

Bound = tuple[int, int] | None


@dataclass
class Effort:
    """The work that is left for the pieces of one problem: `steps` of annealing for each, `looks` at numbers for each
    when everything is tried, and how many MILPs there may be.
    """

    steps: int
    looks: int
    milps: int


def solve_piece(state: State, floor: Floor, effort: Effort) -> Bound:
    """Improve `state` in place; a better lower bound of (empty pairs, deviation in 1/den images), if one was found."""
    found = _table(state)
    if found is not None:
        return found
    state.anneal(floor.goal, effort.steps)
    if floor.met(state.cost()):
        return None
    found = _exhaust(state, effort.looks) if state.many.sum() <= _MOST_TRIED else None
    if found is None and effort.milps > 0 and small_enough(state):
        effort.milps -= 1
        found = solve_milp(state, floor, whole=False)
    return found


def small_enough(state: State) -> bool:
    """Whether a MILP would end in time."""
    return state.n.size <= _MOST_VARIABLES and state.matrix.nnz * len(state.shares) <= _MOST_ENTRIES


def _units(state: State) -> Ints:
    """The type of each component, the largest first, equal ones side by side."""
    return np.repeat(np.arange(len(state.many)), state.many)


def _take(state: State, types: Ints, parts: Ints) -> None:
    """Give the components of `types` the `parts`, if that is better than what stands."""
    before, old = state.cost(), state.n
    n = np.zeros_like(old)
    np.add.at(n, (types, parts), 1)
    state.put(n)
    if state.cost()[:2] >= before[:2]:
        state.put(old)


def _table(state: State) -> Bound:
    if len(state.weighs) != 2 or not state.weighs[0]:
        return None
    sizes = np.repeat(np.asarray(state.matrix[:, [0]].todense()).ravel(), state.many).tolist()
    found = bounds.exact_row(
        sizes, state.base[0].tolist(), state.shares, bool(state.must[0]), state.chance(len(sizes)).tolist()
    )
    if found is None:
        return None
    deviation, parts = found
    _take(state, _units(state), np.array(parts))
    held = state.base[0] + np.bincount(parts, weights=sizes, minlength=len(state.shares))
    return int((held == 0).sum()) if state.must[0] else 0, deviation


def _exhaust(state: State, budget: int) -> Bound:
    units = _units(state)
    inner = state.matrix[:, :-1][units]
    parts = len(state.shares)
    held = (inner.toarray() > 0).astype(np.int64)
    left = np.concatenate([np.cumsum(held[::-1], axis=0)[::-1], np.zeros((1, held.shape[1]), np.int64)])
    kinds = [(state.shares[p], *state.base[:-1, p].tolist()) for p in range(parts)]
    turn = np.argsort(state.chance(len(units) * parts).reshape(len(units), parts), axis=1)
    start, row, value = (np.ascontiguousarray(a, np.int64) for a in (inner.indptr, inner.indices, inner.data))
    search = Search(
        np.append(False, units[1:] == units[:-1]), left, np.array([kinds.index(kind) for kind in kinds]), turn
    )
    aims = Aims(state.want[:-1], state.den, 0, state.weighs[:-1], state.must[:-1])
    best, chosen = np.array(state.inner_cost(), np.int64), np.full(len(units), -1, np.int64)
    graph = Graph(start, row, value, state.graph.types_start, state.graph.types)
    ended = loops.exhaust(graph, search, state.base[:-1].copy(), aims, best, chosen, budget)
    if chosen[0] >= 0:
        _take(state, units, chosen)
    return (int(best[0]), int(best[1])) if ended else None


def solve_milp(state: State, floor: Floor, whole: bool) -> Bound:
    """HiGHS on the count vectors. Its solution is taken only if it is better, and singled out among its equals.

    Returns the least (empty pairs, deviation) as a bound, with the parts' sizes if `whole`; None if it found none.
    """
    program = exact.balance_program(state, whole)
    found = exact.solve(program)
    if found.values is None or not found.proven:
        least = int(floor.empty.sum())
        above = found.bound - program.cost[-1] * least if state.must.any() else found.bound
        return (least, math.ceil(above * state.den - 0.01)) if above > 0 else None
    before, old = state.cost(), state.n
    state.put(_whole(found, state))
    optimum, promised = state.cost()[:2] if whole else state.inner_cost(), state.cost()[:2]
    state.put(old)
    if promised < before[:2]:
        chance, price = state.chance(state.n.size), float(program.cost @ found.values)
        only = exact.singled_out(program, price, 0.25 / state.den, chance)
        if only.proven:
            state.put(_whole(only, state))
        if state.cost()[:2] >= before[:2]:
            state.put(old)
    return optimum


def _whole(found: exact.Found, state: State) -> Ints:
    assert found.values is not None
    return np.rint(found.values[: state.n.size]).astype(np.int64).reshape(state.n.shape)
