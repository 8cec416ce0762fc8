"""Ingest and dedup of very many tiny pictures: worker processes against a Ray cluster of two local nodes.

    python benchmark/scale/engines.py [--sizes 1e3,1e4,1e5] [--steps ingest,dedup] [--repeats 1] [--write]

The pictures have 32 x 32 pixels, so that what is measured is what xqdata does around each file: listing, sending,
tables. One in fifty is a copy of another. Both contestants have two workers with a processor each, on the same two
processors; they take turns, and their tables must have the same digests. Seconds are of the whole command; CPU seconds,
of it and its workers, are what a busy machine changes least. Memory is the kernel's peak of resident pages: of the
command's own process, and of its largest worker.

Both nodes share this machine, so what is compared is what sending costs, not what a second machine gives. `--write`
puts the lines into results/engines.csv, in place of those of the same step, size and engine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from tidy import keep
from watched import nodes_of_ray, peak, processor, workers

from xqdata import manifest
from xqdata.manifest import Project

RESULTS = Path(__file__).with_name("results") / "engines.csv"
XQDATA = str(Path(sys.executable).with_name("xqdata"))
ENGINES = ("processes", "ray")
STEPS = {"ingest": ("images", "rejects", "sources"), "dedup": ("links", "undecided", "duplicates", "masks")}
SIDE, EACH, COPIED = 32, 1000, 50
_OFTEN = 0.2  # seconds between two looks at the workers


@dataclass(frozen=True)
class Line:
    """One measurement: medians of seconds, the highest peaks."""

    step: str
    size: int
    engine: str
    seconds: float
    cpu_seconds: float
    peak_mb: int
    worker_mb: int


def write(raw: Path, count: int) -> None:
    """Fill `raw` with `count` smooth pictures, EACH in a folder; one of COPIED is another's file once more."""
    dice = np.random.default_rng(0)
    before = raw
    for number in range(count):
        file = raw / f"apple_{number // EACH:05}" / f"scan_{number % EACH:04}.png"
        if number % EACH == 0:
            file.parent.mkdir(parents=True)
        if number % COPIED == COPIED - 1:
            shutil.copyfile(before, file)
            continue
        coarse = dice.integers(0, 256, (6, 6), np.uint8)
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file)
        before = file


def measured(project: Project, step: str, arguments: list[str], ours: bool) -> tuple[float, float, int, int]:
    """(seconds, CPU seconds, peak of the command in MB, peak of its largest worker). `ours`: workers are the command's
    children, whose CPU seconds the kernel adds to its own.
    """
    largest, spent = 0, {}
    over = threading.Event()

    def look(parent: int) -> None:
        nonlocal largest
        while not over.wait(_OFTEN):
            for place in workers(parent if ours else None):
                largest = max(largest, peak(place))
                spent[place] = processor(place)

    start = time.perf_counter()
    process = subprocess.Popen(
        [XQDATA, step, *arguments, "--quiet"], cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    before = {} if ours else {place: processor(place) for place in workers(None)}
    watcher = threading.Thread(target=look, args=(process.pid,))
    watcher.start()
    said = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{step} failed: {said.decode(errors='replace')[-2000:]}")
    own = used.ru_utime + used.ru_stime
    others = 0.0 if ours else sum(value - before.get(place, 0.0) for place, value in spent.items())
    return seconds, own + others, used.ru_maxrss // 1024, largest


def digests(project: Project, step: str) -> dict[str, str]:
    """Of the tables that the step writes."""
    return {name: manifest.provenance(project, name).digest for name in STEPS[step]}


def contest(folder: Path, count: int, steps: list[str], repeats: int) -> Iterator[Line]:
    """Both engines, taking turns, each in a new project; the cluster is started anew for each."""
    write(folder / "raw", count)
    found: dict[tuple[str, str], list[tuple[float, float, int, int]]] = {}
    told: dict[str, dict[str, str]] = {}
    for _ in range(repeats):
        for name in ENGINES:
            project = Project(folder / name)
            shutil.rmtree(project.folder, ignore_errors=True)
            project.folder.mkdir()
            with nodes_of_ray() if name == "ray" else nullcontext("") as address:
                where = ["--engine", "ray", "--ray-address", address] if address else ["--workers", "2"]
                for step in STEPS if "dedup" in steps else ["ingest"]:
                    arguments = [*(["../raw"] if step == "ingest" else []), *where]
                    found.setdefault((step, name), []).append(measured(project, step, arguments, not address))
                    now = digests(project, step)
                    if told.setdefault(step, now) != now:
                        sys.exit(f"{step} of {count} pictures has other tables with {name}: {now}, {told[step]}")
    for (step, name), runs in found.items():
        if step in steps:
            seconds, spent, own, other = zip(*runs, strict=True)
            yield Line(step, count, name, round(median(seconds), 2), round(median(spent), 2), max(own), max(other))


def main() -> None:
    """Measure, print, and keep where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1e3,1e4,1e5", help="numbers of pictures (%(default)s)")
    parser.add_argument("--steps", default="ingest,dedup")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where pictures and projects are, instead of the temporary folder")
    parser.add_argument("--write", action="store_true", help=f"keep the lines in results/{RESULTS.name}")
    asked = parser.parse_args()
    for size in asked.sizes.split(","):
        with tempfile.TemporaryDirectory(prefix="xqdata-scale-", dir=asked.folder) as temporary:
            lines = list(contest(Path(temporary), int(float(size)), asked.steps.split(","), asked.repeats))
        for line in lines:
            took = f"{line.seconds:.1f} s, {line.cpu_seconds:.1f} s of processors"
            held = f"{line.peak_mb} MB, worker {line.worker_mb} MB"
            print(f"{line.step} {line.size:,} {line.engine}: {took}, {held}", flush=True)
        if asked.write:
            keep([asdict(line) for line in lines], RESULTS, ("step", "size", "engine"))


if __name__ == "__main__":
    main()
