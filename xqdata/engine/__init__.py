"""Run one function over many shards of work and take results as they finish: here, in processes, or on a Ray cluster.

Nothing here knows what a shard is. The function and the shards are pickled to worker processes, so both are
module-level functions and plain data. Where the work runs is chosen once, for all that a block of code does:

    with engine.on(Engine("ray", "10.0.0.1:6379")):
        ingest(project, ...)                # map_shards, wherever it is called, uses the cluster

Without that the environment variables XQDATA_ENGINE and XQDATA_RAY_ADDRESS choose, else it is worker processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from xqdata.engine import cluster, processes
from xqdata.engine.bound import Bound
from xqdata.errors import InputError, XqdataError

__all__ = ["NAMES", "Bound", "Engine", "chosen", "default_workers", "map_shards", "on"]

S = TypeVar("S")
R = TypeVar("R")

NAMES = ("processes", "ray")


@dataclass(frozen=True)
class Engine:
    """Where shards are worked on: `name` is one of NAMES, `address` that of the Ray cluster.

    Raises InputError for another name.
    """

    name: str = "processes"
    address: str = "auto"

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"there is no engine {self.name!r}", hint=f"engines are {' and '.join(NAMES)}")

    @property
    def is_cluster(self) -> bool:
        """Whether shards may be worked on by other machines."""
        return self.name == "ray"


_CHOSEN: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def on(engine: Engine) -> Iterator[None]:
    """All shards of the block are worked on by `engine`.

    A cluster is joined when the first shards are handed out and left at the end of the block. Raises InputError at once
    where Ray is not installed or nothing answers at its address.
    """
    if engine.is_cluster:
        cluster.check(engine.address)
    token = _CHOSEN.set(engine)
    try:
        yield
    finally:
        outermost = token.old_value in (token.MISSING, None)
        _CHOSEN.reset(token)
        if outermost:
            cluster.leave()


def chosen() -> Engine:
    """The engine of the block `on` around, else of the environment."""
    named = os.environ.get("XQDATA_ENGINE") or "processes"
    return _CHOSEN.get() or Engine(named, os.environ.get("XQDATA_RAY_ADDRESS") or "auto")


def default_workers() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_shards(
    function: Callable[[S], R],
    shards: Iterable[S],
    *,
    workers: int | None = None,
    sees: Sequence[Path] = (),
    local: bool = False,
) -> Generator[tuple[S, R], None, None]:
    """Yield (shard, function(shard)) as they finish, in any order.

    `workers`: shards that are worked on at once; 1 runs in this process, None takes one for each processor, of this
    machine or of the cluster. `sees`: files and folders that a worker on another machine must see as this process does,
    or it says so instead of working. `local`: the shards refer to what only this machine has, so its processes do them
    on every engine.

    An exception of the function is raised here and ends the work. A worker process that dies raises XqdataError; on a
    cluster its shard is tried again elsewhere, so a shard may be done twice. Workers end with this process, however it
    ends, and Ctrl-C is answered by this process alone.
    """
    if workers is not None and workers < 1:
        raise XqdataError(f"workers is {workers}", hint="give 1 or more")
    engine = chosen()
    if engine.is_cluster and not local and workers != 1:
        return cluster.run(function, shards, workers, sees, engine.address)
    count = default_workers() if workers is None else workers
    return _serial(function, shards) if count == 1 else processes.run(function, shards, count)


def _serial(function: Callable[[S], R], shards: Iterable[S]) -> Generator[tuple[S, R], None, None]:
    for shard in shards:
        yield shard, function(shard)
