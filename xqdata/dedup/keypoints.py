"""Local features: places in a picture that are found again in another one, wherever they lie there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]

# Measured on passengers' bags that were scanned again, and checked by eye: at these settings 20 inliers and more are
# the same bag, and pairs of other bags mostly stay below 12.
SIDE, COUNT, RATIO, PIXELS = 640, 800, 0.8, 6.0
_FEWEST = 4
# Pixels around the foreground that its features are described by; least side of a picture that has any.
_MARGIN, _LEAST = 24, 16
_ROUNDS = 500


@dataclass(frozen=True, eq=False)
class Keypoints:
    """`places`: (n, 2) float32, x and y in pixels. `descriptors`: (n, 128) float32 of length 1, RootSIFT."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.float32]


_NONE = Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))


@cache
def _sift() -> Any:
    return cv2.SIFT_create(nfeatures=COUNT)  # type: ignore[attr-defined]


def keypoints(picture: NDArray[Any], mask: NDArray[np.bool_] | None) -> Keypoints:
    """Up to COUNT features of a picture, uint8 or float32 in 0 to 255, where `mask`, of any size, is true."""
    factor = min(1.0, SIDE / max(picture.shape))
    size = (max(2, round(picture.shape[1] * factor)), max(2, round(picture.shape[0] * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if factor < 1 else picture
    # SIFT looks at 8 bits only; what is decided by the values themselves is decided elsewhere.
    low, high = (float(v) for v in np.percentile(small[::2, ::2], (0.2, 99.8)))
    scaled = np.clip((small.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
    where = None if mask is None else cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    left, top, right, bottom = (0, 0, *size) if where is None else _box(where)
    if min(right - left, bottom - top) < _LEAST:
        return _NONE
    part = np.s_[top:bottom, left:right]
    found, signs = _sift().detectAndCompute(scaled[part], None if where is None else where[part])
    if signs is None:
        return _NONE
    scale = np.array([picture.shape[1] / size[0], picture.shape[0] / size[1]])
    places = (np.array([k.pt for k in found]) + np.array([left + 0.5, top + 0.5])) * scale - 0.5
    # Square roots of the parts compare better than the parts (Arandjelovic and Zisserman 2012, RootSIFT).
    roots = np.sqrt(signs / np.maximum(signs.sum(axis=1, keepdims=True), 1e-6))
    return Keypoints(places.astype(np.float32), roots.astype(np.float32))


def _box(mask: NDArray[Any]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not 0, with a margin; all 0 where there is nothing."""
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return 0, 0, 0, 0
    return (
        max(0, x - _MARGIN),
        max(0, y - _MARGIN),
        min(mask.shape[1], x + width + _MARGIN),
        min(mask.shape[0], y + height + _MARGIN),
    )


def matched(a: Keypoints, b: Keypoints) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Places of features of `a`, and of the features of `b` that are clearly the likest to them: (n, 2) each."""
    if len(a.places) < 1 or len(b.places) < 2:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    alike = a.descriptors @ b.descriptors.T
    best = alike.argmax(axis=1)
    rows = np.arange(len(best))
    first = alike[rows, best]
    alike[rows, best] = -1.0
    second = alike.max(axis=1)
    # For vectors of length 1 the squared distance is 2 - 2 * product.
    clear = 1.0 - first < RATIO**2 * (1.0 - second)
    # A feature of b that several of a choose tells nothing.
    chosen = np.bincount(best[clear], minlength=len(b.places))
    clear &= chosen[best] == 1
    return a.places[clear], b.places[best[clear]]


def agreeing(
    one: NDArray[np.float32], other: NDArray[np.float32], within: float
) -> tuple[Map | None, NDArray[np.bool_]]:
    """The affine map from `one` to `other` that most matches agree on, up to `within` pixels, and which do."""
    if len(one) < _FEWEST:
        return None, np.zeros(len(one), np.bool_)
    cv2.setRNGSeed(0)  # the same pair has the same verdict in every process
    matrix, kept = cv2.estimateAffine2D(
        one, other, method=cv2.RANSAC, ransacReprojThreshold=within, maxIters=_ROUNDS, confidence=0.999
    )
    if matrix is None:
        return None, np.zeros(len(one), np.bool_)
    return np.asarray(matrix, np.float64), kept.ravel() > 0
