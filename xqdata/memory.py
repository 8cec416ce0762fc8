"""Whether a step fits the memory of this machine, told before it begins: the kernel ends what does not, half an hour
later and without a word.

How much a step takes is measured by benchmark/scale and stands as a Rate beside the step. It grows with rows, and what
the data are like moves it, so a step is refused only where it cannot fit: where it takes twice all that there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xqdata.errors import InputError

_HOPELESS = 2
_DIVIDE = "divide the project by site or year"
_HINT = f"take a machine with more memory, or {_DIVIDE}"
# Where a column of text is looked up in, Arrow makes one piece of it, of at most so many bytes; SHA-256 has 64 letters.
_MOST = (2**31 - 2) // 64
_OVERFLOWS = (
    "offset overflow while concatenating",
    "array cannot contain more than 214748364",
    "overflowed binary array",
)


@dataclass(frozen=True)
class Memory:
    """Bytes. `free`: what a process can still take; `all`: what it could take beside nothing else, swap included."""

    free: int
    all: int


@dataclass(frozen=True)
class Rate:
    """What a step takes, in bytes: `base`, and so much for each row of `images`."""

    base: int
    row: int

    def of(self, rows: int) -> int:
        """What it takes for so many rows."""
        return self.base + self.row * rows


def check(step: str, rate: Rate, rows: int, there: Memory | None) -> str:
    """A warning where `step` takes more than is free for so many images; empty where it fits, or where nobody knows.

    Raises InputError where it takes more than twice the memory that there is in all, and above 33 million images.
    """
    check_count(step, rows)
    takes = rate.of(rows)
    if there is None or takes <= there.free:
        return ""
    told = f"takes some {_spelled(takes)} of memory for {rows:,} images"
    if takes > _HOPELESS * there.all:
        raise InputError(f"{told}, and there are {_spelled(there.all)} in all", where=step, hint=_HINT)
    return f"{step} {told}, and {_spelled(there.free)} are free: if it is killed, {_HINT}"


def check_count(step: str, rows: int) -> None:
    """Raise InputError where there are more images than a project holds: 33 million."""
    if rows > _MOST:
        raise InputError(f"takes at most {_MOST:,} images, and there are {rows:,}", where=step, hint=_DIVIDE)


def overflowed(error: Exception) -> InputError | None:
    """What a user is told where `error` is Arrow's, and says that a column of text does not fit one piece of it."""
    if not any(words in str(error) for words in _OVERFLOWS):
        return None
    hint = f"{_DIVIDE}, or let a condition name columns of shorter texts"
    return InputError(f"the texts of one column take more than 2 GB ({error})", hint=hint)


def _spelled(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def machine(root: Path = Path("/")) -> Memory | None:
    """The memory of this machine, or of the group of processes that this one is in (a container, a batch job) where
    that may take less. None where it is not known: elsewhere than on Linux. `root`: where /proc and /sys lie.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        told = {name: int(size.split()[0]) * 1024 for name, _, size in (line.partition(":") for line in lines)}
        free, whole, swap = told["MemAvailable"], told["MemTotal"], told.get("SwapTotal", 0)
    except (OSError, ValueError, KeyError, IndexError):
        return None
    for limit, used in _limits(root):
        free, whole = min(free, max(0, limit - used)), min(whole, limit)
    return Memory(free, whole + swap)


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """(limit, used) of each group that this process is in, whose limits all hold; groups without a limit have none."""
    # https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/memory.html beside it.
    second = ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")
    first = ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    try:
        groups = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in groups:
        if controllers and "memory" not in controllers.split(","):
            continue
        place, limit, used, cached = first if controllers else second
        group = Path(path.lstrip("/"))
        for folder in (group, *group.parents):
            at = root / place / folder
            try:
                # Pages of files that nobody reads any more are given up before anything is killed.
                idle = dict(line.split() for line in (at / "memory.stat").read_text().splitlines())
                yield int((at / limit).read_text()), int((at / used).read_text()) - int(idle.get(cached, 0))
            except (OSError, ValueError):  # no such file inside a container; `max` is no limit
                continue
