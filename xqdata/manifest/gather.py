"""Rows of a table in another order, where its texts may be longer than Arrow's own functions take.

Arrow puts a column into one piece to gather its rows, and a piece of text holds 2 GiB at most: paths of 100 letters for
21 million files, or the headers of a million DICOM files. A column below that, of which rows are taken several times,
may still overflow: then Arrow says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from xqdata.schema import STRING, STRINGS

_MOST = 2**31 - 2  # bytes of one piece
_WIDE = {STRING: pa.large_string(), STRINGS: pa.list_(pa.large_string())}


def ordered(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """`table` sorted by the columns `names`, upwards, nulls last: as `pyarrow.Table.sort_by` does."""
    return taken(table, pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]))


def taken(table: pa.Table, rows: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The rows of `table` with the numbers `rows`; nulls where the number is null. As `pyarrow.Table.take` does."""
    return pa.table([_taken(column, rows) for column in table.itercolumns()], schema=table.schema)


def _taken(column: pa.ChunkedArray, rows: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    wide = _WIDE.get(column.type)
    if wide is None or column.nbytes <= _MOST:
        return column.take(rows)
    numbers = rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows
    return pa.chunked_array(_pieces(column.cast(wide).combine_chunks(), numbers, column.type), column.type)


def _pieces(wide: pa.Array, rows: pa.Array, kind: pa.DataType) -> Iterator[pa.Array]:
    found = wide.take(rows)
    if found.nbytes <= _MOST or len(rows) < 2:
        yield found.cast(kind)
        return
    del found
    for half in (rows.slice(0, len(rows) // 2), rows.slice(len(rows) // 2)):
        yield from _pieces(wide, half, kind)
