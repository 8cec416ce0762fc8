"""Components into parts, so that every part holds its share of every row: the search, and what it proves.

A row is something to be held in proportion: a class, a scan type, a cell of both. The search is greedy (largest
component to the largest deficit), then moves and swaps. Where a gap to the lower bound remains, the problem is taken to
pieces that share no row, and each piece is solved by the first of these that can: a table of reachable sums, annealing,
trying everything, a MILP. Nothing worse than the greedy start is ever returned. All is decided in whole numbers and
by counted work, never by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from xqdata.splits import loops
from xqdata.splits.loops import Ints
from xqdata.splits.pieces import Effort, small_enough, solve_milp, solve_piece
from xqdata.splits.state import Floor, State, Task, floor_of, state_of

# Numbers looked at by moves and swaps, about a tenth of a second compiled.
_DESCEND = 10_000_000
# For all pieces together: steps of annealing (of one piece at least, at most), numbers looked at, MILPs.
_STEPS, _FEWEST_STEPS, _MOST_STEPS = 2_000_000, 5_000, 300_000
_LOOKS = 60_000_000
_MILPS = 3


@dataclass(frozen=True)
class Balance:
    """Where the components went, and how good that is.

    `parts`: (components,) numbers of parts. `empty`: (row, part) pairs that hold nothing though they should;
    `deviation`: sum over the rows that weigh and over the parts of |images - share * all images of the row|, and what
    the parts' sizes deviate beyond 1% of all images; `size_deviation`: all that they deviate. `least_empty` and
    `bound`: what no assignment of these components can beat. `greedy`: the deviation of the greedy start,
    `greedy_empty` its empty pairs.
    """

    parts: Ints
    empty: int
    least_empty: int
    deviation: Fraction
    bound: Fraction
    size_deviation: Fraction
    greedy_empty: int
    greedy: Fraction

    @property
    def gap(self) -> Fraction:
        """Deviation above the bound, in images."""
        return self.deviation - self.bound

    @property
    def proven(self) -> bool:
        """True if no assignment leaves fewer pairs empty, and none that leaves as few deviates less."""
        return self.empty == self.least_empty and self.deviation == self.bound


def balance(task: Task, prove: bool = True) -> Balance:
    """Give every component of `task` a part. `prove=False` stops after moves and swaps, and saves the proofs' time."""
    state, type_of = state_of(task)
    floor = floor_of(state)
    _greedy(state, type_of, task)
    greedy = state.cost()
    state.descend(floor.goal, _DESCEND)
    if prove and not floor.met(state.cost()):
        _solve_pieces(state, floor)
        _solve_whole(state, floor)
        state.descend(np.array([floor.empty.sum(), floor.of(state.cost()[0]), floor.size]), _DESCEND)
    empty, rows, size = state.cost()
    return Balance(
        parts=_unfold(state, type_of, task),
        empty=empty,
        least_empty=int(floor.empty.sum()),
        deviation=Fraction(rows, state.den),
        bound=Fraction(floor.of(empty), state.den),
        size_deviation=Fraction(size, state.den),
        greedy_empty=greedy[0],
        greedy=Fraction(greedy[1], state.den),
    )


def _greedy(state: State, type_of: Ints, task: Task) -> None:
    """Largest component to largest deficit. Components of about one size come in the order of their luck."""
    bits = np.frexp(task.sizes.astype(np.float64))[1]
    order = np.lexsort((task.luck, -bits))
    totals = state.want.sum(1) // state.den
    heed = -(-totals.max(initial=1) // np.maximum(totals, 1))
    heed[:-1][~state.weighs[:-1]] = 0
    loops.place(order, type_of, state.graph, state.n, state.x, state.aims, heed)


def _solve_pieces(state: State, floor: Floor) -> None:
    """Solve what has a gap, piece by piece: types and rows that hang together."""
    pieces = [
        (types, rows) for types, rows in _pieces(state) if not floor.part(rows).met(state.piece(types, rows).cost())
    ]
    if not pieces:
        return
    steps = min(_MOST_STEPS, max(_FEWEST_STEPS, _STEPS // len(pieces)))
    effort = Effort(steps, _LOOKS // len(pieces), _MILPS)
    for types, rows in pieces:
        part, bounds = state.piece(types, rows), floor.part(rows)
        before = part.cost()
        found = solve_piece(part, bounds, effort)
        if part.cost() < before:
            n = state.n.copy()
            n[types] = part.n
            state.put(n)
        if found is not None:
            floor.settle(rows, *found)


def _solve_whole(state: State, floor: Floor) -> None:
    """What the pieces could not settle, since the parts' sizes join them: by annealing, then by a MILP if small."""
    if not floor.met(state.cost()):
        state.anneal(floor.goal, _STEPS // 2)
    if not floor.met(state.cost()) and small_enough(state):
        bound = solve_milp(state, floor, whole=True)
        if bound is not None:
            floor.settle(np.arange(len(state.weighs)), *bound)


def _pieces(state: State) -> list[tuple[Ints, Ints]]:
    """The types and rows of each piece; the row of sizes, which all share, is left out."""
    counted = np.flatnonzero(state.weighs[:-1] | state.must[:-1])
    inner = state.matrix[:, counted]
    types = inner.shape[0]
    graph = sp.block_array([[None, inner], [inner.T, None]], format="csr")
    _, labels = sp.csgraph.connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    parted = [(g[g < types], counted[g[g >= types] - types]) for g in groups]
    return [(t, r) for t, r in parted if len(t) and len(r)]


def _unfold(state: State, type_of: Ints, task: Task) -> Ints:
    """Each component's part: of a type's components, those of least luck go to the first part."""
    order = np.lexsort((task.luck, type_of))
    parts = np.tile(np.arange(len(state.shares)), len(state.many))
    out = np.empty(len(order), np.int64)
    out[order] = np.repeat(parts, state.n.ravel())
    return out
