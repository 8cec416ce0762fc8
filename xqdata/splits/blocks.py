"""Parts as blocks where axes cross: every component and every level gets a part, an image is used where all agree.

The others are set aside, the fewest possible. "Fewest" needs a condition, or all would be training data: every part
holds at least four fifths of its share of what is used (or, for a part that an expression fixes, of what the expression
holds). First no class may lack in a part, then the shares hold, then the fewest are set aside, then classes are in
proportion. Levels are few: their assignments are searched by moves and swaps, then all at once by branch and bound,
whose bound (prices for what parts lack: a Lagrangian relaxation) says how many images any split must set aside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from xqdata.splits import crossing
from xqdata.splits.crossing import LEAST, WHOLE, Cells, Needs
from xqdata.splits.exact_crossing import solve_crossing
from xqdata.splits.loops import Flags, Ints

# Numbers looked at: by the search over levels, by the survey, by moves and swaps of components.
_SEARCH = 800_000_000
_SURVEY = 400_000_000
# Levels that the survey may have: of more, no survey would end.
_MOST_SURVEYED = 16
_POLISH = 6_000_000
_POLISHING = 24_000_000
_STARTS = 16
# Assignments of levels whose components are moved and swapped: at least, at most, and while classes lack somewhere.
_POLISHED, _USUALLY_POLISHED, _MOST_POLISHED = 4, 60, 400
# So many assignments of levels are all tried.
_ALL = 6000
# Cells times parts of what is small enough for a MILP.
_MOST_EXACT = 300
_ONE = 1 << 14


@dataclass(frozen=True)
class Crossing:
    """Images to be given to parts under axes that cross.

    `component`: (images,) numbers; `levels`: (images, axes) numbers of levels, no two axes sharing one; `allowed`:
    (levels,) parts each level may use as bits, where the level is fixed, else 0: it gets one part. `pinned`:
    (components,) a part, or -1. `counts`: (images, rows) sparse. `shares`: whole numbers. `fixed`: for parts that an
    expression fixes, the images it holds, else None. `luck`: (levels,) random by seed.
    """

    component: Ints
    levels: Ints
    allowed: Ints
    pinned: Ints
    counts: sp.csr_array
    shares: tuple[int, ...]
    fixed: tuple[int | None, ...]
    weighs: Flags
    must: Flags
    luck: Ints


@dataclass(frozen=True)
class Blocks:
    """`parts`: (images,) the part, or -1 where it is set aside; `of_component`, `of_level`: their parts (a fixed level
    -1). `least_aside`: no split that keeps to the shares sets aside fewer; None where that is not known. `shortfall`:
    images that parts lack of their least share. `empty`, `deviation`: as in `balance`, over the images used;
    `least_empty`: no split has fewer empty pairs, None where that is not known.
    """

    parts: Ints
    of_component: Ints
    of_level: Ints
    least_aside: int | None
    shortfall: int
    empty: int
    least_empty: int | None
    deviation: Fraction

    @property
    def aside(self) -> int:
        """Images set aside."""
        return int((self.parts < 0).sum())


@dataclass
class _Choice:
    """One assignment: the parts each level allows (bits), each component's part, its costs; `most`: images that could
    be used with these levels, whatever the components' parts.
    """

    mask: Ints
    part: Ints
    price: Ints
    cost: tuple[int, ...]
    most: int = 1 << 62


def cross(task: Crossing, exactly: bool = True) -> Blocks:
    """Give every component and every open level a part. `exactly=False` leaves the MILP of small problems out."""
    cells, cell_of = _cells(task)
    finder = _Finder(task, cells, _needs(task))
    best = finder.best()
    most, better = _survey(task, cells, finder.needs, best, finder.opened)
    if better is not None:
        best = min(best, finder.polished(finder.choice(better)), key=_by_cost)
    best, least = _exactly(finder, best) if exactly else (best, None)
    least_empty = best.cost[0] if least is not None or best.cost[0] <= finder.least_empty() else None
    if least is None and most is not None and best.cost[1] == 0:
        least = min(int(cells.images.sum()) + best.cost[2], int(cells.images.sum()) - most)
    return _told(task, cells, cell_of, finder.needs, best, (least, least_empty))


class _Finder:
    """The search over assignments of levels; it remembers what it has seen."""

    def __init__(self, task: Crossing, cells: Cells, needs: Needs) -> None:
        self.task, self.cells, self.needs = task, cells, needs
        self.opened = np.flatnonzero(task.allowed == 0)
        self.parts = len(task.shares)
        self.seen: dict[bytes, _Choice] = {}
        self.work = 0

    def choice(self, mask: Ints) -> _Choice:
        """The levels as `mask` has them, the components where they are worth most."""
        known = self.seen.get(mask.tobytes())
        if known is not None:
            return known
        part, price = np.empty(len(self.task.pinned), np.int64), np.full(self.parts, _ONE)
        gain = crossing.gains(self.cells, mask, self.parts)
        _, _, most = crossing.settle(gain, self.cells, self.needs, price, part, crossing.ROUNDS)
        x = crossing.tally(self.cells, mask, part, len(self.needs.must), self.parts)
        empty, *costs = crossing.price_of(x, self.needs)
        # Components are yet to be moved; what counts first is what they could not mend.
        blocked = crossing.blocked(self.cells, mask, self.needs, self.parts)
        made = _Choice(mask, part, price, tuple(map(int, (blocked, *costs[:2], empty, costs[2]))), int(most))
        self.seen[mask.tobytes()] = made
        self.work += gain.size * crossing.ROUNDS
        return made

    def polished(self, choice: _Choice) -> _Choice:
        """`choice` with its components moved and swapped until that does not help."""
        part, rows = choice.part.copy(), len(self.needs.must)
        x = crossing.tally(self.cells, choice.mask, part, rows, self.parts)
        brought = crossing.vectors(self.cells, choice.mask, rows, self.parts)
        self.work += int(crossing.polish(brought, self.cells.pinned, part, x, self.needs, _POLISH))
        return _Choice(choice.mask, part, choice.price, tuple(map(int, crossing.price_of(x, self.needs))))

    def least_empty(self) -> int:
        """No assignment leaves fewer pairs empty: what no component could mend, where all levels were tried."""
        return min(c.cost[0] for c in self.seen.values()) if self.parts ** len(self.opened) <= _ALL else 0

    def best(self) -> _Choice:
        """The best that is found by moves and swaps of levels, then of components."""
        if self.parts ** len(self.opened) <= _ALL:
            for n in range(self.parts ** len(self.opened)):
                self.choice(self._numbered(n))
        else:
            for start in _starts(self.task, self.cells, self.opened):
                self._improve(self.choice(start))
        self.work = 0
        best = None
        n = 0
        for choice in sorted(self.seen.values(), key=_by_cost):
            # The best possible here: as many empty pairs as no component could mend.
            full = best is not None and best.cost[0] <= choice.cost[0]
            if n >= (_USUALLY_POLISHED if full else _MOST_POLISHED) or (n >= _POLISHED and self.work > _POLISHING):
                break
            if best is not None and full and best.cost[1] == 0 and choice.most <= -best.cost[2]:
                continue
            n += 1
            made = self.polished(choice)
            best = made if best is None else min(best, made, key=_by_cost)
        assert best is not None
        return best

    def _numbered(self, n: int) -> Ints:
        mask = self.task.allowed.copy()
        for level in self.opened:
            mask[level], n = 1 << n % self.parts, n // self.parts
        return mask

    def _improve(self, best: _Choice) -> None:
        """Give levels to other parts, or swap two, as long as that helps."""
        self.work = 0
        improved = True
        while improved and self.work < _SEARCH // (_STARTS + 1):
            improved = False
            for other in _neighbours(best.mask, self.opened, self.parts):
                choice = self.choice(other)
                if choice.cost < best.cost:
                    best, improved = choice, True
                    break


def _cells(task: Crossing) -> tuple[Cells, Ints]:
    """The images by cell, and each image's cell."""
    keys = np.column_stack([task.component, task.levels])
    cells, where, images = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    where = where.ravel()
    gather = sp.csr_array(
        (np.ones(len(where), np.int64), (where, np.arange(len(where)))), shape=(len(cells), len(where))
    )
    rows = (gather @ task.counts).tocsr()
    by_level = np.argsort(cells[:, 1:].ravel(), kind="stable")
    held = np.bincount(cells[:, 1:].ravel(), minlength=len(task.allowed))
    start, row, value = (np.ascontiguousarray(a, np.int64) for a in (rows.indptr, rows.indices, rows.data))
    return Cells(
        np.searchsorted(cells[:, 0], np.arange(len(task.pinned) + 1)).astype(np.int64),
        np.ascontiguousarray(cells[:, 0]),
        images.astype(np.int64),
        np.ascontiguousarray(cells[:, 1:]),
        np.concatenate([[0], np.cumsum(held)]).astype(np.int64),
        (by_level // (cells.shape[1] - 1)).astype(np.int64),
        start,
        row,
        value,
        task.pinned,
    ), where


def _needs(task: Crossing) -> Needs:
    fixed = np.zeros(len(task.shares), np.int64)
    for p, held in enumerate(task.fixed):
        if held is not None:
            fixed[p] = -(-LEAST * task.shares[p] * held // (WHOLE * sum(task.shares)))
    scoped = np.array([held is None for held in task.fixed])
    return Needs(
        np.array(task.shares, np.int64), scoped, fixed, np.append(task.weighs, False), np.append(task.must, True)
    )


def _by_cost(choice: _Choice) -> tuple[tuple[int, ...], list[int]]:
    return choice.cost, choice.mask.tolist()


def _starts(task: Crossing, cells: Cells, opened: Ints) -> Iterator[Ints]:
    """Assignments of the levels to begin with: hanging together as they do, and by chance."""
    if not len(opened):
        yield task.allowed.copy()
        return
    held = np.zeros(len(task.allowed), np.int64)
    np.add.at(held, cells.levels.ravel(), np.repeat(cells.images, cells.levels.shape[1]))
    yield _filled(task, held, _islands(task, cells, opened))
    for n in range(_STARTS):
        order = np.random.PCG64([int(task.luck.sum()) & (2**63 - 1), n]).random_raw(len(opened))
        yield _filled(task, held, [opened[[i]] for i in np.argsort(order, kind="stable")])


def _islands(task: Crossing, cells: Cells, opened: Ints) -> list[Ints]:
    """Open levels that share components, together: given to parts like this, no image is set aside."""
    levels, components = len(task.allowed), len(task.pinned)
    rows = np.repeat(cells.comp + levels, cells.levels.shape[1])
    graph = sp.coo_array((np.ones(len(rows)), (rows, cells.levels.ravel())), shape=(levels + components,) * 2)
    _, labels = sp.csgraph.connected_components(graph, directed=False)
    mine = labels[opened]
    return [opened[mine == label] for label in np.unique(mine)]


def _filled(task: Crossing, held: Ints, groups: Sequence[Ints]) -> Ints:
    """Groups of levels given to the part that lacks most of its share; large groups first among islands."""
    room = np.array(task.shares, np.float64) / sum(task.shares) * held[np.concatenate(groups)].sum()
    mask = task.allowed.copy()
    ordered = sorted(groups, key=lambda group: -held[group].sum()) if len(groups) > 1 and len(groups[0]) > 1 else groups
    for group in ordered:
        p = int(np.argmax(room))
        mask[group] = 1 << p
        room[p] -= held[group].sum()
    return mask


def _neighbours(mask: Ints, opened: Ints, parts: int) -> Iterator[Ints]:
    for level in opened:
        for p in range(parts):
            if mask[level] != 1 << p:
                other = mask.copy()
                other[level] = 1 << p
                yield other
    for i, a in enumerate(opened):
        for b in opened[i + 1 :]:
            if mask[a] != mask[b]:
                other = mask.copy()
                other[a], other[b] = mask[b], mask[a]
                yield other


def _survey(task: Crossing, cells: Cells, needs: Needs, best: _Choice, opened: Ints) -> tuple[int | None, Ints | None]:
    """The most images that any assignment could use (None: not known), and better levels if the survey met any."""
    if not needs.scoped.all():
        return _most_with_fixed(cells, needs, best) if not len(opened) else None, None
    if len(opened) > _MOST_SURVEYED:
        return None, None
    mask, found = best.mask.copy(), best.mask.copy()
    order = opened[np.argsort(-np.diff(cells.level_start)[opened], kind="stable")]
    mask[opened] = (1 << len(task.shares)) - 1
    cost = np.array(best.cost[:3], np.int64)
    most, ended = crossing.survey(cells, mask, order, needs, best.price.copy(), cost, found, _SURVEY)
    better = None if np.array_equal(found, best.mask) else found
    return int(most) if ended and cost[1] == 0 else None, better


def _most_with_fixed(cells: Cells, needs: Needs, best: _Choice) -> int | None:
    """The same where all levels are fixed, and some parts' needs with them: by the prices that bound it best."""
    if best.cost[1] > 0:
        return None
    gain = crossing.gains(cells, best.mask, len(needs.shares))
    price, step = np.full(len(needs.shares), 8 * _ONE), 4 * _ONE
    least = _bound_with_fixed(cells, needs, gain, price)
    while step > 0:
        tried = [price + sign * step * unit for unit in np.eye(len(price), dtype=np.int64) for sign in (1, -1)]
        bounds = [_bound_with_fixed(cells, needs, gain, t) if t.min() > 0 else least for t in tried]
        n = bounds.index(min(bounds))
        if bounds[n] < least:
            least, price = bounds[n], tried[n]
        else:
            step //= 2
    return int(least)


def _bound_with_fixed(cells: Cells, needs: Needs, gain: Ints, price: Ints) -> Fraction:
    """As `crossing.most_used`, with needs that are fixed numbers of images."""
    shares, scoped = needs.shares[needs.scoped], price[needs.scoped]
    above = int((WHOLE - LEAST) * shares.sum() * scoped.min() + LEAST * (shares * scoped).sum())
    scale = Fraction(above, int(WHOLE * shares.sum()))
    # A part whose need is fixed is worth an image at least: below that the relaxation would gain by leaving images out.
    dear = np.where(needs.scoped, price, np.maximum(price, -(-scale.numerator // scale.denominator)))
    worth = Fraction(int(crossing.worth_of(gain, cells, dear)))
    for need, p in zip(needs.fixed[~needs.scoped].tolist(), dear[~needs.scoped].tolist(), strict=True):
        worth -= (p - scale) * need
    return worth / scale


def _exactly(finder: _Finder, best: _Choice) -> tuple[_Choice, int | None]:
    """Small problems by a MILP: the better choice, and the fewest images that can be set aside, if both are proven."""
    cells, task = finder.cells, finder.task
    if len(cells.images) * finder.parts > _MOST_EXACT:
        return best, None
    found = solve_crossing(cells, finder.needs, task.allowed, best.cost[:3], task.luck)
    if found is None:
        return best, None
    if found.cost < best.cost[:3] and found.mask is not None and found.part is not None:
        better = finder.polished(_Choice(found.mask, found.part, best.price, ()))
        best = min(best, better, key=_by_cost)
    reached = best.cost[:3] == found.cost
    return best, int(cells.images.sum()) + found.cost[2] if reached else None


def _told(
    task: Crossing, cells: Cells, cell_of: Ints, needs: Needs, best: _Choice, least: tuple[int | None, int | None]
) -> Blocks:
    allowed = np.bitwise_and.reduce(best.mask[cells.levels], axis=1)
    part = best.part[cells.comp]
    parts = np.where(allowed >> part & 1, part, -1)[cell_of]
    single = (task.allowed == 0) & (best.mask > 0)
    empty, lacking, _, away = best.cost
    return Blocks(
        parts=parts,
        of_component=best.part,
        of_level=np.where(single, np.log2(np.maximum(best.mask, 1)).astype(np.int64), -1),
        least_aside=least[0],
        shortfall=lacking,
        empty=empty,
        least_empty=least[1],
        deviation=Fraction(away, int(needs.shares[needs.scoped].sum())),
    )
