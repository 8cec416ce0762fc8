"""What several readers say of one file, made into columns.

Wrong while green would be: a weaker reader's word taken, a disagreement that nobody hears of, a value that fits no
column dropped, specimen 3 of the apples taken for specimen 3 of the mangoes.
"""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from xqdata.errors import ConfigError
from xqdata.ingest.describe import Describer, check_defaults
from xqdata.readers import Reading


@pytest.fixture
def describe(reference):
    def make(*said, defaults=None, tags=None):
        readings = [(f"r{n}", Reading({"a.png": fields})) for n, fields in enumerate(said, 1)]
        describer = Describer(readings, reference, defaults or {})
        row = describer.row("a.png", "PNG", tags)
        row["extra"] = json.loads(row["extra"])
        return {k: v for k, v in row.items() if v is not None}, describer.notes()

    return make


def test_nothing_is_known_of_a_file_that_no_reader_describes(describe):
    assert describe() == ({"extra": {}}, [])


def test_the_strongest_readers_word_holds_and_the_others_fill_the_gaps(describe):
    row, notes = describe({"view": "top", "kvp": "160"}, {"view": "top", "session": "s1"})
    assert row == {"view": "top", "kvp": 160.0, "session": "s1", "reader": "r1, r2", "extra": {}}
    assert notes == []


def test_disagreements_are_counted_with_an_example(reference):
    one = Reading({f"{n}.png": {"object": "mango", "view": "top"} for n in range(3)})
    other = Reading({"0.png": {"object": "사과"}, "1.png": {"object": "apple", "view": "side"}, "2.png": {}})
    describer = Describer([("tables", one), ("folders", other)], reference, {})
    rows = [describer.row(f"{n}.png") for n in range(3)]
    assert [row["object"] for row in rows] == ["mango"] * 3
    assert [row["label_source"] for row in rows] == ["tables"] * 3
    objects, view = describer.notes()
    assert objects.startswith("2 files: tables and folders disagree on objects, as in 0.png")
    assert "apple" in objects
    assert view.startswith("1 file: tables and folders disagree on view, as in 1.png (top, side)")


def test_spellings_of_one_thing_are_no_disagreement(describe):
    row, notes = describe(
        {"object": "사과", "scan_type": "Single object in basket", "kvp": "160"},
        {"object": "Apple", "scan_type": "single_basket", "kvp": 160},
    )
    assert (row["object"], row["scan_type"], notes) == ("apple", "single_basket", [])


def test_what_the_scan_type_fixes_is_known(describe):
    row, _ = describe({"scan_type": "캐리어 복수"})
    assert (row["container"], row["multiplicity"], row["clutter"]) == ("carrier", "multiple", "none")


def test_what_somebody_says_outright_beats_what_the_scan_type_fixes(describe):
    row, _ = describe({"scan_type": "single_basket", "multiplicity": "mixed"})
    assert (row["container"], row["multiplicity"]) == ("basket", "mixed")


def test_names_outside_the_taxonomy_are_kept(describe):
    row, _ = describe({"object": "Wug", "scan_type": "Wug rack", "container": "bucket"})
    assert (row["object"], row["objects"], row["scan_type"]) == ("Wug", ["Wug"], "Wug rack")
    assert row["container"] == "bucket"
    assert "multiplicity" not in row


def test_several_objects_have_no_one_class(describe):
    row, _ = describe({"objects": "apple; 망고; Apple"})
    assert row["objects"] == ["apple", "mango"]
    assert "object" not in row
    row, _ = describe({"object": "apple", "object2": "mango"})
    assert row["objects"] == ["apple", "mango"]


@pytest.mark.parametrize(
    ("said", "specimens"),
    [
        ([{"object": "사과", "specimen": "3"}], ["apple-3"]),
        ([{"object": "apple", "specimen": "A3"}], ["A3"]),
        ([{"specimen": "3"}, {"object": "apple"}], ["apple-3"]),
        ([{"object": "apple"}, {"specimen": 3}], ["apple-3"]),
        ([{"objects": ["apple", "mango"], "specimens": ["1", "2"]}], ["apple-1", "mango-2"]),
        ([{"objects": ["apple", "apple"], "specimens": ["1", "2"]}], ["apple-1", "apple-2"]),
        ([{"object": "apple", "specimen": "1", "object2": "mango", "specimen2": "1"}], ["apple-1", "mango-1"]),
        ([{"objects": ["apple", "mango"], "specimens": ["1"]}], ["apple+mango-1"]),
        ([{"specimen": "3"}], ["3"]),
        ([{"object": "apple", "specimens": "1;2"}], ["apple-1", "apple-2"]),
    ],
)
def test_specimen_numbers_count_within_their_object(describe, said, specimens):
    row, _ = describe(*said)
    assert row["specimens"] == specimens


def test_a_specimen_belongs_to_the_object_that_holds(describe):
    row, notes = describe({"object": "mango"}, {"object": "apple", "specimen": "3"})
    assert row["object"] == "mango"
    assert row["specimens"] == ["mango-3"]
    assert len(notes) == 1


def test_other_words_go_to_extra_and_the_strongest_holds(describe):
    row, _ = describe({"pose": "1", "비고": "흔들림"}, {"pose": "2", "class_codes": ["537"]})
    assert row["extra"] == {"pose": "1", "비고": "흔들림", "class_codes": ["537"]}


def test_measured_columns_cannot_be_described(describe):
    row, _ = describe({"width": 5, "phash": "1", "sha256": "x", "image_id": "y", "reader": "me", "missing": True})
    assert row["extra"] == {"width": 5, "phash": "1", "sha256": "x", "image_id": "y", "reader": "me", "missing": True}
    assert row["reader"] == "r1"


def test_a_value_that_is_not_the_columns_is_kept_and_counted(describe):
    row, notes = describe({"kvp": "auto", "acquired_at": "17.05.2024", "view": "top"})
    assert "kvp" not in row
    assert row["extra"] == {"kvp_as_written": "auto", "acquired_at_as_written": "17.05.2024"}
    assert len(notes) == 2
    assert notes[1].startswith("1 value of kvp is not what that column holds")


def test_a_weaker_reader_helps_out_where_the_strongest_ones_value_is_bad(describe):
    row, _ = describe({"kvp": "auto"}, {"kvp": "160"})
    assert row["kvp"] == 160.0


def test_days_say_that_they_are_days(describe):
    row, _ = describe({"acquired_at": "20221012"})
    assert row["acquired_at"] == datetime(2022, 10, 12)
    assert row["extra"] == {"acquired_precision": "day"}
    row, _ = describe({"acquired_at": "2022-10-12 09:00"})
    assert row["extra"] == {}


def test_a_weaker_readers_day_does_not_blur_a_moment(describe):
    row, _ = describe({"acquired_at": "2022-10-12 09:00"}, {"acquired_at": "20221012"})
    assert row["acquired_at"] == datetime(2022, 10, 12, 9)
    assert row["extra"] == {}


def test_defaults_fill_what_nobody_said_and_never_disagree(describe):
    row, notes = describe({"site": "Busan"}, defaults={"site": "Incheon", "kvp": 160, "object": "apple", "lab": "2"})
    assert (row["site"], row["kvp"], row["object"]) == ("Busan", 160.0, "apple")
    assert (row["extra"], row["reader"], row["label_source"]) == ({"lab": "2"}, "r1", "xqdata.toml")
    assert notes == []


def test_what_stands_inside_the_file_is_kept(describe):
    row, _ = describe({"view": "top"}, tags='{"Software": "스캐너"}')
    assert row["extra"] == {"tags": {"Software": "스캐너"}}


def test_a_scan_type_and_a_folder_that_contradict_each_other_are_told(describe):
    row, notes = describe({"container": "carrier", "scan_type": "single_basket"})
    assert row["container"] == "carrier"
    assert len(notes) == 1
    assert "container" in notes[0]


def test_a_day_and_a_time_are_one_moment(describe):
    assert describe({"date": "2024-05-17", "time": "14:30:05"})[0]["acquired_at"] == datetime(2024, 5, 17, 14, 30, 5)
    assert describe({"date": "2024/5/7", "time": "오후 2:30"})[0]["acquired_at"] == datetime(2024, 5, 7, 14, 30)
    row, _ = describe({"date": "2024-05-18"})
    assert (row["acquired_at"], row["extra"]) == (datetime(2024, 5, 18), {"acquired_precision": "day"})


def test_a_day_and_a_moment_of_it_do_not_disagree(describe):
    _, notes = describe({"acquired_at": "2024-05-17"}, {"acquired_at": "2024-05-17 09:05"})
    assert notes == []


def test_a_comma_parts_objects_only_where_all_are_known(describe):
    assert describe({"object": "목이버섯, 사과"})[0]["objects"] == ["tree_ear_mushroom", "apple"]
    assert describe({"object": "LAGs products, plastic"})[0]["object"] == "LAGs products, plastic"


@pytest.mark.parametrize("defaults", [{"sight": "x"}, {"kvp": "hundred"}, {"polarity": "air_dark"}, {"sha256": "x"}])
def test_a_default_that_no_column_can_hold_is_told(defaults):
    with pytest.raises(ConfigError, match=f"ingest.defaults.{next(iter(defaults))}"):
        check_defaults(defaults)
