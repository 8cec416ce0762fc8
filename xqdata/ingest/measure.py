"""One shard of files to one table of measurements: what follows from a file's bytes alone, whatever its name says.

Measurements are kept in `.xqdata/measured/`, one file for each finished shard, so that a later run reads only what is
new or changed, and a run that was killed goes on where it stopped. They are a cache: without them everything is
measured again, with the same result.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from xqdata import paths, schema
from xqdata.hashing import hashes
from xqdata.images import HEAD_BYTES, BadImage, Limits, Page, RawLayout, measure, pages, pixel_hash, raw_page, sniff
from xqdata.ingest.walk import Found

# Raise it when measured values change for the same file.
MEASURE_VERSION = 2
_DECODERS = ("xqdata", "pillow", "imagecodecs", "tifffile", "opencv-python-headless", "scipy", "numpy", "pydicom")
_CHUNK = 1 << 20

_FROM_IMAGES = (
    *(
        "page",
        "sha256",
        "pixel_hash",
        "bytes",
        "format",
        "width",
        "height",
        "channels",
        "bit_depth",
        "mode",
        "polarity",
    ),
    *("phash", "dhash", "phash256"),
    *("mean", "std", "air_fraction", "opaque_fraction", "sharpness", "content_box"),
)
MEASURED = pa.schema(
    [
        pa.field("path", pa.string()),
        pa.field("kind", pa.string()),  # image, reject, source
        pa.field("mtime_ns", pa.int64()),
        pa.field("item", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("message", pa.string()),
        pa.field("tags", pa.string()),
        *(pa.field(name, schema.IMAGES.column(name).type) for name in _FROM_IMAGES),
    ]
)


@dataclass(frozen=True)
class Rules:
    """What measuring depends on besides the file."""

    limits: Limits = field(default_factory=Limits)
    polarity: str | None = None
    raw: tuple[tuple[str, RawLayout], ...] = ()  # glob pattern on name or path, layout

    def layout(self, path: str) -> RawLayout | None:
        """How the pixels of the file called `path` lie, where the config says that it has no header."""
        name = path.rsplit("/", 1)[-1]
        return next((lay for glob, lay in self.raw if fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(path, glob)), None)

    def fingerprint(self) -> str:
        """The name of these rules and of the decoders' versions: measurements under another one are not reused."""
        versions = {name: _version(name) for name in _DECODERS}
        spelled = json.dumps([MEASURE_VERSION, asdict(self), versions], sort_keys=True)
        return xxhash.xxh3_64_hexdigest(spelled.encode())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


@dataclass(frozen=True)
class Shard:
    """Files of one root for one worker. `sources`: those that are read only for their sha256. `store`: where the
    result is written.
    """

    location: Path
    files: tuple[Found, ...]
    sources: frozenset[str]
    rules: Rules
    store: Path


def measure_shard(shard: Shard) -> Path:
    """Measure the files of `shard` and write the table; returns its path."""
    rows = [row for found in shard.files for row in measure_file(shard, found)]
    return _write(pa.Table.from_pylist(rows, schema=MEASURED), shard.store)


def measure_file(shard: Shard, found: Found) -> list[dict[str, Any]]:
    """The rows of MEASURED for one file: one for each page, or one that says why there is none."""
    base: dict[str, Any] = {"path": found.path, "bytes": found.bytes, "mtime_ns": found.mtime_ns}
    try:
        with open(paths.locate(shard.location, found.path), "rb", opener=_open_plain) as file:
            info = os.fstat(file.fileno())
            base |= {"bytes": info.st_size, "mtime_ns": info.st_mtime_ns}
            if found.path in shard.sources:
                return [base | {"kind": "source", "sha256": _sha256(file)}]
            return _measure_open(file, base, shard.rules)
    except FileNotFoundError:
        return [base | _reject("vanished", "gone before it could be opened")]
    except OSError as error:
        return [base | _reject("unreadable", error.strerror or str(error))]


def load(files: Iterable[Path]) -> pa.Table:
    """The measurements in `files`, unsorted; a damaged or foreign file counts as absent."""
    tables = []
    for path in files:
        try:
            table = pq.read_table(path, partitioning=None)
        except (pa.ArrowException, OSError):
            continue
        if table.schema.equals(MEASURED):
            tables.append(table)
    return pa.concat_tables(tables) if tables else MEASURED.empty_table()


def reusable(measured: pa.Table, files: Iterable[Found], sources: Collection[str]) -> pa.Table:
    """The rows of `measured` whose file is in `files`, unchanged and in the same role, each once."""
    now = {f.path: (f.bytes, f.mtime_ns, f.path in sources) for f in files}
    names = ("path", "page", "item", "bytes", "mtime_ns", "kind", "sha256")
    seen = set()
    keep = []
    for row, values in enumerate(zip(*(measured[n].to_pylist() for n in names), strict=True)):
        path, page, item, size, mtime, kind, sha256 = values
        # Without its bytes' hash the file could not be read at all, which may have passed.
        if now.get(path) == (size, mtime, kind == "source") and sha256 is not None and (path, page, item) not in seen:
            seen.add((path, page, item))
            keep.append(row)
    return measured.take(pa.array(keep, pa.int64()))


def sweep(store: Path) -> None:
    """Remove what a killed run was writing into `store`. Only the holder of the lock may."""
    for path in store.glob("*.tmp"):
        path.unlink(missing_ok=True)


def compact(store: Path, measured: pa.Table) -> None:
    """Replace the files in `store` by one that holds `measured`, and remove what was measured by other rules."""
    old = [p for p in store.iterdir() if p.suffix in (".parquet", ".tmp")]
    _write(measured, store)
    for path in old:
        path.unlink(missing_ok=True)
    for other in store.parent.iterdir():
        if other != store:
            shutil.rmtree(other, ignore_errors=True)


def _write(measured: pa.Table, store: Path) -> Path:
    store.mkdir(parents=True, exist_ok=True)
    final = store / f"{uuid.uuid4().hex}.parquet"
    temporary = final.with_suffix(".tmp")
    pq.write_table(measured, temporary, compression="zstd")
    temporary.replace(final)
    return final


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
        **asdict(hashes(page.grey)),
        **asdict(measure(page, rules.polarity)),
    }


def _reject(reason: str, message: str) -> dict[str, Any]:
    return {"kind": "reject", "reason": reason, "message": message}


def _sha256(file: BinaryIO) -> str:
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
