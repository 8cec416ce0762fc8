"""File names that carry meaning, by patterns and regular expressions.

Wrong while green would be: names that hold the separator split in the wrong place, which a test of one-word names never
shows; a pattern that matches a part of a name.
"""

from __future__ import annotations

import pytest

from xqdata.errors import ConfigError
from xqdata.readers.patterns import Patterns

FULL = "{object}_{specimen}-{shot}_{view}.{ext}"


def described(tree, path, *patterns, regex=()):
    found = Patterns().read(tree(path, patterns=list(patterns), regex=list(regex)))
    return None if path not in found.fields else dict(found.fields[path])


@pytest.mark.parametrize(
    ("name", "object"),
    [
        ("apple", "apple"),
        ("tree_ear_mushroom", "tree_ear_mushroom"),
        ("Tree_Ear Mushroom", "Tree_Ear Mushroom"),
        ("tree-ear-mushroom", "tree-ear-mushroom"),
        ("tree_ear", "tree_ear"),
        ("hen's egg", "hen's egg"),
        ("목이버섯", "목이버섯"),
        ("과수 묘목", "과수 묘목"),
        ("wug", "wug"),
        ("spotted_wug", "spotted_wug"),
        ("apple_pie", "apple_pie"),
    ],
)
def test_names_that_hold_separators(tree, name, object):
    expected = {"object": object, "specimen": "3", "shot": "12", "view": "top"}
    assert described(tree, f"some/folder/{name}_3-12_top.png", FULL) == expected


def test_scan_types_hold_separators_too(tree):
    found = described(tree, "tree_ear_mushroom_single_basket_cluttered_7.png", "{object}_{scan_type}_{specimen}.{ext}")
    assert found == {"object": "tree_ear_mushroom", "scan_type": "single_basket_cluttered", "specimen": "7"}


def test_numbered_fields(tree):
    found = described(
        tree, "apple-1+tree_ear_mushroom-2_5.png", "{object}-{specimen}+{object2}-{specimen2}_{shot}.{ext}"
    )
    assert found == {
        "object": "apple",
        "specimen": "1",
        "object2": "tree_ear_mushroom",
        "specimen2": "2",
        "shot": "5",
    }


def test_fields_without_a_separator_between(tree):
    assert described(tree, "apple12.png", "{object}{specimen}.{ext}") == {"object": "apple", "specimen": "12"}


def test_numbers(tree):
    found = described(tree, "apple_160.5kV_0.4mA_17.png", "{object}_{kvp}kV_{ma}mA_{sequence}.{ext}")
    assert found == {"object": "apple", "kvp": "160.5", "ma": "0.4", "sequence": "17"}
    assert described(tree, "apple_highkV.png", "{object}_{kvp}kV.{ext}") is None


def test_a_pattern_with_a_slash_is_for_the_whole_path(tree):
    pattern = "{session}/{object}/{shot}.{ext}"
    assert described(tree, "s1/apple/3.png", pattern) == {"session": "s1", "object": "apple", "shot": "3"}
    assert described(tree, "more/s1/apple/3.png", pattern) is None


def test_a_pattern_without_a_slash_is_for_the_whole_name(tree):
    assert described(tree, "old/x_1.png", "x_{shot}.{ext}") == {"shot": "1"}
    for name in ("xx_1.png", "x_1.png.bak.png", "x_1"):
        assert described(tree, name, "x_{shot}.png") is None


def test_what_begins_with_an_underscore_is_matched_and_dropped(tree):
    assert described(tree, "a_b_c.png", "{_site}_{session}_{_rest}.{ext}") == {"session": "b"}


def test_letters_of_the_pattern_stand_for_themselves(tree):
    assert described(tree, "a+(1).png", "a+({shot}).{ext}") == {"shot": "1"}
    assert described(tree, "aa(1)xpng", "a+({shot}).{ext}") is None


def test_the_first_pattern_that_matches_counts(tree):
    patterns = ("{object}_{specimen}.{ext}", "{session}_{shot}.{ext}")
    assert described(tree, "apple_1.png", *patterns) == {"object": "apple", "specimen": "1"}
    assert described(tree, "a_1.png", *reversed(patterns)) == {"session": "a", "shot": "1"}


def test_a_regular_expression_is_sought_in_the_whole_path(tree):
    found = described(tree, "2024/apple 3.png", regex=[r"(?P<object>[a-z]+) (?P<specimen>\d+)(?P<view>L|R)?\."])
    assert found == {"object": "apple", "specimen": "3"}
    assert described(tree, "s7/x.png", regex=[r"^(?P<session>s\d)/"]) == {"session": "s7"}


def test_patterns_come_before_regular_expressions(tree):
    assert described(tree, "a.png", "{session}.{ext}", regex=["(?P<shot>.)"]) == {"session": "a"}


def test_a_field_that_stands_twice_is_a_config_error(tree):
    with pytest.raises(ConfigError, match=r"xqdata.toml: pattern .* holds \{object\} twice; number the fields"):
        described(tree, "a.png", "{object}_{object}.{ext}")


def test_why_and_what_is_left(tree):
    assert Patterns().sniff(tree("apple_1.png")) is None
    some = tree("apple_1.png", "b.png", "c.png", "log.csv", patterns=["{object}_{shot}.{ext}"])
    assert Patterns().sniff(some) == "1 of 3 file names match the 1 pattern(s) of xqdata.toml"
    assert Patterns().read(some).notes == ["2 files match no pattern, the first is b.png"]


def test_a_long_name_is_matched_in_no_time(tree):
    name = "_".join(["tree_ear_mushroom"] * 12) + "!"
    assert described(tree, name, "{object}_{object2}_{object3}_{object4}-{specimen}.{ext}") is None
