"""How long an audit takes: the whole command, with its own process, on splits of a project that dedup looked at.

    python benchmark/audit/speed.py PROJECT [--split NAME]... [--workers N] [--write]

PROJECT is read only: its tables and sketches are copied to a scratch folder. Splits that do not stand are made first:
`study` at random, `default` by scan type. `--write` puts the table into the README beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from planted import table, write

import xqdata

XQDATA = Path(sys.executable).with_name("xqdata")
MADE = {"study": ("--method", "random"), "default": ("--by", "scan-type")}


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--split", action="append", choices=sorted(MADE))
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(asked.project / "manifests", place / "manifests")
        shutil.copytree(asked.project / ".xqdata" / "sketches", place / ".xqdata" / "sketches")
        rows = [measured(place, name, asked.workers) for name in asked.split or ["default", "study"]]
    told = table([["split", "images", "findings", "seconds", "processor seconds"], *rows])
    told += f"\nxqdata {xqdata.__version__}, {asked.workers} workers, {platform.processor() or platform.machine()}, "
    told += f"{os.cpu_count()} cores, {date.today():%Y-%m-%d}.\n"
    print(told)
    if asked.write:
        write("speed", told)


def measured(folder: Path, name: str, workers: int) -> list[str]:
    """One row: the split, what the audit says, and what it took."""
    if not (folder / "manifests" / "splits" / f"{name}.parquet").exists():
        subprocess.run([XQDATA, "split", *MADE[name], "--name", name, "--quiet"], cwd=folder, check=True)
    before, start = used(), time.perf_counter()
    command = [XQDATA, "audit", "--name", name, "--workers", str(workers), "--json"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    seconds, spent = time.perf_counter() - start, used() - before
    told = json.loads(done.stdout)
    return [name, f"{told['images']:,}", f"{len(told['findings'])}", f"{seconds:.1f}", f"{spent:.1f}"]


def used() -> float:
    """Processor seconds of all processes that this one waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    main()
