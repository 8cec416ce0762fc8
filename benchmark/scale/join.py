"""The join of near hashes: on one machine, and on a Ray cluster of two local nodes.

    python benchmark/scale/join.py [--sizes 1e4,1e5,1e6,1e7] [--radius 8] [--repeats 3] [--write]

Random 64-bit hashes of pictures in eight orientations, a hundredth of them within the radius of another picture's, are
joined as dedup joins most of its columns (`oriented_pairs`): by one thread, by a thread on each processor, and by tasks
of the cluster, one for each table. Each contestant is a process of its own that has joined a small column before, so
that compiled code and the cluster's workers are warm. Seconds are of the join alone; `cpu_seconds` of all processors
that it kept busy, which other work on the machine changes least. Memory is the kernel's peak of
resident pages: of the contestant's own process, and of the largest worker (`worker_mb`), of which there is one on each
node; both hold the libraries that they import.

Both nodes share this machine's processors, so what is compared is what sending costs, not what a second machine gives:
the cluster is even where its seconds are those of the threads, and ahead of them with two machines from about where
sending is a small part of the whole. `--write` puts the lines into results/join.csv.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tidy import keep
from watched import nodes_of_ray, peak, processor, workers

RESULTS = Path(__file__).with_name("results") / "join.csv"
WAYS = ("one thread", "threads", "cluster")
NEAR = 0.01
_WARM = 4_000


def column(count: int, radius: int, seed: int) -> NDArray[np.uint64]:
    """(count, 8) random hashes, of which a share of NEAR are another row with up to `radius` bits turned in each."""
    dice = np.random.default_rng(seed)
    hashes = dice.integers(0, 1 << 64, (count, 8), np.uint64)
    near = dice.choice(count, int(count * NEAR), replace=False)
    turned = np.zeros((len(near), 8), np.uint64)
    many = dice.integers(0, radius + 1, len(near))
    for n in range(radius):
        bit = np.uint64(1) << dice.integers(0, 64, turned.shape, np.uint64)
        turned |= np.where(n < many[:, None], bit, np.uint64(0))
    hashes[near] = hashes[dice.integers(0, count, len(near))] ^ turned
    return hashes


def contest(way: str, file: str, radius: int, address: str) -> None:
    """In a process of its own: join the column of `file`, and print a line of JSON."""
    from xqdata import engine
    from xqdata.dedup import join
    from xqdata.engine import Engine

    join._FEW = 0
    chosen = Engine("ray", address) if way == "cluster" else Engine()
    count = 1 if way == "one thread" else None
    hashes = np.load(file)
    with engine.on(chosen):
        _count(join.oriented_pairs(hashes[:_WARM].copy(), radius, workers=count))
        own = Path("/proc/self")
        spent, start = _spent(way, own), time.perf_counter()
        pairs = _count(join.oriented_pairs(hashes, radius, workers=count))
        seconds, spent = time.perf_counter() - start, _spent(way, own) - spent
        largest = max((peak(place) for place in workers(None)), default=0) if way == "cluster" else 0
    told = {"seconds": seconds, "cpu_seconds": spent, "peak_mb": peak(own), "worker_mb": largest, "pairs": pairs}
    print(json.dumps(told))


def _spent(way: str, own: Path) -> float:
    """CPU seconds so far, those of the cluster's workers with them."""
    return processor(own) + (sum(processor(place) for place in workers(None)) if way == "cluster" else 0.0)


def _count(matches: Any) -> int:
    return sum(len(pairs.first) for pairs in matches)


def measured(way: str, file: Path, radius: int, repeats: int) -> dict[str, Any]:
    """The median run of one contestant; a cluster is started for each run, so that the peaks of its workers are its."""
    runs = []
    for _ in range(repeats):
        with nodes_of_ray() if way == "cluster" else nullcontext("") as address:
            command = [sys.executable, __file__, "--contest", way, str(file), str(radius), address]
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            runs.append(json.loads(said.splitlines()[-1]))
    return {
        "seconds": round(median(run["seconds"] for run in runs), 3),
        "cpu_seconds": round(median(run["cpu_seconds"] for run in runs), 2),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "worker_mb": max(run["worker_mb"] for run in runs) or "",
        "pairs": runs[0]["pairs"],
    }


def main() -> None:
    """Measure, print, and keep where asked to."""
    if sys.argv[1:2] == ["--contest"]:
        way, file, radius, address = sys.argv[2:]
        contest(way, file, int(radius), address)
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1e4,1e5,1e6", help="numbers of hashes (%(default)s)")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of: %(default)s")
    parser.add_argument("--radius", type=int, default=8, help="bits in which a pair may differ (8)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, of which the median is told (3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"keep the lines in {RESULTS.name}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xqdata-join-") as folder:
        for size in sorted(int(float(size)) for size in given.sizes.split(",")):
            file = Path(folder) / "hashes.npy"
            np.save(file, column(size, given.radius, given.seed))
            for way in given.ways.split(","):
                row = {"step": f"join, {way}", "size": size, "unit": "pictures"}
                row |= measured(way, file, given.radius, given.repeats)
                print("{step:18} {size:12,} {seconds:10.2f} s {peak_mb:7,} MB {pairs:12,} pairs".format(**row),
                      f"worker {row['worker_mb']} MB", flush=True)  # fmt: skip
                if given.write:
                    keep([row], RESULTS, ("step", "size"))


if __name__ == "__main__":
    main()
