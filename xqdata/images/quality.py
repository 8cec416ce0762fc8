"""Figures that are measured on every page: grey statistics, air, sharpness, content box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import xxhash
from numpy.typing import NDArray

from xqdata.images.decode import Page

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
    low, high = float(grey.min()), float(grey.max())
    span = high - low
    if span == 0:
        return Quality(mean, std, None, polarity, None, None, None)
    bright = grey >= high - _END * span
    dark = grey <= low + _END * span
    polarity = polarity or _polarity(bright, dark)
    if polarity is None:
        return Quality(mean, std, _sharpness(grey), None, None, None, None)
    air, opaque = (bright, dark) if polarity == "air_bright" else (dark, bright)
    return Quality(
        mean,
        std,
        _sharpness(grey),
        polarity,
        air_fraction=float(np.count_nonzero(air) / air.size),
        opaque_fraction=float(np.count_nonzero(opaque) / opaque.size),
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
    pixels = page.pixels
    if page.grey.dtype == np.uint8:
        values, top = page.grey, 255.0
    else:
        values = pixels if pixels.ndim == 2 else pixels[..., 0]
        top = float(np.iinfo(cast(Any, values.dtype)).max) if values.dtype.kind in "ui" else 1.0
    finite = values if values.dtype.kind in "ui" else values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    mean, std = cv2.meanStdDev(finite) if finite.dtype == np.uint8 else (finite.mean(), finite.std(dtype=np.float64))
    return _rounded(float(np.ravel(mean)[0]) / top), _rounded(float(np.ravel(std)[0]) / top)


def _sharpness(grey: NDArray[np.uint8] | NDArray[np.float32]) -> float:
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return _rounded(float(edges.var(dtype=np.float64)) / float(grey.var(dtype=np.float64)))


def _rounded(value: float) -> float:
    # Nine digits: processors sum in different orders, and the digest of a table must not depend on the processor.
    return float(f"{value:.9g}")


def _polarity(bright: NDArray[np.bool_], dark: NDArray[np.bool_]) -> str | None:
    at_bright, at_dark = _border_share(bright), _border_share(dark)
    if at_bright >= _BORDER_SHARE and at_dark <= _OTHER_SHARE:
        return "air_bright"
    if at_dark >= _BORDER_SHARE and at_bright <= _OTHER_SHARE:
        return "air_dark"
    return None


def _border_share(end: NDArray[np.bool_]) -> float:
    border = np.concatenate([end[0], end[-1], end[:, 0], end[:, -1]])
    return np.count_nonzero(border) / border.size


def _content_box(air: NDArray[np.bool_]) -> list[int] | None:
    content = cv2.morphologyEx((~air).astype(np.uint8), cv2.MORPH_OPEN, _LINE)
    rows = np.flatnonzero(content.mean(axis=1) > _SPECK)
    columns = np.flatnonzero(content.mean(axis=0) > _SPECK)
    if not rows.size or not columns.size:
        return None
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
