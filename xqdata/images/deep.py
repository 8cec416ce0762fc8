"""Pictures of more than 8 bits per value: their grey, and their page."""

from __future__ import annotations

import struct
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from xqdata import kernels
from xqdata.images.page import BadImage, Limits, Page, Pixels, check_size, complete, failed
from xqdata.images.plain import opened, pillow_tags
from xqdata.images.png import png_pixels


def deep_grey(pixels: Pixels, window: tuple[float, float] | None) -> NDArray[np.float32]:
    """A picture of any dtype as grey, (height, width) float32 in 0 to 255.

    `window` gives the values for 0 and 255 (what lies beyond is clipped); None takes the smallest and largest finite
    value. What is not a number becomes 0, and so does a picture of one value only.
    """
    if pixels.dtype == np.uint16 and pixels.ndim == 2:
        flat: NDArray[Any] = pixels  # exact in float32, and by far the most common
    else:
        flat = luminance(pixels)
        finite = np.isfinite(flat)
        if not finite.any():
            return np.zeros(flat.shape, np.float32)
        flat = np.where(finite, flat, flat[finite].min())
    low, high = window or (float(flat.min()), float(flat.max()))
    if high <= low:
        return np.zeros(flat.shape, np.float32)
    if flat.dtype == np.uint16:
        return kernels.scaled(flat, low, high)
    scaled: NDArray[np.float64] = flat - low
    scaled *= 255.0 / (high - low)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.float32)


def luminance(pixels: Pixels) -> NDArray[np.float64]:
    """Pixels of any dtype as one value each, (height, width): colours weighted as ITU-R 601 says, alpha left out."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        weighted: NDArray[np.float64] = pixels[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return weighted
    return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.float64)


def deep_page(pixels: Pixels, kind: str, index: int, bits: int, limits: Limits, tags: dict[str, str]) -> Page:
    """A page of `pixels` (height, width) or (height, width, channels), in whatever byte order."""
    native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    letter = {1: "I", 2: "LA", 3: "RGB", 4: "RGBA"}.get(1 if native.ndim == 2 else native.shape[2], "multi")
    mode = ("F" if native.dtype.kind == "f" and letter == "I" else letter) + ("" if bits == 32 else f";{bits}")
    return Page(index, native, deep_grey(native, limits.window), kind, mode, bits, tags)


def deep_png_page(data: bytes, limits: Limits) -> Page:
    """The picture of a PNG of 16 bits per value. Raises BadImage."""
    try:
        width, height = struct.unpack(">II", data[16:24])
        check_size(width, height, limits)
        if not complete("PNG", data):
            raise BadImage("truncated", "PNG: the end of the file is missing")
        pixels = png_pixels(data)
        if pixels is None:
            pixels = np.asarray(imagecodecs.png_decode(data))
        with opened(data, "PNG") as image:
            tags = pillow_tags(image, data)
    except Exception as error:
        raise failed(error, "PNG", data) from error
    return deep_page(pixels, "PNG", 0, 16, limits, tags)
