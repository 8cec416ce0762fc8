"""One function over many shards on a Ray cluster: two nodes on this machine, of one processor each.

Wrong while green would be: a bound that is none, so that the driver holds all shards at once; an error whose type or
hint is lost on its way, or that is a traceback; a worker with other threads, folder or code than a process pool's; a
retried shard that counts twice, or is lost; results that are read-only or keep the object store full; workers that go
on after the caller has stopped; nodes that see other files, whose scans all become rejects; a wait without end where no
node is left; Ray's own lines in the midst of a result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assets import command, shards
from xqdata import engine
from xqdata.engine import Bound, Engine, cluster, map_shards
from xqdata.errors import InputError, XqdataError


def counted(taken: list[int]) -> Iterator[int]:
    for number in range(40):
        taken.append(number)
        yield number


def test_every_shard_comes_back_once_with_its_own_result(ray_engine):
    assert sorted(map_shards(shards.square, range(60))) == [(n, n * n) for n in range(60)]


def test_no_shards_need_no_cluster():
    with engine.on(Engine("ray", "auto")):
        assert list(map_shards(shards.square, [])) == []


def test_few_shards_are_in_flight(ray_engine):
    taken = []
    ahead = [len(taken) - done for done, _ in enumerate(map_shards(shards.square, counted(taken)))]
    assert len(taken) == 40
    assert max(ahead) <= 2 * 2 + 2


def test_an_exception_is_raised_here_as_it_was_there(ray_engine):
    with pytest.raises(ValueError, match=r"^shard 3$"):
        list(map_shards(shards.fail_at_three, range(20)))
    with pytest.raises(InputError) as caught:
        list(map_shards(shards.told_at_three, range(20)))
    assert str(caught.value) == "shard 3: cannot be used; give another"
    assert "told_at_three" in str(caught.value.__cause__)  # where it happened, for a bug


def test_a_worker_is_as_a_process_pools(ray_engine, monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.chdir(tmp_path)
    here = [told for _, told in map_shards(shards.surroundings, range(8))]
    with engine.on(Engine()):
        there = [told for _, told in map_shards(shards.surroundings, range(2), workers=2)]
    assert all(told.pop("pid") != os.getpid() for told in here)  # one node may take all of them
    assert all(told.pop("pid") != os.getpid() for told in there)
    assert all(told == there[0] for told in here + there)
    assert there[0]["folder"] == str(tmp_path)


def test_a_worker_follows_to_another_folder_and_back(ray_engine, monkeypatch, tmp_path):
    (tmp_path / "a").mkdir()
    for folder in (tmp_path, tmp_path / "a", tmp_path):
        monkeypatch.chdir(folder)
        assert {told["folder"] for _, told in map_shards(shards.surroundings, range(4))} == {str(folder)}


def test_results_are_the_callers_own(ray_engine):
    large = [result for _, result in map_shards(shards.ones, [1 << 20] * 30)]  # 240 MB through stores of 100 MB
    assert all(result.flags.writeable and result.sum() == 1 << 20 for result in large)
    twos = [result for _, result in map_shards(shards.doubled, [np.ones(1 << 16), np.ones(3)])]
    assert {float(twos[n][0]) for n in range(2)} == {2.0}


def test_what_all_shards_share_is_sent_once(ray_engine):
    table = np.arange(1 << 22)  # 32 MB, for forty shards through stores of 100 MB
    assert dict(map_shards(Bound(shards.picked, table), range(40))) == {n: n for n in range(40)}


def test_a_caller_that_stops_early_ends_the_work(ray_engine, tmp_path):
    running = map_shards(shards.marked, ((tmp_path, n) for n in range(10**9)))
    next(running)
    running.close()
    time.sleep(1)
    begun = len(list(tmp_path.iterdir()))
    time.sleep(0.6)
    assert len(list(tmp_path.iterdir())) == begun <= 8


@pytest.mark.parametrize("what", ["worker", "node"])
def test_shards_of_a_lost_worker_are_done_elsewhere(ray_engine, nodes, what, capfd):
    done = []
    for number, (shard, result) in enumerate(map_shards(shards.slow_square, range(30))):
        done.append((shard, result))
        if number == 5:
            nodes.kill(what)
    assert sorted(done) == [(n, n * n) for n in range(30)]
    assert capfd.readouterr() == ("", "")


def test_a_shard_that_kills_every_worker_is_one_line(ray_engine, capfd):
    with pytest.raises(XqdataError) as caught:
        list(map_shards(shards.die_at_three, range(8)))
    assert "a shard's worker was lost each time" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_node_with_other_code_refuses(ray_engine, monkeypatch):
    (_, digest), numpy, *others, _ = cluster._code()
    other = (("xqdata", digest), ("numpy", "1.0"), *others, ("processor's instructions", "SSE2"))
    assert numpy[0] == "numpy"
    monkeypatch.setattr(cluster, "_code", lambda: other)
    told = r"Ray node .*: other numpy, processor's instructions than where the command runs; install the same"
    with pytest.raises(XqdataError, match=told):
        list(map_shards(shards.square, range(4)))


def test_a_node_that_sees_other_files_refuses(ray_engine, monkeypatch, tmp_path):
    (tmp_path / "scan.png").write_bytes(b"here")
    sees = [tmp_path, tmp_path / "scan.png"]
    assert len(list(map_shards(shards.square, range(4), sees=sees))) == 4
    seen = cluster._seen
    for wrong in ({"size": 3}, {"mtime_ns": 1}, {"path": str(tmp_path / "elsewhere")}):
        monkeypatch.setattr(cluster, "_seen", lambda paths, w=wrong: (*seen(paths)[:-1], replace(seen(paths)[-1], **w)))
        with pytest.raises(XqdataError, match=r"does not see .* on a file system that all nodes share"):
            list(map_shards(shards.square, range(4), sees=sees))


def test_a_cluster_without_processors_is_one_line(ray_engine, monkeypatch):
    import ray

    list(map_shards(shards.square, range(2)))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"memory": 1.0})
    with pytest.raises(XqdataError, match="has no processors left"):
        list(map_shards(shards.square, range(4)))


def test_local_shards_and_one_worker_stay_here(ray_engine):
    assert {told["pid"] for _, told in map_shards(shards.surroundings, range(2), workers=1)} == {os.getpid()}
    local = {told["pid"] for _, told in map_shards(shards.surroundings, range(4), workers=2, local=True)}
    children = {told["pid"] for _, told in map_shards(shards.surroundings, range(4))}
    assert not local & children


def test_an_address_where_nothing_answers_is_one_line(tmp_path):
    began = time.monotonic()
    told = command.run(tmp_path, "ingest", ".", "--engine", "ray", "--ray-address", "127.0.0.1:1", code=1).stderr
    assert told.count("\n") == 1
    assert "127.0.0.1:1: no Ray cluster answers" in told
    assert "ray start --head" in told
    assert time.monotonic() - began < 30
    told = command.run(tmp_path, "ingest", ".", "--ray-address", "127.0.0.1:1", code=2).stderr
    assert "--ray-address is for --engine ray" in told


@pytest.mark.parametrize("address", ["local", "127.0.0.1", "ray://127.0.0.1:10001", "127.0.0.1:", ""])
def test_other_addresses_are_refused_before_anything_starts(address):
    with (
        pytest.raises(InputError, match="no address of a Ray cluster; give auto or HOST:PORT"),
        engine.on(Engine("ray", address)),
    ):
        pass


@pytest.mark.parametrize(("there", "mode"), [(True, None), (True, "token"), (False, None)])
def test_a_token_that_is_not_shown_is_told(monkeypatch, tmp_path, there, mode):
    import ray

    def refuse(**_):
        raise ConnectionError("Failed to connect. Many more words.\nAnd lines.")

    if there:
        (tmp_path / "token").touch()
    monkeypatch.setattr(cluster, "_TOKEN", tmp_path / "token")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InputError) as caught:
        list(cluster.run(shards.square, range(2), None, (), "auto"))
    told = str(caught.value)
    hint = "if there is one, it asks for the token" if there and mode is None else "start one with ray start --head"
    assert told.startswith(f"auto: no Ray cluster can be joined (Failed to connect); {hint}")


def test_a_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught, engine.on(Engine("ray")):
        pass
    assert str(caught.value) == "Ray is not installed; run: pip install '/path/to/xqdata[ray]'"


def test_ray_is_not_imported_without_need():
    code = (
        "import sys; from assets.shards import square; from xqdata.engine import map_shards;"
        "list(map_shards(square, range(3), workers=1)); sys.exit('ray' in sys.modules)"
    )
    folder = Path(shards.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0
