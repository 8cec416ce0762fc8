"""A split that leaks, made clean: no component torn, and as few images moved as can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata.errors import InputError
from xqdata.splits.exact import Program, singled_out, solve
from xqdata.splits.loops import Flags, Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Moved, Plan, Reasons, blank, by_component, first_of, settled
from xqdata.splits.request import Request
from xqdata.splits.strata import Strata, strata

# Nodes of the search where classes are to be kept: the covers are small, so it mostly ends at the root.
_NODES = 2_000


def repair_of(options: Mapping[str, Any], source: str, name: str, by: tuple[str, ...], keep_classes: bool) -> Request:
    """The request for a repair, called `name`, of the split `source`, whose provenance has these `options`.

    Parts, what is held in proportion and what is tied on request stay. InputError for one fold of several tables, and
    for an axis `by` that is no identity column: a repair sets no image aside.
    """
    unasked = {"parts": options.get("parts"), "together": options.get("together", ())}
    unasked |= {"folds": None, "stratify": ("object",), "leave_one_out": None}
    # A split that xqdata did not make was asked for by nobody; an audit of it tells its parts.
    told = options.get("request") or unasked
    made = Request(
        name=name,
        parts=tuple((part, share) for part, share in told["parts"].items()),
        folds=told["folds"],
        by=by,
        stratify=tuple(told["stratify"]),
        together=tuple(told["together"]),
        method="repaired",
        grown_from=source,
        keep_classes=keep_classes,
    )
    if told["leave_one_out"] or (told["folds"] and told["by"]):
        raise InputError("is one of several folds that belong together", where=source, hint="make them anew")
    if made.axes:
        hint = f"leave it out, or make a split of its own: xqdata split --by {made.axes[0]}"
        raise InputError(f"{made.axes[0]} crosses the components, which a repair cannot do", where="--by", hint=hint)
    return made


def repaired(material: Material, asked: Request, old: Ints) -> Plan:
    """Each component to the part where most of its images are: components do not depend on each other, so no
    assignment that tears none moves fewer. Among equals the last part wins, for a test part is dearer than a training
    part. Images in no part stay in none.

    Where `asked.keep_classes`, or where a part would be left without any image, every part also keeps an image of each
    class that it had, as far as components allow; of all such assignments one that moves the fewest is taken.

    `old`: (rows of images,) the part of each in the split to be repaired, or below 0.
    """
    rows = np.flatnonzero(material.takes_part & (old >= 0))
    if not len(rows):
        hint = "ingest the folder that it was made from"
        raise InputError("has no part for any image of this project", where=f"splits/{asked.grown_from}", hint=hint)
    names, component = asked.part_names, np.unique(material.component[rows], return_inverse=True)[1]
    chosen, _ = settled(component, old[rows], len(names))
    least = int((chosen[component] != old[rows]).sum())
    held = strata(material.images.take(pa.array(rows)), asked.stratify, component, asked.shares)
    emptied = set(np.unique(old[rows]).tolist()) - set(chosen.tolist())
    proven = True
    if asked.keep_classes or emptied:
        luck = material.luck(rows[first_of(component)], asked.seed)
        votes = _votes(component, old[rows], len(names))
        chosen, proven = _covering(votes, _wanted(held, component), chosen, luck, asked.seed)
    part, reason = blank(material)
    part[rows] = chosen[component]
    unplaced = np.flatnonzero(material.takes_part & (old < 0))
    reason[unplaced] = f"in no part of splits/{asked.grown_from}"
    counted = _copies_told(material, part, reason, rows)
    moved = _moved(old[rows], part[rows], names, least, proven, len(emptied))
    counts = held.counts[np.searchsorted(rows, counted)]
    shown = Strata(counts, held.names, held.weighs, held.must, held.cells, held.joint, held.classes)
    return Plan(asked.name, names, part, reason, counted, shown, moved=moved)


def _votes(component: Ints, old: Ints, parts: int) -> Ints:
    """(components, parts): images."""
    votes = np.zeros((int(component.max()) + 1, parts), np.int64)
    np.add.at(votes, (component, old), 1)
    return votes


def _wanted(held: Strata, component: Ints) -> Flags:
    """(components, classes and one for all images): whether the component has it."""
    count = int(component.max()) + 1
    owned = by_component(component, count, held.counts[:, held.classes]).toarray() > 0
    return np.column_stack([owned, np.ones(count, bool)])


def _covering(votes: Ints, owns: Flags, chosen: Ints, luck: NDArray[np.uint64], seed: int) -> tuple[Ints, bool]:
    """A part for each component so that each part keeps the classes that it had, and the fewest images move.

    `votes`: (components, parts) images; `owns`: (components, classes); `chosen`: the parts where nothing is to be kept.
    Components of equal votes and classes are one type, and counted. Returns the parts, and whether that is proven.
    """
    kinds, kind, many = np.unique(np.column_stack([votes, owns]), axis=0, return_inverse=True, return_counts=True)
    types, parts = len(kinds), votes.shape[1]
    cast, has = kinds[:, :parts], kinds[:, parts:].astype(bool)
    had = (votes.T @ owns > 0).T  # (classes, parts)
    program = _program(cast, has, many, had)
    found = solve(program, _NODES)
    if found.values is None:
        return chosen, False
    weights = (np.random.PCG64(seed).random_raw(types * parts) >> np.uint64(8)).astype(np.int64)
    only = singled_out(program, float(program.cost @ found.values), 0.25, weights, _NODES)
    values = only.values if only.values is not None else found.values
    n = np.rint(values[: types * parts]).astype(np.int64).reshape(types, parts)
    given = np.empty(len(kind), np.int64)
    for t in range(types):
        mine = np.flatnonzero(kind == t)
        given[mine[np.argsort(luck[mine], kind="stable")]] = np.repeat(np.arange(parts), n[t])
    return given, found.proven


def _program(cast: Ints, has: Flags, many: Ints, had: Flags) -> Program:
    """How many components of each type go to each part. A class that a part loses costs more than all moves together.

    Variables: n (types x parts), then for each (class, part) that was there z, 1 where it is lost.
    """
    types, parts = cast.shape
    pairs = np.argwhere(had)
    inside = sp.csr_array(has.T.astype(np.float64))[pairs[:, 0]]
    at = sp.csr_array((np.ones(len(pairs)), (np.arange(len(pairs)), pairs[:, 1])), shape=(len(pairs), parts))
    # Row k of `inside` spread over the columns of its part.
    covers = sp.csr_array(sp.vstack([sp.kron(inside[[k]], at[[k]]) for k in range(len(pairs))], format="csr"))
    placed = sp.kron(sp.eye_array(types), np.ones((1, parts)), "csr")
    matrix = sp.block_array([[placed, None], [covers, sp.eye_array(len(pairs))]], format="csr")
    away = (cast.sum(1, keepdims=True) - cast).ravel().astype(np.float64)
    penalty = float((cast.sum(1) * many).sum()) + 1
    return Program(
        np.append(away, np.full(len(pairs), penalty)),
        sp.csr_array(matrix),
        np.append(many, np.ones(len(pairs))).astype(np.float64),
        np.append(many, np.full(len(pairs), np.inf)).astype(np.float64),
        np.append(np.repeat(many, parts), np.ones(len(pairs))).astype(np.float64),
        np.arange(types * parts + len(pairs)) < types * parts,
    )


def _copies_told(material: Material, part: Ints, reason: Reasons, rows: Ints) -> Ints:
    """Say of copies which image they follow; the rows that are none. Copies lie in the part of that image already,
    being of one component. Where that image is in no part, the first of its copies stands for it.
    """
    leader: dict[int, int] = {int(r): int(r) for r in rows if material.kept[r] == r}
    counted = []
    ids = material.images["image_id"]
    for row in rows.tolist():
        first = leader.setdefault(int(material.kept[row]), row)
        if first == row:
            counted.append(row)
        else:
            reason[row] = f"copy of {ids[first].as_py()}"
    return np.array(counted, np.int64)


def _moved(old: Ints, new: Ints, names: tuple[str, ...], least: int, proven: bool, emptied: int) -> Moved:
    counts = Counter(zip(old.tolist(), new.tolist(), strict=True))
    moves = tuple((names[a], names[b], n) for (a, b), n in sorted(counts.items()) if a != b)
    return Moved(len(old), moves, least, proven, emptied)
