"""Copies of a scan as they come about, and pictures that look like copies and are none."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xqdata.images import deep_grey
from xqdata.images.plain import plain_grey

Pixels = NDArray[Any]


@dataclass(frozen=True)
class Made:
    """One picture made of a scan: what was done, which verdict is right, how it is turned, and its pixels.

    `kind`: None where the picture is no copy.
    """

    what: str
    kind: str | None
    orientation: str
    pixels: Pixels

    @property
    def grey(self) -> Pixels:
        """As a Page has it."""
        return deep_grey(self.pixels, None) if self.pixels.dtype == np.uint16 else plain_grey(self.pixels)


def copies(pixels: Pixels, rng: np.random.Generator) -> Iterator[Made]:
    """Copies of `pixels`, (height, width) or (height, width, 3), uint8 or uint16."""
    shallow = _shallow(pixels)
    if pixels.dtype == np.uint16:
        yield Made("16 to 8 bits", "re-encoded", "r0", shallow)
    for quality in (75, 85, 95):
        yield Made(f"JPEG {quality}", "re-encoded", "r0", _jpeg(shallow, quality))
    for factor in (0.4, 0.6, 0.85, 1.5):
        yield Made(f"resized {factor}", "transformed", "r0", _resized(pixels, factor))
    small = _resized(shallow, float(rng.uniform(0.5, 0.95)))
    yield Made("resized, JPEG 85", "transformed", "r0", _jpeg(small, 85))
    yield Made("trimmed 2%", "transformed", "r0", _trimmed(pixels, rng, 0.02))
    trimmed = _trimmed(shallow, rng, 0.045)
    yield Made("trimmed 4.5%, JPEG 85", "transformed", "r0", _jpeg(trimmed, 85))
    for turns in (1, 2, 3):
        yield Made(f"turned {90 * turns}", "transformed", f"r{(4 - turns) % 4 * 90}", _turned(pixels, turns))
    yield Made("mirrored", "transformed", "m0", np.ascontiguousarray(pixels[:, ::-1]))
    upside = np.ascontiguousarray(pixels[::-1])
    yield Made("mirrored, turned", "transformed", "m180", upside)
    all_at_once = _jpeg(_resized(_turned(_trimmed(shallow, rng, 0.02), 1), 0.8), 90)
    yield Made("trimmed, turned, resized, JPEG 90", "transformed", "r270", all_at_once)


def edits(pixels: Pixels, rng: np.random.Generator) -> Iterator[Made]:
    """Copies in which one small thing was added, taken away or moved: none of them is a copy."""
    for side in (0.02, 0.03, 0.05):
        added = _added(pixels, rng, side, 0.65)
        yield Made(f"item of {side:.0%} added", None, "r0", added)
        yield Made(f"item of {side:.0%} added, JPEG 85", None, "r0", _jpeg(_shallow(added), 85))
    yield Made("faint item of 5% added", None, "r0", _added(pixels, rng, 0.05, 0.85))
    erased = _erased(pixels, rng, 0.05)
    yield Made("5% erased", None, "r0", erased)
    yield Made("5% erased, JPEG 85", None, "r0", _jpeg(_shallow(erased), 85))


def _shallow(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(deep_grey(pixels, None)).astype(np.uint8)


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


def _resized(pixels: Pixels, factor: float) -> Pixels:
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way))


def _trimmed(pixels: Pixels, rng: np.random.Generator, share: float) -> Pixels:
    """Strips cut off the sides, `share` of the area together, at least a pixel."""
    rows, columns = pixels.shape[:2]
    cuts = rng.dirichlet(np.ones(4)) * share
    left, right, top, bottom = (int(cut * side) for cut, side in zip(cuts, (columns, columns, rows, rows), strict=True))
    return np.ascontiguousarray(pixels[top : rows - bottom, max(1, left) : columns - right])


def _turned(pixels: Pixels, turns: int) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, turns))


def _added(pixels: Pixels, rng: np.random.Generator, side: float, passed: float) -> Pixels:
    """An ellipse, `side` of the longer side across, that lets through the share `passed` of what it lies on."""
    rows, columns = pixels.shape[:2]
    radius = max(2, round(side * max(rows, columns) / 2))
    x, y = _content(pixels, rng, radius)
    cover = np.zeros((rows, columns), np.float32)
    axes = (radius, max(2, radius * 2 // 3))
    cv2.ellipse(cover, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    factor = 1.0 - (1.0 - passed) * cv2.GaussianBlur(cover, (0, 0), 0.7)
    return (pixels * (factor[..., None] if pixels.ndim == 3 else factor)).astype(pixels.dtype)


def _erased(pixels: Pixels, rng: np.random.Generator, side: float) -> Pixels:
    """A square, `side` of the longer side, that shows what lies beside it instead."""
    rows, columns = pixels.shape[:2]
    half = max(3, round(side * max(rows, columns) / 2))
    x, y = _edge(pixels, rng, half)
    shift = 2 * half if x + 3 * half < columns else -2 * half
    out = pixels.copy()
    out[y - half : y + half, x - half : x + half] = pixels[y - half : y + half, x + shift - half : x + shift + half]
    return out


def _content(pixels: Pixels, rng: np.random.Generator, margin: int) -> tuple[int, int]:
    """A place that is neither air nor black, `margin` off the border."""
    grey = _shallow(pixels)
    grey = plain_grey(grey)[margin:-margin, margin:-margin]
    low, high = np.percentile(grey, (1, 99))
    return _one_of(rng, (grey > low + 0.35 * (high - low)) & (grey < high - 0.04 * (high - low)), margin)


def _edge(pixels: Pixels, rng: np.random.Generator, half: int) -> tuple[int, int]:
    """A place that looks unlike what lies two times `half` beside it, far enough from the border."""
    grey = cv2.blur(plain_grey(_shallow(pixels)).astype(np.float32), (half, half))
    beside = np.minimum(np.abs(grey - np.roll(grey, 2 * half, 1)), np.abs(grey - np.roll(grey, -2 * half, 1)))
    inner = beside[half:-half, 3 * half : -3 * half]
    x, y = _one_of(rng, inner >= max(0.05 * np.ptp(grey), np.quantile(inner, 0.95)), half)
    return x + 2 * half, y


def _one_of(rng: np.random.Generator, where: NDArray[np.bool_], margin: int) -> tuple[int, int]:
    rows, columns = np.nonzero(where if where.any() else np.ones_like(where))
    pick = int(rng.integers(len(rows)))
    return int(columns[pick]) + margin, int(rows[pick]) + margin
