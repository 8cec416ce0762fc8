"""Bytes to pixels: one decode per page, dtype and shape stated, every failure a reason.

What a file is, its first bytes say; its name does not count. Pictures of up to 8 bits per value go through Pillow, so
that their grey values are those that ImageHash sees. Deeper ones go through imagecodecs and tifffile, which keep all
bits where Pillow would drop half of them.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from xqdata import kernels
from xqdata.hashing import Grey

Pixels = NDArray[Any]

# It tells of damaged files on stderr, where nobody asked: they become rejects with a message.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

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
# Of DICOM and DICOS: what was scanned how, by which machine, when. Names and numbers of passengers stay in the file;
# in DICOS the patient's number is that of the bag.
_DICOM_TAGS = (
    *("DICOSVersion", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "Modality"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "InstitutionName", "OperatorsName"),
    *("KVP", "XRayTubeCurrent", "XRayTubeCurrentInmA", "TableSpeed", "ViewPosition", "PhotometricInterpretation"),
    *("HighEnergyDetectors", "LowEnergyDetectors", "OOIType", "ScanType"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDate", "StudyTime"),
)
_DICOS_CLASSES = "1.2.840.10008.5.1.4.1.1.501."
_MAX_TAG = 1000
_LATE_CHUNKS = 1 << 16
# Pillow's mode: the axes behind height and width.
_QUICK_MODES: dict[str, tuple[int, ...]] = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}


@dataclass(frozen=True)
class RawLayout:
    """How the pixels lie in a file without a header: `dtype` as NumPy writes it, such as `<u2` or `>u2`."""

    width: int
    height: int
    dtype: str
    skip: int = 0


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
        super().__init__(reason, message)
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
        if head.startswith(magic) and (name != "BMP" or _is_bmp(head)):
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
        yield _plain(data, kind, limits)


def raw_page(data: bytes, layout: RawLayout, limits: Limits) -> Page:
    """The picture in a file without a header. Raises BadImage where its size is not the one that `layout` gives."""
    _check_size(layout.width, layout.height, limits)
    dtype = np.dtype(layout.dtype)
    expected = layout.skip + layout.width * layout.height * dtype.itemsize
    if len(data) != expected:
        shape = f"{layout.width} x {layout.height} values of {dtype.itemsize} bytes"
        skipped = f" behind {layout.skip}" if layout.skip else ""
        raise BadImage(
            "truncated" if len(data) < expected else "unsupported",
            f"{len(data)} bytes, where xqdata.toml says {shape}{skipped}: {expected} bytes",
        )
    pixels = np.frombuffer(data, dtype, offset=layout.skip).reshape(layout.height, layout.width)
    if dtype == np.uint8:
        return Page(0, pixels, plain_grey(pixels), "RAW", "L", 8)
    return _deep(pixels, "RAW", 0, 8 * dtype.itemsize, limits, {})


def deep_grey(pixels: Pixels, window: tuple[float, float] | None) -> NDArray[np.float32]:
    """A picture of any dtype as grey, (height, width) float32 in 0 to 255.

    `window` gives the values for 0 and 255 (what lies
    beyond is clipped); None takes the smallest and largest finite value. What is not a number becomes 0, and so does
    a picture of one value only.
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
    scaled: NDArray[np.float32] = np.subtract(flat, low, dtype=np.float32 if flat.dtype == np.uint16 else np.float64)
    scaled *= 255.0 / (high - low)
    return np.clip(scaled, 0.0, 255.0, out=scaled).astype(np.float32, copy=False)


def _is_bmp(head: bytes) -> bool:
    # Two letters are no magic number: many a text begins with them. The size of the second header tells.
    return len(head) < 18 or int.from_bytes(head[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124)


def luminance(pixels: Pixels) -> NDArray[np.float64]:
    """Pixels of any dtype as one value each, (height, width): colours weighted as ITU-R 601 says, alpha left out."""
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        weighted: NDArray[np.float64] = pixels[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        return weighted
    return (pixels if pixels.ndim == 2 else pixels[..., 0]).astype(np.float64)


def _what_else(head: bytes) -> str:
    if b"\0" not in head:
        try:
            head.decode("utf-8")
            return "a text file"
        except UnicodeDecodeError:
            pass
    if head.startswith(b"PK\x03\x04"):
        return "a ZIP archive or an Office document"
    return f"its first bytes are those of no known image: {head[:8].hex(' ')}"


def _check_size(width: int, height: int, limits: Limits, channels: int = 1) -> None:
    if width < 1 or height < 1:
        raise BadImage("unreadable", f"the picture is {width} x {height} pixels")
    # Four values make a pixel of the usual kind; a file of few pixels with thousands of values each is as large.
    if width * height * max(1, channels // 4) > limits.max_pixels:
        of = f" of {channels} values" if channels > 4 else ""
        told = f"{width} x {height} pixels{of}, more than max_pixels = {limits.max_pixels} of xqdata.toml"
        raise BadImage("too_large", told)


def _failed(error: BaseException, kind: str, data: bytes) -> BadImage:
    """The reason behind a decoder's exception: they raise anything from SyntaxError to struct.error."""
    if isinstance(error, BadImage):
        return error
    if isinstance(error, MemoryError):
        return BadImage("too_large", "decoding it needs more memory than there is")
    if isinstance(error, UnidentifiedImageError):  # its own message tells where in memory the file lay
        return BadImage("unreadable" if _complete(kind, data) else "truncated", f"{kind}: the header is damaged")
    text = " ".join(str(error).split()) or type(error).__name__
    cut = "truncated" in text.lower() or not _complete(kind, data)
    return BadImage("truncated" if cut else "unreadable", f"{kind}: {text}")


def _complete(kind: str, data: bytes) -> bool:
    """False if the file lacks the end that its format demands."""
    if kind == "PNG":
        return data.rfind(b"IEND") > data.rfind(b"IDAT")  # programs append their own data behind the end
    if kind == "JPEG":
        # The end behind the last beginning of pixels: further up it may be the end of a thumbnail.
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if kind == "WEBP":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    if kind == "BMP" and len(data) >= 6:
        return len(data) >= int.from_bytes(data[2:6], "little")
    return True


# --- up to 8 bits: what Pillow gives, by a faster decoder where it gives the same


def _plain(data: bytes, kind: str, limits: Limits) -> Page:
    try:
        with _open(data, kind) as image:
            _check_size(*image.size, limits)
            frames = int(getattr(image, "n_frames", 1))
            tags = _pillow_tags(image, data) | ({"frames": str(frames)} if frames > 1 else {})
            bits = _bit_depth(image, kind, data)
            pixels = _quick(data, kind, image, bits)
            if pixels is not None:
                return Page(0, pixels, plain_grey(pixels), kind, image.mode, bits, tags)
            image.load()
            return _from_pillow(image, kind, 0, bits, tags)
    except Exception as error:
        raise _failed(error, kind, data) from error


def _quick(data: bytes, kind: str, image: Image.Image, bits: int) -> Pixels | None:
    """The pixels by imagecodecs, which hands them over without Pillow's two copies, or None where Pillow must do it.

    Only cases in which both give the same bytes; whatever looks damaged is left to Pillow, which says how.
    """
    if bits != 8 or image.mode not in _QUICK_MODES or "transparency" in image.info or not _complete(kind, data):
        return None
    decode = {"JPEG": imagecodecs.jpeg8_decode, "PNG": imagecodecs.spng_decode}.get(kind)
    if decode is None:
        return None
    try:
        pixels = np.asarray(decode(data))
    except Exception:  # noqa: BLE001 - as below: Pillow's error is the one that is told
        return None
    expected = (image.height, image.width, *_QUICK_MODES[image.mode])
    return pixels if pixels.dtype == np.uint8 and pixels.shape == expected else None


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
def _open(data: bytes, kind: str) -> Iterator[Image.Image]:
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


@contextmanager
def _open_lazily(data: bytes, kind: str) -> Iterator[Callable[[], Image.Image]]:
    """Something that gives Pillow's image of `data`, opened when it is first asked for and only once."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(_open(data, kind)))


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


def _pillow_tags(image: Image.Image, data: bytes) -> dict[str, str]:
    # Pillow decodes a whole PNG to look for text behind the pixels: only where there is some.
    late = image.format == "PNG" and any(
        chunk in data[-_LATE_CHUNKS:] for chunk in (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
    )
    exif = image.getexif() if late or image.format != "PNG" or "exif" in image.info else {}
    named = {ExifTags.TAGS.get(number, ""): value for number, value in exif.items()}
    text = {} if image.format != "PNG" else image.text if late else image.info  # type: ignore[attr-defined]
    found = {k: v for k, v in named.items() if k in _TAGS} | {k: v for k, v in text.items() if isinstance(v, str)}
    return {str(k): str(v)[:_MAX_TAG] for k, v in found.items() if isinstance(v, str | int | float)}


# --- deeper PNG: imagecodecs


def _png_bit_depth(data: bytes) -> int:
    return data[24] if len(data) > 24 and data[12:16] == b"IHDR" else 8


def _deep_png(data: bytes, limits: Limits) -> Page:
    try:
        width, height = struct.unpack(">II", data[16:24])
        _check_size(width, height, limits)
        if not _complete("PNG", data):
            raise BadImage("truncated", "PNG: the end of the file is missing")
        pixels = np.asarray(imagecodecs.png_decode(data))
        with _open(data, "PNG") as image:
            tags = _pillow_tags(image, data)
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
        count, whole = _tiff_chain(data)
        file = tifffile.TiffFile(io.BytesIO(data))
    except Exception as error:
        raise _failed(error, "TIFF", data) from error
    with file, _open_lazily(data, "TIFF") as plain:
        for index in range(count):
            try:
                page = file.pages[index].aspage()
                if not page.is_reduced:  # a thumbnail of another page
                    yield _tiff_page(page, index, data, limits, plain)
            except Exception as error:  # noqa: BLE001 - as above
                yield index, _failed(error, "TIFF", data)
    if not whole:
        yield count, BadImage("truncated", f"TIFF: the file ends before the tags of page {count}")


def _tiff_chain(data: bytes) -> tuple[int, bool]:
    """How many pages the chain of a TIFF reaches inside the file, and whether the chain ends rather than is cut off.

    Chains that come back on themselves end where they do. Source: TIFF 6.0, section 2; BigTIFF.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    offset_format, count_format, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    (offset,) = struct.unpack_from(order + offset_format, data, 8 if big else 4)
    seen: set[int] = set()
    while offset and offset not in seen:
        try:
            (entries,) = struct.unpack_from(order + count_format, data, offset)
            after = offset + struct.calcsize(order + count_format) + entries * entry
            (following,) = struct.unpack_from(order + offset_format, data, after)
        except struct.error:
            return len(seen), False
        seen.add(offset)
        offset = following
    return len(seen), True


def _tiff_page(page: Any, index: int, data: bytes, limits: Limits, plain: Callable[[], Image.Image]) -> Page:
    _check_size(page.imagewidth, page.imagelength * max(1, page.imagedepth), limits, page.samplesperpixel)
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + size > len(data):
            raise BadImage("truncated", f"TIFF: page {index} needs {start + size} bytes, the file has {len(data)}")
    tags = {t.name: str(t.value)[:_MAX_TAG] for t in page.tags if t.name in _TAGS}
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if bits <= 8:
        image = plain()
        image.seek(index)
        image.load()
        return _from_pillow(image, "TIFF", index, bits, tags)
    pixels = page.asarray()
    if pixels.dtype.kind not in "uif":
        raise BadImage("unsupported", f"TIFF: values of type {pixels.dtype} are not read")
    if pixels.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        pixels = np.moveaxis(pixels, 0, -1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels  # as Pillow does for 8 bits: white is the high end
    if pixels.ndim not in (2, 3):
        raise BadImage("unsupported", f"TIFF: a page of shape {pixels.shape} is not read")
    return _deep(pixels, "TIFF", index, bits, limits, tags)


# --- DICOM: pydicom, an extra


def _dicom(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    try:
        import pydicom
        from pydicom.pixels.utils import iter_pixels
    except ImportError:
        raise BadImage("unsupported", "a DICOM file; run: pip install 'xqdata[dicom]'") from None
    try:
        with warnings.catch_warnings():  # of odd values in tags; they are told where they fit no column
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(io.BytesIO(data))
            _check_size(int(dataset.Columns), int(dataset.Rows), limits)
            bits = int(dataset.BitsStored)
            tags = _dicom_tags(dataset)
        frames = iter_pixels(dataset)
    except Exception as error:
        raise _failed(error, "DICOM", data) from error
    yield from _dicom_frames(frames, bits, limits, tags, data)


def _dicom_frames(
    frames: Iterator[Pixels], bits: int, limits: Limits, tags: dict[str, str], data: bytes
) -> Iterator[Page | tuple[int, BadImage]]:
    index = 0
    while True:
        try:
            pixels = next(frames)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - as above
            yield index, _failed(error, "DICOM", data)
            return  # what follows a broken frame cannot be found
        if pixels.dtype == np.uint8:
            image = Image.fromarray(np.ascontiguousarray(pixels))
            yield _from_pillow(image, "DICOM", index, bits, tags)
        else:
            yield _deep(pixels, "DICOM", index, bits, limits, tags)
        index += 1


def _dicom_tags(dataset: Any) -> dict[str, str]:
    dicos = "DICOSVersion" in dataset or str(dataset.get("SOPClassUID", "")).startswith(_DICOS_CLASSES)
    wanted = (*_DICOM_TAGS, *(("PatientID",) if dicos else ()))
    return {k: str(dataset.get(k))[:_MAX_TAG] for k in wanted if dataset.get(k) not in (None, "")}
