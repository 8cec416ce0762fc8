"""Functions that tests hand to workers, which import this module by its name."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xqdata.errors import InputError


def square(number: int) -> int:
    time.sleep(0.002 * (number % 3))  # so that shards finish out of order
    return number * number


def slow_square(number: int) -> int:
    time.sleep(0.15)
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("shard 3")
    return number


def told_at_three(number: int) -> int:
    if number == 3:
        raise InputError("cannot be used", where="shard 3", hint="give another")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def surroundings(_: int) -> dict[str, Any]:
    import cv2

    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    told = {name: os.environ.get(name) for name in names}
    time.sleep(0.05)
    return told | {"pid": os.getpid(), "cv2": cv2.getNumThreads(), "folder": str(Path.cwd())}


def ones(count: int) -> np.ndarray:
    return np.ones(count)


def doubled(values: np.ndarray) -> np.ndarray:
    values *= 2  # a worker's own, on any engine
    return values


def picked(table: np.ndarray, place: int) -> int:
    return int(table[place])


def marked(shard: tuple[Path, int]) -> int:
    folder, number = shard
    (folder / str(number)).touch()
    time.sleep(0.1)
    return number


@dataclass(frozen=True)
class Waiting:
    """`function`, of whose shards some wait until a file is there: under way for as long as a test needs."""

    function: Callable[[Any], Any]
    file: Path

    def __call__(self, told: tuple[Any, bool]) -> Any:
        shard, waits = told
        end = time.monotonic() + 60
        while waits and not self.file.exists() and time.monotonic() < end:
            time.sleep(0.02)
        return self.function(shard)
