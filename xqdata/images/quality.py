"""Figures that are measured on every page: grey statistics, air, sharpness, content box."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import xxhash
from numpy.typing import NDArray

from xqdata import kernels
from xqdata.hashing import Grey
from xqdata.images.deep import luminance
from xqdata.images.page import Page

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
_STRIP = 16  # rows that are opened at first


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
    of_grey = _mean_and_std(grey) if grey.dtype == np.uint8 else None
    mean, std = _moments(page) if of_grey is None else (_rounded(of_grey[0] / 255), _rounded(of_grey[1] / 255))
    low, high, _, _ = cv2.minMaxLoc(grey)
    if low == high:
        return Quality(mean, std, None, polarity, None, None, None)
    bright = _at_least(grey, high - _END * (high - low))
    dark = _at_most(grey, low + _END * (high - low))
    polarity = polarity or _polarity(bright, dark)
    sharpness = _sharpness(grey, (of_grey or _mean_and_std(grey))[1])
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
    """Mean and standard deviation of a deep page's values as a share of their dtype's range; of floats, as they are."""
    plain = page.pixels.ndim == 2 and page.pixels.dtype == np.uint16
    values: NDArray[Any] = page.pixels if plain else luminance(page.pixels)
    top = 1.0
    if page.pixels.dtype.kind in "ui":
        top = float(np.iinfo(cast(Any, page.pixels.dtype)).max)
    else:
        values = values[np.isfinite(values)]
    mean, std = _mean_and_std(values) if values.size else (0.0, 0.0)
    return _rounded(mean / top), _rounded(std / top)


def _mean_and_std(values: NDArray[Any]) -> tuple[float, float]:
    mean, std = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(std[0, 0])


def _at_least(grey: Grey, bound: float) -> Mask:
    # Whole numbers are compared with a whole number: otherwise NumPy would turn the picture to floats.
    return (grey >= (math.ceil(bound) if grey.dtype == np.uint8 else bound)).view(np.uint8)


def _at_most(grey: Grey, bound: float) -> Mask:
    return (grey <= (math.floor(bound) if grey.dtype == np.uint8 else bound)).view(np.uint8)


def _sharpness(grey: Grey, std: float) -> float:
    """The variance of the Laplacian as a share of the grey values' own, whose root is `std`."""
    if grey.dtype == np.uint8 and kernels.AVAILABLE:
        total, squares = kernels.laplacian_sums(cast("NDArray[np.uint8]", grey))
        mean = total / grey.size
        of_edges = math.sqrt(max(squares / grey.size - mean * mean, 0.0))
    else:
        edges = cv2.Laplacian(grey, cv2.CV_16S if grey.dtype == np.uint8 else cv2.CV_32F)
        _, of_edges = _mean_and_std(edges)
    return _rounded((_rounded(of_edges) / _rounded(std)) ** 2)


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
    height, width = air.shape
    of_rows = width - cv2.reduce(air, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    of_columns = height - cv2.reduce(air, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    top, bottom = _first_row(air, of_rows), _first_row(air[::-1], of_rows[::-1])
    left, right = _first_row(air.T, of_columns), _first_row(air.T[::-1], of_columns[::-1])
    if top is None or bottom is None or left is None or right is None:
        return None
    return [left, top, width - right - left, height - bottom - top]


def _first_row(air: Mask, counts: NDArray[np.integer]) -> int | None:
    """The first row of `air` with content on more than _SPECK of it after opening by _LINE; None if there is none.

    `counts`: how much content each row holds before. Opening only takes away, so rows of little content are passed
    over, and hardly ever is more than the first strip behind them opened.
    """
    bound = _SPECK * air.shape[1]
    reach, height = len(_LINE) - 1, _STRIP
    rows = np.flatnonzero(counts > bound)
    while rows.size:
        start = int(rows[0])
        above = min(reach, start)
        content = np.subtract(1, air[start - above : start + height + reach], order="C")
        opened = cv2.morphologyEx(content, cv2.MORPH_OPEN, _LINE)[above : above + height]
        enough = np.flatnonzero(cv2.reduce(opened, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S) > bound)
        if enough.size:
            return start + int(enough[0])
        rows = rows[np.searchsorted(rows, start + height) :]
        height *= 2
    return None
