"""Components and levels to parts: images on which they disagree are set aside."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest
from xqdata.errors import InputError
from xqdata.groups import renumbered
from xqdata.splits.axes import Axis, axes_of, level_luck, levels_told
from xqdata.splits.blocks import Crossing, cross
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Plan, Reasons, aside_allowed, blank, follow, held_by, settled
from xqdata.splits.request import TEST, Request
from xqdata.splits.strata import strata

# Columns that a split is mostly kept apart by.
_FACTORS = ("scan_type", "container", "multiplicity", "clutter")


def crossed(material: Material, request: Request, old: Ints | None) -> Plan:
    """Components and levels to parts; images on which they disagree are set aside."""
    axes = axes_of(material, request)
    part, reason = blank(material)
    rows = material.counted
    for axis in axes:
        reason[rows[axis.code[rows] < 0]] = axis.unknown
    known = np.all([axis.code[rows] >= 0 for axis in axes], axis=0)
    unknown, rows = int((~known).sum()), rows[known]
    if not len(rows):
        raise InputError(f"no image has a known {axes[0].column}", where="--by", hint=axes_instead(material))
    held = _held(material, request, axes[-1], rows)
    component, _ = renumbered(material.component[rows])
    was = None if old is None else old[rows]
    fixed, _ = settled(component, was, len(request.shares))
    balanced = strata(held_by(material, request, rows), request.stratify, component, request.shares)
    starts = np.cumsum([0, *(len(axis.names) for axis in axes)])
    levels = np.column_stack([axis.code[rows] + start for axis, start in zip(axes, starts, strict=False)])
    allowed = _allowed(axes, levels, starts, was)
    must = np.zeros(len(balanced.must), bool)
    must[balanced.classes] = True
    found = cross(
        Crossing(
            component,
            levels,
            allowed,
            fixed,
            balanced.counts,
            request.shares,
            tuple(held if name == TEST else None for name in request.part_names),
            balanced.weighs,
            must,
            level_luck(axes, request.seed),
        )
    )
    part[rows] = found.parts
    masks = [
        np.where(allowed[a:b] > 0, allowed[a:b], 1 << np.maximum(found.of_level[a:b], 0))
        for a, b in pairwise(starts.tolist())
    ]
    told = list(zip(axes, masks, strict=True))
    _say_aside(rows[found.parts < 0], found.of_component[component[found.parts < 0]], told, request, reason)
    follow(material, part, reason, told)
    given = {axis.column: levels_told(axis, mask, request.part_names) for axis, mask in told}
    aside = found.aside + unknown
    plan = Plan(request.name, request.part_names, part, reason, rows, balanced, aside, given, blocks=found, held=held)
    return aside_allowed(plan, request)


def _allowed(axes: list[Axis], levels: Ints, starts: Ints, was: Ints | None) -> Ints:
    """The parts each level may use, as bits; 0 where the level is to be given one."""
    allowed = np.zeros(int(starts[-1]), np.int64)
    for a, axis in enumerate(axes):
        if axis.allowed:
            allowed[starts[a] : starts[a + 1]] = axis.allowed
        elif was is not None:
            fixed, _ = settled(np.append(levels[:, a] - starts[a], len(axis.names) - 1), np.append(was, -1), 62)
            allowed[starts[a] : starts[a + 1]] = np.where(fixed >= 0, 1 << np.maximum(fixed, 0), 0)
    return allowed


def _held(material: Material, request: Request, axis: Axis, rows: Ints) -> int | None:
    """If a condition says what the test part consists of, for how many of `rows` it holds: all or none: InputError."""
    if not request.fixes_test:
        return None
    held = int((axis.code[rows] == 1).sum())
    if 0 < held < len(rows):
        return held
    left = "nothing is left to train on" if held else "there is nothing to test on"
    hint = "rows of unknown value do not count"
    if request.test_after is not None:
        span = pc.min_max(material.images["acquired_at"].take(pa.array(rows)))
        hint = f"acquired_at goes from {span['min'].as_py()} to {span['max'].as_py()}"
    raise InputError(f"{axis.column} holds for {'every' if held else 'no'} image, so {left}", where=TEST, hint=hint)


def axes_instead(material: Material) -> str:
    """What might be an axis instead: columns with several values."""
    images = manifest.taken(material.images, pa.array(material.counted))
    counts = {name: pc.count_distinct(images[name]).as_py() for name in _FACTORS}
    told = [f"--by {name.replace('_', '-')} ({count} values)" for name, count in counts.items() if count > 1]
    return f"take {' or '.join(told)}" if told else "see what is read from the names: xqdata ingest --dry-run"


def _say_aside(
    rows: Ints, component_part: Ints, axes: list[tuple[Axis, Ints]], request: Request, reason: Reasons
) -> None:
    for row, p in zip(rows.tolist(), component_part.tolist(), strict=True):
        for axis, allowed in axes:
            if not int(allowed[axis.code[row]]) >> p & 1:
                where = "test" if axis.allowed and axis.code[row] else _names(int(allowed[axis.code[row]]), request)
                level = axis.names[axis.code[row]]
                reason[row] = f"set aside: {level} belongs to {where}, what it shows to {request.part_names[p]}"
                break


def _names(bits: int, request: Request) -> str:
    return " or ".join(name for n, name in enumerate(request.part_names) if bits >> n & 1)
