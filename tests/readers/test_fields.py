"""Words for columns, and texts made into values.

Wrong while green would be: a value taken for what it is not (day before month, a unit that is not ours), because the
columns are then filled with plausible nonsense.
"""

from __future__ import annotations

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata import schema
from xqdata.readers.fields import _WORDS, FILE_WORDS, coerce, column_called, is_day_only, moment, split_list
from xqdata.taxonomy import fold


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("kVp", "kvp"),
        ("관전압", "kvp"),
        ("관전압 kV", "kvp"),
        ("관전압(kV)", "kvp"),
        ("Tube Voltage [kV]", "kvp"),
        ("관전류", "ma"),
        ("관전류 (mA)", "ma"),
        ("일시", "acquired_at"),
        ("담당자", "operator"),
        ("Session", "session"),
        ("scan-type", "scan_type"),
        ("개체번호", "specimen"),
        ("비고", None),
        ("관전류 (uA)", None),
        ("", None),
    ],
)
def test_headings(header, column):
    assert column_called(header) == column


def test_no_word_means_two_columns_or_a_column_and_a_file():
    words = [fold(w) for name, spelled in _WORDS.items() for w in {fold(w) for w in spelled.split()} if name]
    assert len(words) == len(set(words))
    assert not set(words) & FILE_WORDS


def test_every_word_leads_to_a_column_that_there_is():
    extra = {"specimen", "date", "time"}
    assert set(_WORDS) - extra <= set(schema.IMAGES.names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-17 14:30:05", datetime(2024, 5, 17, 14, 30, 5)),
        ("2024-05-17T14:30", datetime(2024, 5, 17, 14, 30)),
        ("2024/5/7 9:05", datetime(2024, 5, 7, 9, 5)),
        ("2024.05.17. 14:30:05.25", datetime(2024, 5, 17, 14, 30, 5, 250000)),
        ("2024년 5월 17일", datetime(2024, 5, 17)),
        ("20240517", datetime(2024, 5, 17)),
        ("20240517_143005", datetime(2024, 5, 17, 14, 30, 5)),
        (datetime(2024, 5, 17, 1), datetime(2024, 5, 17, 1)),
        (date(2024, 5, 17), datetime(2024, 5, 17)),
    ],
)
def test_moments(text, expected):
    assert moment(text) == expected


@pytest.mark.parametrize(
    "text", ["17.05.2024", "5/17/2024", "2024-13-01", "2024-02-30", "2024-05-17 25:00", "2024", "05-17", "", "heute"]
)
def test_other_moments_are_refused(text):
    with pytest.raises(ValueError, match="is not a date"):
        moment(text)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)))
def test_every_moment_that_python_writes_is_read(when):
    assert moment(str(when)) == when
    assert moment(when.isoformat()) == when


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2024-05-17", True),
        ("20240517", True),
        (date(2024, 5, 17), True),
        ("2024-05-17 00:00", False),
        (datetime(2024, 5, 17), False),
    ],
)
def test_days(value, day):
    assert is_day_only(value) is day


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("kvp", "160", 160.0),
        ("kvp", " 160.5 ", 160.5),
        ("kvp", 160, 160.0),
        ("sequence", "0017", 17),
        ("sequence", 17, 17),
        ("view", " top ", "top"),
        ("operator", 7, "7"),
        ("channel", "Color", "colour"),
        ("channel", "HIGH", "high"),
        ("polarity", "air bright", "air_bright"),
        ("multiplicity", "Multi", "multiple"),
        ("objects", "apple; mango|egg + wug", ["apple", "mango", "egg", "wug"]),
        ("specimens", ["a", " b "], ["a", "b"]),
        ("objects", 3, ["3"]),
    ],
)
def test_values(column, value, expected):
    found = coerce(column, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kvp", "auto"),
        ("kvp", "160 kV"),
        ("kvp", "1,5"),
        ("kvp", "nan"),
        ("kvp", "inf"),
        ("kvp", "1_6"),
        ("kvp", True),
        ("sequence", "1.5"),
        ("sequence", "99999999999999999999"),
        ("channel", "ultraviolet"),
        ("polarity", "bright"),
        ("acquired_at", "yesterday"),
    ],
)
def test_values_that_are_not_the_columns_are_refused(column, value):
    with pytest.raises(ValueError, match=r"is not|one of"):
        coerce(column, value)


def test_empty_parts_of_lists_are_left_out():
    assert split_list(";a;; b ;") == ["a", "b"]
    assert split_list([]) == []
