"""TIFF: tifffile for the structure and for deep pages, Pillow for the others."""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from xqdata.images.deep import deep_page
from xqdata.images.page import MAX_TAG, TAGS, BadImage, Limits, Page, Pixels, check_size, failed
from xqdata.images.plain import from_pillow, opened, plain_grey

# It tells of damaged files on stderr, where nobody asked: they become rejects with a message.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_USUAL = {(8, 1), (8, 3), (16, 1), (16, 3), (16, 4)}  # bits per value, values per pixel
# Not zlib, at whose checksums libtiff does not look.
_USUAL_COMPRESSION = {tifffile.COMPRESSION.NONE, tifffile.COMPRESSION.LZW}


def tiff_pages(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    """The pages of a TIFF, or for each that fails why. Raises BadImage where none can be found."""
    try:
        count, whole = _tiff_chain(data)
        file = tifffile.TiffFile(io.BytesIO(data))
    except Exception as error:
        raise failed(error, "TIFF", data) from error
    with file, _open_lazily(data, "TIFF") as plain:
        for index in range(count):
            try:
                page = file.pages[index].aspage()
                if not page.is_reduced:  # a thumbnail of another page
                    yield _tiff_page(page, index, data, limits, plain)
            except Exception as error:  # noqa: BLE001 - it becomes the page's reason
                yield index, failed(error, "TIFF", data)
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
    check_size(page.imagewidth, page.imagelength * max(1, page.imagedepth), limits, page.samplesperpixel)
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + size > len(data):
            raise BadImage("truncated", f"TIFF: page {index} needs {start + size} bytes, the file has {len(data)}")
    tags = {t.name: str(t.value)[:MAX_TAG] for t in page.tags if t.name in TAGS}
    pixels = _by_libtiff(page, index, data)
    if pixels is not None and pixels.dtype == np.uint8:
        return Page(index, pixels, plain_grey(pixels), "TIFF", "L" if pixels.ndim == 2 else "RGB", 8, tags)
    if pixels is not None:
        return deep_page(pixels, "TIFF", index, 16, limits, tags)
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if bits <= 8:
        image = plain()
        image.seek(index)
        image.load()
        return from_pillow(image, "TIFF", index, bits, tags)
    _check_places(page, index)
    pixels = page.asarray()
    if pixels.dtype.kind not in "uif":
        raise BadImage("unsupported", f"TIFF: values of type {pixels.dtype} are not read")
    if pixels.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        pixels = np.moveaxis(pixels, 0, -1)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and pixels.dtype.kind == "u":
        pixels = np.iinfo(pixels.dtype).max - pixels  # as Pillow does for 8 bits: white is the high end
    if pixels.ndim not in (2, 3):
        raise BadImage("unsupported", f"TIFF: a page of shape {pixels.shape} is not read")
    return deep_page(pixels, "TIFF", index, bits, limits, tags)


def _check_places(page: Any, index: int) -> None:
    """Raises BadImage where it is not said where all pieces of the page are: what they hold would be left to chance."""
    found, pieces = min(len(page.dataoffsets), len(page.databytecounts)), math.prod(page.chunked)
    if found != pieces and not page.is_contiguous:
        raise BadImage("unreadable", f"TIFF: page {index} tells the places of {found} of its {pieces} pieces")
    if page.samplesperpixel > 1 and page.planarconfig not in tuple(tifffile.PLANARCONFIG):
        raise BadImage("unreadable", f"TIFF: page {index} does not tell how its values are ordered")


def _by_libtiff(page: Any, index: int, data: bytes) -> Pixels | None:
    """The pixels of a page of the usual kind, without the copies of Pillow and tifffile, or None where they must do it.

    Only cases in which all give the same values; what looks damaged is left to them, who say how.
    """
    if not _is_usual(page):
        return None
    try:
        pixels = imagecodecs.tiff_decode(data, index=index)
    except Exception:
        # tifffile's decoder of LZW can take the whole process with it, where libtiff sees that the data is damaged.
        if page.compression == tifffile.COMPRESSION.LZW and page.bitspersample == 16:
            raise
        return None
    values = page.samplesperpixel
    shape = (page.imagelength, page.imagewidth, *((values,) if values > 1 else ()))
    return pixels if (pixels.shape, pixels.dtype.itemsize * 8) == (shape, page.bitspersample) else None


def _is_usual(page: Any) -> bool:
    try:
        return _has_usual_tags(page)
    except Exception:  # noqa: BLE001 - of damaged tags; it comes again where the page is decoded
        return False


def _has_usual_tags(page: Any) -> bool:
    values = page.samplesperpixel
    return (
        (page.bitspersample, values) in _USUAL
        and page.sampleformat == tifffile.SAMPLEFORMAT.UINT
        and page.photometric == (tifffile.PHOTOMETRIC.MINISBLACK if values == 1 else tifffile.PHOTOMETRIC.RGB)
        and page.compression in _USUAL_COMPRESSION
        and page.predictor in (tifffile.PREDICTOR.NONE, tifffile.PREDICTOR.HORIZONTAL)
        and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        and page.fillorder == 1
        and page.imagedepth == 1
        and len(page.dataoffsets) == len(page.databytecounts) == math.prod(page.chunked)
        and page.tags.valueof("Orientation", 1) == 1
    )


@contextmanager
def _open_lazily(data: bytes, kind: str) -> Iterator[Callable[[], Image.Image]]:
    """Something that gives Pillow's image of `data`, opened when it is first asked for and only once."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(opened(data, kind)))
