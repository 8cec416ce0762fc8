"""Bytes to pixels: one decode per page, dtype and shape stated, every failure a reason.

Pictures of up to 8 bits per value are decoded to what Pillow gives, so that their grey values are those that ImageHash
sees. Deeper ones go through imagecodecs and tifffile, which keep all bits where Pillow would drop half of them.
Decoders are loaded when the first file of their kind comes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from xqdata.images.page import BadImage, Limits, Page, RawLayout, check_size
from xqdata.images.sniff import HEAD_BYTES, png_bits, sniff


def pages(data: bytes, limits: Limits) -> Iterator[Page | tuple[int, BadImage]]:
    """Decode a file's pages one by one; a page that fails comes as (its index, why), and the next one follows.

    Raises BadImage where the file as a whole cannot be opened.
    """
    kind = sniff(data[:HEAD_BYTES])
    if kind == "TIFF":
        from xqdata.images.tiff import tiff_pages

        yield from tiff_pages(data, limits)
    elif kind == "DICOM":
        from xqdata.images.dicom import dicom_pages

        yield from dicom_pages(data, limits)
    elif kind == "PNG" and png_bits(data[:HEAD_BYTES]) == 16:
        from xqdata.images.deep import deep_png_page

        yield deep_png_page(data, limits)
    else:
        from xqdata.images.plain import plain_page

        yield plain_page(data, kind, limits)


def raw_page(data: bytes, layout: RawLayout, limits: Limits) -> Page:
    """The picture in a file without a header. Raises BadImage where its size is not the one that `layout` gives."""
    from xqdata.images.deep import deep_page
    from xqdata.images.plain import plain_grey

    check_size(layout.width, layout.height, limits)
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
    return deep_page(pixels, "RAW", 0, 8 * dtype.itemsize, limits, {})
