"""The tables' schemas.

Wrong while green would be: a check that only looks at names, so that wrong types, nulls or values outside the allowed
ones pass; a schema that Parquet changes on the way; a digest column set that silently shrinks.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xqdata import schema
from xqdata.errors import TableError

REJECT = {"root": "raw", "path": "a.png", "reason": "empty", "message": "m"}


def test_the_tables_of_the_design_are_all_there():
    assert [t.name for t in schema.TABLES] == [
        *("images", "rejects", "sources", "detections", "labels", "links", "undecided", "masks", "duplicates"),
        *("splits", "audits", "evidence"),
    ]


@pytest.mark.parametrize("table", schema.TABLES, ids=lambda t: t.name)
def test_columns_are_unique_documented_and_survive_parquet(table):
    assert len(set(table.names)) == len(table.names)
    assert set(table.key) <= set(table.names)
    assert all(c.doc for c in table.columns)
    buffer = io.BytesIO()
    pq.write_table(table.arrow.empty_table(), buffer)
    table.check(pq.read_table(buffer))


def test_images_has_the_columns_that_the_design_names():
    named = """
    image_id root path page sha256 pixel_hash missing bytes mtime format width height channels bit_depth mode
    object objects scan_type container multiplicity clutter specimens scan_id bag session series container_id
    scanner_make scanner_model scanner_serial kvp ma belt_speed view channel polarity palette acquired_at operator site
    reader label_source licence phash dhash phash256 mean std air_fraction opaque_fraction sharpness content_box extra
    """
    assert set(named.split()) <= set(schema.IMAGES.names)
    # Only what the machine makes stays out of the digest.
    assert [c.name for t in schema.TABLES for c in t.columns if not c.digest] == ["mtime"]


def test_reject_reasons_are_those_of_the_design():
    named = """
    ignored empty truncated not_an_image unsupported too_large unreadable outside_root vanished bad_annotation
    """
    assert set(schema.REJECT_REASONS) == set(named.split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("images", "images"),
        ("splits/default", "splits"),
        ("audits/default", "audits"),
        ("audits/default.evidence", "evidence"),
    ],
)
def test_table_names(name, expected):
    assert schema.table(name).name == expected


@pytest.mark.parametrize("name", ["image", "splits", "audits", "images/x", "evidence", "evidence/x", "splits/", ""])
def test_unknown_table_names_are_refused(name):
    with pytest.raises(TableError, match="there is no table"):
        schema.table(name)


def test_from_rows_leaves_unknown_columns_null():
    table = schema.from_rows("rejects", [REJECT])
    schema.REJECTS.check(table)
    assert table.to_pylist() == [REJECT | {"item": None, "bytes": None, "sha256": None}]


def test_a_null_where_none_is_allowed_is_refused():
    table = schema.from_rows("rejects", [REJECT | {"message": None}])
    with pytest.raises(TableError, match="rejects: column message holds 1 nulls"):
        schema.REJECTS.check(table)


def test_a_value_outside_the_allowed_ones_is_refused():
    table = schema.from_rows("rejects", [REJECT, REJECT | {"reason": "dull"}])
    with pytest.raises(TableError, match=r"column reason holds 'dull'; allowed are ignored, empty"):
        schema.REJECTS.check(table)


def test_null_is_allowed_beside_allowed_values():
    schema.IMAGES.check(schema.empty("images"))
    arrow = schema.SPLITS.arrow
    schema.SPLITS.check(pa.table([["a"], [None], ["why"], [None]], schema=arrow))


def test_other_columns_types_and_orders_are_refused():
    good = schema.from_rows("rejects", [REJECT])
    with pytest.raises(TableError, match=r"columns missing: \['sha256'\], unknown: none"):
        schema.REJECTS.check(good.drop_columns(["sha256"]))
    with pytest.raises(TableError, match=r"unknown: \['dull'\]"):
        schema.REJECTS.check(good.append_column("dull", pa.array([1])))
    with pytest.raises(TableError, match="column bytes is int32"):
        at = good.schema.names.index("bytes")
        schema.REJECTS.check(good.set_column(at, "bytes", pa.array([None], pa.int32())))
    with pytest.raises(TableError, match="another order"):
        schema.REJECTS.check(good.select(list(reversed(good.schema.names))))
