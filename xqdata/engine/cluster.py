"""Shards on a Ray cluster: plain tasks, a bounded number of them in flight.

Ray schedules, tries the shards of lost workers and nodes again, and moves what is sent. Here it is only told what to
do, and asked for results as they finish. What a worker needs to know of its surroundings it checks itself, before its
first shard: nodes that join later are checked as well.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import re
import socket
import stat
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import xqdata
from xqdata.engine.processes import AHEAD, ALLOCATOR, THREADS, environment
from xqdata.errors import InputError, XqdataError, installing

S = TypeVar("S")
R = TypeVar("R")

# Besides xqdata's own source, what decides about pixels and hashes.
_PACKAGES = ("numpy", "scipy", "pillow", "numba", "opencv-python-headless", "imagecodecs", "tifffile", "pydicom")
# Seconds after which it is asked again how many processors there are.
_PATIENCE = 10.0
# Seconds after which this machine's node and the cluster's first machine are looked for. Ray ends this whole process
# where they are lost: without a word some seconds after the node, with a line of its own a minute after the machine.
_GLANCE = 1.0
# Seconds that the first machine may be away, as when it starts again.
_ABSENCE = 30.0
# What Ray writes on the terminal, and into the midst of a result on stdout, of workers that it replaces anyway.
_QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_START = "start one with ray start --head, or say where it is with --ray-address"
# `ray start --head` asks for the token in this file as soon as there is one; whoever joins does not show it by himself.
_TOKEN = Path("~/.ray/auth_token")
_SHOW = f"if there is one, it asks for the token in {_TOKEN}: set RAY_AUTH_MODE=token here and on every node"
_ADDRESS = re.compile(r"[^/]+:[0-9]+")
_joined: list[_Joined] = []


@dataclass(frozen=True)
class _Joined:
    """The module ray, connected. `head`: HOST:PORT of the cluster's first machine, `node`: the socket of this machine's
    node; both empty where somebody else connected it.
    """

    ray: ModuleType
    head: str = ""
    node: str = ""


@dataclass(frozen=True)
class _Seen:
    """A file (`size` in bytes and time) or folder (-1, 0) as this process sees it."""

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: str) -> _Seen:
        """Opened, because a network file system only then asks anew how large and how old a file is."""
        handle = os.open(path, os.O_RDONLY)
        try:
            info = os.fstat(handle)
        finally:
            os.close(handle)
        return cls(path, -1, 0) if stat.S_ISDIR(info.st_mode) else cls(path, info.st_size, info.st_mtime_ns)


@dataclass(frozen=True)
class _Surroundings:
    """What a worker must find: the same code, the folder to work in, and the same files."""

    code: tuple[tuple[str, str], ...]
    folder: str
    seen: tuple[_Seen, ...]


def run(
    function: Callable[[S], R], shards: Iterable[S], workers: int | None, sees: Sequence[Path], address: str
) -> Generator[tuple[S, R], None, None]:
    """Yield (shard, function(shard)) as tasks finish; see `xqdata.engine.map_shards`."""
    waiting = iter(shards)
    first = list(islice(waiting, 1))
    if not first:
        return  # nobody needs a cluster for nothing
    cluster = _join(address)
    ray: Any = cluster.ray
    task = ray.remote(_work)
    here = Path.cwd()
    sent = ray.put(function), _Surroundings(_code(), str(here), _seen([here, *sees]))
    running: dict[Any, S] = {}

    def start(some: Iterable[S]) -> None:
        # Pickled here and there, as a process pool does: arrays arrive as the worker's own, and results hold no part
        # of the object store.
        running.update({task.remote(*sent, pickle.dumps(shard)): shard for shard in some})

    try:
        room, asked = workers or _processors(ray) * AHEAD, time.monotonic()
        looked = asked
        start(chain(first, islice(waiting, room - 1)))
        while running:
            done, _ = ray.wait(list(running), timeout=_GLANCE)
            if time.monotonic() - looked > _GLANCE:
                _attended(cluster)
                looked = time.monotonic()
            if time.monotonic() - asked > _PATIENCE:  # nodes come and go
                room, asked = workers or _processors(ray) * AHEAD, time.monotonic()
            for ref in done:
                shard = running.pop(ref)
                result = _result(ray, ref)
                start(islice(waiting, max(0, room - len(running))))
                yield shard, result
    finally:
        for ref in running if ray.is_initialized() else ():  # nobody waits for what is under way
            ray.cancel(ref, force=True)


def check(address: str) -> None:
    """Raises InputError where Ray is not installed, where `address` is neither `auto` nor HOST:PORT, and where nothing
    answers there: Ray itself would wait for long, or start a cluster of its own.
    """
    if find_spec("ray") is None:
        raise InputError("Ray is not installed", hint=f"run: {installing('ray')}")
    if address != "auto" and not _ADDRESS.fullmatch(address):
        hint = "give auto or HOST:PORT, and run the command on a node of the cluster"
        raise InputError("this is no address of a Ray cluster", where=address, hint=hint)
    try:
        _reach(address)
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster answers ({error})", where=address, hint=_START) from None


def _reach(address: str) -> None:
    """Raises OSError or OverflowError where nothing answers at HOST:PORT; `auto` is Ray's to find."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()


def _attended(cluster: _Joined) -> None:
    """Raises XqdataError where this machine's node is gone, or the first machine does not answer for _ABSENCE seconds.

    Every other node may be lost: that is Ray's business.
    """
    hint = "start it again, or go on without --engine ray: finished work is kept"
    began = time.monotonic()
    while True:
        try:
            _knock(cluster.node)
        except OSError as error:
            raise XqdataError("this machine's Ray node was lost", where=platform.node(), hint=hint) from error
        try:
            return _reach(cluster.head)
        except OSError as error:
            if time.monotonic() - began > _ABSENCE:
                told = "the first machine of the Ray cluster was lost"
                raise XqdataError(told, where=cluster.head, hint=hint) from error
            time.sleep(_GLANCE)


def _knock(path: str) -> None:
    """Raises OSError where nobody listens at a socket of this machine."""
    if path:
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(_PATIENCE)
            one.connect(path)


def leave() -> None:
    """Leave the cluster that `run` joined, if any."""
    while _joined:
        _joined.pop().ray.shutdown()


def _join(address: str) -> _Joined:
    """The cluster. Raises InputError as `check` does, and where it cannot be joined."""
    check(address)
    with environment({name: value for name, value in _QUIET.items() if name not in os.environ}):
        import ray

        if ray.is_initialized():
            return _joined[-1] if _joined else _Joined(ray)
        told = {"env_vars": dict.fromkeys(THREADS, "1") | ALLOCATOR}
        try:
            made: Any = ray.init(address=address, configure_logging=False, log_to_driver=False, runtime_env=told)
        except (ConnectionError, RuntimeError, ValueError) as error:
            first = str(error).strip().partition("\n")[0].partition(". ")[0]
            asked = "RAY_AUTH_MODE" not in os.environ and _TOKEN.expanduser().exists()
            hint = _SHOW if asked else _START
            raise InputError(f"no Ray cluster can be joined ({first})", where=address, hint=hint) from error
    where = made.address_info
    cluster = _Joined(ray, where["gcs_address"], where["raylet_socket_name"])
    _joined.append(cluster)
    return cluster


def _processors(ray: Any) -> int:
    """Processors of all nodes. Raises XqdataError where none is left."""
    count = int(ray.cluster_resources().get("CPU", 0))
    if count < 1:
        hint = "start nodes with ray start --address=..., and run the command again: finished work is kept"
        raise XqdataError("the Ray cluster has no processors left", hint=hint)
    return count


def _seen(paths: Iterable[Path]) -> tuple[_Seen, ...]:
    found = []
    for path in dict.fromkeys(str(path) for path in paths):
        try:
            found.append(_Seen.of(path))
        except OSError:
            continue  # gone by now: whoever needs it will say so
    return tuple(found)


def _result(ray: Any, ref: Any) -> Any:
    """What a task returned, or the exception that it raised, as it was raised."""
    try:
        return pickle.loads(ray.get(ref))  # noqa: S301 - written by `_work`
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception) and not isinstance(error.cause, ray.exceptions.RayError):
            raise error.cause from error
        raise XqdataError(f"a node cannot work ({_last_line(error)})", hint="install the same on every node") from error
    except ray.exceptions.RayError as error:
        told = f"a shard's worker was lost each time that it was tried ({type(error).__name__}; out of memory?)"
        hint = "run the command again: finished work is kept"
        raise XqdataError(told, hint=hint) from error


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]


def _work(function: Callable[[Any], Any], surroundings: _Surroundings, shard: bytes) -> bytes:
    """In a worker."""
    _settle(surroundings)
    os.chdir(surroundings.folder)
    return pickle.dumps(function(pickle.loads(shard)), protocol=pickle.HIGHEST_PROTOCOL)  # noqa: S301 - of `run`


@cache
def _settle(wanted: _Surroundings) -> None:
    """In a worker, before its first shard. Raises XqdataError where it does not find what it must."""
    host = platform.node()
    theirs, ours = dict(_code()), dict(wanted.code)
    if other := [name for name in ours | theirs if ours.get(name) != theirs.get(name)]:
        hint = "install the same xqdata and the same packages on every node; docs/cluster.md tells of unlike processors"
        raise XqdataError(f"other {', '.join(other)} than where the command runs", where=f"Ray node {host}", hint=hint)
    for seen in wanted.seen:
        try:
            same = _Seen.of(seen.path) == seen
        except OSError:
            same = False
        if not same:
            told = f"does not see {seen.path} as the machine where the command runs does"
            hint = "the project and its raw folders must lie on a file system that all nodes share, at the same path"
            raise XqdataError(told, where=f"Ray node {host}", hint=hint)
    import cv2

    cv2.setNumThreads(1)  # which no environment variable binds


@cache
def _code() -> tuple[tuple[str, str], ...]:
    """A digest of xqdata's source, the versions of `_PACKAGES`, and the instructions that OpenCV chooses, by name: with
    wider ones its sums differ in their last bits, and so do masks.
    """
    import cv2

    folder = Path(xqdata.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size}\n".encode() + file.read_bytes())
    source = ("xqdata", digest.hexdigest())
    return source, *((n, _version(n)) for n in _PACKAGES), ("processor's instructions", cv2.getCPUFeaturesLine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
