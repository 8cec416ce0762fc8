"""The proof that a finished split tears nothing, by another way than the one it was made by.

It reads images, links, copies and labels from disk again, and the finished table; of the search it knows nothing. Every
tie must lie within one group, and every group within one part: then no chain of ties can cross the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import labels, manifest
from xqdata.groups import LINKS
from xqdata.manifest import Project
from xqdata.splits import expression
from xqdata.splits.request import TEST, Request
from xqdata.taxonomy import Taxonomy


@dataclass
class Proof:
    """What was checked. `checked`: by source (a column, `links`, `copies`), how many values or pairs; `torn`: how many
    of them lie in several parts: nothing, but for what the request gives up. `groups`: groups in one part each;
    `groups_torn`: in several.
    """

    checked: dict[str, int] = field(default_factory=dict)
    torn: dict[str, int] = field(default_factory=dict)
    groups: int = 0
    groups_torn: int = 0


class TornError(RuntimeError):
    """A finished split tears what it must not: a bug of xqdata, so the table is not written."""


def prove(project: Project, taxonomy: Taxonomy, request: Request, table: pa.Table, parts: Sequence[str]) -> Proof:
    """Check the finished `table` of a split against the other tables. Raises TornError."""
    log = labels.log(project)
    raw = manifest.read(
        project, "images", list(dict.fromkeys(["image_id", "missing", *request.columns, *labels.needed(log)]))
    )
    judged = labels.effective(raw, log, taxonomy)
    present = judged.filter(pc.invert(judged["missing"]))
    _check_rows(table, raw, present, parts)
    del raw, judged  # of many rows, one copy is enough
    seen = _with_parts(present, table)
    proof = Proof()
    leaky = request.method == "random"
    for name in request.all_identity:
        _check_column(proof, seen, name, strict=not leaky and name in request.identity)
    _check_links(proof, project, table, strict=not leaky and request.links)
    placed = table.filter(pc.is_valid(table["part"]))
    held = _torn(placed["group"], placed["part"])
    proof.groups_torn = int(held.sum())
    proof.groups = len(held) - proof.groups_torn
    if not leaky:
        _require(proof.groups_torn == 0, f"{proof.groups_torn} groups lie in several parts")
        _check_copies(proof, project, table)
    for name in request.axes:
        _check_axis(proof, seen, name)
    if request.fixes_test:
        _check_condition(seen, request)
    return proof


def _require(fine: bool, why: str) -> None:
    if not fine:
        raise TornError(f"the split was not written, because its check failed: {why}")


def _check_rows(table: pa.Table, raw: pa.Table, present: pa.Table, parts: Sequence[str]) -> None:
    """One row for each image, known parts, a reason for each that has none, and none for what takes no part."""
    known = pc.index_in(table["image_id"], raw["image_id"].combine_chunks())
    once = pc.count_distinct(known, mode="all").as_py() == table.num_rows == raw.num_rows
    _require(once and not known.null_count, "its images are not those of the table images")
    unknown = set(pc.unique(table["part"]).to_pylist()) - {None, *parts}
    _require(not unknown, f"it has a part {unknown}")
    bare = pc.and_(pc.is_null(table["part"]), pc.is_null(table["reason"]))
    _require(not pc.any(bare).as_py(), "an image without a part has no reason")
    given = table.filter(pc.is_valid(table["part"]))["image_id"]
    gone = pc.invert(pc.is_in(given, present["image_id"].combine_chunks()))
    _require(not pc.any(gone).as_py(), "a missing or rejected image has a part")


def _with_parts(present: pa.Table, table: pa.Table) -> pa.Table:
    """The images that take part, with their part and group."""
    place = pc.index_in(present["image_id"], table["image_id"].combine_chunks())
    return present.append_column("part", table["part"].take(place)).append_column("group", table["group"].take(place))


def _check_column(proof: Proof, seen: pa.Table, name: str, strict: bool) -> None:
    """No value of the column in two parts, nor in two groups."""
    column = seen[name].combine_chunks()
    if pa.types.is_list(column.type):
        rows, values = pc.list_parent_indices(column), pc.list_flatten(column)
    else:
        rows, values = pa.array(np.arange(len(column))), column
    told = pc.fill_null(pc.not_equal(values, ""), False)
    rows, values = rows.filter(told), values.filter(told)
    held = _torn(values, seen["part"].take(rows))
    proof.checked[name] = len(held)
    proof.torn[name] = int(held.sum())
    if strict:
        _require(proof.torn[name] == 0, f"{proof.torn[name]} values of {name} lie in several parts")
        astray = _torn(values, seen["group"].take(rows)).any()
        _require(not astray, f"a value of {name} lies in several groups")


def _torn(values: pa.Array | pa.ChunkedArray, others: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Of each different value, whether its rows hold several of `others`. Null among `others` is none of them."""
    value, count = _numbers(values)
    other, last = _numbers(others)
    known = other >= 0
    low, high = np.full(count, last), np.full(count, -1)
    np.minimum.at(low, value[known], other[known])
    np.maximum.at(high, value[known], other[known])
    return np.asarray(high > low)


def _numbers(values: pa.Array | pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """A number for each value, equal for equal ones, -1 for null; and how many values there are."""
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    encoded = pc.dictionary_encode(whole)
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), len(encoded.dictionary)


def _check_links(proof: Proof, project: Project, table: pa.Table, strict: bool) -> None:
    """No link between two parts, nor between two groups."""
    if not manifest.exists(project, LINKS):
        return
    ends = _pairs(manifest.read(project, LINKS, ["image_a", "image_b"]), table)
    proof.checked[LINKS] = ends.num_rows
    proof.torn[LINKS] = _differ(ends, "part")
    if strict:
        _require(proof.torn[LINKS] == 0, f"{proof.torn[LINKS]} links lie across parts")
        _require(_differ(ends, "group") == 0, "a link lies across groups")


def _pairs(pairs: pa.Table, table: pa.Table) -> pa.Table:
    """Part and group at both ends of each pair of images that the split knows."""
    ids = table["image_id"].combine_chunks()
    a, b = (pc.index_in(pairs[end], ids) for end in pairs.column_names[:2])
    known = pc.and_(pc.is_valid(a), pc.is_valid(b))
    a, b = a.filter(known), b.filter(known)
    return pa.table({f"{n}_{end}": table[n].take(at) for n in ("part", "group") for end, at in (("a", a), ("b", b))})


def _differ(ends: pa.Table, name: str) -> int:
    return pc.sum(pc.not_equal(ends[f"{name}_a"], ends[f"{name}_b"])).as_py() or 0


def _check_copies(proof: Proof, project: Project, table: pa.Table) -> None:
    """No two members of one cluster of copies in two parts."""
    if not manifest.exists(project, "duplicates"):
        return
    clusters = manifest.read(project, "duplicates", ["image_id", "cluster"])
    place = pc.index_in(clusters["image_id"], table["image_id"].combine_chunks())
    held = _torn(clusters["cluster"], table["part"].take(place))
    proof.checked["copies"] = len(held)
    torn = int(held.sum())
    _require(torn == 0, f"{torn} clusters of copies lie in several parts")


def _check_axis(proof: Proof, seen: pa.Table, name: str) -> None:
    """No level in two parts, and no part for an image of unknown level."""
    used = seen.filter(pc.is_valid(seen["part"]))
    _require(used[name].null_count == 0, f"an image of unknown {name} has a part")
    held = used.group_by(name).aggregate([("part", "count_distinct")])
    torn = pc.sum(pc.greater(held["part_count_distinct"], 1)).as_py() or 0
    proof.checked[name], proof.torn[name] = held.num_rows, torn
    _require(torn == 0, f"{torn} values of {name} lie in several parts")


def _check_condition(seen: pa.Table, request: Request) -> None:
    """In test, images for which the condition holds; elsewhere, images for which it does not."""
    used = seen.filter(pc.is_valid(seen["part"]))
    held = []
    if request.test_where is not None:
        held.append(expression.select(used, request.test_where).to_pylist())
    if request.test_after is not None:
        since = expression.moment(request.test_after)
        held.append([None if at is None else at >= since for at in used["acquired_at"].to_pylist()])
    for part, *told in zip(used["part"].to_pylist(), *held, strict=True):
        right = all(t is True for t in told) if part == TEST else any(t is False for t in told)
        _require(right, "an image stands against the condition for the test part")
