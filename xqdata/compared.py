"""Whether the links that stand speak of the pictures that are there: copies among later ones are not known."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest
from xqdata.manifest import Project

COLUMNS = ("image_id", "pixel_hash", "missing")
_BATCH = 1 << 16


def pictures(images: pa.Table) -> str:
    """A digest of which pictures there are: ids and pixels of all rows that are not missing, in any order.

    `images`: with COLUMNS among its columns.
    """
    there = images.select(COLUMNS).filter(pc.invert(images["missing"])).sort_by("image_id")
    digest = hashlib.sha256()
    for batch in there.to_batches(max_chunksize=_BATCH):
        lines = pc.binary_join_element_wise(batch["image_id"], batch["pixel_hash"], " ").to_pylist()
        digest.update("\n".join([*lines, ""]).encode())
    return digest.hexdigest()


def unseen(project: Project) -> str:
    """Why copies are not known of all images; empty where dedup has compared all that are there."""
    if not manifest.exists(project, "links"):
        return "dedup has not run"
    made = manifest.provenance(project, "links")
    if "pictures" in made.options:
        same = made.options["pictures"] == pictures(manifest.read(project, "images", COLUMNS))
    else:  # of an older xqdata, or made by other means
        same = made.inputs.get("images") in (None, manifest.provenance(project, "images").digest)
    return "" if same else "pictures came, went or changed after the last dedup"
