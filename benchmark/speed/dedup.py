"""How fast all pairs of near hashes are found, beside faiss and imagededup, in one run.

    python benchmark/speed/dedup.py --peers PYTHON [--sizes 1e4,1e5,1e6] [--radius 8] [--hashes FILE] [--write]

The hashes are generated in a temporary folder. Prints a Markdown table; `--write` puts it into dedup.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import hashes
import joiners
import numpy as np

PAGE = Path(__file__).with_name("dedup.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
OURS, PLANTED = "xqdata", "planted copies"
TITLES = {
    OURS: "**xqdata**",
    "faiss_flat": "faiss IndexBinaryFlat",
    "faiss_multihash": "faiss IndexBinaryMultiHash",
    "imagededup_brute": "imagededup, brute force in Cython",
    "imagededup_bktree": "imagededup, BK-tree",
}
# The most hashes of a contestant, where more would take an hour or longer: of all workloads, and of crowded ones.
LIMITS = {"imagededup_brute": 10_000, "imagededup_bktree": 2_000}
CROWDED_LIMITS = LIMITS | {"faiss_multihash": 100_000}
BUDGET = 20_000_000
T = TypeVar("T")


@dataclass
class Case:
    """One column of hashes, what it is called, and what each contestant's runs on it said."""

    workload: str
    count: int
    file: Path
    radius: int
    runs: dict[str, list[dict[str, Any]]]


def main() -> None:
    """Generate, join, compare, print."""
    options = _options()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="xqdata-join-", dir=options.folder) as name:
        cases = [case for count in options.sizes for case in _cases(Path(name), count, options)]
        for case in cases:
            _measure(case, options)
            _say(_table([case]))
        text = "\n\n".join([_circumstances(options, load), _table(cases), _notes(cases)])
    print(text)
    if options.write:
        before, rest = PAGE.read_text().split(BEGIN, 1)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has requirements-join.txt installed")
    parser.add_argument("--sizes", default="2e3,1e4,1e5,1e6", help="numbers of hashes (%(default)s)")
    parser.add_argument("--workloads", default="planted,baskets", help="some of %(default)s")
    parser.add_argument("--radius", type=int, default=8, help="bits in which a pair may differ (8)")
    parser.add_argument("--threads", type=int, default=2, help="of each contestant (2)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each; above 10 seconds one is enough (3)")
    parser.add_argument("--hashes", type=Path, help="a .npy or images.parquet to resample instead of drawn baskets")
    parser.add_argument("--seed", type=int, default=0, help="of the hashes (0)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--write", action="store_true", help="put the table into benchmark/speed/dedup.md")
    options = parser.parse_args()
    options.sizes = [int(float(size)) for size in options.sizes.split(",")]
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _cases(folder: Path, count: int, options: argparse.Namespace) -> list[Case]:
    _say(f"making {count} hashes")
    columns = {}
    if "planted" in options.workloads:
        columns[PLANTED] = hashes.planted(count, options.seed)
    if "baskets" in options.workloads and options.hashes:
        columns[f"resampled from {options.hashes.name}"] = hashes.resampled(options.hashes, count, options.seed)
    elif "baskets" in options.workloads:
        columns["single objects in a basket"] = hashes.baskets(count, options.seed, options.threads)
    cases = []
    for name, column in columns.items():
        file = folder / f"{name}-{count}.npy".replace(" ", "-")
        np.save(file, column)
        cases.append(Case(name, count, file, options.radius, {}))
    return cases


def _measure(case: Case, options: argparse.Namespace) -> None:
    """Run all contestants in turns, until each has its runs."""
    for _ in range(options.repeats):
        for name in TITLES:
            limits = LIMITS if case.workload == PLANTED else CROWDED_LIMITS
            if case.count > limits.get(name, case.count) or (name != OURS and not options.peers):
                continue
            runs = case.runs.setdefault(name, [])
            if not runs or sum(run["seconds"] for run in runs) < 10:
                _say(f"{case.workload}, {case.count}: {name}")
                runs.append(_run(name, case, options))


def _run(name: str, case: Case, options: argparse.Namespace) -> dict[str, Any]:
    python = sys.executable if name == OURS else options.peers
    command = [python, joiners.__file__, name, str(case.file), str(case.radius), str(options.threads)]
    return _asked(command, OMP_NUM_THREADS=str(options.threads))


def _asked(command: list[str], **environment: str) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, env=os.environ | environment, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr.decode()}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _table(cases: list[Case]) -> str:
    head = [
        "hashes",
        "joined by",
        "s",
        "processor s",
        "peak MB (before)",
        "pairs",
        "times xqdata's (by processor time)",
    ]
    lines = [head, ["---", "---", *["---:"] * 5]]
    for case in cases:
        for name, runs in case.runs.items():
            lines.append([f"{case.count:,} {case.workload}", TITLES[name], *_figures(case, name, runs)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _figures(case: Case, name: str, runs: list[dict[str, Any]]) -> list[str]:
    ours = case.runs[OURS]
    all_seconds = [run["seconds"] for run in runs]
    spread = f" ({min(all_seconds):.3g} to {max(all_seconds):.3g})" if len(runs) > 1 else ""
    most, before = (max(run[key] for run in runs) for key in ("peak", "before"))
    same = all((run["pairs"], run["sum"]) == (ours[0]["pairs"], ours[0]["sum"]) for run in runs)
    times = [_median(runs, key) / _median(ours, key) for key in ("seconds", "cpu")]
    return [
        f"{_median(runs, 'seconds'):.3g}{spread}",
        f"{_median(runs, 'cpu'):.3g}",
        f"{most} ({before})",
        f"{runs[0]['pairs']:,}" + ("" if same else " **not the same**"),
        "" if name == OURS else f"{times[0]:,.3g} ({times[1]:,.3g})",
    ]


def _median(runs: list[dict[str, Any]], key: str) -> float:
    return median(run[key] for run in runs)


def _notes(cases: list[Case]) -> str:
    """What the census says of each column, and the join at the radius that it allows."""
    from xqdata.dedup.census import census

    lines = []
    for case in cases:
        column = np.load(case.file)
        seconds, counted = _timed(lambda column=column, case=case: census(column, case.radius, crowd=case.count))
        lines.append(
            f"- {case.count:,} {case.workload}: {len(np.unique(column)):,} different hashes; a census takes "
            f"{seconds:.2f} s and expects {counted.pairs[-1]:,.0f} pairs"
        )
        radius = counted.radius_within(BUDGET)
        if radius is not None and radius < case.radius:
            seconds, found = _timed(lambda column=column, radius=radius: _count(column, radius))
            lines[-1] += f"; {BUDGET:,} allow a radius of {radius}, where {found:,} are found in {seconds:.2f} s"
    return ".\n".join(lines) + "."


def _timed(function: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def _count(column: hashes.Hashes, radius: int) -> int:
    from xqdata.dedup.join import pairs_within

    return sum(len(pairs.first) for pairs in pairs_within(column, radius, crowd=len(column)))


def _circumstances(options: argparse.Namespace, load: float) -> str:
    given = " ".join(a for a in sys.argv[1:] if a not in (options.peers, "--peers"))
    ours = _asked([sys.executable, joiners.__file__, "versions"])
    peers = _asked([options.peers, joiners.__file__, "versions"]) if options.peers else {}
    lines = [
        f"- {time.strftime('%Y-%m-%d')}: `{f'python benchmark/speed/dedup.py --peers PYTHON {given}'.strip()}`; radius "
        f"{options.radius}, {options.threads} threads, median of up to {options.repeats} runs",
        f"- {_processor()}, {os.cpu_count()} cores; load average {load:.1f} before and {os.getloadavg()[0]:.1f} after",
        f"- Python {platform.python_version()}; xqdata with {_told(ours)}; peers: {_told(peers) or 'none'}",
    ]
    return "\n".join(lines)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())


def _told(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


if __name__ == "__main__":
    main()
