"""A split that leaks, made clean: no component torn, and as few images moved as can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata import manifest
from xqdata.errors import InputError
from xqdata.splits.exact import Program, solve
from xqdata.splits.loops import Flags, Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Moved, Plan, Reasons, blank, by_component, first_of, settled
from xqdata.splits.request import Request
from xqdata.splits.strata import Strata, strata

# Nodes of the search where classes are to be kept: the covers are small, so it mostly ends at the root.
_NODES = 2_000


def repair_of(
    options: Mapping[str, Any], source: str, name: str, by: tuple[str, ...] = (), keep: tuple[str, ...] = ()
) -> Request:
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
        keep=keep,
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

    Where a part would be left without any image, or `asked.keep` names classes, every part also keeps an image of each
    class that it had; where it names sizes, four fifths of its images. Both as far as components allow, classes first;
    of all such assignments one that moves the fewest is taken.

    `old`: (rows of images,) the part of each in the split to be repaired, or below 0.
    """
    rows = np.flatnonzero(material.takes_part & (old >= 0))
    if not len(rows):
        hint = "ingest the folder that it was made from"
        raise InputError("has no part for any image of this project", where=f"splits/{asked.grown_from}", hint=hint)
    names, component = asked.part_names, np.unique(material.component[rows], return_inverse=True)[1]
    chosen, _ = settled(component, old[rows], len(names))
    least = int((chosen[component] != old[rows]).sum())
    held = strata(manifest.taken(material.images, pa.array(rows)), asked.stratify, component, asked.shares)
    emptied = set(np.unique(old[rows]).tolist()) - set(chosen.tolist())
    proven = True
    if asked.keep or emptied:
        luck = material.luck(rows[first_of(component)], asked.seed)
        votes = _votes(component, old[rows], len(names))
        classes = _classes(held) if emptied or "classes" in asked.keep else sp.csr_array((len(rows), 0), dtype=np.int64)
        owns = by_component(component, len(votes), classes).toarray() > 0
        had = np.column_stack([np.asarray(classes[old[rows] == p].sum(0)).ravel() > 0 for p in range(len(names))])
        chosen, proven = _keeping(_Kept(votes, owns, had, "sizes" in asked.keep), chosen, luck)
    part, reason = blank(material)
    part[rows] = chosen[component]
    unplaced = np.flatnonzero(material.takes_part & (old < 0))
    reason[unplaced] = f"in no part of splits/{asked.grown_from}"
    counted = _copies_told(material, part, reason, rows)
    moved = replace(_moved(old[rows], part[rows], names), least=least, proven=proven, emptied=len(emptied))
    counts = held.counts[np.searchsorted(rows, counted)]
    shown = Strata(counts, held.names, held.weighs, held.must, held.cells, held.joint, held.classes)
    return Plan(asked.name, names, part, reason, counted, shown, moved=moved)


def _votes(component: Ints, old: Ints, parts: int) -> Ints:
    """(components, parts): images."""
    votes = np.zeros((int(component.max()) + 1, parts), np.int64)
    np.add.at(votes, (component, old), 1)
    return votes


def _classes(held: Strata) -> sp.csr_array:
    """(images, classes and one for all images): whether the image is of it."""
    every = np.ones((held.counts.shape[0], 1), np.int64)
    return sp.csr_array(sp.hstack([held.counts[:, held.classes], sp.csr_array(every)], format="csr"))


@dataclass(frozen=True)
class _Kept:
    """What is to be kept. `votes`: (components, parts) images; `owns`: (components, classes) whether it has one; `had`:
    (classes, parts) whether an image of the class was in the part; `sizes`: whether parts are to keep four fifths of
    their images.
    """

    votes: Ints
    owns: Flags
    had: Flags
    sizes: bool


def _keeping(kept: _Kept, chosen: Ints, luck: NDArray[np.uint64]) -> tuple[Ints, bool]:
    """A part for each component so that parts keep what they are to, and the fewest images move.

    `chosen`: the parts where nothing is to be kept. Components of equal votes and classes are one type, and counted.
    Returns the parts, and whether that is proven.
    """
    joined = np.column_stack([kept.votes, kept.owns])
    kinds, kind, many = np.unique(joined, axis=0, return_inverse=True, return_counts=True)
    kind = kind.ravel()
    types, parts = len(kinds), kept.votes.shape[1]
    program, aims = _program(kept, kinds, many)
    proven, values = True, None
    for aim in aims:
        found = solve(program.aiming(aim), _NODES)
        if found.values is None:
            return chosen, False
        proven &= found.proven
        values = found.values
        program = program.with_row(aim, float(np.rint(aim @ values)) + 0.25)
    weights = (np.random.PCG64(types).random_raw(types * parts) >> np.uint64(8)).astype(np.int64)
    only = solve(program.aiming(np.append(weights % (1 << 20), np.zeros(len(aims[0]) - len(weights)))), _NODES)
    values = only.values if only.values is not None else values
    assert values is not None
    n = np.rint(values[: types * parts]).astype(np.int64).reshape(types, parts)
    given = np.empty(len(kind), np.int64)
    given[np.lexsort((luck, kind))] = np.repeat(np.tile(np.arange(parts), types), n.ravel())
    return given, proven


def _program(kept: _Kept, kinds: Ints, many: Ints) -> tuple[Program, list[NDArray[np.float64]]]:
    """How many components of each type go to each part, and what is to be least, one after another: classes that parts
    lose, images that they lack, images that move.

    Variables: n (types x parts), then for each (class, part) that was there z, 1 where it is lost, then for each part
    the images s that it lacks.
    """
    types, parts = len(kinds), kept.votes.shape[1]
    cast, has = kinds[:, :parts], kinds[:, parts:]
    pairs = np.argwhere(kept.had)
    least = -(-4 * kept.votes.sum(0) // 5) * kept.sizes
    one = np.eye(parts)
    covers = [np.outer(has[:, k], one[p]).ravel() for k, p in pairs]
    sizes = [np.outer(cast.sum(1), one[p]).ravel() for p in range(parts)]
    inner = sp.csr_array(np.array([*covers, *sizes], np.float64))
    placed = sp.kron(sp.eye_array(types), np.ones((1, parts)), "csr")
    more = len(pairs) + parts
    matrix = sp.block_array([[placed, None], [inner, sp.eye_array(more)]], format="csr")
    program = Program(
        np.zeros(types * parts + more),
        sp.csr_array(matrix),
        np.concatenate([many, np.ones(len(pairs)), least]).astype(np.float64),
        np.append(many, np.full(more, np.inf)).astype(np.float64),
        np.concatenate([np.repeat(many, parts), np.ones(len(pairs)), least]).astype(np.float64),
        np.arange(types * parts + more) < types * parts,
    )
    away = np.append((cast.sum(1, keepdims=True) - cast).ravel(), np.zeros(more)).astype(np.float64)
    lost, lacking = np.zeros(len(away)), np.zeros(len(away))
    lost[types * parts : types * parts + len(pairs)] = 1
    lacking[types * parts + len(pairs) :] = 1
    return program, [aim for aim in (lost, lacking) if program.upper @ aim] + [away]


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


def _moved(old: Ints, new: Ints, names: tuple[str, ...]) -> Moved:
    counts = Counter(zip(old.tolist(), new.tolist(), strict=True))
    moves = tuple((names[a], names[b], n) for (a, b), n in sorted(counts.items()) if a != b)
    before, after = (np.bincount(parts, minlength=len(names)).tolist() for parts in (old, new))
    return Moved(len(old), moves, tuple(zip(names, before, after, strict=True)))
