"""Axes that cross, solved exactly where they are small: a MILP over components, levels and cells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata.splits.crossing import LEAST, WHOLE, Cells, Needs
from xqdata.splits.exact import Program, singled_out, solve
from xqdata.splits.loops import Ints

NODES = 1500


@dataclass(frozen=True)
class Crossed:
    """The least costs (empty pairs, shortfall, minus images used), and an assignment that has them: the levels' parts
    as bits, and the components' parts; None where that was not asked for or took too many nodes.
    """

    cost: tuple[int, int, int]
    mask: Ints | None = None
    part: Ints | None = None


def solve_crossing(
    cells: Cells, needs: Needs, allowed: Ints, cost: tuple[int, ...], luck: Ints, nodes: int = NODES
) -> Crossed | None:
    """What no assignment beats, proven; None where that takes more than `nodes`.

    `allowed`: (levels,) the parts of a fixed level as bits, or 0. `cost`: what was found already: an assignment is
    given only if it is better. The costs are minimised one after the other, each within the least of those before.
    """
    program, places = _program(cells, needs, allowed)
    used = -np.repeat(cells.images, len(needs.shares)).astype(float)
    one = np.ones(1)
    aims = [(places.missing, one), (places.short, one), (places.used, used)]
    least: list[int] = []
    objective, optimum = np.zeros(len(program.cost)), 0.0
    for n, (span, weight) in enumerate(aims):
        if n:
            program = program.with_row(objective, optimum + 0.01)
        objective = np.zeros(len(program.cost))
        objective[span] = weight
        found = solve(program.aiming(objective), nodes)
        if found.values is None or not found.proven:
            return None
        optimum = float(objective @ found.values)
        least.append(math.ceil(optimum - 0.05))
    costs = (least[0], least[1], least[2])
    if costs >= tuple(cost[:3]):
        return Crossed(costs)
    chance = np.random.PCG64(int(luck.sum()) & (2**62 - 1)).random_raw(places.missing.start) >> np.uint64(1)
    found = singled_out(program.aiming(objective), optimum, 0.25, chance.astype(np.int64), nodes)
    if found.values is None or not found.proven:
        return Crossed(costs)
    parts = len(needs.shares)
    part = found.values[places.component].reshape(-1, parts).argmax(1)
    mask = np.where(allowed > 0, allowed, 1 << found.values[places.level].reshape(-1, parts).argmax(1))
    return Crossed(costs, mask.astype(np.int64), part.astype(np.int64))


@dataclass(frozen=True)
class _Places:
    """Which variables are what, all by part: components, levels (whole numbers), missing pairs, what parts lack, and
    whether a cell is used.
    """

    component: slice
    level: slice
    missing: slice
    short: slice
    used: slice
    width: int

    def row(self, *placed: tuple[slice, sp.sparray]) -> sp.csr_array:
        """Constraints over all variables, from matrices over some of them."""
        height = placed[0][1].shape[0]
        given = {span.start: matrix for span, matrix in placed}
        spans = (self.component, self.level, self.missing, self.short, self.used)
        empty = [sp.csr_array((height, span.stop - span.start)) for span in spans]
        return sp.csr_array(sp.hstack([given.get(s.start, e) for s, e in zip(spans, empty, strict=True)]))


def _program(cells: Cells, needs: Needs, allowed: Ints) -> tuple[Program, _Places]:
    parts, count, levels, n = len(needs.shares), len(cells.pinned), len(allowed), len(cells.images)
    rows = np.flatnonzero(needs.must)
    ends = np.cumsum([0, count * parts, levels * parts, len(rows) * parts, parts, n * parts]).tolist()
    component, level, missing, short, used = (slice(a, b) for a, b in pairwise(ends))
    at = _Places(component, level, missing, short, used, ends[-1])
    one, total = sp.eye_array(n * parts, format="csr"), sp.csr_array(np.ones((1, parts)))
    mine = _of_cells(cells.comp, count, parts)
    where = [_of_cells(cells.levels[:, a], levels, parts) for a in range(cells.levels.shape[1])]
    together = [(at.used, one), (at.component, -mine), (at.level, -sum(where[1:], where[0]))]
    single = np.array([max(1, int(bits).bit_count()) for bits in allowed])
    share, need = _needs_of(cells, needs)
    constraints: list[tuple[sp.csr_array, float | NDArray[np.float64], float | NDArray[np.float64]]] = [
        (at.row((at.component, sp.kron(sp.eye_array(count), total))), 1.0, 1.0),
        (at.row((at.level, sp.kron(sp.eye_array(levels), total))), single, single),
        (at.row((at.used, one), (at.component, -mine)), -np.inf, 0.0),
        *((at.row((at.used, one), (at.level, -level)), -np.inf, 0.0) for level in where),
        # Where all agree the cell is used: no image is left out to mend the shares.
        (at.row(*together), -float(len(where)), np.inf),
        (at.row((at.missing, sp.eye_array(len(rows) * parts)), (at.used, _holders(cells, needs, rows))), 1.0, np.inf),
        (at.row((at.short, sp.eye_array(parts)), (at.used, share)), need, np.inf),
    ]
    upper = np.ones(at.width)
    upper[at.short] = np.inf
    pinned, fixed = np.flatnonzero(cells.pinned >= 0), np.flatnonzero(allowed > 0)
    upper[at.component].reshape(count, parts)[pinned] = np.eye(parts)[cells.pinned[pinned]]
    upper[at.level].reshape(levels, parts)[fixed] = allowed[fixed, None] >> np.arange(parts) & 1
    low, high = (np.concatenate([np.broadcast_to(c[k], c[0].shape[0]) for c in constraints]) for k in (1, 2))
    matrix = sp.csr_array(sp.vstack([c[0] for c in constraints]))
    whole = np.arange(at.width) < at.level.stop
    return Program(np.zeros(at.width), matrix, low.astype(float), high.astype(float), upper, whole), at


def _of_cells(index: Ints, size: int, parts: int) -> sp.csr_array:
    """(cells x parts, size x parts): what each cell belongs to."""
    chosen = sp.csr_array((np.ones(len(index)), (np.arange(len(index)), index)), shape=(len(index), size))
    return sp.csr_array(sp.kron(chosen, sp.eye_array(parts)))


def _holders(cells: Cells, needs: Needs, rows: Ints) -> sp.csr_array:
    """(rows x parts, cells x parts): the cells that hold each row that must not be empty."""
    held = sp.csr_array(
        (np.ones(len(cells.row)), cells.row, cells.row_start), shape=(len(cells.images), len(needs.must))
    )
    held = sp.csr_array(sp.hstack([held[:, :-1], np.ones((len(cells.images), 1))]))
    return sp.csr_array(sp.kron(held[:, rows].T, sp.eye_array(len(needs.shares))))


def _needs_of(cells: Cells, needs: Needs) -> tuple[sp.csr_array, NDArray[np.float64]]:
    """(parts, cells x parts) and (parts,): a part lacks nothing where the first times what is used is the second."""
    scoped = needs.scoped.astype(float)
    least = LEAST / WHOLE * needs.shares / needs.shares[needs.scoped].sum() * scoped
    weights = np.eye(len(least)) - np.outer(least, scoped)
    return sp.csr_array(sp.kron(cells.images[None, :].astype(float), weights)), needs.fixed.astype(float)
