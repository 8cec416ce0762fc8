"""What the study's predictions say: shares with intervals over families, and differences on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from scipy import stats
from xqdata_benchmark.intervals import FEWEST, proportion, resampled, wilson, worth
from xqdata_benchmark.ties import KINDS

_DRAW = ("split_seed", "seed")
# Of the study's two published classes: right, tested (inferred from the shares it prints).
PUBLISHED = {"dracaena": (25, 37), "tree_ear_mushroom": (3, 36)}


@dataclass(frozen=True)
class Share:
    """A value with its 95% interval, of `n` images in `families`; NaN where these are too few to allow one."""

    value: float
    low: float
    high: float
    n: int
    families: int = 0

    def told(self, sign: str = "", unit: str = "") -> str:
        """In percent, or points where `sign` is +."""
        ends = "" if np.isnan(self.low) else f" ({100 * self.low:{sign}.1f} to {100 * self.high:{sign}.1f})"
        return f"{100 * self.value:{sign}.1f}{unit}{ends}"


def share(rows: pd.DataFrame, column: str = "right") -> Share:
    """The mean of a column over all rows, with an interval that two errors are put together for.

    The bootstrap draws families whole: how far the figure would move with other specimens. Student's takes each draw
    (split seed and training seed, with all its folds) for one observation: how far it would move with other draws and
    other networks. The half-widths are added as squares, as if the two were independent.
    """
    values = rows[column].to_numpy(float)
    if not len(values):
        return Share(np.nan, np.nan, np.nan, 0)
    family = rows["family"].to_numpy()
    images, families = rows["image"].nunique(), len(np.unique(family))
    value = float(values.mean())
    if worth(family) < FEWEST:
        return Share(value, np.nan, np.nan, images, families)
    of = (
        pd.DataFrame({"family": family, "value": values})
        .groupby("family")["value"]
        .agg(["sum", "size"])
        .to_numpy(float)
    )
    low, high = resampled(lambda weights: {"": weights @ of[:, 0] / (weights @ of[:, 1])}, np.arange(families))[""]
    drawn = rows.groupby(list(_DRAW))[column].mean().to_numpy(float)
    half = 0.0
    if len(drawn) > 1:
        half = float(stats.t.ppf(0.975, len(drawn) - 1) * drawn.std(ddof=1) / np.sqrt(len(drawn)))
    least = -1.0 if column == "gap" else 0.0
    ends = (value - np.hypot(value - low, half), value + np.hypot(high - value, half))
    return Share(value, max(float(ends[0]), least), min(float(ends[1]), 1.0), images, families)


def paired(rows: pd.DataFrame, with_: pd.Series, without: pd.Series) -> pd.DataFrame:
    """A row for each image, split seed and training seed that both sides judged, with `gap`: right on the first side
    less right on the second, in whole images.
    """
    key = ["recipe", "split_seed", "seed", "image"]
    one, other = rows[with_], rows[without]
    both = one.merge(other[[*key, "right", "predicted"]], on=key, suffixes=("", "_without"))
    both["gap"] = both["right"].astype(float) - both["right_without"].astype(float)
    return both


@dataclass(frozen=True)
class Pair:
    """Both sides of a comparison on the same images, and their difference. `draws`: the difference in each draw."""

    with_: Share
    without: Share
    gap: Share
    draws: tuple[float, ...] = ()

    @classmethod
    def of(cls, both: pd.DataFrame) -> Pair:
        """Of what `paired` gives."""
        draws = both.groupby(list(_DRAW))["gap"].mean()
        return cls(share(both), share(both, "right_without"), share(both, "gap"), tuple(draws.tolist()))


def splits(rows: pd.DataFrame) -> Iterator[tuple[str, Share, Pair, pd.DataFrame]]:
    """Of each recipe: the random split's accuracy on all its images, both splits on the same images, and these images.

    An image is tested once in each, so that none is missing but those that the safe split has no place for.
    """
    for recipe, mine in rows[rows["part"] == "splits"].groupby("recipe", sort=False, observed=True):
        random = mine["condition"] == "random"
        both = paired(mine, random, ~random)
        if len(both):
            yield recipe, share(mine[random]), Pair.of(both), both


def by_tie(rows: pd.DataFrame) -> Iterator[tuple[str, str, float, Pair]]:
    """Of each recipe: what ties a test image to the random split's training, the share of such images, and both splits
    on them.
    """
    for recipe, _, _, both in splits(rows):
        for kind in KINDS:
            some = both[both["tie"] == kind]
            if len(some):
                yield recipe, kind, len(some) / len(both), Pair.of(some)


def types(rows: pd.DataFrame) -> Iterator[tuple[str, str, Pair]]:
    """Of each recipe and scan type: the accuracy on it with it in training, without it, and the difference."""
    rows = rows[rows["part"] == "types"]
    for recipe, mine in rows.groupby("recipe", sort=False, observed=True):
        for kind in sorted(mine["scan_type"].unique()):
            of = mine[mine["scan_type"] == kind]
            yield recipe, kind, Pair.of(paired(of, of["condition"] == "with", of["condition"] == "without"))


def axis(rows: pd.DataFrame, part: str) -> Iterator[tuple[str, float, Pair]]:
    """Of each recipe and level of a part: the accuracy with family in training, without, and the gap."""
    for recipe, level, both in levels(rows, part):
        yield recipe, level, Pair.of(both)


def twins(rows: pd.DataFrame, part: str) -> Iterator[tuple[str, bool, Pair]]:
    """Of each recipe, at the highest level of copies or rescans: images with a twin in training, and the others."""
    for recipe, found in groupby([*levels(rows, part)], key=lambda one: one[0]):
        *_, (_, _, both) = found
        twinned = both["tie"].isin(("copy", "scan"))
        yield recipe, True, Pair.of(both[twinned])
        yield recipe, False, Pair.of(both[~twinned])


def levels(rows: pd.DataFrame, part: str) -> Iterator[tuple[str, float, pd.DataFrame]]:
    """Of each recipe and level of a part: the images that both sides judged."""
    siblings = part in ("specimens", "scans")
    for recipe, mine in rows[rows["part"] == part].groupby("recipe", sort=False, observed=True):
        number = mine["level"].astype(float)
        for level in sorted(number.unique()):
            without = (mine["condition"] == "without") & (number == (level if siblings else 0))
            both = paired(mine, (number == level) & (mine["condition"] == "with"), without)
            if len(both):
                yield recipe, level, both


def recalls(rows: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Of each class, the share that was named rightly in both splits, with its interval; where its families are worth
    fewer than ten, the lowest and the highest family. `each`: the families of at least half the mean size; others are
    what a wrong label brought into the class, and are left out.
    """
    rows = rows[(rows["part"] == "splits") & (rows["recipe"] == recipe)]
    found = []
    for (condition, name), every in rows.groupby(["condition", "true"], observed=True):
        sizes = every.groupby("family").size()
        mine = every[every["family"].isin(sizes.index[2 * sizes >= sizes.mean()])]
        told = proportion(mine["right"].to_numpy(bool), mine["family"].to_numpy(np.int64))
        low, high = (told.low, told.high) if told.range is None else told.range
        each = mine.groupby("family")["right"].mean().tolist()
        found.append({"class": name, "condition": condition, "value": told.value, "low": low, "high": high,
                      "each": each, "certain": told.range is None, "images": mine["image"].nunique()})  # fmt: skip
    return pd.DataFrame(found)


def published() -> dict[str, Share]:
    """The study's two figures with Wilson's interval, which takes images for independent."""
    return {name: Share(right / n, *wilson(right / n, n), n) for name, (right, n) in PUBLISHED.items()}


def confusion(rows: pd.DataFrame, recipe: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Of the random and the safe split, (classes, classes) counts over all trainings of the images that both tested:
    rows labels, columns predictions.
    """
    place = {name: k for k, name in enumerate(names)}
    both = next(both for name, _, _, both in splits(rows) if name == recipe)
    found = {}
    for condition, column in (("random", "predicted"), ("safe", "predicted_without")):
        found[condition] = np.zeros((len(names), len(names)), np.int64)
        np.add.at(found[condition], (both["true"].map(place).to_numpy(int), both[column].map(place).to_numpy(int)), 1)
    return found
