"""What the steps that run on one machine take, by the number of images: seconds and memory.

    python benchmark/scale/steps.py [--sizes 1e4,1e5,1e6,1e7] [--steps split,audit] [--folder FOLDER] [--write]

The projects are made by tables.py, without pictures, and removed again. Each step is the installed command in a
process of its own; seconds are from its start to its end, memory is the kernel's own peak of resident pages. No step
here starts other processes, so that this is all it takes. A step that would need more than --memory or --timeout is
ended and told as such, and so are larger sizes of it.

`--write` puts the lines into results/steps.csv, in place of those of the same step, size and unit.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tables import SHAPES, write
from tidy import keep

from xqdata import manifest
from xqdata.manifest import Project

RESULTS = Path(__file__).with_name("results") / "steps.csv"
XQDATA = str(Path(sys.executable).with_name("xqdata"))
CLUSTERS = str(Path(__file__).with_name("clusters.py"))
# By name: what is run in the project's folder. An audit that finds something ends with 0, or with 3 where asked to.
STEPS = {
    "split": [XQDATA, "split", "--quiet"],
    "split --by scan-type": [XQDATA, "split", "--by", "scan-type", "--name", "by", "--quiet"],
    "audit": [XQDATA, "audit", "--quiet"],
    "audit of a leaky split": [XQDATA, "audit", "--name", "given", "--quiet"],
    "status": [XQDATA, "status", "--quiet"],
    "clusters of dedup": [sys.executable, CLUSTERS, "."],
}
NEEDS = {"audit": "default"}
_OFTEN = 0.05  # seconds between two looks at the memory of a step


@dataclass(frozen=True)
class Line:
    """One measurement. `cpu_seconds`: of all threads, which a busy machine changes least. `seconds`, `cpu_seconds` and
    `peak_mb` are empty where the step was ended, and `note` says by what.
    """

    step: str
    size: int
    unit: str
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_mb: int | None = None
    note: str = ""


def measured(step: str, project: Project, size: int, unit: str, limits: tuple[float, float]) -> Line:
    """Run one step; `limits`: GiB of memory, and seconds."""
    start = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(STEPS[step], cwd=project.folder, stdout=said, stderr=said)
        note = _watched(process, limits)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        if note:
            return Line(step, size, unit, note=note)
        code = os.waitstatus_to_exitcode(status)
        said.seek(0)
        last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    if code:
        return Line(step, size, unit, note=f"exit code {code}: {''.join(last)}"[:200])
    return Line(step, size, unit, round(seconds, 2), round(used.ru_utime + used.ru_stime, 2), used.ru_maxrss // 1024)


def _watched(process: subprocess.Popen[bytes], limits: tuple[float, float]) -> str:
    """Wait until the process is about to end, or end it; why."""
    memory, seconds = limits
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        for limit, above in ((f"{seconds:g} s", time.monotonic() > end),
                             (f"{memory:g} GiB", _resident(process.pid) > memory * 2**30)):  # fmt: skip
            if above:
                process.kill()
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                return f"more than {limit}"
        time.sleep(_OFTEN)
    return ""


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def run(given: argparse.Namespace, folder: Path) -> Iterator[Line]:
    """All steps of all sizes."""
    over: set[str] = set()
    for size in given.sizes:
        project = write(folder / "project", size, given.shape, given.seed)
        for step in [name for name in STEPS if name in given.steps]:
            name = step if given.shape == "usual" else f"{step}, {given.shape}"
            needs = NEEDS.get(step)
            if needs and needs not in manifest.splits(project):
                subprocess.run([XQDATA, "split", "--name", needs, "--quiet"], cwd=project.folder, check=False)
            if step in over:
                line = Line(step, size, "images", note="as of fewer")
            else:
                line = measured(step, project, size, "images", (given.memory, given.timeout))
            over |= {step} if line.note else set()
            yield replace(line, step=name)
            if step == "split" and line.seconds is not None:
                count = manifest.provenance(project, "splits/default").options["proof"]["groups"]
                yield replace(line, step=name, size=count, unit="components")


def main() -> None:
    """Measure, print, and keep where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1e4,1e5,1e6", help="numbers of images (%(default)s)")
    parser.add_argument("--steps", default=",".join(STEPS), help="some of: %(default)s")
    parser.add_argument("--shape", choices=SHAPES, default="usual", help="see tables.py")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--memory", type=float, default=16, help="GiB that a step may take (16)")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds that a step may take (1800)")
    parser.add_argument("--write", action="store_true", help=f"keep the lines in {RESULTS.name}")
    given = parser.parse_args()
    given.sizes = sorted(int(float(size)) for size in given.sizes.split(","))
    given.steps = given.steps.split(",")
    with tempfile.TemporaryDirectory(prefix="xqdata-scale-", dir=given.folder) as folder:
        for line in run(given, Path(folder)):
            told = line.note or f"{line.seconds:10,.2f} s {line.cpu_seconds:10,.2f} s of CPU {line.peak_mb:8,} MB"
            print(f"{line.step:32} {line.size:12,} {line.unit:10} {told}", flush=True)
            if given.write:
                keep([asdict(line)], RESULTS, ("step", "unit", "size"))


if __name__ == "__main__":
    main()
