"""What `compare.py` measures on: pictures, and what is true of every two of them.

A simulated export brings its truth along. Of real scans nothing is known but that they are different ones, so copies
are made of each. To both, pictures are added that look like copies and are none: one item more, or one less.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from copies import copies, edits
from numpy.typing import NDArray
from PIL import Image

from xqdata import manifest, scans, taxonomy
from xqdata.config import Config
from xqdata.images import Limits, Page, pages
from xqdata.ingest import Options, ingest, resolve
from xqdata.manifest import Project
from xqdata.simulate.run import LOG, TRUTH, simulate
from xqdata.simulate.settings import COPIES, Rates, Settings

SUFFIXES = (".png", ".jpg", ".tif", ".bmp")
# What two pictures are to each other, as the tables have it. `several`: more than one change, as from a turned copy to
# a resized one. `unjudged`: neither right nor wrong, such as an edited scan and the rescan of that scan.
COPY = ("bytes", "pixels", "re-encoded", "resized", "trimmed", "turned", "mirrored", "several")
TIE = ("rescan", "crop", "same-scan")
KINDS = (*COPY, *TIE, "unjudged")
_CHANGES = {"byte_copies": "bytes", "pixel_copies": "pixels", "reencoded": "re-encoded"}
# Round things that look the same in many poses.
ROUND = {"apple", "mandarin", "egg", "walnut", "potato"}
# Of each real scan one copy of each sort, of these in turn.
_SORTS = {
    "re-encoded": ("16 to 8 bits", "JPEG 75", "JPEG 85", "JPEG 95"),
    "resized": ("resized 0.4", "resized 0.6", "resized 0.85", "resized 1.5", "resized, JPEG 85"),
    "trimmed": ("trimmed 2%", "trimmed 4.5%, JPEG 85"),
    "turned": ("turned 90", "turned 180", "turned 270"),
    "mirrored": ("mirrored", "mirrored, turned"),
    "several": ("trimmed, turned, resized, JPEG 90",),
}
_EDITED = 8  # every so many scans, one is edited
_MARK = "_edited"


@dataclass(frozen=True)
class Picture:
    """One file. `root`: the scan that it was made from, itself where it is one. `changes`: what was done to it.

    `kind`: `scan`, `copy`, `crop` or `edit`. `packing`: what went through the tunnel together, maybe twice.
    """

    path: str
    root: str
    kind: str
    changes: frozenset[str] = frozenset()
    packing: str = ""
    objects: frozenset[str] = frozenset()
    specimens: frozenset[str] = frozenset()
    scan_type: str = ""
    container: str | None = None
    channel: str = "colour"


@dataclass(frozen=True)
class Case:
    """An ingested project with its truth.

    `pictures`: row by row of `ids` and `files`. `keys`: a * n + b of every pair a < b that has a relation, ascending;
    `kinds`: which, an index of KINDS.
    """

    name: str
    project: Project
    pictures: list[Picture]
    ids: list[str]
    files: list[Path]
    keys: NDArray[np.int64]
    kinds: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.pictures)

    def kind_of(self, keys: NDArray[np.int64]) -> NDArray[np.int8]:
        """The relation of each pair, -1 where there is none."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int8)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.kinds[at], -1).astype(np.int8)


def case(name: str, project: Project, pictures: Sequence[Picture], pairs: dict[frozenset[str], str]) -> Case:
    """The case of an ingested project. `pairs`: relations by the two paths; what is not readable is left out."""
    table = manifest.read(project, "images")
    located = {s.image_id: s.file for s in scans.standing(project)}
    rows = table.select(["image_id", "path"]).to_pylist()
    ids = {row["path"]: row["image_id"] for row in rows if row["image_id"] in located}
    known = sorted((p for p in pictures if p.path in ids), key=lambda p: p.path)
    place = {p.path: i for i, p in enumerate(known)}
    told = []
    for ends, kind in pairs.items():
        a, b = sorted(place.get(path, -1) for path in ends)
        if a >= 0:
            told.append((a * len(known) + b, KINDS.index(kind)))
    told.sort()
    keys = np.array([key for key, _ in told], np.int64)
    kinds = np.array([kind for _, kind in told], np.int8)
    own = [ids[p.path] for p in known]
    return Case(name, project, known, own, [located[i] for i in own], keys, kinds)


def ingested(folder: Path, raw: Path, workers: int) -> Project:
    """A project in `folder` with the export `raw`; as it stands where it was ingested before."""
    project = Project(folder)
    if not manifest.exists(project, "images"):
        folder.mkdir(parents=True, exist_ok=True)
        ingest(project, resolve([str(raw)], {}), Config(), taxonomy.load(None), Options(workers=workers))
    return project


# --- simulated exports


def simulated(folder: Path, settings: Settings, workers: int) -> Case:
    """An export of `settings` with edited scans added."""
    raw, given = folder / "raw", folder / "given"
    if not (folder / TRUTH / "pairs.parquet").exists():
        simulate(raw, settings, workers=workers)
    files = pq.read_table(folder / TRUTH / "files.parquet").to_pylist()
    if not given.exists():
        part = folder / "part"
        shutil.rmtree(part, ignore_errors=True)
        for path in [LOG, *(row["path"] for row in files)]:
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(raw / path, part / path)
        _edit(part, [row for row in files if row["kind"] == "scan"], settings.seed)
        part.rename(given)
    project = ingested(folder / "project", given, workers)
    return of_truth(str(settings.seed), project, folder / TRUTH, sorted(_edited(given)))


def _edit(raw: Path, rows: Sequence[dict[str, Any]], seed: int) -> None:
    """Add edited scans to the export `raw`, a different edit each time."""
    rng = np.random.default_rng(seed)
    colour = [row["path"] for row in rows if row["channel"] == "colour" and not row["overlay"]]
    for number, i in enumerate(rng.permutation(len(colour))[: len(colour) // _EDITED]):
        source = raw / colour[i]
        made = list(edits(_pixels(source), rng))
        chosen = made[number % len(made)]
        what = chosen.what.replace(" ", "-").replace(",", "").replace("%", "")
        Image.fromarray(chosen.pixels).save(source.with_name(f"{source.stem}{_MARK}_{what}.png"))


def _edited(raw: Path) -> Iterator[str]:
    for path in raw.rglob(f"*{_MARK}_*"):
        yield path.relative_to(raw).as_posix()


def of_truth(name: str, project: Project, truth: Path, edited: Sequence[str] = ()) -> Case:
    """The case of a project that was ingested from a simulated export."""
    files = {row["path"]: row for row in pq.read_table(truth / "files.parquet").to_pylist()}
    pictures = [_simulated(files, row) for row in files.values()]
    pairs = {
        frozenset((row["path_a"], row["path_b"])): _relation(files, row)
        for row in pq.read_table(truth / "pairs.parquet").to_pylist()
    }
    by_stem = {path.rsplit(".", 1)[0]: path for path, row in files.items() if row["kind"] == "scan"}
    packings: dict[str, list[Picture]] = {}
    for picture in pictures:
        packings.setdefault(picture.packing, []).append(picture)
    # Two passes of one bag through different eyes are one bag, though no truth names them.
    for together in packings.values():
        for a, b in combinations(together, 2):
            pairs.setdefault(frozenset((a.path, b.path)), "unjudged")
    for path in edited:
        source = by_stem[path.split(_MARK)[0]]
        row = files[source]
        edit = Picture(path, source, "edit", frozenset({"edited"}), row["bag"])
        pictures.append(edit)
        # Nothing is said of an edited scan and other passes, windows or trimmed copies of the same bag.
        for other in packings[row["bag"]]:
            if other.root != source or other.kind == "crop":
                pairs[frozenset((path, other.path))] = "unjudged"
    return case(name, project, pictures, pairs)


def _simulated(files: dict[str, dict[str, Any]], row: dict[str, Any]) -> Picture:
    kind = row["kind"] if row["kind"] in ("scan", "crop") else "copy"
    return Picture(
        row["path"],
        _root(files, row) if kind == "copy" else row["path"],
        kind,
        frozenset() if kind == "scan" else frozenset({_CHANGES.get(row["kind"], row["kind"])}),
        row["bag"],
        frozenset(row["objects"]),
        frozenset(row["specimens"]),
        row["scan_type"],
        row["container_id"],
        row["channel"],
    )


def _root(files: dict[str, dict[str, Any]], row: dict[str, Any]) -> str:
    while row["kind"] != "scan" and row["source"]:
        row = files[row["source"]]
    return str(row["path"])


def _relation(files: dict[str, dict[str, Any]], row: dict[str, Any]) -> str:
    if row["kind"] != "transformed":
        return str(row["kind"])
    made = {_CHANGES.get(files[row[end]]["kind"], files[row[end]]["kind"]) for end in ("path_a", "path_b")}
    return between(frozenset(made - {"scan"}))


def between(changes: frozenset[str]) -> str:
    """The name of what two copies of one scan differ in, together."""
    large = changes - {"bytes", "pixels", "re-encoded"}
    if large:
        return min(large) if len(large) == 1 else "several"
    return next((kind for kind in ("re-encoded", "pixels", "bytes") if kind in changes), "bytes")


# --- real scans


def real(folder: Path, source: Path, workers: int) -> Case:
    """The scans below `source` with copies of each and one edited scan of each."""
    given = folder / "given" / source.name
    made = given.with_suffix(".json")
    if not made.exists():
        shutil.rmtree(given, ignore_errors=True)
        rows = [row for n, path in enumerate(_scans(source)) for row in _copied(path, source, given, n)]
        made.write_text(json.dumps(rows))
    pictures = [
        Picture(path, root, kind, frozenset(changes), root)
        for path, root, kind, changes in json.loads(made.read_text())
    ]
    pairs = {}
    clusters: dict[str, list[Picture]] = {}
    for picture in pictures:
        clusters.setdefault(picture.root, []).append(picture)
    for together in clusters.values():
        for a, b in combinations([p for p in together if p.kind != "edit"], 2):
            # Two that were trimmed in different places may share less than a copy does.
            twice = all(p.changes & {"trimmed", "several"} for p in (a, b))
            pairs[frozenset((a.path, b.path))] = "unjudged" if twice else between(a.changes | b.changes)
    return case(source.name, ingested(folder / source.name, given, workers), pictures, pairs)


def untouched(folder: Path, source: Path, workers: int) -> Case:
    """The scans below `source` as they are."""
    project = ingested(folder / f"{source.name}-untouched", source, workers)
    pictures = [Picture(p.relative_to(source).as_posix(), p.name, "scan") for p in _scans(source)]
    return case(f"{source.name}-untouched", project, pictures, {})


def _scans(source: Path) -> list[Path]:
    return sorted(p for p in source.rglob("*") if p.suffix in SUFFIXES)


def _copied(path: Path, source: Path, given: Path, number: int) -> Iterator[tuple[str, str, str, list[str]]]:
    """Write a scan, copies of it and one edit below `given`: (path, root, kind, changes) of each."""
    root = path.relative_to(source).as_posix()
    target = given / root
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    yield root, root, "scan", []

    def beside(what: str) -> Path:
        return target.with_name(f"{target.stem}_{what.replace(' ', '-').replace(',', '').replace('%', '')}.png")

    shutil.copyfile(path, beside("bytes"))
    yield beside("bytes").relative_to(given).as_posix(), root, "copy", ["bytes"]
    with Image.open(path) as picture:
        picture.save(beside("pixels"), compress_level=1)
    yield beside("pixels").relative_to(given).as_posix(), root, "copy", ["pixels"]
    pixels = _pixels(path)
    made = {m.what: m for m in copies(pixels, np.random.default_rng([number, 0]))}
    for sort, names in _SORTS.items():
        there = [name for name in names if name in made]
        chosen = made[there[number % len(there)]]
        Image.fromarray(chosen.pixels).save(beside(chosen.what))
        yield beside(chosen.what).relative_to(given).as_posix(), root, "copy", [sort]
    changed = list(edits(pixels, np.random.default_rng([number, 1])))
    edit = changed[number % len(changed)]
    Image.fromarray(edit.pixels).save(beside(edit.what))
    yield beside(edit.what).relative_to(given).as_posix(), root, "edit", ["edited"]


def _pixels(path: Path) -> NDArray[Any]:
    page = next(iter(pages(path.read_bytes(), Limits())))
    if not isinstance(page, Page):
        raise page[1]
    return np.ascontiguousarray(page.pixels[..., :3] if page.pixels.ndim == 3 else page.pixels)


RATES = Rates(**dict.fromkeys((*COPIES, "crops", "rescans"), 0.2))
