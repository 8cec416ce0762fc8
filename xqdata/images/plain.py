"""Pictures of up to 8 bits per value: what Pillow gives, by a faster decoder where it gives the same."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from xqdata import kernels
from xqdata.images.page import MAX_TAG, TAGS, Limits, Page, Pixels, check_size, complete, failed
from xqdata.images.png import late_chunks, png_pixels
from xqdata.images.sniff import png_bits

_TOLD_IN = {b"tEXt", b"zTXt", b"iTXt", b"eXIf"}  # chunks of PNG
# Pillow's mode: the axes behind height and width.
_QUICK_MODES: dict[str, tuple[int, ...]] = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}
# How Pillow calls the order of values in a BMP: values per pixel, and what turns them to RGB.
_RAW_MODES = {"L": (1, None), "BGR": (3, cv2.COLOR_BGR2RGB), "BGRX": (4, cv2.COLOR_BGRA2RGB)}


def plain_page(data: bytes, kind: str, limits: Limits) -> Page:
    """The one picture, or the first, of a file that Pillow calls `kind`. Raises BadImage."""
    try:
        with opened(data, kind) as image:
            check_size(*image.size, limits)
            frames = int(getattr(image, "n_frames", 1))
            tags = pillow_tags(image, data) | ({"frames": str(frames)} if frames > 1 else {})
            bits = _bit_depth(image, kind, data)
            pixels = _quick(data, kind, image, bits)
            if pixels is not None:
                return Page(0, pixels, plain_grey(pixels), kind, image.mode, bits, tags)
            image.load()
            return from_pillow(image, kind, 0, bits, tags)
    except Exception as error:
        raise failed(error, kind, data) from error


def _quick(data: bytes, kind: str, image: Image.Image, bits: int) -> Pixels | None:
    """The pixels by a decoder that hands them over without Pillow's two copies, or None where Pillow must do it.

    Only cases in which both give the same bytes; whatever looks damaged is left to Pillow, which says how.
    """
    if bits != 8 or image.mode not in _QUICK_MODES or "transparency" in image.info or not complete(kind, data):
        return None
    try:
        if kind == "JPEG":
            pixels = np.asarray(imagecodecs.jpeg8_decode(data))
        elif kind == "PNG":
            found = png_pixels(data)
            pixels = np.asarray(imagecodecs.spng_decode(data)) if found is None else found
        elif kind == "BMP":
            return _unpacked(data, image)
        else:
            return None
    except Exception:  # noqa: BLE001 - Pillow's error is the one that is told
        return None
    expected = (image.height, image.width, *_QUICK_MODES[image.mode])
    return pixels if pixels.dtype == np.uint8 and pixels.shape == expected else None


def _unpacked(data: bytes, image: Image.Image) -> Pixels | None:
    """The pixels of a BMP that holds them as they are, where Pillow has found them, or None."""
    ((codec, extents, offset, arguments),) = cast("ImageFile.ImageFile", image).tile
    if codec != "raw" or extents != (0, 0, *image.size):
        return None
    name, stride, direction = cast("tuple[str, int, int]", arguments)
    if name not in _RAW_MODES:
        return None
    values, swap = _RAW_MODES[name]
    shape, strides = (image.height, image.width, values), (stride, values, 1)
    rows: Pixels = np.ndarray(shape, np.uint8, data, offset, strides)  # raises where the file is too short for them
    if swap is None:
        return np.ascontiguousarray(rows[::direction, :, 0])
    pixels = cv2.cvtColor(rows, swap)
    return cv2.flip(pixels, 0, dst=pixels) if direction == -1 else pixels


def plain_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pillow's grey of decoded 8-bit pixels of the modes L, LA, RGB and RGBA; (height, width) uint8."""
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 2:
        return np.ascontiguousarray(pixels[..., 0])
    if not kernels.AVAILABLE:
        return np.asarray(Image.fromarray(pixels).convert("L"))
    return kernels.grey_of(pixels)


@contextmanager
def opened(data: bytes, kind: str) -> Iterator[Image.Image]:
    """Pillow's image of `data`, untouched by what other code has set for the whole process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False  # our own limit is checked before loading
        try:
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                yield image
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def from_pillow(image: Image.Image, kind: str, index: int, bits: int, tags: dict[str, str]) -> Page:
    """The page that Pillow has loaded as `image`."""
    if image.mode in _QUICK_MODES:
        pixels: Pixels = np.asarray(image)
        return Page(index, pixels, plain_grey(pixels), kind, image.mode, bits, tags)
    grey = np.asarray(image.convert("L"))
    if image.mode == "1":
        pixels = grey
    elif image.mode in ("P", "PA"):
        transparent = image.mode == "PA" or "transparency" in image.info
        pixels = np.asarray(image.convert("RGBA" if transparent else "RGB"))
    elif image.mode in ("YCbCr", "RGBX", "HSV"):
        pixels = np.asarray(image.convert("RGB"))
    else:
        pixels = np.asarray(image)
    return Page(index, pixels, grey, kind, image.mode, bits, tags)


def _bit_depth(image: Image.Image, kind: str, data: bytes) -> int:
    if kind == "PNG":
        return png_bits(data)
    return 1 if image.mode == "1" else 8


def pillow_tags(image: Image.Image, data: bytes) -> dict[str, str]:
    """What stands in the file besides the pixels: EXIF of TAGS, and texts."""
    # Pillow decodes a whole PNG to look for text behind the pixels: only where there is some.
    late = image.format == "PNG" and not late_chunks(data).isdisjoint(_TOLD_IN)
    exif = image.getexif() if late or image.format != "PNG" or "exif" in image.info else {}
    named = {ExifTags.TAGS.get(number, ""): value for number, value in exif.items()}
    text = {} if image.format != "PNG" else image.text if late else image.info  # type: ignore[attr-defined]
    found = {k: v for k, v in named.items() if k in TAGS} | {k: v for k, v in text.items() if isinstance(v, str)}
    return {str(k): str(v)[:MAX_TAG] for k, v in found.items() if isinstance(v, str | int | float)}
