"""xqdata's command, taking its time: each shard is one file, and the next is asked for after a while.

python small_shards.py ingest ...
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from xqdata.cli import main
from xqdata.engine import cluster
from xqdata.ingest import measuring

run = cluster.run


def slowly(*arguments: Any) -> Iterator[Any]:
    """`cluster.run`, which gives its results one by one."""
    for result in run(*arguments):
        yield result
        time.sleep(0.2)


if __name__ == "__main__":
    cluster.run = slowly  # type: ignore[assignment]
    cluster._ABSENCE = 2.0
    measuring.SHARD_FILES, measuring._FEW = 1, 0
    main()
