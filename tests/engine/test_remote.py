"""Raw folders at an address on two Ray nodes, each of which fetches for itself.

Wrong while green would be: files that only the command's own process fetches; a node that reaches no store and makes
rejects of good scans.
"""

from __future__ import annotations

import pytest

from assets import s3 as s3_server
from assets.pictures import save
from engine.test_digests import counted, digests
from xqdata import manifest, taxonomy
from xqdata.config import Config
from xqdata.dedup import run as dedup
from xqdata.errors import RemoteError
from xqdata.ingest import Options, ingest, measuring, resolve
from xqdata.manifest import Project


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(measuring, "SHARD_FILES", 2)
    monkeypatch.setattr(measuring, "_FEW", 0)


@pytest.fixture
def address(tmp_path, s3: s3_server.Store, bucket: str) -> str:
    for number in range(12):
        save(tmp_path / f"apple/single_basket/apple_{number}.png", seed=number // 2)
    s3.upload(tmp_path / "apple", bucket, "raw/apple")
    return f"s3://{bucket}/raw"


def take(project, address, workers=None):
    reference = taxonomy.load(None)
    project.folder.mkdir()
    ingest(project, resolve([address], {}), Config(), reference, Options(workers=workers))
    dedup.dedup(project, reference, dedup.Options(workers=workers))
    return digests(project)


def test_two_nodes(address, tmp_path, ray_engine, monkeypatch):
    with counted(monkeypatch) as done:
        there = take(Project(tmp_path / "there"), address)
    assert done["measure_shard"] == 6
    assert there == take(Project(tmp_path / "here"), address, workers=1)
    assert manifest.read(Project(tmp_path / "there"), "links").num_rows >= 6


def test_a_store_that_refuses_a_node(address, tmp_path, ray_engine, s3):
    s3.refuse = lambda method, path: path.endswith("apple_7.png")
    project = Project(tmp_path / "there")
    with pytest.raises(RemoteError, match="AccessDenied by"):
        take(project, address)
    assert manifest.standing(project) == []
