"""One shard of files for one worker, and the table of measurements that it leaves.

Whoever hands out shards needs no decoders, so they are loaded where the first file is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from xqdata.ingest.measured import MEASURED, write
from xqdata.ingest.walk import Found
from xqdata.remote import Location
from xqdata.scans import Rules


@dataclass(frozen=True)
class Shard:
    """Files of one root for one worker. `sources`: those that are read only for their sha256. `store`: where the
    result is written.
    """

    location: Location
    files: tuple[Found, ...]
    sources: frozenset[str]
    rules: Rules
    store: Path


def measure_shard(shard: Shard) -> Path:
    """Measure the files of `shard` and write the table; returns its path."""
    from xqdata.ingest.measure import measure_files

    rows = list(measure_files(shard))
    return write(pa.Table.from_pylist(rows, schema=MEASURED), shard.store)
