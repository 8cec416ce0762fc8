"""Verified links across parts: copies of one picture, and measurements that must not be separated.

Copies of copies are copies: two images joined through others are as near as the weakest link of the best way. So the
clusters of each kind are those of its links and of all nearer kinds, and a pair counts for the nearest kind whose
clusters join it. Images without a part, as one that was set aside, join others all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from xqdata import groups
from xqdata.audit.crossing import Relation, crossing, relation
from xqdata.audit.finding import HIGH, INFO, Evidence
from xqdata.audit.material import Material
from xqdata.audit.telling import Found, evidence, found, remedy
from xqdata.groups import Ties
from xqdata.schema import COPY_KINDS, TIE_KINDS

# What images of a kind do, and what to do about it.
_SAID = {
    "bytes": "are the same file, byte for byte, as {one}",
    "pixels": "hold the same pixels as {one}",
    "re-encoded": "are the same picture, compressed anew, as {one}",
    "transformed": "are the same picture, resized, turned, mirrored or trimmed, as {one}",
    "rescan": "show a bag that went through the tunnel again, not unpacked, for {one}",
    "same-bag": "show a bag with the same items, moved about, as {one}",
    "same-scan": "are another view, energy or rendering of the same pass as {one}",
    "crop": "are cut from the same scan as {one}",
    "chain": "are joined to {one} by links of several kinds, through other images",
    "undecided": "may show the same as {one}",
}
_COPIED, _TIED = "what is tested was trained on", "the score is too good"
_LOOK = "nobody knows: look at them with xqdata dedup --report PAGE, say what they are with --same or --different"


def copies_and_ties(material: Material) -> Iterator[Found]:
    """What links of each kind join across the parts, and what links of several kinds do."""
    for kind, held, known in relations(material):
        why = _COPIED if kind in COPY_KINDS else _TIED
        yield from _of_kind(material, kind, held, known, f"{why}: {remedy(material)}")


def relations(material: Material) -> Iterator[tuple[str, Relation, Relation | None]]:
    """Of each kind: what it joins, nearer kinds included, and what those join by themselves."""
    known: Relation | None = None
    for n, kind in enumerate(COPY_KINDS):
        held = _joined(material, COPY_KINDS[: n + 1], clusters=n == len(COPY_KINDS) - 1)
        yield kind, held, known
        known = held
    ties = []
    for kind in TIE_KINDS:
        held = _joined(material, (*COPY_KINDS, kind))
        yield kind, held, known
        ties.append(held)
    yield "chain", _joined(material, COPY_KINDS + TIE_KINDS), _any_of(ties)


def undecided(material: Material) -> Iterator[Found]:
    """Pairs across parts that the pixels could not decide."""
    a, b = material.undecided
    number = np.arange(len(a))
    held = relation(material, np.append(a, b), np.append(number, number))
    yield from _of_kind(material, "undecided", held, None, _LOOK, INFO)


def _joined(material: Material, kinds: Sequence[str], clusters: bool = True) -> Relation:
    """What links of `kinds` join, directly or through others, whether or not those have a part."""
    ties: list[Ties] = [material.tie(*kinds), *([material.copy_tie] if clusters else [])]
    component = groups.components(len(material.part), ties)
    # An image that nothing is joined to has no partner anywhere.
    rows = np.flatnonzero((np.bincount(component) > 1)[component])
    return relation(material, rows, component[rows])


def _any_of(relations: Sequence[Relation]) -> Relation:
    """What any of several relations joins."""
    top = np.cumsum([0, *(int(r.value.max(initial=-1)) + 1 for r in relations)])
    image = np.concatenate([r.image for r in relations])
    return Relation(image, np.concatenate([r.value + t for r, t in zip(relations, top[:-1], strict=True)]))


def _of_kind(
    material: Material, kind: str, held: Relation, known: Relation | None, advice: str, severity: str = HIGH
) -> Iterator[Found]:
    crossed = crossing(material, held, known)
    if crossed:
        yield found(material, kind, severity, crossed, _pairs(material, kind, held, known), _SAID[kind], advice)


def _pairs(material: Material, kind: str, held: Relation, known: Relation | None) -> list[Evidence]:
    """The links of this kind that cross, then for every other image concerned one that it is joined to."""
    direct = _direct(material, kind)
    seen = {pair.image_test for pair in direct}
    others = evidence(material, kind, held, known, lambda a, b, v: "joined through other images")
    return direct + [pair for pair in others if pair.image_test not in seen]


def _direct(material: Material, kind: str) -> list[Evidence]:
    a, b = material.a, material.b
    if kind == "undecided":
        return []
    part = material.part
    mine = material.links["kind"].to_numpy(zero_copy_only=False) == kind if len(a) else np.zeros(0, bool)
    across = np.flatnonzero(mine & (part[a] != part[b]) & (part[a] >= 0) & (part[b] >= 0))
    straight = (part[a[across]] < part[b[across]]).tolist()
    pairs = []
    for row, first in zip(material.links.take(across).to_pylist(), straight, strict=True):
        one, other = (row["image_a"], row["image_b"]) if first else (row["image_b"], row["image_a"])
        pairs.append(Evidence(kind, one, other, _measured(row)))
    return pairs


def _measured(row: dict[str, object]) -> str:
    """What dedup measured of a link."""
    told = [f"turned {row['orientation']}"] if row["orientation"] not in (None, "r0") else []
    told += [f"{word} {row[name]:.3f}" for word, name in _FIGURES if row[name] is not None]
    told += [f"{row['inliers']} features agree"] if row["inliers"] is not None else []
    return ", ".join(told) or "by " + ", ".join(row["proposed_by"])  # type: ignore[arg-type]


_FIGURES = (("correlation", "ncc"), ("worst tile", "worst_tile"), ("overlap", "overlap"))
