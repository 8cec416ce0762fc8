"""One file to its rows of measurements: what follows from its bytes alone, whatever its name says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

from xqdata import remote
from xqdata.errors import RemoteError
from xqdata.hashing import hashes
from xqdata.images import HEAD_BYTES, BadImage, Page, RawLayout, measure, pages, pixel_hash, raw_page, sniff
from xqdata.ingest.shard import Shard
from xqdata.ingest.walk import Found
from xqdata.remote import Address
from xqdata.scans import Rules


def measure_files(shard: Shard) -> Iterator[dict[str, Any]]:
    """The rows of MEASURED for the files of `shard`. Raises RemoteError, for files at an address only."""
    location = shard.location
    if isinstance(location, Path):
        for found in shard.files:
            yield from measure_file(shard, found)
        return
    where = [location.file(found.path) for found in shard.files]
    sizes = [(address, found.bytes) for address, found in zip(where, shard.files, strict=True)]
    with closing(remote.read_ahead(sizes)) as coming:
        for found, address, data in zip(shard.files, where, coming, strict=True):
            yield from _measure_remote(shard, found, address, data)


def measure_file(shard: Shard, found: Found) -> list[dict[str, Any]]:
    """The rows for one file of this machine: one for each page, or one that says why there is none."""
    base: dict[str, Any] = {"path": found.path, "bytes": found.bytes, "mtime_ns": found.mtime_ns, "tag": found.tag}
    try:
        # Without a buffer, which the whole file would be copied through.
        with open(str(remote.locate(shard.location, found.path)), "rb", buffering=0, opener=_open_plain) as file:
            info = os.fstat(file.fileno())
            base |= {"bytes": info.st_size, "mtime_ns": info.st_mtime_ns}
            if found.path in shard.sources:
                return [base | {"kind": "source", "sha256": _sha256(file)}]
            return _measure_open(file, base, shard.rules)
    except FileNotFoundError:
        return [base | _reject("vanished", "gone before it could be opened")]
    except OSError as error:
        return [base | _reject("unreadable", error.strerror or str(error))]


def _measure_remote(
    shard: Shard, found: Found, address: Address, read: Callable[[], bytes] | None
) -> list[dict[str, Any]]:
    """The rows for one file at `address`; `read` returns its bytes, without it the file is opened.

    Size, time and tag stay those of the listing, which the next listing is compared with: a file that changed since
    then is read again, and what is measured here is of the bytes that came.
    """
    base: dict[str, Any] = {"path": found.path, "bytes": found.bytes, "mtime_ns": found.mtime_ns, "tag": found.tag}
    try:
        with io.BytesIO(read()) if read else remote.opened(address) as file:
            base["bytes"] = _check_whole(file, found, address)
            if found.path in shard.sources:
                return [base | {"kind": "source", "sha256": _sha256(file)}]
            return _measure_open(file, base, shard.rules)
    except FileNotFoundError:
        remote.check_store(address)
        return [base | _reject("vanished", "gone before it could be opened")]


def _check_whole(file: BinaryIO, found: Found, address: Address) -> int:
    """The number of bytes. Raises RemoteError if it is neither what was listed nor what the file now has."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size != found.bytes and size != remote.size(address):
        told = f"{size:,} bytes came of {found.bytes:,}"
        raise RemoteError(told, where=str(address), hint="the command goes on when run again")
    return size


def _measure_open(file: BinaryIO, base: dict[str, Any], rules: Rules) -> list[dict[str, Any]]:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    layout = rules.layout(base["path"])
    try:
        if layout is None or not head:
            sniff(head)
        if base["bytes"] > rules.limits.max_bytes:
            raise BadImage("too_large", f"more than max_bytes = {rules.limits.max_bytes} of xqdata.toml")
    except BadImage as error:
        return [base | _reject(error.reason, error.message) | {"sha256": _sha256(file)}]
    data = file.read()
    base |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        rows = list(_measure_pages(data, rules, layout))
        if not rows:
            raise BadImage("unreadable", "the file holds no picture")
    except BadImage as error:
        return [base | _reject(error.reason, error.message)]
    if not any(row["kind"] == "image" for row in rows):
        rows = [{**rows[0], "item": None}]  # no page at all: the file itself is the reject
    return [base | row for row in rows]


def _measure_pages(data: bytes, rules: Rules, layout: RawLayout | None) -> Iterator[dict[str, Any]]:
    for page in pages(data, rules.limits) if layout is None else [raw_page(data, layout, rules.limits)]:
        if isinstance(page, Page):
            yield _measure_page(page, rules)
        else:
            index, error = page
            yield _reject(error.reason, error.message) | {"item": f"page {index}"}


def _measure_page(page: Page, rules: Rules) -> dict[str, Any]:
    return {
        "kind": "image",
        "page": page.index,
        "pixel_hash": pixel_hash(page),
        "format": page.format,
        "width": page.width,
        "height": page.height,
        "channels": page.channels,
        "bit_depth": page.bit_depth,
        "mode": page.mode,
        "tags": json.dumps(page.tags, ensure_ascii=False, sort_keys=True) if page.tags else None,
        **vars(hashes(page.grey)),
        **vars(measure(page, rules.polarity)),
    }


def _reject(reason: str, message: str) -> dict[str, Any]:
    return {"kind": "reject", "reason": reason, "message": message}


def _sha256(file: BinaryIO) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type] # BinaryIO is told without readinto


def _open_plain(path: str, flags: int) -> int:
    # What was a file when the folder was listed may be a pipe or a link by now: never wait for it, never follow it.
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "no longer a file")
    return handle
