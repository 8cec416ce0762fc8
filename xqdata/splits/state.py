"""One balancing problem over types of components, a solution of it, and the bounds known for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata.splits import bounds, loops
from xqdata.splits.loops import Aims, Flags, Graph, Ints

# A part's size may deviate by one in so many of all images before that counts like the deviation of a class.
SIZE_SLACK = 100
# Where annealing begins, in parts of a usual count; what a missing class weighs there; and how long descents then are.
_HOT = ((1, 1), (2, 1), (1, 2))
_EMPTY = 4
_COOL = 20


@dataclass(frozen=True)
class Task:
    """Components to be given to parts.

    `counts`: (components, rows) sparse, images of each component in each row; `sizes`: (components,) its images.
    `shares`: whole numbers, one for each part, all > 0. `weighs[r]`: row r is held in proportion; `must[r]`: it should
    be in every part. `luck`: (components,) uint64, random by the seed and by the component's own name: it decides where
    nothing else does. `base`: (rows, parts), `base_size`: (parts,): images that lie in the parts already.
    """

    counts: sp.csr_array
    sizes: Ints
    shares: tuple[int, ...]
    weighs: Flags
    must: Flags
    luck: NDArray[np.uint64]
    base: Ints | None = None
    base_size: Ints | None = None


@dataclass
class State:
    """A problem over types, and one solution of it; see `loops` for the arrays. The last row counts all images.

    `many`: (types,) components of each. `luck`: (types,) the least luck among them.
    """

    matrix: sp.csr_array
    many: Ints
    luck: NDArray[np.uint64]
    weighs: Flags
    must: Flags
    base: Ints
    want: Ints
    shares: tuple[int, ...]
    n: Ints = field(init=False)
    x: Ints = field(init=False)

    def __post_init__(self) -> None:
        by_row = self.matrix.tocsc()
        wide = (self.matrix.indptr, self.matrix.indices, self.matrix.data, by_row.indptr, by_row.indices)
        self.graph = Graph(*(np.ascontiguousarray(a, np.int64) for a in wide))
        self.held = np.ascontiguousarray(by_row.data, np.int64)
        self.den = sum(self.shares)
        slack = int(self.want[-1].sum()) // SIZE_SLACK
        self.aims = Aims(self.want, self.den, slack, self.weighs, self.must)
        self.put(np.zeros((len(self.many), len(self.shares)), np.int64))

    def put(self, n: Ints) -> None:
        """Take the solution `n`, (types, parts): how many components of each type lie in each part."""
        self.n, self.x = n, np.ascontiguousarray(self.base + self.matrix.T @ n)

    def cost(self) -> tuple[int, int, int]:
        """Empty pairs, deviation (of sizes only what is beyond their slack), deviation of sizes; in 1/den images."""
        empty, rows, size = loops.cost(self.x, self.aims)
        return int(empty), int(rows), int(size)

    def inner_cost(self) -> tuple[int, int]:
        """Empty pairs and deviation of the rows, sizes left out."""
        must, weighs = self.must[:-1], self.weighs[:-1]
        away = np.abs(self.den * self.x - self.want)[:-1][weighs]
        return int((self.x[:-1][must] == 0).sum()), int(away.sum())

    def sizes_in(self, r: int) -> list[tuple[int, int]]:
        """(images in row r, components that hold so many), the largest first."""
        span = slice(self.graph.types_start[r], self.graph.types_start[r + 1])
        sizes, where = np.unique(self.held[span], return_inverse=True)
        many = np.bincount(where, weights=self.many[self.graph.types[span]])
        return [(int(s), int(m)) for s, m in zip(sizes[::-1], many[::-1], strict=True)]

    def descend(self, goal: Ints, budget: int) -> None:
        """Move and swap until nothing helps."""
        loops.descend(self.graph, self.n, self.x, self.aims, goal, budget)

    def anneal(self, goal: Ints, steps: int) -> None:
        """Out of dead ends by chance, repeatable, from several temperatures; what stands stays if nothing is better."""
        if not len(self.many):
            return
        usual = max(1, int(np.median(self.graph.value))) * self.den
        for n, (above, below) in enumerate(_HOT):
            before, old = self.cost(), self.n.copy()
            if before[0] <= goal[0] and before[1] <= goal[1]:
                return
            hot, chance = usual * above // below, int(self.chance(n + 1)[n])
            loops.anneal(self.graph, self.n, self.x, self.aims, hot, _EMPTY * usual, steps, chance)
            self.descend(goal, _COOL * steps)
            if self.cost() > before:
                self.put(old)

    def chance(self, count: int) -> Ints:
        """Random whole numbers >= 0 that follow from the components and the seed."""
        # Raw numbers of a generator whose stream never changes; NumPy's distributions may.
        raw = np.random.PCG64(int(self.luck.min())).random_raw(count)
        return np.asarray(raw >> np.uint64(1)).astype(np.int64)

    def piece(self, types: Ints, rows: Ints) -> State:
        """The problem of some types and of the rows that only they can change, all else left where it lies."""
        chosen = np.append(rows, len(self.weighs) - 1)
        matrix = self.matrix[types][:, chosen]
        matrix.sort_indices()
        base = self.x[chosen] - matrix.T @ self.n[types]
        part = State(
            matrix,
            self.many[types],
            self.luck[types],
            self.weighs[chosen],
            np.append(self.must[rows], False),
            np.ascontiguousarray(base),
            np.ascontiguousarray(self.want[chosen]),
            self.shares,
        )
        part.put(self.n[types])
        return part


def state_of(task: Task) -> tuple[State, Ints]:
    """The problem with components of one count vector put together, the largest first; and each component's type."""
    whole = sp.hstack([task.counts, sp.csr_array(task.sizes[:, None])], format="csr").astype(np.int64)
    whole.sum_duplicates()
    whole.eliminate_zeros()
    first, type_of = _distinct(whole, task.sizes)
    base = np.zeros((whole.shape[1], len(task.shares)), np.int64)
    if task.base is not None and task.base_size is not None:
        base[:-1], base[-1] = task.base, task.base_size
    totals = np.asarray(whole.sum(0)).ravel().astype(np.int64) + base.sum(1)
    luck = np.full(len(first), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(luck, type_of, task.luck)
    state = State(
        whole[first],
        np.bincount(type_of, minlength=len(first)).astype(np.int64),
        luck,
        np.append(task.weighs, False) & (totals > 0),
        np.append(task.must, True) & (totals > 0),
        base,
        totals[:, None] * np.array(task.shares, np.int64),
        task.shares,
    )
    return state, type_of


def _distinct(matrix: sp.csr_array, sizes: Ints) -> tuple[Ints, Ints]:
    """The first row of each distinct content, the largest first, and each row's number among these."""
    # Two sums with random 64-bit weights stand for a row's content; that no two contents share them is checked below.
    keys = [sizes.astype(np.uint64)]
    for weights in np.random.PCG64(0).random_raw(2 * matrix.shape[1]).reshape(2, -1):
        products = np.append(matrix.data.astype(np.uint64) * weights[matrix.indices], np.uint64(0))
        keys.append(np.add.reduceat(products, matrix.indptr[:-1]) if matrix.shape[0] else products[:0])
    order = np.lexsort((keys[2], keys[1], -sizes))
    changes = [key[order][1:] != key[order][:-1] for key in keys]
    new = np.concatenate([np.ones(min(1, len(order)), bool), np.logical_or.reduce(changes)])
    type_of = np.empty(len(order), np.int64)
    type_of[order] = np.cumsum(new) - 1
    first = order[new]
    if abs(matrix - matrix[first][type_of]).sum():
        raise ArithmeticError("two different count vectors share one hash")
    return first, type_of


@dataclass
class Floor:
    """Lower bounds by row, the last row being the sizes' excess: of empty pairs, and of the deviation in 1/den images.

    `full` holds for solutions that leave as few pairs empty as `empty` says, `loose` for all.
    """

    empty: Ints
    full: Ints
    loose: Ints
    size: int

    def of(self, cost_empty: int) -> int:
        """The bound of the deviation where `cost_empty` pairs are empty."""
        return int((self.full if cost_empty <= self.empty.sum() else self.loose).sum())

    def met(self, cost: tuple[int, int, int]) -> bool:
        """True if nothing can be better, sizes aside."""
        return bool(cost[0] <= self.empty.sum() and cost[1] <= self.full.sum())

    @property
    def goal(self) -> Ints:
        """The bounds of the three costs, for the loops."""
        return np.array([self.empty.sum(), self.full.sum(), self.size], np.int64)

    def part(self, rows: Ints) -> Floor:
        """The bounds of some rows and of the sizes."""
        chosen = np.append(rows, len(self.full) - 1)
        empty = self.empty[chosen]
        empty[-1] = 0
        return Floor(empty, self.full[chosen], self.loose[chosen], self.size)

    def settle(self, rows: Ints, empty: int, deviation: int) -> None:
        """Take what was proven for `rows` together."""
        deviation = max(deviation, int(self.full[rows].sum())) if empty == self.empty[rows].sum() else deviation
        for bound, value in ((self.empty, empty), (self.full, deviation)):
            bound[rows] = 0
            bound[rows[:1]] = value


def floor_of(state: State) -> Floor:
    """The bounds that follow from each row alone."""
    rows = len(state.weighs)
    empty, full, loose = np.zeros((3, rows), np.int64)
    for r in range(rows):
        sizes, base, must = state.sizes_in(r), state.base[r].tolist(), bool(state.must[r])
        if must:
            empty[r] = max(0, base.count(0) - sum(many for _, many in sizes))
        if state.weighs[r] or r == rows - 1:
            full[r] = bounds.row_bound(sizes, base, state.shares, must)
            loose[r] = bounds.row_bound(sizes, base, state.shares, False) if must else full[r]
    size = int(loose[-1])
    full[-1] = loose[-1] = max(0, size - len(state.shares) * state.aims.slack)
    return Floor(empty, full, loose, size)
