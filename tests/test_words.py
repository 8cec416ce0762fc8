"""Numbers with the words that fit them."""

from __future__ import annotations

import pytest

from xqdata.words import several


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 files have"), (1, "1 file has"), (2, "2 files have"), (1229, "1,229 files have")]
)
def test_one_is_told_as_one(number: int, told: str) -> None:
    assert several(number, "file has", "files have") == told
