"""Scans decoded once: one memory-mapped array at the recipe's size, which every run of those settings shares.

Air is the bright end of every value, whatever the scanner calls it, so that it looks alike everywhere.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from xqdata import manifest, scans
from xqdata.containers.rle import unrle
from xqdata.engine import map_shards
from xqdata.errors import InputError
from xqdata.images import BadImage, Page
from xqdata.manifest import Project
from xqdata.scans import Scan
from xqdata_benchmark.recipe import Input
from xqdata_benchmark.samples import Samples

_VERSION = 3
_SHARD = 32
_FEW = 48
_TOLD = "told.json"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Content:
    """Where things are in a scan. `box`: x, y, width, height of what is not air; `foreground`: of what is no container
    either; `rle`: the foreground's mask. None where it is not known.
    """

    box: tuple[int, ...] | None = None
    foreground: tuple[int, ...] | None = None
    rle: str | None = None


@dataclass(frozen=True)
class Pixels:
    """`values`: (n, size, size, channels) uint8, or uint16 for scans of more than 8 bits, mapped from disk; air is 255
    (65535). `unread`: why, by position; such rows hold air.
    """

    values: NDArray[Any]
    unread: dict[int, str]

    @property
    def white(self) -> int:
        """The value of air."""
        return int(np.iinfo(self.values.dtype).max)


@dataclass(frozen=True)
class _Settings:
    size: int
    crop: str
    masked: bool
    letterbox: bool
    colour: bool
    deep: bool


@dataclass(frozen=True)
class _Shard:
    """Positions in the array, and for each of them the scans of its channels with what is known of their content."""

    at: tuple[int, ...]
    scans: tuple[tuple[tuple[Scan, Content], ...], ...]
    settings: _Settings
    file: Path


def pixels(
    project: Project,
    data: Samples,
    asked: Input,
    *,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
    again: bool = True,
) -> Pixels:
    """The pixels of `data`, from the cache or decoded now. Raises InputError where a raw folder is gone, or the disk is
    full. `again`: a cache that lacks scans which could not be read is made again.
    """
    images = data.material.images
    channels = [data.rows] if data.low is None else [data.rows, data.low]
    taken = np.concatenate(channels)
    facts = images.select(["bit_depth", "pixel_hash"]).take(pa.array(taken))
    deep = max(facts["bit_depth"].to_pylist()) > 8
    colour = data.low is None and asked.channels in ("auto", "colour") and _coloured(data) and not deep
    if asked.channels == "colour" and not colour:
        what = "of more than 8 bits" if deep else "without colour"
        raise InputError(f"scans {what} have no colour to learn from", where="input.channels", hint="leave it at auto")
    masked = asked.background == "air"
    settings = _Settings(asked.size, asked.crop, masked, asked.fit == "letterbox", colour, deep)
    hashes = facts["pixel_hash"].to_pylist()
    depth = 3 if colour else len(channels)
    shape = (len(data), asked.size, asked.size, depth)
    contents = [_contents(project, data, rows, settings) for rows in channels]
    folder = project.state / "pixels" / _key(settings, hashes, images["polarity"].take(pa.array(taken)), contents)
    found = _open(folder, shape)
    if found is None or (again and found.unread):
        _build(project, data, (channels, contents), settings, shape, folder, workers, progress)
        found = _open(folder, shape)
        assert found is not None
    return found


def _coloured(data: Samples) -> bool:
    return bool(max(data.material.images["channels"].take(pa.array(data.rows)).to_pylist()) >= 3)


def _contents(project: Project, data: Samples, rows: NDArray[np.int64], settings: _Settings) -> list[Content]:
    """What the settings make use of."""
    images = data.material.images
    boxes = images["content_box"].take(pa.array(rows)).to_pylist()
    if settings.crop == "none":
        boxes = [None] * len(boxes)
    wanted = settings.crop == "foreground" or settings.masked
    if not wanted or not manifest.exists(project, "masks"):
        return [Content(_box(box)) for box in boxes]
    ids = images["image_id"].take(pa.array(rows))
    columns = ["image_id", *["box"] * (settings.crop == "foreground"), *["rle"] * settings.masked]
    masks = manifest.read(project, "masks", columns, only=ids)
    known = masks.take(pc.index_in(ids, masks["image_id"].combine_chunks()))
    fronts = known["box"].to_pylist() if settings.crop == "foreground" else [None] * len(boxes)
    shapes = known["rle"].to_pylist() if settings.masked else [None] * len(boxes)
    return [Content(_box(b), _box(f), r) for b, f, r in zip(boxes, fronts, shapes, strict=True)]


def _box(found: list[int] | None) -> tuple[int, ...] | None:
    return None if found is None else tuple(found)


def _key(settings: _Settings, hashes: list[str], polarity: pa.ChunkedArray, contents: list[list[Content]]) -> str:
    """What the pixels depend on: settings, decoded pixels, which end is air, and where the content lies."""
    where = [[(c.box, c.foreground, c.rle) for c in channel] for channel in contents]
    spelled = json.dumps([_VERSION, cv2.__version__, str(settings), hashes, polarity.to_pylist(), where])
    return xxhash.xxh3_128_hexdigest(spelled.encode())


def _build(
    project: Project,
    data: Samples,
    read: tuple[list[NDArray[np.int64]], list[list[Content]]],
    settings: _Settings,
    shape: tuple[int, ...],
    folder: Path,
    workers: int | None,
    progress: Progress,
) -> None:
    channels, contents = read
    located = [scans.located(project, data.material.images.take(pa.array(rows))) for rows in channels]
    work = list(zip(*(zip(s, c, strict=True) for s, c in zip(located, contents, strict=True)), strict=True))
    _sweep(folder.parent)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    file = temporary / "pixels.npy"
    try:
        _room(file, shape, settings)
        shards = [
            _Shard(tuple(range(i, min(i + _SHARD, len(work)))), tuple(work[i : i + _SHARD]), settings, file)
            for i in range(0, len(work), _SHARD)
        ]
        unread: dict[int, str] = {}
        done = 0
        progress(0, len(work))
        # Machines that map one file of a network file system overwrite each other's pages.
        count = 1 if len(work) < _FEW else workers
        with closing(map_shards(_fill, shards, workers=count, local=True)) as finished:
            for shard, failed in finished:
                unread |= failed
                done += len(shard.at)
                progress(done, len(work))
        (temporary / _TOLD).write_text(json.dumps(unread), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        try:
            temporary.replace(folder)
        except OSError:
            if not (folder / _TOLD).exists():  # else another run was first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(caches: Path) -> None:
    """Remove what runs that were killed left half made."""
    for left in caches.glob(".*.*"):
        try:
            os.kill(int(left.suffix[1:]), 0)
        except ValueError:
            continue
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # somebody else's process lives


def _room(file: Path, shape: tuple[int, ...], settings: _Settings) -> None:
    """Make the array's file, its room taken at once: a mapped file that the disk cannot hold would kill the process."""
    kind = np.uint16 if settings.deep else np.uint8
    made = np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=shape)
    del made
    with file.open("r+b") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
        elif shutil.disk_usage(file.parent).free < file.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.parent))


def _open(folder: Path, shape: tuple[int, ...]) -> Pixels | None:
    try:
        told = json.loads((folder / _TOLD).read_text(encoding="utf-8"))
        values = np.load(folder / "pixels.npy", mmap_mode="r")
    except (OSError, ValueError):
        return None
    if values.shape != shape:
        return None
    return Pixels(values, {int(at): why for at, why in told.items()})


def _fill(shard: _Shard) -> dict[int, str]:
    """In a worker: decode the scans of a shard to their places; why the others could not be read comes back."""
    values = np.lib.format.open_memmap(shard.file, mode="r+")
    failed = {}
    for at, several in zip(shard.at, shard.scans, strict=True):
        try:
            drawn = [square(scan.read(), scan.polarity, content, shard.settings) for scan, content in several]
            values[at] = np.concatenate(drawn, axis=2)
        except BadImage as error:
            failed[at] = error.message
            values[at] = np.iinfo(values.dtype).max
    return failed


def square(page: Page, polarity: str | None, content: Content, settings: _Settings) -> NDArray[Any]:
    """A scan as a square of the settings' size, (size, size, 1 or 3), air at the bright end.

    A margin stays around what is cut out, so that its outline shows.
    """
    top = 65535.0 if settings.deep else 255.0
    if settings.colour:
        values = _colour(page)
    elif settings.deep:
        values = page.grey.astype(np.float32) * np.float32(257.0)
    else:
        values = page.grey
    if polarity == "air_dark":
        values = (top - values).astype(values.dtype)
    if content.rle is not None:
        away = ~unrle(content.rle)
        values = np.where(away if values.ndim == 2 else away[..., None], values.dtype.type(top), values)
    box = content.foreground or content.box
    if box is not None:
        values = _cut(values, box)
    height, width = values.shape[:2]
    if settings.letterbox:
        factor = min(1.0, settings.size / max(height, width))
        height, width = max(1, round(height * factor)), max(1, round(width * factor))
    else:
        height = width = settings.size
    shrinks = height < values.shape[0] or width < values.shape[1]
    small = cv2.resize(np.ascontiguousarray(values), (width, height),
                       interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)  # fmt: skip
    out = np.full((settings.size, settings.size, 3 if settings.colour else 1), top, np.float32)
    above, left = (settings.size - height) // 2, (settings.size - width) // 2
    out[above : above + height, left : left + width] = small.reshape(height, width, -1)
    return np.rint(np.clip(out, 0, top)).astype(np.uint16 if settings.deep else np.uint8)


def _colour(page: Page) -> NDArray[Any]:
    if page.pixels.ndim == 3 and page.pixels.shape[2] >= 3 and page.pixels.dtype == np.uint8:
        return page.pixels[..., :3]
    return np.repeat(np.clip(page.grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _cut(values: NDArray[Any], box: tuple[int, ...]) -> NDArray[Any]:
    x, y, width, height = box
    margin = round(0.03 * max(width, height))
    top, left = max(0, y - margin), max(0, x - margin)
    return values[top : y + height + margin, left : x + width + margin]
