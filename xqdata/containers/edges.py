"""The edges of a template at one size: what registration looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.maps import Map

Matrix = NDArray[np.float64]

# An edge is where attenuation changes by this much for each pixel; fainter ones drown in the noise of 8 bits.
_EDGE = 0.008
# The change by which differences are divided grows from here: edges not much steeper are partly noise and count less.
_SOFT = 0.01
# More edges than this, and more points for the offset, make nothing better.
_POINTS, _SPREAD = 3000, 3000
# Fewer edges than this say nothing.
_FEWEST = 50
# Differences smaller than this, in pixels of shift, are never outliers, and those that agree with the template.
_LEAST = 0.5
_NEAR = 0.3
# A fit is known only where so many of the edges lie inside the picture and so many of them are not covered.
_INSIDE, _BARE = 0.3, 0.05
# What a standard normal deviate exceeds, by its absolute value, in two cases of three.
_THIRD_OF_NORMAL = 0.4307
# Resistance to moving where no edge tells anything, in edges of a pixel.
_FIRM = 1.0
# A step that moves no corner by more than this many pixels is the last one.
_STILL = 0.02
_OUTSIDE = -9.0


@dataclass(frozen=True)
class Edges:
    """The edges of one template at one size.

    A difference between picture and template is told in pixels: by how much the edge would have to be shifted to make
    it. So an edge of steel counts as much as one of plastic.

    `values`: the template, (height, width). `points`: (2, n), x and y of each edge; `heights`: the values there;
    `strength`: how steep each is. `gradient`: (2, n), and `slopes`: (6, n), by how many pixels of shift the difference
    grows with the bend in x and y there, and with the six numbers of an affine matrix. `ground` and `levels`: points
    all over the template, (2, m), and their values. `normal`: 3 x 3, pixels to -1..1, in which the six numbers are
    told.
    """

    values: Map
    points: Matrix
    heights: Map
    strength: Map
    gradient: Map
    slopes: Map
    ground: Matrix
    levels: Map
    normal: Matrix

    @classmethod
    def of(cls, values: Map, seen: NDArray[np.bool_] | None) -> Edges:
        """The edges of `values`, not where `seen` (of any size) is False."""
        height, width = values.shape
        gx, gy = (cv2.Sobel(values, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
        steep = np.hypot(gx, gy)
        steep[[0, -1]] = steep[:, [0, -1]] = 0
        known = np.full(values.shape, True)
        if seen is not None:
            blind = cv2.resize((~seen).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            known = cv2.dilate(blind, np.ones((3, 3), np.uint8)) < 0.05
        y, x = _thinned(known & (steep > _EDGE), _POINTS)
        rows, columns = _thinned(known, _SPREAD)
        half = max(width, height) / 2
        normal = np.array([[1 / half, 0, -width / 2 / half], [0, 1 / half, -height / 2 / half], [0, 0, 1]])
        points = np.stack([x, y]).astype(np.float64)
        strength = np.hypot(steep[y, x], np.float32(_SOFT))
        gradient = np.stack([gx[y, x], gy[y, x]]) / strength
        planes = np.stack([*moved(normal, points), np.ones(len(x))]).astype(np.float32)
        slopes = np.concatenate([gradient[:1] * planes, gradient[1:] * planes])
        ground = np.stack([columns, rows]).astype(np.float64)
        heights = values[y, x]
        return cls(values, points, heights, strength, gradient, slopes, ground, values[rows, columns], normal)

    def taken(self, order: NDArray[np.intp]) -> Edges:
        """The same with its edges in another order."""
        points, gradient, slopes = (part[:, order] for part in (self.points, self.gradient, self.slopes))
        heights, strength = self.heights[order], self.strength[order]
        return replace(self, points=points, gradient=gradient, slopes=slopes, heights=heights, strength=strength)

    def follow(self, picture: Map, matrix: Matrix, steps: int) -> Matrix:
        """Where the template lies in `picture`: 3 x 3, from `matrix` by at most `steps` steps of Gauss-Newton."""
        if self.heights.size < _FEWEST:
            return matrix
        offset = self.offset(picture, matrix)
        for _ in range(steps):
            rest, inside = self.rest(picture, matrix, offset)
            weighted = self.slopes * weights(rest, inside)
            # Not by BLAS, whose sums depend on how many threads it has: masks must not.
            system = np.einsum("in,jn->ij", weighted, self.slopes) + _FIRM * np.eye(6)
            move = np.linalg.solve(system, (weighted * rest).sum(axis=1)).reshape(2, 3)
            step = np.eye(3)
            step[:2] += move @ self.normal
            matrix = matrix @ np.linalg.inv(step)
            if np.abs(move).max() < _STILL:
                break
        return matrix

    def rest(
        self, picture: Map, matrix: Matrix, offset: float, bend: Map | None = None
    ) -> tuple[Map, NDArray[np.bool_]]:
        """By how many pixels of shift `picture` differs from the template at each edge, and which lie inside it.

        `bend`: (2, n), how far each edge is moved before `matrix`.
        """
        found = _sampled(picture, matrix, self.points if bend is None else self.points + bend)
        return (found - self.heights - np.float32(offset)) / self.strength, found > _OUTSIDE / 2

    def offset(self, picture: Map, matrix: Matrix) -> float:
        """What most of the picture attenuates more than the template: the narrowest range that holds a third of it."""
        found = _sampled(picture, matrix, self.ground)
        rest = np.sort((found - self.levels)[found > _OUTSIDE / 2])
        third = len(rest) // 3
        if third < 10:
            return 0.0
        start = int(np.argmin(rest[third:] - rest[:-third]))
        return float(rest[start + third // 2])

    def agreement(self, picture: Map, matrix: Matrix, offset: float, bend: Map) -> tuple[float, float]:
        """Of the edges that nothing covers, the share that `picture` shows in their place; and how far off, in pixels
        and as a standard deviation, most are.

        Contents only add attenuation. So where the picture has less of it than the template, it shows another one.
        """
        rest, inside = self.rest(picture, matrix, offset, bend)
        rest = rest[inside]
        bare = int((rest < _NEAR).sum())
        if rest.size < max(_FEWEST, _INSIDE * inside.size) or bare < _BARE * rest.size:
            return 0.0, 1.0
        third = np.partition(np.abs(rest), rest.size // 3)[rest.size // 3]
        return float((np.abs(rest) < _NEAR).sum() / bare), min(1.0, float(third) / _THIRD_OF_NORMAL)


def weights(rest: Map, inside: NDArray[np.bool_]) -> Map:
    """Geman and McClure's: near 1 for differences of the usual size, near 0 for what lies in the container."""
    some = np.abs(rest[inside][::3])
    spread = 1.4826 * float(np.partition(some, some.size // 2)[some.size // 2]) if some.size else 0.0
    return np.asarray(inside / (1 + (rest / max(_LEAST, 2 * spread)) ** 2) ** 2, np.float32)


def moved(matrix: NDArray[Any], points: Matrix | Sequence[Map]) -> tuple[Map, Map]:
    """Where an affine matrix moves points, x and y of any shapes that go together."""
    x, y = points
    return (
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
    )


def _thinned(flags: NDArray[np.bool_], most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of at most `most` of the pixels that are True, evenly."""
    rows, columns = np.nonzero(flags)
    stride = max(1, -(-len(rows) // most))
    return rows[::stride], columns[::stride]


def _sampled(picture: Map, matrix: Matrix, points: Matrix) -> Map:
    if not points.size:
        return np.zeros(0, np.float32)
    x, y = (part.astype(np.float32) for part in moved(matrix, points))
    return np.asarray(cv2.remap(picture, x[None], y[None], cv2.INTER_LINEAR, borderValue=_OUTSIDE)[0])
