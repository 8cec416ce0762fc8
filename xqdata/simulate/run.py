"""Write a simulated export: pictures in the raw folder, the operator's log, and the truth beside it."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import xqdata
from xqdata.engine import map_shards
from xqdata.errors import InputError
from xqdata.simulate import truth
from xqdata.simulate.files import File, files
from xqdata.simulate.machine import HEADER, Picture, log_row, photograph
from xqdata.simulate.pictures import derived, encoded
from xqdata.simulate.plan import Scan, plan
from xqdata.simulate.scene import scene
from xqdata.simulate.settings import Settings

LOG = "log.csv"
SETTINGS = "settings.json"
TRUTH = "truth"
# Neighbours in the diary show the same specimens and containers, which a worker then builds once.
SHARD_SCANS = 12
_PART = ".part"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Result:
    """What was made: files by their kind, and how many of them were there already."""

    raw: Path
    truth: Path
    scans: int
    kinds: Mapping[str, int]
    kept: int


@dataclass(frozen=True)
class _Shard:
    settings: Settings
    raw: Path
    work: tuple[tuple[Scan, tuple[File, ...]], ...]


def simulate(
    raw: Path,
    settings: Settings,
    *,
    workers: int | None = None,
    local: bool = False,
    progress: Progress = lambda done, total: None,
) -> Result:
    """Make the dataset in `raw`, and its truth in the folder `truth` beside it.

    Files that an earlier run of the same settings made are kept. `local`: as of `map_shards`. Raises InputError if
    `raw` or `truth` holds something else.
    """
    beside = raw.parent / TRUTH
    _claim(raw, beside, settings)
    scans = plan(settings)
    made = files(settings, scans)
    _write(raw / LOG, _log(settings, scans, made))
    boxes: list[dict[str, Any]] = []
    kept = done = 0
    progress(0, len(scans))
    shards = _shards(settings, raw, scans, made)
    with closing(map_shards(_make, shards, workers=workers, sees=[beside / SETTINGS], local=local)) as finished:
        for shard, (rows, there) in finished:
            boxes += rows
            kept += there
            done += len(shard.work)
            progress(done, len(scans))
    _write_truth(beside, scans, made, boxes)
    everything = [file for listed in made.values() for file in listed]
    kinds = {kind: sum(f.kind == kind for f in everything) for kind in dict.fromkeys(f.kind for f in everything)}
    return Result(raw, beside, len(scans), kinds, kept)


def _claim(raw: Path, beside: Path, settings: Settings) -> None:
    """Say whose folders these are, and refuse those of others."""
    told = json.dumps({"xqdata": xqdata.__version__, "settings": settings.told()}, indent=2) + "\n"
    mark = beside / SETTINGS
    if mark.exists():
        if json.loads(mark.read_text()).get("settings") != json.loads(told)["settings"]:
            hint = f"remove {beside} and {raw}, or simulate into another folder"
            raise InputError("holds the truth of a dataset with other settings", where=str(beside), hint=hint)
    else:
        for folder in (raw, beside):
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise InputError("is there already and not empty", where=str(folder), hint="name another folder")
    raw.mkdir(parents=True, exist_ok=True)
    _write(mark, told.encode())
    for left in raw.rglob(f".*{_PART}"):  # of a run that was killed
        left.unlink(missing_ok=True)


def _shards(settings: Settings, raw: Path, scans: Sequence[Scan], made: Mapping[int, Sequence[File]]) -> list[_Shard]:
    work = [(scan, tuple(made[scan.number])) for scan in scans]
    return [_Shard(settings, raw, tuple(work[i : i + SHARD_SCANS])) for i in range(0, len(work), SHARD_SCANS)]


def _make(shard: _Shard) -> tuple[list[dict[str, Any]], int]:
    """Write every file of the shard that is not there; the rows of `masks`, and how many files were there."""
    rows: list[dict[str, Any]] = []
    kept = 0
    for scan, wanted in shard.work:
        absent = [file for file in wanted if not (shard.raw / file.path).exists()]
        kept += len(wanted) - len(absent)
        what = scene(shard.settings, scan)
        shots = photograph(shard.settings, scan, what, exposed=bool(absent))
        rows += [_mask_row(file, shots[file.view, file.channel]) for file in wanted if file.kind == "scan"]
        for file in absent:
            pixels = shots[file.view, file.channel].pixels
            if pixels is not None:
                _write(shard.raw / file.path, encoded(file, derived(file, pixels)))
    return rows, kept


def _mask_row(file: File, picture: Picture) -> dict[str, Any]:
    return {"path": file.path, "rle": picture.rle, "box": picture.box, "specimen_boxes": picture.specimen_boxes}


def _log(settings: Settings, scans: Sequence[Scan], made: Mapping[int, Sequence[File]]) -> bytes:
    """The operator's log: a row for each picture that the scanner wrote, none for what was made of it later."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for scan in scans:
        writer.writerows(log_row(settings, scan, file) for file in made[scan.number] if file.kind == "scan")
    return text.getvalue().encode()


def _write_truth(
    beside: Path, scans: Sequence[Scan], made: Mapping[int, Sequence[File]], masks: list[dict[str, Any]]
) -> None:
    rows = [truth.file_row(scan, file) for scan in scans for file in made[scan.number]]
    masks.sort(key=lambda row: str(row["path"]))
    for name, schema, listed in (
        ("files", truth.FILES, rows),
        ("specimens", truth.SPECIMENS, truth.specimen_rows(scans)),
        ("pairs", truth.PAIRS, truth.pair_rows(scans, made)),
        ("masks", truth.MASKS, masks),
    ):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(listed, schema=schema), sink, compression="zstd")
        _write(beside / f"{name}.parquet", sink.getvalue())


def _write(path: Path, content: bytes) -> None:
    """The whole file or none: a killed run leaves no half picture that would pass for a finished one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_PART}")  # a shard may be worked on twice
    part.write_bytes(content)
    part.replace(path)
