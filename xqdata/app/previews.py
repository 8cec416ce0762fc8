"""Pictures that a browser shows: the file itself where that is one, else one of 8 bits in `.xqdata/previews/`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from xqdata import scans
from xqdata.engine import map_shards
from xqdata.images import BadImage, Page
from xqdata.manifest import Project
from xqdata.scans import Scan

# What browsers decode, and of how many bits. They show deeper PNGs by the upper byte alone, which is often black.
_SHOWN = ("PNG", "JPEG", "WEBP", "BMP")
_SHOWN_BITS = 8
# The darkest and the brightest values that are no spikes: a dead detector element or a label's edge is one.
_ENDS = (0.1, 99.9)
_LONGEST = 2048  # pixels on the longer side
_SHARD = 32
_FEW = 48
_VERSION = 1

COLUMNS = (*scans.COLUMNS, "format", "bit_depth", "pixel_hash")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Shown:
    """`files`: for each row the file that shows it; `unread`: by image_id why there is none."""

    files: list[Path]
    unread: dict[str, str]


def shown(
    project: Project, rows: pa.Table, *, workers: int | None = None, progress: Progress = lambda done, total: None
) -> Shown:
    """A file that a browser shows for each of `rows` of images, made where it has to be and is not there yet.

    A row whose picture cannot be read keeps its own file: the App then says that it cannot be shown. Of files at an
    address all are made: a browser does not reach them.
    """
    found = scans.located(project, rows)
    facts = zip(*(rows[name].to_pylist() for name in ("format", "bit_depth", "pixel_hash")), strict=True)
    folder = project.state / "previews"
    files, waiting = [], {}
    for scan, (kind, bits, pixels) in zip(found, facts, strict=True):
        plain = kind in _SHOWN and bits <= _SHOWN_BITS and scan.page == 0 and scan.layout is None
        if plain and isinstance(scan.file, Path):
            files.append(scan.file)
            continue
        files.append(_place(folder, pixels, scan))
        if not files[-1].exists():
            waiting[files[-1]] = scan
    unread = _make(list(waiting.items()), workers, progress)
    told = {}
    for n, scan in enumerate(found):
        if files[n] in unread:
            told[scan.image_id] = unread[files[n]]
            files[n] = scan.file if isinstance(scan.file, Path) else files[n]
    return Shown(files, told)


def _place(folder: Path, pixels: str, scan: Scan) -> Path:
    rule = xxhash.xxh3_64_hexdigest(f"{_VERSION} {scan.limits.window}".encode())[:8]
    return folder / pixels[:2] / f"{pixels}-{rule}.png"


def _make(work: Sequence[tuple[Path, Scan]], workers: int | None, progress: Progress) -> dict[Path, str]:
    """Make previews; returns why, by place, for those that could not be made."""
    shards = [tuple(work[i : i + _SHARD]) for i in range(0, len(work), _SHARD)]
    unread: dict[Path, str] = {}
    done = 0
    progress(0, len(work))
    with closing(map_shards(_make_shard, shards, workers=1 if len(work) < _FEW else workers, local=True)) as finished:
        for shard, failed in finished:
            unread |= failed
            done += len(shard)
            progress(done, len(work))
    return unread


def _make_shard(shard: tuple[tuple[Path, Scan], ...]) -> dict[Path, str]:
    """In a worker: previews go to their places; why the others could not be made comes back."""
    failed = {}
    for place, scan in shard:
        try:
            picture = preview(scan.read(), scan.limits.window)
        except BadImage as error:
            failed[place] = error.message
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.stem}.{uuid.uuid4().hex}.png")
        part.write_bytes(cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes())
        part.replace(place)
    return failed


def preview(page: Page, window: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """The page in 8 bits, (rows, columns) or (rows, columns, 3) in OpenCV's order of colours.

    Values are stretched from the window that `xqdata.toml` declares, else from the picture's own range without the
    outermost thousandth at either end: one bright speck would leave all else black.
    """
    pixels: NDArray[Any] = page.pixels
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[..., 0]
    if pixels.ndim == 3:
        pixels = pixels[..., 2::-1]
    if pixels.dtype != np.uint8:
        pixels = _stretched(pixels, window)
    factor = _LONGEST / max(pixels.shape[:2])
    if factor < 1:
        size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
        pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(pixels)


def _stretched(pixels: NDArray[Any], window: tuple[float, float] | None) -> NDArray[np.uint8]:
    values = pixels.astype(np.float32)
    told = values[np.isfinite(values)]
    if not told.size:
        return np.zeros(values.shape, np.uint8)
    low, high = window or np.percentile(told, _ENDS)
    if low >= high:  # nearly all of one value
        low, high = told.min(), told.max()
    scaled = (np.nan_to_num(values, nan=low) - low) * (255 / max(float(high - low), 1e-9))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
