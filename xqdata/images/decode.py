"""Bytes to pixels: one decode per page, dtype and shape stated, every failure a reason.

What a file is, its first bytes say; its name does not count. Pictures of up to 8 bits per value go through Pillow, so
that their grey values are those that ImageHash sees. Deeper ones go through imagecodecs and tifffile, which keep all
bits where Pillow would drop half of them.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from xqdata.hashing import Grey

Pixels = NDArray[Any]

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
_OTHER_MAGIC = (
    (b"GIF8", "GIF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"P5\n", "PGM"),
    (b"P6\n", "PPM"),
)
HEAD_BYTES = 132
_TAGS = (
    "Make",
    "Model",
    "DateTime",
    "DateTimeOriginal",
    "Software",
    "ImageDescription",
    "Artist",
    "Orientation",
)
_MAX_TAG = 1000


@dataclass(frozen=True)
class Limits:
    """What is decoded at all, and how deep pictures are turned to grey.

    `window`: values that stand for black and white in pictures of more than 8 bits; None takes the picture's own
    smallest and largest value.
    """

    max_pixels: int = 250_000_000
    max_bytes: int = 4_000_000_000
    window: tuple[float, float] | None = None


class BadImage(Exception):
    """A file or a page that cannot be decoded: `reason` is one of the schema's reject reasons."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class Page:
    """One decoded page.

    `pixels`: (height, width) or (height, width, channels), native byte order, in the file's own dtype; palettes are
    resolved to RGB or RGBA and 1-bit pictures to 0 and 255. `grey`: (height, width), uint8 for files of up to 8 bits
    (Pillow's conversion to L), else float32 in 0 to 255 from the window.
    """

    index: int
    pixels: Pixels
    grey: Grey
    format: str
    mode: str
    bit_depth: int
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Values per pixel."""
        return 1 if self.pixels.ndim == 2 else int(self.pixels.shape[2])


def sniff(head: bytes) -> str:
    """The format that a file's first bytes announce. Raises BadImage for what is no image or not supported.

    `head`: at least HEAD_BYTES bytes, or the whole of a shorter file.
    """
    if not head:
        raise BadImage("empty", "the file holds no bytes")
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[128:132] == b"DICM":
        return "DICOM"
    for magic, name in _OTHER_MAGIC:
        if head.startswith(magic):
            raise BadImage("unsupported", f"a {name} file, which is not read")
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        raise BadImage("unsupported", "a HEIF file, which is not read")
    if len(head) < HEAD_BYTES and any(magic.startswith(head) for magic, _ in _MAGIC[:2]):
        raise BadImage("truncated", f"the file ends after {len(head)} bytes, inside the image header")
    raise BadImage("not_an_image", _what_else(head))


def pages(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    """Decode a file's pages one by one; a page that fails comes as (its index, why), and the next one follows.

    Raises BadImage where the file as a whole cannot be opened.
    """
    kind = sniff(data[:HEAD_BYTES])
    if kind == "TIFF":
        yield from _tiff(data, limits)
    elif kind == "DICOM":
        yield from _dicom(data, limits)
    elif kind == "PNG" and _png_bit_depth(data) == 16:
        yield _deep_png(data, limits)
    else:
        yield _with_pillow(data, kind, limits)


def deep_grey(pixels: Pixels, window: tuple[float, float] | None) -> NDArray[np.float32]:
    """A picture of any dtype as grey, (height, width) float32 in 0 to 255.

    Colours are weighted as ITU-R 601 says, alpha is left out. `window` gives the values for 0 and 255 (what lies
    beyond is clipped); None takes the smallest and largest finite value. What is not a number becomes 0, and so does
    a picture of one value only.
    """
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        flat = pixels[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    else:
        flat = (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.float64)
    finite = np.isfinite(flat)
    if not finite.any():
        return np.zeros(flat.shape, np.float32)
    low, high = window or (float(flat[finite].min()), float(flat[finite].max()))
    if high <= low:
        return np.zeros(flat.shape, np.float32)
    scaled = (np.where(finite, flat, low) - low) * (255.0 / (high - low))
    return np.clip(scaled, 0.0, 255.0).astype(np.float32)


def _what_else(head: bytes) -> str:
    if b"\0" not in head:
        try:
            head.decode("utf-8")
            return "a text file"
        except UnicodeDecodeError:
            pass
    return f"its first bytes are those of no known image: {head[:8].hex(' ')}"


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise BadImage("unreadable", f"the picture is {width} x {height} pixels")
    if width * height > limits.max_pixels:
        raise BadImage(
            "too_large",
            f"{width} x {height} pixels, more than max_pixels = {limits.max_pixels} of xqdata.toml",
        )


def _failed(error: BaseException, kind: str, data: bytes) -> BadImage:
    """The reason behind a decoder's exception: they raise anything from SyntaxError to struct.error."""
    if isinstance(error, BadImage):
        return error
    if isinstance(error, MemoryError):
        return BadImage("too_large", "decoding it needs more memory than there is")
    text = " ".join(str(error).split()) or type(error).__name__
    cut = "truncated" in text.lower() or not _complete(kind, data)
    return BadImage("truncated" if cut else "unreadable", f"{kind}: {text}")


def _complete(kind: str, data: bytes) -> bool:
    """False if the file lacks the end that its format demands."""
    if kind == "PNG":
        return b"IEND" in data[-64:]
    if kind == "JPEG":
        return b"\xff\xd9" in data[-4096:]
    if kind == "WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    if kind == "BMP" and len(data) >= 6:
        return len(data) >= int.from_bytes(data[2:6], "little")
    return True


# --- up to 8 bits: Pillow


def _with_pillow(data: bytes, kind: str, limits: Limits) -> Page:
    try:
        with _open(data, kind) as image:
            _check_size(*image.size, limits)
            frames = int(getattr(image, "n_frames", 1))
            image.load()
            tags = _pillow_tags(image) | ({"frames": str(frames)} if frames > 1 else {})
            return _from_pillow(image, kind, 0, _bit_depth(image, kind, data), tags)
    except Exception as error:
        raise _failed(error, kind, data) from error


def _open(data: bytes, kind: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before, Image.MAX_IMAGE_PIXELS = (
            Image.MAX_IMAGE_PIXELS,
            None,
        )  # our own limit is checked before loading
        try:
            return Image.open(io.BytesIO(data), formats=[kind])
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _from_pillow(image: Image.Image, kind: str, index: int, bits: int, tags: dict[str, str]) -> Page:
    grey = np.asarray(image.convert("L"))
    if image.mode == "1":
        pixels: Pixels = grey
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
        return _png_bit_depth(data)
    return 1 if image.mode == "1" else 8


def _pillow_tags(image: Image.Image) -> dict[str, str]:
    named = {ExifTags.TAGS.get(number, ""): value for number, value in image.getexif().items()}
    text = dict(getattr(image, "text", {}))
    found = {k: v for k, v in named.items() if k in _TAGS} | text
    return {str(k): str(v)[:_MAX_TAG] for k, v in found.items() if isinstance(v, str | int | float)}


# --- deeper PNG: imagecodecs


def _png_bit_depth(data: bytes) -> int:
    return data[24] if len(data) > 24 else 8


def _deep_png(data: bytes, limits: Limits) -> Page:
    try:
        width, height = struct.unpack(">II", data[16:24])
        _check_size(width, height, limits)
        if not _complete("PNG", data):
            raise BadImage("truncated", "PNG: the end of the file is missing")
        pixels = np.asarray(imagecodecs.png_decode(data))
        with _open(data, "PNG") as image:
            tags = _pillow_tags(image)
    except Exception as error:
        raise _failed(error, "PNG", data) from error
    return _deep(pixels, "PNG", 0, 16, limits, tags)


def _deep(pixels: Pixels, kind: str, index: int, bits: int, limits: Limits, tags: dict[str, str]) -> Page:
    native = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))
    letter = {1: "I", 2: "LA", 3: "RGB", 4: "RGBA"}.get(1 if native.ndim == 2 else native.shape[2], "multi")
    mode = ("F" if native.dtype.kind == "f" and letter == "I" else letter) + ("" if bits == 32 else f";{bits}")
    return Page(index, native, deep_grey(native, limits.window), kind, mode, bits, tags)


# --- TIFF: tifffile for the structure and for deep pages


def _tiff(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    try:
        file = tifffile.TiffFile(io.BytesIO(data))
        listed = [page for page in file.pages if not getattr(page, "is_reduced", False)]
    except Exception as error:
        raise _failed(error, "TIFF", data) from error
    with file:
        if not listed:
            raise BadImage("truncated", "TIFF: no page can be found")
        for index, page in enumerate(listed):
            try:
                yield _tiff_page(page, index, data, limits)
            except Exception as error:  # noqa: BLE001 - as above
                yield index, _failed(error, "TIFF", data)


def _tiff_page(page: Any, index: int, data: bytes, limits: Limits) -> Page:
    page = page.aspage()
    _check_size(page.imagewidth, page.imagelength * max(1, page.imagedepth), limits)
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + count > len(data):
            raise BadImage("truncated", f"TIFF: page {index} needs {start + count} bytes, the file has {len(data)}")
    tags = {t.name: str(t.value)[:_MAX_TAG] for t in page.tags if t.name in _TAGS}
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if bits <= 8:
        with _open(data, "TIFF") as image:
            image.seek(page.index)
            image.load()
            return _from_pillow(image, "TIFF", index, bits, tags)
    pixels = page.asarray()
    if pixels.dtype.kind not in "uif":
        raise BadImage("unsupported", f"TIFF: values of type {pixels.dtype} are not read")
    if pixels.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim not in (2, 3):
        raise BadImage("unsupported", f"TIFF: a page of shape {pixels.shape} is not read")
    return _deep(pixels, "TIFF", index, bits, limits, tags)


# --- DICOM: pydicom, an extra


def _dicom(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    try:
        import pydicom
    except ImportError:
        raise BadImage("unsupported", "a DICOM file; run: pip install 'xqdata[dicom]'") from None
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        _check_size(int(dataset.Columns), int(dataset.Rows), limits)
        frames = dataset.pixel_array
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        frames = frames if count > 1 else frames[None]
        bits = int(dataset.BitsStored)
        tags = {k: str(dataset.get(k)) for k in ("Manufacturer", "ManufacturerModelName", "Modality") if k in dataset}
    except Exception as error:
        raise _failed(error, "DICOM", data) from error
    for index, pixels in enumerate(frames):
        if pixels.dtype == np.uint8:
            image = Image.fromarray(np.ascontiguousarray(pixels))
            yield _from_pillow(image, "DICOM", index, bits, tags)
        else:
            yield _deep(pixels, "DICOM", index, bits, limits, tags)
