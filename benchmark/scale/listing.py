"""How long an ingest of very many files takes until the first of them are measured, and until readers are chosen.

    python benchmark/scale/listing.py [--files 200000] [--folder FOLDER] [--repeats 1] [--source OTHER_CHECKOUT]

Makes a raw folder of tiny pictures, 1,000 in each of its folders, and deletes it afterwards. Each ingest runs in a
process of its own and is ended when both are known. One row as xqdata does it, one where files are measured only when
all are listed, and with `--source` one of another version of xqdata.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

_EACH = 1000  # files of a folder
_CHILD = """
import json, sys, time
from pathlib import Path
from xqdata import taxonomy
from xqdata.config import Config
from xqdata.ingest import Options, ingest, resolve, run
from xqdata.manifest import Project

class Known(Exception):
    pass

seen = {}
def now(what):
    seen.setdefault(what, time.perf_counter() - start)
    if len(seen) == 2:
        raise Known

if __name__ == "__main__":
    if sys.argv[3] == "late":
        run.PATIENCE = None
    roots, reference = resolve([sys.argv[1]], {}), taxonomy.load(None)
    tell = Options(announce=lambda _: now("readers"), progress=lambda _, done, total: done and now("first"))
    start = time.perf_counter()
    try:
        ingest(Project(Path(sys.argv[2])), roots, Config(), reference, tell)
    except Known:
        print(json.dumps(seen))
"""


def main() -> None:
    """Make the folder, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="where the raw folder is made, instead of the temporary folder")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--source", type=Path, help="the folder of another version of xqdata, to compare with")
    options = parser.parse_args()
    here = Path(__file__).parents[2]
    cases = [("listed first, then measured", here, "late"), ("measured while listing", here, "soon")]
    if options.source:
        cases.insert(0, (options.source.name, options.source, "soon"))
    with tempfile.TemporaryDirectory(prefix="xqdata-scale-", dir=options.folder) as temporary:
        raw = Path(temporary) / "raw"
        write(raw, options.files)
        found: dict[str, list[dict[str, float]]] = {name: [] for name, *_ in cases}
        for _ in range(options.repeats):
            for name, source, how in cases:
                found[name].append(measured(raw, Path(temporary) / "project", source, how))
                print(name, found[name][-1], file=sys.stderr, flush=True)
    print("| files | ingest | first files measured after | readers chosen after |")
    print("|--:|---|--:|--:|")
    for name, times in found.items():
        first, readers = (statistics.median(one[what] for one in times) for what in ("first", "readers"))
        print(f"| {options.files:,} | {name} | {first:.1f} s | {readers:.1f} s |")


def write(raw: Path, files: int) -> None:
    """Fill `raw`: one picture in each folder, and links to it, as many as a file system takes of one file."""
    for start in range(0, files, _EACH):
        folder = raw / f"apple_{start // _EACH:05}"
        folder.mkdir(parents=True)
        first = folder / "scan_0000.png"
        Image.new("L", (8, 8), start // _EACH % 256).save(first)
        for number in range(1, min(_EACH, files - start)):
            os.link(first, folder / f"scan_{number:04}.png")


def measured(raw: Path, project: Path, source: Path, how: str) -> dict[str, float]:
    """Seconds to the first measured files and to the readers, of one ingest into a new project."""
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    script = project / "child.py"
    script.write_text(_CHILD, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(source)}
    words = [sys.executable, str(script), str(raw), str(project), how]
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode or not done.stdout:
        raise SystemExit(f"{how} failed after {time.perf_counter() - started:.0f} s: {done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


if __name__ == "__main__":
    main()
