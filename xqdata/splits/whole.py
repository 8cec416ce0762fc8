"""Components to parts where nothing crosses them: parts of given shares, or folds."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from xqdata.groups import renumbered
from xqdata.splits.balance import balance
from xqdata.splits.loops import Flags, Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import (
    CAME_TOGETHER,
    Plan,
    aside_allowed,
    blank,
    by_component,
    first_of,
    follow,
    held_by,
    settled,
)
from xqdata.splits.request import Request
from xqdata.splits.state import Task
from xqdata.splits.strata import Strata, strata


def whole(material: Material, request: Request, old: Ints | None) -> Plan:
    """Components to parts, nothing crossing."""
    rows = material.counted
    component, sizes = renumbered(material.component[rows])
    count = len(sizes)
    fixed, torn = settled(component, None if old is None else old[rows], len(request.shares))
    held = strata(held_by(material, request, rows), request.stratify, component, request.shares)
    counts = by_component(component, count, held.counts)
    free = np.flatnonzero(fixed < 0)
    base, base_size = _base(counts, component, fixed, torn, held, len(request.shares))
    found = balance(
        Task(
            counts[free],
            sizes[free],
            request.shares,
            held.weighs,
            held.must,
            material.luck(rows[first_of(component)], request.seed)[free],
            base,
            base_size,
        )
    )
    of_component = fixed.copy()
    of_component[free] = found.parts
    part, reason = blank(material)
    part[rows] = of_component[component]
    part[rows[torn]] = -1
    reason[rows[torn]] = CAME_TOGETHER
    follow(material, part, reason, [])
    plan = Plan(request.name, request.part_names, part, reason, rows, held, int(torn.sum()), balance=found)
    return aside_allowed(plan, request)


def _base(
    counts: sp.csr_array, component: Ints, fixed: Ints, torn: Flags, held: Strata, parts: int
) -> tuple[Ints, Ints]:
    """Images that lie in the parts already: by row of the strata, and all."""
    given = np.where(torn, -1, fixed[component])
    inside = given >= 0
    gather = sp.csr_array(
        (np.ones(int(inside.sum()), np.int64), (np.flatnonzero(inside), given[inside])), shape=(len(given), parts)
    )
    return np.asarray((held.counts.T @ gather).todense()), np.bincount(given[inside], minlength=parts)
