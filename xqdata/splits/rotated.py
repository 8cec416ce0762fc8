"""Folds over two axes: each level, or fold of levels, is tested once on components that training never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata import manifest
from xqdata.errors import InputError
from xqdata.splits.axes import Axis, axes_of, level_luck, levels_told
from xqdata.splits.balance import Balance, balance
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Plan, aside_allowed, blank, by_component, first_of, follow
from xqdata.splits.request import MOST_FOLDS, TEST, Request
from xqdata.splits.state import Task
from xqdata.splits.strata import Strata, strata


def rotated(material: Material, request: Request) -> list[Plan]:
    """A table for each fold over two axes: test where level and component are the fold's, train where neither is.

    The component folds rotate: fold n of the levels takes component fold n modulo their number.
    """
    if len(request.axes) > 1:
        raise InputError("folds rotate over one axis, not over several", where="--by")
    (axis,) = axes_of(material, request)
    rows = material.counted
    known = rows[axis.code[rows] >= 0]
    if not len(known) or len(np.unique(axis.code[known])) < 2:
        raise InputError(f"{axis.column} has no two values to rotate", where="--by")
    _, component = np.unique(material.component[known], return_inverse=True)
    images = manifest.taken(material.images, pa.array(known))
    levels, names = _level_folds(request, axis, known)
    if len(names) > MOST_FOLDS:
        raise InputError(f"{axis.column} has {len(names):,} values: a fold for each is too many", where="--by")
    folds = min(request.folds or 5, len(names))
    held = strata(images, (*request.stratify, axis.column), component, (1,) * folds)
    luck = material.luck(known[first_of(component)], request.seed)
    found = _fold_components(held, component, luck, folds)
    plans = []
    for n, name in enumerate(names):
        part, reason = blank(material)
        mine, group = levels[axis.code[known]] == n, found.parts[component] == n % folds
        part[known] = np.where(mine & group, 1, np.where(mine | group, -1, 0))
        reason[rows[axis.code[rows] < 0]] = axis.unknown
        aside = known[mine ^ group]
        reason[aside] = np.where(
            mine[mine ^ group],
            f"set aside: its {axis.column} is tested in this fold, what it shows is trained on",
            f"set aside: what it shows is tested in this fold, its {axis.column} is trained on",
        )
        allowed = np.where(np.append(levels == n, False), 0b10, 0b01)
        follow(material, part, reason, [(axis, allowed)])
        unknown = len(rows) - len(known)
        told = {axis.column: levels_told(axis, allowed[:-1], ("train", TEST))}
        parts = ("train", TEST)
        plan = Plan(f"{request.name}.{name}", parts, part, reason, known, held, len(aside) + unknown, told, found)
        plans.append(aside_allowed(replace(plan, fold=(name, n % folds)), request))
    return plans


def _level_folds(request: Request, axis: Axis, known: Ints) -> tuple[Ints, list[str]]:
    """Each level's fold, and the folds' names: the levels themselves where each is left out once."""
    if request.leave_one_out:
        present = np.isin(np.arange(len(axis.names)), axis.code[known])
        folds = np.where(present, np.cumsum(present) - 1, -1)
        return folds, _file_names([name for name, here in zip(axis.names, present, strict=True) if here])
    assert request.folds is not None
    sizes = np.bincount(axis.code[known], minlength=len(axis.names))
    if int((sizes > 0).sum()) < request.folds:
        raise InputError(f"{axis.column} has fewer values than there are folds", where="--folds")
    nothing = sp.csr_array((len(sizes), 0), dtype=np.int64)
    none = np.zeros(0, bool)
    luck = np.asarray(level_luck([axis], request.seed)).astype(np.uint64)
    found = balance(Task(nothing, sizes, (1,) * request.folds, none, none, luck))
    return found.parts, [str(n) for n in range(request.folds)]


def _file_names(levels: list[str]) -> list[str]:
    """Names of levels that can be part of a file's name, all different."""
    plain = ["".join(c if c.isalnum() or c in "_-" else "_" for c in level)[:60] or "_" for level in levels]
    return [name if plain.count(name) == 1 else f"{name}_{n}" for n, name in enumerate(plain)]


def _fold_components(held: Strata, component: Ints, luck: NDArray[np.uint64], folds: int) -> Balance:
    count = int(component.max()) + 1
    counts = by_component(component, count, held.counts)
    sizes = np.bincount(component, minlength=count)
    return balance(Task(counts, sizes, (1,) * folds, held.weighs, held.must, luck))
