"""Real scans, where `XQDATA_REAL_DATA` names their folder.

Wrong while green would be: what holds for pictures that we drew ourselves and for no scanner's. The expected values
were read from the folders' own files by hand, not from xqdata's output.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from xqdata import config, manifest, taxonomy
from xqdata.ingest import Options, ingest, resolve
from xqdata.manifest import Project

REAL = os.environ.get("XQDATA_REAL_DATA")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL, reason="XQDATA_REAL_DATA is not set: it names the folder of real scans"),
]
FOLDERS = ("compass_xp", "cubox", "fishbones")


@pytest.fixture(scope="module")
def real():
    return Path(REAL or "")


@pytest.fixture(scope="module")
def project(tmp_path_factory, real):
    """All three folders in one project."""
    made = Project(tmp_path_factory.mktemp("real"))
    roots = resolve([str(real / name) for name in FOLDERS], {})
    ingest(made, roots, config.Config(), taxonomy.load(), Options(workers=1))
    return made


@pytest.fixture(scope="module")
def images(project):
    rows = manifest.read(project, "images").to_pylist()
    return {name: {r["path"]: r for r in rows if r["root"] == name} for name in FOLDERS}


def test_no_file_is_lost(project, images, real):
    rejects = manifest.read(project, "rejects").to_pylist()
    sources = manifest.read(project, "sources").to_pylist()
    for name in FOLDERS:
        there = {p.relative_to(real / name).as_posix() for p in (real / name).rglob("*") if p.is_file()}
        told = [*images[name], *(r["path"] for r in [*rejects, *sources] if r["root"] == name)]
        assert len(told) == len(set(told))
        assert set(told) == there
    assert {name: len(rows) for name, rows in images.items()} == {"compass_xp": 12, "cubox": 30, "fishbones": 200}
    assert ("compass_xp", "acquisition.csv", "log") in [(s["root"], s["path"], s["role"]) for s in sources]
    # What is left are the boxes of cubox, whether a reader understands them or not, and what a Mac left behind.
    for row in [*rejects, *sources]:
        if row["path"] != "acquisition.csv":
            kind = row.get("reason") or row["role"]
            name = Path(row["path"]).name
            boxes = row["path"].startswith("labels/") and name.endswith(".txt")
            assert row["root"] == "cubox"
            assert kind == "ignored" if name == ".DS_Store" else boxes and kind in ("not_an_image", "annotation")


def test_compass_xp_is_as_its_log_says(images, real):
    with (real / "compass_xp" / "acquisition.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    for expected in rows:
        row = images["compass_xp"][expected["file"]]
        assert (row["object"], row["objects"]) == (expected["object"], [expected["object"]])
        assert row["specimens"] == [expected["specimen"]]
        assert (row["scan_type"], row["container"]) == ("single_basket", "basket")
        assert (row["multiplicity"], row["channel"]) == ("single", "colour")
        assert (row["format"], row["mode"], row["bit_depth"], row["height"]) == ("PNG", "RGB", 8, 580)
        assert (row["polarity"], row["label_source"]) == ("air_bright", "tables")
        assert f'"pose": "{expected["pose"]}"' in row["extra"]


def test_compass_xp_hashes_are_imagehashs(images, real):
    for path, row in images["compass_xp"].items():
        with Image.open(real / "compass_xp" / path) as image:
            assert f"{row['phash']:016x}" == str(imagehash.phash(image))
            assert f"{row['dhash']:016x}" == str(imagehash.dhash(image))
            assert row["phash256"].hex() == str(imagehash.phash(image, hash_size=16))


def test_cubox_names_are_understood(images):
    by_name = {Path(path).name: row for path, row in images["cubox"].items()}
    assert None not in {tuple(row["objects"] or ()) or None for row in by_name.values()}
    row = by_name["E3S690_20221012_02840036_M_Sneakers_537-024_LAGs products(Aluminum-C)_120-013_6.png"]
    assert row["objects"] == ["Sneakers", "LAGs products(Aluminum-C)"]
    assert row["specimens"] == ["537-024", "120-013"]
    assert (row["object"], row["multiplicity"], row["scan_type"]) == (None, "mixed", None)
    assert (row["scanner_model"], row["sequence"], str(row["acquired_at"])) == (
        "E3S690",
        2840036,
        "2022-10-12 00:00:00",
    )
    for name, row in by_name.items():
        kind = name.split("_")[3]
        assert row["multiplicity"] == {"S": "single", "P": "multiple", "M": "mixed"}[kind]
        assert len(row["specimens"]) == (1 if kind == "S" else 2)
        assert len(row["objects"]) == (2 if kind == "M" else 1)
        assert (row["object"] is None) == (kind == "M")
        for thing in (*row["objects"], *row["specimens"]):
            assert thing in name
    assert Counter(row["mode"] for row in by_name.values()).keys() == {"RGB", "RGBA"}
    assert {(row["width"], row["height"]) for row in by_name.values()} == {(896, 760)}


def test_fishbones_do_not_collapse(images):
    rows = images["fishbones"].values()
    assert {(r["bit_depth"], r["mode"], r["channels"]) for r in rows} == {(16, "I;16", 1)}
    assert {(r["width"], r["height"]) for r in rows} == {(100, 100)}
    assert len({r["pixel_hash"] for r in rows}) == 200
    assert len({r["phash256"] for r in rows}) == 200
    assert len({r["phash"] for r in rows}) == 200
    # Fillets that are bright on one side fall evenly from left to right: their dhash is 0, and rightly so.
    assert len({r["dhash"] for r in rows}) >= 180
    assert all(r["object"] is None and r["scan_type"] is None for r in rows)


def test_again_is_the_same_and_reads_nothing(project, real):
    before = [manifest.provenance(project, name).digest for name in manifest.TOGETHER]
    roots = resolve([str(real / name) for name in FOLDERS], manifest.provenance(project, "images").roots)
    result = ingest(project, roots, config.Config(), taxonomy.load())
    assert sum(account.read for account in result.accounts) == 0
    assert not result.changed
    assert [manifest.provenance(project, name).digest for name in manifest.TOGETHER] == before
