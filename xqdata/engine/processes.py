"""Shards in worker processes of this machine."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from xqdata.engine.bound import Bound
from xqdata.errors import XqdataError

S = TypeVar("S")
R = TypeVar("R")

_GIVEN: list[Any] = []  # in a worker
# Shards in flight for each worker: enough that none waits for the next, few enough that memory stays flat.
AHEAD = 2
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# glibc gives every buffer of a picture's size back to the kernel, which clears it anew for the next picture: a third of
# a worker's time. Up to 32 MiB (its upper bound) stay with the worker; other C libraries pass these over.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}


def run(function: Callable[[S], R], shards: Iterable[S], workers: int) -> Generator[tuple[S, R], None, None]:
    """Yield (shard, function(shard)) as `workers` processes finish them; see `xqdata.engine.map_shards`."""
    # A fresh interpreter instead of a fork: progress bars and Arrow keep threads, which a fork would tear.
    context = multiprocessing.get_context("spawn")
    waiting = iter(shards)
    work, given = _apart(function)
    # Each worker is one of `workers`: its own thread pools would only fight over the processors.
    with environment(dict.fromkeys(THREADS, "1") | ALLOCATOR):
        lifeline, alive = context.Pipe(duplex=False)
        pool = concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin, initargs=(lifeline, given)
        )
        try:
            with _interrupts_held():  # the first submit starts all workers
                running = {pool.submit(work, s): s for s in islice(waiting, workers * AHEAD)}
            while running:
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    shard = running.pop(future)
                    result = future.result()
                    for following in islice(waiting, 1):
                        running[pool.submit(work, following)] = following
                    yield shard, result
        except (KeyboardInterrupt, GeneratorExit):  # nobody waits for what is under way
            alive.close()
            raise
        except BrokenProcessPool as error:
            raise XqdataError(
                "a worker process was killed (out of memory?)", hint="run again with fewer --workers"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            alive.close()
            lifeline.close()


def _apart(function: Callable[[S], R]) -> tuple[Callable[[S], R], Any]:
    """The function to send with each shard, and what to send to each worker when it starts."""
    return (partial(_given, function.function), function.given) if isinstance(function, Bound) else (function, None)


def _begin(lifeline: Connection, given: Any) -> None:
    """In a worker, before its first shard."""
    _GIVEN.append(given)
    import cv2  # late: a run in this process that decodes nothing starts without it

    cv2.setNumThreads(1)  # OpenCV's threads, which no environment variable binds, would fight over the processors too
    threading.Thread(target=_hang_on, args=(lifeline,), daemon=True).start()


def _given(function: Callable[[Any, S], R], shard: S) -> R:
    return function(_GIVEN[-1], shard)


def _hang_on(lifeline: Connection) -> None:
    """End at once when the parent closes its side of `lifeline`, as the kernel does when it is killed.

    Without it, workers whose parent was killed would wait for their next shard for ever.
    """
    lifeline.poll(None)
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Processes started meanwhile never get Ctrl-C, which a terminal sends to all of them and each would answer with a
    traceback of its own. For this process it comes when they have been told what to do.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held: list[int] = []
    # They inherit the mask. It does not hold the signal off this process, whose other threads may take it.
    answer = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, answer or signal.SIG_DFL)
        for number in held[:1]:
            signal.raise_signal(number)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables set while workers are started, and put back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
