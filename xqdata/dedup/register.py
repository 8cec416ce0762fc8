"""Laying one picture on another: turning, and the map between their pixels to a hundredth of a pixel.

A map is a (2, 3) float64 matrix that takes a pixel (x, y) of the fixed picture to its place in the moving one; the
middle of the first pixel is (0, 0).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled

Picture = NDArray[np.float32]
Map = NDArray[np.float64]

IDENTITY: Map = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
# Of the eight unknowns of `_normal`: scales and shift, and with them the shears. The last two are gain and offset.
AXES = np.array([0, 3, 4, 5, 6, 7])
NOTHING = np.zeros(0, np.int64)
SHIFT = np.array([4, 5, 6, 7])
AFFINE = np.arange(8)
# How far a map may be expected from the one it starts at, as shares: what is small in an empty picture tells where it
# is and not how large, and leaves the rest as it was.
_LINEAR, _SHIFT = 0.03, 0.03
_FEWEST = 64
_LEAST = 0.05  # levels of 255
_FAINT = 0.02  # least gain
_STILL = 0.003  # pixels


def turned(picture: NDArray[Any], orientation: str) -> NDArray[Any]:
    """The picture mirrored left to right where `orientation` begins with m, then turned anticlockwise (a view)."""
    mirrored = picture[:, ::-1] if orientation[0] == "m" else picture
    return np.rot90(mirrored, int(orientation[1:]) // 90)


def turning(shape: tuple[int, ...], orientation: str) -> Map:
    """The map from a pixel of a picture of `shape` to its place once `turned`."""
    matrix = np.array([[-1.0, 0.0, shape[1] - 1.0], [0.0, 1.0, 0.0]]) if orientation[0] == "m" else IDENTITY.copy()
    height, width = shape[0], shape[1]
    for _ in range(int(orientation[1:]) // 90):
        # A quarter turn anticlockwise: the right edge comes to the top.
        matrix = chained(matrix, np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, width - 1.0]]))
        height, width = width, height
    return matrix


def stretch(fixed: tuple[int, ...], moving: tuple[int, ...]) -> Map:
    """The map that lays corners on corners, from two shapes (height, width)."""
    fy, fx = moving[0] / fixed[0], moving[1] / fixed[1]
    return np.array([[fx, 0.0, (fx - 1) / 2], [0.0, fy, (fy - 1) / 2]])


def chained(first: Map, second: Map) -> Map:
    """The map that takes a pixel through `first`, then through `second`."""
    return np.asarray(second[:, :2] @ first + np.array([[0.0, 0.0, second[0, 2]], [0.0, 0.0, second[1, 2]]]))


def inverse(matrix: Map) -> Map:
    """The map back."""
    return np.asarray(cv2.invertAffineTransform(matrix), np.float64)


def warped(moving: Picture, matrix: Map, shape: tuple[int, ...]) -> tuple[Picture, NDArray[np.bool_]]:
    """`moving` as the fixed picture of `shape` shows it, and where that shows it at all.

    Shifts by whole pixels copy the values; all others are interpolated with a cubic, which keeps the noise better than
    a line does.
    """
    size = (shape[1], shape[0])
    if whole(matrix):
        shift = matrix[:, 2].astype(int)
        out = np.zeros(shape, np.float32)
        x0, y0 = max(0, -shift[0]), max(0, -shift[1])
        x1, y1 = min(shape[1], moving.shape[1] - shift[0]), min(shape[0], moving.shape[0] - shift[1])
        there = np.zeros(shape, np.bool_)
        if x1 > x0 and y1 > y0:
            out[y0:y1, x0:x1] = moving[y0 + shift[1] : y1 + shift[1], x0 + shift[0] : x1 + shift[0]]
            there[y0:y1, x0:x1] = True
        return out, there
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moving, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32), inside(matrix, shape, moving.shape)


def inside(matrix: Map, fixed: tuple[int, ...], moving: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels of the fixed picture fall on the moving one, (height, width) of `fixed`."""
    x, y = np.arange(fixed[1], dtype=np.float32)[None, :], np.arange(fixed[0], dtype=np.float32)[:, None]
    m = matrix.astype(np.float32)
    # Without shears these are one row and one column.
    u = m[0, 0] * x + m[0, 2] if m[0, 1] == 0 else m[0, 0] * x + (m[0, 1] * y + m[0, 2])
    v = m[1, 1] * y + m[1, 2] if m[1, 0] == 0 else m[1, 0] * x + (m[1, 1] * y + m[1, 2])
    return np.asarray((u > -0.51) & (u < moving[1] - 0.49) & (v > -0.51) & (v < moving[0] - 0.49))


def refined(
    fixed: Picture, moving: Picture, matrix: Map, free: NDArray[np.int64], steps: int, where: NDArray[np.bool_]
) -> Map:
    """`matrix` improved by at most `steps` Gauss-Newton steps on the squared differences after a linear fit of values.

    Differences far above the usual count little, so that something added to one picture does not pull. `free`: AXES or
    AFFINE. `where`: the pixels of `fixed` that are used, as `edges` finds them. Returns the map as it was where the
    pictures hold too little to improve it.
    """
    current = np.array(matrix, np.float64)
    gain, offset, spread = 1.0, 0.0, 1e6
    side = max(fixed.shape)
    loose = np.array([*[_LINEAR] * 4, *[_SHIFT * side] * 2])
    normal, right = np.empty((8, 8)), np.empty(8)
    for step in range(steps):
        misfit, pixels = _normal(fixed, moving, current, gain, offset, spread, where, normal, right)
        if pixels < _FEWEST:
            return matrix
        spread = misfit + _LEAST
        tie = np.square(spread / loose)
        normal[range(6), range(6)] += tie
        right[:6] -= tie * (current - matrix).T.ravel()
        # Values first: a map drawn from values that were not fitted would run away.
        solved = free[free >= 6] if step == 0 else free
        change = np.zeros(8)
        scale = np.sqrt(np.diag(normal)[solved]) + 1e-12
        part = normal[np.ix_(solved, solved)] / np.outer(scale, scale) + 1e-9 * np.eye(len(solved))
        change[solved] = np.linalg.solve(part, right[solved] / scale) / scale
        current += change[:6].reshape(3, 2).T
        gain, offset = gain + change[6], offset + change[7]
        moved = np.abs(change[:4]).max() * side + np.abs(change[4:6]).max()
        if not np.isfinite(moved) or gain < _FAINT:
            return matrix
        if step > 0 and moved < _STILL:
            break
    return current


def edges(picture: Picture, share: float) -> NDArray[np.bool_]:
    """The pixels with the steepest slopes, about `share` of all: they tell where a picture lies, and cost the least."""
    slope = np.abs(cv2.Sobel(picture, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(picture, cv2.CV_32F, 0, 1))
    some = slope[::3, ::3].ravel()
    place = min(some.size - 1, int(some.size * (1 - share)))
    return np.asarray(slope > min(np.partition(some, place)[place], slope.max() / 2))


def shifted(fixed: Picture, moving: Picture, matrix: Map, reach: int = 4) -> Map | None:
    """The shift by whole pixels, at most `reach` from that of `matrix`, at which the finest details coincide.

    None where no shift stands out: the pictures are of another resolution, or lie on one another between pixels.
    """
    start = np.rint(((matrix - IDENTITY) @ corners(fixed.shape)).mean(axis=1)).astype(int)
    x0, y0 = (max(0, reach - int(s)) for s in start)
    x1, y1 = (min(fixed.shape[i], moving.shape[i] - reach - int(s)) for i, s in zip((1, 0), start, strict=True))
    if x1 - x0 < _PART // 8 or y1 - y0 < _PART // 8:
        return None
    x0, x1, y0, y1 = _richest(fixed, (x0, x1, y0, y1))
    left, top = x0 + start[0] - reach, y0 + start[1] - reach
    around = moving[top : y1 + start[1] + reach, left : x1 + start[0] + reach]
    fits = cv2.matchTemplate(_details(around), _details(fixed[y0:y1, x0:x1]), cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(int(fits.argmax()), fits.shape)
    inner = 0 < y < 2 * reach and 0 < x < 2 * reach
    if (
        not inner
        or fits[y, x] < _DETAILS
        or max(_between(fits[y, x - 1 : x + 2]), _between(fits[y - 1 : y + 2, x])) > _OFF
    ):
        return None
    found = IDENTITY.copy()
    found[:, 2] = start[0] + x - reach, start[1] + y - reach
    return found


# Side of the part whose details are compared, their least correlation, how far between pixels the best shift may lie.
_PART, _DETAILS, _OFF = 320, 0.15, 0.2


def _between(three: NDArray[Any]) -> float:
    """How far the top of the parabola through three values lies from the middle one."""
    bend = float(three[0] - 2 * three[1] + three[2])
    return abs(float(three[0] - three[2]) / (2 * bend)) if bend < 0 else 1.0


def _richest(picture: Picture, within: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of the part, _PART pixels on a side, that holds most edges."""
    x0, x1, y0, y1 = within
    where = edges(np.ascontiguousarray(picture[y0:y1, x0:x1]), 0.05)
    bounds = []
    for axis, low, high in ((0, x0, x1), (1, y0, y1)):
        side = min(_PART, high - low)
        total = np.concatenate([[0], np.cumsum(where.sum(axis=axis))])
        start = low + int((total[side:] - total[: len(total) - side]).argmax())
        bounds += [start, start + side]
    return bounds[0], bounds[1], bounds[2], bounds[3]


def _details(picture: Picture) -> Picture:
    picture = np.ascontiguousarray(picture, np.float32)
    fine = picture - cv2.blur(picture, (5, 5))
    bound = 3 * 1.4826 * float(np.median(np.abs(fine[::2, ::2]))) + 2.0
    return np.asarray(np.clip(fine, -bound, bound), np.float32)


def snapped(matrix: Map, shape: tuple[int, ...], within: float = 0.06) -> Map:
    """The shift by whole pixels that `matrix` is up to `within` pixels anywhere in a picture of `shape`, or itself."""
    near = IDENTITY.copy()
    near[:, 2] = np.rint(((matrix - near) @ corners(shape)).mean(axis=1))
    return near if farthest(matrix, near, shape) <= within else matrix


def whole(matrix: Map) -> bool:
    """Whether a map is a shift by whole pixels."""
    return np.array_equal(matrix[:, :2], IDENTITY[:, :2]) and np.array_equal(matrix[:, 2], np.rint(matrix[:, 2]))


def corners(shape: tuple[int, ...]) -> Map:
    """x, y and 1 of the outermost pixels of a picture of `shape`: (3, 4)."""
    right, bottom = float(shape[1] - 1), float(shape[0] - 1)
    return np.array([[0.0, right, 0.0, right], [0.0, 0.0, bottom, bottom], [1.0, 1.0, 1.0, 1.0]])


def farthest(one: Map, other: Map, shape: tuple[int, ...]) -> float:
    """How many pixels, along an axis, two maps of a picture of `shape` lie apart at most."""
    return float(np.abs((one - other) @ corners(shape)).max())


def ncc(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Normalised cross-correlation of two lists of values, -1 to 1; 0 where one of them is constant."""
    x, y = x - x.mean(dtype=np.float64), y - y.mean(dtype=np.float64)
    # Not x @ y: that starts a thread for each core, for less work than starting them takes.
    length = float(np.sqrt((x * x).sum() * (y * y).sum()))
    return float((x * y).sum()) / length if length > 1e-9 else 0.0


@compiled
def _normal(  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0915, PLR0917
    fixed, moving, matrix, gain, offset, spread, where, normal, right
):
    """Normal equations of one Gauss-Newton step, into `normal` (8, 8) and `right` (8,).

    Returns the mean difference, and how many pixels were used.

    Unknowns: the changes of the map, column by column, then of gain and offset. The mean is weighted by the slopes:
    where the picture is even, as in air, a difference of 0 tells nothing about the map. Sums over a row are kept with
    the powers of x only, and get those of y when the row is done: that is a quarter of the products.
    """
    height, width = moving.shape
    normal[:] = 0.0
    right[:] = 0.0
    misfit, slopes, pixels = 0.0, 0.0, 0
    cut = 1.0 / (4.0 * spread * spread)
    for y in range(fixed.shape[0]):
        xx0 = xx1 = xx2 = xy0 = xy1 = xy2 = yy0 = yy1 = yy2 = 0.0
        xv0 = xv1 = yv0 = yv1 = xo0 = xo1 = yo0 = yo1 = xe0 = xe1 = ye0 = ye1 = 0.0
        vv = v0 = o0 = ve = oe = 0.0
        for x in range(fixed.shape[1]):
            if not where[y, x]:
                continue
            u = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
            t = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
            if u < 0.0 or t < 0.0 or u >= width - 1.0 or t >= height - 1.0:
                continue
            i, j = int(u), int(t)
            p, q = u - i, t - j
            a, b = moving[j, i], moving[j, i + 1]
            c, d = moving[j + 1, i], moving[j + 1, i + 1]
            value = (a * (1 - p) + b * p) * (1 - q) + (c * (1 - p) + d * p) * q
            gx = gain * ((b - a) * (1 - q) + (d - c) * q)
            gy = gain * ((c - a) * (1 - p) + (d - b) * p)
            error = fixed[y, x] - (gain * value + offset)
            weight = 1.0 / (1.0 + error * error * cut)
            wx, wy, wv = weight * gx, weight * gy, weight * value
            f = wx * gx
            xx0 += f
            xx1 += f * x
            xx2 += f * x * x
            f = wx * gy
            xy0 += f
            xy1 += f * x
            xy2 += f * x * x
            f = wy * gy
            yy0 += f
            yy1 += f * x
            yy2 += f * x * x
            f = wx * value
            xv0 += f
            xv1 += f * x
            f = wy * value
            yv0 += f
            yv1 += f * x
            xo0 += wx
            xo1 += wx * x
            yo0 += wy
            yo1 += wy * x
            f = wx * error
            xe0 += f
            xe1 += f * x
            f = wy * error
            ye0 += f
            ye1 += f * x
            vv += wv * value
            v0 += wv
            o0 += weight
            ve += wv * error
            oe += weight * error
            slope = weight * (abs(gx) + abs(gy))
            misfit += slope * abs(error)
            slopes += slope
            pixels += 1
        normal[0, 0] += xx2
        normal[0, 1] += xy2
        normal[0, 2] += xx1 * y
        normal[0, 3] += xy1 * y
        normal[0, 4] += xx1
        normal[0, 5] += xy1
        normal[0, 6] += xv1
        normal[0, 7] += xo1
        normal[1, 1] += yy2
        normal[1, 2] += xy1 * y
        normal[1, 3] += yy1 * y
        normal[1, 4] += xy1
        normal[1, 5] += yy1
        normal[1, 6] += yv1
        normal[1, 7] += yo1
        normal[2, 2] += xx0 * y * y
        normal[2, 3] += xy0 * y * y
        normal[2, 4] += xx0 * y
        normal[2, 5] += xy0 * y
        normal[2, 6] += xv0 * y
        normal[2, 7] += xo0 * y
        normal[3, 3] += yy0 * y * y
        normal[3, 4] += xy0 * y
        normal[3, 5] += yy0 * y
        normal[3, 6] += yv0 * y
        normal[3, 7] += yo0 * y
        normal[4, 4] += xx0
        normal[4, 5] += xy0
        normal[4, 6] += xv0
        normal[4, 7] += xo0
        normal[5, 5] += yy0
        normal[5, 6] += yv0
        normal[5, 7] += yo0
        normal[6, 6] += vv
        normal[6, 7] += v0
        normal[7, 7] += o0
        right[0] += xe1
        right[1] += ye1
        right[2] += xe0 * y
        right[3] += ye0 * y
        right[4] += xe0
        right[5] += ye0
        right[6] += ve
        right[7] += oe
    for k in range(8):
        for m in range(k):
            normal[k, m] = normal[m, k]
    return misfit / max(slopes, 1e-30), pixels
