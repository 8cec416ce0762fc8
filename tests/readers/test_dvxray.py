"""DvXray's pairs.

Wrong while green would be: the boxes of one view drawn on the other; the two views as two scans; a scan without a
prohibited item taken for one whose annotation is broken.
"""

from __future__ import annotations

import json

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.dvxray import Dvxray

GUN = {"label": "Gun", "ol_bb": [1, 2, 4, 6], "sd_bb": [5, 1, 15, 11]}

THREE = "its box has 3 numbers, not left, top, right, bottom"


def lay(folder, name="P0001", objects="None", views=("OL", "SD")):
    for shift, view in enumerate(views):
        save(folder / f"{name}_{view}.png", seed=shift)
    text = objects if isinstance(objects, bytes) else json.dumps({"objects": objects}).encode()
    (folder / f"{name}.json").write_bytes(text)


def boxes(reading):
    return {
        path: [(b.label, b.x, b.y, b.width, b.height) for b in drawn] for path, drawn in reading.boxes.items() if drawn
    }


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


def test_a_pair_is_one_scan_with_two_views(raw, tree):
    lay(raw, objects=[GUN, {"label": "Bat", "sd_bb": [0, 0, 2, 2], "ol_bb": []}])
    reading = Dvxray().read(tree())
    assert dict(reading.fields) == {
        "P0001_OL.png": {"scan_id": "raw/P0001", "view": "top", "objects": ["Gun", "Bat"]},
        "P0001_SD.png": {"scan_id": "raw/P0001", "view": "side", "objects": ["Gun", "Bat"]},
    }
    assert boxes(reading) == {
        "P0001_OL.png": [("Gun", 1, 2, 3, 4)],
        "P0001_SD.png": [("Gun", 5, 1, 10, 10), ("Bat", 0, 0, 2, 2)],
    }
    assert reading.sources == {"P0001.json": "annotation"}
    assert not problems(reading)


@pytest.mark.parametrize("objects", ["None", None, [], "none", ""])
def test_no_prohibited_item(raw, tree, objects):
    lay(raw, objects=objects)
    reading = Dvxray().read(tree())
    assert not boxes(reading)
    assert not problems(reading)
    assert reading.sources == {"P0001.json": "annotation"}
    assert {f["scan_id"] for f in reading.fields.values()} == {"raw/P0001"}


def test_two_folders_with_the_same_numbers_are_different_scans(raw, tree):
    lay(raw / "positive", objects=[GUN])
    lay(raw / "negative")
    reading = Dvxray().read(tree())
    assert len({f["scan_id"] for f in reading.fields.values()}) == 2
    assert set(boxes(reading)) == {"positive/P0001_OL.png", "positive/P0001_SD.png"}


def test_a_missing_partner(raw, tree):
    lay(raw, "P0001", objects=[GUN], views=("OL",))
    lay(raw, "P0002")
    reading = Dvxray().read(tree())
    assert reading.fields["P0001_OL.png"] == {"scan_id": "raw/P0001", "view": "top", "objects": ["Gun"]}
    assert boxes(reading) == {"P0001_OL.png": [("Gun", 1, 2, 3, 4)]}
    assert problems(reading) == [("P0001.json", "object 1, SD", "there is no picture of this view")]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        (["Gun"], ("object 1", "is 'Gun', not keys and values")),
        ([{"ol_bb": [1, 2, 4, 6]}], ("object 1", "label is missing")),
        ([{"label": None, "ol_bb": [1, 2, 4, 6]}], ("object 1", "it has no name")),
        ([{"label": "Gun", "ol_bb": [1, 2, 4]}], ("object 1, OL", THREE)),
        ([{"label": "Gun", "sd_bb": [4, 2, 1, 6]}], ("object 1, SD", "its box is -3 x 4")),
        ([{"label": "Gun", "sd_bb": [4, 2, "x", 6]}], ("object 1, SD", "right is 'x'")),
        ({"Gun": 1}, ("the whole file", "objects is {'Gun': 1}, not a list")),
        ("Gun", ("the whole file", "objects is 'Gun', not a list")),
        (b'{"objects": [', ("the whole file", "Expecting value: line 1 column 14 (char 13)")),
        (b"[]", ("the whole file", "holds a list, not keys and values")),
        (b"{}", ("the whole file", "objects is missing")),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_told(raw, tree, objects, expected):
    if isinstance(objects, list):
        objects = [*objects, GUN]
    lay(raw, objects=objects)
    reading = Dvxray().read(tree())
    ((path, item, message),) = problems(reading)
    assert (path, item, message) == ("P0001.json", *expected)
    assert len(boxes(reading)) == (2 if isinstance(objects, list) else 0)
    assert {f["scan_id"] for f in reading.fields.values()} == {"raw/P0001"}


def test_a_pair_without_annotation_is_still_a_scan(run, raw, project):
    lay(raw)
    (raw / "P0001.json").unlink()
    run(raw)
    found = {r["path"]: (r["scan_id"], r["view"], r["objects"]) for r in manifest.read(project, "images").to_pylist()}
    assert found == {"P0001_OL.png": ("raw/P0001", "top", None), "P0001_SD.png": ("raw/P0001", "side", None)}


@pytest.mark.parametrize("paths", [("a_OL.png",), ("a_OL.png", "b_SD.png"), ("x/a_OL.png", "y/a_SD.png"),
                                   ("a_OL", "a_SD"), ("aOL.png", "aSD.png"), ("a_ol.png", "a_sd.png")])  # fmt: skip
def test_other_names_make_no_pair(raw, tree, paths):
    for path in paths:
        save(raw / path)
    assert Dvxray().sniff(tree()) is None


def test_why(raw, tree):
    lay(raw)
    lay(raw, "P0002", views=("OL",))
    assert Dvxray().sniff(tree()) == "1 scans have the two views NAME_OL and NAME_SD, as P0001"
