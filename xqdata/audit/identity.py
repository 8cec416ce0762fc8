"""Columns whose values lie in several parts: what the scans show, where they were made, and what the split claims."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata.audit.crossing import crossing, relation
from xqdata.audit.finding import HIGH, INFO, Evidence, Finding
from xqdata.audit.material import Flags, Material
from xqdata.audit.telling import Found, count, evidence, found, remedy
from xqdata.groups import IDENTITY, ON_REQUEST
from xqdata.splits import expression

_SAID = {
    "specimens": "show a specimen that {one} shows, too",
    "scan_id": "come from the same pass through the tunnel as {one}",
    "bag": "show the same packed bag as {one}",
    "session": "were made in the same session as {one}",
    "series": "come from the same series as {one}",
    "container_id": "lie in the same basket or carrier as {one}",
}
_TIME = "acquired_at"


def columns(material: Material) -> Iterator[Found]:
    """What each identity column, and each column that the split claims to keep apart, shares across parts."""
    claimed = [name for name in material.claims.apart if name != _TIME]
    for name in dict.fromkeys((*IDENTITY, *claimed, *ON_REQUEST)):
        ties = material.column(name)
        held = relation(material, ties.image, ties.value)
        crossed = crossing(material, held)
        if not crossed:
            continue
        names, one = ties.names.to_pylist(), "specimen" if name == "specimens" else name
        pairs = evidence(material, name, held, None, lambda a, b, v, c=one, n=names: f"{c} {n[v]}")  # type: ignore[misc]
        severity = HIGH if name in IDENTITY or name in claimed else INFO
        said = _SAID.get(name, f"have the {name} of {{one}}")
        yield found(material, name, severity, crossed, pairs, said, _advice(material, name, severity))


def _advice(material: Material, name: str, severity: str) -> str:
    spelled = name.removesuffix("s").replace("_", "-") if name == "specimens" else name.replace("_", "-")
    if severity == INFO:
        return (
            f"no leak by itself, but what this shares helps the score: xqdata split --by {spelled} would keep it apart"
        )
    if name in material.claims.given_up:
        return f"the split gave this up on purpose (--allow-leak {spelled}), so say so beside its score"
    if name in IDENTITY:
        return f"the score is too good: {remedy(material)}"
    if not material.claims.own:
        return f"what shares the {name} was to stay together: {remedy(material)}"
    return f"the split claims to keep {name} apart and does not: split again with xqdata split --by {spelled}"


def values_looked_at(material: Material) -> dict[str, int]:
    """Of each column that is looked at, how many different values the images with a part hold."""
    claimed = [name for name in material.claims.apart if name != _TIME]
    looked = dict.fromkeys((*IDENTITY, *claimed, *ON_REQUEST))
    return {name: len(material.column(name).names) for name in looked}


def conditions(material: Material) -> Iterator[Found]:
    """Images on the wrong side of the condition that the split claims for its test part."""
    claims, images = material.claims, material.images
    if claims.test_after is not None:
        since = expression.moment(claims.test_after)
        yield from _broken(material, "time", pc.greater_equal(images[_TIME], since), f"acquired on {since} or later")
    elif _TIME in claims.apart and material.tested.any() and not material.sides.rotates:
        first = pc.min(images[_TIME].filter(pa.array(material.tested)))
        if first.is_valid:
            told = f"acquired no earlier than the first one tested, {first.as_py()}"
            yield from _broken(material, "time", pc.greater_equal(images[_TIME], first), told)
    if claims.test_where is not None:
        yield from _broken(material, "test-where", expression.select(images, claims.test_where), claims.test_where)


def _broken(material: Material, kind: str, holds: pa.ChunkedArray, told: str) -> Iterator[Found]:
    """A finding if images of the test part do not meet a condition, or others do; unknown is as wrong as no."""
    inside = _flags(pc.fill_null(holds, False))
    known = _flags(pc.is_valid(holds))
    early, late = material.tested & ~inside, material.has_part & ~material.tested & (inside | ~known)
    if early.any() or late.any():
        sentence = (
            f"the test part is to hold what is {told}: {count(int(early.sum()), 'image')} of it are not or may not be, "
            f"and {int(late.sum()):,} outside it are or may be; split again with the condition"
        )
        ids = material.ids
        pairs = [Evidence(kind, ids[r], None, "on the wrong side") for r in np.flatnonzero(early | late).tolist()]
        yield Finding(kind, HIGH, int(early.sum()), int(late.sum()), 0, sentence), pairs


def _flags(values: pa.ChunkedArray) -> Flags:
    return np.asarray(values.to_numpy(), bool)
