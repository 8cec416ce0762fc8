"""How often the test part was evaluated: each look at it lets a choice be made by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from xqdata.audit.finding import INFO, Finding
from xqdata.audit.material import Material
from xqdata.audit.telling import Found, count, listed
from xqdata.manifest import Project

_PREDICTIONS = "predictions.parquet"


def test_use(project: Project, material: Material) -> Iterator[Found | str]:
    """The runs under `runs/` that predicted images of the test part."""
    tested = np.flatnonzero(material.tested)
    ids = material.images["image_id"].take(pa.array(tested)).combine_chunks()
    names, used = [], np.zeros(len(tested), bool)
    for path in sorted((project.folder / "runs").glob(f"*/{_PREDICTIONS}")):
        try:
            rows = pq.read_table(path, columns=["image_id", "part"], partitioning=None)
        except (pa.ArrowException, OSError, KeyError) as error:
            yield f"runs/{path.parent.name} could not be read, so its use of the test part is not counted ({error})"
            continue
        mine = rows.filter(pc.is_in(rows["part"], pa.array(material.sides.test_names)))
        seen = pc.is_in(ids, mine["image_id"].cast(pa.string()).combine_chunks()).to_numpy(zero_copy_only=False)
        if seen.any():
            names.append(path.parent.name)
            used |= seen
    if not names:
        return
    told = f"{count(len(names), 'run')} predicted images of the test part ({listed(names)})"
    advice = "what is chosen by a test part is no longer tested by it: choose by validation, and test once"
    yield Finding("test-use", INFO, int(used.sum()), 0, 0, f"{told}; {advice}"), []
