"""Projects without pictures that stand for very large ones.

Wrong while green would be: tables that no real project has, as one giant component, columns that are null everywhere or
different everywhere; blocks that repeat each other; links and clusters that contradict each other.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from xqdata import groups, manifest, schema
from xqdata.dedup import cluster
from xqdata.splits import Request, split

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmark" / "scale"))
import tables

ROWS = 3000


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK", 1024)


@pytest.fixture
def usual(tmp_path):
    return tables.write(tmp_path / "usual", ROWS)


def test_the_seed_alone_decides(tmp_path, usual):
    digests = [
        {name: manifest.provenance(project, name).digest for name in manifest.standing(project)}
        for project in (usual, tables.write(tmp_path / "again", ROWS), tables.write(tmp_path / "other", ROWS, seed=1))
    ]
    assert digests[0] == digests[1]
    assert all(digests[0][name] != digests[2][name] for name in ("images", "links", "duplicates", "splits/given"))


def test_columns_vary_as_those_of_scans_do(usual):
    images = manifest.read(usual, "images")
    assert images.num_rows == ROWS == len(pc.unique(images["image_id"]))
    distinct = {
        name: len(pc.unique(images[name])) for name in ("object", "scan_type", "session", "bag", "scan_id", "sha256")
    }
    assert distinct["object"] == 21 + 1  # null, where nobody knows or there are several
    assert distinct["scan_type"] == 13
    assert ROWS / 300 < distinct["session"] < ROWS / 100
    assert ROWS / 4 < distinct["bag"] < distinct["scan_id"] < distinct["sha256"] < ROWS
    assert 0 < images["objects"].null_count < ROWS / 50
    lengths = pc.value_counts(pc.list_value_length(images["specimens"]).combine_chunks()).to_pylist()
    assert {row["values"]: row["counts"] > 50 for row in lengths} == {1: True, 2: True}
    types = schema.IMAGES.arrow
    assert images.schema.equals(types)


def test_links_and_clusters_agree(usual):
    links, duplicates = manifest.read(usual, "links").to_pylist(), manifest.read(usual, "duplicates").to_pylist()
    copies = [(row["image_a"], row["image_b"]) for row in links if row["kind"] in schema.COPY_KINDS]
    assert all(a < b for a, b in copies)
    joined = {name: members[0] for members in cluster.components(copies) for name in members}
    assert joined == {row["image_id"]: row["cluster"] for row in duplicates}
    assert sum(row["kept"] for row in duplicates) == len(set(joined.values()))
    bytes_of = dict(zip(*(manifest.read(usual, "images")[c].to_pylist() for c in ("image_id", "sha256")), strict=True))
    assert all((bytes_of[r["image_a"]] == bytes_of[r["image_b"]]) == (r["kind"] == "bytes") for r in links)


@pytest.mark.parametrize(
    ("shape", "least", "most"), [("usual", 400, 1000), ("giant", 1, 1), ("bare", 2000, 3000), ("distinct", 2000, 3000)]
)
def test_shapes_differ_in_their_components(tmp_path, shape, least, most):
    images = manifest.read(tables.write(tmp_path / shape, ROWS, shape), "images")
    ties = [groups.column_ties(images, name, np.ones(ROWS, bool)) for name in groups.IDENTITY]
    found = groups.components(ROWS, ties)
    assert least <= groups.distinct(found) <= most
    if shape == "usual":
        assert np.bincount(found).max() < ROWS / 10


def test_it_is_split_as_any_project(usual, reference):
    (told,) = split(usual, reference, Request()).reports
    assert told.proof.groups > 400
    assert told.copies > 30
