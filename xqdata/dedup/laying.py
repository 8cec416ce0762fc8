"""One picture laid on another as a copy of it lies: turned, mirrored, resized, trimmed, neither skewed nor warped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import register
from xqdata.dedup.prepared import Picture, Prepared
from xqdata.dedup.register import Map, ncc

Pixels = NDArray[Any]
Mask = NDArray[np.bool_]

# Pictures of MIDDLE pixels, laid on one another: copies correlate by more, scans of other things mostly by less. And of
# SMALL pixels, before the map is improved on larger ones: copies by 0.966 and more, other things mostly below 0.9.
_MIDDLE, _SMALL = 0.93, 0.9
# Pictures whose sides differ by up to this share can be one another's with something cut off.
_TRIM = 0.05
# Pixels by which corners may miss corners: programs round the size of a picture that they make smaller.
_CORNERS = 1.0
# Share of the pixels, the steepest, that maps are found from at each size; of the largest pictures, how many.
_EDGES, _EDGE_PIXELS = 0.2, 30_000
# Resolutions that differ by less are taken for one.
_EQUAL = 1.005


@dataclass(frozen=True)
class Laid:
    """Two pictures on the grid of the one with fewer pixels.

    `fixed`, `moved`: float32 of one shape; `there`: where both show something. `air`: values of `fixed` that are air.
    `step`: the coarser step of values, in levels of 255.
    `overlap`: share of the larger picture that the other shows. `still`: nothing had to be moved. `exact`: they lie as
    only a copy does, corners on corners, or one inside the other and shifted by whole pixels. `reduction`: size of the
    smaller over that of the larger, as far as both show the same; at most 1. `resampled`: values were interpolated.
    """

    fixed: Picture
    moved: Picture
    there: Mask
    air: float | None
    step: float
    overlap: float
    still: bool
    exact: bool
    reduction: float
    resampled: bool


def lay(a: Prepared, b: Prepared, orientation: str) -> Iterator[Laid]:
    """`b`, turned, on `a`, or the other way round, in every way in which it may lie there, the simplest first."""
    fixed, moving = a, b.turned(orientation)
    if moving.picture.size < fixed.picture.size:
        fixed, moving = moving, fixed
    sizes = _Sizes(*((p.picture, p.middle, p.small) for p in (fixed, moving)))
    for matrix, free in _maps(sizes):
        yield finely(fixed, moving, matrix, free)


def _maps(sizes: _Sizes) -> Iterator[tuple[Map, NDArray[np.int64]]]:
    """Maps that fit well enough to look closer, and what is still to be improved in each."""
    one, other = sizes.fixed[0].shape, sizes.moving[0].shape
    if one == other and sizes.fit(register.IDENTITY, 1) > _MIDDLE:
        yield register.IDENTITY, register.NOTHING
    if max(abs(one[0] / other[0] - 1), abs(one[1] / other[1] - 1)) <= _TRIM:
        # Trimmed and not resized: middle on middle.
        middles = register.IDENTITY.copy()
        middles[:, 2] = (np.array(other) - one)[::-1] / 2
        shifted = sizes.improved(middles, register.SHIFT)
        if shifted is not None:
            yield shifted, register.SHIFT
    # Resized, and perhaps trimmed: corners on corners.
    resized = sizes.improved(register.stretch(one, other), register.AXES)
    if resized is not None:
        yield resized, register.AXES


@dataclass(frozen=True)
class _Sizes:
    """Two pictures at three sizes each, large to small, and maps between the largest of them."""

    fixed: Sequence[Pixels]
    moving: Sequence[Pixels]

    def improved(self, matrix: Map, free: NDArray[np.int64]) -> Map | None:
        """`matrix` improved at small, then at middle size; None where the pictures do not fit there."""
        for size, least in ((2, _SMALL), (1, _MIDDLE)):
            matrix = self._refined(matrix, size, free)
            if self.fit(matrix, size) <= least:
                return None
        return matrix

    def fit(self, matrix: Map, size: int) -> float:
        """Normalised cross-correlation at that size, 0 where little of the one lies on the other."""
        fixed = self.fixed[size]
        moved, there = register.warped(self.moving[size], self._down(matrix, size), fixed.shape)
        return ncc(fixed[there], moved[there]) if np.count_nonzero(there) > 0.5 * there.size else 0.0

    def _refined(self, matrix: Map, size: int, free: NDArray[np.int64]) -> Map:
        fixed, moving = self.fixed[size], self.moving[size]
        where = register.edges(fixed, _EDGES if size == 1 else 1.0)
        found = register.refined(fixed, moving, self._down(matrix, size), free, 8 if size == 1 else 12, where)
        here, there = self._scales(size)
        return register.chained(register.chained(register.inverse(here), found), there)

    def _down(self, matrix: Map, size: int) -> Map:
        """The map between the pictures of another size."""
        here, there = self._scales(size)
        return register.chained(register.chained(here, matrix), register.inverse(there))

    def _scales(self, size: int) -> tuple[Map, Map]:
        return tuple(register.stretch(p[size].shape, p[0].shape) for p in (self.fixed, self.moving))  # type: ignore[return-value]


def finely(one: Prepared, other: Prepared, matrix: Map, free: NDArray[np.int64]) -> Laid:
    """`other` on `one` from a map that is right to a pixel or two, improved in what `free` says."""
    moving = other.picture
    fixed = np.ascontiguousarray(one.picture, np.float32)
    reduced = _as_coarse(moving, matrix, fixed.shape)
    to_moving = register.stretch(reduced.shape, moving.shape)
    near = register.chained(matrix, register.inverse(to_moving))
    whole = register.shifted(fixed, reduced, near) if free is register.SHIFT else None
    if whole is not None:
        near = whole
    elif free.size:
        where = register.edges(fixed, min(1.0, _EDGE_PIXELS / fixed.size))
        near = register.snapped(register.refined(fixed, reduced, near, register.AXES, 6, where), fixed.shape)
    moved, there = register.warped(reduced, near, fixed.shape)
    full = register.chained(near, to_moving)
    shared = int(np.count_nonzero(there))
    return Laid(
        fixed,
        moved,
        there,
        one.air,
        max(one.step, other.step),
        overlap=shared / max(fixed.size, reduced.size / _area(near)),
        still=not free.size,
        exact=_cornered(full, fixed, moving) or (register.whole(near) and shared == min(fixed.size, reduced.size)),
        reduction=min(1.0, _area(full) ** -0.5),
        resampled=not register.whole(full),
    )


def _as_coarse(moving: Pixels, matrix: Map, shape: tuple[int, ...]) -> Picture:
    """`moving` averaged to the resolution of the fixed picture, as the program did that made a smaller copy."""
    moving = np.ascontiguousarray(moving, np.float32)
    factors = max(1.0, matrix[0, 0]), max(1.0, matrix[1, 1])
    if max(factors) <= _EQUAL:
        return moving
    sizes = [round(length / factor) for length, factor in zip(moving.shape[::-1], factors, strict=True)]
    # Where nothing was trimmed the sizes are equal, and every pixel is averaged from the very same ones.
    size = [want if abs(want - own) <= 1 else own for want, own in zip(shape[::-1], sizes, strict=True)]
    return np.asarray(cv2.resize(moving, size, interpolation=cv2.INTER_AREA), np.float32)


def _cornered(matrix: Map, fixed: Pixels, moving: Pixels) -> bool:
    """Whether a map lays corners on corners, in pixels of the fixed picture."""
    off = register.farthest(matrix, register.stretch(fixed.shape, moving.shape), fixed.shape)
    return bool(off <= _CORNERS * max(1.0, _area(matrix) ** 0.5))


def _area(matrix: Map) -> float:
    """How many pixels of the moving picture one of the fixed covers."""
    return abs(float(np.linalg.det(matrix[:, :2])))
