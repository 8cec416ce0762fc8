"""A page's pixels as attenuation at working size: what containers are estimated and compared in.

Attenuation adds up along a ray, so what lies in a container adds to it. That holds exactly for -log(transmission) of
one energy; the luminance of a pseudo-colour picture is no transmission, but it falls as more lies in the way, and that
is all that the steps here rest on.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.images import Page, luminance

# (height, width), float32: OpenCV's and NumPy's annotations do not tell as much.
Map: TypeAlias = NDArray[Any]

# Pixels of the longer side. A scan of 850 pixels is halved twice over in area, which keeps the ribs of a basket and
# quarters the cost of everything twice; masks are brought back to full size with soft edges.
SIDE = 320
# Below 2% of air's brightness a detector shows its own noise, and the logarithm makes much of it.
DARKEST = 0.02
# Air is taken as what the brightest half percent of the pixels reach: fewer may be dead detectors or burnt-in text.
_AIR_SHARE = 0.005
# A line without signal is darker than this share of the others from end to end; a frame is of one brightness, within
# this share of air's, and darker than that share of it. Both darken up to so many lines on each side, to this share.
_DEAD = 0.5
_LEVEL, _FRAME = 0.01, 0.97
_SMOOTHED, _DARKENED = 6, 0.985
# If more lines than this share are dark, it is the picture.
_MOST_DEAD = 0.05


def attenuation(page: Page, polarity: str, side: int = SIDE) -> Map:
    """-log(brightness / brightness of air) of `page`, (height, width), its longer side `side` pixels, 0 to 3.9.

    `polarity`: `air_bright`, or `air_dark` for pictures whose values are turned round first. Deep pictures are taken at
    all their bits, not at the 8 of a preview.
    """
    small = _resized(_without_dead_lines(_brightness(page, polarity)), side)
    air = _air(small)
    return np.negative(np.log(np.clip(small / air, DARKEST, 1.0))) if air > 0 else np.zeros_like(small)


def _brightness(page: Page, polarity: str) -> NDArray[Any]:
    """Values that are large where little lies in the way: uint8, uint16 or float32."""
    if page.grey.dtype == np.uint8:
        return page.grey if polarity == "air_bright" else cv2.bitwise_not(page.grey)
    if page.pixels.dtype == np.uint16 and page.pixels.ndim == 2 and polarity == "air_bright":
        return page.pixels
    deep = luminance(page.pixels).astype(np.float32)
    finite = np.isfinite(deep)
    if polarity == "air_dark":
        whole = page.pixels.dtype.kind == "u"
        deep = ((1 << page.bit_depth) - 1 if whole else np.max(deep, where=finite, initial=0.0)) - deep
    return np.where(finite, np.maximum(deep, 0), 0)


def _without_dead_lines(bright: NDArray[Any]) -> NDArray[Any]:
    """`bright` with lines that are dark from end to end taken from their neighbours.

    A detector element without signal draws a line through every picture at the same place, and so does a frame: they
    are no content, and would mislead the registration.
    """
    for axis in (0, 1):
        best, worst = (
            cv2.reduce(bright, 1 - axis, how).ravel().astype(np.float32) for how in (cv2.REDUCE_MAX, cv2.REDUCE_MIN)
        )
        dead = _dead(best, worst)
        if 0 < dead.size <= _MOST_DEAD * best.size:
            bright = bright.copy()
            lines = bright if axis == 0 else bright.T
            alive = np.setdiff1d(np.arange(best.size), dead)
            place = np.searchsorted(alive, dead)
            before, after = alive[np.maximum(place - 1, 0)], alive[np.minimum(place, alive.size - 1)]
            lines[dead] = np.maximum(lines[before], lines[after])
    return bright


def _dead(best: Map, worst: Map) -> NDArray[np.intp]:
    """Which lines are dead, by the brightest and darkest value of each, and those that they darken: scanners smooth."""
    usual = float(np.median(best))
    level = (best - worst <= _LEVEL * usual) & (best < _FRAME * usual)
    dead = (best < _DEAD * usual) | level
    for line in np.flatnonzero(dead) if dead.sum() <= _MOST_DEAD * dead.size else ():
        for way in (-1, 1):
            beyond = best[np.clip(line + way * (_SMOOTHED + 1), 0, best.size - 1)]
            for k in range(1, _SMOOTHED + 1):
                if not 0 <= line + way * k < best.size or best[line + way * k] >= _DARKENED * beyond:
                    break
                dead[line + way * k] = True
    return np.flatnonzero(dead)


def _resized(bright: NDArray[Any], side: int) -> Map:
    height, width = bright.shape
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(bright, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _air(small: Map) -> float:
    flat = small.ravel()
    place = int(flat.size * (1 - _AIR_SHARE))
    return float(np.partition(flat, place)[place])
