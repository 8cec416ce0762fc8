"""One file to its rows of measurements: what follows from its bytes alone, whatever its name says."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from io import FileIO
from typing import Any

from xqdata import paths
from xqdata.hashing import hashes
from xqdata.images import HEAD_BYTES, BadImage, Page, RawLayout, measure, pages, pixel_hash, raw_page, sniff
from xqdata.ingest.shard import Shard
from xqdata.ingest.walk import Found
from xqdata.scans import Rules

_CHUNK = 1 << 20


def measure_file(shard: Shard, found: Found) -> list[dict[str, Any]]:
    """The rows of MEASURED for one file: one for each page, or one that says why there is none."""
    base: dict[str, Any] = {"path": found.path, "bytes": found.bytes, "mtime_ns": found.mtime_ns}
    try:
        # Without a buffer, which the whole file would be copied through.
        with open(paths.locate(shard.location, found.path), "rb", buffering=0, opener=_open_plain) as file:
            info = os.fstat(file.fileno())
            base |= {"bytes": info.st_size, "mtime_ns": info.st_mtime_ns}
            if found.path in shard.sources:
                return [base | {"kind": "source", "sha256": _sha256(file)}]
            return _measure_open(file, base, shard.rules)
    except FileNotFoundError:
        return [base | _reject("vanished", "gone before it could be opened")]
    except OSError as error:
        return [base | _reject("unreadable", error.strerror or str(error))]


def _measure_open(file: FileIO, base: dict[str, Any], rules: Rules) -> list[dict[str, Any]]:
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


def _sha256(file: FileIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _open_plain(path: str, flags: int) -> int:
    # What was a file when the folder was listed may be a pipe or a link by now: never wait for it, never follow it.
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "no longer a file")
    return handle
