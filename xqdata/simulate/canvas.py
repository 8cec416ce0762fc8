"""Pictures of thickness, drawn in millimetres, for the sheets of `geometry`.

Cloth, zips, wires, ribs and fittings are flat: one sheet with a picture costs less than hundreds of small solids.
Lengths are in mm, the middle of the canvas is the origin, x runs along the columns and y along the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from xqdata.simulate.geometry import Matrix, Part, scale

Field = NDArray[np.float64]
FAR = 1e3


class Canvas:
    """A grid of points. `size`: its length along x and y; `pitch`: mm from point to point; `x` (1, n); `y` (m, 1)."""

    def __init__(self, size: tuple[float, float], pitch: float = 1.0) -> None:
        self.size, self.pitch = size, pitch
        self.columns, self.rows = (max(2, round(length / pitch)) for length in size)
        self.x = (((np.arange(self.columns) + 0.5) / self.columns - 0.5) * size[0])[None, :]
        self.y = (((np.arange(self.rows) + 0.5) / self.rows - 0.5) * size[1])[:, None]

    def empty(self) -> Field:
        """A field of zeros."""
        return np.zeros((self.rows, self.columns))

    def window(self, at: tuple[float, float], half: tuple[float, float]) -> tuple[slice, slice]:
        """The rows and columns of a rectangle, as far as they are on the canvas."""
        spans = []
        for points, middle, reach in ((self.y[:, 0], at[1], half[1]), (self.x[0], at[0], half[0])):
            first, last = np.searchsorted(points, (middle - reach, middle + reach))
            spans.append(slice(int(first), int(last)))
        return spans[0], spans[1]

    def box(self, half: tuple[float, float], corner: float, at: tuple[float, float] = (0.0, 0.0)) -> Field:
        """Distance to the outline of a rectangle with round corners, negative inside."""
        dx = np.abs(self.x - at[0]) - half[0] + corner
        dy = np.abs(self.y - at[1]) - half[1] + corner
        outside = np.hypot(np.maximum(dx, 0.0), np.maximum(dy, 0.0))
        return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0.0) - corner)

    def path(self, points: ArrayLike, reach: float = 8.0) -> Field:
        """Distance to a line through `points` (n, 2), FAR where it is more than `reach`."""
        field = np.full((self.rows, self.columns), FAR)
        corners = np.ascontiguousarray(points, np.float64)
        _near(field, corners, self.x[0], self.y[:, 0], reach)
        return field

    def dots(self, points: ArrayLike, reach: float = 8.0) -> Field:
        """Distance to the nearest of `points` (n, 2), FAR where it is more than `reach`."""
        spots = np.asarray(points, np.float64).reshape(-1, 2)
        field = np.full((self.rows, self.columns), FAR)
        for spot in spots:
            ends = np.stack([spot, spot])
            _near(field, ends, self.x[0], self.y[:, 0], reach)
        return field

    def inside(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Which points lie in the polygon with the corners `points` (n, 2)."""
        corners = np.ascontiguousarray(points, np.float64)
        mask = np.zeros((self.rows, self.columns), np.bool_)
        _fill(mask, corners, self.x[0], self.y[:, 0])
        return mask

    def shape(self, points: ArrayLike, reach: float = 8.0) -> Field:
        """Distance to the outline of a polygon (n, 2), negative inside, FAR beyond `reach`."""
        corners = np.asarray(points, np.float64)
        field = self.path(np.concatenate([corners, corners[:1]]), reach)
        return np.where(self.inside(corners), -field, field)

    def cover(self, distance: Field) -> Field:
        """How much of each point's square lies where `distance` is negative, 0 to 1."""
        return np.clip(0.5 - distance / self.pitch, 0.0, 1.0)

    def line(self, distance: Field, width: float) -> Field:
        """`cover` of the band of `width` mm around distance 0."""
        return self.cover(np.abs(distance) - width / 2)

    def wire(self, distance: Field, diameter: float) -> Field:
        """The thickness of a round wire along distance 0; a wire thinner than a point keeps its volume."""
        seen = max(diameter, 1.5 * self.pitch)
        chord = np.sqrt(np.maximum(0.0, seen**2 - 4.0 * np.square(distance)))
        return chord * (diameter / seen) ** 2

    def sheet(self, thickness: Field, material: str, at: Matrix | None = None, density: float = 1.0) -> Part:
        """The sheet with this picture, in the plane z = 0 or moved by `at`."""
        size = scale(self.size[0] / 2, self.size[1] / 2, 1.0)
        raster = thickness.astype(np.float32)
        return Part("sheet", size if at is None else at @ size, material, density=density, raster=raster)


def curve(points: Iterable[Sequence[float]], closed: bool = False, steps: int = 8) -> Field:
    """A smooth line (Catmull-Rom) through `points`: (n, 2), or (n, 3) through points in space."""
    knots = np.asarray(list(points), np.float64)
    if closed:
        padded = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    t = (np.arange(steps) / steps)[None, :, None]
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    bend = 2 * start + (end - before) * t + (2 * before - 5 * start + 4 * end - after) * t**2
    bend = bend + (3 * start - before - 3 * end + after) * t**3
    line = (bend / 2).reshape(-1, knots.shape[1])
    return np.asarray(line if closed else np.concatenate([line, knots[-1:]]))


def ring(half: tuple[float, float], corner: float, at: tuple[float, float] = (0.0, 0.0), steps: int = 6) -> Field:
    """The outline of a rectangle with round corners as points (n, 2), the first one repeated at the end."""
    angles = np.radians(np.linspace(0, 90, steps))
    arc = corner * np.stack([np.cos(angles), np.sin(angles)], 1)
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    inner = np.array([half[0] - corner, half[1] - corner])
    corners = [(arc if sx == sy else arc[::-1]) * (sx, sy) + inner * (sx, sy) for sx, sy in signs]
    points = np.concatenate(corners) + np.array(at)
    return np.concatenate([points, points[:1]])


def noise(shape: tuple[int, int], cell: tuple[float, float], rng: np.random.Generator) -> Field:
    """Smooth noise of mean 0 and about unit variance; `cell`: rows and columns from one lump to the next."""
    knots = [int(n / c) + 4 for n, c in zip(shape, cell, strict=True)]
    out = np.empty(shape)
    _smooth(rng.standard_normal(knots) * 2.09, cell[0], cell[1], out)
    return out


def filaments(canvas: Canvas, rng: np.random.Generator, grain: tuple[float, float], width: float = 1.2) -> Field:
    """Thin curved strokes as folds of cloth make them, 0 to 1: the level lines of a noise with lumps of `grain` mm.

    They are broken where a second noise is low. `width`: mm of a stroke, about.
    """
    cell = (grain[1] / canvas.pitch, grain[0] / canvas.pitch)
    level = noise((canvas.rows, canvas.columns), cell, rng)
    gaps = noise((canvas.rows, canvas.columns), (cell[0] * 1.5, cell[1] * 1.5), rng)
    _stroke(level, gaps, min(grain) / (1.4 * width))
    return level


@njit(cache=True, nogil=True)
def _near(field: Field, points: Field, xs: Field, ys: Field, reach: float) -> None:
    """Lower `field` to the distance to each piece of the line, within `reach`."""
    rows, columns = field.shape
    dx, dy = xs[1] - xs[0], ys[1] - ys[0]
    for i in range(len(points) - 1):
        ax, ay = points[i]
        bx, by = points[i + 1]
        c0 = max(0, int((min(ax, bx) - reach - xs[0]) / dx))
        c1 = min(columns - 1, int((max(ax, bx) + reach - xs[0]) / dx) + 1)
        r0 = max(0, int((min(ay, by) - reach - ys[0]) / dy))
        r1 = min(rows - 1, int((max(ay, by) + reach - ys[0]) / dy) + 1)
        ux, uy = bx - ax, by - ay
        square = ux * ux + uy * uy
        for r in range(r0, r1 + 1):
            for c in range(c0, c1 + 1):
                px, py = xs[c] - ax, ys[r] - ay
                t = min(1.0, max(0.0, (px * ux + py * uy) / square)) if square > 0.0 else 0.0
                px, py = px - t * ux, py - t * uy
                distance = np.sqrt(px * px + py * py)
                if distance <= reach and distance < field[r, c]:
                    field[r, c] = distance


@njit(cache=True, nogil=True)
def _fill(mask: NDArray[np.bool_], points: Field, xs: Field, ys: Field) -> None:
    """Set what lies in the polygon, by the even-odd rule."""
    rows, columns = mask.shape
    for r in range(rows):
        y = ys[r]
        for i in range(len(points)):
            ax, ay = points[i - 1]
            bx, by = points[i]
            if (ay > y) == (by > y):
                continue
            cross = ax + (y - ay) / (by - ay) * (bx - ax)
            for c in range(columns):
                if xs[c] >= cross:
                    mask[r, c] = not mask[r, c]


# Not a product of matrices: small ones wait for the threads of BLAS, and its sums differ between machines.
@njit(cache=True, nogil=True)
def _smooth(lumps: Field, cell_rows: float, cell_columns: float, out: Field) -> None:
    """Cubic B-splines through `lumps` at points `cell` apart."""
    rows, columns = out.shape
    weights = np.empty((columns, 4))
    for c in range(columns):
        _spline(c / cell_columns % 1.0, weights[c])
    down = np.empty(lumps.shape[1])
    own = np.empty(4)
    for r in range(rows):
        first = int(r / cell_rows)
        _spline(r / cell_rows % 1.0, own)
        for k in range(lumps.shape[1]):
            down[k] = 0.0
            for i in range(4):
                down[k] += own[i] * lumps[first + i, k]
        for c in range(columns):
            left = int(c / cell_columns)
            total = 0.0
            for i in range(4):
                total += weights[c, i] * down[left + i]
            out[r, c] = total


@njit(cache=True, nogil=True)
def _spline(t: float, weights: Field) -> None:
    """The four weights of a uniform cubic B-spline at `t`, 0 to 1, between its knots."""
    weights[0] = (1.0 - t) ** 3 / 6.0
    weights[1] = (3.0 * t**3 - 6.0 * t**2 + 4.0) / 6.0
    weights[2] = (-3.0 * t**3 + 3.0 * t**2 + 3.0 * t + 1.0) / 6.0
    weights[3] = t**3 / 6.0


@njit(cache=True, nogil=True)
def _stroke(level: Field, gaps: Field, slope: float) -> None:
    """Replace `level` by 1 where it is 0, falling to 0 at 1 / `slope`, and fade it where `gaps` is low."""
    rows, columns = level.shape
    for r in range(rows):
        for c in range(columns):
            stroke = max(0.0, 1.0 - abs(level[r, c]) * slope)
            level[r, c] = stroke * min(1.0, max(0.0, gaps[r, c] + 0.3))
