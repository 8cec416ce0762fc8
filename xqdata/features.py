"""A small sketch of every picture: hashes in all orientations and low-resolution pixels, for finding what is alike.

Sketches follow from the pixels alone. They are kept in `.xqdata/sketches/` by pixel hash, so that a later run opens new
pictures only; without them everything is sketched again, with the same result.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

import xqdata
from xqdata import hashing
from xqdata.engine import map_shards
from xqdata.errors import XqdataError
from xqdata.images import BadImage, Page
from xqdata.manifest import Project
from xqdata.scans import Scan, witnesses
from xqdata.schema import ORIENTATIONS
from xqdata.shingles import shingles

SIDE = 64  # pixels on a side of the low-resolution picture, whatever the shape of the scan
_VERSION = 5
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
class Part:
    """Sketches of k pictures.

    `at`: (k,) int64, their positions in what was asked for. `phash8`, `crop8`: (k, 8) uint64, ImageHash's phash of the
    picture, and of its content without the air around it, in the orders of ORIENTATIONS (column 0 as it is). `thumbs`:
    (k, SIDE, SIDE) uint8, how dark each place is: 0 in air, 255 at the picture's darkest. `shingles`: uint64, of every
    picture after the other, `counts`, (k,) int64, of each; see `xqdata.shingles`.
    """

    at: NDArray[np.int64]
    phash8: NDArray[np.uint64]
    crop8: NDArray[np.uint64]
    thumbs: NDArray[np.uint8]
    shingles: NDArray[np.uint64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Sketches:
    """Of n pictures, which stay on disk until they are read.

    `files` of the cache; `file` and `row`, (n,) int64: in which of them, and where in it, each picture's sketch is, in
    the order that was asked for; -1 where it could not be opened. `unread`: why, by position.
    """

    files: tuple[Path, ...]
    file: NDArray[np.int64]
    row: NDArray[np.int64]
    unread: dict[int, str]

    def parts(self) -> Iterator[Part]:
        """All sketches but the unread, each once, a file at a time.

        Raises XqdataError where a file is gone since it was found, as when somebody empties the cache.
        """
        order = np.lexsort((self.row, self.file))
        order = order[self.file[order] >= 0]
        for at in np.split(order, np.flatnonzero(np.diff(self.file[order])) + 1):
            if len(at):
                yield _part(self.files[self.file[at[0]]], self.row[at], at)

    @cached_property
    def thumbs(self) -> NDArray[np.uint8]:
        """(n, SIDE, SIDE) uint8, zeros where a picture is unread. Raises as `parts` does."""
        out = np.zeros((len(self.file), SIDE, SIDE), np.uint8)
        for part in self.parts():
            out[part.at] = part.thumbs
        return out


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
    stored = {path: _hashes(path) for path in sorted(store.glob("*.arrow"))}
    asked = pa.array(pixel_hashes, pa.string())
    done = pc.is_in(asked, value_set=_joined(stored)).to_pylist()
    waiting = {h: s for h, s, known in zip(pixel_hashes, scans, done, strict=True) if not known}
    work = list(waiting.items())
    shards = [_Shard(tuple(work[i : i + _SHARD]), store) for i in range(0, len(work), _SHARD)]
    count = 0
    unread: dict[str, str] = {}
    progress(0, len(work))
    few = len(work) < _FEW
    sees = [] if few else witnesses(project, scans)
    with closing(map_shards(_sketch_shard, shards, workers=1 if few else workers, sees=sees)) as finished:
        for shard, (file, failed) in finished:
            stored[file] = _hashes(file)  # by name: a network file system may list a folder as it was a while ago
            unread |= failed
            count += len(shard.work)
            progress(count, len(work))
    for other in store.parent.glob("*"):
        if other != store:  # of other versions
            shutil.rmtree(other, ignore_errors=True)
    return _aligned(stored, asked, unread)


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


def _hashes(path: Path) -> pa.Array:
    """The pixel hashes of a file's sketches, in their order; none of a damaged one: its pictures are sketched again."""
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
            told = table["pixel_hash"].to_pylist() if table.schema.equals(SKETCH) else []
    except (pa.ArrowException, OSError):
        path.unlink(missing_ok=True)
        told = []
    return pa.array(told, pa.string())  # a copy: what is mapped would hold on to every file


def _joined(stored: Mapping[Path, pa.Array]) -> pa.Array:
    return pa.concat_arrays([pa.array([], pa.string()), *stored.values()])


def _aligned(stored: Mapping[Path, pa.Array], asked: pa.Array, failed: Mapping[str, str]) -> Sketches:
    place = pc.index_in(asked, value_set=_joined(stored)).fill_null(-1).to_numpy().astype(np.int64)
    ends = np.cumsum([0, *map(len, stored.values())])
    file = np.where(place < 0, -1, np.searchsorted(ends, place, side="right") - 1)
    unread = {int(i): failed.get(asked[i].as_py(), "not sketched") for i in np.flatnonzero(place < 0)}
    return Sketches(tuple(stored), file, np.where(place < 0, -1, place - ends[file]), unread)


def _part(path: Path, rows: NDArray[np.int64], at: NDArray[np.int64]) -> Part:
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all().take(pa.array(rows)).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        told = f"a sketch is gone since this command found it ({error})"
        raise XqdataError(told, where=str(path), hint="run the command again") from error
    phash8, crop8 = (np.asarray(table[name].combine_chunks().flatten()).reshape(-1, 8) for name in ("phash8", "crop8"))
    thumbs = np.frombuffer(b"".join(table["thumb"].to_pylist()), np.uint8).reshape(-1, SIDE, SIDE)
    shared = table["shingles"].combine_chunks()
    counts = np.asarray(pc.list_value_length(shared)).astype(np.int64)
    return Part(at, phash8, crop8, thumbs, np.asarray(shared.flatten()), counts)
