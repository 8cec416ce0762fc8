"""Who finds what is there twice: xqdata and its peers on the same pictures, in one run.

    python benchmark/dedup/compare.py [--real FOLDER] [--seeds 7301:0.5 7302:0.9 --scans 1200]
        [--project FOLDER --truth FOLDER] [--imagededup PYTHON] [--cleanvision PYTHON] [--dataeval PYTHON]
        [--keep FOLDER] [--write]

No threshold was tuned on the seeds given here. Prints Markdown tables; with --write they go into README.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import cv2
import imagehash
import numpy as np
from judging import ALIKE, OURS, Found, Shares, floor, judge, look_alikes, of_peer, of_project, rare, stages
from numpy.typing import NDArray
from PIL import Image
from workloads import COPY, KINDS, RATES, TIE, Case, of_truth, real, simulated, untouched

import xqdata
from xqdata import manifest, taxonomy
from xqdata.dedup.join import pairs_within
from xqdata.dedup.propose import CHANNELS
from xqdata.dedup.run import Options, dedup
from xqdata.manifest import Project
from xqdata.schema import COPY_KINDS
from xqdata.simulate.settings import Settings

HERE = Path(__file__).parent
PEERS = ("imagededup", "cleanvision", "dataeval")
HASH = "ImageHash"
TITLES = {OURS: "**xqdata**", "imagededup": "imagededup PHash", "cleanvision": "cleanvision", "dataeval": "DataEval",
          HASH: "ImageHash pHash ≤ 10"}  # fmt: skip
STAGES = ("proposed", "passed", "verified", "joined")
SOURCES = ("compass_xp", "cubox", "fishbones")
RARE = (0.001, 0.01, 0.2)
_USUAL = 10


def main() -> None:
    """Measure, print, and with --write put the tables into README.md."""
    options = _options()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="xqdata-dedup-") as name:
        options.keep = options.keep or Path(name)
        made = dict(_tables(options))
    if options.write:
        _write(made)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help="folder of real scans: compass_xp, cubox, fishbones")
    parser.add_argument("--seeds", nargs="*", default=[], metavar="SEED:DIFFICULTY", help="simulated exports")
    parser.add_argument("--scans", type=int, default=1200, help="of each simulated export")
    parser.add_argument("--project", type=Path, help="a project that stands, with links: judged by its tables")
    parser.add_argument("--truth", type=Path, help="the folder truth of the export that --project is made from")
    parser.add_argument("--keep", type=Path, help="folder to work in, used again by the next run")
    parser.add_argument("--again", action="store_true", help="run dedup anew in the folder that was kept")
    parser.add_argument("--workers", type=int, default=2)
    for peer in PEERS:
        parser.add_argument(f"--{peer}", metavar="PYTHON", help=f"the interpreter that has {peer}")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    return parser.parse_args()


def _tables(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """(name, Markdown) of each table, printed as it is made."""
    for name, text in _measured(options):
        print(f"\n### {name}\n\n{text}", flush=True)
        yield name, text


def _measured(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    if options.real:
        for name, sources in (("real-colour", SOURCES[:2]), ("real-deep", SOURCES[2:])):
            cases = (real(options.keep / "real", options.real / s, options.workers) for s in sources)
            shares = _judged(cases, options)
            yield name, "\n".join(_kinds(shares))
            yield f"{name}-false", "\n".join(_false(shares))
        yield "untouched", "\n".join(_untouched(options))
    if options.seeds:
        exports = [(int(seed), float(hard or 0.5)) for seed, _, hard in (s.partition(":") for s in options.seeds)]
        settings = [Settings(scans=options.scans, seed=s, difficulty=d, rates=RATES) for s, d in exports]
        cases = (simulated(options.keep / str(s.seed), s, options.workers) for s in settings)
        shares = _judged(cases, options, with_stages=True)
        yield from _of_simulation("simulated", shares)
        yield "rates", "\n".join(_rates(shares))
    if options.project:
        case = of_truth("study", Project(options.project), options.truth)
        yield from _of_simulation("study", _judged([case], options, with_stages=True))


def _of_simulation(name: str, shares: Shares) -> Iterator[tuple[str, str]]:
    yield name, "\n".join(_kinds(shares))
    yield f"{name}-false", "\n".join(_false(shares))
    yield f"{name}-stages", "\n".join(_stages(shares))


# --- contestants


def _judged(cases: Iterator[Case] | Sequence[Case], options: argparse.Namespace, with_stages: bool = False) -> Shares:
    """The shares of all contestants over all `cases`."""
    shares = Shares()
    for case in cases:
        names = []
        for name, found in _found(case, options):
            judge(case, name, found, shares)
            for rate in RARE:
                rare(case, name, found, rate, shares)
            names += [name] if name != OURS else [OURS, f"{OURS}, ties"]
            if name == OURS:
                _tell(case, found)
        look_alikes(case, shares, names)
        if with_stages:
            stages(case, shares, options.workers)
    return shares


def _found(case: Case, options: argparse.Namespace) -> Iterator[tuple[str, Found]]:
    """What each contestant finds."""
    if (options.again and not options.project) or not manifest.exists(case.project, "links"):
        began = time.perf_counter()
        dedup(case.project, taxonomy.load(None), Options(workers=options.workers))
        print(f"{case.name}: xqdata took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    yield OURS, of_project(case)
    for peer in PEERS:
        if python := getattr(options, peer):
            yield peer, of_peer(_peer(case, peer, python, options.keep), len(case))
    yield HASH, of_peer(_hashed(case), len(case))


def _peer(case: Case, name: str, python: str, keep: Path) -> NDArray[np.int64]:
    """The pairs that a peer finds, in its own interpreter; kept for the next run."""
    source, target = keep / f"{case.name}-files.json", keep / f"{case.name}-{name}.npz"
    if not target.exists():
        source.write_text(json.dumps([str(f) for f in case.files]))
        command = [python, str(HERE / "peers.py"), name, str(source), str(target)]
        subprocess.run(command, check=True, capture_output=True)
    return np.asarray(np.load(target)["pairs"])


def _hashed(case: Case) -> NDArray[np.int64]:
    """All pairs whose pHash by ImageHash differs in 10 bits or less; our join finds the same ones as a double loop.

    On 8 bits ours is the same hash, bit by bit; deeper pictures are given to ImageHash itself, which clips them.
    """
    rows = manifest.read(case.project, "images", ["image_id", "phash", "bit_depth"]).to_pylist()
    known = {row["image_id"]: row["phash"] for row in rows if row["bit_depth"] <= 8}
    hashes = np.zeros(len(case), np.uint64)
    for i, (image, file) in enumerate(zip(case.ids, case.files, strict=True)):
        hashes[i] = known[image] if image in known else _by_imagehash(file)
    pairs = [np.column_stack([p.first, p.second]) for p in pairs_within(hashes, _USUAL, crowd=len(hashes) + 1)]
    return np.vstack([np.zeros((0, 2), np.int64), *pairs])


def _by_imagehash(file: Path) -> int:
    with Image.open(file) as picture:
        return int(str(imagehash.phash(picture)), 16)


def _tell(case: Case, found: Found) -> None:
    """Every wrong or missed pair of ours to stderr, to be looked at."""

    def named(key: int) -> str:
        return "  ".join(case.pictures[i].path for i in divmod(key, len(case)))

    kinds = case.kind_of(found.copies)
    for key, kind in zip(found.copies.tolist(), kinds.tolist(), strict=True):
        if kind < 0 or KINDS[kind] in TIE:
            print(f"{case.name}: false copy: {named(key)}", file=sys.stderr)
    joined = set(found.copies.tolist())
    for key, kind in zip(case.keys.tolist(), case.kinds.tolist(), strict=True):
        if kind < len(COPY) and key not in joined:
            print(f"{case.name}: missed {COPY[kind]}: {named(key)}", file=sys.stderr)
    for name, keys in found.ties.items():
        for key, kind in zip(keys.tolist(), case.kind_of(keys).tolist(), strict=True):
            if kind < 0:
                print(f"{case.name}: false tie ({name}): {named(key)}", file=sys.stderr)
    print(f"{case.name}: names {sorted(found.names.items())}; undecided {len(found.undecided)}", file=sys.stderr)


# --- tables


def _contestants(shares: Shares) -> list[str]:
    return [name for name in TITLES if shares.of("recall", name, "copies")]


def _head(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", f"|---|{'---:|' * (len(columns) - 1)}"]


def _row(*cells: object) -> str:
    return f"| {' | '.join(str(c) for c in cells)} |"


def _kinds(shares: Shares) -> list[str]:
    """Precision and recall by kind."""
    peers = _contestants(shares)[1:]
    out = _head("kind", "pairs", "**xqdata** precision", "**xqdata** recall", *(f"{TITLES[p]}, recall" for p in peers))
    for kind in [*COPY, "copies", "rescan", "crop"]:
        of = shares.of("recall", OURS, kind)
        if of:
            name = "**all copies**" if kind == "copies" else kind
            recalls = [shares.told("recall", peer, kind) for peer in peers]
            own = (shares.told("precision", OURS, kind), shares.told("recall", OURS, kind))
            out.append(_row(name, f"{of:,}", *own, *recalls))
    blank = [""] * 2
    found = [(shares.of("precision", p, "any"), p) for p in [OURS, *peers]]
    out.append(_row("pairs found", *blank, *(f"{count:,}" for count, _ in found)))
    out.append(
        _row("of them copies: **precision**", *blank, *(shares.told("precision", p, "copies") for _, p in found))
    )
    out.append(_row("of them copies or ties", *blank, *(shares.told("precision", p, "any") for _, p in found)))
    return out


def _false(shares: Shares) -> list[str]:
    """False links in a million pairs."""
    names = _contestants(shares)
    out = _head("pairs that are no copies", "pairs", "**xqdata**, copies", "**xqdata**, ties",
                *(TITLES[n] for n in names[1:]))  # fmt: skip
    for group, title in ALIKE.items():
        if of := shares.of("false", OURS, group):
            cells = [shares.million("false", n, group) for n in (OURS, f"{OURS}, ties", *names[1:])]
            out.append(_row(title, f"{of:,}", *cells))
    return out


def _stages(shares: Shares) -> list[str]:
    """What each stage keeps, and which channels proposed it."""
    kinds = [kind for kind in (*COPY, "rescan", "crop") if shares.of("stage", kind, "proposed")]
    out = _head("kind", "pairs", "proposed", "through the filters", "verified", "in one cluster, or tied")
    for kind in kinds:
        cells = [shares.told("stage", kind, stage) for stage in STAGES]
        out.append(_row(kind, f"{shares.of('stage', kind, 'proposed'):,}", *cells))
    out += ["", *_head("kind", *CHANNELS)]
    for kind in kinds:
        cells = []
        for channel in CHANNELS:
            of, hits, alone = (
                shares.of("channel", kind, channel),
                *(shares.hits(what, kind, channel) for what in ("channel", "alone")),
            )
            cells.append(f"{hits / of:.3f}" + (f", {alone} alone" if alone else ""))
        out.append(_row(kind, *cells))
    return out


def _rates(shares: Shares) -> list[str]:
    """Precision and recall by how common copies are."""
    names = _contestants(shares)
    out = _head("copies of each kind", *(f"{TITLES[n]}: {what}" for n in names for what in ("precision", "recall")))
    for rate in RARE:
        keys = [("rare", n, str(rate), what) for n in names for what in ("precision", "recall")]
        out.append(_row(f"{rate:.1%}", *(floor(shares.hits(*k), max(1, shares.of(*k))) for k in keys)))
    return out


def _untouched(options: argparse.Namespace) -> Iterator[str]:
    """What is found among real scans that nothing was added to."""
    first = True
    told = []
    for source in SOURCES:
        case = untouched(options.keep / "real", options.real / source, options.workers)
        found = dict(_found(case, options))
        if first:
            yield from _head("source", "scans", "pairs", "**xqdata** copies", "ties", "undecided",
                             *(TITLES[n] for n in list(found)[1:]))  # fmt: skip
            first = False
        ours = found[OURS]
        ties = sum(len(keys) for keys in ours.ties.values())
        others = [f"{len(f.copies):,}" for n, f in found.items() if n != OURS]
        pairs = len(case) * (len(case) - 1) // 2
        yield _row(source, len(case), f"{pairs:,}", len(ours.copies), ties, len(ours.undecided), *others)
        told += list(_tied(case))
    yield ""
    yield "Ties found: " + ("; ".join(told) or "none") + "."


def _tied(case: Case) -> Iterator[str]:
    names = {image: Path(p.path).stem for image, p in zip(case.ids, case.pictures, strict=True)}
    by_kind: dict[str, list[str]] = {}
    for row in manifest.read(case.project, "links").to_pylist():
        if row["kind"] not in COPY_KINDS:
            ends = sorted((names[row["image_a"]], names[row["image_b"]]))
            by_kind.setdefault(row["kind"], []).append(" – ".join(ends))
    for kind, pairs in by_kind.items():
        yield f"{case.name.removesuffix('-untouched')}, {kind}: {', '.join(sorted(pairs))}"


def _write(made: dict[str, str]) -> None:
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    stamp = f"{date.today()}; Python {platform.python_version()}, xqdata {xqdata.__version__}, numpy {np.__version__}"
    for name, table in made.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{table}\n\n{stamp}.\n\n{end}{rest.split(end)[1]}"
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
