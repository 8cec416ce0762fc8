"""Names of files as the tables spell them.

Wrong while green would be: two names of one spelling, which would give two files one image_id; a spelling that cannot
be stored as UTF-8 or does not lead back to the file.
"""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xqdata import paths

PIECES = st.sampled_from([b"%", b"2", b"5", b"F", b"f", b"\xff", b"\xb0", b"\xea\xb0\x80", b"a", b"/", b" "])
NAMES = st.binary(min_size=1, max_size=12) | st.lists(PIECES, max_size=10).map(b"".join)


@given(NAMES)
@example(b"%FF")
@example(b"%25FF")
@example(b"%\xff")
@example(b"%%46F")
@example(b"\xea\xb0%80")
def test_every_name_comes_back(name):
    spelled = paths.spell(os.fsdecode(name))
    spelled.encode("utf-8")
    assert os.fsencode(paths.unspell(spelled)) == name


@given(NAMES, NAMES)
@example(b"%FF", b"\xff")
@example(b"%25FF", b"%FF")
def test_no_two_names_share_a_spelling(one, other):
    assert (paths.spell(os.fsdecode(one)) == paths.spell(os.fsdecode(other))) == (one == other)


@pytest.mark.parametrize("name", ["사과/a b.png", "100%.png", "a%zz", "quote'\".png", "line\nbreak"])
def test_ordinary_names_stay_as_they_are(name):
    assert paths.spell(name) == name


def test_bytes_that_are_not_utf_8_stand_as_escapes():
    assert paths.spell(os.fsdecode(b"caf\xe9.png")) == "caf%E9.png"
    assert paths.locate(Path("/raw"), "caf%E9.png") == Path("/raw") / os.fsdecode(b"caf\xe9.png")


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("high/0001.RAW", "*.raw", True),
        ("high/0001.raw", "HIGH/*.Raw", True),
        (unicodedata.normalize("NFD", "목이/1.bak"), "목이/*", True),  # composed and decomposed
        ("high/0001.raw", "0001.*", True),
        ("high/0001.raw", "high", False),
        ("high/0001.raw", "igh/*", False),
        ("high/a.raw", "[A-C].raw", True),
    ],
)
def test_patterns_fit_names_or_paths_in_any_case(path, pattern, expected):
    assert paths.matches(path, pattern) is expected
