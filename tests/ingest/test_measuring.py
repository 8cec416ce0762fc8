"""Files are measured while the listing goes on: the tables do not depend on that.

Wrong while green would be: a log measured as a picture and rejected, because nobody knew yet that it is one; files that
are measured twice, or counted twice; a run that was ended in the midst and begins anew; a threshold that no test
reaches.
"""

from __future__ import annotations

import json
import os
import threading

import pytest

from assets.bad import write_bad_folder
from assets.pictures import save
from xqdata import manifest
from xqdata.ingest import measuring, walk
from xqdata.ingest import run as run_module
from xqdata.manifest import Project


@pytest.fixture
def slowly(monkeypatch):
    """Any listing takes too long, shards are small, and a listing ends only when some of its files are measured."""
    monkeypatch.setattr(run_module, "PATIENCE", 0)
    monkeypatch.setattr(measuring, "SHARD_FILES", 2)
    monkeypatch.setattr(walk, "_PAGE", 3)
    gate = threading.Event()
    page, measure = walk._page, measuring.measure_shard
    listed = []

    def paged(*arguments):
        if len(listed) >= 6:
            gate.wait(60)
        below, items = page(*arguments)
        listed.extend(item for item in items if isinstance(item, walk.Found))
        return below, items

    def measured(shard):
        gate.set()
        return measure(shard)

    monkeypatch.setattr(walk, "_page", paged)
    monkeypatch.setattr(measuring, "measure_shard", measured)

    def anew():
        gate.clear()
        listed.clear()

    return anew


def export(folder):
    write_bad_folder(folder)
    for number in range(12):
        save(folder / f"apple/{number}/apple_{number}.png", seed=number)
        save(folder / f"apple/{number}/apple_{number}.json", json.dumps({"bag": f"B{number}"}).encode())
        save(folder / f"mask/{number}.png", seed=50 + number)
    rows = "".join(f"apple_{n}.png,Kim\n" for n in range(12))
    save(folder / "apple/log.csv", f"file,operator\n{rows}".encode())


def ahead_of(monkeypatch):
    """How many rows were measured while listing, of each run."""
    seen = []
    real = measuring.Measuring.while_listing

    def watched(self, found):
        real(self, found)
        seen.append(self.ahead.num_rows)

    monkeypatch.setattr(measuring.Measuring, "while_listing", watched)
    return seen


def test_the_same_tables_whenever_files_are_measured(run, tmp_path, slowly, monkeypatch):
    raw = tmp_path / "raw"
    raw.mkdir()
    export(raw)
    ahead, shards = ahead_of(monkeypatch), []
    measure = measuring.measure_shard
    monkeypatch.setattr(measuring, "measure_shard", lambda shard: shards.append(shard) or measure(shard))
    there = run(raw, into=Project(tmp_path / "slow"), workers=1)
    assert ahead and ahead[0] >= 2
    monkeypatch.setattr(run_module, "PATIENCE", None)
    here = run(raw, into=Project(tmp_path / "quick"), workers=1)
    assert len(ahead) == 1
    assert shards and all(shard.sources <= {f.path for f in shard.files} for shard in shards)
    assert sum(len(shard.sources) for shard in shards) >= 13  # of the second, which knew of them
    for name, table in here.tables.items():
        assert there.tables[name].equals(table), name
    assert there.accounts == here.accounts
    assert there.tables["sources"].num_rows == 13
    # Nothing is left to do for either.
    monkeypatch.setattr(run_module, "PATIENCE", 0)
    for folder in ("slow", "quick"):
        again = run(raw, into=Project(tmp_path / folder), workers=1)
        assert (again.accounts[0].read, again.changed) == (0, False)


def test_sources_that_were_measured_as_pictures_are_turned(run, raw, project, slowly, monkeypatch):
    for number in range(4):
        save(raw / f"apple_{number}.png", seed=number)
    run(raw, workers=1, config={"readers": ["folders"]})
    save(raw / "log.csv", b"file,operator\napple_0.png,Kim\n")
    first = run(raw, workers=1, readers=("folders",))
    assert first.accounts[0].read == 1 and first.tables["sources"].num_rows == 0
    second = run(raw, workers=1)
    assert second.accounts[0].read == 0
    assert second.tables["sources"]["path"].to_pylist() == ["log.csv"]
    third = run(raw, workers=1, readers=("folders",))
    assert (third.accounts[0].read, third.tables["sources"].num_rows) == (0, 0)
    assert third.tables["rejects"].equals(first.tables["rejects"])


def test_a_run_that_was_ended_while_listing_goes_on(run, raw, project, slowly, monkeypatch):
    export(raw)
    expected = run(raw, into=Project(raw.parent / "whole"), workers=1)
    slowly()

    def stop(root, done, total):
        if done >= 4:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(raw, workers=1, progress=stop)
    assert manifest.standing(project) == []
    result = run(raw, workers=1)
    assert result.accounts[0].read == expected.accounts[0].read - 4
    assert all(result.tables[name].equals(table) for name, table in expected.tables.items())
    assert threading.active_count() <= before + 4


def test_files_that_come_and_go_while_the_listing_goes_on(run, raw, slowly):
    for number in range(30):
        save(raw / f"{number:02}/apple_{number}.png", seed=number)

    def change(root, done, total):
        (raw / "29/apple_29.png").unlink(missing_ok=True)
        os.utime(raw / "28/apple_28.png", ns=(done, done))

    result = run(raw, workers=1, progress=change)
    recorded = result.tables["images"].num_rows
    assert recorded + result.tables["rejects"].num_rows == result.accounts[0].found
    assert recorded >= 29


def test_the_bar_never_goes_back(run, raw, slowly):
    export(raw)
    told = []
    run(raw, workers=1, progress=lambda root, done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= total for done, total in told)
    assert told[-1][0] == told[-1][1]
