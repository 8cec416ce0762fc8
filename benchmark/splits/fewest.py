"""The fewest images that any split sets aside where two axes cross: a plain MILP, without anything of xqdata's search.

Variables: each component's part, each level's part, and for each cell whether it is used in a part (it is where both
agree). Every part holds at least four fifths of its share of what is used, and every class is in every part.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from instances import TwoAxes
from scipy.optimize import Bounds, LinearConstraint, milp

LEAST = 4 / 5


def fewest(task: TwoAxes, seconds: float, classes: bool = True) -> tuple[int | None, bool]:
    """Images set aside, and whether that is proven; None where no solution was found."""
    cells, where = np.unique(np.column_stack([task.component, task.level]), axis=0, return_inverse=True)
    images = np.bincount(where.ravel())
    kinds = np.zeros((len(cells), task.kind.max() + 1), int)
    np.add.at(kinds, (where.ravel(), task.kind), 1)
    parts, share = len(task.shares), np.array(task.shares) / sum(task.shares)
    count, levels = cells.max(0) + 1
    at_level, at_cell = count * parts, (count + levels) * parts
    width = at_cell + len(cells) * parts
    rows: list[tuple[dict[int, float], float, float]] = []
    for first, many in ((0, count), (at_level, levels)):
        rows += [({first + n * parts + p: 1.0 for p in range(parts)}, 1, 1) for n in range(many)]
    for k, (c, level) in enumerate(cells):
        for p in range(parts):
            used, mine, its = at_cell + k * parts + p, c * parts + p, at_level + level * parts + p
            rows += [({used: 1.0, mine: -1.0}, -np.inf, 0), ({used: 1.0, its: -1.0}, -np.inf, 0)]
            rows.append(({used: 1.0, mine: -1.0, its: -1.0}, -1, np.inf))
    for p in range(parts):
        weights = {
            at_cell + k * parts + q: images[k] * ((p == q) - LEAST * share[p])
            for k in range(len(cells))
            for q in range(parts)
        }
        rows.append((weights, -1e-6, np.inf))
        for kind in range(kinds.shape[1] if classes else 0):
            held = {at_cell + k * parts + p: 1.0 for k in range(len(cells)) if kinds[k, kind]}
            rows.append((held, 1, np.inf))
    index = [(n, v, w) for n, (row, _, _) in enumerate(rows) for v, w in row.items()]
    r, c, v = zip(*index, strict=True)
    cost = np.zeros(width)
    cost[at_cell:] = -np.repeat(images, parts)
    result = milp(
        cost,
        integrality=np.arange(width) < at_cell,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            sp.csr_array((v, (r, c)), shape=(len(rows), width)), [a for _, a, _ in rows], [b for _, _, b in rows]
        ),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )
    return (None if result.x is None else len(task.kind) + round(result.fun)), result.status == 0
