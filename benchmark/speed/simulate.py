"""How fast the simulator makes a dataset, where its time goes, and how fast its PNG encoder alone would be.

    python benchmark/speed/simulate.py [--workers 1,2] [--repeats 3] [--scans 1229] [--write]

The datasets are made in a temporary folder. Prints Markdown tables; `--write` puts them into simulate.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from xqdata.engine import map_shards
from xqdata.simulate import PRESETS, Settings, machine, run
from xqdata.simulate.detector import Table
from xqdata.simulate.files import files
from xqdata.simulate.pictures import encoded
from xqdata.simulate.plan import plan

PAGE = Path(__file__).with_name("simulate.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
GOAL = 60.0  # seconds for the default dataset on two cores
# Stage: the functions whose time it is, each where the simulator looks it up.
STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    "scene": ((run, "scene"),),
    "project": ((machine, "project"), (machine, "add_projection")),
    "attenuate": ((Table, "signals"),),
    "expose": ((machine, "expose"),),
    "colour": ((machine, "colour"),),
    "mask": ((machine, "_mask"), (machine, "_boxes")),
    "encode": ((run, "derived"), (run, "encoded")),
    "write": ((run, "_write"),),
}
_PACKAGES = ("xqdata", "numpy", "numba", "opencv-python-headless", "scipy")
_TIMES = 3  # that the encoder alone goes over each picture
_warm: list[bool] = []


@dataclass(frozen=True)
class Timed:
    """What a worker measured on one shard. `stages`: processor seconds of each stage; `whole`: of all of it. `encoder`:
    wall-clock seconds of the PNG encoder for each of `pictures` pictures.
    """

    stages: dict[str, float]
    whole: float
    scans: int
    encoder: float
    pictures: int


@dataclass(frozen=True)
class Ran:
    """One run of the command."""

    seconds: float
    cpu: float
    files: int


def main() -> None:
    """Run, measure, print."""
    options = _options()
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="xqdata-speed-") as name:
        folder = Path(name)
        _simulate(folder, 12, max(options.workers))  # compiled loops are kept on disk from the first run on
        runs = {n: [_simulate(folder, options.scans, n) for _ in range(options.repeats)] for n in options.workers}
        starts = {n: median(_simulate(folder, 1, n).seconds for _ in range(options.repeats)) for n in options.workers}
        stages = {n: list(_stages(folder, options, n)) for n in options.workers}
    load.append(os.getloadavg()[0])
    parts = [_circumstances(options, load), _runs_table(runs, starts, stages), _stages_table(options, stages)]
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN, 1)
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2", help="worker processes, one table row each (1,2)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of the command (3)")
    parser.add_argument("--scans", type=int, default=PRESETS["default"].scans, help="of the dataset (%(default)s)")
    parser.add_argument("--shards", type=int, default=16, help="shards of 12 scans whose stages are timed (16)")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmark/speed/simulate.md")
    options = parser.parse_args()
    options.workers = tuple(int(n) for n in options.workers.split(","))
    return options


# --- the command


def _simulate(folder: Path, scans: int, workers: int) -> Ran:
    """Seconds, processor seconds and files of `xqdata simulate` in an empty folder."""
    command = [str(Path(sys.executable).with_name("xqdata")), "simulate", "raw", "--scans", str(scans)]
    with tempfile.TemporaryDirectory(dir=folder) as name:
        start, before = time.perf_counter(), os.times()
        subprocess.run([*command, "--workers", str(workers), "--quiet"], cwd=name, check=True)
        seconds, after = time.perf_counter() - start, os.times()
        made = sum(path.is_file() for path in Path(name, "raw").rglob("*")) - 1  # all but the log
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Ran(seconds, cpu, made)


# --- its stages


def _stages(folder: Path, options: argparse.Namespace, workers: int) -> Iterator[Timed]:
    """Shards of the same dataset, spread over its diary, each timed in a worker of the simulator's own kind."""
    settings = replace(PRESETS["default"], scans=options.scans)
    scans = plan(settings)
    shards = run._shards(settings, folder / f"staged-{workers}", scans, files(settings, scans))
    chosen = shards[:: max(1, len(shards) // options.shards)][: options.shards]
    for _, timed in map_shards(_timed, chosen, workers=workers):
        yield timed


def _timed(shard: Any) -> Timed:
    """Make the shard's files with a clock at every stage; then encode its scans again, and nothing else."""
    if not _warm:
        with tempfile.TemporaryDirectory() as name:
            run._make(replace(shard, raw=Path(name)))
        _warm.append(True)
    clock: Counter[str] = Counter()
    start = time.process_time()
    with _clocked(clock):
        run._make(shard)
    whole = time.process_time() - start
    pictures = list(_pictures(shard.settings, shard.work))
    start = time.perf_counter()
    for file, pixels in pictures * _TIMES:
        encoded(file, pixels)
    return Timed(dict(clock), whole, len(shard.work), time.perf_counter() - start, len(pictures) * _TIMES)


@contextmanager
def _clocked(clock: Counter[str]) -> Iterator[None]:
    """Every function of STAGES adds the processor time that it takes to its stage."""
    with ExitStack() as stack:
        for stage, places in STAGES.items():
            for owner, name in places:
                stack.enter_context(patch.object(owner, name, _watched(getattr(owner, name), stage, clock)))
        yield


def _watched(function: Callable[..., Any], stage: str, clock: Counter[str]) -> Callable[..., Any]:
    def watched(*arguments: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            clock[stage] += time.process_time() - start

    return watched


def _pictures(settings: Settings, work: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The PNG files of the scans in `work` and their pixels."""
    for scan, wanted in work:
        shots = machine.photograph(settings, scan, run.scene(settings, scan), exposed=True)
        yield from ((f, shots[f.view, f.channel].pixels) for f in wanted if f.kind == "scan")


# --- the page


def _runs_table(runs: dict[int, list[Ran]], starts: dict[int, float], stages: dict[int, list[Timed]]) -> str:
    head = ["`xqdata simulate`", "files", "s: median (min to max)", "processor s", "images/s", "of one scan alone: s",
            "PNG encoder alone: images/s", "share of the floor"]  # fmt: skip
    rows = []
    for workers, laps in runs.items():
        seconds = [lap.seconds for lap in laps]
        rate = laps[0].files / median(seconds)
        floor = workers * sum(t.pictures for t in stages[workers]) / sum(t.encoder for t in stages[workers])
        goal = ""
        if workers == 2 and laps[0].files > PRESETS["default"].scans:
            goal = f"; goal {GOAL:.0f} {'met' if median(seconds) < GOAL else 'not met'}"
        rows.append([
            f"{workers} worker{'s' * (workers > 1)}",
            f"{laps[0].files:,}",
            f"{median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f}){goal}",
            f"{median(lap.cpu for lap in laps):.1f}",
            f"{rate:.1f}",
            f"{starts[workers]:.1f}",
            f"{floor:.0f}",
            f"{rate / floor:.0%}",
        ])  # fmt: skip
    return _table(head, rows)


def _stages_table(options: argparse.Namespace, stages: dict[int, list[Timed]]) -> str:
    names = [*STAGES, "rest"]
    rows = []
    for workers, timed in stages.items():
        scans = sum(t.scans for t in timed)
        spent = {name: sum(t.stages.get(name, 0.0) for t in timed) for name in STAGES}
        whole = sum(t.whole for t in timed)
        spent["rest"] = whole - sum(spent.values())
        cells = [f"{1000 * spent[name] / scans:.1f} ({spent[name] / whole:.0%})" for name in names]
        rows.append([f"{workers} worker{'s' * (workers > 1)}", *cells, f"{1000 * whole / scans:.1f}"])
    return _table(["processor ms per scan (share)", *names, "whole"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _circumstances(options: argparse.Namespace, load: Sequence[float]) -> str:
    command = " ".join(["python", "benchmark/speed/simulate.py", *sys.argv[1:]])
    return "\n".join([
        f"- {time.strftime('%Y-%m-%d')}: `{command}`; {options.scans:,} scans, {options.repeats} runs, stages over "
        f"{options.shards} shards of {run.SHARD_SCANS} scans",
        f"- {os.cpu_count()} cores; load average {load[0]:.1f} before and {load[1]:.1f} after (the measurement itself "
        f"keeps up to {max(options.workers)} busy)",
        f"- Python {platform.python_version()}; {', '.join(f'{n} {version(n)}' for n in _PACKAGES)}",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
