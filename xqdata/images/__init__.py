"""A scan's file to pixels, and the figures that are measured on them.

Decoders and measurements are loaded when they are first asked for: a run that opens no file starts without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xqdata.images.decode import pages, raw_page
from xqdata.images.page import BadImage, Limits, Page, RawLayout
from xqdata.images.sniff import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from xqdata.images.deep import deep_grey, luminance
    from xqdata.images.quality import Quality, measure, pixel_hash

_LATE = {"deep_grey": "deep", "luminance": "deep", "Quality": "quality", "measure": "quality", "pixel_hash": "quality"}

__all__ = [
    "HEAD_BYTES",
    "BadImage",
    "Limits",
    "Page",
    "Quality",
    "RawLayout",
    "deep_grey",
    "luminance",
    "measure",
    "pages",
    "pixel_hash",
    "raw_page",
    "sniff",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
