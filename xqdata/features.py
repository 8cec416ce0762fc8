"""A small sketch of every picture: hashes in all orientations and low-resolution pixels, for finding what is alike.

Sketches follow from the pixels alone. They are kept in `.xqdata/sketches/` by pixel hash, so that a later run opens new
pictures only; without them everything is sketched again, with the same result.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

import xqdata
from xqdata import hashing
from xqdata.engine import map_shards
from xqdata.images import BadImage, Page
from xqdata.manifest import Project
from xqdata.scans import Scan, witnesses
from xqdata.schema import ORIENTATIONS
from xqdata.shingles import shingles

SIDE = 64  # pixels on a side of the low-resolution picture, whatever the shape of the scan
_VERSION = 4
_SHARD = 64
_FEW = 48
_FILLED = 12  # of a thumbnail's 255: what is darker than air's noise

SKETCH = pa.schema(
    [
        pa.field("pixel_hash", pa.string()),
        pa.field("phash8", pa.list_(pa.uint64(), 8)),
        pa.field("crop8", pa.list_(pa.uint64(), 8)),
        pa.field("thumb", pa.binary(SIDE * SIDE)),
        pa.field("shingles", pa.list_(pa.uint64())),
    ]
)

Grey = hashing.Grey
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Sketches:
    """Of n pictures, in the order that was asked for. Rows of pictures that could not be opened hold zeros.

    `phash8`, `crop8`: (n, 8) uint64, ImageHash's phash of the picture, and of its content without the air around it, in
    the orders of ORIENTATIONS (column 0 as it is). `thumbs`: (n, SIDE, SIDE) uint8, how dark each place is: 0 in air,
    255 at the picture's darkest. `shingles`: of every picture after the other, those of picture i from `starts`[i] to
    `starts`[i + 1]; see `xqdata.shingles`. `unread`: why, by position.
    """

    phash8: NDArray[np.uint64]
    crop8: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    shingles: NDArray[np.uint64]
    starts: NDArray[np.int64]
    unread: dict[int, str]


def sketches(
    project: Project,
    scans: Sequence[Scan],
    pixel_hashes: Sequence[str],
    *,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Sketches:
    """Sketch every scan; pictures of equal pixels, and those that an earlier run sketched, are not opened again."""
    versions = f"{_VERSION} {xqdata.__version__} {cv2.__version__}"
    store = project.state / "sketches" / xxhash.xxh3_64_hexdigest(versions.encode())
    stored = sorted(store.glob("*.arrow"))
    done = set(_load(stored)["pixel_hash"].to_pylist())
    waiting = {h: s for h, s in zip(pixel_hashes, scans, strict=True) if h not in done}
    work = list(waiting.items())
    shards = [_Shard(tuple(work[i : i + _SHARD]), store) for i in range(0, len(work), _SHARD)]
    count = 0
    unread: dict[str, str] = {}
    progress(0, len(work))
    few = len(work) < _FEW
    sees = [] if few else witnesses(project, scans)
    with closing(map_shards(_sketch_shard, shards, workers=1 if few else workers, sees=sees)) as finished:
        for shard, (file, failed) in finished:
            stored.append(file)  # by name: a network file system may list a folder as it was a while ago
            unread |= failed
            count += len(shard.work)
            progress(count, len(work))
    for other in store.parent.glob("*"):
        if other != store:  # of other versions
            shutil.rmtree(other, ignore_errors=True)
    return _aligned(_load(stored), pixel_hashes, unread)


@dataclass(frozen=True)
class _Shard:
    work: tuple[tuple[str, Scan], ...]
    store: Path


def _sketch_shard(shard: _Shard) -> tuple[Path, dict[str, str]]:
    """In a worker: sketches go to a file of the store; it comes back, and why the others could not be made, by pixel
    hash.
    """
    rows, failed = [], {}
    for pixel_hash, scan in shard.work:
        try:
            rows.append(_row(pixel_hash, scan.read(), scan.polarity))
        except BadImage as error:
            failed[pixel_hash] = error.message  # next time it may be readable
    shard.store.mkdir(parents=True, exist_ok=True)
    final = shard.store / f"{uuid.uuid4().hex}.arrow"
    part = final.with_suffix(".tmp")
    # Not compressed, so that it can be mapped into memory.
    with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, SKETCH) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=SKETCH))
    part.replace(final)
    return final, failed


def _row(pixel_hash: str, page: Page, polarity: str | None) -> dict[str, Any]:
    grey = page.grey
    thumb, box = _thumb(grey, polarity)
    return {
        "pixel_hash": pixel_hash,
        "phash8": orientations(grey),
        "crop8": orientations(_cut(grey, box)),
        "thumb": thumb.tobytes(),
        "shingles": shingles(exact(page)).hashes,
    }


def exact(page: Page) -> NDArray[Any]:
    """The picture as one whole number for each pixel, (rows, columns): its grey values, or its own where deeper."""
    if page.grey.dtype == np.uint8:
        return page.grey
    pixels = page.pixels if page.pixels.ndim == 2 else page.pixels[..., 0]
    return pixels if pixels.dtype.kind == "u" else pixels.view(f"u{pixels.dtype.itemsize}")


def orientations(grey: Grey) -> list[int]:
    """ImageHash's phash of a picture in each of ORIENTATIONS, the first exactly as `hashing` computes it.

    Turning a picture changes signs and axes of its cosine transform, so one transform serves all eight.
    """
    low = hashing.low_frequencies(grey)
    return [int.from_bytes(hashing.above_median(_turned(low, name)), "big") for name in ORIENTATIONS]


def _turned(spectrum: NDArray[np.float64], orientation: str) -> NDArray[np.float64]:
    """The transform of a picture that is mirrored left to right (m), then turned anticlockwise."""
    odd = np.where(np.arange(spectrum.shape[0]) % 2, -1.0, 1.0)
    out = spectrum * odd if orientation[0] == "m" else spectrum
    for _ in range(int(orientation[1:]) // 90):
        # A quarter turn anticlockwise: transpose, then upside down.
        out = out.T * odd[:, None]
    return out


def _thumb(grey: Grey, polarity: str | None) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """The low-resolution picture, and left, top, right, bottom of what is not air.

    Grey values, not their logarithms: what was averaged when a copy was made smaller is averaged here as well.
    """
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    dark = small if polarity == "air_dark" else small.max() - small
    thumb = np.clip(dark * (255.0 / max(float(dark.max()), 1e-6)), 0, 255).astype(np.uint8)
    filled = thumb > _FILLED
    rows, columns = np.flatnonzero(filled.any(1)), np.flatnonzero(filled.any(0))
    if not rows.size:
        return thumb, (0, 0, grey.shape[1], grey.shape[0])
    y, x = grey.shape[0] / SIDE, grey.shape[1] / SIDE
    box = (int(columns[0] * x), int(rows[0] * y), round((columns[-1] + 1) * x), round((rows[-1] + 1) * y))
    return thumb, box


def _cut(grey: Grey, box: tuple[int, int, int, int]) -> Grey:
    left, top, right, bottom = box
    return np.ascontiguousarray(grey[top:bottom, left:right])  # type: ignore[return-value]


def _load(stored: Iterable[Path]) -> pa.Table:
    tables = []
    for path in stored:
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
        except (pa.ArrowException, OSError):
            path.unlink(missing_ok=True)  # damaged: its pictures are sketched again
            continue
        if table.schema.equals(SKETCH):
            tables.append(table)
    return pa.concat_tables(tables) if tables else SKETCH.empty_table()


def _aligned(known: pa.Table, pixel_hashes: Sequence[str], failed: Mapping[str, str]) -> Sketches:
    place = {h: i for i, h in enumerate(known["pixel_hash"].to_pylist())}
    at = [place.get(h) for h in pixel_hashes]
    unread = {i: failed.get(pixel_hashes[i], "not sketched") for i, where in enumerate(at) if where is None}
    n = len(at)
    if not known.num_rows:
        known = pa.Table.from_pylist([{"pixel_hash": "", "phash8": [0] * 8, "crop8": [0] * 8,
                                       "thumb": bytes(SIDE * SIDE), "shingles": []}], schema=SKETCH)  # fmt: skip
    rows = known.take(pa.array([where or 0 for where in at], pa.int64()))
    hashes = [np.asarray(rows[c].combine_chunks().flatten()).reshape(n, 8).copy() for c in ("phash8", "crop8")]
    thumbs = np.frombuffer(b"".join(rows["thumb"].to_pylist()), np.uint8).reshape(n, SIDE, SIDE).copy()
    for i in unread:
        for values in (*hashes, thumbs):
            values[i] = 0
    kept = rows["shingles"].combine_chunks()
    starts = np.append(0, np.cumsum([0 if i in unread else len(s) for i, s in enumerate(kept)])).astype(np.int64)
    told = [s.values.to_numpy() for i, s in enumerate(kept) if i not in unread]
    shared = np.concatenate([np.zeros(0, np.uint64), *told])
    return Sketches(hashes[0], hashes[1], thumbs, shared, starts, unread)
