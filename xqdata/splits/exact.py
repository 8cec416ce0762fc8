"""Exact solutions of small problems: a MILP over count vectors, solved by HiGHS through scipy.

Floating point enters only here. So a solution is taken as whole numbers and its cost is counted anew. Among solutions
of equal cost one is singled out by a second objective of random whole numbers: it has one optimum, so no platform
finds another. Work is limited by nodes and by size, never by time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from xqdata.splits.loops import Flags, Ints
from xqdata.splits.state import State

# Nodes of the search: some seconds at most.
NODES = 400


@dataclass(frozen=True)
class Program:
    """min cost @ v, with low <= matrix @ v <= high and 0 <= v <= upper; `whole[i]`: v[i] is a whole number."""

    cost: NDArray[np.float64]
    matrix: sp.csr_array
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    upper: NDArray[np.float64]
    whole: Flags

    def with_row(self, row: NDArray[np.float64], high: float) -> Program:
        """The program with one more constraint, row @ v <= high."""
        matrix = sp.vstack([self.matrix, sp.csr_array(row[None])], format="csr")
        return Program(
            self.cost, matrix, np.append(self.low, -np.inf), np.append(self.high, high), self.upper, self.whole
        )

    def aiming(self, cost: NDArray[np.float64]) -> Program:
        """The program with another objective."""
        return Program(cost, self.matrix, self.low, self.high, self.upper, self.whole)


@dataclass(frozen=True)
class Found:
    """What a MILP gave: `values` (None where it found nothing), `bound` of the cost, `proven` optimal."""

    values: NDArray[np.float64] | None
    bound: float
    proven: bool


def solve(program: Program, nodes: int = NODES) -> Found:
    """Solve `program` within a number of nodes."""
    result = milp(
        program.cost,
        integrality=program.whole.astype(np.int64),
        bounds=Bounds(0, program.upper),
        constraints=LinearConstraint(program.matrix, program.low, program.high),
        options={"node_limit": nodes, "mip_rel_gap": 0.0},
    )
    bound = -math.inf if result.mip_dual_bound is None else float(result.mip_dual_bound)
    return Found(result.x, bound, result.status == 0)


def singled_out(program: Program, optimum: float, slack: float, luck: Ints, nodes: int = NODES) -> Found:
    """Of the solutions that cost at most `optimum + slack` one that is the same everywhere.

    The first variables, one for each number of `luck`, decide: they get random whole weights, under which the best is
    unique but for a chance of less than 1 in 100.
    """
    weights = np.zeros(len(program.cost))
    weights[: len(luck)] = luck % (1 << 20)
    return solve(program.with_row(program.cost, optimum + slack).aiming(weights), nodes)


def balance_program(state: State, whole: bool) -> Program:
    """How many components of each type go to each part, deviation least.

    `whole`: with the parts' sizes, beyond their slack; else the rows only. Variables: n (types x parts), then a
    deviation e for each weighing (row, part), then z for each (row, part) that must not be empty: 1 where it is. Cost:
    the deviation in images, and for each z more than all deviation together.
    """
    types, parts = state.n.shape
    weighs = np.append(state.weighs[:-1], whole)
    heavy, needed = np.flatnonzero(weighs), np.flatnonzero(np.append(state.must[:-1], whole and state.must[-1]))
    columns = sp.csr_array(state.matrix.T.astype(np.float64))
    every = sp.eye_array(parts, format="csr")
    x_heavy, x_needed = sp.kron(columns[heavy], every, "csr"), sp.kron(columns[needed], every, "csr")
    e, z = len(heavy) * parts, len(needed) * parts
    placed = sp.kron(sp.eye_array(types), np.ones((1, parts)), "csr")
    matrix = sp.block_array(
        [
            [placed, sp.csr_array((types, e)), sp.csr_array((types, z))],
            [x_heavy, -sp.eye_array(e), sp.csr_array((e, z))],
            [-x_heavy, -sp.eye_array(e), sp.csr_array((e, z))],
            [x_needed, sp.csr_array((z, e)), sp.eye_array(z)],
        ],
        format="csr",
    )
    away = (state.want[heavy] / state.den - state.base[heavy]).ravel()
    slack = np.repeat(np.where(heavy == len(weighs) - 1, state.aims.slack / state.den, 0.0), parts)
    lacking = 1.0 - state.base[needed].ravel()
    low = np.concatenate([state.many, np.full(2 * e, -np.inf), lacking])
    high = np.concatenate([state.many, away + slack, slack - away, np.full(z, np.inf)])
    penalty = 4.0 * float(state.want[heavy].sum()) / state.den + 1
    return Program(
        np.concatenate([np.zeros(types * parts), np.ones(e), np.full(z, penalty)]),
        matrix,
        low.astype(np.float64),
        high.astype(np.float64),
        np.concatenate([np.repeat(state.many, parts).astype(np.float64), np.full(e, np.inf), np.ones(z)]),
        np.arange(types * parts + e + z) < types * parts,
    )
