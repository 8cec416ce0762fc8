"""The study's random split, for comparison: it leaks, and its table says so."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa

from xqdata import manifest
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Plan, blank
from xqdata.splits.request import Request
from xqdata.splits.strata import strata


def by_chance(material: Material, request: Request, old: Ints | None) -> Plan:
    """Every image by chance, as the study did: copies, too, and whatever they show."""
    rows = np.flatnonzero(material.takes_part)
    part, reason = blank(material)
    if old is not None:
        part[rows] = np.maximum(old[rows], -1)
    free = rows[part[rows] < 0]
    shares = [Fraction(share, sum(request.shares)) * len(rows) for share in request.shares]
    have = np.bincount(part[rows][part[rows] >= 0], minlength=len(shares))
    room = [max(Fraction(0), share - int(n)) for share, n in zip(shares, have, strict=True)]
    ends = [round(sum(room[: n + 1]) * len(free) / max(sum(room), Fraction(1))) for n in range(len(room))]
    ends[-1] = len(free)
    shuffled = free[np.argsort(material.luck(free, request.seed), kind="stable")]
    start = 0
    for p, end in enumerate(ends):
        part[shuffled[start:end]] = p
        start = end
    counted = manifest.taken(material.images, pa.array(rows))
    held = strata(counted, request.stratify, np.arange(len(rows)), request.shares)
    return Plan(request.name, request.part_names, part, reason, rows, held)
