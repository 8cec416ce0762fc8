"""A scan's file to pixels, and the figures that are measured on them."""

from xqdata.images.decode import HEAD_BYTES, BadImage, Limits, Page, RawLayout, deep_grey, pages, raw_page, sniff
from xqdata.images.quality import Quality, measure, pixel_hash

__all__ = [
    "HEAD_BYTES",
    "BadImage",
    "Limits",
    "Page",
    "Quality",
    "RawLayout",
    "deep_grey",
    "measure",
    "pages",
    "pixel_hash",
    "raw_page",
    "sniff",
]
