"""The smooth bend of a container that an affine matrix does not tell: parallax, uneven belts, walls that give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from xqdata.containers.edges import Edges, Matrix, weights
from xqdata.containers.maps import Map

# Working pixels between two nodes, the stiffness between them (in edges for each pixel that they differ by), and how
# often the bend is improved.
_NODE = 40
_STIFF = 1.0
_STEPS = 4
_CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))


class Bender:
    """Finds the bend of a grid of nodes over a template after which its edges lie best in a picture.

    Each edge moves with the four nodes around it. `edges` are in the order of the grid's cells, so that what those of
    one cell say of its nodes is summed up in one go.
    """

    def __init__(self, edges: Edges, shape: tuple[int, ...]) -> None:
        self.nodes = (max(2, round(shape[0] / _NODE)), max(2, round(shape[1] / _NODE)))
        row, down = _between(edges.points[1], shape[0], self.nodes[0])
        column, across = _between(edges.points[0], shape[1], self.nodes[1])
        order = np.lexsort((column, row))
        self.edges = edges.taken(order)
        row, column, down, across = row[order], column[order], down[order], across[order]
        self._corners = np.stack([(row + r) * self.nodes[1] + column + c for r, c in _CORNERS])
        shares = [(down if r else 1 - down) * (across if c else 1 - across) for r, c in _CORNERS]
        self._shares = np.stack(shares).astype(np.float32)
        self._starts = np.flatnonzero(np.diff(self._corners[0], prepend=-1))
        count = 2 * self.nodes[0] * self.nodes[1]
        # The two numbers of a node stand side by side, so that the system is a narrow band round its diagonal.
        unknowns = np.concatenate([2 * self._corners, 2 * self._corners + 1])[:, self._starts]
        self._slopes = np.concatenate([self._shares * along for along in self.edges.gradient])
        self._products = (self._slopes[:, None] * self._slopes[None]).reshape(64, -1)
        self._places = (unknowns[:, None] * count + unknowns[None]).ravel()
        self._unknowns = unknowns.ravel()
        self._stiff = np.kron(_stiffness(self.nodes), np.eye(2))
        self._width = 2 * self.nodes[1] + 3
        self._band = [(np.arange(k, count), np.arange(count - k)) for k in range(min(self._width + 1, count))]

    def follow(self, picture: Map, matrix: Matrix, offset: float) -> Map:
        """The bend, (2, rows, columns): how far each node moves in x and y, in the template's pixels."""
        size = len(self._stiff)
        bend = np.zeros(size)
        for _ in range(_STEPS if self._starts.size else 0):
            rest, inside = self.edges.rest(picture, matrix, offset, self.shift(bend.reshape(-1, 2).T))
            weight = weights(rest, inside)
            system = self._summed(self._products * weight, self._places, size * size).reshape(size, size)
            pull = self._summed(self._slopes * (weight * rest), self._unknowns, size)
            bend -= self._solved(system + self._stiff, pull + (self._stiff * bend).sum(axis=1))
        return np.ascontiguousarray(bend.reshape(-1, 2).T, np.float32).reshape(2, *self.nodes)

    def shift(self, bend: NDArray[Any]) -> Map:
        """How far a bend moves each edge, (2, n)."""
        nodes = bend.reshape(2, -1).astype(np.float32)
        return np.asarray((nodes[:, self._corners] * self._shares).sum(axis=1))

    def _solved(self, system: Matrix, right: Matrix) -> Matrix:
        # LAPACK's general solver starts threads for a system of this size, which costs a hundred times what it saves.
        banded = np.zeros((len(self._band), len(system)))
        for k, (row, column) in enumerate(self._band):
            banded[k, : len(row)] = system[row, column]
        return np.asarray(solveh_banded(banded, right, lower=True, check_finite=False))

    def _summed(self, terms: Map, places: NDArray[np.intp], size: int) -> Matrix:
        sums = np.add.reduceat(terms, self._starts, axis=1).ravel()
        return np.bincount(places, sums, size).astype(np.float64, copy=False)


def _between(at: Matrix, size: int, nodes: int) -> tuple[NDArray[np.intp], Matrix]:
    """The node before each place, and how far on it is to the next, as cv2.resize spreads nodes over `size`."""
    place = np.clip((at + 0.5) * nodes / size - 0.5, 0, nodes - 1)
    before = np.minimum(place.astype(np.intp), nodes - 2)
    return before, place - before


def _stiffness(nodes: tuple[int, int]) -> Matrix:
    """What a bend costs: neighbours that differ, and a little for each node that moves at all."""
    number = np.arange(nodes[0] * nodes[1]).reshape(nodes)
    cost = np.eye(number.size) * _STIFF / 20
    for one, other in ((number[1:], number[:-1]), (number[:, 1:], number[:, :-1])):
        for a, b in zip(one.ravel(), other.ravel(), strict=True):
            cost[[a, b], [a, b]] += _STIFF
            cost[[a, b], [b, a]] -= _STIFF
    return cost
