"""What two pictures that lie on one another say about where they come from.

Two passes of one bag through the tunnel differ by their noise, however still everything lay. A copy has its source's
noise, and keeps it at half the picture's resolution through JPEG at quality 75 and through resizing. So the noise
decides what shapes cannot: it is taken where the picture is flat, freed of what is constant along rows or columns, as
the pattern of detector elements is in every scan of one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.dedup.laying import Laid
from xqdata.dedup.register import ncc

Picture = NDArray[np.float32]

Mask = NDArray[np.bool_]

# Pictures whose longer side is at least this many pixels are judged at half their resolution.
_HALVED = 480
# A tile is this share of the longer side, and at least so many pixels. It is compared after smoothing: a copy that was
# made larger or smaller is a little sharper or softer at every edge.
_TILE_SHARE, _TILE = 64, 7
_SMOOTH = 1.0
# Differences of this share of the picture's range are what JPEG and interpolation leave. Programs that resize without
# averaging leave more wherever neighbouring pixels differ: so many times their variance, and more, the more they skip.
_CODEC = 0.02
_RESAMPLING = 4.0
# Fewest pixels of content, and of noise: unrelated noise correlates by up to 0.2 on so many.
_CONTENT, _FEWEST = 500, 150
# Noise is compared in the flattest tenth of the picture, in small ones in more of it, but never in the steeper half.
_FLAT, _ENOUGH = 0.1, 2000
# Width of the window that noise stands out from.
_NOISE_WINDOW = 3
# Noise is looked for off both ends of the range, where values are clipped.
_ENDS = 0.04
# Standard deviations, in steps of the values, below which there is no noise to compare.
_SILENT = 0.1
# Where values rise by more than this share of the noise from pixel to pixel, shapes pass for noise.
_STEEP = 0.4
_SOBEL = 8.0  # how much cv2.Sobel widens a slope
_FITS, _FITTED = 3, 10_000


@dataclass(frozen=True)
class Evidence:
    """How two pictures of one grid agree.

    `ncc`: normalised cross-correlation over what is not air in both, -1 to 1. `worst_tile`: the lowest value of
    1 - difference / variance over small tiles, 1 at best; an added item makes it 0 or less. `worst`: x and y of that
    tile as shares of the picture. `noise`: correlation of the noise in flat areas, -1 to 1; None where there is none
    to compare. `flat`: whether those areas are flat enough that shapes have no part in it. `kept`: the weaker noise
    over the stronger, 0 to 1: what a codec has taken away cannot correlate. `crispness`: the finest noise of the first
    picture over that of the other one.
    """

    ncc: float
    worst_tile: float
    worst: tuple[float, float]
    noise: float | None
    flat: bool
    kept: float
    crispness: float


_NOTHING = Evidence(0.0, 0.0, (0.0, 0.0), None, False, 1.0, 1.0)


def weigh(laid: Laid) -> Evidence:
    """Compare two pictures that lie on one another."""
    one, other, there, air = laid.fixed, laid.moved, laid.there, laid.air
    if np.count_nonzero(there) < _CONTENT:
        return _NOTHING
    half, other_half, there_half = _halved(one), _halved(other), _halved_mask(there)
    gain, offset = _gain(half, other_half, there_half)
    where, slope = _flattest(half, gain * other_half + offset, there_half)
    noise, quiet, loud = _noise(half, gain * other_half + offset, where, laid.step)
    crispness = _crispness(one, other, where) / max(float(gain), 1e-6)
    if max(one.shape) >= _HALVED:
        one, other, there = half, other_half, there_half
    one, other = _in_common(one, gain * other + offset)
    front = there if air is None else there & ((one < air) | (other < air))
    if np.count_nonzero(front) < _CONTENT:
        front = there
    worst_tile, worst = _worst_tile(one, other, there, _RESAMPLING / laid.reduction**2 if laid.resampled else 0.0)
    flat, kept = slope <= _STEEP * loud, quiet / max(loud, 1e-6)
    return Evidence(ncc(one[front], other[front]), worst_tile, worst, noise, flat, kept, crispness)


def _in_common(one: Picture, other: Picture) -> tuple[Picture, Picture]:
    """Both clipped to the values that both can show: one of them may have been given a narrower window."""
    low, high = max(one.min(), other.min()), min(one.max(), other.max())
    return np.clip(one, low, high), np.clip(other, low, high)


def _halved(picture: Picture) -> Picture:
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    part = np.ascontiguousarray(picture[: 2 * rows, : 2 * columns])
    return cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _halved_mask(mask: Mask) -> Mask:
    rows, columns = mask.shape[0] // 2 * 2, mask.shape[1] // 2 * 2
    return mask[0:rows:2, 0:columns:2] & mask[1:rows:2, 1:columns:2]


def _gain(one: Picture, other: Picture, there: Mask) -> tuple[np.float32, np.float32]:
    """Gain and offset that fit the values of `other` to those of `one`.

    A copy may have been given another window: values that were clipped are left out. So are those far from the line:
    fine dark structures are paler in the softer picture.
    """
    x, y = (picture[there] for picture in (other, one))
    inner = np.flatnonzero(_off_ends(x) & _off_ends(y))
    if inner.size >= _FEWEST:
        some = inner[:: max(1, inner.size // _FITTED)]
        x, y = x[some].astype(np.float64), y[some].astype(np.float64)
    gain, offset = 0.0, float(y.mean())
    for _ in range(_FITS):
        if (spread := float(np.var(x))) < 1e-9:
            break
        gain = float(np.mean((x - x.mean()) * (y - y.mean()))) / spread
        offset = float(y.mean() - gain * x.mean())
        off = np.abs(gain * x + offset - y)
        near = off <= max(3.0 * float(np.median(off)), 1e-3)
        x, y = x[near], y[near]
    return np.float32(gain), np.float32(offset)


def _off_ends(values: Picture) -> NDArray[np.bool_]:
    low, high = values.min(), values.max()
    margin = 0.01 * (high - low)
    return np.asarray((values > low + margin) & (values < high - margin))


def _worst_tile(one: Picture, other: Picture, there: Mask, tolerance: float) -> tuple[float, tuple[float, float]]:
    """The tile that agrees least, and its place; `tolerance`: for differences where both pictures have fine detail."""
    side = max(_TILE, round(max(one.shape) / _TILE_SHARE))
    x, y = (cv2.GaussianBlur(np.where(there, z, 0), (0, 0), _SMOOTH) for z in (one, other))
    share = _mean(there.astype(np.float32), side)
    scale = 1.0 / np.maximum(share, 1e-6)
    variance = np.zeros(one.shape, np.float32)
    for z in (x, y):
        middle = _mean(z, side) * scale
        variance += np.maximum(_mean(z * z, side) * scale - middle * middle, 0)
    difference = _mean(np.square(x - y), side) * scale
    low, high = np.percentile(x[::3, ::3], (0.5, 99.5))
    floor = 2.0 * (_CODEC * max(float(high - low), 1.0)) ** 2
    if tolerance:
        variance += tolerance * _mean(np.minimum(_fine(one), _fine(other)), side)
    score = np.where(share > 0.6, 1.0 - difference / (variance + floor), 1.0)
    at = np.unravel_index(int(score.argmin()), score.shape)
    return float(score[at]), (float(at[1]) / one.shape[1], float(at[0]) / one.shape[0])


def _fine(picture: Picture) -> Picture:
    """Variance between neighbouring pixels."""
    return np.asarray(np.maximum(_mean(picture * picture, 3) - np.square(_mean(picture, 3)), 0), np.float32)


def _mean(picture: NDArray[Any], side: int) -> Picture:
    return cv2.blur(picture, (side, side), borderType=cv2.BORDER_REFLECT)  # type: ignore[return-value]


def _noise(one: Picture, other: Picture, where: Mask, step: float) -> tuple[float | None, float, float]:
    """How the noise correlates `where` two pictures are flat, and the lower and the higher standard deviation."""
    if np.count_nonzero(where) < _FEWEST:
        return None, 0.0, 0.0
    x, y = (_clipped(_crisp(picture)[where], step) for picture in (one, other))
    quiet, loud = sorted((float(x.std()), float(y.std())))
    return (ncc(x, y) if quiet >= _SILENT * step else None), quiet, loud


def _crispness(one: Picture, other: Picture, where: Mask) -> float:
    """The finest noise of `one` over that of `other`; `where`: flat pixels at half the resolution."""
    rows, columns = np.nonzero(where)
    some = slice(None, None, max(1, len(rows) // _ENOUGH))
    stronger = []
    for picture in (one, other):
        corner = [picture[2 * rows[some] + i, 2 * columns[some] + j] for i in (0, 1) for j in (0, 1)]
        stronger.append(float(np.std(corner[0] - corner[1] - corner[2] + corner[3])) if len(rows) else 0.0)
    return stronger[0] / max(stronger[1], 1e-6)


def _flattest(one: Picture, other: Picture, there: Mask) -> tuple[Mask, float]:
    """The flattest part of what both show, neither air nor opaque, and its slope in levels from pixel to pixel."""
    mean = cv2.GaussianBlur(0.5 * (one + other), (0, 0), 2.0)
    slope = np.abs(cv2.Sobel(mean, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(mean, cv2.CV_32F, 0, 1))
    low, high = np.percentile(mean[::3, ::3], (0.2, 99.8))
    ends = _ENDS * (high - low)
    core = cv2.erode(there.astype(np.uint8), np.ones((7, 7), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    open_range = (core > 0) & (mean > low + ends) & (mean < high - ends)
    slopes = slope[open_range]
    if not slopes.size:
        return open_range, 0.0
    share = min(0.5, max(_FLAT, _ENOUGH / slopes.size))
    bounds = np.quantile(slopes, (share / 2, share))
    return np.asarray(open_range & (slope <= bounds[1])), float(bounds[0]) / _SOBEL


def _crisp(picture: Picture) -> Picture:
    """What stands out from both its row and its column."""
    out = picture - cv2.blur(picture, (_NOISE_WINDOW, 1))
    return np.asarray(out - cv2.blur(out, (1, _NOISE_WINDOW)), np.float32)


def _clipped(values: Picture, step: float) -> Picture:
    """Values within three standard deviations of the bulk: what is larger is an edge."""
    bound = 3 * 1.4826 * float(np.median(np.abs(values))) + 0.5 * step
    return np.clip(values, -bound, bound)
