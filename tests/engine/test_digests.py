"""Ingest, dedup and audit on two Ray nodes give the tables that one process gives, also when a node is lost.

The shards are small here, so that there are many; nothing else is changed.

Wrong while green would be: steps that never reach the cluster, because there is too little to do; a kill before or
after all the work, or while nothing is under way; measurements of a shard that was done twice counted twice; a node's
clock or folder for temporary files in a row; finished shards that another engine does not find; a command that ends
without a word, or hangs, when the cluster's first machine is lost.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from assets import command, shards
from assets.pictures import encoded, grey, save
from engine.conftest import Nodes
from xqdata import engine, features, manifest, taxonomy
from xqdata.audit import background
from xqdata.audit.run import Options as AuditOptions
from xqdata.audit.run import audit
from xqdata.config import Config
from xqdata.containers import run as containers
from xqdata.dedup import compare, join, propose
from xqdata.dedup import run as dedup
from xqdata.engine import Engine, cluster
from xqdata.ingest import Options, ingest, measuring, resolve
from xqdata.manifest import Project
from xqdata.simulate import Rates, Settings, simulate
from xqdata.splits import Request
from xqdata.splits.run import split

TAXONOMY = taxonomy.load(None)
SMALL = {measuring: {"SHARD_FILES": 2, "_FEW": 0}, features: {"_SHARD": 2, "_FEW": 0}, background: {"_FEW": 0},
         containers: {"SHARD_SCANS": 2, "_FEW": 0}, compare: {"_SHARD": 4}, join: {"_FEW": 2},
         propose: {"_FEW": 2, "_PIECE": 8}}  # fmt: skip
RATES = Rates(byte_copies=0.2, reencoded=0.2, turned=0.2, crops=0.2)
PARTS = (("train", "2/3"), ("test", "1/3"))
# What the cluster does in ingest, and in dedup: sketches, containers, the join of hashes, filters, verification.
STEPS = ("measure_shard", "_sketch_shard", "_lifted", "_pairs", "_sifted", "_compare_shard")
# Filters are handed what the join finds: they cannot be held up until more of it is lost.
LOSSY = tuple(step for step in STEPS if step != "_sifted")


@pytest.fixture(scope="module", autouse=True)
def small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, values in SMALL.items():
            for name, value in values.items():
                patch.setattr(module, name, value)
        yield


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "raw"
    simulate(folder, Settings(scans=16, seed=31, rates=RATES), workers=1)
    save(folder / "pear/single_basket/broken.png", encoded(grey(20, 30))[:60])
    save(folder / "pear/single_basket/notes.png", b"no picture")
    return folder


def take(folder: Path, raw: Path, *, workers: int | None = None) -> dict[str, str]:
    """The digests of a new project's tables, after ingest, dedup, split and audit."""
    folder.mkdir(exist_ok=True)
    project = Project(folder)
    ingest(project, resolve([str(raw)], {}), Config(), TAXONOMY, Options(workers=workers))
    dedup.dedup(project, TAXONOMY, dedup.Options(workers=workers))
    split(project, TAXONOMY, Request(parts=PARTS))
    audit(project, TAXONOMY, AuditOptions(workers=workers))
    return digests(project)


def digests(project: Project) -> dict[str, str]:
    return {name: manifest.provenance(project, name).digest for name in manifest.standing(project)}


@pytest.fixture(scope="module")
def expected(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = take(tmp_path_factory.mktemp("alone"), raw, workers=1)
    assert {"images", "rejects", "links", "duplicates", "masks", "splits/default", "audits/default"} <= set(made)
    return made


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """How many shards of each function the cluster did."""
    done: dict[str, int] = {}
    run = cluster.run

    def counting(function, *args):
        name = getattr(getattr(function, "function", function), "__name__", "")
        for shard in run(function, *args):
            done[name] = done.get(name, 0) + 1
            yield shard

    monkeypatch.setattr(cluster, "run", counting)
    yield done


def test_two_processes(raw, expected, tmp_path):
    assert take(tmp_path, raw, workers=2) == expected


def test_two_nodes(raw, expected, tmp_path, ray_engine, monkeypatch, capfd):
    with counted(monkeypatch) as done:
        assert take(tmp_path, raw) == expected
    assert capfd.readouterr() == ("", "")
    assert set(done) >= set(STEPS)
    assert min(done["measure_shard"], done["_sketch_shard"], done["_lifted"]) >= 10
    assert min(done["_sifted"], done["_compare_shard"]) >= 4


@contextmanager
def lossy(
    monkeypatch: pytest.MonkeyPatch, folder: Path, steps: tuple[str, ...], lose: Callable[[], None]
) -> Iterator[dict[str, int]]:
    """`lose` is called in the midst of the shards of each function of `steps`: one is done, the next four are under way
    and end only when it has returned. Yields how many shards of each there were.
    """
    seen: dict[str, int] = {}
    run = cluster.run

    def losing(function, parts, *args):
        name = getattr(getattr(function, "function", function), "__name__", "")
        first, file = name in steps and name not in seen, folder / f"{name}-goes-on"
        told = ((part, first and 1 <= number < 5) for number, part in enumerate(parts))
        for (part, _), result in run(shards.Waiting(function, file), told, *args):
            seen[name] = seen.get(name, 0) + 1
            if first and seen[name] == 1:
                lose()
                file.touch()
            yield part, result

    monkeypatch.setattr(cluster, "run", losing)
    yield seen


@pytest.mark.parametrize("what", ["worker", "node"])
def test_a_loss_in_the_midst_of_steps(raw, expected, tmp_path, ray_engine, nodes, what, monkeypatch, capfd):
    lost, steps = [], LOSSY if what == "worker" else (STEPS[0], STEPS[-1])  # a node takes long to start
    with lossy(monkeypatch, tmp_path, steps, lambda: lost.append(nodes.kill(what))) as seen:
        assert take(tmp_path / "project", raw) == expected
    assert all(seen[step] > 1 for step in steps)
    assert len(lost) == len(steps)
    assert capfd.readouterr() == ("", "")


def test_finished_shards_count_on_any_engine(raw, expected, tmp_path, ray_engine):
    class Stopped(Exception):
        pass

    def stop(_: str, done: int, total: int) -> None:
        if done >= total / 3:
            raise Stopped

    project, roots = Project(tmp_path), resolve([str(raw)], {})
    read = []
    for chosen, tell in ((ray_engine, stop), (Engine(), stop), (ray_engine, lambda *_: None)):
        with engine.on(chosen):
            try:
                done = ingest(project, roots, Config(), TAXONOMY, Options(workers=2, progress=tell))
                read.append(done.accounts[0].read)
            except Stopped:
                read.append(len(list((project.state / "measured").rglob("*.parquet"))))
    assert 0 < read[0] < read[1]
    assert read[2] > 0
    found = digests(project)
    assert found == {name: expected[name] for name in found}


def test_a_dry_run_leaves_nothing(raw, tmp_path, ray_engine):
    ingest(Project(tmp_path), resolve([str(raw)], {}), Config(), TAXONOMY, Options(dry_run=True))
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_its_result_alone(raw, expected, tmp_path, nodes):
    words = ("ingest", str(raw), "--engine", "ray", "--ray-address", nodes.address, "--json")
    told = command.run(tmp_path, *words)
    assert json.loads(told.stdout)["recorded"] > 16
    assert told.stderr == ""
    assert digests(Project(tmp_path))["images"] == expected["images"]


@pytest.mark.parametrize(
    ("what", "lost"), [("head", "this machine's Ray node"), ("gcs", "the first machine of the Ray cluster")]
)
def test_without_the_first_machine_it_is_one_line_and_processes_go_on(raw, expected, tmp_path, what, lost):
    made, done = Nodes(), tmp_path / ".xqdata" / "measured"
    script = str(Path(command.__file__).with_name("small_shards.py"))
    words = [sys.executable, script, "ingest", str(raw), "--engine", "ray", "--ray-address", made.address, "--json"]
    running = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while len(list(done.rglob("*.parquet"))) < 4 and running.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    made.kill(what)
    out, told = running.communicate(timeout=50)  # before Ray ends the process itself
    made.close()
    ours = [line for line in told.splitlines() if not line.startswith("[2")]  # a date: what Ray's core may write, too
    assert (running.returncode, out, len(ours)) == (1, "", 1), told
    assert f"{lost} was lost; start it again" in told
    again = ingest(Project(tmp_path), resolve([str(raw)], {}), Config(), TAXONOMY, Options(workers=1))
    assert 0 < again.accounts[0].read <= again.accounts[0].found - 4
    assert digests(Project(tmp_path))["images"] == expected["images"]
