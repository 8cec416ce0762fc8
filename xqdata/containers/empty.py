"""Registered scans of one container, all with something in, to the empty container.

Contents only ever add attenuation. So of the values that one spot of the container takes over many scans, the empty one
is the lowest that recurs: not the median, which keeps a ghost of whatever mostly lies in the middle, and not the
minimum, which is noise and edges a little out of place. That value tells the contents of each scan, and of what is left
the middle is taken.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.containers.maps import Map
from xqdata.containers.register import Template

Flags = NDArray[np.bool_]
Counts = NDArray[np.intp]

# A spot counts as seen empty where so many scans agree, and of many scans this share of them: so that three things of
# one make do not pass for the container.
AGREEING = 3
_SHARE = 0.2
# The share of values that may lie below the empty one: where the registration slips, or a scan's air is another.
_BELOW = 0.1
# The least noise of 8-bit pictures at working size.
_NOISE = 0.0015
# How far, in pixels, edges stray in the registration: between scans that agree, and at the least.
_JITTER, _SLIP = 0.7, 0.1
# Half of the scans differ by less than this where they show the same.
_AGREED = 0.04
# Attenuation beyond which noise is not taken to grow.
_DENSE = 2.5
# Spots seen empty in patches smaller than this share of the picture are no container.
_ISLAND = 0.005
# Loose ballast: so dense, in this share of the scans, within this share of the container's width from its sides.
OPAQUE = 1.0
_OFTEN = 0.2
_BAND = 0.16
# The container is where it attenuates so much; contents may jut out of its box by this share of it.
_SOLID = 0.03
_JUT = 0.04
OUTSIDE, BALLAST = -1.0, 1.0
_NEIGHBOURS, _BLOB, _WIDE = (np.ones((n, n), np.uint8) for n in (3, 5, 9))
_STRAY = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))


@dataclass(frozen=True)
class Container:
    """One empty container, as one view and channel of one scanner show it.

    All maps are (height, width) in working pixels. `level`: its attenuation. `tolerance`: how far an empty spot strays
    from it, one standard deviation. `coverage`: how many scans showed each spot empty; 0 where the level is only filled
    in from around. `steep`: by how much the level changes from a pixel to the next. `region`: OUTSIDE of the box that
    it fills, BALLAST where dense pieces keep lying along its sides, else 0. `scans`: how many it was estimated from.
    `fit`: how well the middle one of these registers to it, 0 to 1.
    """

    level: Map
    tolerance: Map
    coverage: NDArray[np.uint16]
    steep: Map
    region: Map
    scans: int
    fit: float = 1.0

    @cached_property
    def template(self) -> Template:
        """For registering scans to it."""
        return Template(self.level, self.coverage > 0)


def empty(stack: Sequence[Map]) -> Container:
    """The container that registered attenuation maps share, (height, width) each, NaN where a scan shows nothing."""
    values = np.stack(stack)
    lowest, bound, seen = _lowest_recurring(np.sort(values, axis=0))
    bare = values.copy()
    for scan in bare:
        scan[_content(scan - lowest, bound)] = np.nan
    # What is left is the container, and thin contents: the middle does not mind those.
    bare.sort(axis=0)  # NaN last
    coverage = np.isfinite(bare).sum(axis=0)
    coverage[(coverage < AGREEING) | ~seen] = 0
    low, level, high = (_ranked(bare, coverage, share) for share in (0.16, 0.5, 0.84))
    spread = (high - low) / 2
    _mend_edges(values, level, spread, coverage)
    known = (coverage > 0) & _mainland(coverage > 0)
    coverage[~known] = 0
    level = _filled(level, known)
    steep = _steepness(level)
    tolerance = np.maximum(np.maximum(cv2.blur(_filled(spread, known), (3, 3)), _NOISE), _SLIP * steep)
    return Container(level, tolerance, coverage.astype(np.uint16), steep, _regions(values, level), len(values))


def _lowest_recurring(ranked: Map) -> tuple[Map, Map, Flags]:
    """Of sorted values, the lowest at which several scans agree, how far above it contents begin, and where it is seen.

    Where an edge lies a little elsewhere in each scan, it is too low.
    """
    agreeing = max(AGREEING, math.ceil(_SHARE * len(ranked)))
    first, narrow = _lowest(ranked, agreeing)
    # Noise is of one size in brightness, so it grows in attenuation as the brightness falls.
    grown = np.exp(np.minimum(np.nan_to_num(first), _DENSE))
    reach = 3 * _noise(ranked / grown) * grown + _JITTER * _steepness(np.nan_to_num(first))
    seen = narrow <= reach
    unseen = (~seen).astype(np.uint8)
    # Unseen lines are edges that slip; unseen blobs are where contents always lie.
    seen |= unseen > cv2.morphologyEx(unseen, cv2.MORPH_OPEN, _BLOB)
    seen &= _mainland(seen)
    return _filled(first, seen), reach, seen


def _mainland(seen: Flags) -> Flags:
    """`seen` without small islands amidst what is not: there things agree by chance."""
    solid = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_OPEN, _BLOB)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    large = stats[:, cv2.CC_STAT_AREA] >= _ISLAND * seen.size
    large[0] = False
    return np.asarray(cv2.dilate(large[labels].astype(np.uint8), _BLOB) > 0)


def _lowest(ranked: Map, agreeing: int) -> tuple[Map, Map]:
    """At each spot the middle of the lowest values of which `agreeing` lie close together, and how close they lie.

    Where more than a few values lie below, they tell that it is not empty: infinitely far.
    """
    count = len(ranked)
    starts = min(count - agreeing, max(1, round(_BELOW * count))) + 1
    widths = np.nan_to_num(ranked[agreeing - 1 : agreeing - 1 + starts] - ranked[:starts], nan=np.inf)
    start = (widths <= np.maximum(2 * widths.min(axis=0), _NOISE)).argmax(axis=0)
    middle, width = (
        np.take_along_axis(part, place[None], axis=0)[0]
        for part, place in ((ranked, start + agreeing // 2), (widths, start))
    )
    return middle, width


def _noise(ranked: Map) -> float:
    """The standard deviation of most spots over the scans, by the values below the middle one: contents lie above."""
    known = np.isfinite(ranked).sum(axis=0)
    away = (_ranked(ranked, known, 0.5) - _ranked(ranked, known, 0.16))[known >= AGREEING]
    return max(_NOISE, float(np.median(away))) if away.size else _NOISE


def _content(above: Map, bound: Map) -> Flags:
    """Blobs that rise above the container, and their surroundings; lines are edges that slip."""
    blobs = cv2.morphologyEx((above > bound).astype(np.uint8), cv2.MORPH_OPEN, _NEIGHBOURS)
    return np.asarray(cv2.dilate(blobs, _BLOB) > 0)


def _mend_edges(values: Map, level: Map, spread: Map, coverage: Counts) -> None:
    """Fill in, in place, spots that only seem covered in all scans: edges that slip by more than others do.

    These are narrow, or most scans agree there after all. Where contents always lie, spots are wide, the scans differ,
    and they stay unseen.
    """
    unseen = (coverage == 0).astype(np.uint8)
    known = np.isfinite(values).sum(axis=0)
    wide = cv2.dilate(cv2.morphologyEx(unseen, cv2.MORPH_OPEN, _WIDE), _WIDE)
    ranked = np.sort(values, axis=0)
    low, quarter, middle, high = (_ranked(ranked, known, share) for share in (0.16, 0.25, 0.5, 0.75))
    agreed = high - quarter < _AGREED + _JITTER * _steepness(np.nan_to_num(middle))
    mended = (unseen > 0) & (known > AGREEING) & (agreed | (unseen > wide))
    level[mended], coverage[mended] = middle[mended], known[mended] // 2
    spread[mended] = (middle - low)[mended]


def _ranked(ranked: Map, counts: Counts, share: float) -> Map:
    """Of sorted values, the one behind `share` of the first `counts` of each spot."""
    place = np.rint(share * np.maximum(counts - 1, 0)).astype(np.intp)
    return np.asarray(np.take_along_axis(ranked, place[None], axis=0)[0])


def _steepness(level: Map) -> Map:
    return (cv2.dilate(level, _NEIGHBOURS) - cv2.erode(level, _NEIGHBOURS)) / 2


def _filled(layer: Map, known: Flags) -> Map:
    """`layer` with what is not known taken from around: from ever wider surroundings, until all is filled."""
    total, weight = np.where(known, layer, 0).astype(np.float32), known.astype(np.float32)
    filled, left = total.copy(), ~known
    radius = 1
    while left.any() and radius < 2 * max(layer.shape):
        box = (2 * radius + 1,) * 2
        around, summed = (cv2.blur(part, box, borderType=cv2.BORDER_CONSTANT) for part in (weight, total))
        reached = left & (around * box[0] * box[1] > 0.5)
        filled[reached] = summed[reached] / around[reached]
        left &= ~reached
        radius *= 2
    return filled


def _regions(values: Map, level: Map) -> Map:
    rows, columns = (_extent((level > _SOLID).mean(axis=axis)) for axis in (1, 0))
    region = np.full(level.shape, OUTSIDE, np.float32)
    region[_within(rows, -_JUT), _within(columns, -_JUT)] = 0
    known = np.isfinite(values).sum(axis=0)
    often = (values > OPAQUE).sum(axis=0) >= np.maximum(_OFTEN * known, AGREEING - 1)
    often[_within(rows, _BAND), _within(columns, _BAND)] = False
    region[cv2.dilate(often.astype(np.uint8), _STRAY) > 0] = BALLAST
    return region


def _extent(filled: Map) -> tuple[int, int]:
    """The first and the last row, or column, of which at least a tenth is filled."""
    places = np.flatnonzero(filled > 0.1)
    return (int(places[0]), int(places[-1])) if places.size else (0, len(filled) - 1)


def _within(extent: tuple[int, int], margin: float) -> slice:
    """The part of an extent without a margin on both sides, as a share of it; negative ones add to it."""
    width = round(margin * (extent[1] - extent[0]))
    return slice(max(0, extent[0] + width), extent[1] - width + 1)
