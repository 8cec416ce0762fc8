"""How right the verdicts on pairs of pictures are: on copies of real scans, and on simulated exports.

    python benchmark/dedup/verify.py --real FOLDER [--pairs 3000]
    python benchmark/dedup/verify.py --seeds 201 202 --scans 300 [--deep] [--no-masks]

Every pair is judged as `xqdata dedup` does it once a pair is proposed: as a copy, then as a tie. Tables in Markdown
with 95% intervals go to stdout; every wrong or undecided verdict goes to stderr.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import pyarrow.parquet as pq
from copies import Made, copies, edits
from tally import Tally

from xqdata.containers.rle import unrle
from xqdata.dedup.ties import verify_tie
from xqdata.dedup.verify import Prepared, Verdict, prepare, verify_copy
from xqdata.images import Limits, Page, measure, pages
from xqdata.simulate.run import simulate
from xqdata.simulate.settings import Rates, Settings

SUFFIXES = (".png", ".jpg", ".tif", ".bmp")
# Many of everything, so that the intervals are narrow.
RATES = Rates(reencoded=0.15, resized=0.15, trimmed=0.15, turned=0.1, mirrored=0.1, crops=0.15, rescans=0.3,
              byte_copies=0, pixel_copies=0, truncated=0, empty=0)  # fmt: skip


def main() -> None:
    """Read the arguments, judge the pairs, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder of real scans, one folder for each source")
    parser.add_argument("--pairs", type=int, default=3000, help="at most so many pairs of different scans per source")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="seeds of simulated exports")
    parser.add_argument("--scans", type=int, default=200, help="of each simulated export")
    parser.add_argument("--specimens", type=int, default=2, help="of each object: few recur often")
    parser.add_argument("--difficulty", type=float, default=0.5)
    parser.add_argument("--deep", action="store_true", help="the 16-bit pictures too")
    parser.add_argument("--no-masks", dest="masks", action="store_false", help="as if no container was known")
    parser.add_argument("--keep", type=Path, help="folder to simulate into, used again by the next run")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    tallies = []
    if chosen.real:
        tallies += real(chosen.real, chosen.pairs)
    if chosen.seeds:
        with tempfile.TemporaryDirectory() as folder:
            tallies.append(("simulated", simulated(chosen.keep or Path(folder), chosen)))
    for name, tally in tallies:
        sys.stdout.write("\n".join(["", f"### {name}", "", *tally.lines(), "", *tally.by_kind(), ""]))
    sys.stdout.write("\n" + _cost())


T = TypeVar("T")
SPENT: dict[str, list[float]] = {"prepare": [], "copy": [], "tie": []}


def _timed(what: str, call: Callable[[], T]) -> T:
    start = time.thread_time()
    found = call()
    SPENT[what].append(time.thread_time() - start)
    return found


def _cost() -> str:
    rows = [(name, 1000 * np.array(spent)) for name, spent in SPENT.items() if spent]
    told = [f"{n}: median {np.median(v):.0f} ms, 90% below {np.quantile(v, 0.9):.0f} ms" for n, v in rows]
    return "One core, processor time. " + "; ".join(told) + ".\n"


def judge(a: Prepared, b: Prepared) -> Verdict:
    """The verdict as `xqdata.dedup.compare` comes to it."""
    copy = _timed("copy", lambda: verify_copy(a, b))
    if copy.kind:
        return copy
    tie = _timed("tie", lambda: verify_tie(a, b))
    return tie if tie.kind or not copy.undecided else copy


def count(
    tally: Tally, group: str, right: str | None, found: Verdict, pair: str, orientation: str | None = None
) -> None:
    """Add a verdict to the tally, and tell of it where it is not the right one."""
    verdict = found.kind or ("undecided" if found.undecided else "none")
    if orientation and verdict == right and found.orientation != orientation:
        verdict = f"{verdict} in {found.orientation}"
    tally.add(group, right, verdict)
    if verdict != (right or "none"):
        sys.stderr.write(f"{group}: {verdict}, right is {right}: {pair}: {found}\n")


def _page(path: Path) -> Page:
    found = next(iter(pages(path.read_bytes(), Limits())))
    if not isinstance(found, Page):
        raise found[1]
    return found


def _prepared(page: Page, mask: np.ndarray | None = None) -> Prepared:
    return _timed("prepare", lambda: prepare(page.grey, measure(page).polarity, mask))


# --- real scans


def real(folder: Path, most: int) -> Iterator[tuple[str, Tally]]:
    """Tallies of each source below `folder`: copies and edits of every scan, and pairs of different scans."""
    for source in sorted(p for p in folder.iterdir() if p.is_dir()):
        paths = sorted(p for p in source.rglob("*") if p.suffix in SUFFIXES)
        found = [_page(p) for p in paths]
        scans = [_prepared(page) for page in found]
        tally = Tally()
        for number, (path, page, scan) in enumerate(zip(paths, found, scans, strict=True)):
            polarity = measure(page).polarity
            for made in _made(page, number):
                other = prepare(made.grey, polarity)
                right = made.orientation if made.kind else None
                count(tally, made.what, made.kind, judge(scan, other), path.name, right)
        pairs = list(combinations(range(len(scans)), 2))
        random.Random(0).shuffle(pairs)
        for i, j in pairs[:most]:
            verdict = judge(scans[i], scans[j])
            count(tally, "different scans", None, verdict, f"{paths[i].name} {paths[j].name}")
        yield f"{source.name}, {len(scans)} scans", tally


def _made(page: Page, number: int) -> Iterator[Made]:
    pixels = page.pixels[..., :3] if page.pixels.ndim == 3 else page.pixels
    yield from copies(np.ascontiguousarray(pixels), np.random.default_rng([number, 0]))
    yield from edits(np.ascontiguousarray(pixels), np.random.default_rng([number, 1]))


# --- simulated exports


def simulated(folder: Path, chosen: argparse.Namespace) -> Tally:
    """The tally over all seeds: every true pair, and pairs of different scans that look alike."""
    tally = Tally()
    for seed in chosen.seeds:
        raw = folder / str(seed) / "raw"
        settings = Settings(scans=chosen.scans, specimens=chosen.specimens, seed=seed, difficulty=chosen.difficulty,
                            deep=chosen.deep, rates=RATES)  # fmt: skip
        simulate(raw, settings)
        _judge_export(tally, raw, with_masks=chosen.masks)
    return tally


def _judge_export(tally: Tally, raw: Path, *, with_masks: bool) -> None:
    truth = {n: pq.read_table(raw.parent / "truth" / f"{n}.parquet").to_pylist() for n in ("files", "pairs", "masks")}
    files = {row["path"]: row for row in truth["files"]}
    masks = {row["path"]: row["rle"] for row in truth["masks"]} if with_masks else {}

    @lru_cache(256)
    def opened(path: str) -> Prepared:
        return _prepared(_page(raw / path), unrle(masks[path]) if path in masks else None)

    for group, right, a, b, orientation in _pairs(files, truth["pairs"]):
        count(tally, group, right, judge(opened(a), opened(b)), f"{a} {b}", orientation)


Pair = tuple[str, str | None, str, str, str | None]


def _pairs(files: dict[str, dict], truth: list[dict]) -> Iterator[Pair]:
    """Pairs of one export: their group, the right kind, the two paths, and how the second is turned."""
    for row in truth:
        a, b = files[row["path_a"]], files[row["path_b"]]
        made = {a["kind"], b["kind"]} - {"scan"}
        deep = " (16 bits)" if a["channel"] != "colour" else ""
        if row["kind"] == "rescan" and not made:
            yield f"rescan{deep}", "rescan", a["path"], b["path"], None
        elif row["kind"] in ("re-encoded", "transformed") and len(made) == 1:
            yield f"{made.pop()}{deep}", row["kind"], a["path"], b["path"], row["orientation"]
        elif row["kind"] == "crop" and made == {"crop"}:
            yield f"crop{deep}", "crop", a["path"], b["path"], None
    yield from _look_alikes(files)


def _look_alikes(files: dict[str, dict], most: int = 300) -> Iterator[Pair]:
    """Pairs of different packings, by what they share."""
    scans = [f for f in files.values() if f["kind"] == "scan" and not f["rescan"] and f["channel"] == "colour"]
    groups: dict[str, list[tuple[str, str]]] = {}
    for a, b in combinations(scans, 2):
        if a["scanner_serial"] != b["scanner_serial"] or a["bag"] == b["bag"]:
            continue
        container = "one container" if a["container_id"] and a["container_id"] == b["container_id"] else ""
        specimen = "same specimens, packed anew" if a["specimens"] == b["specimens"] else ""
        bare = "bare belt" if not a["container_id"] and not b["container_id"] else ""
        name = ", ".join(filter(None, (container or bare, specimen)))
        if name:
            groups.setdefault(name, []).append((a["path"], b["path"]))
    for name, pairs in sorted(groups.items()):
        random.Random(0).shuffle(pairs)
        yield from ((name, None, a, b, None) for a, b in pairs[:most])


if __name__ == "__main__":
    main()
