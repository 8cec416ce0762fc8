"""Make a published dataset again and compare its pixels."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from xqdata.engine import map_shards
from xqdata.errors import InputError
from xqdata.images import BadImage, Limits, Page, pages, pixel_hash
from xqdata.simulate.run import SETTINGS, TRUTH, Progress, simulate
from xqdata.simulate.settings import from_told

# What the pixels depend on.
LIBRARIES = ("xqdata", "numpy", "numba", "opencv-python-headless", "scipy", "imagecodecs", "pillow", "tifffile")
PIXELS = "pixels.parquet"
_SHARD = 64
_TOLD = 10


@dataclass(frozen=True)
class Check:
    """What a published dataset and the one made here have in common.

    `different`: paths whose pixels differ, or that one of the two lacks. `published`, `here`: what `versions` gives.
    """

    same: int
    different: list[str]
    published: dict[str, str] = field(default_factory=dict)
    here: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For a person to read."""
        if not self.different:
            return [f"all {self.same:,} pictures have the pixels that were published"]
        told = [f"{len(self.different):,} of {self.same + len(self.different):,} pictures differ:"]
        told += [f"  {path}" for path in self.different[:_TOLD]]
        if len(self.different) > _TOLD:
            told.append(f"  and {len(self.different) - _TOLD:,} more")
        other = {n: v for n, v in self.published.items() if self.here.get(n) != v}
        told += [f"published under {n} {v}; here is {self.here.get(n, 'none')}" for n, v in other.items()]
        return told if other else [*told, "the library versions and the processor are those it was published under"]


def versions() -> dict[str, str]:
    """What the pixels depend on here: the versions of LIBRARIES that are installed, and the sort of processor.

    OpenCV blurs with other instructions where there is no AVX2, and some values are rounded to others.
    """
    marks = {name.lstrip("*") for name in cv2.getCPUFeaturesLine().split()}  # with a ? behind what there is not
    found = {"processor": platform.machine() + " with AVX2" * ("AVX2" in marks)}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def publish(raw: Path, reference: Path, *, workers: int | None = None) -> int:
    """Write into `reference` what `check` compares with: the settings, library versions and pixel hashes of the dataset
    in `raw`, and copies of its truth tables. Returns the number of pictures.
    """
    truth = raw.parent / TRUTH
    told = json.loads((truth / SETTINGS).read_text()) | {"libraries": versions()}
    found = pixel_hashes(raw, workers=workers)
    reference.mkdir(parents=True, exist_ok=True)
    (reference / SETTINGS).write_text(json.dumps(told, indent=2) + "\n")
    table = pa.table({"path": sorted(found), "pixel_hash": [found[path] for path in sorted(found)]})
    pq.write_table(table, reference / PIXELS, compression="zstd")
    for path in sorted(truth.glob("*.parquet")):
        shutil.copy(path, reference / path.name)
    return len(found)


def check(reference: Path, *, workers: int | None = None, progress: Progress = lambda done, total: None) -> Check:
    """Simulate again with the settings in `reference` and compare every picture's pixel hash with the published one.

    Raises InputError where `reference` lacks a file.
    """
    for name in (SETTINGS, PIXELS):
        if not (reference / name).is_file():
            raise InputError(f"has no {name}", where=str(reference), hint="name a folder such as manifests/reference")
    told = json.loads((reference / SETTINGS).read_text())
    table = pq.read_table(reference / PIXELS)
    published = dict(zip(table["path"].to_pylist(), table["pixel_hash"].to_pylist(), strict=True))
    with tempfile.TemporaryDirectory(prefix="xqdata-") as folder:
        made = simulate(
            Path(folder) / "raw", from_told(told["settings"]), workers=workers, local=True, progress=progress
        )
        found = pixel_hashes(made.raw, workers=workers)
    different = sorted(p for p in published.keys() | found.keys() if published.get(p) != found.get(p))
    return Check(len(published.keys() & found.keys()) - sum(p in published and p in found for p in different),
                 different, told.get("libraries", {}), versions())  # fmt: skip


def pixel_hashes(raw: Path, *, workers: int | None = None) -> dict[str, str]:
    """The pixel hash of every picture below `raw`, by its path; what does not decode is left out."""
    found = sorted(p for p in raw.rglob("*") if p.is_file())
    shards = [(raw, tuple(found[i : i + _SHARD])) for i in range(0, len(found), _SHARD)]
    return {path: value for _, rows in map_shards(_hash, shards, workers=workers, local=True) for path, value in rows}


def _hash(shard: tuple[Path, tuple[Path, ...]]) -> list[tuple[str, str]]:
    raw, listed = shard
    rows = []
    for path in listed:
        try:
            page = next(iter(pages(path.read_bytes(), Limits())))
        except BadImage:
            continue
        if isinstance(page, Page):
            rows.append((path.relative_to(raw).as_posix(), pixel_hash(page)))
    return rows
