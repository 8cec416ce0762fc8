"""CUBOX's file names.

Wrong while green would be: names with underscores, parentheses or hyphens of their own split in the wrong place.
"""

from __future__ import annotations

import pytest

from xqdata.readers.cubox import Cubox, describe

M = "E3S690_20221012_02840036_M_Sneakers_537-024_LAGs products(Aluminum-C)_120-013_6.png"
S = "E3S690_20221012_02840001_S_Portable gas_112-003_1.png"
P = "HI6040_20220907_00000700_P_Knife-A_101-001_Knife-A_101-002_12.png"


@pytest.mark.parametrize(
    ("name", "objects", "specimens", "multiplicity", "shot"),
    [
        (M, ["Sneakers", "LAGs products(Aluminum-C)"], ["537-024", "120-013"], "mixed", "6"),
        (S, ["Portable gas"], ["112-003"], "single", "1"),
        (P, ["Knife-A", "Knife-A"], ["101-001", "101-002"], "multiple", "12"),
        (S.replace("Portable gas", "Gun_toy_9-mm"), ["Gun_toy_9-mm"], ["112-003"], "single", "1"),
    ],
)
def test_names(name, objects, specimens, multiplicity, shot):
    found = describe(f"images/train/{name}")
    assert found is not None
    assert (found["objects"], found["specimens"]) == (objects, specimens)
    assert (found["multiplicity"], found["shot"]) == (multiplicity, shot)


def test_scanner_date_and_running_number():
    found = describe(M)
    assert found is not None
    assert (found["scanner_model"], found["acquired_at"], found["sequence"]) == ("E3S690", "20221012", "02840036")


@pytest.mark.parametrize(
    "name",
    [
        S.replace("_S_", "_M_"),
        M.replace("_M_", "_S_"),
        S.replace("_S_", "_X_"),
        S.replace("112-003", "112"),
        S.replace("20221012", "2022101"),
        S.replace("_1.png", ".png"),
        "x" + S.replace("E3S690", "e3s690"),
        "apple_1.png",
    ],
)
def test_other_names_are_not_described(name):
    assert describe(name) is None


def test_why(tree):
    assert Cubox().sniff(tree("apple/x.png")) is None
    some = tree(f"images/{M}", f"images/{S}", "images/x.png", "labels/x.txt")
    assert (Cubox().sniff(some) or "").startswith("2 of 3 file names")
    assert Cubox().read(some).fields.keys() == {f"images/{M}", f"images/{S}"}
