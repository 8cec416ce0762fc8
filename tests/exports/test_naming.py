"""Folders named after what the data say.

Wrong while green would be: two names that share a folder where case does not count, a name that leaves the export, a
folder that depends on the order of the names, or a suffix that makes a name that another one already bears.
"""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xqdata.exports.naming import folder_names

HOSTILE = [
    "../x", "a/b", "a\\b", "a\0b", ".", "..", "", " ", "con", "CON.txt", "LPT1", "a.", "a ", " a", "-rf", "é",
    "e\N{COMBINING ACUTE ACCENT}", "Straße", "STRASSE", "a" * 400, "금" * 200, "\N{RIGHT-TO-LEFT OVERRIDE}gnp", "a\nb",
    "a%2Fb", "{a,b}", "[a]", "a*b", "..\\..\\x", "~", "Apple", "apple", "APPLE", "a_b",
    "images.csv", "Export.JSON", "ſ", "s", "İ", "i̇", "Ω", "Ω",
]  # fmt: skip


def confused(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def check(names: list[str]) -> None:
    found = folder_names(names)
    assert found.keys() == set(names)
    folders = list(found.values())
    assert len({confused(folder) for folder in folders}) == len(folders)
    for folder in folders:
        assert folder
        assert not set(folder) & set('<>:"/\\|?*[]{}%')
        assert folder.isprintable()
        assert folder.casefold() not in ("images.csv", "export.json")
        assert folder.strip(" .") == folder
        assert len(folder.encode()) <= 127
        assert folder.partition(".")[0].casefold() not in ("con", "nul", "lpt1", "aux", "prn")
    assert folder_names(reversed(names)) == found


def test_hostile_names():
    check(HOSTILE)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=20))
@example(["a/b", "a_b", "a_b-c14cdd"])
def test_any_names(names: list[str]):
    check(names)


@pytest.mark.parametrize("name", ["apple", "Tree ear", "목이버섯", "LAGs products(Aluminum-C)", "a_b", "été", "5 kg"])
def test_usual_names_stay(name: str):
    assert folder_names([name]) == {name: name}
