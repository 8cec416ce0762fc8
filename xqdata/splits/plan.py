"""A plan: a part for each image, why, and what the search says of it; and what all ways to make one share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from numpy.typing import NDArray

from xqdata.errors import InputError
from xqdata.groups import renumbered
from xqdata.splits.axes import Axis
from xqdata.splits.balance import Balance
from xqdata.splits.blocks import Blocks
from xqdata.splits.loops import Flags, Ints
from xqdata.splits.material import REASONS, TAKES_PART, Material
from xqdata.splits.request import Request
from xqdata.splits.strata import Strata

Reasons = NDArray[np.object_]

# In place of the part that an image had in the split that grows: it was set aside there and stays so.
STAYS_ASIDE = -2
CAME_TOGETHER = "set aside: its component came together from several parts of the split that grew"


@dataclass(frozen=True)
class Moved:
    """What a repair moved. `images`: that had a part; `moves`: (from, to, images); `sizes`: (part, images before and
    after); `least`: the fewest that must move so that no component is torn; `proven`: nothing that was asked is to be
    had with fewer moves; `emptied`: parts that would have been left without any image, had only the fewest been moved.
    """

    images: int
    moves: tuple[tuple[str, str, int], ...]
    sizes: tuple[tuple[str, int, int], ...]
    least: int = 0
    proven: bool = True
    emptied: int = 0

    @property
    def count(self) -> int:
        """Images that were moved."""
        return sum(count for _, _, count in self.moves)


@dataclass(frozen=True)
class Plan:
    """One table to be. `part`: (rows of images,) numbers of `names`, or -1; `reason`: why, or what a copy follows.

    `rows`: the rows of images that were given parts by what they hold in `strata`, which counts them in this order.
    `aside`: images set aside because axes cross or a condition cannot be told. `levels`: by axis, each level's part.
    `balance`, `blocks`: what the search says of it. `fold`: what a fold of two axes tests: (level, component fold).
    `held`: images for which the condition for the test part holds, if there is one.
    `moved`: what a repair moved.
    """

    table: str
    names: tuple[str, ...]
    part: Ints
    reason: Reasons
    rows: Ints
    strata: Strata
    aside: int = 0
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    balance: Balance | None = None
    blocks: Blocks | None = None
    fold: tuple[str, int] | None = None
    held: int | None = None
    moved: Moved | None = None

    @property
    def empty(self) -> list[str]:
        """The parts that none of `rows` is in."""
        part = self.part[self.rows]
        return [name for p, name in enumerate(self.names) if not (part == p).any()]

    def by_part(self) -> Ints:
        """(rows of the strata, parts): images."""
        part, counts = self.part[self.rows], self.strata.counts
        return np.column_stack([np.asarray(counts[part == p].sum(0)).ravel() for p in range(len(self.names))])


def held_by(material: Material, request: Request, rows: Ints) -> pa.Table:
    """Of `rows`, the columns that are balanced."""
    columns = list(dict.fromkeys([*request.stratify, "object", "objects"]))
    return material.images.select(columns).take(pa.array(rows))


def blank(material: Material) -> tuple[Ints, Reasons]:
    """No part for any row, and the reasons of those that take none."""
    reason = np.array([REASONS[state] or None for state in range(len(REASONS))], dtype=object)[material.state]
    return np.full(len(material.state), -1), reason


def follow(material: Material, part: Ints, reason: Reasons, axes: list[tuple[Axis, Ints]]) -> None:
    """Copies go where the image they follow goes, unless a level of their own lies elsewhere.

    `axes`: each with the parts that its levels allow, as bits.
    """
    copies = np.flatnonzero((material.state == TAKES_PART) & (material.kept != np.arange(len(part))))
    leaders = material.kept[copies]
    names = material.images["image_id"].take(pa.array(leaders)).to_pylist()
    part[copies] = part[leaders]
    for row, name in zip(copies.tolist(), names, strict=True):
        reason[row] = f"copy of {name}" + ("" if part[row] >= 0 else ", which takes no part")
        for axis, allowed in axes:
            level = axis.code[row]
            if part[row] >= 0 and (level < 0 or not int(allowed[level]) >> int(part[row]) & 1):
                part[row] = -1
                reason[row] = f"copy of {name}, but its own {axis.column} lies in another part or is unknown"


def settled(component: Ints, old: Ints | None, parts: int) -> tuple[Ints, Flags]:
    """The part that each component keeps (-1: none yet), and the images that cannot stay where they were.

    A component that now holds images of several parts keeps the part of most of them; the last part among equals, since
    a test part is dearer than a training part.
    """
    count = int(component.max()) + 1
    if old is None:
        return np.full(count, -1), np.zeros(len(component), bool)
    known = old >= 0
    stays = old == STAYS_ASIDE
    votes = np.zeros((count, parts), np.int64)
    np.add.at(votes, (component[known], old[known]), 1)
    fixed = np.where(votes.any(axis=1), parts - 1 - votes[:, ::-1].argmax(axis=1), -1)
    return fixed, stays | (known & (old != fixed[component]))


def by_component(component: Ints, count: int, counts: sp.csr_array) -> sp.csr_array:
    """Counts of images, (images, rows), summed by component."""
    ones = np.ones(len(component), np.int64)
    gather = sp.csr_array((ones, (component, np.arange(len(component)))), shape=(count, len(component)))
    return sp.csr_array(gather @ counts)


def first_of(component: Ints) -> Ints:
    """The first image of each component."""
    _, sizes = renumbered(component)
    order = np.argsort(component, kind="stable")
    return np.asarray(order[np.cumsum(sizes) - sizes], np.int64)


def aside_allowed(plan: Plan, request: Request) -> Plan:
    """`plan`, unless it sets images aside and the request forbids that: InputError."""
    if plan.aside and not request.set_aside:
        hint = "give an axis up with --allow-leak, or leave --no-set-aside out"
        raise InputError(f"{plan.aside:,} images would have to be set aside", where="--no-set-aside", hint=hint)
    return plan
