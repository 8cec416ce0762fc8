"""How many images that belong together lie in different parts.

Belonging together is a set of values that images hold: two images that share one belong together. An image may hold
several values, as a scan of two specimens does; then two images may share more than one, and are one pair still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from xqdata.audit.material import Flags, Material
from xqdata.groups import Ints, distinct, renumbered

# Pairs that are looked at one by one where images hold several values: beyond, a pair counts once for each value it
# shares, which is no longer than the truth where one value is shared by tens of thousands.
_LISTED = 50_000_000
_ROWS = 4096


@dataclass(frozen=True)
class Relation:
    """Row `image[k]` of the material holds value number `value[k]`. Only rows that have a part."""

    image: Ints
    value: Ints

    @property
    def single(self) -> bool:
        """Whether no row holds several values."""
        steps = np.diff(self.image)
        return bool((steps > 0).all()) or distinct(self.image) == len(self.image)


@dataclass(frozen=True)
class Crossing:
    """Which pairs of one relation lie in different parts.

    `pairs`: how many; `pairs_tested`: of them, those between a tested part and another one. `test`: (rows,) tested rows
    with a partner that they are tested against. `other`: (rows,) rows that are not tested and have a partner in another
    part; where every part is tested once, both are all rows that have a partner in another part.
    """

    pairs: int
    pairs_tested: int
    test: Flags
    other: Flags

    def __bool__(self) -> bool:
        return self.pairs > 0


def relation(material: Material, image: Ints, value: Ints) -> Relation:
    """The values of rows that have a part, each once."""
    keep = material.has_part[image]
    image, value = image[keep], value[keep]
    if not (np.diff(image) > 0).all():
        many = int(value.max(initial=-1)) + 1
        both = np.sort(image * many + value)
        image, value = np.divmod(both[np.append(True, np.diff(both) > 0)], many)
    return Relation(image, value)


def crossing(material: Material, held: Relation, known: Relation | None = None) -> Crossing:
    """What of `held` crosses the parts. Pairs that `known` joins, all of which `held` joins too, do not count."""
    elsewhere, against = _partners(material, held)
    if known is not None:
        less_elsewhere, less_against = _partners(material, known)
        elsewhere, against = elsewhere - less_elsewhere, against - less_against
    pairs = int(elsewhere.sum()) // 2
    if material.sides.rotates:
        return Crossing(pairs, pairs, elsewhere > 0, elsewhere > 0)
    tested = material.tested
    return Crossing(pairs, int(against[tested].sum()), tested & (against > 0), ~tested & (elsewhere > 0))


def _partners(material: Material, held: Relation) -> tuple[Ints, Ints]:
    """For each row, how many others it belongs together with that lie in another part; and of those, in a part that is
    not tested.
    """
    if held.single:
        return _by_value(material, held)
    sizes = np.bincount(held.value)
    if float((sizes.astype(float) ** 2).sum()) > _LISTED:
        return _by_value(material, held)
    return _listed(material, held)


def _by_value(material: Material, held: Relation) -> tuple[Ints, Ints]:
    rows, parts = len(material.part), len(material.sides.names)
    part = material.part[held.image]
    value, many = renumbered(held.value)
    counts = np.bincount(value * parts + part, minlength=len(many) * parts).reshape(len(many), parts)
    elsewhere, against = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    np.add.at(elsewhere, held.image, counts.sum(1)[value] - counts[value, part])
    np.add.at(against, held.image, counts[:, material.sides.tested :].sum(1)[value])
    return elsewhere, against


def _listed(material: Material, held: Relation) -> tuple[Ints, Ints]:
    elsewhere, against = np.zeros((2, len(material.part)), np.int64)
    place, _ = renumbered(held.image)
    rows = np.flatnonzero(np.bincount(held.image))
    part, tested = material.part[rows], material.tested[rows]
    ones = np.ones(len(place), np.int32)
    holds = sp.csr_array((ones, (place, held.value)), shape=(len(rows), int(held.value.max(initial=-1)) + 1))
    held_by = holds.T.tocsr()  # not in the loop, where each product would do it anew
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        shared = sp.coo_array(holds[start : start + _ROWS] @ held_by)
        one, two = shared.coords
        apart = part[one + start] != part[two]
        elsewhere[some] = np.bincount(one[apart], minlength=len(some))
        against[some] = np.bincount(one[~tested[two]], minlength=len(some))
    return elsewhere, against


def pairs(material: Material, held: Relation, known: Relation | None = None) -> set[tuple[int, int]]:
    """The pairs that `crossing` counts, the smaller row first: all of them in memory."""
    found = _pairs(material, held)
    return found if known is None else found - _pairs(material, known)


def _pairs(material: Material, held: Relation) -> set[tuple[int, int]]:
    part = material.part
    listed: set[tuple[int, int]] = set()
    order = np.lexsort((held.image, held.value))
    image, value = held.image[order], held.value[order]
    for members in np.split(image, np.flatnonzero(np.diff(value)) + 1):
        one, two = np.triu_indices(len(members), 1)
        across = part[members[one]] != part[members[two]]
        listed.update(zip(members[one[across]].tolist(), members[two[across]].tolist(), strict=True))
    return listed


def examples(material: Material, held: Relation, known: Relation | None = None) -> list[tuple[int, int, int]]:
    """(row, row of a later part that it belongs together with, value that they share): one for each row that has such a
    partner, so that the test side stands first. Partners that `known` joins are passed over.
    """
    held = _across(material, held)
    if not len(held.image):
        return []
    bonds = _bonds(known, held.image)
    order = np.lexsort((held.image, -material.part[held.image], held.value))
    image, value = held.image[order], held.value[order]
    part = dict(zip(image.tolist(), material.part[image].tolist(), strict=True))
    cuts = np.flatnonzero(np.diff(value)) + 1
    found: dict[int, tuple[int, int, int]] = {}
    for members, number in zip(np.split(image, cuts), value[np.append(0, cuts)].tolist(), strict=True):
        rows = members.tolist()
        # The first of each part, and of what is known to be together, stands for all of them.
        first: dict[tuple[int, frozenset[int]], int] = {}
        for row in rows:
            first.setdefault((part[row], bonds.get(row, frozenset())), row)
        for row in rows:
            bond = bonds.get(row, frozenset())
            mate = next((m for (p, other), m in first.items() if p > part[row] and not bond & other), None)
            if mate is not None:
                found.setdefault(row, (row, mate, number))
    return [found[row] for row in sorted(found)]


def _across(material: Material, held: Relation) -> Relation:
    """What of `held` is about values that lie in several parts."""
    part, count = material.part[held.image], int(held.value.max(initial=-1)) + 1
    low, high = np.full(count, len(material.sides.names)), np.full(count, -1)
    np.minimum.at(low, held.value, part)
    np.maximum.at(high, held.value, part)
    keep = (high > low)[held.value]
    return Relation(held.image[keep], held.value[keep])


def _bonds(known: Relation | None, rows: Ints) -> dict[int, frozenset[int]]:
    """What `known` gives each of `rows`, of what it gives several rows: what one alone has joins it to none."""
    told: dict[int, set[int]] = {}
    if known is not None and len(known.image):
        asked = np.zeros(max(int(known.image.max()), int(rows.max())) + 1, bool)
        asked[rows] = True
        keep = asked[known.image] & (np.bincount(known.value) > 1)[known.value]
        for row, number in zip(known.image[keep].tolist(), known.value[keep].tolist(), strict=True):
            told.setdefault(row, set()).add(number)
    return {row: frozenset(numbers) for row, numbers in told.items()}
