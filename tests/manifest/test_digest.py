"""Digests of tables.

Wrong while green would be: a digest that never looks at a column, or not at what distinguishes null from empty; one
that depends on the order or the sharding only for larger tables; one that is equal for swapped columns.
"""

from __future__ import annotations

import itertools
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rows import image, reject
from xqdata import schema
from xqdata.manifest import digest, nothing

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ROWS = st.lists(
    st.builds(
        image,
        TEXTS,
        objects=st.none() | st.lists(TEXTS, max_size=3),
        kvp=st.none() | st.floats(allow_nan=False),
        phash=st.integers(0, 2**64 - 1),
        phash256=st.binary(min_size=32, max_size=32),
        content_box=st.none() | st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4),
        acquired_at=st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
        missing=st.booleans(),
        object=st.none() | TEXTS,
    ),
    max_size=6,
)


def of(rows, name="images"):
    return digest(schema.table(name), schema.from_rows(name, rows))


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(rows, random):
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert of(rows) == of(shuffled)


@given(ROWS, st.lists(st.integers(0, 6), max_size=3))
def test_digests_of_shards_add_up(rows, cuts):
    table = schema.from_rows("images", rows)
    bounds = sorted({0, len(rows), *(min(c, len(rows)) for c in cuts)})
    total = nothing(schema.IMAGES)
    for start, end in itertools.pairwise(bounds):
        total += digest(schema.IMAGES, table.slice(start, end - start))
    assert total == of(rows)
    chunked = pa.concat_tables([table.slice(s, e - s) for s, e in itertools.pairwise(bounds)] or [table])
    assert digest(schema.IMAGES, chunked) == of(rows)


@given(ROWS)
def test_batches_and_tables_agree(rows):
    table = schema.from_rows("images", rows)
    total = nothing(schema.IMAGES)
    for batch in table.to_batches(max_chunksize=2):
        total += digest(schema.IMAGES, batch)
    assert total == of(rows)


OTHER = {
    "string": ["y", ""],
    "int32": [2, -1],
    "int64": [2, 2**40],
    "uint64": [0, 2**63],
    "bool": [True],
    "double": [0.25, -0.5],
    "list<element: string>": [[], ["a"], ["a", "b"], ["b", "a"], ["ab"], ["a", None]],
    "timestamp[us]": [datetime(2024, 5, 17, 14, 30, 5, 1)],
    "fixed_size_binary[32]": [bytes(32)],
    "fixed_size_list<element: int32>[4]": [[0, 0, 0, 0], [0, 0, 0, 1]],
}


@pytest.mark.parametrize("column", [c for c in schema.IMAGES.columns if c.digest], ids=lambda c: c.name)
def test_every_value_of_every_column_counts(column):
    values = list(column.allowed) or OTHER[str(column.type)]
    if not column.required:
        values = [None, *values]
    given_anyway = image().get(column.name)
    digests = [str(of([image(**{column.name: v})])) for v in values]
    digests += [] if given_anyway in values else [str(of([image(**{column.name: given_anyway})]))]
    assert len(set(digests)) == len(digests) > 1


def test_the_files_time_does_not_count():
    assert of([image(mtime=None)]) == of([image(mtime=datetime(2020, 1, 1))])


def test_null_is_not_what_stands_for_it():
    for column, zero in (("site", ""), ("kvp", 0.0), ("sequence", 0), ("objects", [])):
        assert of([image(**{column: None})]) != of([image(**{column: zero})])


def test_values_do_not_move_between_columns():
    assert of([image(site="a", operator="b")]) != of([image(site="b", operator="a")])
    assert of([image(site="a", operator=None)]) != of([image(site=None, operator="a")])


def test_values_do_not_move_between_rows():
    one = [image("a", site="x"), image("b", site="y")]
    other = [image("a", site="y"), image("b", site="x")]
    assert of(one) != of(other)


def test_a_row_more_or_twice_counts():
    assert len({str(of([image()] * n)) for n in range(4)}) == 4


def test_zero_has_one_sign():
    assert of([image(kvp=0.0)]) == of([image(kvp=-0.0)])


def test_the_table_counts():
    empty = {str(nothing(table)) for table in schema.TABLES}
    assert len(empty) == len(schema.TABLES)
    with pytest.raises(ValueError, match="different schemas"):
        nothing(schema.IMAGES) + nothing(schema.REJECTS)


def test_known_digests():
    """A change here makes every digest that users have noted another one: say so in the change log."""
    assert str(of([])).startswith("0" * 32 + "-0-")
    assert str(of([reject()], "rejects")) == "28583ba59cdd1fb6d505ba705b3b7b29-1-25f6766e9d252169"
