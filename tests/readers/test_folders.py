"""Folders that carry meaning.

Wrong while green would be: a guess where two folders contradict each other; a known name found by a part of a word; an
object outside the taxonomy dropped in silence.
"""

from __future__ import annotations

import unicodedata

import pytest

from xqdata.readers.folders import Folders

APPLE = {"object": "apple", "scan_type": "single_basket"}


def described(tree, path="x.png"):
    """What is said of the one path that ends in `path`."""
    (found,) = [fields for name, fields in Folders().read(tree).fields.items() if name.endswith(path)]
    return dict(found)


@pytest.mark.parametrize(
    "path",
    [
        "apple/single_basket/x.png",
        "single_basket/apple/x.png",
        "APPLE/Single Basket/x.png",
        "2024/Single object in basket/lot 3/Malus-domestica/deep/x.png",
        "사과/바구니 단일/x.png",
        "바구니_단일/사과/1차/x.png",
        unicodedata.normalize("NFD", "사과/바구니 단일/x.png"),
    ],
)
def test_in_any_order_and_spelling(tree, path):
    assert described(tree(path)) == APPLE


def test_the_raw_folders_own_name_counts(tree, tmp_path):
    (tmp_path / "Apple").mkdir()
    found = tree("basket single/x.png", location=tmp_path / "Apple")
    assert described(found) == APPLE
    assert described(tree("x.png", location=tmp_path / "Apple")) == {"object": "apple"}


def test_folders_above_the_raw_folder_do_not_count(tree, tmp_path):
    place = tmp_path / "mango" / "survey"
    place.mkdir(parents=True)
    assert described(tree("apple/x.png", location=place)) == {"object": "apple"}


def test_the_files_own_name_does_not_count(tree):
    assert described(tree("single_basket/mango.png/x.png")) == {"scan_type": "single_basket"}
    assert "object" not in described(tree("single_basket/mango.png"), "mango.png")


def test_two_objects_in_one_path_are_nobodys_to_choose(tree):
    assert described(tree("apple/mango/x.png")) == {"folder_objects": ["apple", "mango"]}
    assert described(tree("single_basket/single_carrier/apple/x.png")) == {
        "object": "apple",
        "folder_scan_types": ["single_basket", "single_carrier"],
    }


def test_one_object_named_twice_is_one(tree):
    assert described(tree("apple/사과/x.png")) == {"object": "apple"}


def test_a_folder_beside_objects_is_no_object_but_is_told(tree):
    found = tree("apple/1.png", "mango/2.png", "Wug/single_basket/x.png")
    assert described(found) == {"folder_beside_objects": "Wug", "scan_type": "single_basket"}
    assert "Wug (1 scan)" in Folders().read(found).notes[0]
    assert described(found, "1.png") == {"object": "apple"}


def test_where_most_folders_are_no_objects_none_is_taken_for_one(tree):
    found = tree("apple/1.png", "day 1/2.png", "day 2/3.png", "day 3/x.png")
    assert Folders().read(found).fields.keys() == {"apple/1.png"}


def test_words_that_are_factors_parts_and_channels(tree):
    assert described(tree("basket/apple/x.png")) == {"container": "basket", "object": "apple"}
    assert described(tree("carrier/mixed/x.png")) == {"container": "carrier", "multiplicity": "mixed"}
    assert described(tree("Training/apple/x.png")) == {"source_part": "train", "object": "apple"}
    assert described(tree("Color/apple/x.png")) == {"channel": "colour", "object": "apple"}


def test_parts_of_words_do_not_count(tree):
    assert Folders().read(tree("pineapple/x.png", "basketball/y.png", "my apple scans/z.png")).fields == {}


def test_tables_beside_the_pictures_are_not_described(tree):
    assert Folders().read(tree("apple/x.png", "apple/log.csv")).fields.keys() == {"apple/x.png"}


def test_why(tree):
    assert Folders().sniff(tree("a/x.png")) is None
    assert Folders().sniff(tree("apple/log.csv")) is None
    why = Folders().sniff(tree("apple/single_basket/x.png", "사과/y.png", "mango/high/z.png"))
    assert why is not None
    for piece in ("3 object", "apple", "1 scan type", "single_basket", "high"):
        assert piece in why
