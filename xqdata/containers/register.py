"""Where a container lies in a scan: registration that does not mind the contents.

Inverse-compositional Gauss-Newton (Baker and Matthews 2004, "Lucas-Kanade 20 years on") with redescending weights
(Geman and McClure): what lies in the container, and ballast that moved, differs from the template by more than a
shifted edge does, and counts nothing. Only points where the template has an edge say anything about a shift, so only
those are looked at. OpenCV's ECC has no such weights, and looks at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.bend import Bender
from xqdata.containers.edges import Edges, Matrix, moved
from xqdata.containers.maps import Map

# Edges of dense things are as good as edges of plastic for finding a shift; how dense does not matter.
_CAP = 1.2
_BLUR = 0.8
# In the search for a first shift, where nothing is left out yet, dense things count no more than plastic.
_FLAT = 0.3
# A worse fit may come from a wrong first shift.
_FOUND = 0.4
# Working pixels of one pixel of each size, the coarsest first, and the most steps there.
_SIZES = ((4, 24), (2, 16), (1, 12))
# Where the search for a first shift looks: pixels of the coarsest size each way.
_SEARCH = 12


@dataclass(frozen=True)
class Pose:
    """How a template lies in a picture.

    `bend`: (2, rows, columns), by how many of its pixels each node of a grid over the template moves in x and y; then
    `matrix`, 2 x 3, leads to the picture's working pixels. `offset`: what the picture attenuates more than the
    template, everywhere (another calibration of air). `fit`: share of the template's edges, of those that nothing
    covers, that the picture shows in their place, 0 to 1. `slip`: by how many pixels most of them are off, one standard
    deviation.
    """

    matrix: Matrix
    bend: Map
    offset: float
    fit: float
    slip: float

    def bring(self, layer: Map, shape: tuple[int, ...]) -> Map:
        """A layer of the picture, (height, width), in the template's frame of `shape`; NaN where it shows none."""
        dx, dy = (cv2.resize(part, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) for part in self.bend)
        x, y = _grid(shape)
        at = moved(self.matrix.astype(np.float32), (x + dx, y + dy))
        return cv2.remap(layer, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=np.nan)

    def lay(self, layers: Sequence[Map], shape: tuple[int, ...]) -> list[Map]:
        """Layers of the template in the picture's frame of `shape`; beyond the template its border goes on."""
        rows, columns = layers[0].shape
        back = np.asarray(cv2.invertAffineTransform(self.matrix), np.float32)
        x, y = moved(back, _grid(shape))
        across = (x + 0.5) * (self.bend.shape[2] / columns) - 0.5
        down = (y + 0.5) * (self.bend.shape[1] / rows) - 0.5
        # The inverse of a small and smooth bend is its negative.
        dx, dy = (_remapped(part, across, down) for part in self.bend)
        return [_remapped(layer, x - dx, y - dy) for layer in layers]


class Picture:
    """One scan's attenuation, `full`, and what registration works on: the same at three sizes, capped and blurred."""

    def __init__(self, full: Map) -> None:
        self.full = full
        capped = np.minimum(full, np.float32(_CAP))
        self.sizes = [_reduced(capped, factor) for factor, _ in _SIZES]


class Template:
    """A scan, or an estimated container, that others are registered to.

    `seen`: False where its values are no container's; None where all are.
    """

    def __init__(self, full: Map, seen: NDArray[np.bool_] | None = None) -> None:
        self._edges = [Edges.of(values, seen) for values in Picture(full).sizes]
        self._flat = np.minimum(self._edges[0].values, np.float32(_FLAT))
        self._bender = Bender(self._edges[-1], full.shape)

    @property
    def edges(self) -> int:
        """How many edges registration has to go by."""
        return int(self._bender.edges.heights.size)

    def register(self, picture: Picture, near: Matrix | None = None) -> Pose:
        """Where this template lies in `picture`. `near`: a matrix close by; None searches for a shift."""
        if near is not None:
            return self._followed(picture, near, _SIZES[1:])
        pose = self._followed(picture, self.first(picture)[0], _SIZES)
        if pose.fit >= _FOUND:
            return pose
        # Dense things beside the container may mislead the search for a shift.
        return max(pose, self._followed(picture, np.eye(3)[:2], _SIZES), key=lambda p: p.fit)

    def _followed(self, picture: Picture, start: Matrix, scales: Sequence[tuple[int, int]]) -> Pose:
        whole = np.eye(3)
        whole[:2] = start
        sizes = list(zip(self._edges, picture.sizes, _SIZES, strict=True))
        for edges, values, (factor, steps) in sizes[-len(scales) :]:
            down = np.diag([1 / factor, 1 / factor, 1.0])
            at = edges.follow(values, down @ whole @ np.linalg.inv(down), steps)
            whole = np.linalg.inv(down) @ at @ down
        edges, values = self._bender.edges, picture.sizes[-1]
        offset = edges.offset(values, whole)
        bend = self._bender.follow(values, whole, offset)
        fit, slip = edges.agreement(values, whole, offset, self._bender.shift(bend))
        return Pose(whole[:2].copy(), bend, offset, fit, slip)

    def first(self, picture: Picture) -> tuple[Matrix, float]:
        """The best shift at the coarsest size, as a 2 x 3 matrix, and its correlation, -1 to 1."""
        factor = _SIZES[0][0]
        flat = np.minimum(picture.sizes[0], np.float32(_FLAT))
        padded = cv2.copyMakeBorder(flat, _SEARCH, _SEARCH, _SEARCH, _SEARCH, cv2.BORDER_REPLICATE)
        mine = self._flat[: padded.shape[0], : padded.shape[1]]  # of another shape: what juts out does not count
        _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(padded, mine, cv2.TM_CCOEFF_NORMED))
        return np.array([[1.0, 0, (x - _SEARCH) * factor], [0, 1.0, (y - _SEARCH) * factor]]), float(best)


def _reduced(capped: Map, factor: int) -> Map:
    height, width = capped.shape
    if factor > 1:
        size = (max(8, width // factor), max(8, height // factor))
        capped = cv2.resize(capped, size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(capped, (0, 0), _BLUR)


def _grid(shape: tuple[int, ...]) -> tuple[Map, Map]:
    return np.arange(shape[1], dtype=np.float32)[None], np.arange(shape[0], dtype=np.float32)[:, None]


def _remapped(layer: Map, x: Map, y: Map) -> Map:
    return cv2.remap(layer, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
