"""How far two scans show the same things in the same places, give or take a few millimetres."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import register
from xqdata.dedup.prepared import Picture, Prepared
from xqdata.dedup.register import Map, ncc

Mask = NDArray[np.bool_]

# Pixels of the middle picture that things may have slipped by after the whole was laid on one another: 10 mm of a
# scan of 850 mm. Side of the neighbourhood that has to agree.
_SLIP, _SIDE = 3, 9
# Differences of this share of the range are noise and what a slightly different path of the rays makes.
_FLOOR = 0.03
# Start of the search for the shift: small pictures, this many pixels to each side.
_SEARCH = 6
# Fewest pixels of foreground that say anything.
_FEW = 12


@dataclass(frozen=True)
class Agreement:
    """What of two scans agrees, once they lie on one another.

    Agreement is 1 at best, about 0 where one scan has an edge and the other one none, far below where it has a thing
    and the other one none. `content`: share of what is not air that agrees by more than a half; `own`: the same of the
    foreground without the container, 0 where that shows next to nothing, None where it is not known.
    `content_low`: what all but the worst thousandth of the content reach. `parts_low`: what all but the worst tenth of
    every single part of the foreground, or of the content where no foreground is known, reach. `ncc`: over what is not
    air.
    """

    content: float
    content_low: float
    own: float | None
    parts_low: float
    ncc: float


def laid_on(a: Prepared, b: Prepared) -> Map:
    """The affine map from the middle picture of `a` to that of `b`, for scans of one container or bag."""
    start = _shifted(a.small, b.small)
    small = register.refined(a.small, b.small, start, register.AFFINE, 20, register.edges(a.small, 1.0))
    here = register.stretch(a.middle.shape, a.small.shape)
    there = register.stretch(b.middle.shape, b.small.shape)
    middle = register.chained(register.chained(here, small), register.inverse(there))
    return register.refined(a.middle, b.middle, middle, register.AFFINE, 10, register.edges(a.middle, 0.25))


def _shifted(a: Picture, b: Picture) -> Map:
    """The shift by whole pixels at which two small pictures fit best."""
    rows, columns = (min(x, y) for x, y in zip(a.shape, b.shape, strict=True))
    edge = min(_SEARCH, rows // 4, columns // 4)
    inner = a[edge : rows - edge, edge : columns - edge]
    fits = cv2.matchTemplate(
        np.ascontiguousarray(b[:rows, :columns]), np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED
    )
    y, x = np.unravel_index(int(fits.argmax()), fits.shape)
    matrix = register.IDENTITY.copy()
    matrix[:, 2] = x - edge, y - edge
    return matrix


def agreement(a: Prepared, b: Prepared, matrix: Map) -> Agreement:
    """Compare `b` with `a` under a map between their middle pictures."""
    moved, there = register.warped(b.middle, matrix, a.middle.shape)
    score = _score(a.middle, moved)
    content = there if a.air is None else there & ((a.middle < a.air) | (moved < a.air))
    if np.count_nonzero(content) < _FEW:
        return Agreement(0.0, 0.0, None, 0.0, 0.0)
    own = _own(a, b, matrix, there)
    return Agreement(
        content=_share(score[content]),
        content_low=float(np.quantile(score[content], 0.001)),
        own=None if own is None else _share(score[own]),
        parts_low=_parts_low(score, content if own is None else own),
        ncc=ncc(a.middle[content], moved[content]),
    )


def quarter_turned(a: Prepared) -> tuple[float, float]:
    """`own` and `parts_low` of a foreground and itself turned by a quarter about its middle; 0 where it is not known.

    Where they are as high as those of a rescan, the contents are round: another one of its kind, or the same one lying
    otherwise, would agree as well.
    """
    if a.mask is None or np.count_nonzero(a.mask) < _FEW:
        return 0.0, 0.0
    rows, columns = np.nonzero(a.mask)
    x, y = float(columns.mean()), float(rows.mean())
    matrix = np.array([[0.0, 1.0, x - y], [-1.0, 0.0, x + y]])
    moved, there = register.warped(a.middle, matrix, a.middle.shape)
    own = _own(a, a, matrix, there)
    if own is None or np.count_nonzero(own) < _FEW:
        return 0.0, 0.0
    score = _score(a.middle, moved)
    return _share(score[own]), _parts_low(score, own)


def _own(a: Prepared, b: Prepared, matrix: Map, there: Mask) -> Mask | None:
    """Where either scan shows something other than the container; None where that is not known."""
    if a.mask is None or b.mask is None:
        return None
    size = (a.middle.shape[1], a.middle.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b.mask.astype(np.float32), matrix, size, flags=flags) > 0.5
    return np.asarray(there & (a.mask | moved))


def _share(score: Picture) -> float:
    return float((score > 0.5).mean()) if score.size >= _FEW else 0.0


def _parts_low(score: Picture, where: Mask) -> float:
    """The lowest tenth percentile of all parts of `where` that are no specks."""
    count, parts = cv2.connectedComponents(where.astype(np.uint8))
    lows = [np.quantile(part, 0.1) for k in range(1, count) if (part := score[parts == k]).size >= _FEW]
    return float(min(lows, default=0.0))


def _score(fixed: Picture, moved: Picture) -> Picture:
    """1 - difference / variance in the neighbourhood of each pixel, at the slip that suits it best."""
    low, high = np.percentile(fixed, (0.5, 99.5))
    floor = 2.0 * (_FLOOR * max(float(high - low), 1.0)) ** 2
    wide = np.pad(moved, _SLIP, mode="edge")
    variance, others = _variance(fixed) + floor, _variance(wide)
    rows, columns = fixed.shape
    best = np.full(fixed.shape, np.inf, np.float32)
    for y in range(2 * _SLIP + 1):
        for x in range(2 * _SLIP + 1):
            part = np.s_[y : y + rows, x : x + columns]
            difference = cv2.blur(cv2.pow(cv2.absdiff(fixed, wide[part]), 2), (_SIDE, _SIDE))
            np.minimum(best, difference / (variance + others[part]), out=best)
    return np.asarray(1.0 - best, np.float32)


def _variance(picture: Picture) -> Picture:
    mean = cv2.blur(picture, (_SIDE, _SIDE))
    return np.maximum(cv2.blur(picture * picture, (_SIDE, _SIDE)) - mean * mean, 0)
