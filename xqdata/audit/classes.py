"""One class that goes with a value where the others do not, as a class that one machine alone has scanned.

A measure of the whole table hardly moves if one class of twenty stands out. So each class is held against each value,
and the largest deviation of all against the largest that chance gives anywhere: it is wrong as seldom as one test is,
however many classes and values there are (Westfall and Young, Resampling-Based Multiple Testing, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xqdata.audit.chance import DEALS, Floats, Held, commonest, held, table
from xqdata.groups import Ints

# A value that fewer components hold goes with some class whatever the labels: dealing labels anew changes nothing.
_FEWEST_HOLDING = 3
# One component is one observation, of which nothing can be said.
_FEWEST_OF_CLASS = 2


@dataclass(frozen=True)
class Standing:
    """How far a class goes with a value. `label`, `value`: their numbers. `images`: of the class with the value, out
    of `all_` of the class, in `components` of them; `others`: the share of the value in all other classes. `p`: how
    often chance gives any class and value so large a deviation.
    """

    label: int
    value: int
    images: int
    all_: int
    components: int
    others: float
    p: float

    @property
    def share(self) -> float:
        """The share of the value in the class."""
        return self.images / self.all_

    @property
    def beyond(self) -> float:
        """By how much that is more than in the other classes, below 0 where it is less."""
        return self.share - self.others


def standing(component: Ints, label: Ints, value: Ints, seed: int) -> list[Standing]:
    """Every class beside every value, the rarest by chance first. A component counts for its commonest label."""
    counted = held(component, value)
    own = commonest(component, label)
    present, own = np.unique(own, return_inverse=True)
    spread = _Spread.of(counted, own)
    found = spread.deviation(own)
    dice = np.random.Generator(np.random.PCG64(seed))
    dealt = np.sort([spread.deviation(dice.permutation(own)).max(initial=0) for _ in range(DEALS)])
    images, values = table(counted, own), np.unique(value)
    total, classes, holding = images.sum(0), images.sum(1), np.bincount(own)
    all_ = total.sum()
    told = []
    for c, v in np.argwhere(found > 0).tolist():
        rest = max(1.0, all_ - classes[c])
        others = float((total[v] - images[c, v]) / rest)
        # What differs only in how sums were rounded is as large.
        p = (1 + DEALS - int(np.searchsorted(dealt, found[c, v] - 1e-9))) / (1 + DEALS)
        told.append(
            Standing(int(present[c]), int(values[v]), int(images[c, v]), int(classes[c]), int(holding[c]), others, p),
        )
    return sorted(told, key=lambda s: (s.p, -abs(s.beyond), s.label, s.value))


def alone(component: Ints, label: Ints, value: Ints) -> list[tuple[int, int, int]]:
    """(class, value, components) of classes that hold one value only, where most classes hold several.

    That is a fact about the scans and no more: chance alone makes it of a class of few components.
    """
    counted = held(component, value)
    present, own = np.unique(commonest(component, label), return_inverse=True)
    images, values = table(counted, own), np.unique(value)
    many = (images > 0).sum(1)
    if 2 * int((many > 1).sum()) <= len(many):
        return []
    return [
        (int(present[c]), int(values[images[c].argmax()]), int((own == c).sum()))
        for c in np.flatnonzero(many == 1).tolist()
    ]


@dataclass(frozen=True)
class _Spread:
    """What deviations are measured by. `shares`: (values,) in all images; `even`: (values,) sum over components of the
    squared difference between the images that hold the value and those that were to; `fit`: (values,) and `few`:
    (classes,) whether there are components enough.
    """

    counted: Held
    shares: Floats
    even: Floats
    fit: np.ndarray[tuple[int], np.dtype[np.bool_]]
    few: np.ndarray[tuple[int], np.dtype[np.bool_]]
    scale: Floats

    @classmethod
    def of(cls, counted: Held, own: Ints) -> _Spread:
        """Labels `own` of the components say only how many there are of each, which no dealing changes."""
        sizes = np.bincount(counted.component, counted.count).astype(np.float64)
        shares = np.bincount(counted.value, counted.count) / sizes.sum()
        squares = np.bincount(counted.value, counted.count.astype(np.float64) ** 2)
        mixed = np.bincount(counted.value, counted.count * sizes[counted.component])
        even = squares - 2 * shares * mixed + shares**2 * (sizes**2).sum()
        of_class, all_ = np.bincount(own).astype(np.float64), len(sizes)
        scale = of_class * (all_ - of_class) / (all_ * max(1, all_ - 1))
        fit = np.bincount(counted.value) >= _FEWEST_HOLDING
        return cls(counted, shares, even, fit, of_class < _FEWEST_OF_CLASS, scale)

    def deviation(self, own: Ints) -> Floats:
        """(classes, values): images that hold the value, less those that were to, in standard deviations of chance, of
        either sign; 0 where there are too few components.
        """
        images = table(self.counted, own)
        beyond = np.abs(images - images.sum(1, keepdims=True) * self.shares)
        wide = np.sqrt(np.outer(self.scale, self.even))
        found: Floats = np.divide(beyond, wide, out=np.zeros_like(beyond), where=wide > 1e-9)
        found[:, ~self.fit] = 0
        found[self.few] = 0
        return found
