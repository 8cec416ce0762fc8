"""Raw folders at an address, such as `s3://bucket/prefix`, through fsspec. Nothing is imported until one is used."""

from xqdata.remote.address import Address, Location, is_address, locate, location, stands, within
from xqdata.remote.copies import Copies
from xqdata.remote.store import (
    THREADS,
    Stored,
    check_folder,
    check_store,
    heads,
    listed,
    opened,
    pages,
    read,
    read_ahead,
    size,
)

__all__ = [
    "THREADS",
    "Address",
    "Copies",
    "Location",
    "Stored",
    "check_folder",
    "check_store",
    "heads",
    "is_address",
    "listed",
    "locate",
    "location",
    "opened",
    "pages",
    "read",
    "read_ahead",
    "size",
    "stands",
    "within",
]
