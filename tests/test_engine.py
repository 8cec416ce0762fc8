"""One function over many shards, here or in processes.

Wrong while green would be: an executor that loses a shard, or pairs a result with another shard; one that takes all
shards at once, so that memory grows with their number; a dead worker that hangs the run.
"""

from __future__ import annotations

import os
import time

import pytest

from xqdata import engine
from xqdata.engine import map_shards
from xqdata.errors import XqdataError


def square(number: int) -> int:
    time.sleep(0.002 * (number % 3))  # so that shards finish out of order
    return number * number


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("shard 3")
    return number


def die_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def threads(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_shard_comes_back_once_with_its_own_result(workers):
    done = list(map_shards(square, range(40), workers=workers))
    assert sorted(done) == [(n, n * n) for n in range(40)]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_shards(workers):
    assert list(map_shards(square, [], workers=workers)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_of_the_function_is_raised_here(workers):
    with pytest.raises(ValueError, match="shard 3"):
        list(map_shards(fail_at_three, range(20), workers=workers))


def test_a_worker_that_dies_is_one_line():
    with pytest.raises(XqdataError) as caught:
        list(map_shards(die_at_three, range(20), workers=2))
    assert "worker process was killed" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [1, 2])
def test_few_shards_are_in_flight(workers):
    taken = 0

    def shards():
        nonlocal taken
        for number in range(40):
            taken += 1
            yield number

    ahead = []
    for done, _ in enumerate(map_shards(square, shards(), workers=workers)):
        ahead.append(taken - done)
    assert taken == 40
    assert max(ahead) <= workers * engine._AHEAD + 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_caller_that_stops_early_ends_the_work(workers):
    running = map_shards(square, iter(range(10**9)), workers=workers)
    next(running)
    running.close()


def test_workers_are_other_processes_with_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = [result for _, result in map_shards(threads, range(4), workers=2)]
    assert os.getpid() not in {pid for pid, _ in seen}
    assert {value for _, value in seen} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_fewer_than_one_worker_is_refused():
    with pytest.raises(XqdataError, match="workers is 0; give 1 or more"):
        map_shards(square, [], workers=0)


def test_the_default_is_a_worker_for_each_processor():
    assert engine.default_workers() == len(os.sched_getaffinity(0))
