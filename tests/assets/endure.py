"""Runs xqdata's command line in forked children, which may be killed at any moment; the modules are imported once.

    python endure.py

Takes one order a line on stdin and answers each with a line on stdout, both JSON. What a child does to the file system
tells how far it has come (STEPS), so nothing of xqdata is changed here.
"""

from __future__ import annotations

import importlib
import io
import json
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

STEPS = ("starting", "walking", "measuring", "compacting", "writing", "renaming", "done")
_POLL = 0.0002
_TIME = struct.Struct("d")


class Progress:
    """When each step was first reached (monotonic clock), in memory that the child shares with its parent."""

    def __init__(self) -> None:
        self.page = mmap.mmap(-1, _TIME.size * len(STEPS))
        self.reach(STEPS[0])

    def times(self) -> list[float]:
        """By position in STEPS; 0.0 for a step that was not reached."""
        return [time for (time,) in _TIME.iter_unpack(self.page[:])]

    @property
    def furthest(self) -> int:
        """The position of the last step reached."""
        return max(n for n, time in enumerate(self.times()) if time)

    def reach(self, step: str) -> None:
        """Note the time, unless this step or a later one was reached before."""
        position = STEPS.index(step)
        if not any(self.times()[position:]):
            _TIME.pack_into(self.page, _TIME.size * position, time.monotonic())


def step_of(event: str, arguments: tuple[Any, ...], project: str, raw: str) -> str | None:
    """Which step an audit event belongs to, by the path it names."""
    path = str(arguments[0])
    if event == "os.scandir" and path.startswith(raw):
        return "walking"
    if event == "open" and path.startswith(raw):
        return "measuring"
    if event == "os.remove" and path.startswith(f"{project}/.xqdata") and path.endswith(".parquet"):
        return "compacting"
    if event in ("os.mkdir", "os.rename", "os.remove", "open") and path.startswith(f"{project}/manifests"):
        if path.endswith("/.commit.tmp") and event == "os.rename":
            return "renaming"
        if path.endswith("/.commit.json"):
            return "done" if event == "os.remove" else None
        return "writing" if event in ("os.mkdir", "open") and not path.endswith(".parquet") else None
    return None


def watch(progress: Progress, project: str, raw: str, opened: int) -> None:
    """Note in `progress` the steps reached, and in the file `opened` every file of `raw` that is opened."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("os.scandir", "open", "os.remove", "os.mkdir", "os.rename"):
            return
        step = step_of(event, arguments, project, raw)
        if step is not None:
            progress.reach(step)
        if event == "open" and str(arguments[0]).startswith(raw):
            os.write(opened, f"{arguments[0]}\n".encode())

    sys.addaudithook(hook)


def warm() -> None:
    """Import all that an ingest needs, and load the compiled loops, so that no child has to."""
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # threads do not survive a fork
    for name in ("pandas", "pyarrow.dataset", "xqdata.cli.ingest"):
        importlib.import_module(name)
    from PIL import Image

    from xqdata.hashing import hashes
    from xqdata.images import Limits, measure, pages

    for mode in ("L", "RGB"):
        buffer = io.BytesIO()
        Image.new(mode, (16, 12)).save(buffer, "PNG")
        for page in pages(buffer.getvalue(), Limits()):
            hashes(page.grey)
            measure(page, None)


def child(order: dict[str, Any], progress: Progress, files: list[int]) -> None:
    """What the forked process does; it never returns."""
    code: object = 70
    try:
        os.setpgid(0, 0)
        os.chdir(order["project"])
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        if order["limit"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["limit"], resource.RLIM_INFINITY))
        watch(progress, order["project"], order["raw"], files[2])
        main = importlib.import_module("xqdata.cli").main
        main(order["arguments"], prog_name="xqdata")
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 70)


def wait(pid: int, order: dict[str, Any], progress: Progress, opened: Path) -> tuple[int, int]:
    """Wait for the child, or kill it when it is time; its exit status and its peak in kB."""
    after, step = order["kill_after"], order["kill_in"]
    due = None if after is None or step else time.monotonic() + after
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage.ru_maxrss
        if step and progress.furthest >= STEPS.index(step):
            due, step = time.monotonic() + after, None
        if order["kill_opened"] and opened.read_bytes().count(b"\n") >= order["kill_opened"]:
            due = 0.0
        if due is not None and time.monotonic() >= due:
            os.killpg(pid, signal.SIGKILL)
            _, status, usage = os.wait4(pid, 0)
            return status, usage.ru_maxrss
        time.sleep(_POLL)


def obey(order: dict[str, Any]) -> dict[str, Any]:
    """Run one command line in a child."""
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder, name) for name in ("stdout", "stderr", "opened")]
        files = [os.open(place, os.O_CREAT | os.O_WRONLY | os.O_APPEND) for place in places]
        progress = Progress()
        start = time.monotonic()
        pid = os.fork()
        if not pid:
            child(order, progress, files)
        os.setpgid(pid, pid)
        status, peak = wait(pid, order, progress, places[2])
        seconds = time.monotonic() - start
        for file in files:
            os.close(file)
        stdout, stderr, opened = (place.read_text(encoding="utf-8") for place in places)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "step": STEPS[progress.furthest],
            "reached": {step: at - start for step, at in zip(STEPS, progress.times(), strict=True) if at},
            "seconds": seconds,
            "peak_kb": peak,
            "stdout": stdout,
            "stderr": stderr,
            "opened": sorted({line.removeprefix(order["raw"]).lstrip("/") for line in opened.splitlines()}),
        }


if __name__ == "__main__":
    warm()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(obey(json.loads(line))) + "\n")
        sys.stdout.flush()
