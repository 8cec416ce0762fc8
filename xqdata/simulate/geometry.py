"""Solids and sheets in millimetres, and how far each ray of a fan-beam scanner runs through them.

The belt runs along x, its surface is the plane z = 0, y goes across it. A line scanner sees one plane of constant x at
a time: all rays of a picture's row share one direction, and its columns are steps along the belt. That makes every
shape below a closed formula along a row.

A part is added with the *difference* that it makes: a stone in a fruit adds stone and takes the flesh away that it
displaces (`within`). So parts overlap freely, and their order does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate.rays import add_lengths

Matrix = NDArray[np.float64]
Shape = Literal["ball", "tube", "cube", "cone", "sheet"]
SHAPES: tuple[Shape, ...] = ("ball", "tube", "cube", "cone", "sheet")
# The last bits of sines, of exponentials and of products of matrices differ from one processor to another, and the same
# seed must give the same picture everywhere: rays meet what is kept in steps of these shares of a mm and of 1.
_STEPS, _THICKNESS_STEPS = 2.0**14, 2.0**9


@dataclass(frozen=True)
class Texture:
    """Density that varies inside a part, fixed to the part as it turns.

    `amount`: standard deviation of the relative density, about; `grain`: size of the lumps in mm along the part's own
    axes (long along one axis: fibres); `seed`: which pattern.
    """

    amount: float
    grain: tuple[float, float, float]
    seed: int


@dataclass(frozen=True, eq=False)
class Part:
    """One convex solid or thin sheet of one material.

    `shape`, in its own unit frame: `ball` x²+y²+z² ≤ 1; `tube` x²+y² ≤ 1, |z| ≤ 1; `cube` |x|, |y|, |z| ≤ 1; `cone` a
    tube whose radius falls from 1 at z = -1 to 1 - `taper` at z = 1; `sheet` a picture of thickness in mm over |x|, |y|
    ≤ 1 at z = 0 (`raster`, rows along y). `matrix`: (4, 4), unit frame to mm. `within`: the material that it displaces.
    `density`: factor on the material's own. `cuts`: half spaces (a, b, c, d) that keep a·x + b·y + c·z ≤ d.
    """

    shape: Shape
    matrix: Matrix
    material: str
    within: str | None = None
    density: float = 1.0
    taper: float = 0.0
    texture: Texture | None = None
    cuts: tuple[tuple[float, float, float, float], ...] = ()
    raster: NDArray[np.float32] | None = None

    def moved(self, by: Matrix) -> Part:
        """The same part after `by`, a (4, 4) matrix of the frame that it is placed in."""
        return Part(self.shape, by @ self.matrix, self.material, self.within, self.density, self.taper, self.texture,
                    self.cuts, self.raster)  # fmt: skip


Body = tuple[Part, ...]


def moved(body: Iterable[Part], by: Matrix) -> Body:
    """All parts after `by`."""
    return tuple(part.moved(by) for part in body)


def shift(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Matrix:
    """A translation in mm."""
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def scale(x: float, y: float | None = None, z: float | None = None) -> Matrix:
    """A scaling: of a unit shape, its half axes in mm."""
    return np.diag([x, x if y is None else y, x if z is None else z, 1.0])


def turn(axis: Literal["x", "y", "z"], degrees: float) -> Matrix:
    """A right-handed rotation about an axis."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix[first, first] = matrix[second, second] = c
    matrix[first, second], matrix[second, first] = -s, s
    return matrix


def along(start: Sequence[float], end: Sequence[float], radius: float, other_radius: float | None = None) -> Matrix:
    """The frame of a `tube` or `cone` whose axis runs from `start` to `end` (mm): z = -1 at `start`, 1 at `end`.

    `radius` is its half axis across, `other_radius` the second one where it is not round.
    """
    a, b = np.asarray(start, float), np.asarray(end, float)
    length = float(np.linalg.norm(b - a))
    if length == 0.0:
        raise ValueError("a tube needs two different ends")
    axis = (b - a) / length
    helper = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    across = np.cross(helper, axis)
    across /= np.linalg.norm(across)
    matrix = np.eye(4)
    matrix[:3, 0] = across * radius
    matrix[:3, 1] = np.cross(axis, across) * (radius if other_radius is None else other_radius)
    matrix[:3, 2] = axis * length / 2
    matrix[:3, 3] = (a + b) / 2
    return matrix


def extent(body: Iterable[Part]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and highest x, y, z (mm) that any part reaches, cuts not counted; ValueError for no parts."""
    parts = tuple(body)
    frames = np.stack([part.matrix for part in parts])
    squares = frames[:, :3, :3] ** 2
    flat, round_ = np.sqrt(squares).sum(2), np.sqrt(squares.sum(2))
    across = np.sqrt(squares[:, :, :2].sum(2)) + np.sqrt(squares[:, :, 2])
    reach = {"ball": round_, "tube": across, "cone": across, "cube": flat, "sheet": flat}
    sides = np.stack([reach[part.shape][i] for i, part in enumerate(parts)])
    middle = frames[:, :3, 3]
    return (middle - sides).min(0), (middle + sides).max(0)


_UNIT_CORNERS = np.array([[x, y, z, 1.0] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


def _corners(frames: Matrix) -> NDArray[np.float64]:
    """The corners of the boxes around parts: (parts, 4, 4) to (parts, 8, 3) in mm."""
    return np.asarray(np.einsum("nij,cj->nci", frames[:, :3], _UNIT_CORNERS))


@dataclass(frozen=True)
class View:
    """A point source and a straight line of detector elements in the plane across the belt.

    `source`, `first`, `last`: (y, z) in mm of the focal spot, the first element (the picture's first row) and the last.
    `elements`: the picture's height. `step`: mm of belt for each column.
    """

    name: str
    source: tuple[float, float]
    first: tuple[float, float]
    last: tuple[float, float]
    elements: int
    step: float

    def directions(self) -> NDArray[np.float64]:
        """Unit vectors (y, z) from the source to each element: (elements, 2)."""
        share = (np.arange(self.elements) + 0.5) / self.elements
        ends = np.asarray(self.first) + share[:, None] * (np.asarray(self.last) - np.asarray(self.first))
        rays = ends - np.asarray(self.source)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))

    def rows(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """The row, as a fraction, where points (..., 3) in mm show.

        They must lie on the detector's side of the source.
        """
        (y0, z0), (y1, z1), (ys, zs) = self.first, self.last, self.source
        ray_y, ray_z = points[..., 1] - ys, points[..., 2] - zs
        along_line = ((y0 - ys) * ray_z - (z0 - zs) * ray_y) / (ray_y * (z1 - z0) - ray_z * (y1 - y0))
        return np.asarray(along_line * self.elements - 0.5)


def _boxes(frames: Matrix, view: View, columns: int) -> NDArray[np.int64]:
    """Left, top, width, height in pixels of the boxes around parts, cut at the edges: (parts, 4); none outside."""
    corners = _corners(frames)
    rows, along_belt = view.rows(corners), corners[..., 0] / view.step - 0.5
    low = np.maximum(np.floor(np.stack([along_belt.min(1), rows.min(1)], 1)), 0).astype(np.int64)
    high = np.ceil(np.stack([along_belt.max(1), rows.max(1)], 1)).astype(np.int64) + 1
    high = np.minimum(high, [columns, view.elements])
    return np.concatenate([low, high - low], 1)


def pixel_box(body: Iterable[Part], view: View, columns: int) -> tuple[int, int, int, int] | None:
    """x, y, width, height in pixels of the box around a body's picture, cut at the edges; None outside."""
    boxes = _boxes(np.stack([part.matrix for part in body]), view, columns)
    shown = boxes[(boxes[:, 2:] > 0).all(1)]
    if not len(shown):
        return None
    x, y = shown[:, :2].min(0).tolist()
    right, bottom = (shown[:, :2] + shown[:, 2:]).max(0).tolist()
    return x, y, right - x, bottom - y


def project(
    body: Iterable[Part], view: View, columns: int, coefficients: Callable[[str], NDArray[np.float64]], width: int
) -> NDArray[np.float32]:
    """Line integrals through all parts, (elements, columns, width) float32.

    That is the sum of thickness in cm times the `width` numbers that `coefficients` gives for each material, times
    the part's own density factor.
    """
    out = np.zeros((view.elements, columns, width), np.float32)
    add_projection(out, body, view, coefficients)
    return out


def add_projection(
    out: NDArray[np.float32], body: Iterable[Part], view: View, coefficients: Callable[[str], NDArray[np.float64]]
) -> None:
    """Add what `project` gives for `body` to `out`, (elements, columns, width) float32."""
    parts = tuple(body)
    packed = _pack(parts, view, out.shape[1], coefficients) if parts else None
    if packed is not None:
        add_lengths(out, view.directions(), np.asarray(view.source), view.step, *packed)


def _pack(
    body: Body, view: View, columns: int, coefficients: Callable[[str], NDArray[np.float64]]
) -> tuple[Any, ...] | None:
    """The parts that show, as arrays."""
    frames = _in_steps(np.stack([part.matrix for part in body]))
    boxes = _boxes(frames, view, columns)
    shown = np.flatnonzero((boxes[:, 2:] > 0).all(1))
    if not len(shown):
        return None
    frames, boxes = frames[shown], boxes[shown]
    parts = [body[i] for i in shown]
    inverse = _inverse(frames)
    axes = np.linalg.norm(frames[:, :3, :3], axis=1)
    normal = 1.0 / np.linalg.norm(inverse[:, 2, :3], axis=1)
    effect = np.stack([_effect(part, coefficients) for part in parts])
    amounts = [part.texture.amount if part.texture else 0.0 for part in parts]
    grain = axes / [part.texture.grain if part.texture else (1.0, 1.0, 1.0) for part in parts]
    seeds = np.array([part.texture.seed if part.texture else 0 for part in parts], np.uint64)
    cuts = np.zeros((len(parts), max(1, *(len(part.cuts) for part in parts), 1), 4))
    for row, part in zip(cuts, parts, strict=True):
        row[: len(part.cuts)] = _in_steps(np.array(part.cuts or np.empty((0, 4))))
    return (
        inverse,
        np.array([SHAPES.index(part.shape) for part in parts]),
        boxes,
        effect,
        np.stack([_in_steps(np.array([part.taper for part in parts])), normal, amounts], 1),
        grain,
        seeds,
        cuts,
        np.array([len(part.cuts) for part in parts]),
        *_pack_rasters(parts),
    )


def _in_steps(values: NDArray[Any], steps: float = _STEPS) -> NDArray[Any]:
    """The nearest multiples of 1 / `steps`."""
    return np.asarray(np.rint(values * steps) / steps)


def _inverse(frames: Matrix) -> NDArray[np.float64]:
    """From mm to each part's unit frame, (parts, 3, 4): written out, because LAPACK's last bits differ as well."""
    x, y, z = (frames[:, :3, k] for k in range(3))
    rows = np.stack([np.cross(y, z), np.cross(z, x), np.cross(x, y)], 1)
    rows /= (rows[:, 0] * x).sum(1)[:, None, None]
    moved = -(rows * frames[:, None, :3, 3]).sum(2)
    return np.concatenate([rows, moved[:, :, None]], 2)


def _effect(part: Part, coefficients: Callable[[str], NDArray[np.float64]]) -> NDArray[np.float64]:
    """What a millimetre of the part adds."""
    displaced = coefficients(part.within) if part.within else 0.0
    return (coefficients(part.material) * part.density - displaced) / 10.0


def _pack_rasters(parts: Sequence[Part]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """All rasters in one row, and offset, rows and columns of each part's."""
    flat: list[NDArray[np.float32]] = [np.zeros(1, np.float32)]
    places = np.zeros((len(parts), 3), np.int64)
    offset = 1
    for place, part in zip(places, parts, strict=True):
        if part.raster is not None:
            place[:] = offset, *part.raster.shape
            flat.append(_in_steps(part.raster, _THICKNESS_STEPS).astype(np.float32).ravel())
            offset += part.raster.size
    return np.concatenate(flat), places
