"""What stands in the way of a better split, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import groups
from xqdata.groups import Ties
from xqdata.splits.axes import axes_of
from xqdata.splits.balance import balance
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Plan, by_component, first_of
from xqdata.splits.request import Request
from xqdata.splits.state import Task
from xqdata.splits.strata import SEVERAL, UNKNOWN, Strata, values

_MOST_TOLD = 5
_MOST_NAMED = 8
# A class is far from in proportion if so much of its images deviates; components are few below so many for each part.
_FAR, _FEW = 0.3, 4
# A split is poor, so that it is told what chains its images, if so much of all images deviates.
_POOR = 0.05


@dataclass(frozen=True)
class Weak:
    """A value or link that a component hangs by: `largest` images stay together without it."""

    source: str
    name: str
    largest: int


@dataclass(frozen=True)
class Without:
    """What splitting without one source of ties would give: components, images of the largest, images in components
    that cross the levels, deviation and (class, part) pairs missing; None where that does not apply.
    """

    source: str
    components: int
    largest: int
    crossing: int | None
    deviation: float | None
    missing: int | None


def obstacles(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    """Classes that lack in parts, components that are too large for them, and parts short of their share."""
    if request.method == "random" or not len(plan.rows):
        return
    yield from _lacking(material, request, plan)
    if not plan.fold:
        yield from _too_large(material, request, plan)
        yield from _uneven(material, plan)
    if plan.blocks is not None and plan.blocks.shortfall:
        yield (
            f"parts lack {plan.blocks.shortfall:,} images of four fifths of their shares: the levels are too few or "
            "too unequal. Ask for other --parts, or give an axis up with --allow-leak"
        )


def _lacking(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    x = plan.by_part()
    missing = {r: [n for p, n in enumerate(plan.names) if x[r, p] == 0] for r in plan.strata.classes.tolist()}
    missing = {r: parts for r, parts in missing.items() if parts}
    if plan.fold:
        for part in dict.fromkeys(part for parts in missing.values() for part in parts):
            lacking = [_plain(plan.strata.names[r]) for r, parts in missing.items() if part in parts]
            yield f"{plan.table}: {_many(len(lacking), 'class')} not in {part}: {', '.join(lacking)}"
        return
    holders = _holders(material, plan)
    few: dict[int, list[int]] = {}
    for r, parts in missing.items():
        if holders[r] < len(plan.names):
            few.setdefault(int(holders[r]), []).append(r)
        else:
            told = f"{_plain(plan.strata.names[r])} is not in {' and '.join(parts)}"
            yield f"{told}: {_remedy(material, request, plan, r)}"
    for held, rows in sorted(few.items()):
        yield _too_few(material, plan, held, rows)


def _holders(material: Material, plan: Plan) -> Ints:
    """By row of the strata, the components that hold it."""
    _, component = np.unique(material.component[plan.rows], return_inverse=True)
    owned = by_component(component, int(component.max()) + 1, plan.strata.counts)
    return np.asarray((owned > 0).sum(0)).ravel()


def _too_few(material: Material, plan: Plan, held: int, rows: list[int]) -> str:
    """Classes with fewer components than there are parts."""
    names, parts = [_plain(plan.strata.names[r]) for r in rows], len(plan.names)
    need = _many(parts - held, "more specimen")
    if len(rows) > 1:
        return (
            f"{_some(names)} are not in every part: each has {_many(held, 'component')}, and {parts} parts need "
            f"{parts}. Scan {need} of each"
        )
    (r,) = rows
    where = [n for p, n in enumerate(plan.names) if plan.by_part()[r, p] == 0]
    images = plan.rows[plan.strata.counts[:, [r]].toarray().ravel() > 0]
    specimens = _specimens(material, images)
    tied = f" ({specimens} specimens, tied together)" if specimens > held else ""
    return (
        f"{names[0]} is not in {' and '.join(where)}: its {_many(len(images), 'image')} make {_many(held, 'component')}"
        f"{tied}, and {parts} parts need {parts}. Scan {need} of {names[0]}"
    )


def _remedy(material: Material, request: Request, plan: Plan, r: int) -> str:
    """Why a class with enough components is not everywhere, and what would help."""
    name, parts = _plain(plan.strata.names[r]), len(plan.names)
    rows = plan.rows[plan.strata.counts[:, [r]].toarray().ravel() > 0]
    for axis in axes_of(material, request):
        seen = len(np.unique(axis.code[rows]))
        if axis.allowed and seen == 1:
            return f"the condition for the test part holds for {'all' if axis.code[rows[0]] else 'none'} of its images"
        if not axis.allowed and seen < parts:
            return f"it was scanned with {_many(seen, 'value')} of {axis.column} only, and {parts} parts need {parts}"
    lacking = int((plan.by_part()[r] == 0).sum())
    found = plan.balance or plan.blocks
    if found is not None and found.empty == found.least_empty:
        why = "what its components hold besides stands against it, and no assignment gives every class to every part"
    else:
        why = "no assignment was found that gives every class to every part; another --seed may find one"
    return f"{why}. Scan {_many(lacking, 'more specimen')} of {name}, apart from other objects"


def _uneven(material: Material, plan: Plan) -> Iterator[str]:
    """Classes that are in every part, but far from in proportion, because they have few components."""
    x, holders = plan.by_part(), _holders(material, plan)
    named = []
    for r in plan.strata.classes.tolist():
        share = np.array([p / x.sum() for p in x.sum(0)])
        away = np.abs(x[r] - share * x[r].sum()).sum() / max(1, x[r].sum())
        if x[r].all() and away > _FAR and holders[r] < _FEW * len(plan.names):
            named.append(f"{_plain(plan.strata.names[r])} ({_many(int(holders[r]), 'component')})")
    if named:
        yield f"few components, so far from in proportion: {_some(named)}; more specimens would even them out"


def _specimens(material: Material, rows: Ints) -> int:
    named = pc.list_flatten(material.images["specimens"].take(pa.array(rows)).combine_chunks())
    return len(pc.unique(named.drop_null()))


def _too_large(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    """Components that hold more of a class, or of all images, than the largest part is to hold."""
    _, component = np.unique(material.component[plan.rows], return_inverse=True)
    count = int(component.max()) + 1
    owned = by_component(component, count, plan.strata.counts).tocsc()
    totals = np.asarray(owned.sum(0)).ravel()
    sizes = np.bincount(component)
    most = max(request.shares) / sum(request.shares)
    found = [(int(sizes.max()), len(plan.rows), int(sizes.argmax()), "all images")]
    for r, name in enumerate(plan.strata.names):
        column = owned[:, [r]].toarray().ravel()
        if plan.strata.weighs[r] and len(name) == 1 and (column > 0).sum() >= len(plan.names):
            found.append((int(column.max()), int(totals[r]), int(column.argmax()), f"images of {_plain(name)}"))
    found = sorted((f for f in found if f[0] > most * f[1]), reverse=True)
    first = plan.rows[first_of(component)]
    for held, total, c, what in found[:_MOST_TOLD]:
        path = material.images["path"][int(first[c])].as_py()
        yield (
            f"one component holds {held:,} of the {total:,} {what} ({held / total:.0%}), more than any part is to hold "
            f"({most:.0%}): the one of {path}"
        )
    if len(found) > _MOST_TOLD:
        yield f"{len(found) - _MOST_TOLD} more classes have such a component"


def notes(material: Material, request: Request, images: pa.Table) -> Iterator[str]:
    """What a person may not know of the images that were split."""
    objects = values(images, "object")
    held = dict(zip(objects.names, np.bincount(objects.code, minlength=len(objects.names)).tolist(), strict=True))
    if held.get(SEVERAL) and "objects" not in request.stratify:
        yield (
            f"{held[SEVERAL]:,} images show several objects and are balanced as one class, {SEVERAL}; "
            "--stratify objects counts them in each of their classes"
        )
    if held.get(UNKNOWN):
        yield f"{held[UNKNOWN]:,} images name no object and are balanced as one class, {UNKNOWN}"
    known = {ties.source: len(np.intersect1d(ties.image, material.counted)) for ties in material.ties}
    if not any(known.values()):
        yield (
            "nothing ties any two images: no specimen, scan, bag or link is known, so each image is a component of its "
            "own, and nothing here proves that two parts do not show one object"
        )
    elif request.method != "random":
        lacking = images.num_rows - known.get("specimens", 0)
        if lacking and "specimens" in request.identity:
            yield f"{lacking:,} images name no specimen: whether they show one that another part shows, nobody knows"
    if "links" not in material.inputs:
        yield "there is no table of links: copies and rescans are unknown. Run xqdata dedup before xqdata split"


def ties_told(material: Material, request: Request, plan: Plan) -> tuple[tuple[Weak, ...], tuple[Without, ...]]:
    """What chains images, where that does harm: a large component, far from in proportion, or images are set aside."""
    if request.method == "random" or plan.fold:
        return (), ()
    labels, sizes = np.unique(material.component[plan.rows], return_counts=True)
    giant = sizes.max(initial=0) * sum(request.shares) > min(request.shares) * len(plan.rows)
    crossing = plan.blocks is not None and plan.blocks.aside > 0
    poor = plan.balance is not None and plan.balance.deviation > _POOR * len(plan.rows)
    if not giant and not crossing and not poor:
        return (), ()
    weak: list[Weak] = []
    if giant:
        members = np.flatnonzero(material.component == labels[sizes.argmax()])
        weak = [Weak(*found) for found in groups.weakest(members, material.ties)]
    without = [_without(material, request, plan, source, ties) for source, ties in groups.without_each(material.ties)]
    return tuple(weak), tuple(without)


def _without(material: Material, request: Request, plan: Plan, source: str, ties: list[Ties]) -> Without:
    labels = groups.components(material.images.num_rows, ties)[plan.rows]
    _, component, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    if plan.blocks is not None:
        axis = axes_of(material, request)[-1]
        pairs = np.unique(np.column_stack([component, axis.code[plan.rows]]), axis=0)
        several = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
        return Without(source, len(sizes), int(sizes.max()), int(sizes[several].sum()), None, None)
    luck = material.luck(plan.rows[first_of(component)], request.seed)
    found = balance(_task(plan.strata, component, len(sizes), request, luck), prove=False)
    return Without(source, len(sizes), int(sizes.max()), None, float(found.deviation), found.empty)


def _task(held: Strata, component: Ints, count: int, request: Request, luck: np.ndarray) -> Task:
    counts = by_component(component, count, held.counts)
    return Task(counts, np.bincount(component, minlength=count), request.shares, held.weighs, held.must, luck)


def _plain(name: tuple[tuple[str, str], ...]) -> str:
    return " x ".join(value.replace("_", " ") for _, value in name)


def _many(count: int, what: str) -> str:
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{count:,} {what if count == 1 else plural}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
