"""Compiled loops of the search: place components one by one, move and swap them, try everything.

All is in whole numbers, so that no platform rounds differently. Where numba is not installed the same loops run as
Python, with the same result.

A problem is a sparse matrix of counts, types x rows: a type is a count vector that one or more components share, a row
is something to be held in proportion (a class, a scan type, a cell of both), and the last row counts all images.
`n[t, p]` is how many components of type t lie in part p, `x[r, p]` how many images of row r do. Cost has three steps:
(row, part) pairs that are empty though they must not be; then the deviation of the rows that weigh, and of the parts'
sizes beyond some slack; then that of the sizes. Deviations are sums of |den * x - want|: `den` times images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Graph(NamedTuple):
    """Which type holds how many images of which row: by type (`start`, `row`, `value`), and the types by row."""

    start: Ints
    row: Ints
    value: Ints
    types_start: Ints
    types: Ints


class Aims(NamedTuple):
    """What is wanted: `want` (rows, parts) in 1/den images; which rows weigh, and which must not be empty anywhere.

    `slack`: by how much a part's size may deviate before it counts like the deviation of a row, in 1/den images.
    """

    want: Ints
    den: int
    slack: int
    weighs: Flags
    must: Flags


class Search(NamedTuple):
    """What trying everything needs besides. `same[i]`: component i equals the one before it. `left[i, r]`: how many
    components from i on hold row r. `alike[p]`: the first part of the same share and base as p. `turn`: (components,
    parts), the order in which parts are tried.
    """

    same: Flags
    left: Ints
    alike: Ints
    turn: Ints


@compiled
def place(order: Ints, type_of: Ints, graph: Graph, n: Ints, x: Ints, aims: Aims, heed: Ints) -> None:
    """Put the components, in `order`, each into the part with the largest deficit in the rows it holds.

    `type_of`: each component's type. `heed[r]`: how much row r counts in choosing. `n` and `x` are changed in place.
    """
    for i in order:
        t = type_of[i]
        best, lowest = 0, np.int64(0)
        for p in range(x.shape[1]):
            # The change of the squared deviation, without what is the same for all parts.
            score = np.int64(0)
            for j in range(graph.start[t], graph.start[t + 1]):
                r, v = graph.row[j], graph.value[j]
                score += heed[r] * v * (2 * (aims.den * x[r, p] - aims.want[r, p]) + aims.den * v)
            if p == 0 or score < lowest:
                best, lowest = p, score
        n[t, best] += 1
        for j in range(graph.start[t], graph.start[t + 1]):
            x[graph.row[j], best] += graph.value[j]


@compiled
def cost(x: Ints, aims: Aims) -> tuple[int, int, int]:
    """The three costs of a state."""
    empty, rows, size = 0, 0, 0
    last = x.shape[0] - 1
    for r in range(last + 1):
        for p in range(x.shape[1]):
            if aims.must[r] and x[r, p] == 0:
                empty += 1
            away = abs(aims.den * x[r, p] - aims.want[r, p])
            if r == last:
                size += away
                rows += max(0, away - aims.slack)
            elif aims.weighs[r]:
                rows += away
    return empty, rows, size


@compiled
def _shift(t: int, p: int, q: int, graph: Graph, x: Ints, aims: Aims) -> tuple[int, int, int]:
    """How the three costs change if one component of type t moves from part p to part q."""
    empty, rows, size = 0, 0, 0
    last = x.shape[0] - 1
    for j in range(graph.start[t], graph.start[t + 1]):
        r, v = graph.row[j], graph.value[j]
        a, b = x[r, p], x[r, q]
        if aims.must[r]:
            empty += int(a == v) - int(b == 0)
        if aims.weighs[r] or r == last:
            above, below = aims.den * a - aims.want[r, p], aims.den * b - aims.want[r, q]
            step = aims.den * v
            if r == last:
                before, after = (abs(above), abs(below)), (abs(above - step), abs(below + step))
                size += after[0] - before[0] + after[1] - before[1]
                rows += max(0, after[0] - aims.slack) - max(0, before[0] - aims.slack)
                rows += max(0, after[1] - aims.slack) - max(0, before[1] - aims.slack)
            else:
                rows += abs(above - step) - abs(above) + abs(below + step) - abs(below)
    return empty, rows, size


@compiled
def _apply(t: int, p: int, q: int, graph: Graph, n: Ints, x: Ints) -> None:
    n[t, p] -= 1
    n[t, q] += 1
    for j in range(graph.start[t], graph.start[t + 1]):
        x[graph.row[j], p] -= graph.value[j]
        x[graph.row[j], q] += graph.value[j]


@compiled
def _better(empty: int, rows: int, size: int) -> bool:
    return empty < 0 or (empty == 0 and (rows < 0 or (rows == 0 and size < 0)))


@compiled
def _moves(graph: Graph, n: Ints, x: Ints, aims: Aims) -> tuple[bool, int]:
    """One round of moves that help; whether any did, and how many numbers were looked at."""
    improved, work = False, 0
    types, parts = n.shape
    for t in range(types):
        for p in range(parts):
            for q in range(parts):
                while p != q and n[t, p] > 0:
                    work += graph.start[t + 1] - graph.start[t]
                    empty, rows, size = _shift(t, p, q, graph, x, aims)
                    if not _better(empty, rows, size):
                        break
                    _apply(t, p, q, graph, n, x)
                    improved = True
    return improved, work


@compiled
def _swaps(graph: Graph, n: Ints, x: Ints, aims: Aims, budget: int) -> tuple[bool, int]:
    """One round of swaps that help, between components that share a row."""
    improved, work = False, 0
    seen = np.full(n.shape[0], -1, np.int64)
    for t in range(n.shape[0]):
        for j in range(graph.start[t], graph.start[t + 1]):
            r = graph.row[j]
            if r == x.shape[0] - 1 or not (aims.weighs[r] or aims.must[r]):
                continue
            for k in range(graph.types_start[r], graph.types_start[r + 1]):
                u = graph.types[k]
                if u > t and seen[u] != t:
                    seen[u] = t
                    swapped, more = _swap(t, u, graph, n, x, aims)
                    improved |= swapped
                    work += more
                if work > budget:
                    return improved, work
    return improved, work


@compiled
def _swap(t: int, u: int, graph: Graph, n: Ints, x: Ints, aims: Aims) -> tuple[bool, int]:
    """Swap components of types t and u between any two parts where that helps."""
    improved, work = False, 0
    for p in range(n.shape[1]):
        for q in range(n.shape[1]):
            if p == q or n[t, p] == 0 or n[u, q] == 0:
                continue
            work += 2 * (graph.start[t + 1] - graph.start[t]) + graph.start[u + 1] - graph.start[u]
            empty, rows, size = _shift(t, p, q, graph, x, aims)
            _apply(t, p, q, graph, n, x)
            back = _shift(u, q, p, graph, x, aims)
            if _better(empty + back[0], rows + back[1], size + back[2]):
                _apply(u, q, p, graph, n, x)
                improved = True
            else:
                _apply(t, q, p, graph, n, x)
    return improved, work


@compiled
def descend(graph: Graph, n: Ints, x: Ints, aims: Aims, goal: Ints, budget: int) -> int:
    """Move and swap until nothing helps, `goal` (a bound of each cost) is met, or `budget` is used up; the work done.

    The budget counts numbers looked at, not seconds: every machine stops at the same state.
    """
    done = 0
    while done < budget:
        improved, work = _moves(graph, n, x, aims)
        done += work
        empty, rows, size = cost(x, aims)
        met = empty <= goal[0] and rows <= goal[1]
        if met and (size <= goal[2] or not improved):
            break  # sizes alone are worth moves, but no swaps
        if improved:
            continue
        improved, work = _swaps(graph, n, x, aims, budget - done)
        done += work
        if not improved:
            break
    return done


@compiled
def anneal(graph: Graph, n: Ints, x: Ints, aims: Aims, hot: int, weight: int, steps: int, seed: int) -> None:
    """Move and swap at random, at first also where it does harm: a change is taken if it costs less than a threshold.

    The threshold falls from `hot` to nothing over `steps` (threshold accepting: annealing without a logarithm, so in
    whole numbers). `weight`: what an empty pair counts. Source: G. Dueck, T. Scheuer, J. Comput. Phys. 90 (1990).
    """
    types, parts = n.shape
    luck = seed % 2147483647 + 1
    for step in range(steps):
        left = steps - step
        threshold = hot * left // steps * left // steps
        luck = luck * 48271 % 2147483647  # Park and Miller: fits in 64 bits without wrapping round
        t = luck % types
        luck = luck * 48271 % 2147483647
        p = luck % parts
        while n[t, p] == 0:
            p = (p + 1) % parts
        luck = luck * 48271 % 2147483647
        q = (p + 1 + luck // 2 % (parts - 1)) % parts
        swap = luck % 2 == 1
        empty, rows, size = _shift(t, p, q, graph, x, aims)
        if not swap:
            if rows + weight * empty < threshold or (rows + weight * empty == 0 and size <= 0):
                _apply(t, p, q, graph, n, x)
            continue
        luck = luck * 48271 % 2147483647
        u = luck % types
        if u == t or n[u, q] == 0:
            continue
        _apply(t, p, q, graph, n, x)
        back = _shift(u, q, p, graph, x, aims)
        change = rows + back[1] + weight * (empty + back[0])
        if change < threshold or (change == 0 and size + back[2] <= 0):
            _apply(u, q, p, graph, n, x)
        else:
            _apply(t, q, p, graph, n, x)


@compiled
def exhaust(graph: Graph, search: Search, x: Ints, aims: Aims, best: Ints, chosen: Ints, budget: int) -> bool:
    """Try every way to give the components to parts, and leave out what cannot beat the best; True if none was missed.

    Depth first, component after component: here `graph` stands by component, not by type. `best`: the cost (empty,
    rows) to beat, and `chosen` the parts of what beats it; both are changed in place.
    """
    count, parts = search.turn.shape
    at = np.zeros(count + 1, np.int64)  # which turn comes next at each depth
    now = np.full(count, -1, np.int64)  # each component's part
    used = np.zeros(parts, np.int64)
    over = np.zeros(count + 1, np.int64)  # twice what exceeds its share: it can only grow
    over[0] = _over(x, aims)
    depth, work = 0, 0
    while depth >= 0 and work <= budget:
        if depth == count or at[depth] == parts:
            if depth == count and _record(x, aims, best):
                chosen[:] = now
            depth -= 1
            if depth >= 0:
                _lift(depth, now[depth], graph, x, used)
            continue
        p = search.turn[depth, at[depth]]
        at[depth] += 1
        if _stands_for(p, search.alike, used) or (search.same[depth] and p < now[depth - 1]):
            continue
        work += graph.start[depth + 1] - graph.start[depth]
        grown = over[depth] + _lay(depth, p, graph, x, used, aims)
        empty = _lacking(x, search.left[depth + 1], aims)
        if empty > best[0] or (empty == best[0] and grown >= best[1]):
            _lift(depth, p, graph, x, used)
            continue
        now[depth] = p
        depth += 1
        over[depth] = grown
        at[depth] = 0
    return depth < 0


@compiled
def _over(x: Ints, aims: Aims) -> int:
    over = 0
    for r in range(x.shape[0]):
        for p in range(x.shape[1]):
            if aims.weighs[r]:
                over += 2 * max(0, aims.den * x[r, p] - aims.want[r, p])
    return over


@compiled
def _lay(i: int, p: int, graph: Graph, x: Ints, used: Ints, aims: Aims) -> int:
    """Put component i into part p; twice by how much more its rows exceed their share now."""
    grown = 0
    for j in range(graph.start[i], graph.start[i + 1]):
        r = graph.row[j]
        if aims.weighs[r]:
            above = aims.den * x[r, p] - aims.want[r, p]
            grown += 2 * (max(0, above + aims.den * graph.value[j]) - max(0, above))
        x[r, p] += graph.value[j]
    used[p] += 1
    return grown


@compiled
def _lift(i: int, p: int, graph: Graph, x: Ints, used: Ints) -> None:
    for j in range(graph.start[i], graph.start[i + 1]):
        x[graph.row[j], p] -= graph.value[j]
    used[p] -= 1


@compiled
def _lacking(x: Ints, left: Ints, aims: Aims) -> int:
    """How many pairs will be empty at least, whatever the `left` components do."""
    empty = 0
    for r in range(x.shape[0]):
        if aims.must[r]:
            lacking = -left[r]
            for p in range(x.shape[1]):
                lacking += x[r, p] == 0
            empty += max(0, lacking)
    return empty


@compiled
def _stands_for(p: int, alike: Ints, used: Ints) -> bool:
    """True if p is unused and a part before it is as p is: what p would give, that one gives.

    By number and not by turn: the rule for equal components goes by number too, and two rules of different order would
    lose solutions between them.
    """
    if used[p] > 0:
        return False
    for q in range(p):  # noqa: SIM110 (any() would not be compiled)
        if used[q] == 0 and alike[q] == alike[p]:
            return True
    return False


@compiled
def _record(x: Ints, aims: Aims, best: Ints) -> bool:
    """Note the cost of a whole assignment in `best` if it is better."""
    empty, rows = 0, 0
    for r in range(x.shape[0]):
        for p in range(x.shape[1]):
            if aims.must[r] and x[r, p] == 0:
                empty += 1
            if aims.weighs[r]:
                rows += abs(aims.den * x[r, p] - aims.want[r, p])
    if empty < best[0] or (empty == best[0] and rows < best[1]):
        best[0], best[1] = empty, rows
        return True
    return False
