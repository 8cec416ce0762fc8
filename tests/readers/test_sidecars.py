"""A JSON or XML file beside each picture.

Wrong while green would be: a key dropped in silence, because it is nested, repeated, an attribute, or does not fit its
column; one picture's file read for another; an annotation or any other JSON taken for a side file; a damaged file that
ends the run, or that nobody is told of.
"""

from __future__ import annotations

import json

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.coco import Coco
from xqdata.readers.sidecars import Sidecars
from xqdata.readers.voc import Voc


def beside(raw, content, name="0582.json", picture="0582.png"):
    save(raw / picture)
    path = raw / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def said(tree, path="0582.png"):
    reading = Sidecars().read(tree())
    assert not reading.bad_rows
    return reading.fields[path]


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


def test_keys_fill_columns_and_the_rest_goes_to_extra(run, raw, project):
    beside(raw, {"Object": "Apple", "kV": 160, "tube current (mA)": "1.2", "Bag-ID": "b7", "shift": 2, "note": ""})
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert (row["object"], row["kvp"], row["ma"], row["bag"]) == ("apple", 160.0, 1.2, "b7")
    assert (row["reader"], row["label_source"]) == ("sidecars", "sidecars")
    assert json.loads(row["extra"]) == {"shift": 2}
    (source,) = manifest.read(project, "sources").to_pylist()
    assert (source["path"], source["role"]) == ("0582.json", "sidecar")
    assert manifest.read(project, "rejects").num_rows == 0


def test_korean_keys(run, raw, project):
    beside(raw, {"품목": "사과", "관전압": "160", "촬영일시": "2024-05-17 14:30:05", "시료번호": "7"})
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert (row["object"], row["specimens"], row["kvp"]) == ("apple", ["apple-7"], 160.0)
    assert str(row["acquired_at"]) == "2024-05-17 14:30:05"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("0582.json", '{"품목": "사과"}'),
        ("0582.xml", '<?xml version="1.0"?>\n<scan><품목>사과</품목></scan>'),
        ("0582.xml", '<?xml version="1.0" encoding="euc-kr"?>\n<scan><품목>사과</품목></scan>'),
    ],
)
def test_encodings(raw, tree, name, text, encoding):
    beside(raw, text.encode(encoding), name=name)
    assert said(tree) == {"object": "사과"}


def test_nested_keys_count_by_their_last_part(raw, tree):
    beside(raw, {"scan": {"tube": {"kVp": 160, "filter": "Cu"}}, "what": {"object": "apple"}})
    assert said(tree) == {"kvp": 160, "scan.tube.filter": "Cu", "object": "apple"}


def test_two_keys_for_one_column_are_both_kept(raw, tree):
    beside(raw, {"model": "HI-SCAN", "network": {"model": "resnet"}, "scanner": "HI-SCAN", "machine": "X"})
    assert said(tree) == {"scanner_model": "HI-SCAN", "network.model": "resnet", "machine": "X"}


def test_a_day_and_a_time_make_a_moment(run, raw, project):
    beside(raw, {"date": "2024-05-17", "time": "14:30:05"})
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert str(row["acquired_at"]) == "2024-05-17 14:30:05"


def test_xml_attributes_text_and_repetition(raw, tree):
    text = """<scan xmlns="http://vendor.example/scan/1.0" site="Incheon">
      <kvp unit="kV">160</kvp><object>apple</object><object>mango</object>
      <param name="gain" value="3"/><param name="offset" value="4"/></scan>"""
    beside(raw, text, name="0582.xml")
    assert said(tree) == {
        "site": "Incheon",
        "kvp.unit": "kV",
        "kvp": "160",
        "object": ["apple", "mango"],
        "param": [{"name": "gain", "value": "3"}, {"name": "offset", "value": "4"}],
    }


@pytest.mark.parametrize("value", [["apple", "mango"], "apple; mango"])
@pytest.mark.parametrize("key", ["object", "objects", "classes"])
def test_several_objects(run, raw, project, key, value):
    """`objects` is also a key of DvXray's, but there the file bears no picture's name."""
    beside(raw, {key: value, "kvp": 160})
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert (row["objects"], row["object"], row["kvp"]) == (["apple", "mango"], None, 160.0)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kvp", "high", "'high' is not a number"),
        ("kvp", True, "'True' is not a number"),
        ("kvp", [160, 80], "holds 2 values, not one"),
        ("view", ["top", "side"], "holds 2 values, not one"),
        ("sequence", 1.5, "'1.5' is not a whole number of up to 15 digits"),
        ("channel", "infrared", "'infrared' is not one of colour, grey, high, low, density, zeff"),
        ("objects", [{"label": "apple"}], "is not a list of names"),
        ("acquired_at", "17.05.2024", "'17.05.2024' is not a date with the year first"),
        ("date", "17.05.2024", "'17.05.2024' is not a date with the year first"),
    ],
)
def test_a_value_that_does_not_fit_is_told_and_kept(run, raw, project, key, value, message):
    beside(raw, {"deep": {key: value}, "bag": "b1"})
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert row["bag"] == "b1"
    assert row[key if key in row else "acquired_at"] is None
    assert json.loads(row["extra"]) == {f"deep.{key}_as_written": value}
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == ("0582.json", f"deep.{key}", "bad_annotation")
    assert reject["message"].startswith(message)


def test_numbers_that_json_does_not_know(run, raw, project):
    """Python writes and reads NaN; a table's JSON must not hold it."""
    beside(raw, '{"gain": NaN, "offset": Infinity, "kvp": NaN}')
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    found = json.loads(row["extra"], parse_constant=pytest.fail)
    assert found == {"gain": "nan", "offset": "inf", "kvp_as_written": "nan"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("0582.json", b'{"kvp": 160', "Expecting"),
        ("0582.json", b"", "Expecting value"),
        ("0582.json", b"[1, 2]", "holds a list, not keys and values"),
        ("0582.json", b"160", "holds a int, not keys and values"),
        ("0582.json", b"\x89PNG\r\n\x1a\n\x81", "is not text in UTF-8, UTF-16 or CP949"),
        ("0582.json", b"[" * 100_000, "is nested too deeply"),
        ("0582.json", b'{"kvp": 1, "b":' + b'{"a":' * 200 + b"1" + b"}" * 201, "is nested too deeply"),
        ("0582.json", b'{"object": "\\ud83d"}', "holds half of a character"),
        ("0582.xml", b"<scan><kvp>160</scan>", "is not well-formed XML"),
        ("0582.xml", b"", "is not well-formed XML"),
        ("0582.xml", b"<scan>160</scan>", "holds a str, not keys and values"),
        ("0582.xml", b"<a>" * 5000 + b"</a>" * 5000, "is nested too deeply"),
        ("0582.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a><kvp>&b;</kvp></a>', "declares entities"),
    ],
)
def test_a_damaged_file_is_a_source_and_a_reject(run, raw, project, name, content, message):
    beside(raw, content, name=name)
    save(raw / "0583.png", seed=3)
    beside(raw, {"object": "apple"}, name="0583.json", picture="0583.png")
    run(raw)
    assert {r["path"]: r["object"] for r in manifest.read(project, "images").to_pylist()} == {
        "0582.png": None,
        "0583.png": "apple",
    }
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == (name, "the whole file", "bad_annotation")
    assert message in reject["message"]
    assert reject["message"].isprintable()
    assert {s["path"] for s in manifest.read(project, "sources").to_pylist()} == {name, "0583.json"}


def test_a_side_file_whose_picture_is_gone_is_accounted_for(run, raw, project):
    beside(raw, {"object": "apple"})
    beside(raw, {"object": "mango"}, name="lost.json")
    run(raw)
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == ("lost.json", None, "not_an_image")


def test_both_ways_to_name_it_the_closer_one_counts(raw, tree):
    beside(raw, {"kvp": 160, "ma": 1}, name="0582.png.json")
    beside(raw, {"kvp": 120, "ma": 1, "bag": "b1"}, name="0582.json")
    reading = Sidecars().read(tree())
    assert reading.fields["0582.png"] == {"kvp": 160, "ma": 1, "kvp (0582.json)": 120, "bag": "b1"}
    assert set(reading.sources) == {"0582.png.json", "0582.json"}


def test_json_and_xml_of_one_picture_are_both_read(raw, tree):
    beside(raw, {"kvp": 160})
    beside(raw, "<scan><bag>b1</bag></scan>", name="0582.xml")
    assert said(tree) == {"kvp": 160, "bag": "b1"}


@pytest.mark.parametrize("name", ["0582.JSON", "0582.PNG.json", "0582.Json"])
def test_endings_in_capitals(raw, tree, name):
    beside(raw, {"kvp": 160}, name=name, picture="0582.PNG")
    assert said(tree, "0582.PNG") == {"kvp": 160}


def test_names_are_whole_and_of_one_folder(raw, tree):
    beside(raw, {"kvp": 1}, name="a/1.json", picture="b/1.png")
    beside(raw, {"kvp": 2}, name="10.json", picture="1.png")
    beside(raw, {"kvp": 3}, name="x.1.json", picture="x.png")
    assert Sidecars().sniff(tree()) is None


def test_two_pictures_of_one_name_share_a_file_and_its_faults_are_told_once(raw, tree):
    beside(raw, {"kvp": "?", "bag": "b"})
    save(raw / "0582.tif", seed=2)
    reading = Sidecars().read(tree())
    assert reading.fields.keys() == {"0582.png", "0582.tif"}
    assert [item for _, item, _ in problems(reading)] == ["kvp"]


@pytest.mark.parametrize(
    ("name", "content", "reader"),
    [
        ("0582.json", {"images": [], "annotations": [], "categories": []}, Coco()),
        ("0582.xml", "<annotation><filename>0582.png</filename></annotation>", Voc()),
        ("0582.xml", "<!-- <x> -->\n<annotation><object>", Voc()),
    ],
)
def test_annotations_are_left_to_their_readers(raw, tree, name, content, reader):
    beside(raw, content, name=name)
    assert Sidecars().sniff(tree()) is None
    assert reader.sniff(tree()) is not None


def test_words_that_annotations_use_do_not_make_one(raw, tree):
    beside(raw, {"annotations": [{"by": "Kim"}], "kvp": 160})
    beside(raw, "<scan><annotation>seen twice</annotation></scan>", name="0582.xml")
    assert said(tree) == {"annotations": [{"by": "Kim"}], "kvp": 160, "annotation": "seen twice"}
    assert Coco().sniff(tree()) is None
    assert Voc().sniff(tree()) is None


def test_why(raw, tree):
    beside(raw, {"kvp": 160})
    beside(raw, "<scan><kvp>1</kvp></scan>", name="0582.xml")
    assert Sidecars().sniff(tree()) == "1 picture has a file of its own name beside it, as 0582.json"
