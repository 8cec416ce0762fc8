"""A table's digest: the same rows in any order, from any machine and in any number of shards, give the same one.

Each row is hashed with xxh3-128 over its columns' values; the hashes are added modulo 2^128. Sums of shards add up,
so a shard can be digested where it lies. (A set of rows crafted to collide can be found for such a sum: the digest
tells whether something changed, not whether someone cheated.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from xqdata.schema import Table

_MODULUS = 1 << 128
_PIECE = 1 << 16
_NULL = {None: "null"}


@dataclass(frozen=True)
class Digest:
    """The sum of row hashes, the number of rows, and a hash of the schema."""

    total: int
    rows: int
    schema: str

    def __add__(self, other: Digest) -> Digest:
        """The digest of both sets of rows together; ValueError if their schemas differ."""
        if self.schema != other.schema:
            raise ValueError("digests of different schemas cannot be added")
        return Digest((self.total + other.total) % _MODULUS, self.rows + other.rows, self.schema)

    def __str__(self) -> str:
        return f"{self.total:032x}-{self.rows}-{self.schema}"


def nothing(table: Table) -> Digest:
    """The digest of no rows: what sums start from."""
    return Digest(0, 0, _schema_hash(table))


def digest(table: Table, data: pa.Table | pa.RecordBatch) -> Digest:
    """The digest of `data`, which must have the columns of `table`.

    Columns marked `digest=False` in the schema (what the machine made, not the data) do not count.
    """
    columns = [c.name for c in table.columns if c.digest]
    total = sum(_total(columns, piece) for piece in _pieces(data))
    return Digest(total % _MODULUS, data.num_rows, _schema_hash(table))


def _pieces(data: pa.Table | pa.RecordBatch) -> Iterator[pa.Table | pa.RecordBatch]:
    """A sum may be taken in pieces: what the rows are encoded to then never lies in memory as a whole."""
    for start in range(0, data.num_rows, _PIECE):
        yield data.slice(start, _PIECE)


def _total(columns: Sequence[str], data: pa.Table | pa.RecordBatch) -> int:
    encoded = [_encode(_chunk(data.column(name))) for name in columns]
    rows = np.ascontiguousarray(np.concatenate(encoded, axis=1))
    view = rows.tobytes()
    width = rows.shape[1]
    return sum(xxhash.xxh3_128_intdigest(view[i : i + width]) for i in range(0, len(view), width))


def _schema_hash(table: Table) -> str:
    spelled = ",".join(f"{c.name}:{c.type}" for c in table.columns if c.digest)
    return xxhash.xxh3_64_hexdigest(f"{table.name}/{table.version}:{spelled}".encode())


def _chunk(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _encode(values: pa.Array) -> NDArray[np.uint8]:
    """Each value as a fixed number of bytes, (rows, width): a validity byte, then the value or its hash."""
    valid = values.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)[:, None]
    kind = values.type
    if pa.types.is_floating(kind):
        body = _fixed(_canonical_floats(values))
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_timestamp(kind):
        body = _fixed(_integers(values))
    elif pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        body = _hashed_distinct(values)
    else:
        body = _hashed([_spelled(v).encode("utf-8", "surrogatepass") for v in values.to_pylist()])
    return np.concatenate([valid, np.where(valid, body, 0)], axis=1, dtype=np.uint8)


def _spelled(value: list[Any] | None) -> str:
    """A list of strings or of whole numbers as JSON; as `json.dumps` without ASCII, which takes five times as long."""
    if value is None:
        return "null"
    return f"[{', '.join([encode_basestring(v) if isinstance(v, str) else _NULL.get(v, str(v)) for v in value])}]"


def _fixed(values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.uint8]:
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(len(values), 8)


def _canonical_floats(values: pa.Array) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = np.array(values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False))
    numbers[np.isnan(numbers)] = np.nan
    numbers += 0.0  # -0.0 becomes 0.0
    return numbers


def _integers(values: pa.Array) -> NDArray[np.int64]:
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    unsigned = pa.types.is_unsigned_integer(values.type)
    wide = values.cast(pa.uint64() if unsigned else pa.int64())
    numbers: NDArray[np.int64] = wide.fill_null(0).to_numpy(zero_copy_only=False).view(np.int64)
    return numbers


def _hashed_distinct(values: pa.Array) -> NDArray[np.uint8]:
    encoded = pc.dictionary_encode(values.fill_null("" if pa.types.is_string(values.type) else b"\0" * _width(values)))
    distinct = encoded.dictionary.to_pylist()
    hashes = _hashed([v.encode("utf-8", "surrogatepass") if isinstance(v, str) else v for v in distinct])
    index: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False)
    return hashes[index]


def _width(values: pa.Array) -> int:
    return int(values.type.byte_width) if pa.types.is_fixed_size_binary(values.type) else 0


def _hashed(values: list[bytes]) -> NDArray[np.uint8]:
    joined = bytearray().join(xxhash.xxh3_128_digest(v) for v in values)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(values), 16)
