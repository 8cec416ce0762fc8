"""The measurements that are kept in `.xqdata/measured/`, one file for each finished shard.

With them a later run reads only what is new or changed, and a run that was killed goes on where it stopped. They are a
cache: without them everything is measured again, with the same result.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Collection, Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from xqdata import manifest, schema
from xqdata.ingest.walk import Found
from xqdata.scans import Rules

# Raise it when measured values change for the same file.
MEASURE_VERSION = 4
_DECODERS = ("xqdata", "pillow", "imagecodecs", "tifffile", "opencv-python-headless", "scipy", "numpy", "pydicom")

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
        pa.field("tag", pa.string()),
        pa.field("item", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("message", pa.string()),
        pa.field("tags", pa.string()),
        *(pa.field(name, schema.IMAGES.column(name).type) for name in _FROM_IMAGES),
    ]
)

_OF_SOURCES = ("path", "bytes", "mtime_ns", "tag", "sha256")


def fingerprint(rules: Rules) -> str:
    """The name of these rules and of the decoders' versions: measurements under another one are not reused."""
    versions = {name: _version(name) for name in _DECODERS}
    spelled = json.dumps([MEASURE_VERSION, asdict(rules), versions], sort_keys=True)
    return xxhash.xxh3_64_hexdigest(spelled.encode())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def load(files: Iterable[Path]) -> pa.Table:
    """The measurements in `files`, unsorted; a damaged or foreign file counts as absent."""
    tables = []
    for path in files:
        try:
            with pq.ParquetFile(path) as file:  # not read_table, which loads pandas
                table = file.read()
        except (pa.ArrowException, OSError):
            continue
        if table.schema.equals(MEASURED):
            tables.append(table)
    return pa.concat_tables(tables) if tables else MEASURED.empty_table()


def reusable(measured: pa.Table, files: Iterable[Found], sources: Collection[str]) -> pa.Table:
    """The rows of `measured` whose file is in `files`, unchanged and in the same role, each once."""
    now = {f.path: (f.bytes, f.mtime_ns, f.tag, f.path in sources) for f in files}
    names = ("path", "page", "item", "bytes", "mtime_ns", "tag", "kind", "sha256")
    seen = set()
    keep = []
    for row, values in enumerate(zip(*(measured[n].to_pylist() for n in names), strict=True)):
        path, page, item, size, mtime, tag, kind, sha256 = values
        # Without its bytes' hash the file could not be read at all, which may have passed.
        same = now.get(path) == (size, mtime, tag, kind == "source") and sha256 is not None
        if same and (path, page, item) not in seen and (mtime is not None or tag):
            seen.add((path, page, item))
            keep.append(row)
    return manifest.taken(measured, pa.array(keep, pa.int64()))


def as_sources(measured: pa.Table, sources: Collection[str]) -> pa.Table:
    """`measured` with files that are in `sources`, but were measured as pictures, as sources: of those only the hash of
    the bytes counts, which is known.
    """
    paths = measured["path"]
    wanted = pc.and_(pc.is_in(paths, pa.array(list(sources), pa.string())), pc.not_equal(measured["kind"], "source"))
    turned = measured.filter(pc.and_(wanted, pc.is_valid(measured["sha256"])))
    if not turned.num_rows:
        return measured
    first = {row["path"]: row for row in turned.select(_OF_SOURCES).to_pylist()}
    rows = pa.Table.from_pylist([{**row, "kind": "source"} for row in first.values()], schema=MEASURED)
    return pa.concat_tables([measured.filter(pc.invert(pc.is_in(paths, pa.array(list(first), pa.string())))), rows])


def sweep(store: Path) -> None:
    """Remove what a killed run was writing into `store`. Only the holder of the lock may."""
    for path in store.glob("*.tmp"):
        path.unlink(missing_ok=True)


def compact(store: Path, measured: pa.Table) -> None:
    """Replace the files in `store` by one that holds `measured`, and remove what was measured by other rules."""
    old = [p for p in store.iterdir() if p.suffix in (".parquet", ".tmp")]
    write(measured, store)
    for path in old:
        path.unlink(missing_ok=True)
    for other in store.parent.iterdir():
        if other != store:
            shutil.rmtree(other, ignore_errors=True)


def write(measured: pa.Table, store: Path) -> Path:
    """Write one shard's measurements into `store`, whole or not at all; returns the file's path."""
    store.mkdir(parents=True, exist_ok=True)
    final = store / f"{uuid.uuid4().hex}.parquet"
    temporary = final.with_suffix(".tmp")
    pq.write_table(measured, temporary, compression="zstd")
    temporary.replace(final)
    return final
