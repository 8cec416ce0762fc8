"""A folder rebuilt after a published failure, and what an audit of it finds.

    python benchmark/audit/welds.py [--seeds 6101,6102] [--bits 8,16] [--workers 1] [--write]

RIAWELC holds 224 x 224 patches of 29 radiographs of welds, divided at random, and its whole test part is also in its
training part. Here 29 simulated radiographs are cut into overlapping patches, divided at random, and the test part is
copied into training. `xqdata audit` is run on the folder with the name of the radiograph read from the paths, and
without; then the split is repaired, and the repaired one audited and compared with the truth.

No threshold was tuned on the seeds given here. Prints Markdown tables; with --write they go into README.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from xqdata import manifest
from xqdata.manifest import Project

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- welds: begin -->", "<!-- welds: end -->"
XQDATA = Path(sys.executable).with_name("xqdata")

SCANS, SIDE, STEP, JITTER, HEIGHT = 29, 224, 56, 24, 336
# RIAWELC's own names of its parts, with its shares.
PARTS = {"training": 0.65, "validation": 0.25, "testing": 0.10}
CALLED = {"training": "train", "validation": "val", "testing": "test"}
CLASSES = ("PO", "CR", "LP", "ND")
LAYOUT = "{split}/{object}/{file}"
SERIES = r"(?P<series>RRT-\d+)_"
# Shares of a patch that two of them have in common. `xqdata dedup` looks for crops that share a tenth and more.
OVERLAPS = ((0.75, 1.01), (0.5, 0.75), (0.25, 0.5), (0.1, 0.25), (0.0, 0.1))
_Z = 1.959964

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Patch:
    """One patch: the radiograph that it was cut from, where, its class, and the part that chance gave it."""

    scan: int
    x: int
    y: int
    kind: str
    part: str

    @property
    def name(self) -> str:
        """The file's name, after RIAWELC's."""
        return f"RRT-{self.scan:02}_Img1_[{self.y}][{self.x}].png"

    def path(self, part: str) -> str:
        """Where it lies as a member of `part`."""
        return f"{part}/{self.kind}/{self.name}"

    def shared(self, other: Patch) -> float:
        """The share of a patch that two patches of one radiograph have in common."""
        across, down = SIDE - abs(self.x - other.x), SIDE - abs(self.y - other.y)
        return max(0, across) * max(0, down) / SIDE**2 if self.scan == other.scan else 0.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the folders, audit them, print, and with --write put the tables into README.md."""
    options = _options(arguments)
    tally = [
        _audited(seed, bits, options.workers)
        for seed in map(int, options.seeds.split(","))
        for bits in map(int, options.bits.split(","))
    ]
    text = "\n\n".join(_tables(tally))
    print(text)
    if options.write:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seeds", default="6101,6102", help="seeds of the folders, with commas between")
    parser.add_argument("--bits", default="8,16", help="bits of a pixel: 8, 16 or both")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    return parser.parse_args(arguments)


# --- the folder


def radiograph(rng: np.random.Generator, width: int) -> tuple[Floats, list[str]]:
    """A weld from above, (HEIGHT, width) of grey from 0 to 1, and the class of each stretch of SIDE columns.

    Plates to both sides, the seam with its ripples between them, defects of one kind in each stretch, and film grain.
    """
    x, y = np.arange(width, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32)[:, None]
    middle = HEIGHT / 2 + _wander(rng, width, 12, 220)
    half = 46 + _wander(rng, width, 6, 90)
    across = (y - middle) / half
    bead = 1 / (1 + np.exp((np.abs(across) - 1) * 9))
    ripples = 0.02 * np.sin(2 * np.pi * (x + 14 * across**2) / rng.uniform(14, 22) + _wander(rng, width, 1.5, 60))
    plates = rng.uniform(0.35, 0.5) + 0.05 * _wander(rng, width, 1, 400) + 0.04 * (y / HEIGHT - 0.5)
    grey = plates - (0.12 + ripples) * bead
    kinds = [str(rng.choice(CLASSES)) for _ in range(-(-width // SIDE))]
    for n, kind in enumerate(kinds):
        _defect(rng, grey, kind, n * SIDE, middle, half)
    grain = cv2.GaussianBlur(rng.normal(0, 1, grey.shape).astype(np.float32), (0, 0), 0.7)
    return np.clip(grey + 0.03 * grain, 0, 1).astype(np.float32), kinds


def _wander(rng: np.random.Generator, length: int, size: float, slow: float) -> Floats:
    """A smooth line of chance round 0, about `size` high, that turns every `slow` pixels."""
    line = cv2.GaussianBlur(rng.normal(0, 1, (1, length + 1)).astype(np.float32), (0, 0), slow / 3)[0, :length]
    # Its mean is of no account: where it turns seldom, that is many times what it varies.
    return np.asarray(size * (line - line.mean()) / max(1e-6, float(line.std())), np.float32)


def _defect(rng: np.random.Generator, grey: Floats, kind: str, left: int, middle: Floats, half: Floats) -> None:
    """Draw the defects of one stretch: pores, a crack, a root that is not fused, or none."""
    right = min(left + SIDE, grey.shape[1])
    drawn = np.zeros_like(grey)
    if kind == "PO":
        for _ in range(int(rng.integers(6, 18))):
            px = int(rng.integers(left, right))
            py = int(middle[px] + rng.uniform(-0.8, 0.8) * half[px])
            cv2.circle(drawn, (px, py), int(rng.integers(2, 7)), float(rng.uniform(0.5, 1)), -1, cv2.LINE_AA)
    elif kind == "CR":
        steps = np.cumsum(rng.normal(0, 1.4, right - left))
        line = np.column_stack([np.arange(left, right), middle[left:right] + rng.uniform(-20, 20) + steps])
        cv2.polylines(drawn, [np.rint(line).astype(np.int32)], False, 0.9, int(rng.integers(1, 3)), cv2.LINE_AA)
    elif kind == "LP":
        line = np.column_stack([np.arange(left, right), middle[left:right]])
        cv2.polylines(drawn, [np.rint(line).astype(np.int32)], False, 0.8, int(rng.integers(3, 6)), cv2.LINE_AA)
    grey += 0.16 * cv2.GaussianBlur(drawn, (0, 0), 1.0)


def patches(rng: np.random.Generator, folder: Path, bits: int) -> list[Patch]:
    """Cut every radiograph, give each patch a part by chance, write it, and copy the test part into training."""
    cut = []
    for scan in range(SCANS):
        grey, kinds = radiograph(rng, SIDE + STEP * int(rng.integers(8, 15)))
        pixels = np.rint(grey * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
        for row in range(0, HEIGHT - SIDE + 1, STEP * 2):
            for column in range(0, grey.shape[1] - SIDE + 1, STEP):
                y = min(row + int(rng.integers(JITTER)), HEIGHT - SIDE)
                x = min(column + int(rng.integers(JITTER)), grey.shape[1] - SIDE)
                kind = kinds[(x + SIDE // 2) // SIDE]
                patch = Patch(scan, x, y, kind, str(rng.choice(list(PARTS), p=list(PARTS.values()))))
                file = folder / patch.path(patch.part)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels[y : y + SIDE, x : x + SIDE])))
                cut.append(patch)
    for patch in cut:
        if patch.part == "testing":
            to = folder / patch.path("training")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / patch.path("testing"), to)
    return cut


# --- the audits


@dataclass(frozen=True)
class Counted:
    """What one folder held, and what was found: hits and how many there were, by what was counted.

    `pairs`: by OVERLAPS. `wrong`: verified pairs of two radiographs. `moved`, `high`: by audit (by name, by pixels).
    """

    bits: int
    seed: int
    files: int
    copies: tuple[int, int]
    named: tuple[int, int]
    seen: tuple[int, int]
    whole: tuple[int, int]
    tests: tuple[int, int]
    pairs: tuple[tuple[int, int], ...]
    wrong: int
    moved: Mapping[str, tuple[int, int]]
    high: Mapping[str, int]
    torn: Mapping[str, int]


def _audited(seed: int, bits: int, workers: int) -> Counted:
    with tempfile.TemporaryDirectory(prefix="xqdata-welds-") as name:
        work = Path(name)
        cut = patches(np.random.default_rng([seed, bits]), work / "welds", bits)
        files = sum(1 for _ in (work / "welds").rglob("*.png"))
        by_name = _audit(work, workers, "--group-from", SERIES)
        named = _series(_project(by_name), cut)
        repaired = {"named": _repaired(work, by_name)}
        torn = {"named": _torn(cut, work / "clean.csv")}
        by_pixels = _audit(work, workers)
        project = _project(by_pixels)
        links = _links(project)
        found = {kind["kind"]: kind for kind in by_pixels["findings"]}
        copies = found.get("bytes", {"images_test": 0})["images_test"]
        tested = sum(patch.part == "testing" for patch in cut)
        repaired["pixels"] = _repaired(work, by_pixels)
        torn["pixels"] = _torn(cut, work / "clean.csv")
        return Counted(
            bits,
            seed,
            files,
            (copies, tested),
            named,
            _crossing_seen(cut, links),
            _whole_seen(cut, links),
            _tests_seen(cut, links),
            tuple(_pairs_seen(cut, links)),
            sum(len({_scan_of(a), _scan_of(b)}) > 1 for a, b in links),
            {way: moved for way, (moved, _) in repaired.items()},
            {way: high for way, (_, high) in repaired.items()},
            torn,
        )


def _audit(work: Path, workers: int, *more: str) -> dict[str, Any]:
    """`xqdata audit --json` of the folder."""
    return _told(work, "audit", "--layout", LAYOUT, *more, "--workers", str(workers), "welds")


def _told(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """What a command of xqdata prints as JSON, run in `folder`."""
    done = subprocess.run(
        [XQDATA, *arguments, "--json", "--quiet"], cwd=folder, capture_output=True, text=True, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _project(document: Mapping[str, Any]) -> Project:
    return Project(Path(document["foreign"]["tables"]).parent)


def _repaired(work: Path, document: Mapping[str, Any]) -> tuple[tuple[int, int], int]:
    """Repair the split and list its files; images moved of all, and findings of severity high that are left."""
    folder = _project(document).folder
    (split,) = _told(folder, "split", "--repair", "default", "--csv", work / "clean.csv")["splits"]
    again = _told(folder, "audit", "--name", "default-repaired")
    high = sum(finding["severity"] == "high" for finding in again["findings"])
    return (sum(count for _, _, count in split["moved"]["moves"]), split["moved"]["images"]), high


def _scan_of(name: str) -> str:
    return name.split("_", 1)[0]


def _by_scan(cut: Iterable[Patch]) -> dict[int, list[Patch]]:
    held: dict[int, list[Patch]] = defaultdict(list)
    for patch in cut:
        held[patch.scan].append(patch)
    return held


def _series(project: Project, cut: Sequence[Patch]) -> tuple[int, int]:
    """Radiographs that the finding `series` names, of those that lie in several parts."""
    table = manifest.read(project, "audits/default.evidence").to_pylist()
    named = {row["detail"].split()[-1] for row in table if row["kind"] == "series"}
    crossing = {f"RRT-{scan:02}" for scan, held in _by_scan(cut).items() if _crosses(held)}
    return len(named & crossing), len(crossing)


def _crosses(held: Iterable[Patch]) -> bool:
    return len({part for patch in held for part in _lies_in(patch)}) > 1


def _lies_in(patch: Patch) -> set[str]:
    return {"training", "testing"} if patch.part == "testing" else {patch.part}


def _links(project: Project) -> set[tuple[str, str]]:
    """Verified pairs, as names of patches: a copy counts as the patch that it is. Copies of one patch are left out."""
    images = manifest.read(project, "images", ["image_id", "path"]).to_pylist()
    name = {row["image_id"]: row["path"].rpartition("/")[2] for row in images}
    pairs = manifest.read(project, "links", ["image_a", "image_b"]).to_pylist()
    named = {tuple(sorted((name[row["image_a"]], name[row["image_b"]]))) for row in pairs}
    return {(a, b) for a, b in named if a != b}


def _overlapping(cut: Sequence[Patch]) -> Iterator[tuple[Patch, Patch]]:
    """Pairs of patches of one radiograph that share pixels and that chance put into two parts."""
    for held in _by_scan(cut).values():
        for one, other in combinations(held, 2):
            if one.part != other.part and one.shared(other) > 0:
                yield one, other


def _is_linked(one: Patch, other: Patch, links: set[tuple[str, str]]) -> bool:
    return tuple(sorted((one.name, other.name))) in links


def _pairs_seen(cut: Sequence[Patch], links: set[tuple[str, str]]) -> Iterator[tuple[int, int]]:
    """By OVERLAPS: pairs across parts that are linked, of all."""
    counts: Counter[tuple[int, bool]] = Counter()
    for one, other in _overlapping(cut):
        shared = one.shared(other)
        place = next(n for n, (low, high) in enumerate(OVERLAPS) if low <= shared < high)
        counts[place, _is_linked(one, other, links)] += 1
    for n in range(len(OVERLAPS)):
        yield counts[n, True], counts[n, True] + counts[n, False]


def _crossing_seen(cut: Sequence[Patch], links: set[tuple[str, str]]) -> tuple[int, int]:
    """Radiographs of which a link between different patches crosses the parts, of those of which patches that share
    pixels do.
    """
    crossing: dict[int, bool] = defaultdict(bool)
    for one, other in _overlapping(cut):
        crossing[one.scan] |= _is_linked(one, other, links)
    return sum(crossing.values()), len(crossing)


def _whole_seen(cut: Sequence[Patch], links: set[tuple[str, str]]) -> tuple[int, int]:
    """Radiographs all of whose patches the links join to one component."""
    whole = 0
    held = _by_scan(cut)
    near: dict[str, set[str]] = defaultdict(set)
    for a, b in links:
        near[a].add(b)
        near[b].add(a)
    for mine in held.values():
        names = {patch.name for patch in mine}
        reached, waiting = set[str](), [mine[0].name]
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += near[name]
        whole += names <= reached
    return whole, len(held)


def _tests_seen(cut: Sequence[Patch], links: set[tuple[str, str]]) -> tuple[int, int]:
    """Test patches that a link joins to another patch outside test, of those that share a tenth with one."""
    tied: dict[str, bool] = defaultdict(bool)
    for one, other in _overlapping(cut):
        for patch in (one, other):
            if patch.part == "testing" and one.shared(other) >= OVERLAPS[-2][0]:
                tied[patch.name] |= _is_linked(one, other, links)
    return sum(tied.values()), len(tied)


def _torn(cut: Sequence[Patch], listing: Path) -> int:
    """Radiographs that lie in several parts of the repaired list."""
    parts: dict[str, set[str]] = defaultdict(set)
    for line in listing.read_text(encoding="utf-8").splitlines()[1:]:
        path, _, part = line.rpartition(",")
        parts[_scan_of(path.rpartition("/")[2])].add(part)
    return sum(len(held) > 1 for held in parts.values())


# --- the tables


def _tables(told: Sequence[Counted]) -> Iterator[str]:
    yield "\n".join(_found_table(told))
    yield "\n".join(_pair_table(told))
    yield "\n".join(_repair_table(told))


def _found_table(told: Sequence[Counted]) -> Iterator[str]:
    yield "| bits | seed | files | test files also in training: found | radiographs across parts: found by name |"
    yield "|---|---|---|---|---|"
    for one in told:
        yield f"| {one.bits} | {one.seed} | {one.files:,} | {_of(one.copies)} | {_of(one.named)} |"


def _pair_table(told: Sequence[Counted]) -> Iterator[str]:
    yield "| found by pixels alone | found | recall | 95% interval |"
    yield "|---|---|---|---|"
    yield _line("radiographs with patches across parts", [one.seen for one in told])
    yield _line("radiographs all of whose patches are joined", [one.whole for one in told])
    yield _line("test patches that share a tenth or more with a patch elsewhere", [one.tests for one in told])
    for n, (low, high) in enumerate(OVERLAPS):
        what = f"pairs across parts that share {low:.0%} to {min(1, high):.0%} of a patch"
        yield _line(what, [one.pairs[n] for one in told])
    yield f"| pairs of two radiographs (false) | {sum(one.wrong for one in told):,} | | |"


def _repair_table(told: Sequence[Counted]) -> Iterator[str]:
    yield "| bits | seed | tied by | images moved | findings of severity high left | radiographs still torn |"
    yield "|---|---|---|---|---|---|"
    for one in told:
        for way, word in (("named", "name and pixels"), ("pixels", "pixels alone")):
            row = f"| {one.bits} | {one.seed} | {word} | {_of(one.moved[way])} | {one.high[way]} | {one.torn[way]} |"
            yield row


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]:,} of {pair[1]:,}"


def _line(what: str, pairs: Sequence[tuple[int, int]]) -> str:
    hits, of = (sum(column) for column in zip(*pairs, strict=True))
    low, high = _wilson(hits, of)
    share = f"{hits / of:.1%}" if of else "-"
    return f"| {what} | {hits:,} of {of:,} | {share} | {low:.1%} to {high:.1%} |"


def _wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927); 0 to 1 where nothing was counted."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, _Z * _Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = np.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


if __name__ == "__main__":
    main()
