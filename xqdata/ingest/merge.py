"""What an ingest found, put together with the tables of earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest, schema
from xqdata.ingest.describe import DESCRIBED

# Columns that mean something only together: a file that moved keeps all of a group, or what its new place says.
_GROUPS = (
    ("objects", "object", "specimens", "label_source"),
    ("scan_type", "container", "multiplicity", "clutter"),
)
# Which readers spoke is told of this run; polarity is measured with the pixels.
_OTHERS = tuple((c,) for c in DESCRIBED if c not in ("reader", "polarity", *_GROUPS[0], *_GROUPS[1]))


def others_kept(name: str, before: pa.Table, pieces: Sequence[pa.Table], roots: Sequence[str]) -> pa.Table:
    """The rows of other roots as they were and those of this run, sorted so that their order says nothing.

    Rows without a root (logs outside the raw folders) are always those of this run.
    """
    known = before.filter(pc.is_valid(before["root"]))
    others = known.filter(pc.invert(pc.is_in(known["root"], pa.array(roots, pa.string()))))
    table = pa.concat_tables([others, *pieces])
    keys = [c for c in ("root", "path", "page", "item") if c in table.column_names]
    return manifest.ordered(table, keys)


def boxes_kept(before: pa.Table, new: pa.Table, images: pa.Table, roots: Sequence[str]) -> pa.Table:
    """The boxes of this run, and those of images that it did not see: of other roots, and of files that are gone."""
    mine = pc.and_(pc.is_in(images["root"], pa.array(roots, pa.string())), pc.invert(images["missing"]))
    unseen = images.filter(pc.invert(mine))["image_id"].combine_chunks()
    kept = before.filter(pc.is_in(before["image_id"], unseen))
    return manifest.ordered(pa.concat_tables([kept, new]), schema.DETECTIONS.key)


def gone(before: pa.Table, root: str, images: pa.Table, rejects: pa.Table, sources: pa.Table) -> pa.Table:
    """Rows of images that an earlier run saw below `root` and that are no longer there, marked missing.

    A file that became a reject or a source is there; one that vanished while it was read is not.
    """
    there = rejects.filter(pc.and_(pc.is_null(rejects["item"]), pc.not_equal(rejects["reason"], "vanished")))
    other = pa.chunked_array([*there["path"].chunks, *sources["path"].chunks], pa.string()).combine_chunks()
    mine = before.filter(pc.equal(before["root"], root))
    seen = pc.or_(pc.is_in(mine["image_id"], images["image_id"].combine_chunks()), pc.is_in(mine["path"], other))
    lost = mine.filter(pc.invert(seen))
    return _with(lost, "missing", [True] * lost.num_rows)


def moves(before: pa.Table, images: pa.Table, lost: pa.Table) -> pa.Table:
    """`images` with `moved_from`: the row of the file's old place, where it can be only that one.

    A file moved if its old row is missing and exactly one place that no earlier run knew has its bytes. What an earlier
    run found out stays.
    """
    earlier = dict(zip(before["image_id"].to_pylist(), before["moved_from"].to_pylist(), strict=True))
    rows = list(zip(*(images[c].to_pylist() for c in ("image_id", "sha256", "page")), strict=True))
    arrived = Counter((sha, page) for image, sha, page in rows if image not in earlier)
    left: dict[tuple[str, int], list[str]] = {}
    followed = set(earlier.values())
    for image, sha, page in zip(*(lost[c].to_pylist() for c in ("image_id", "sha256", "page")), strict=True):
        if image not in followed:
            left.setdefault((sha, page), []).append(image)
    found = [
        left[sha, page][0]
        if image not in earlier and arrived[sha, page] == 1 and len(left.get((sha, page), ())) == 1
        else earlier.get(image)
        for image, sha, page in rows
    ]
    return _with(images, "moved_from", found)


def carried(
    before: tuple[pa.Table, pa.Table], images: pa.Table, lost: pa.Table, detections: pa.Table, spoken: Collection[str]
) -> tuple[pa.Table, pa.Table, list[str]]:
    """`images` and `detections` in which files that moved keep what was said of them, and the paths of those files.

    What the new place says holds; only what it leaves open is taken from the row of the old place. Boxes come along
    where the objects are the same and no annotation speaks of the new place. `before`: images and detections as they
    stood. `spoken`: paths that an annotation speaks of, even if it draws nothing there: they keep neither objects nor
    boxes.
    """
    places = list(zip(*(images[c].to_pylist() for c in ("image_id", "moved_from", "path")), strict=True))
    origins = {image: origin for image, origin, _ in places if origin is not None}
    if not origins:
        return images, detections, []
    old = _by_id(lost, origins.values())
    # Where the old place holds another file by now, what was carried before is all that is left of it.
    own = _by_id(before[0], [image for image, origin in origins.items() if origin not in old])
    columns = {c: images[c].to_pylist() for group in (*_GROUPS, *_OTHERS) for c in group}
    kept: list[str] = []
    drawn: dict[str, str] = {}  # by image: whose boxes it keeps
    for n, (image, origin, path) in enumerate(places):
        row = old.get(origin) or own.get(image)
        if row is None:
            continue
        open_groups = [g for g in (*_GROUPS, *_OTHERS) if all(columns[c][n] is None for c in g)]
        if path in spoken:
            open_groups = [g for g in open_groups if g != _GROUPS[0]]
        fillable = [g for g in open_groups if any(row[c] is not None for c in g)]
        for column in (c for group in fillable for c in group):
            columns[column][n] = row[column]
        if path not in spoken and columns["objects"][n] == row["objects"]:
            drawn[image] = row["image_id"]
        if fillable:
            kept.append(path)
    for column, values in columns.items() if kept else ():
        images = _with(images, column, values)
    wanted: dict[str, list[dict[str, Any]]] = {}
    theirs = pc.is_in(before[1]["image_id"], pa.array(list(drawn.values()), pa.string()))
    for box in before[1].filter(theirs).to_pylist():
        wanted.setdefault(box["image_id"], []).append(box)
    boxes = [{**box, "image_id": image} for image, origin in drawn.items() for box in wanted.get(origin, ())]
    return images, pa.concat_tables([detections, schema.from_rows("detections", boxes)]), kept


def _by_id(table: pa.Table, images: Collection[str]) -> dict[str | None, dict[str, Any]]:
    names = ["image_id", *(c for group in (*_GROUPS, *_OTHERS) for c in group)]
    found = table.filter(pc.is_in(table["image_id"], pa.array(list(images), pa.string())))
    return {row["image_id"]: row for row in found.select(names).to_pylist()}


def _with(table: pa.Table, column: str, values: Sequence[object]) -> pa.Table:
    field = schema.IMAGES.arrow.field(column)
    return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))
