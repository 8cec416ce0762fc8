"""What of a scan rises above its container: which of it is content, and which an edge out of place, or ballast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.empty import BALLAST, OPAQUE, OUTSIDE, Container
from xqdata.containers.maps import Map
from xqdata.containers.register import Pose

Flags = NDArray[np.bool_]

# Content rises above an empty spot by more than so many standard deviations, and by so much attenuation, which 8-bit
# pictures tell from their own noise; in its core by twice as much.
_WEAK = 3.0
_FAINT = 0.008
# Where the mean over these surroundings exceeds this share of the bound, a pixel needs this share only.
_AROUND = (5, 5)
_FAINT_AROUND, _FAINT_PIXEL = 0.5, 0.3
# Pieces with a smaller core, in working pixels, are noise.
_CORE = 5
# The container's level is raised towards the highest nearby by this share: an edge between two pixels is content else.
_RAISED = 0.25
# A piece is a line where less than this share of it is three pixels wide, and a band where it is not six wide. Ribs and
# rims out of place make lines and bands: a line has to rise clearly, by so many times the bound, and to have so many
# pixels; a band has to rise clearly where a container out of place could explain more than this share of it. And what
# could be explained altogether is no content.
_THICK = 0.3
_CLEAR = 3.0
_LINE = 12
_SLIPPED, _SLIPPED_ALL = 0.5, 0.95
_WIDE = np.ones((6, 6), np.uint8)
# A piece lies beside the container, on the belt before or behind it, where this share of it does: so do burnt-in texts.
_OUT = 0.5
# Loose ballast: this share of a piece lies where ballast does, and this share of it is dense.
_IN_BALLAST, _DENSE = 0.7, 0.2
# The outline runs where attenuation falls to this share of the highest nearby: its blurred surroundings are no content.
_OUTLINE = 0.2
# What is seen through a rod of the container is blind where content has to attenuate by more than this; such gaps in a
# piece are closed up to this width in working pixels.
_BLIND = 0.04
_GAP = np.ones((7, 7), np.uint8)
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_STRAY = np.ones((9, 9), np.uint8)


@dataclass(frozen=True)
class Rest:
    """A scan less its container, all (height, width) in working pixels.

    `full`: the scan's attenuation. `above`: what it attenuates more than the container; `bound`: beyond which that is
    content. `slipped`: where a container a little out of place could attenuate as much. `region`: as of the
    container.
    """

    full: Map
    above: Map
    bound: Map
    slipped: Flags
    region: Map


def over_air(full: Map) -> Rest:
    """What is left of a scan without a container: all."""
    air = full[full < 4 * _FAINT]
    noise = 1.4826 * float(np.median(air)) if air.size else 0.0
    bound = np.full_like(full, max(_FAINT, _WEAK * noise))
    return Rest(full, full, bound, np.zeros(full.shape, np.bool_), np.zeros_like(full))


def over_container(full: Map, container: Container, pose: Pose) -> Rest:
    """What is left of a scan, `full`, when its container is taken away."""
    highest = cv2.dilate(container.level, _NEIGHBOURS)
    raised = container.level + np.float32(_RAISED) * (highest - container.level)
    around = cv2.dilate(container.level, _STRAY)
    layers = [raised, around, container.tolerance, container.steep, container.region]
    level, around, tolerance, steep, region = pose.lay(layers, full.shape)
    spread = np.hypot(tolerance, np.float32(pose.slip) * steep)
    offset = np.float32(pose.offset)
    bound = np.maximum(np.float32(_WEAK) * spread, np.float32(_FAINT))
    return Rest(full, full - level - offset, bound, full < around + offset + 2 * spread, region)


def content(rest: Rest) -> tuple[Map, int]:
    """How far each working pixel of content rises above its outline, not above zero elsewhere; and how many pixels of
    loose ballast were left out.
    """
    weak = _risen(rest)
    thick = cv2.morphologyEx(weak, cv2.MORPH_OPEN, _NEIGHBOURS)
    # An edge out of place may hang on to a thing.
    weak[rest.slipped & (cv2.dilate(thick, _NEIGHBOURS) == 0)] = 0
    _, labels = cv2.connectedComponents(weak, connectivity=8)
    pieces = _Pieces(labels, np.flatnonzero(weak))
    kept = _things(pieces, rest, thick) & (pieces.share(rest.region < OUTSIDE / 2) < _OUT)
    ballast = kept & (pieces.share(rest.region > BALLAST / 2) > _IN_BALLAST)
    ballast &= pieces.share(rest.full > OPAQUE) > _DENSE
    kept &= ~ballast
    kept[0] = False
    return _outlined(rest, kept[labels]), int(pieces.area[ballast].sum())


class _Pieces:
    """Connected pieces of one picture. `labels`: which piece each pixel belongs to, 0 for none. `area`: in pixels."""

    def __init__(self, labels: NDArray[Any], here: NDArray[np.intp]) -> None:
        self._here = here
        self._piece = labels.ravel()[here]
        self.area = np.maximum(np.bincount(self._piece, minlength=int(labels.max()) + 1), 1)

    def count(self, flags: NDArray[Any]) -> NDArray[np.intp]:
        """How many pixels of each piece are True."""
        return np.bincount(self._piece[flags.ravel()[self._here] > 0], minlength=self.area.size)

    def share(self, flags: NDArray[Any]) -> NDArray[np.float64]:
        """Which share of each piece's pixels is True."""
        return np.asarray(self.count(flags) / self.area)

    def mean(self, values: Map) -> NDArray[np.float64]:
        """The mean of `values` over each piece."""
        weights = values.ravel()[self._here]
        return np.asarray(np.bincount(self._piece, weights, minlength=self.area.size) / self.area)


def _things(pieces: _Pieces, rest: Rest, thick: NDArray[Any]) -> Flags:
    """Which pieces are no noise, and no edges of a container out of place. `thick`: what is three pixels wide."""
    height = pieces.mean(rest.above / rest.bound)
    slipped = pieces.share(rest.slipped)
    line = pieces.share(thick) < _THICK
    band = pieces.share(cv2.morphologyEx(thick, cv2.MORPH_OPEN, _WIDE)) < _THICK
    kept = np.where(line, pieces.area, pieces.count(rest.above > 2 * rest.bound)) >= np.where(line, _LINE, _CORE)
    kept &= (height > _CLEAR) | ~(line | (band & (slipped > _SLIPPED)))
    return np.asarray(kept & (slipped < _SLIPPED_ALL))


def _risen(rest: Rest) -> NDArray[np.uint8]:
    """1 for pixels that rise above the bound, or above part of it where their surroundings do so too: cloth, paper."""
    raised = np.clip(rest.above, -rest.bound, rest.bound)
    around = cv2.blur(raised, _AROUND) > _FAINT_AROUND * cv2.blur(rest.bound, _AROUND)
    risen = (rest.above > rest.bound) | (around & (rest.above > _FAINT_PIXEL * rest.bound))
    return risen.astype(np.uint8)


def _outlined(rest: Rest, kept: Flags) -> Map:
    """How far kept pixels rise above the outline; below zero elsewhere, so that a smooth enlargement is cut there."""
    peak = cv2.dilate(rest.above, _NEIGHBOURS)
    above = rest.above - np.maximum(rest.bound, np.float32(_OUTLINE) * peak)
    height = np.where(kept, above, np.minimum(above, np.float32(-1e-6)))
    whole = kept.astype(np.uint8)
    core = cv2.erode(whole, _NEIGHBOURS) > 0  # a dense part within a thing draws no outline round itself
    height[core] = np.maximum(height[core], np.float32(_FAINT))
    blobs = cv2.morphologyEx(whole, cv2.MORPH_OPEN, _NEIGHBOURS)
    closed = cv2.morphologyEx(blobs, cv2.MORPH_CLOSE, _GAP) > 0
    height[closed & ~kept & (rest.bound > _BLIND)] = _FAINT
    return np.asarray(height, np.float32)
