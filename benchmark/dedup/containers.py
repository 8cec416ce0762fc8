"""How well the container is taken away: masks against the simulator's truth, and on real scans of one basket.

    python benchmark/dedup/containers.py [--seeds 9001,9002] [--scans 600] [--workers 2] [--hidden] [--deep] [--counts]
        [--real FOLDER]

No threshold was tuned on the seeds given here. Prints Markdown tables.

A scan's contents are *found* where the mask covers at least half of their pixels, a specimen where it covers half of
those in its box. *Elsewhere* is foreground outside all contents, as a share of the picture.
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tally import wilson

from xqdata import containers, manifest, scans, taxonomy
from xqdata.config import Config
from xqdata.containers import attenuation, estimate, foreground
from xqdata.containers.rle import unrle
from xqdata.ingest import Options, ingest, resolve
from xqdata.manifest import Project
from xqdata.simulate import containers as builders
from xqdata.simulate.plan import CONTAINER, rng
from xqdata.simulate.run import LOG, TRUTH, simulate
from xqdata.simulate.settings import Settings

# Where the object lies in the scans of compass_xp, by eye: left, top, right, bottom as shares of width and height.
COMPASS = {
    "0582": (0.25, 0.51, 0.76, 0.63),
    "0583": (0.22, 0.87, 0.74, 0.93),
    "0584": (0.47, 0.15, 0.55, 0.88),
    "0990": (0.34, 0.35, 0.73, 0.78),
    "0991": (0.36, 0.68, 0.75, 0.93),
    "0992": (0.30, 0.22, 0.69, 0.49),
    "0993": (0.33, 0.36, 0.66, 0.72),
    "1454": (0.21, 0.38, 0.78, 0.68),
    "1455": (0.26, 0.85, 0.81, 0.93),
    "1456": (0.47, 0.17, 0.55, 0.96),
    "1457": (0.46, 0.17, 0.70, 0.96),
    "1509": (0.40, 0.15, 0.65, 0.28),
}
# The basket attenuates by less than this nearly everywhere, all objects mostly by more.
_DENSE = 0.45
_COUNTS = (5, 6, 8, 12, 16, 24, 32)
_PER_COUNT = 3


@dataclass(frozen=True)
class Score:
    """One mask against the truth. `specimens`: for each, the share of its pixels that the mask covers."""

    estimated: bool
    recall: float
    overlap: float
    elsewhere: float
    specimens: tuple[float, ...]


def main() -> None:
    """Simulate, ingest, take away, compare, print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="xqdata-containers-") as name:
        scores: defaultdict[str, list[Score]] = defaultdict(list)
        copies: defaultdict[str, list[bool]] = defaultdict(list)
        for seed in options.seeds:
            settings = Settings(scans=options.scans, seed=seed, deep=options.deep)
            project = _simulated(Path(name) / str(seed), settings, options.hidden, options.workers)
            _judged(project, settings, options.workers, scores, copies)
            if options.counts:
                _print_counts(project, settings)
        _print(scores, copies)
    if options.real:
        _print_real(options.real)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",") if s], default=[9001, 9002])
    parser.add_argument("--scans", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hidden", action="store_true", help="nobody told which container a scan shows")
    parser.add_argument("--deep", action="store_true", help="also the 16-bit energies")
    parser.add_argument("--counts", action="store_true", help="also by how many scans a container is estimated from")
    parser.add_argument("--real", type=Path, help="the folder of real scans that holds compass_xp")
    return parser.parse_args()


def _simulated(folder: Path, settings: Settings, hidden: bool, workers: int) -> Project:
    made = simulate(folder / "raw", settings, workers=workers)
    if hidden:
        _hide(made.raw / LOG)
    project = Project(folder / "project")
    project.folder.mkdir()
    ingest(project, resolve([str(made.raw)], {}), Config(), taxonomy.load(None), Options(workers=workers))
    return project


def _hide(log: Path) -> None:
    """Take the containers' names out of the operator's log."""
    with log.open(newline="") as file:
        head, *rows = list(csv.reader(file))
    place = head.index("container_id")
    with log.open("w", newline="") as file:
        csv.writer(file).writerows([head, *([*row[:place], "", *row[place + 1 :]] for row in rows)])


def _judged(
    project: Project,
    settings: Settings,
    workers: int,
    scores: Mapping[str, list[Score]],
    copies: Mapping[str, list[bool]],
) -> None:
    """Add the scores of one dataset, by make of container, and for copies whether a mask was estimated, by kind."""
    began, before = time.perf_counter(), _processor()
    table = containers.masks(project, project.folder, workers=workers).table()
    wall, processor = time.perf_counter() - began, _processor() - before
    each = 1e3 / table.num_rows
    print(
        f"- seed {settings.seed}: {table.num_rows} images, {each * wall:.0f} ms of {workers} workers and "
        f"{each * processor:.0f} ms of processor time for each, decoding and estimation included"
    )
    paths = _paths(project)
    beside = project.folder.parent / TRUTH
    truth = {r["path"]: r for r in pq.read_table(beside / "masks.parquet").to_pylist()}
    files = {r["path"]: r for r in pq.read_table(beside / "files.parquet").to_pylist()}
    for row in table.to_pylist():
        path = paths[row["image_id"]]
        if path in truth:
            scores[_make(settings, files[path])].append(_score(row, truth[path]))
        else:
            copies[files[path]["kind"]].append(row["rle"] is not None)


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _paths(project: Project) -> dict[str, str]:
    rows = manifest.read(project, "images", ["image_id", "path"]).to_pylist()
    return {r["image_id"]: r["path"] for r in rows}


def _make(settings: Settings, file: Mapping[str, Any]) -> str:
    """What a file's container is: basket, trolley, softbag or none; and the channel where it is not colour."""
    channel = "" if file["channel"] == "colour" else f", {file['channel']}"
    if file["container_id"] is None:
        return f"none{channel}"
    kind, number = file["container_id"].split("-")
    draw = rng(settings, CONTAINER, ("basket", "carrier").index(kind), int(number) - 1)
    return f"{builders.build(kind, draw).build}{channel}"


def _score(row: Mapping[str, Any], truth: Mapping[str, Any]) -> Score:
    contents = unrle(truth["rle"])
    mask = np.zeros_like(contents) if row["rle"] is None else unrle(row["rle"])
    both = int((mask & contents).sum())
    return Score(
        row["rle"] is not None,
        both / max(1, int(contents.sum())),
        both / max(1, int((mask | contents).sum())),
        float((mask & ~contents).mean()),
        tuple(_covered(mask, contents, box) for box in truth["specimen_boxes"] if box[2] and box[3]),
    )


def _covered(mask: NDArray[np.bool_], contents: NDArray[np.bool_], box: Sequence[int]) -> float:
    x, y, width, height = box
    inside = (slice(max(0, y), y + height), slice(max(0, x), x + width))
    return float(mask[inside][contents[inside]].mean()) if contents[inside].any() else 1.0


def _print(scores: Mapping[str, Sequence[Score]], copies: Mapping[str, Sequence[bool]]) -> None:
    print(
        "\n| container | scans | estimated | contents found (95%) | specimens found (95%) | recall | IoU | elsewhere |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for make, listed in sorted(scores.items()):
        specimens = [share for s in listed for share in s.specimens]
        recall, overlap, elsewhere = (
            np.mean([getattr(s, n) for s in listed]) for n in ("recall", "overlap", "elsewhere")
        )
        contents, things = _share(s.recall >= 0.5 for s in listed), _share(share >= 0.5 for share in specimens)
        print(
            f"| {make} | {len(listed)} | {sum(s.estimated for s in listed)} | {contents} | {things} | {recall:.3f} "
            f"| {overlap:.3f} | {elsewhere:.2%} |"
        )
    print("\nOf files made from scans, whose container the log does not tell, a mask was estimated for:\n")
    print(", ".join(f"{sum(done)} of {len(done)} {kind}" for kind, done in sorted(copies.items())) or "none were made")


def _share(hits: Iterable[bool]) -> str:
    told = list(hits)
    low, high = wilson(sum(told), len(told))
    return f"{sum(told) / max(1, len(told)):.3f} ({low:.3f} to {high:.3f})"


def _print_counts(project: Project, settings: Settings) -> None:
    """How good masks are by the number of scans that the container is estimated from; on scans that it was not."""
    images = manifest.read(project, "images", ["image_id", "path", "container_id", "scanner_serial", "channel"])
    truth = {r["path"]: r for r in pq.read_table(project.folder.parent / TRUTH / "masks.parquet").to_pylist()}
    groups: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in images.sort_by("image_id").to_pylist():
        if row["container_id"] and row["channel"] == "colour" and row["path"] in truth:
            groups[row["container_id"], row["scanner_serial"]].append(row)
    opened = {s.image_id: s for s in scans.standing(project)}
    print("\n| estimated from | containers | none found | contents found | IoU | elsewhere |")
    print("|---:|---:|---:|---:|---:|---:|")
    for count in _COUNTS:
        found: list[Score] = []
        tried = failed = 0
        for group in groups.values():
            if len(group) < count + _PER_COUNT:
                continue
            tried += 1
            pages = [opened[row["image_id"]].read() for row in group[: count + _PER_COUNT]]
            made = estimate([attenuation(page, "air_bright") for page in pages[:count]]).containers
            failed += not made
            for row, page in zip(group[count:], pages[count:], strict=False):
                mask = foreground(page, "air_bright", made, sure=True)
                found.append(_score(mask.row(row["image_id"]), truth[row["path"]]))
        if found:
            overlap, elsewhere = (np.mean([getattr(s, n) for s in found]) for n in ("overlap", "elsewhere"))
            contents = _share(s.recall >= 0.5 for s in found)
            print(f"| {count} | {tried} | {failed} | {contents} | {overlap:.3f} | {elsewhere:.2%} |")
    print()


def _print_real(folder: Path) -> None:
    """The twelve scans of compass_xp, and what was made of scans of other containers."""
    print("\n| compass_xp | dense pixels of the object in the mask | mask outside its box, of the picture | method |")
    print("|---|---:|---:|---|")
    for path, scan, row in _real(folder / "compass_xp"):
        mask = np.zeros((1, 1), np.bool_) if row["rle"] is None else unrle(row["rle"])
        height, width = mask.shape
        left, top, right, bottom = COMPASS[Path(path).stem]
        box = np.zeros(mask.shape, np.bool_)
        box[int(top * height) : int(bottom * height) + 1, int(left * width) : int(right * width) + 1] = True
        dense = box & (attenuation(scan.read(), "air_bright", side=width) > _DENSE)
        print(f"| {path} | {mask[dense].mean():.3f} | {(mask & ~box).mean():.2%} | {row['method']} |")
    for name in ("cubox", "fishbones"):
        if (folder / name).is_dir():
            rows = [row for _, _, row in _real(folder / name)]
            methods = sorted({row["method"] for row in rows})
            estimated = sum(row["rle"] is not None for row in rows)
            print(f"\n{name}: {estimated} of {len(rows)} estimated; {'; '.join(methods)}")


def _real(folder: Path) -> list[tuple[str, scans.Scan, dict[str, Any]]]:
    with tempfile.TemporaryDirectory(prefix="xqdata-containers-") as name:
        project = Project(Path(name))
        ingest(project, resolve([str(folder)], {}), Config(), taxonomy.load(None), Options(workers=1))
        paths = _paths(project)
        opened = {s.image_id: s for s in scans.standing(project)}
        rows = containers.masks(project, project.folder, workers=1).table().to_pylist()
        return sorted((paths[r["image_id"]], opened[r["image_id"]], r) for r in rows)


if __name__ == "__main__":
    main()
