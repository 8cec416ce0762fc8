"""The images that are compared: what the tables say of each, and where its pixels are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from xqdata.scans import Scan

Row = dict[str, Any]
IdPair = tuple[str, str]

_BATCH = 1 << 14


@dataclass(frozen=True)
class Known:
    """Images by place, in the order of their ids: a row of `table` each. `scans`: where their pixels are.

    Rows become dictionaries when they are asked for: all at once take ten times as much memory.
    """

    table: pa.Table
    scans: list[Scan]

    @classmethod
    def of(cls, table: pa.Table, scans: list[Scan]) -> Known:
        """Of the images in `table`, which is sorted by image_id."""
        # Nanoseconds do not fit Python's datetime.
        plain = table.set_column(table.column_names.index("mtime"), "mtime", table["mtime"].cast(pa.int64()))
        return cls(plain.combine_chunks(), scans)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @cached_property
    def ids(self) -> list[str]:
        """The ids by place."""
        return list(self.table["image_id"].to_pylist())

    @cached_property
    def place(self) -> dict[str, int]:
        """The place of each id."""
        return {name: place for place, name in enumerate(self.ids)}

    def row(self, place: int) -> Row:
        """All that is known of one image."""
        return dict(self.table.slice(place, 1).to_pylist()[0])

    def named(self, name: str) -> Row:
        """The same by id."""
        return self.row(self.place[name])

    def taken(self, columns: Sequence[str], places: Sequence[int] | None = None) -> Iterator[Row]:
        """Some columns of all rows, or of those at `places`, made when they are asked for."""
        some = self.table.select(columns)
        for start in range(0, len(self) if places is None else len(places), _BATCH):
            if places is None:
                yield from some.slice(start, _BATCH).to_pylist()
            else:
                yield from some.take(pa.array(places[start : start + _BATCH], pa.int64())).to_pylist()

    def pair(self, a: int, b: int) -> IdPair:
        """The ids of two places, the smaller first."""
        return self.ids[min(a, b)], self.ids[max(a, b)]
