"""`xqdata split`: images, links and labels in; one table of parts out, or one for each fold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy

from xqdata import manifest, memory, schema
from xqdata.errors import InputError
from xqdata.manifest import Origin, Project
from xqdata.splits.chance import by_chance
from xqdata.splits.check import prove
from xqdata.splits.crossed import crossed
from xqdata.splits.filled import check_filled
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material, gather
from xqdata.splits.methods import methods_of_folds
from xqdata.splits.plan import CAME_TOGETHER, STAYS_ASIDE, Plan
from xqdata.splits.repaired import repaired
from xqdata.splits.report import Report, report
from xqdata.splits.request import Request
from xqdata.splits.rotated import rotated
from xqdata.splits.whole import whole
from xqdata.taxonomy import Taxonomy

# Of each report, what its table's provenance keeps.
_KEPT = ("certificate", "levels", "fold", "obstacles", "methods", "proof", "moved")
# By benchmark/scale, to 10^7 images; axes and conditions read more columns and hold a table of cells.
_MEMORY, _CROSSED = memory.Rate(300 * 10**6, 950), memory.Rate(500 * 10**6, 1350)


@dataclass(frozen=True)
class Result:
    """The tables of one split, what is told of each, and whether anything was written.

    `left`: tables of folds that an earlier split of the same name left, and this one does not write. `replaced`: tables
    that stood with other options and are overwritten now, with the time when they were made.
    """

    tables: Mapping[str, pa.Table]
    reports: tuple[Report, ...]
    changed: bool
    left: tuple[str, ...] = ()
    replaced: Mapping[str, str] = field(default_factory=dict)


def split(project: Project, taxonomy: Taxonomy, request: Request) -> Result:
    """Give every image of `project` a part, prove that nothing is torn, and write `splits/NAME`.

    Raises XqdataError where the request or a table cannot be used or a part would stay empty, TornError if the proof
    fails (a bug).
    """
    with manifest.lock(project.state, "split"):
        material = gather(project, taxonomy, request)
        old, inputs = _old(project, material, request)
        plans = plan(material, request, old)
        check_filled(material, request, plans)
        tables = {f"splits/{p.table}": _table(material, p) for p in plans}
        proofs = [prove(project, taxonomy, request, tables[f"splits/{p.table}"], p.names) for p in plans]
        reports = tuple(
            replace(report(material, request, p, proof), table=f"splits/{p.table}", stayed=_stayed(request, old, p))
            for p, proof in zip(plans, proofs, strict=True)
        )
        if request.rotates:
            reports = tuple(replace(r, methods=methods_of_folds(reports, request)) for r in reports)
        origin = Origin("split", _told(request, reports), inputs)
        replaced = _replaced(project, request, tables, origin)
        changed = _write(project, tables, origin)
        return Result(tables, reports, changed, _left(project, request, tables), replaced)


def memory_of(request: Request) -> memory.Rate:
    """What a split takes, by the number of images."""
    return _CROSSED if request.axes or request.fixes_test else _MEMORY


def plan(material: Material, request: Request, old: Ints | None = None) -> list[Plan]:
    """The tables that `request` asks for. `old`: (rows of images,) the part of each in the split that grows, or -1."""
    if request.method == "random":
        return [by_chance(material, request, old)]
    if request.method == "repaired" and old is not None:
        return [repaired(material, request, old)]
    if request.rotates:
        return rotated(material, request)
    if request.axes or request.fixes_test:
        return [crossed(material, request, old)]
    return [whole(material, request, old)]


def _old(project: Project, material: Material, request: Request) -> tuple[Ints | None, dict[str, str]]:
    """The parts of the split that grows, and the digests of all that this one is made from."""
    if request.grown_from is None:
        return None, material.inputs
    name = f"splits/{request.grown_from}"
    before = manifest.read(project, name, ["image_id", "part", "reason"])
    unknown = set(pc.unique(before["part"].drop_null()).to_pylist()) - set(request.part_names)
    if unknown:
        raise InputError(f"{name} has a part {min(unknown)} that its options do not name", where=str(project.manifests))
    then = before.take(pc.index_in(material.images["image_id"], before["image_id"].combine_chunks()))
    numbers = pc.index_in(then["part"], pa.array(request.part_names)).fill_null(-1).to_numpy().astype(np.int64)
    numbers[pc.fill_null(pc.equal(then["reason"], CAME_TOGETHER), False).to_numpy(zero_copy_only=False)] = STAYS_ASIDE
    # A table that replaces the one it grew from would forever be made from another one.
    inputs = {name: manifest.provenance(project, name).digest} if request.grown_from != request.name else {}
    return numbers, {**material.inputs, **inputs}


def _stayed(request: Request, old: Ints | None, plan: Plan) -> int | None:
    """Of a split that grows, the images that have the part they had."""
    if old is None or request.method == "repaired":
        return None
    return int((plan.part[old >= 0] == old[old >= 0]).sum())


def _table(material: Material, plan: Plan) -> pa.Table:
    names = np.array([*plan.names, None], dtype=object)
    columns = {
        "image_id": material.images["image_id"].combine_chunks(),
        "part": pa.array(names[plan.part], pa.string()),
        "reason": pa.array(plan.reason, pa.string()),
        "group": material.images["image_id"].take(pa.array(material.component)).combine_chunks(),
    }
    arrow = schema.table("splits/any").arrow
    return pa.table([columns[name] for name in arrow.names], schema=arrow)


def _told(request: Request, reports: Sequence[Report]) -> dict[str, Any]:
    """What the tables' provenance says of them, besides what they were made from; of folds, one by one."""
    # HiGHS comes with scipy: where its release changes, an optimum among equals may.
    told = {
        "request": request.told(),
        "leaky": reports[0].leaky,
        "gave_up": request.allow_leak,
        "scipy": scipy.__version__,
    }
    each = {r.table: {key: r.document()[key] for key in _KEPT} for r in reports}
    told |= {"folds": each} if request.rotates else each[reports[0].table]
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def _write(project: Project, tables: Mapping[str, pa.Table], origin: Origin) -> bool:
    """Write the tables unless they stand already with the same content and origin; whether they were written."""
    if all(_stands(project, name, table, origin) for name, table in tables.items()):
        return False
    manifest.write(project, tables, origin)
    return True


def _stands(project: Project, name: str, table: pa.Table, origin: Origin) -> bool:
    if not manifest.exists(project, name):
        return False
    known = manifest.provenance(project, name)
    if (known.options, known.inputs) != (origin.options, origin.inputs):
        return False  # a digest of very many rows takes a while
    return known.digest == str(manifest.digest(schema.table(name), table))


def _replaced(project: Project, request: Request, tables: Mapping[str, pa.Table], origin: Origin) -> dict[str, str]:
    """Of the tables that will be overwritten, those that other options made, or another command, and when.

    A split that grows under its own name replaces what it keeps.
    """
    if request.grown_from == request.name:
        return {}
    standing = [manifest.provenance(project, name) for name in tables if manifest.exists(project, name)]
    asked = origin.options["request"]
    return {known.table: known.time for known in standing if known.options.get("request") != asked}


def _left(project: Project, request: Request, tables: Mapping[str, pa.Table]) -> tuple[str, ...]:
    mine = (f"splits/{request.name}", f"splits/{request.name}.")
    standing = [name for name in manifest.standing(project) if name == mine[0] or name.startswith(mine[1])]
    return tuple(
        name
        for name in standing
        if name not in tables
        and manifest.provenance(project, name).options.get("request", {}).get("name") == request.name
    )
