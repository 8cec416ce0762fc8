"""Figures that are measured on every page: grey statistics, air, sharpness, content box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import xxhash
from numpy.typing import NDArray

from xqdata.hashing import Grey
from xqdata.images.decode import Page, luminance

Mask = NDArray[np.uint8]  # 0 and 1

# Share of the picture's range that still counts as its air, or opaque, end. The baskets and bags of the scanners that
# we know begin at 5% below air; detector noise in air stays within 1%.
_END = 0.03
# A picture has a polarity when this share of its outermost pixels lies at one end of its range, and hardly any at the
# other. A basket that fills the frame of real/compass_xp leaves air on a quarter of the border.
_BORDER_SHARE = 0.15
_OTHER_SHARE = 0.02
# Content thinner than this (a dead detector element, the scanner's frame line) does not widen the content box, nor do
# rows and columns with a smaller share of content than _SPECK.
_LINE = np.ones((5, 5), np.uint8)
_SPECK = 0.01


@dataclass(frozen=True)
class Quality:
    """The measured figures of one page, named as the columns of `images`."""

    mean: float
    std: float
    sharpness: float | None
    polarity: str | None
    air_fraction: float | None
    opaque_fraction: float | None
    content_box: list[int] | None


def measure(page: Page, polarity: str | None = None) -> Quality:
    """The figures of `page`. `polarity` as declared, or None to measure it on the picture's border."""
    grey = page.grey
    mean, std = _moments(page)
    low, high, _, _ = cv2.minMaxLoc(grey)
    if low == high:
        return Quality(mean, std, None, polarity, None, None, None)
    bright = _at_least(grey, high - _END * (high - low))
    dark = 1 - _at_least(grey, low + _END * (high - low), strictly=True)
    polarity = polarity or _polarity(bright, dark)
    sharpness = _sharpness(grey)
    if polarity is None:
        return Quality(mean, std, sharpness, None, None, None, None)
    air, opaque = (bright, dark) if polarity == "air_bright" else (dark, bright)
    return Quality(
        mean,
        std,
        sharpness,
        polarity,
        air_fraction=cv2.countNonZero(air) / air.size,
        opaque_fraction=cv2.countNonZero(opaque) / opaque.size,
        content_box=_content_box(air),
    )


def pixel_hash(page: Page) -> str:
    """xxh3-128 over shape, dtype and decoded pixels, as 32 hex digits.

    Two encodings of the same pixels agree; a 100 x 200 and a 200 x 100 blank picture do not.
    """
    pixels = np.ascontiguousarray(page.pixels, dtype=page.pixels.dtype.newbyteorder("<"))
    hasher = xxhash.xxh3_128(f"{pixels.shape} {pixels.dtype.str}".encode())
    hasher.update(pixels.data)
    return hasher.hexdigest()


def _moments(page: Page) -> tuple[float, float]:
    """Mean and standard deviation of the grey values as a share of the dtype's range; of floats, as they are."""
    if page.grey.dtype == np.uint8:
        return _mean_and_std(page.grey, 255.0)
    plain = page.pixels.ndim == 2 and page.pixels.dtype == np.uint16
    values: NDArray[Any] = page.pixels if plain else luminance(page.pixels)
    if page.pixels.dtype.kind in "ui":
        return _mean_and_std(values, float(np.iinfo(cast(Any, page.pixels.dtype)).max))
    finite = values[np.isfinite(values)]
    return _mean_and_std(finite, 1.0) if finite.size else (0.0, 0.0)


def _mean_and_std(values: NDArray[Any], top: float) -> tuple[float, float]:
    mean, std = cv2.meanStdDev(values)
    return _rounded(float(mean[0, 0]) / top), _rounded(float(std[0, 0]) / top)


def _at_least(grey: Grey, bound: float, *, strictly: bool = False) -> Mask:
    # cv2.threshold keeps what is greater than its bound, and takes whole numbers for 8-bit pictures.
    if grey.dtype == np.uint8:
        bound = math.floor(bound) if strictly else math.ceil(bound) - 1
    elif not strictly:
        bound = float(np.nextafter(np.float32(bound), np.float32(-np.inf)))
    return cast(Mask, cv2.threshold(grey, bound, 1, cv2.THRESH_BINARY)[1].astype(np.uint8, copy=False))


def _sharpness(grey: Grey) -> float:
    edges = cv2.Laplacian(grey, cv2.CV_16S if grey.dtype == np.uint8 else cv2.CV_32F)
    _, of_edges = _mean_and_std(edges, 1.0)
    _, of_grey = _mean_and_std(grey, 1.0)
    return _rounded((of_edges / of_grey) ** 2)


def _rounded(value: float) -> float:
    # Nine digits: processors sum in different orders, and the digest of a table must not depend on the processor.
    return float(f"{value:.9g}")


def _polarity(bright: Mask, dark: Mask) -> str | None:
    at_bright, at_dark = _border_share(bright), _border_share(dark)
    if at_bright >= _BORDER_SHARE and at_dark <= _OTHER_SHARE:
        return "air_bright"
    if at_dark >= _BORDER_SHARE and at_bright <= _OTHER_SHARE:
        return "air_dark"
    return None


def _border_share(end: Mask) -> float:
    border = np.concatenate([end[0], end[-1], end[:, 0], end[:, -1]])
    return np.count_nonzero(border) / border.size


def _content_box(air: Mask) -> list[int] | None:
    content = cv2.morphologyEx(1 - air, cv2.MORPH_OPEN, _LINE)
    height, width = content.shape
    columns = np.flatnonzero(cv2.reduce(content, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > _SPECK * height)
    rows = np.flatnonzero(cv2.reduce(content, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > _SPECK * width)
    if not rows.size or not columns.size:
        return None
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
