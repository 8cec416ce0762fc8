"""Processes of a measurement: the two nodes of a local Ray cluster, and what workers take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NODES = Path(__file__).parents[2] / "tests" / "assets" / "ray_nodes.py"


@contextmanager
def nodes_of_ray() -> Iterator[str]:
    """Two nodes of one processor each, for as long as the context lasts: their address."""
    command = [sys.executable, str(NODES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nodes:
        assert nodes.stdin and nodes.stdout
        yield nodes.stdout.readline().strip()
        nodes.stdin.close()  # they stop when it is, as they do where this process ends
        nodes.wait(60)


def workers(parent: int | None) -> Iterator[Path]:
    """The processes below `parent`, or all of Ray's."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if parent is None:
                wanted = (place / "cmdline").read_bytes().startswith(b"ray::")
            else:
                wanted = int((place / "stat").read_text().rpartition(")")[2].split()[1]) == parent
        except (OSError, ValueError):
            continue
        if wanted:
            yield place


def peak(place: Path) -> int:
    """The peak of a process's resident pages in MB."""
    try:
        lines = [line.split() for line in (place / "status").read_text().splitlines()]
    except OSError:
        return 0
    return next((int(words[1]) // 1024 for words in lines if words[:1] == ["VmHWM:"]), 0)


def processor(place: Path) -> float:
    """CPU seconds of a process so far."""
    try:
        words = (place / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
