"""What every part is to hold in proportion: the rows of the balancing problem, counted by component.

Each value of each column of `--stratify` is a row (its margin). With several columns each cell of their values is a row
too, where that is possible: where the cell has a component for every part, and an image for the smallest. An image with
several values in a list counts in each of their rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from xqdata.groups import distinct
from xqdata.splits.loops import Flags, Ints

UNKNOWN = "(unknown)"
SEVERAL = "(several)"
_CLASSES = ("object", "objects")

Name = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Values:
    """The values of one column: image `row[k]` holds value `names[code[k]]`; names are sorted."""

    column: str
    row: Ints
    code: Ints
    names: tuple[str, ...]

    def matrix(self, images: int) -> sp.csr_array:
        """(images, values): 1 where the image holds the value."""
        ones = np.ones(len(self.row), np.int64)
        return sp.csr_array((ones, (self.row, self.code)), shape=(images, len(self.names)))


@dataclass(frozen=True)
class Strata:
    """The rows to be balanced. `counts`: (images, rows) 0 or 1; `names`: each row's values by column.

    `weighs`, `must`: see `balance`. `cells`: how many joint cells there are; `joint`: how many of them are rows.
    `classes`: numbers of the rows that are classes of objects.
    """

    counts: sp.csr_array
    names: tuple[Name, ...]
    weighs: Flags
    must: Flags
    cells: int
    joint: int
    classes: Ints


def values(images: pa.Table, column: str) -> Values:
    """The values of `column`. Null is a value of its own; scans of several objects are one value of `object`."""
    held = images[column].combine_chunks()
    if pa.types.is_list(held.type):
        empty = pc.or_kleene(pc.is_null(held), pc.equal(pc.list_value_length(held), 0))
        lone = np.flatnonzero(pc.fill_null(empty, True).to_numpy(zero_copy_only=False))
        row = np.append(pc.list_parent_indices(held).to_numpy(), lone).astype(np.int64)
        named, alone = pc.fill_null(pc.list_flatten(held), UNKNOWN), len(lone)
    else:
        row, alone = np.arange(len(held)), 0
        named = pc.fill_null(held.cast(pa.string()), UNKNOWN)
        if column == "object":
            many = pc.fill_null(pc.greater(pc.list_value_length(images["objects"].combine_chunks()), 1), False)
            named = pc.if_else(pc.and_(pc.equal(named, UNKNOWN), many), SEVERAL, named)
    names, code = _coded(named, alone)
    if len(row) and not (np.diff(row) > 0).all():
        # Each value of an image once, by image and value.
        pairs = np.sort(row * len(names) + code)
        row, code = np.divmod(pairs[np.append(True, np.diff(pairs) > 0)], len(names))
    return Values(column, row, code, names)


def _coded(named: pa.Array, alone: int) -> tuple[tuple[str, ...], Ints]:
    """The different names, sorted, and the number of each among them; then UNKNOWN so many times more."""
    encoded = pc.dictionary_encode(named)
    told = encoded.dictionary.to_pylist()
    names = sorted({*told, *([UNKNOWN] if alone else [])})
    place = {name: n for n, name in enumerate(names)}
    number = np.array([place[name] for name in told], np.int64)
    code = number[encoded.indices.to_numpy(zero_copy_only=False)]
    return tuple(names), np.append(code, np.full(alone, place.get(UNKNOWN, 0)))


def strata(images: pa.Table, columns: Sequence[str], component: Ints, shares: Sequence[int]) -> Strata:
    """The rows for `columns`. Classes of objects must be in every part, whether or not they are among the columns.

    `component`: (images,) numbers.
    """
    held = [values(images, column) for column in columns]
    counts = [v.matrix(images.num_rows) for v in held]
    names: list[Name] = [((v.column, name),) for v in held for name in v.names]
    weighs = [True] * len(names)
    cells, joint = _joint(held, component, shares) if len(held) > 1 else (0, {})
    if joint:
        counts.append(_rows_of(list(joint.values()), images.num_rows))
        names += list(joint)
        weighs += [True] * len(joint)
    if not any(column in _CLASSES for column in columns):
        objects = values(images, "object")
        counts.append(objects.matrix(images.num_rows))
        names += [(("object", name),) for name in objects.names]
        weighs += [False] * len(objects.names)
    known = np.array([len(row) == 1 and row[0][1] not in (UNKNOWN, SEVERAL) for row in names], bool)
    of_class = np.array([row[0][0] in _CLASSES for row in names], bool)
    matrix = sp.csr_array(sp.hstack(counts, format="csr"))
    return Strata(matrix, tuple(names), np.array(weighs), known, cells, len(joint), np.flatnonzero(known & of_class))


def _joint(held: Sequence[Values], component: Ints, shares: Sequence[int]) -> tuple[int, dict[Name, Ints]]:
    """How many cells the columns have together, and the images of those that can be balanced."""
    row, code = held[0].row, held[0].code
    sizes = [len(v.names) for v in held]
    for other in held[1:]:
        # Each (image, value) so far with each value that the image has in the next column.
        start = np.searchsorted(other.row, np.arange(len(component) + 1))
        many = np.diff(start)[row]
        offset = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        code = np.repeat(code, many) * len(other.names) + other.code[np.repeat(start[row], many) + offset]
        row = np.repeat(row, many)
    cells, where = np.unique(code, return_inverse=True)
    found = {}
    for n, group in enumerate(np.split(np.argsort(where, kind="stable"), np.cumsum(np.bincount(where))[:-1])):
        rows = row[group]
        if distinct(component[rows]) >= len(shares) and len(rows) * min(shares) >= sum(shares):
            numbers = np.unravel_index(cells[n], sizes)
            found[tuple((v.column, v.names[int(i)]) for v, i in zip(held, numbers, strict=True))] = rows
    return len(cells), found


def _rows_of(rows: Sequence[Ints], images: int) -> sp.csr_array:
    where = np.concatenate(rows)
    columns = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    return sp.csr_array((np.ones(len(where), np.int64), (where, columns)), shape=(images, len(rows)))
