"""What chance would give: values of whole components are dealt anew, many times, and compared with what was found.

Images of one component are not independent: two scans of one object are no two objects. So components are shuffled,
never images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xqdata.groups import Ints, distinct, renumbered

Floats = NDArray[np.float64]

DEALS = 999
# Below so many components, shuffling them says nothing.
FEWEST = 20
# Of more components than these, so many are drawn: dealing all of ten million takes an hour and says the same.
MOST = 100_000
# A finding is nothing that chance gives more often than once in a hundred times.
RARE = 0.01


@dataclass(frozen=True)
class Against:
    """A figure beside what chance gives: its mean over all deals, and `p`, how often it is as large or larger."""

    found: float
    chance: float
    p: float


@dataclass(frozen=True)
class Held:
    """How many images of each component hold each value: component[k] holds value[k] in count[k] images."""

    component: Ints
    value: Ints
    count: Ints

    @property
    def components(self) -> int:
        """How many components there are."""
        return int(self.component.max(initial=-1)) + 1

    @property
    def values(self) -> int:
        """How many different values there are."""
        return int(self.value.max(initial=-1)) + 1


def sample(component: Ints, seed: int) -> Ints:
    """The places of the images of MOST components, drawn by chance; of all images where there are no more."""
    _, sizes = renumbered(component)
    if len(sizes) <= MOST:
        return np.arange(len(component))
    present = np.flatnonzero(np.bincount(component))
    taken = np.zeros(int(present[-1]) + 1, bool)
    taken[np.random.Generator(np.random.PCG64(seed)).choice(present, MOST, replace=False)] = True
    return np.flatnonzero(taken[component])


def sampled(component: Ints, drawn: int) -> str:
    """What to say of a figure that comes from `drawn` of the components; nothing where it comes from all."""
    count = distinct(component)
    return f", in {drawn:,} of {count:,} components, drawn by chance" if drawn < count else ""


def held(component: Ints, value: Ints) -> Held:
    """Count images, given by the component and the value of each; both are numbered anew from 0."""
    c, (v, values) = renumbered(component)[0], renumbered(value)
    cells = np.sort(c * len(values) + v)
    first = np.flatnonzero(np.append(True, np.diff(cells) > 0)) if len(cells) else np.zeros(0, np.int64)
    place = np.divmod(cells[first], max(1, len(values)))
    return Held(*place, np.diff(np.append(first, len(cells))))


def table(counted: Held, row: Ints) -> Floats:
    """(rows, values) images, when component c belongs to row[c]."""
    rows, values = int(row.max(initial=-1)) + 1, counted.values
    cell = row[counted.component] * values + counted.value
    return np.asarray(np.bincount(cell, counted.count, rows * values).reshape(rows, values), np.float64)


def commonest(component: Ints, value: Ints) -> Ints:
    """The value that most images of each component hold, the smallest among equals; components are numbered anew."""
    c, sizes = renumbered(component)
    values = int(value.max(initial=-1)) + 1
    counts = np.bincount(c * values + value, minlength=len(sizes) * values).reshape(len(sizes), values)
    return np.asarray(counts.argmax(axis=1), np.int64)


def against(observed: float, deal: Callable[[np.random.Generator], float], seed: int) -> Against:
    """`observed` beside what `deal` gives in DEALS shuffles."""
    dice = np.random.Generator(np.random.PCG64(seed))
    dealt = np.array([deal(dice) for _ in range(DEALS)])
    # What differs only in how sums were rounded is as large.
    p = (1 + int((dealt >= observed - 1e-12).sum())) / (1 + DEALS)
    return Against(observed, float(dealt.mean()), p)


def cramers_v(counts: Floats) -> float:
    """Cramer's V of a table of counts, from 0 to 1, without the bias that many cells and few images give it.

    Source: W. Bergsma, J. Korean Stat. Soc. 42 (2013).
    """
    counts = counts[counts.any(1)][:, counts.any(0)]
    n, (r, k) = counts.sum(), counts.shape
    if min(r, k) < 2 or n < 2:
        return 0.0
    expected = np.outer(counts.sum(1), counts.sum(0)) / n
    phi2 = float(((counts - expected) ** 2 / expected).sum() / n)
    less = max(0.0, phi2 - (k - 1) * (r - 1) / (n - 1))
    rows, columns = r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)
    return float(np.sqrt(less / max(min(rows, columns) - 1, 1e-12))) if min(rows, columns) > 1 else 0.0


def variation(counts: Floats) -> float:
    """How far the shares of values in each row are from those in all rows, the mean over images: total variation."""
    sizes = counts.sum(1)
    if not sizes.all() or len(sizes) < 2:
        return 0.0
    away = np.abs(counts / sizes[:, None] - counts.sum(0) / sizes.sum()).sum(1) / 2
    return float((away * sizes).sum() / sizes.sum())
