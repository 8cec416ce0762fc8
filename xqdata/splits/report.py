"""What a careful person wants to know of a split: counts, components, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from xqdata import groups
from xqdata.splits.check import Proof
from xqdata.splits.loops import Ints
from xqdata.splits.material import MISSING, REJECTED, Material
from xqdata.splits.methods import methods
from xqdata.splits.obstacles import Weak, Without, notes, obstacles, ties_told
from xqdata.splits.plan import Moved, Plan
from xqdata.splits.request import TEST, Request
from xqdata.splits.strata import values

# Where an image lies, in tables of counts, that has no part.
ASIDE = "set aside"


@dataclass(frozen=True)
class Part:
    """One part: images that are balanced, the share asked for, its components, and copies that follow it."""

    name: str
    images: int
    asked: float | None
    components: int
    copies: int


@dataclass(frozen=True)
class Tied:
    """One source of ties: its values or links, how many of these lie on several images that take part, and how many of
    these images name one.
    """

    source: str
    values: int
    shared: int
    images: int


@dataclass(frozen=True)
class Certificate:
    """How good the split is, and what no split can beat. Deviations in images.

    `rows`: values held in proportion, of which `joint` are cells of several columns, out of `cells`. `missing`: (class,
    part) pairs without an image; `least_missing`: as few as any split has. `set_aside`, `least_set_aside`: images;
    `unknown`: those set aside because a value of theirs is unknown. `shortfall`: images that parts lack of four fifths
    of their share. `proven`: nothing can be better (where axes
    cross: fewer images cannot be set aside). None where nothing is known.
    """

    rows: int
    joint: int
    cells: int
    deviation: float
    bound: float | None
    gap: float | None
    proven: bool
    size_deviation: float | None
    greedy: float | None
    missing: int
    least_missing: int | None
    set_aside: int
    least_set_aside: int | None
    unknown: int
    shortfall: int


@dataclass(frozen=True)
class Report:
    """All that is told of one table.

    `rows`: of images; `images`: those that are balanced. `left_out`: rows that take no part, by why. `by_object`,
    `by_scan_type`: images by value and part, ASIDE being a part. `sizes`: images of each component, the largest first.
    `weak`, `without`: what holds a component together that is larger than any part, or crosses the levels, and what
    splitting without that would give. `held`: images for which the condition for the test part holds, if there is one.
    `fold`: (level, component fold) that this table tests. `moved`: by a repair.
    `stayed`: of a split that grows, the images and copies that have the part they had.
    """

    table: str
    names: tuple[str, ...]
    leaky: bool
    gave_up: tuple[str, ...]
    stratified: tuple[str, ...]
    seed: int
    rows: int
    images: int
    copies: int
    left_out: Mapping[str, int]
    parts: tuple[Part, ...]
    by_object: Mapping[str, Mapping[str, int]]
    by_scan_type: Mapping[str, Mapping[str, int]]
    sizes: Ints
    tied: tuple[Tied, ...]
    levels: Mapping[str, Mapping[str, str]]
    held: int | None
    fold: tuple[str, int] | None
    certificate: Certificate
    obstacles: tuple[str, ...]
    notes: tuple[str, ...]
    weak: tuple[Weak, ...]
    without: tuple[Without, ...]
    proof: Proof
    methods: str = ""
    moved: Moved | None = None
    stayed: int | None = None

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        sizes = {"count": len(self.sizes), "largest": int(self.sizes.max(initial=0)), "single": self.single}
        told = asdict(replace(self, sizes=np.zeros(0, np.int64)))
        return {**told, "sizes": {**sizes, "median": self.median}}

    @property
    def empty(self) -> list[str]:
        """The parts without an image."""
        return [part.name for part in self.parts if not part.images]

    @property
    def single(self) -> int:
        """Components of one image."""
        return int((self.sizes == 1).sum())

    @property
    def median(self) -> float:
        """The median size of a component."""
        return float(np.median(self.sizes)) if len(self.sizes) else 0.0


def report(material: Material, request: Request, plan: Plan, proof: Proof) -> Report:
    """What is told of `plan`."""
    by_chance = request.method == "random"
    balanced = np.flatnonzero(material.takes_part) if by_chance else material.counted
    part = plan.part[balanced]
    component, sizes = groups.renumbered(material.component[balanced])
    copies = np.flatnonzero(material.takes_part & (material.kept != np.arange(len(material.kept))) & (not by_chance))
    weak, without = ties_told(material, request, plan)
    images = material.images.select(["object", "objects", "scan_type"]).take(pa.array(balanced))
    made = Report(
        table=plan.table,
        names=plan.names,
        leaky=by_chance,
        gave_up=request.allow_leak,
        stratified=request.stratify,
        seed=request.seed,
        rows=material.images.num_rows,
        images=len(balanced),
        copies=len(copies),
        left_out=_left_out(material),
        parts=_parts(plan, request, part, component, plan.part[copies]),
        by_object=_by(images, "objects" if "objects" in request.stratify else "object", part, plan.names),
        by_scan_type=_by(images, "scan_type", part, plan.names),
        sizes=np.sort(sizes)[::-1],
        tied=_tied(material),
        levels=plan.levels,
        held=plan.held,
        fold=plan.fold,
        certificate=_certificate(plan, request),
        obstacles=tuple(obstacles(material, request, plan)),
        notes=tuple(notes(material, request, images)),
        weak=weak,
        without=without,
        proof=proof,
        moved=plan.moved,
    )
    return replace(made, methods=methods(made, request))


def _left_out(material: Material) -> dict[str, int]:
    counts = {"missing": int((material.state == MISSING).sum()), "rejected": int((material.state == REJECTED).sum())}
    return {why: count for why, count in counts.items() if count}


def _parts(plan: Plan, request: Request, part: Ints, component: Ints, of_copies: Ints) -> tuple[Part, ...]:
    shares = dict(zip(request.part_names, request.shares, strict=True))
    whole = sum(share for name, share in shares.items() if plan.held is None or name != TEST)
    asked = {name: share / whole for name, share in shares.items()}
    return tuple(
        Part(
            name,
            int((part == p).sum()),
            None if plan.fold or (plan.held is not None and name == TEST) else asked[name],
            groups.distinct(component[part == p]),
            int((of_copies == p).sum()),
        )
        for p, name in enumerate(plan.names)
    )


def _by(images: pa.Table, column: str, part: Ints, names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    held = values(images, column)
    counts = np.zeros((len(held.names), len(names) + 1), np.int64)
    np.add.at(counts, (held.code, part[held.row]), 1)
    return {
        value: {name: int(n) for name, n in zip((*names, ASIDE), row, strict=True) if n}
        for value, row in zip(held.names, counts, strict=True)
    }


def _tied(material: Material) -> tuple[Tied, ...]:
    told = []
    for ties in material.ties:
        inside = material.takes_part[ties.image]
        held = np.bincount(ties.value[inside], minlength=len(ties.names))
        images = groups.distinct(ties.image[inside])
        told.append(Tied(ties.source, len(ties.names), int((held > 1).sum()), images))
    return tuple(told)


def _certificate(plan: Plan, request: Request) -> Certificate:
    held = plan.strata
    rows = int(held.weighs.sum()), held.joint, held.cells
    made = Certificate(*rows, 0.0, None, None, False, None, None, 0, None, plan.aside, None, 0, 0)
    if plan.balance is not None:
        found = plan.balance
        return replace(
            made,
            deviation=float(found.deviation),
            bound=float(found.bound),
            gap=float(found.gap),
            proven=found.proven,
            size_deviation=float(found.size_deviation),
            greedy=float(found.greedy),
            missing=found.empty,
            least_missing=found.least_empty,
        )
    if plan.blocks is not None:
        k = plan.blocks
        least = None if k.least_aside is None else k.least_aside + plan.aside - k.aside
        return replace(
            made,
            deviation=float(k.deviation),
            proven=least == plan.aside,
            missing=k.empty,
            least_missing=k.least_empty,
            least_set_aside=least,
            unknown=plan.aside - k.aside,
            shortfall=k.shortfall,
        )
    away, missing = _of_chance(plan, request)
    return replace(made, deviation=away, missing=missing)


def _of_chance(plan: Plan, request: Request) -> tuple[float, int]:
    """Deviation, and classes missing in parts, of a split that nobody optimised."""
    x = plan.by_part()
    shares = [Fraction(share, sum(request.shares)) for share in request.shares]
    away = np.abs(x - np.outer(x.sum(1), np.array(shares, dtype=float)))
    return float(away[plan.strata.weighs].sum()), int((x[plan.strata.classes] == 0).sum())
