"""Intervals whose sampling unit is the identity component: images of one component are not independent.

They say how far a figure would move with other components of the same sort, for the same trained network. They do not
say how far it would move if the network were trained again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from xqdata.groups import Ints

Floats = NDArray[np.float64]

LEVEL = 0.95
FEWEST = 10  # components of equal size, or as many as unequal ones are worth; fewer allow no interval
_REPLICATES = 2000
_AT_ONCE = 20_000_000  # weights in memory


@dataclass(frozen=True)
class Figure:
    """A figure of `n` images in `components` components. `low`, `high`: 95% interval; or, where these are worth fewer
    than 10, None, and `range` holds the lowest and highest of any component of at least half the mean size.
    """

    value: float
    n: int
    components: int
    low: float | None = None
    high: float | None = None
    range: tuple[float, float] | None = None

    def told(self) -> dict[str, Any]:
        """As it stands in metrics.json."""
        told: dict[str, Any] = {"value": self.value, "n": self.n, "components": self.components}
        if self.range is not None:
            return told | {"low": None, "high": None, "range": list(self.range)}
        return told | {"low": self.low, "high": self.high}


def worth(component: Ints) -> float:
    """How many components of equal size these, (n,), are worth: four large ones stay four, whatever strays there are.

    Source: L. Kish, Survey Sampling (1965), 11.7: the squared sum of sizes over the sum of their squares.
    """
    sizes = np.unique(component, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


def resampled(
    weigh: Callable[[Floats], dict[str, Floats]], component: Ints, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95% percentile intervals of figures under the bootstrap over components.

    `weigh`: from weights (replicates, n) to each figure's values (replicates,). `component`: (n,) any numbers. Source:
    B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; clusters are drawn whole.
    """
    number = np.unique(component, return_inverse=True)[1]
    count = int(number.max()) + 1
    rng = np.random.default_rng(seed)
    size = max(1, min(_REPLICATES, _AT_ONCE // max(1, len(number))))
    found: dict[str, list[Floats]] = {}
    for start in range(0, _REPLICATES, size):
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=min(size, _REPLICATES - start))
        for name, values in weigh(drawn[:, number].astype(np.float64)).items():
            found.setdefault(name, []).append(values)
    tail = (1 - LEVEL) / 2
    return {name: _ends(np.concatenate(parts), tail) for name, parts in found.items()}


def _ends(values: Floats, tail: float) -> tuple[float, float]:
    if np.isnan(values).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def proportion(right: NDArray[np.bool_], component: Ints) -> Figure:
    """The share of `right`, (n,), with Wilson's interval at the n that the components are worth.

    The design effect is the variance of the share with whole components drawn, over that with images drawn; a share of
    0 or 1, which shows no variance, counts each component as one. A t quantile, at what unequal components are worth,
    stands in for the normal one's doubt about a variance from few of them. Sources: E. B. Wilson, JASA 22 (1927); E. L.
    Korn, B. I. Graubard, Survey Methodology 24 (1998); A. V. Carter et al., Rev. Econ. Stat. 99 (2017).
    """
    n = len(right)
    number = np.unique(component, return_inverse=True)[1]
    count = int(number.max(initial=-1)) + 1
    if n == 0:
        return Figure(float("nan"), 0, 0)
    sizes = np.bincount(number, minlength=count).astype(np.float64)
    hits = np.bincount(number, weights=right.astype(np.float64), minlength=count)
    share = float(right.mean())
    if worth(component) < FEWEST:
        each = (hits / sizes)[2 * sizes >= sizes.mean()]
        return Figure(share, n, count, range=(float(each.min()), float(each.max())))
    low, high = wilson(share, _effective(share, n, sizes, hits.astype(np.float64)))
    return Figure(share, n, count, low, high)


def _effective(share: float, n: int, sizes: Floats, hits: Floats) -> float:
    """How many independent images the sample is worth."""
    count, equal = len(sizes), n**2 / float((sizes**2).sum())
    if share in (0.0, 1.0):
        return equal
    clustered = count / (count - 1) * float(((hits - share * sizes) ** 2).sum()) / n**2
    effect = max(1.0, clustered / (share * (1 - share) / n))
    if n == count:
        return n / effect
    tail = (1 + LEVEL) / 2
    doubt = float(stats.t.ppf(tail, n - 1) / stats.t.ppf(tail, equal - 1))
    return n / effect * doubt**2


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's score interval of a share of `n`, which need not be whole; scipy's wants it to be."""
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return max(0.0, centre - half), min(1.0, centre + half)
