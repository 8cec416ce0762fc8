"""Worker processes, started and warmed up before the clock, and races between several such lanes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import contestants

from xqdata.engine import map_shards

Question = Answer = dict[str, Any]
Ask = Callable[[Question], Answer]

# One thread in each worker: the workers are the parallelism. Taken before the engine sets variables of its own.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_ENVIRONMENT = os.environ | dict.fromkeys((*_THREADS, "OPENCV_FOR_THREADS_NUM"), "1")
# Files that a worker is handed at a time: few, so that workers end together.
_HANDFUL = 8


class JobError(Exception):
    """A worker could not do what it was asked to."""


@dataclass(frozen=True)
class Lap:
    """One pass over the files: what each gave, wall-clock seconds, and the workers' processor seconds together."""

    values: list[Any]
    seconds: float
    cpu: float


class Lane(AbstractContextManager["Lane"]):
    """Worker processes, any of which does any job of contestants.py: `ask` has a function for each of them.

    `close` is called at the end.
    """

    def __init__(self, ask: list[Ask], close: Callable[[], None]) -> None:
        self._ask, self._close = ask, close
        self._threads = ThreadPoolExecutor(len(ask))

    def run(self, job: str, files: list[str], times: int = 1) -> Lap:
        """Do `job` with every file, `times` times over. Raises JobError."""
        todo: SimpleQueue[list[str]] = SimpleQueue()
        for _ in range(times):
            for start in range(0, len(files), _HANDFUL):
                todo.put(files[start : start + _HANDFUL])
        start_time = time.perf_counter()
        answers = list(self._threads.map(lambda ask: _work(ask, job, todo), self._ask))
        seconds = time.perf_counter() - start_time
        flat = [answer for of_worker in answers for answer in of_worker]
        return Lap([v for a in flat for v in a["values"]], seconds, sum(a["cpu"] for a in flat))

    def warm(self, job: str, files: list[str]) -> None:
        """Let every worker do `job` with every file once."""
        ones: list[SimpleQueue[list[str]]] = [SimpleQueue() for _ in self._ask]
        for one in ones:
            one.put(files)
        list(self._threads.map(lambda ask, one: _work(ask, job, one), self._ask, ones))

    def __exit__(self, *_: object) -> None:
        self._close()
        self._threads.shutdown()


def of_interpreter(python: str, workers: int) -> Lane:
    """A lane of processes of the interpreter `python`."""
    command = [python, str(Path(__file__).with_name("contestants.py"))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, env=_ENVIRONMENT, **pipes) for _ in range(workers)]

    def close() -> None:
        for process in processes:
            process.communicate()

    return Lane([partial(_ask_process, process) for process in processes], close)


def of_engine(workers: int) -> Lane:
    """A lane of ingest's own worker processes: how the engine starts and settles them is part of what is measured."""
    listener = Listener()

    def work() -> None:
        for _ in map_shards(contestants.serve_at, [listener.address] * workers, workers=workers):
            pass

    engine = Thread(target=work, daemon=True)
    engine.start()
    connections = [listener.accept() for _ in range(workers)]

    def close() -> None:
        for connection in connections:
            connection.close()
        engine.join()
        listener.close()

    return Lane([partial(_ask_connection, connection) for connection in connections], close)


def _ask_process(process: subprocess.Popen[str], question: Question) -> Answer:
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline() or '{"error": "the worker ended"}')


def _ask_connection(connection: Connection, question: Question) -> Answer:
    connection.send(question)
    return connection.recv()


def _work(ask: Ask, job: str, todo: SimpleQueue[list[str]]) -> list[Answer]:
    answers = []
    while True:
        try:
            files = todo.get_nowait()
        except Empty:
            return answers
        answer = ask({"job": job, "files": files})
        if "error" in answer:
            raise JobError(answer["error"])
        answers.append(answer)


def race(runners: dict[str, tuple[Lane, str]], files: list[str], rounds: int, times: int) -> dict[str, list[Lap]]:
    """Laps of each runner (its lane, its job), interleaved: A B C, then A B C again; `times` passes make one lap."""
    laps: dict[str, list[Lap]] = {name: [] for name in runners}
    for _ in range(rounds):
        for name, (lane, job) in runners.items():
            laps[name].append(lane.run(job, files, times))
    return laps
