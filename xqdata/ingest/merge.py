"""What an ingest found, put together with the tables of earlier runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import schema


def others_kept(name: str, before: pa.Table, pieces: Sequence[pa.Table], roots: Sequence[str]) -> pa.Table:
    """The rows of other roots as they were and those of this run, sorted so that their order says nothing.

    Rows without a root (logs outside the raw folders) are always those of this run.
    """
    known = before.filter(pc.is_valid(before["root"]))
    others = known.filter(pc.invert(pc.is_in(known["root"], pa.array(roots, pa.string()))))
    table = pa.concat_tables([others, *pieces])
    keys = [c for c in ("root", "path", "page", "item") if c in table.column_names]
    return table.sort_by([(column, "ascending") for column in keys])


def boxes_kept(before: pa.Table, new: pa.Table, images: pa.Table, roots: Sequence[str]) -> pa.Table:
    """The boxes of this run, and those of images that it did not see: of other roots, and of files that are gone."""
    mine = pc.and_(pc.is_in(images["root"], pa.array(roots, pa.string())), pc.invert(images["missing"]))
    unseen = images.filter(pc.invert(mine))["image_id"].combine_chunks()
    kept = before.filter(pc.is_in(before["image_id"], unseen))
    return pa.concat_tables([kept, new]).sort_by([(column, "ascending") for column in schema.DETECTIONS.key])


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


def _with(table: pa.Table, column: str, values: Sequence[object]) -> pa.Table:
    field = schema.IMAGES.arrow.field(column)
    return table.set_column(table.column_names.index(column), field, pa.array(values, field.type))
