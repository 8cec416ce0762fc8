"""Compiled loops for axes that cross: which part each level and each component goes to, the fewest images set aside.

An image lies in a cell: its component and its level on every further axis. `mask[l]` holds, as bits, the parts that
level l allows: one part where the level was given to one, all of them where that is still open. A cell's images are
used where its component's part is allowed by all its levels. `gain[c, p]` counts the images of component c that part p
could use. All in whole numbers, as in `loops`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Every part holds at least LEAST / WHOLE of its share of what is used.
LEAST, WHOLE = 4, 5
# Rounds of prices for a whole choice, and for the beginning of one.
ROUNDS = 48
_FEW_ROUNDS = 6


class Cells(NamedTuple):
    """The images by cell. `comp_start[c]`: the first cell of component c, cells standing by component, `comp` of each.
    `images`: (cells,) how many; `levels`: (cells, axes) numbers of levels, no two axes sharing one. `level_start`,
    `level_cells`: the cells of each level. `row_start`, `row`, `value`: images of each cell by row of the strata.
    `pinned[c]`: the part that component c must go to, or -1.
    """

    comp_start: Ints
    comp: Ints
    images: Ints
    levels: Ints
    level_start: Ints
    level_cells: Ints
    row_start: Ints
    row: Ints
    value: Ints
    pinned: Ints


class Needs(NamedTuple):
    """What parts need. `shares`: whole numbers; parts where `scoped` is true share what they use by these, and the
    others need `fixed` images. `weighs`, `must`: by row, as in `loops`.
    """

    shares: Ints
    scoped: Flags
    fixed: Ints
    weighs: Flags
    must: Flags


@compiled
def gains(cells: Cells, mask: Ints, parts: int) -> Ints:
    """(components, parts): images of each component that each part could use."""
    gain = np.zeros((len(cells.pinned), parts), np.int64)
    for k in range(len(cells.images)):
        allowed = _allowed(cells, mask, k)
        for p in range(parts):
            if allowed >> p & 1:
                gain[cells.comp[k], p] += cells.images[k]
    return gain


@compiled
def _allowed(cells: Cells, mask: Ints, k: int) -> int:
    allowed = -1
    for a in range(cells.levels.shape[1]):
        allowed &= mask[cells.levels[k, a]]
    return allowed


@compiled
def shortfall(used: Ints, needs: Needs) -> int:
    """How many images the parts lack of what they need."""
    return int(_needed(used, needs, np.zeros(len(used), np.int64)))


@compiled
def _needed(used: Ints, needs: Needs, lacks: Ints) -> int:
    scope, whole = 0, 0
    for p in range(len(used)):
        if needs.scoped[p]:
            scope += used[p]
            whole += needs.shares[p]
    total = 0
    for p in range(len(used)):
        need = needs.fixed[p]
        if needs.scoped[p]:
            need = -(-LEAST * needs.shares[p] * scope // (WHOLE * whole))
        lacks[p] = need - used[p]
        total += max(0, int(lacks[p]))
    return total


@compiled
def settle(gain: Ints, cells: Cells, needs: Needs, price: Ints, part: Ints, rounds: int) -> tuple[int, int, int]:
    """Give each component the part that is worth most to it, and raise the price of parts that lack images.

    Begins at `price`, and ends with the prices of the best bound in it, and with the parts of the best round in `part`.
    Returns that round's (shortfall, images used), and how many images can be used at most (see `most_used`).
    """
    count, parts = gain.shape
    now, used, lacks = np.empty(count, np.int64), np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    worth = price.copy()
    lacking, using, most = 1 << 62, 0, 1 << 62
    for turn in range(rounds):
        used[:] = 0
        total = 0
        for c in range(count):
            choice = cells.pinned[c]
            if choice < 0:
                choice = 0
                value = gain[c, 0] * worth[0]
                for p in range(1, parts):
                    other = gain[c, p] * worth[p]
                    if other > value:
                        choice, value = p, other
            now[c] = choice
            used[choice] += gain[c, choice]
            total += gain[c, choice] * worth[choice]
        short = _needed(used, needs, lacks)
        if short < lacking or (short == lacking and used.sum() > using):
            lacking, using = short, int(used.sum())
            part[:] = now
        bound = most_used(total, worth, needs)
        if bound < most:
            most = bound
            price[:] = worth
        for p in range(parts):
            # Steps shrink, so that prices settle where supply meets need.
            step = worth[p] // (4 + 2 * turn) + 1
            if lacks[p] > 0:
                worth[p] += step
            elif lacks[p] < 0 and worth[p] > step // 2:
                worth[p] -= step // 2
    return lacking, using, most


@compiled
def _choose(gain: Ints, pinned: Ints, worth: Ints, c: int) -> int:
    if pinned[c] >= 0:
        return int(pinned[c])
    choice = 0
    for p in range(1, gain.shape[1]):
        if gain[c, p] * worth[p] > gain[c, choice] * worth[choice]:
            choice = p
    return choice


@compiled
def most_used(total: int, worth: Ints, needs: Needs) -> int:
    """An assignment whose components are worth `total` at the prices `worth`, the most of all, is no better than this:
    no assignment that gives all parts their needs uses more images.

    Lagrangian relaxation of x_p >= LEAST / WHOLE * share_p * (images used): images used <= total * scale, where the
    scale follows from the prices, whatever these are. A large number, which says nothing, where a need is fixed.
    """
    if not needs.scoped.all():
        return 1 << 62
    whole, dear = 0, 0
    for p in range(len(worth)):
        whole += needs.shares[p]
        dear += needs.shares[p] * worth[p]
    return int(total * WHOLE * whole // ((WHOLE - LEAST) * whole * worth.min() + LEAST * dear))


@compiled
def tally(cells: Cells, mask: Ints, part: Ints, rows: int, parts: int) -> Ints:
    """(rows, parts): images used of each row; the last row counts all."""
    x = np.zeros((rows, parts), np.int64)
    for k in range(len(cells.images)):
        p = part[cells.comp[k]]
        if _allowed(cells, mask, k) >> p & 1:
            x[rows - 1, p] += cells.images[k]
            for j in range(cells.row_start[k], cells.row_start[k + 1]):
                x[cells.row[j], p] += cells.value[j]
    return x


@compiled
def price_of(x: Ints, needs: Needs) -> tuple[int, int, int, int]:
    """The costs of a state: empty pairs, shortfall, images not used (as minus those used), deviation.

    The deviation of row r is the sum over the scoped parts of |shares * images - share * the row's images in them|, in
    1/shares images.
    """
    empty, away = 0, 0
    last = x.shape[0] - 1
    for r in range(last + 1):
        lacks, far = _row_price(x, r, needs)
        empty += lacks
        away += far
    return empty, shortfall(x[last], needs), -int(x[last].sum()), away


@compiled
def _row_price(x: Ints, r: int, needs: Needs) -> tuple[int, int]:
    """A row's empty pairs and deviation."""
    empty = 0
    if needs.must[r]:
        for p in range(x.shape[1]):
            empty += x[r, p] == 0
    return empty, _deviation(x[r], needs) if needs.weighs[r] else 0


@compiled
def blocked(cells: Cells, mask: Ints, needs: Needs, parts: int) -> int:
    """(row, part) pairs that must not be empty, but are whatever the components do: no level there has such images."""
    seen = np.zeros((len(needs.must), parts), np.bool_)
    for k in range(len(cells.images)):
        allowed = _allowed(cells, mask, k)
        for p in range(parts):
            if allowed >> p & 1:
                seen[-1, p] = True
                for j in range(cells.row_start[k], cells.row_start[k + 1]):
                    seen[cells.row[j], p] = True
    empty = 0
    for r in range(len(needs.must)):
        if needs.must[r]:
            empty += parts - int(seen[r].sum())
    return empty


@compiled
def _deviation(counts: Ints, needs: Needs) -> int:
    total, whole, away = 0, 0, 0
    for p in range(len(counts)):
        if needs.scoped[p]:
            total += counts[p]
            whole += needs.shares[p]
    for p in range(len(counts)):
        if needs.scoped[p]:
            away += abs(whole * counts[p] - needs.shares[p] * total)
    return away


class Vectors(NamedTuple):
    """What each component would bring to each part: images by row, entry c * parts + p of `start`."""

    start: Ints
    row: Ints
    value: Ints


class Room(NamedTuple):
    """Room for noting which rows a trial changes: their numbers, and by row the last trial that did."""

    rows: Ints
    trial: Ints


@compiled
def vectors(cells: Cells, mask: Ints, rows: int, parts: int) -> Vectors:
    """What each component would bring to each part, the levels being as `mask` has them."""
    count = len(cells.pinned)
    start = np.zeros(count * parts + 1, np.int64)
    most = parts * (len(cells.row) + len(cells.images))
    row, value = np.empty(most, np.int64), np.empty(most, np.int64)
    held, filled = np.zeros(rows, np.int64), 0
    for c in range(count):
        for p in range(parts):
            first = filled
            for k in range(cells.comp_start[c], cells.comp_start[c + 1]):
                if not _allowed(cells, mask, k) >> p & 1:
                    continue
                for j in range(cells.row_start[k], cells.row_start[k + 1] + 1):
                    # The row of sizes comes after the cell's own.
                    r, v = rows - 1, cells.images[k]
                    if j < cells.row_start[k + 1]:
                        r, v = cells.row[j], cells.value[j]
                    if held[r] == 0:
                        row[filled] = r
                        filled += 1
                    held[r] += v
            for i in range(first, filled):
                value[i] = held[row[i]]
                held[row[i]] = 0
            start[c * parts + p + 1] = filled
    return Vectors(start, row[:filled].copy(), value[:filled].copy())


@compiled
def polish(brought: Vectors, pinned: Ints, part: Ints, x: Ints, needs: Needs, budget: int) -> int:
    """Move components between parts, then swap them, as long as the costs fall; the work done.

    `part` and `x` are changed in place.
    """
    parts, count = x.shape[1], len(part)
    room = Room(np.empty(x.shape[0], np.int64), np.full(x.shape[0], -1, np.int64))
    work, trial = 0, 0
    improved = True
    while improved and work < budget:
        improved = False
        for c in range(count):
            for q in range(parts):
                p = part[c]
                if p == q or pinned[c] >= 0 or work > budget:
                    continue
                trial += 1
                better, more = _try(brought, np.array([c * parts + p, c * parts + q]), 1, x, needs, room, trial)
                work += more
                if better:
                    part[c], improved = q, True
        for c in range(count):
            if improved or pinned[c] >= 0:
                continue
            for d in range(c + 1, count):
                p, q = part[c], part[d]
                if p == q or pinned[d] >= 0 or work > budget:
                    continue
                trial += 1
                change = np.array([c * parts + p, d * parts + q, c * parts + q, d * parts + p])
                better, more = _try(brought, change, 2, x, needs, room, trial)
                work += more
                if better:
                    part[c], part[d], improved = q, p, True
    return work


@compiled
def _try(brought: Vectors, change: Ints, out: int, x: Ints, needs: Needs, room: Room, trial: int) -> tuple[bool, int]:
    """Take the first `out` vectors of `change` away and add the others, if that helps; whether it did, and the work."""
    count, work = 0, 0
    for i in range(len(change)):
        for j in range(brought.start[change[i]], brought.start[change[i] + 1]):
            work += 1
            if room.trial[brought.row[j]] != trial:
                room.trial[brought.row[j]] = trial
                room.rows[count] = brought.row[j]
                count += 1
    before = _price_rows(x, room.rows, count, needs)
    for i in range(len(change)):
        _add(brought, change[i], -1 if i < out else 1, x)
    if _price_rows(x, room.rows, count, needs) < before:
        return True, 2 * work + 8
    for i in range(len(change)):
        _add(brought, change[i], 1 if i < out else -1, x)
    return False, 3 * work + 8


@compiled
def _add(brought: Vectors, entry: int, sign: int, x: Ints) -> None:
    p = entry % x.shape[1]
    for j in range(brought.start[entry], brought.start[entry + 1]):
        x[brought.row[j], p] += sign * brought.value[j]


@compiled
def _price_rows(x: Ints, touched: Ints, count: int, needs: Needs) -> tuple[int, int, int, int]:
    """As `price_of`, of some rows only; what parts need and use is counted in any case."""
    last = x.shape[0] - 1
    empty, away = 0, 0
    for i in range(count):
        lacks, far = _row_price(x, touched[i], needs)
        empty += lacks
        away += far
    return empty, shortfall(x[last], needs), -int(x[last].sum()), away


@compiled
def worth_of(gain: Ints, cells: Cells, price: Ints) -> int:
    """The sum over components of the most that any part is worth to them, at the given prices."""
    total = 0
    for c in range(gain.shape[0]):
        choice = _choose(gain, cells.pinned, price, c)
        total += gain[c, choice] * price[choice]
    return total


@compiled
def survey(
    cells: Cells, mask: Ints, order: Ints, needs: Needs, price: Ints, best: Ints, found: Ints, budget: int
) -> tuple[int, bool]:
    """Give the levels of `order` to parts in every way that could use more images than are used now.

    What a beginning could use at most is known from prices, which are passed on from beginning to beginning. Whole
    choices that are left are settled, and noted in `best` (empty pairs, shortfall, minus images used) and `found` if
    they are better. Returns the most images that any choice could use, and whether none was missed.
    """
    deep, parts = len(order), len(price)
    gain = gains(cells, mask, parts)
    prices = np.empty((deep + 1, parts), np.int64)
    prices[0] = price
    at = np.zeros(deep + 1, np.int64)
    part = np.empty(gain.shape[0], np.int64)
    each = gain.size
    depth, work, most = 0, 0, -best[2]
    while depth >= 0 and work <= budget:
        if depth == deep or at[depth] == parts:
            depth -= 1
            if depth >= 0:
                work += _open(cells, mask, order[depth], (1 << parts) - 1, gain)
            continue
        p = at[depth]
        at[depth] += 1
        work += _close(cells, mask, order[depth], p, gain)
        depth += 1
        at[depth] = 0
        prices[depth] = prices[depth - 1]
        rounds = ROUNDS if depth == deep else _FEW_ROUNDS
        lacking, used, bound = settle(gain, cells, needs, prices[depth], part, rounds)
        work += rounds * each
        if best[1] == 0 and bound <= -best[2]:
            at[depth] = parts  # nothing below here is better
        elif depth == deep:
            most = max(most, bound)
            if (lacking, -used) < (best[1], best[2]):
                empty = price_of(tally(cells, mask, part, len(needs.must), parts), needs)[0]
                if (empty, lacking, -used) < (best[0], best[1], best[2]):
                    best[0], best[1], best[2] = empty, lacking, -used
                    found[:] = mask
    return most, depth < 0


@compiled
def _close(cells: Cells, mask: Ints, level: int, p: int, gain: Ints) -> int:
    """Give an open level to part p; the numbers looked at."""
    for i in range(cells.level_start[level], cells.level_start[level + 1]):
        k = cells.level_cells[i]
        allowed = _allowed(cells, mask, k)
        for q in range(gain.shape[1]):
            if q != p and allowed >> q & 1:
                gain[cells.comp[k], q] -= cells.images[k]
    mask[level] = 1 << p
    return int((cells.level_start[level + 1] - cells.level_start[level]) * gain.shape[1])


@compiled
def _open(cells: Cells, mask: Ints, level: int, full: int, gain: Ints) -> int:
    """Take the level back; the numbers looked at."""
    given = mask[level]
    mask[level] = full
    for i in range(cells.level_start[level], cells.level_start[level + 1]):
        k = cells.level_cells[i]
        allowed = _allowed(cells, mask, k)
        for q in range(gain.shape[1]):
            if allowed >> q & 1 and not given >> q & 1:
                gain[cells.comp[k], q] += cells.images[k]
    return int((cells.level_start[level + 1] - cells.level_start[level]) * gain.shape[1])
