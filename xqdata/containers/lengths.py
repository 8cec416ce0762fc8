"""Run lengths on disk: some kilobytes for each scan, which together may be more than memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import schema
from xqdata.errors import writing_to

_BATCH = 1024
_PIECE = 4096


class Masks:
    """The table `masks` of n images, whose rows stay in a file until they are asked for.

    `ids`: their image_id, ascending. `estimated`: (n,) bool, whether a foreground is known. The file must stay where it
    is for as long as this is used, and may be removed then.
    """

    def __init__(self, ids: pa.Array, file: Path, same: pa.Array) -> None:
        """`same`: for each image, the one whose row of `file` tells of it, too."""
        self.ids = ids
        with pa.memory_map(str(file)) as source:
            reader = pa.ipc.open_file(source)
            self._batches = [reader.get_batch(n) for n in range(reader.num_record_batches)]
        told = pa.Table.from_batches(self._batches, schema.MASKS.arrow)
        self._row = pc.index_in(same, value_set=told["image_id"].combine_chunks()).to_numpy()
        self.estimated = np.asarray(told["rle"].is_valid(), bool)[self._row]

    def __len__(self) -> int:
        return len(self._row)

    def rle(self, number: int) -> str | None:
        """The run lengths of the image at position `number`, 0 to n - 1."""
        found: str | None = self._value("rle", number)
        return found

    def pieces(self) -> Iterator[pa.Table]:
        """The table in pieces that fit in memory, at least one."""
        for start in range(0, max(len(self), 1), _PIECE):
            numbers = range(start, min(start + _PIECE, len(self)))
            rows = ({name: self._value(name, n) for name in ("rle", "box", "method")} for n in numbers)
            ids = self.ids.slice(start, _PIECE).to_pylist()
            yield schema.from_rows("masks", ({"image_id": i, **row} for i, row in zip(ids, rows, strict=True)))

    def table(self) -> pa.Table:
        """All of it, in memory."""
        return pa.concat_tables(self.pieces())

    def _value(self, name: str, number: int) -> Any:
        batch, place = divmod(int(self._row[number]), _BATCH)
        return self._batches[batch].column(name)[place].as_py()


def write(file: Path, rows: Iterator[Mapping[str, object]]) -> None:
    """Write rows of `masks`, in any order, as they come. Raises XqdataError where `file` cannot be written."""
    # Not compressed, so that it can be mapped into memory.
    with writing_to(file), pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema.MASKS.arrow) as writer:
        while some := list(islice(rows, _BATCH)):
            (batch,) = schema.from_rows("masks", some).to_batches()
            writer.write_batch(batch)
