"""What no split can beat: lower bounds that follow from the components' sizes alone, in whole numbers.

A bound for each row (class, cell) is a bound of their sum. In one row, the parts get whole components, so each part's
count is a sum of some of their sizes. The sums that can be reached stand as bits of one large integer, to which a
component of size s adds by `bits |= bits << s`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Bits that the sums of one row may take: beyond it the rounding bound alone is used.
_REACH_BITS = 1 << 22
# Bits that the table of an exact solution may take over all its components.
_TABLE_BITS = 1 << 29

Sizes = Sequence[tuple[int, int]]


def rounding(total: int, shares: Sequence[int], least: Sequence[int]) -> int:
    """The least sum of |den * x - share * total| over whole numbers x >= `least` that add up to `total`.

    `shares`: whole numbers, den their sum. `least`: the smallest count allowed in each part; their sum at most `total`.
    """
    den = sum(shares)
    x = [max(low, share * total // den) for low, share in zip(least, shares, strict=True)]
    while sum(x) > total:
        gains = [(_step(x, p, -1, total, shares), p) for p in range(len(x)) if x[p] > least[p]]
        x[min(gains)[1]] -= 1
    while sum(x) < total:
        x[min((_step(x, p, 1, total, shares), p) for p in range(len(x)))[1]] += 1
    return sum(abs(den * a - share * total) for a, share in zip(x, shares, strict=True))


def _step(x: Sequence[int], p: int, by: int, total: int, shares: Sequence[int]) -> int:
    den = sum(shares)
    return abs(den * (x[p] + by) - shares[p] * total) - abs(den * x[p] - shares[p] * total)


def row_bound(sizes: Sizes, base: Sequence[int], shares: Sequence[int], must: bool) -> int:
    """The least deviation of one row, whatever happens to the others.

    `sizes`: (images, how many components hold so many); `base`: images that lie in the parts already; `must`: no part
    may be left empty if that can be helped. In units of 1/den images.
    """
    total = sum(s * m for s, m in sizes) + sum(base)
    free = sum(m for _, m in sizes)
    least = list(base)
    if must and free >= sum(1 for b in base if b == 0):
        least = [max(1, b) for b in base]
    bound = max(rounding(total, shares, least), _crowding(sizes, base, shares, total))
    if any(s == 1 and m >= 2 * len(base) for s, m in sizes) or total.bit_length() > 24:
        return bound  # single images reach every sum that matters
    if total * sum(m.bit_length() for _, m in sizes) > _REACH_BITS:
        return bound
    reach = _sums(sizes)
    parts = range(len(shares))
    # A part that gets the rest of two is as bound as both of them.
    if len(shares) == 2:
        return max(bound, _nearest(reach, base, least, shares, total, (0, 1)))
    return max(bound, sum(_nearest(reach, base, least, shares, total, (p,)) for p in parts))


def _crowding(sizes: Sizes, base: Sequence[int], shares: Sequence[int], total: int) -> int:
    """What large components cost: twice what they exceed the parts' room by.

    Components larger than any room do best in parts of their own: in a part that one of them has overfilled, a second
    one would be too much as a whole. And of one component more than there are parts, two share a part.
    """
    den = sum(shares)
    room = sorted((share * total - den * b for share, b in zip(shares, base, strict=True)), reverse=True)
    large: list[int] = []
    for size, many in sorted(sizes, reverse=True):
        large += [den * size] * min(many, len(shares) + 1 - len(large))
    widest = max(0, room[0])
    huge = [size for size in large[: len(shares)] if size > widest]
    own = sum(huge) - sum(max(0, free) for free in room[: len(huge)])
    crowd = large[-1] + large[-2] - widest if len(large) > len(shares) else 0
    return 2 * max(own, crowd, sum(max(0, -free) for free in room))


def _sums(sizes: Sizes) -> int:
    bits = 1
    for size, many in sizes:
        left, step = many, 1
        while left > 0:
            take = min(step, left)
            bits |= bits << (size * take)
            left -= take
            step *= 2
    return bits


def _nearest(
    reach: int, base: Sequence[int], least: Sequence[int], shares: Sequence[int], total: int, parts: tuple[int, ...]
) -> int:
    """The least deviation of `parts`: of one, or of both where there are two and the second takes what is left."""
    sums = np.flatnonzero(_bits(reach))
    den, p = sum(shares), parts[0]
    counts = sums + base[p]
    fits = counts >= least[p]
    away = np.abs(den * counts - shares[p] * total)
    if len(parts) == 2:
        rest = total - counts
        fits &= rest >= least[1]
        away = away + np.abs(den * rest - shares[1] * total)
    return int(away[fits].min()) if fits.any() else 0


def _bits(number: int) -> np.ndarray:
    raw = np.frombuffer(number.to_bytes((number.bit_length() + 7) // 8, "little"), np.uint8)
    return np.unpackbits(raw, bitorder="little")


def exact_row(
    sizes: Sequence[int], base: Sequence[int], shares: Sequence[int], must: bool, luck: Sequence[int]
) -> tuple[int, list[int]] | None:
    """The least deviation of one row and parts that reach it: (deviation in 1/den images, each component's part).

    Two or three parts, and not too many images; else None. `sizes`: images of each component. `luck`: a number >= 0
    for each component, which chooses among solutions that are equally good.
    """
    parts, total = len(shares), sum(sizes) + sum(base)
    side = sum(sizes) + 1
    if parts not in (2, 3) or side ** (parts - 1) * (len(sizes) + 1) > _TABLE_BITS:
        return None
    steps = (side, 1, 0) if parts == 3 else (1, 0)
    tables = [1]
    for size in sizes:
        tables.append(0)
        for step in steps:
            tables[-1] |= tables[-2] << (size * step)
    counts, away = _ends(tables[-1], side, base, shares, total, must)
    best = np.flatnonzero(away == away.min())
    at = int(counts[best[luck[0] % len(best)]]) if len(sizes) else 0
    chosen = [0] * len(sizes)
    for i in range(len(sizes) - 1, -1, -1):
        ways = [p for p in range(parts) if at >= sizes[i] * steps[p] and tables[i] >> (at - sizes[i] * steps[p]) & 1]
        chosen[i] = ways[luck[i] % len(ways)]
        at -= sizes[i] * steps[chosen[i]]
    return int(away.min()), chosen


def _ends(
    table: int, side: int, base: Sequence[int], shares: Sequence[int], total: int, must: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The final states and their deviation; those that leave as few parts empty as can be, where none may be."""
    ends = np.flatnonzero(_bits(table))
    given = np.array([ends // side, ends % side] if len(shares) == 3 else [ends])
    x = np.concatenate([given, (side - 1 - given.sum(0))[None]]) + np.array(base)[:, None]
    den = sum(shares)
    away = np.abs(den * x - np.array(shares)[:, None] * total).sum(0)
    if must:
        empty = (x == 0).sum(0)
        keep = empty == empty.min()
        return ends[keep], away[keep]
    return ends, away
