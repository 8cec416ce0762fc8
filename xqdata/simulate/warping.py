"""Cloth that gives: a smooth displacement in the plane that moves fittings and bends the pictures of sheets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xqdata.simulate.geometry import Body, Part, extent, shift

_WAVES = 4
# A sheet longer than this, in mm, is bent; anything shorter only moves.
_BENT = 120.0


class Sway:
    """A displacement field of a few long waves, its standard deviation `amount` mm along x and along y."""

    def __init__(self, rng: np.random.Generator, amount: float) -> None:
        angles = rng.uniform(0, 2 * np.pi, _WAVES)
        number = 2 * np.pi / rng.uniform(220.0, 600.0, _WAVES)
        self.waves = np.stack([number * np.cos(angles), number * np.sin(angles)], 1)
        self.phases = rng.uniform(0, 2 * np.pi, (2, _WAVES))
        self.heights = rng.normal(0, amount * np.sqrt(2.0 / _WAVES), (2, _WAVES))

    def at(self, x: float, y: float) -> tuple[float, float]:
        """By how much the point x, y moves, in mm along x and y."""
        phase = self.waves @ (x, y)
        dx, dy = (self.heights * np.sin(phase + self.phases)).sum(1)
        return float(dx), float(dy)


def warped(body: Iterable[Part], sway: Sway) -> Body:
    """Every part moved with the field at its middle; large sheets bent by it."""
    return tuple(_bent(part, sway) if _is_cloth(part) else _moved(part, sway) for part in body)


def _is_cloth(part: Part) -> bool:
    return part.raster is not None and bool(np.abs(part.matrix[:2, :2]).sum(1).max() * 2 > _BENT)


def _moved(part: Part, sway: Sway) -> Part:
    low, high = extent((part,))
    x, y = (low[:2] + high[:2]) / 2
    dx, dy = sway.at(float(x), float(y))
    return part.moved(shift(dx, dy))


def _bent(part: Part, sway: Sway) -> Part:
    """The picture drawn again, each point fetched from where it came from, to first order in the displacement."""
    if part.raster is None:
        raise ValueError("only a sheet has a picture to bend")
    linear = part.matrix[:2, :2]
    inverse: NDArray[np.float64] = np.linalg.inv(linear).astype(np.float64)
    picture = _fetch(part.raster, linear, part.matrix[:2, 3], inverse, sway.waves, sway.phases, sway.heights)
    return replace(part, raster=picture)


@njit(cache=True, nogil=True)
def _fetch(
    picture: NDArray[np.float32],
    linear: NDArray[np.float64],
    middle: NDArray[np.float64],
    inverse: NDArray[np.float64],
    waves: NDArray[np.float64],
    phases: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> NDArray[np.float32]:
    rows, columns = picture.shape
    out = np.zeros_like(picture)
    # The field is smooth: it is evaluated on every eighth point and stretched between them.
    grid_rows, grid_columns = rows // 8 + 2, columns // 8 + 2
    grid = np.zeros((2, grid_rows, grid_columns))
    for i in range(grid_rows):
        for j in range(grid_columns):
            u, v = (j * 8 + 0.5) / columns * 2 - 1, (i * 8 + 0.5) / rows * 2 - 1
            x = middle[0] + linear[0, 0] * u + linear[0, 1] * v
            y = middle[1] + linear[1, 0] * u + linear[1, 1] * v
            dx = dy = 0.0
            for k in range(len(waves)):
                phase = waves[k, 0] * x + waves[k, 1] * y
                dx += heights[0, k] * np.sin(phase + phases[0, k])
                dy += heights[1, k] * np.sin(phase + phases[1, k])
            grid[0, i, j] = (inverse[0, 0] * dx + inverse[0, 1] * dy) * columns / 2
            grid[1, i, j] = (inverse[1, 0] * dx + inverse[1, 1] * dy) * rows / 2
    for r in range(rows):
        i, fi = r // 8, r % 8 / 8
        for c in range(columns):
            j, fj = c // 8, c % 8 / 8
            du = (grid[0, i, j] * (1 - fj) + grid[0, i, j + 1] * fj) * (1 - fi)
            du += (grid[0, i + 1, j] * (1 - fj) + grid[0, i + 1, j + 1] * fj) * fi
            dv = (grid[1, i, j] * (1 - fj) + grid[1, i, j + 1] * fj) * (1 - fi)
            dv += (grid[1, i + 1, j] * (1 - fj) + grid[1, i + 1, j + 1] * fj) * fi
            u, v = c - du, r - dv
            if u < 0 or v < 0 or u >= columns - 1 or v >= rows - 1:
                continue
            c0, r0 = int(u), int(v)
            fu, fv = u - c0, v - r0
            top = picture[r0, c0] * (1 - fu) + picture[r0, c0 + 1] * fu
            bottom = picture[r0 + 1, c0] * (1 - fu) + picture[r0 + 1, c0 + 1] * fu
            out[r, c] = top * (1 - fv) + bottom * fv
    return out
