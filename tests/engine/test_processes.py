"""One function over many shards, here or in processes.

Wrong while green would be: an executor that loses a shard, or pairs a result with another shard; one that takes all
shards at once, so that memory grows with their number; a dead worker that hangs the run.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from assets.shards import die_at_three, fail_at_three, picked, square, surroundings
from xqdata import engine
from xqdata.engine import Bound, Engine, map_shards, processes
from xqdata.errors import InputError, XqdataError


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
    assert max(ahead) <= workers * processes.AHEAD + 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_caller_that_stops_early_ends_the_work(workers):
    running = map_shards(square, iter(range(10**9)), workers=workers)
    next(running)
    running.close()


def test_workers_are_other_processes_with_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    seen = [result for _, result in map_shards(surroundings, range(4), workers=2)]
    assert os.getpid() not in {told["pid"] for told in seen}
    assert {(told["OMP_NUM_THREADS"], told["cv2"]) for told in seen} == {("1", 1)}
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize("workers", [1, 2])
def test_what_all_shards_share_is_there(workers):
    done = dict(map_shards(Bound(picked, np.arange(9) ** 2), range(9), workers=workers))
    assert done == {n: n * n for n in range(9)}


def test_fewer_than_one_worker_is_refused():
    with pytest.raises(XqdataError, match="workers is 0; give 1 or more"):
        map_shards(square, [], workers=0)


def test_the_default_is_a_worker_for_each_processor():
    assert engine.default_workers() == len(os.sched_getaffinity(0))


def test_the_environment_chooses(monkeypatch):
    monkeypatch.setenv("XQDATA_ENGINE", "ray")
    monkeypatch.setenv("XQDATA_RAY_ADDRESS", "10.0.0.1:6379")
    assert engine.chosen() == Engine("ray", "10.0.0.1:6379")
    with engine.on(Engine("processes")):
        assert not engine.chosen().is_cluster
    monkeypatch.setenv("XQDATA_ENGINE", "dask")
    with pytest.raises(InputError, match="there is no engine 'dask'; engines are processes and ray"):
        engine.chosen()
