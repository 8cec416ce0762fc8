"""Several raw folders, several runs: what stays, what goes, and what moved.

Wrong while green would be: a log for two folders that rejects half of itself in each; a copy that was always there and
is taken for a file that moved; labels of an old place that outlive what the new place says; options of one folder told
of another.
"""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from assets.pictures import save
from xqdata import labels, manifest
from xqdata.config import Config
from xqdata.errors import InputError
from xqdata.ingest import Options, ingest, resolve
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy


@pytest.fixture
def read(project: Project, reference: Taxonomy):
    def call(*folders: Path, config: dict[str, object] | None = None, **options: object):
        known = dict(manifest.provenance(project, "images").roots) if manifest.exists(project, "images") else {}
        known = {name: place for name, place in known.items() if name not in options.get("forgotten", ())}
        settings = Config.model_validate({"ingest": config or {}})
        return ingest(project, resolve([str(f) for f in folders], known), settings, reference, Options(**options))

    return call


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    for root in "AB":
        for n in range(2):
            save(tmp_path / root / f"{root}{n}.png", seed=ord(root) + n)
    return tmp_path / "A", tmp_path / "B"


def table(project: Project, name: str = "images") -> list[dict[str, object]]:
    return manifest.read(project, name).to_pylist()


def test_a_log_outside_speaks_of_several_folders(read, two, project):
    (project.folder / "log.csv").write_text("file,session\nA0,s1\nA1,s2\nB0,s3\nnowhere,s4\nB1,s5\n")
    for _ in range(2):
        read(*two, config={"tables": [{"path": "log.csv"}]})
        assert {r["path"]: r["session"] for r in table(project)} == {
            "A0.png": "s1",
            "A1.png": "s2",
            "B0.png": "s3",
            "B1.png": "s5",
        }
        assert [(r["root"], r["path"], r["item"]) for r in table(project, "rejects")] == [(None, "log.csv", "row 5")]
        assert [(r["root"], r["path"]) for r in table(project, "sources")] == [(None, "log.csv")]
    read(*two)
    assert table(project, "rejects") == table(project, "sources") == []


def test_a_log_inside_one_folder_is_not_asked_about_another(read, two, project):
    (two[0] / "log.csv").write_text("file,session\nA0,s1\nA1,s2\n")
    read(*two, config={"tables": [{"path": str(two[0] / "log.csv")}]})
    assert table(project, "rejects") == []
    assert [(r["root"], r["path"]) for r in table(project, "sources")] == [("A", "log.csv")]


def test_a_row_never_labels_a_file_in_another_folder(read, tmp_path, project):
    save(tmp_path / "raw" / "x1" / "001.png")
    (tmp_path / "raw" / "log.csv").write_text("file,object\nx2/001.png,mango\nx1/001.png,apple\n")
    read(tmp_path / "raw")
    assert [r["object"] for r in table(project)] == ["apple"]
    assert [r["item"] for r in table(project, "rejects")] == ["row 2"]


def test_a_folder_can_be_forgotten(read, two, project):
    read(*two)
    read(two[0], forgotten=("B",))
    assert {r["root"] for r in table(project)} == {"A"}
    assert dict(manifest.provenance(project, "images").roots) == {"A": str(two[0])}
    read(two[1])
    assert {r["root"] for r in table(project)} == {"A", "B"}


def test_options_are_kept_by_folder(read, two, project):
    read(two[0], config={"defaults": {"site": "Incheon"}})
    read(two[1], config={"defaults": {"site": "Busan"}})
    told = manifest.provenance(project, "images").options["roots"]
    assert {name: o["config"]["defaults"] for name, o in told.items()} == {
        "A": {"site": "Incheon"},
        "B": {"site": "Busan"},
    }
    assert {r["root"]: r["site"] for r in table(project)} == {"A": "Incheon", "B": "Busan"}


def test_a_folder_inside_one_that_was_read_is_refused(read, two):
    read(two[0])
    (two[0] / "sub").mkdir()
    with pytest.raises(InputError, match="lies in the same folder"):
        read(two[0] / "sub")


def test_a_folder_that_moved_keeps_its_name(read, two, project, tmp_path):
    read(two[0])
    shutil.move(two[0], tmp_path / "elsewhere")
    read(f"A={tmp_path / 'elsewhere'}")
    assert [(r["root"], r["missing"]) for r in table(project)] == [("A", False)] * 2


def ids(project: Project) -> dict[str, str]:
    return {r["path"]: r["image_id"] for r in table(project)}


def effective(project: Project, reference: Taxonomy) -> dict[str, object]:
    found = labels.effective(manifest.read(project, "images"), labels.log(project), reference)
    return {r["path"]: r["object"] for r in found.to_pylist() if not r["missing"]}


def judge(project: Project, path: str, field: str, after: object) -> None:
    labels.append(project, [labels.Event(datetime(2026, 5, 17), "kim", "cli", field, ids(project)[path], after)])


def test_a_file_that_moved_twice_keeps_its_verdict(read, two, project, reference):
    read(two[0])
    judge(project, "A0.png", "object", "mango")
    for old, new in (("A0.png", "x/A0.png"), ("x/A0.png", "y.png")):
        (two[0] / new).parent.mkdir(exist_ok=True)
        (two[0] / old).rename(two[0] / new)
        read(two[0])
        read(two[0])
    assert effective(project, reference) == {"A1.png": None, "y.png": "mango"}


def coco(folder: Path, *drawn: str) -> None:
    listed = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    images = [{"id": name, "file_name": name} for name in listed]
    boxes = [{"image_id": name, "category_id": 1, "bbox": [1, 2, 3, 4]} for name in drawn]
    categories = [{"id": 1, "name": "apple"}]
    text = json.dumps({"images": images, "categories": categories, "annotations": boxes})
    (folder / "boxes.json").write_text(text, "utf-8")


def said(project: Project, *columns: str) -> dict[str, tuple[object, ...]]:
    return {r["path"]: tuple(r[c] for c in columns) for r in table(project) if not r["missing"]}


def test_a_file_that_moved_keeps_what_was_said_of_it(read, tmp_path, project):
    raw = tmp_path / "raw"
    for n in range(3):
        save(raw / f"apple/single basket/{n}.png", seed=n)
    (raw / "log.csv").write_text("file,specimen,kvp\napple/single basket/0.png,7,160\n")
    read(raw)
    for old, new in (("apple/single basket/0.png", "done/0.png"), ("done/0.png", "mango/0.png")):
        (raw / new).parent.mkdir()
        (raw / old).rename(raw / new)
        result = read(raw)
        assert [new in note for note in result.accounts[0].notes if "moved" in note] == [True]
        told = said(project, "object", "specimens", "scan_type", "kvp")
        # The folder mango says what it shows: the specimen of the apple does not come along.
        what = ("apple", ["apple-7"]) if "done" in new else ("mango", None)
        assert told[new] == (*what, "single_basket", 160.0)
        assert not read(raw).changed


def test_a_file_whose_old_place_was_filled_keeps_what_was_said_of_it(read, tmp_path, project):
    raw = tmp_path / "raw"
    save(raw / "apple/0.png", seed=1)
    coco(raw, "apple/0.png")
    read(raw)
    (raw / "done").mkdir()
    (raw / "apple/0.png").rename(raw / "done/0.png")
    (raw / "boxes.json").unlink()
    read(raw)
    save(raw / "apple/0.png", seed=2)
    for _ in range(2):
        read(raw)
        assert said(project, "object") == {"apple/0.png": ("apple",), "done/0.png": ("apple",)}
        drawn = [box["image_id"] for box in table(project, "detections")]
        assert drawn == [ids(project)["done/0.png"]]


def test_a_file_that_moved_keeps_its_boxes_until_an_annotation_speaks_of_it(read, tmp_path, project):
    raw = tmp_path / "raw"
    save(raw / "a/0.png")
    coco(raw, "a/0.png")
    read(raw)
    (raw / "b").mkdir()
    (raw / "a/0.png").rename(raw / "b/0.png")
    for _ in range(2):
        read(raw)
        assert said(project, "objects") == {"b/0.png": (["apple"],)}
        drawn = {box["image_id"]: box["label"] for box in table(project, "detections")}
        assert drawn == {row["image_id"]: "apple" for row in table(project)}
    coco(raw)
    read(raw)
    assert said(project, "objects") == {"b/0.png": (None,)}
    assert [box["image_id"] for box in table(project, "detections")] == [ids(project)["a/0.png"]]


def test_a_copy_that_was_always_there_is_no_move(read, two, project, reference):
    shutil.copy(two[0] / "A0.png", two[0] / "copy.png")
    read(two[0])
    judge(project, "copy.png", "reject", True)
    (two[0] / "copy.png").unlink()
    read(two[0])
    assert "A0.png" in effective(project, reference)


def test_a_file_that_became_two_is_no_move(read, two, project, reference):
    read(two[0])
    judge(project, "A0.png", "object", "mango")
    shutil.copy(two[0] / "A0.png", two[0] / "one.png")
    (two[0] / "A0.png").rename(two[0] / "two.png")
    read(two[0])
    assert set(effective(project, reference).values()) == {None}


def test_files_that_were_renumbered_keep_their_own_verdicts(read, two, project, reference):
    read(two[0])
    judge(project, "A1.png", "object", "apple")
    (two[0] / "A0.png").unlink()
    (two[0] / "A1.png").rename(two[0] / "A0.png")
    read(two[0])
    # The bytes that were judged now lie where another file was: a conflict for a person, not a guess.
    assert effective(project, reference) == {"A0.png": None}


def test_a_page_that_is_gone_is_missing(read, tmp_path, project):
    import numpy as np
    import tifffile

    raw = tmp_path / "raw"
    raw.mkdir()
    pages = np.arange(3 * 8 * 8, dtype=np.uint16).reshape(3, 8, 8)
    tifffile.imwrite(raw / "a.tif", pages, photometric="minisblack")
    read(raw)
    tifffile.imwrite(raw / "a.tif", pages[:2], photometric="minisblack")
    read(raw)
    assert [(r["page"], r["missing"]) for r in table(project)] == [(0, False), (1, False), (2, True)]
