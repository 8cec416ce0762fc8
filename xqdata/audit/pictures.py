"""Which images an audit opens, and where their pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from xqdata import manifest, scans
from xqdata.audit.material import Material
from xqdata.groups import Ints
from xqdata.manifest import Project
from xqdata.scans import Scan

# Tested images that are looked at: their share is the same in all, by chance, and an interval is given with it.
MOST_TESTED = 4000
MOST_OTHERS = 50_000


@dataclass(frozen=True)
class Labelled:
    """Images with exactly one object: rows of the material, numbers of their labels, and their families."""

    rows: Ints
    label: Ints
    family: Ints


def labelled(material: Material, rows: Ints) -> Labelled:
    """Of `rows`, those with exactly one object."""
    objects = material.images["object"].combine_chunks().take(pa.array(rows))
    known = objects.is_valid().to_numpy(zero_copy_only=False)
    names = objects.filter(pa.array(known)).to_numpy(zero_copy_only=False).astype(str)
    kept = rows[known]
    label = np.unique(names, return_inverse=True)[1].astype(np.int64) if len(names) else np.zeros(0, np.int64)
    return Labelled(kept, label, material.families(kept))


def drawn(material: Material, rows: Ints, most: int, seed: int) -> Ints:
    """At most so many of `rows`, by chance: by the seed and the image's id, whatever the order of rows."""
    if len(rows) <= most:
        return rows
    luck = np.array([xxhash.xxh3_64_intdigest(material.ids[row].encode(), seed=seed) for row in rows.tolist()])
    return np.sort(rows[np.argsort(luck, kind="stable")[:most]])


def reachable(project: Project, material: Material) -> str:
    """Why no picture can be opened; empty if they can."""
    roots = manifest.provenance(project, "images").roots
    wanted = manifest.read(project, "images", ["root"])["root"].unique().to_pylist()
    gone = [root for root in wanted if root not in roots or not Path(roots[root]).is_dir()]
    if gone:
        return f"pictures were not looked at: the raw folder {gone[0]} is not where it was"
    return "" if material.deduplicated else "pictures were not looked at: run xqdata dedup first"


def opened(project: Project, material: Material, rows: Ints) -> list[Scan]:
    """The scans of some rows."""
    table = manifest.read(project, "images", list(scans.COLUMNS)).sort_by("image_id")
    return scans.located(project, table.take(pa.array(rows)))
