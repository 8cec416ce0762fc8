"""How much memory an ingest of many small files takes, at its peak, in the parent and in the largest worker.

    python benchmark/speed/memory.py --files 100000 --workers 2

Every file is a PNG of 16 x 16 random pixels, so that what grows with the number of files is not hidden by the size of
one picture. Peaks are the kernel's own (VmHWM of /proc/PID/status, so Linux only), read every 20 ms until the end.
Each worker's peak includes the libraries that it imports, as does the parent's.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

SIDE = 16
PER_FOLDER = 1000
KINDS = ("single_basket", "mixed_no_basket")


def png(pixels: bytes) -> bytes:
    """A grey PNG of SIDE x SIDE pixels, 8 bits each."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + pixels[n : n + SIDE] for n in range(0, SIDE * SIDE, SIDE))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 1)) + chunk(b"IEND", b"")


def write_files(folder: Path, count: int) -> None:
    """`count` files, no two the same, PER_FOLDER to a folder."""
    rng = random.Random(0)
    for first in range(0, count, PER_FOLDER):
        place = folder / f"apple/{KINDS[first // PER_FOLDER % len(KINDS)]}/series_{first // PER_FOLDER:04}"
        place.mkdir(parents=True)
        for n in range(first, min(count, first + PER_FOLDER)):
            (place / f"apple-{n % 40:02}_{n:06}.png").write_bytes(png(rng.randbytes(SIDE * SIDE)))


def run(project: Path, raw: Path, workers: int) -> tuple[float, dict[int, int], int]:
    """One ingest by the installed command: seconds, peak in kB by process id, and the parent's process id."""
    command = [Path(sys.executable).with_name("xqdata"), "ingest", raw, "--workers", str(workers), "--quiet"]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=project)
    peaks: dict[int, int] = {}
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0), _peak(pid))
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"xqdata ended with exit code {process.returncode}")
    return time.monotonic() - start, peaks, process.pid


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) for words in lines if words[0] == "VmHWM:"), 0)


def main() -> None:
    """Measure a first run, which reads every file, and a second, which reads none."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xqdata-memory-", dir=options.folder) as folder:
        raw, project = Path(folder, "raw"), Path(folder, "project")
        project.mkdir()
        write_files(raw, options.files)
        found = []
        for which in ("first run", "second run"):
            seconds, peaks, parent = run(project, raw, options.workers)
            largest = max((peak for pid, peak in peaks.items() if pid != parent), default=0)
            megabytes = {"parent_mb": round(peaks[parent] / 1024), "worker_mb": round(largest / 1024)}
            found.append({"run": which, "files": options.files, "seconds": round(seconds, 1), **megabytes})
    if options.json:
        print(json.dumps(found))
        return
    print("run          files  seconds  parent MB  largest worker MB")
    for row in found:
        print("{run:10}{files:8,}{seconds:9.1f}{parent_mb:11}{worker_mb:19}".format(**row))


if __name__ == "__main__":
    main()
