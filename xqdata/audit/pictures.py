"""Which images an audit opens, and where their pixels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, remote, scans, schema
from xqdata.audit.material import Material
from xqdata.groups import Ints
from xqdata.manifest import Project
from xqdata.scans import Scan
from xqdata.splits.material import luck

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
    encoded = pc.dictionary_encode(objects.filter(pa.array(known)))
    order = np.argsort(np.array(encoded.dictionary.to_pylist(), object))
    kept = rows[known]
    label = np.argsort(order)[encoded.indices.to_numpy(zero_copy_only=False)].astype(np.int64)
    return Labelled(kept, label, material.families(kept))


def drawn(material: Material, rows: Ints, most: int, seed: int) -> Ints:
    """At most so many of `rows`, by chance: by the seed and the image's id, whatever the order of rows."""
    if len(rows) <= most:
        return rows
    chance = luck(material.images["image_id"], rows, seed)
    return np.sort(rows[np.argsort(chance, kind="stable")[:most]])


def reachable(project: Project, material: Material) -> str:
    """Why no picture can be opened; empty if they can."""
    roots = manifest.provenance(project, "images").roots
    wanted = dict.fromkeys(
        root for b in manifest.batches(project, "images", ["root"]) for root in b["root"].unique().to_pylist()
    )
    gone = [root for root in wanted if root not in roots or not remote.stands(roots[root])]
    if gone:
        return f"pictures were not looked at: the raw folder {gone[0]} is not where it was"
    return "" if material.deduplicated else "pictures were not looked at: run xqdata dedup first"


def opened(project: Project, material: Material, rows: Ints) -> list[Scan]:
    """The scans of some rows."""
    return scans.located(project, columns(project, material, rows, scans.COLUMNS))


def columns(project: Project, material: Material, rows: Ints, names: Sequence[str]) -> pa.Table:
    """More columns of some rows, in their order: read in pieces, since few of very many rows are looked at."""
    ids = material.images["image_id"].take(pa.array(rows)).combine_chunks()
    read = list(dict.fromkeys(["image_id", *names]))
    pieces = (b.filter(pc.is_in(b["image_id"], ids)) for b in manifest.batches(project, "images", read))
    found = pa.Table.from_batches(pieces, pa.schema([schema.IMAGES.arrow.field(name) for name in read]))
    return found.take(pc.index_in(ids, found["image_id"].combine_chunks()))
