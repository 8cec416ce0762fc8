"""What stands in the way of a better split, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import groups
from xqdata.splits.axes import axes_of
from xqdata.splits.crossed import crossed
from xqdata.splits.loops import Ints
from xqdata.splits.material import Material
from xqdata.splits.plan import Plan, by_component, first_of
from xqdata.splits.request import Request, parts_called
from xqdata.splits.strata import SEVERAL, UNKNOWN, values
from xqdata.splits.whole import whole

_MOST_TRIED = 3
_MOST_NAMED = 8
# Words of a sentence on one class, and of one on several.
_ONE = {"is": "is", "its": "its", "it was": "it was"}
_SEVERAL = {"is": "are", "its": "their", "it was": "they were", "of": "of each"}
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
    """What splitting without one source of ties would give: components, images of the largest, deviation, (class, part)
    pairs missing, and images set aside.
    """

    source: str
    components: int
    largest: int
    deviation: float
    missing: int
    set_aside: int


def obstacles(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    """Parts that are empty or short of their share, classes that lack in parts, components too large for them."""
    if request.method == "random" or not len(plan.rows):
        return
    if plan.empty:
        yield f"no image is left for {parts_called(plan.empty)}"
    for name, before, after in plan.moved.sizes if plan.moved else ():
        if 2 * after < before:
            remedy = "its components cannot be spared elsewhere" if "sizes" in request.keep else "try --keep sizes"
            yield f"{name} keeps {after:,} of {before:,} images: {remedy}, or make a split anew, without --repair"
    yield from _lacking(material, request, plan)
    if not plan.fold:
        yield from _too_large(material, request, plan)
        yield from _uneven(material, plan)
    if plan.blocks is not None and plan.blocks.shortfall:
        shortfall = many(plan.blocks.shortfall, "image")
        why = "the condition for the test part holds for too few of the images, or for too many"
        if request.axes:
            has = "has" if len(request.axes) == 1 else "have"
            why = f"{' and '.join(request.axes)} {has} too few values, or some hold too many of the images"
        yield (
            f"parts are smaller than four fifths of the shares that were asked for, by {shortfall} in all: "
            f"{why}. Ask for other --parts, or give an axis up with --allow-leak"
        )


def _lacking(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    x = plan.by_part()
    missing = {r: [n for p, n in enumerate(plan.names) if x[r, p] == 0] for r in plan.strata.classes.tolist()}
    missing = {r: parts for r, parts in missing.items() if parts}
    if plan.fold:
        for part in dict.fromkeys(part for parts in missing.values() for part in parts):
            lacking = [_plain(plan.strata.names[r]) for r, parts in missing.items() if part in parts]
            yield f"{plan.table}: {many(len(lacking), 'class')} not in {part}: {', '.join(lacking)}"
        return
    holders = _holders(material, plan)
    few: dict[int, list[int]] = {}
    others: dict[tuple[str, str], list[str]] = {}
    for r, parts in missing.items():
        if holders[r] < len(plan.names):
            few.setdefault(int(holders[r]), []).append(r)
        else:
            key = (parts_called(parts), _remedy(material, request, plan, r))
            others.setdefault(key, []).append(_plain(plan.strata.names[r]))
    for (where, why), names in others.items():
        words = _SEVERAL if len(names) > 1 else {**_ONE, "of": f"of {names[0]}"}
        yield f"{_some(names)} {words['is']} not in {where}: {why.format(**words)}"
    for held, rows in sorted(few.items()):
        yield _too_few(material, plan, held, rows)


def _holders(material: Material, plan: Plan) -> Ints:
    """By row of the strata, the components that hold it."""
    component, sizes = groups.renumbered(material.component[plan.rows])
    owned = by_component(component, len(sizes), plan.strata.counts)
    return np.asarray((owned > 0).sum(0)).ravel()


def _too_few(material: Material, plan: Plan, held: int, rows: list[int]) -> str:
    """Classes with fewer components than there are parts."""
    names, parts = [_plain(plan.strata.names[r]) for r in rows], len(plan.names)
    need = many(parts - held, "more specimen")
    if len(rows) > 1:
        return (
            f"{_some(names)} are not in every part: each has {many(held, 'component')}, and {parts} parts need "
            f"{parts}. Scan {need} of each"
        )
    (r,) = rows
    where = parts_called([n for p, n in enumerate(plan.names) if plan.by_part()[r, p] == 0])
    images = plan.rows[plan.strata.counts[:, [r]].toarray().ravel() > 0]
    specimens = _specimens(material, images)
    tied = f" ({specimens} specimens, tied together)" if specimens > held else ""
    return (
        f"{names[0]} is not in {where}: its {many(len(images), 'image')} make {many(held, 'component')}"
        f"{tied}, and {parts} parts need {parts}. Scan {need} of {names[0]}"
    )


def _remedy(material: Material, request: Request, plan: Plan, r: int) -> str:
    """Why a class with enough components is not everywhere, and what would help, with gaps for the words of `_ONE`."""
    parts = len(plan.names)
    rows = plan.rows[plan.strata.counts[:, [r]].toarray().ravel() > 0]
    for axis in axes_of(material, request):
        seen = len(np.unique(axis.code[rows]))
        if axis.allowed and seen == 1:
            held = "all" if axis.code[rows[0]] else "none"
            return f"the condition for the test part holds for {held} of {{its}} images"
        if not axis.allowed and seen < parts:
            levels = many(seen, "value")
            return f"{{it was}} scanned with {levels} of {axis.column} only, and {parts} parts need {parts}"
    if request.method == "repaired" and "classes" not in request.keep:
        return "the fewest moves leave none there; --keep classes keeps what the split had"
    if request.method == "repaired":
        return "the split that was repaired had none there, or its components cannot be spared elsewhere"
    need = many(int((plan.by_part()[r] == 0).sum()), "more specimen")
    found = plan.balance or plan.blocks
    if found is not None and found.empty == found.least_empty:
        why = "{its} components hold other classes too, and no assignment gives every class to every part"
    else:
        why = "no assignment was found that gives every class to every part; another --seed may find one"
    return f"{why}. Scan {need} {{of}}, apart from other objects"


def _uneven(material: Material, plan: Plan) -> Iterator[str]:
    """Classes that are in every part, but far from in proportion, because they have few components."""
    x, holders = plan.by_part(), _holders(material, plan)
    named = []
    for r in plan.strata.classes.tolist():
        share = np.array([p / x.sum() for p in x.sum(0)])
        away = np.abs(x[r] - share * x[r].sum()).sum() / max(1, x[r].sum())
        if x[r].all() and away > _FAR and holders[r] < _FEW * len(plan.names):
            named.append(f"{_plain(plan.strata.names[r])} ({many(int(holders[r]), 'component')})")
    if named:
        yield f"few components, so far from in proportion: {_some(named)}; more specimens would even them out"


def _specimens(material: Material, rows: Ints) -> int:
    named = pc.list_flatten(material.images["specimens"].take(pa.array(rows)).combine_chunks())
    return len(pc.unique(named.drop_null()))


def _too_large(material: Material, request: Request, plan: Plan) -> Iterator[str]:
    """Components that hold more of all images, or of a class, than the largest part is to hold."""
    component, sizes = groups.renumbered(material.component[plan.rows])
    owned = by_component(component, len(sizes), plan.strata.counts).tocsc()
    totals = np.asarray(owned.sum(0)).ravel()
    most = max(request.shares) / sum(request.shares)
    limit = f"more than any part is to hold ({most:.0%})"
    if sizes.max() > most * len(plan.rows):
        first = plan.rows[first_of(component)][int(sizes.argmax())]
        yield (
            f"one component holds {sizes.max():,} of the {len(plan.rows):,} images "
            f"({sizes.max() / len(plan.rows):.0%}), {limit}: the one of {material.images['path'][int(first)].as_py()}"
        )
    found = []
    for r, name in enumerate(plan.strata.names):
        column = owned[:, [r]].toarray().ravel()
        if plan.strata.weighs[r] and len(name) == 1 and (column > 0).sum() >= len(plan.names):
            found.append((int(column.max()), int(totals[r]), _plain(name)))
    found = sorted((f for f in found if f[0] > most * f[1]), key=lambda f: (-f[0] / f[1], f[2]))
    if found:
        told = _some([f"{name} ({held:,} of {total:,} images)" for held, total, name in found])
        yield f"one component holds much of a class, {limit}: {told}"


def notes(material: Material, request: Request, images: pa.Table) -> Iterator[str]:
    """What a person may not know of the images that were split."""
    objects = values(images, "object")
    held = dict(zip(objects.names, np.bincount(objects.code, minlength=len(objects.names)).tolist(), strict=True))
    if held.get(SEVERAL) and "objects" not in request.stratify:
        yield (
            f"images that show several objects ({held[SEVERAL]:,}) are balanced as one class, {SEVERAL}; "
            "--stratify objects counts them in each of their classes"
        )
    if held.get(UNKNOWN) and "object" in request.stratify:
        yield f"images that name no object ({held[UNKNOWN]:,}) are balanced as one class, {UNKNOWN}"
    counted = np.zeros(len(material.kept), bool)
    counted[material.counted] = True
    known = {ties.source: groups.distinct(ties.image[counted[ties.image]]) for ties in material.ties}
    if not any(known.values()):
        yield (
            "nothing ties any two images: no specimen, scan, bag or link is known, so each image is a component of its "
            "own, and nothing here proves that two parts do not show one object"
        )
    elif request.method != "random":
        lacking = images.num_rows - known.get("specimens", 0)
        if lacking and "specimens" in request.identity:
            told = "1 image names" if lacking == 1 else f"{lacking:,} images name"
            yield f"{told} no specimen: nobody knows whether another part shows the same one"
    if "links" not in material.inputs:
        yield "there is no table of links: copies and rescans are unknown. Run xqdata dedup before xqdata split"


def ties_told(material: Material, request: Request, plan: Plan) -> tuple[tuple[Weak, ...], tuple[Without, ...]]:
    """What chains images, where that does harm: a large component, far from in proportion, or images are set aside."""
    if request.method == "random" or plan.fold:
        return (), ()
    sizes = np.unique(material.component[plan.rows], return_counts=True)[1]
    giant = sizes.max(initial=0) * sum(request.shares) > min(request.shares) * len(plan.rows)
    crossing = plan.blocks is not None and plan.blocks.aside > 0
    poor = plan.balance is not None and plan.balance.deviation > _POOR * len(plan.rows)
    if not giant and not crossing and not poor:
        return (), ()
    weak = chained(material, plan) if giant else ()
    # What a split that grows would be without a tie is no question: its images stay where they are.
    return weak, () if request.grown_from else tuple(_without_each(material, request, plan))


def chained(material: Material, plan: Plan) -> tuple[Weak, ...]:
    """The single values and links that the largest component hangs by, the weakest first.

    None of a component that shows one specimen: its images belong together, whatever else they share.
    """
    labels, sizes = np.unique(material.component[plan.rows], return_counts=True)
    members = np.flatnonzero(material.component == labels[sizes.argmax()])
    if _specimens(material, members) == 1:
        return ()
    return tuple(Weak(*found) for found in groups.weakest(members, material.ties))


def _without_each(material: Material, request: Request, plan: Plan) -> list[Without]:
    """The sources of ties without which the split would be better, the one that makes most difference first."""
    others = []
    for source, ties in groups.without_each(material.ties):
        component = groups.components(material.images.num_rows, ties)
        sizes = np.unique(component[plan.rows], return_counts=True)[1]
        if not np.array_equal(component, material.component):
            others.append((int(sizes.max()), -len(sizes), source, component))
    now = _key(_found(plan))
    made = []
    # Each is a split of its own: tried are those that leave the smallest components.
    for largest, count, source, component in sorted(others, key=lambda o: o[:3])[:_MOST_TRIED]:
        again = replace(material, component=component)
        found = _found((whole if plan.blocks is None else crossed)(again, replace(request, set_aside=True), None))
        if _key(found) < now:
            made.append(Without(source, -count, largest, *found))
    return sorted(made, key=lambda w: (_key((w.deviation, w.missing, w.set_aside)), w.source))


def _found(plan: Plan) -> tuple[float, int, int]:
    """Deviation, pairs missing, images set aside."""
    found = plan.balance or plan.blocks
    assert found is not None
    return float(found.deviation), found.empty, plan.aside


def _key(found: tuple[float, int, int]) -> tuple[int, int, float]:
    """What is better sorts first: fewer pairs missing, fewer images set aside, less deviation."""
    deviation, missing, aside = found
    return missing, aside, deviation


def _plain(name: tuple[tuple[str, str], ...]) -> str:
    return " x ".join(value.replace("_", " ") for _, value in name)


def many(count: int, what: str) -> str:
    """`1 value`, `2 values`, `2 classes`."""
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{count:,} {what if count == 1 else plural}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
