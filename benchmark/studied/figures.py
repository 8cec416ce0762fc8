"""What the study's predictions say: shares with intervals over families, and differences on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from xqdata_benchmark.intervals import FEWEST, proportion, resampled, wilson

KINDS = ("copy", "scan", "specimen", "session", "none")
# Of the study's two published classes: right, tested (inferred from the shares it prints).
PUBLISHED = {"dracaena": (25, 37), "tree_ear_mushroom": (3, 36)}


@dataclass(frozen=True)
class Share:
    """A value with its 95% interval, of `n` images; NaN where too few families allow one."""

    value: float
    low: float
    high: float
    n: int

    def told(self, sign: str = "", unit: str = "") -> str:
        """In percent, or points where `sign` is +."""
        ends = "" if np.isnan(self.low) else f" ({100 * self.low:{sign}.1f} to {100 * self.high:{sign}.1f})"
        return f"{100 * self.value:{sign}.1f}{unit}{ends}"


def share(rows: pd.DataFrame, column: str = "right") -> Share:
    """The mean of a column over all rows, families drawn whole: one tested in several splits is one family."""
    values = rows[column].to_numpy(float)
    family = rows["family"].to_numpy()
    if not len(values):
        return Share(np.nan, np.nan, np.nan, 0)
    images = rows["image_id"].nunique()
    if len(np.unique(family)) < FEWEST:
        return Share(float(values.mean()), np.nan, np.nan, images)
    low, high = resampled(lambda weights: {"": weights @ values / weights.sum(1)}, family)[""]
    return Share(float(values.mean()), low, high, images)


def paired(rows: pd.DataFrame, with_: pd.Series, without: pd.Series) -> pd.DataFrame:
    """A row for each image, split seed and training seed that both sides judged, with `gap`: right on the first side
    less right on the second, in whole images.
    """
    key = ["recipe", "split_seed", "seed", "image_id"]
    one, other = rows[with_], rows[without]
    both = one.merge(other[[*key, "right"]], on=key, suffixes=("", "_without"))
    both["gap"] = both["right"].astype(float) - both["right_without"].astype(float)
    return both


def splits(rows: pd.DataFrame) -> Iterator[dict[str, object]]:
    """Of each recipe, the accuracy in the random and in the safe split, and their difference over split seeds."""
    rows = rows[rows["part"] == "splits"]
    for recipe, mine in rows.groupby("recipe", sort=False, observed=True):
        of = {condition: mine[mine["condition"] == condition] for condition in ("random", "safe")}
        means = {c: some.groupby(["split_seed", "seed"])["right"].mean() for c, some in of.items()}
        by_split = (means["random"] - means["safe"]).dropna().groupby("split_seed").mean()
        count = len(by_split)
        half = stats.t.ppf(0.975, count - 1) * by_split.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        gap = Share(by_split.mean(), by_split.mean() - half, by_split.mean() + half, count)
        yield {
            "recipe": recipe, "random": share(of["random"]), "safe": share(of["safe"]), "gap": gap,
            "by_split": by_split.tolist(), "trainings": len(means["random"]), "means": means,
            "training": int(mine["trained"].median()),
        }  # fmt: skip


def by_tie(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, float, Share]]:
    """Of each recipe and split: what ties a test image to training, the share of test images, the accuracy there."""
    rows = rows[rows["part"] == "splits"]
    for (recipe, condition), mine in rows.groupby(["recipe", "condition"], sort=False, observed=True):
        for kind in KINDS:
            some = mine[mine["tie"] == kind]
            if len(some):
                yield recipe, condition, kind, len(some) / len(mine), share(some)


def types(rows: pd.DataFrame) -> Iterator[tuple[str, str, Share, Share, Share]]:
    """Of each recipe and scan type: the accuracy on it with it in training, without it, and the difference."""
    rows = rows[rows["part"] == "types"]
    for recipe, mine in rows.groupby("recipe", sort=False, observed=True):
        for kind in sorted(mine["scan_type"].unique()):
            of = mine[mine["scan_type"] == kind]
            both = paired(of, of["condition"] == "with", of["condition"] == "without")
            yield recipe, kind, share(both), share(both, "right_without"), share(both, "gap")


def axis(rows: pd.DataFrame, part: str) -> Iterator[tuple[str, float, Share, Share, Share, Sequence[float]]]:
    """Of each recipe and level of a part: the accuracy with family in training, without, the gap, and each split's."""
    rows = rows[rows["part"] == part]
    for recipe, mine in rows.groupby("recipe", sort=False, observed=True):
        levels = sorted({float(level) for level in mine["level"]})
        number = mine["level"].astype(float)
        for level in levels:
            here = (number == level) if part == "specimens" else (number == 0)
            without = here & (mine["condition"] == "without")
            both = paired(mine, (number == level) & (mine["condition"] == "with"), without)
            if len(both):
                each = both.groupby("split_seed")["gap"].mean().tolist()
                yield recipe, level, share(both), share(both, "right_without"), share(both, "gap"), each


def recalls(rows: pd.DataFrame, recipe: str) -> pd.DataFrame:
    """Of each class, the share that was named rightly in both splits, with its interval; where fewer than ten families
    allow none, the lowest and the highest family.
    """
    rows = rows[(rows["part"] == "splits") & (rows["recipe"] == recipe)]
    found = []
    for (condition, name), mine in rows.groupby(["condition", "true"], observed=True):
        told = proportion(mine["right"].to_numpy(bool), mine["family"].to_numpy(np.int64))
        low, high = (told.low, told.high) if told.range is None else told.range
        found.append({"class": name, "condition": condition, "value": told.value, "low": low, "high": high,
                      "families": told.components, "images": mine["image_id"].nunique()})  # fmt: skip
    return pd.DataFrame(found)


def published() -> dict[str, Share]:
    """The study's two figures with Wilson's interval, which takes images for independent."""
    return {name: Share(right / n, *wilson(right / n, n), n) for name, (right, n) in PUBLISHED.items()}


def confusion(rows: pd.DataFrame, recipe: str, condition: str, names: Sequence[str]) -> np.ndarray:
    """(classes, classes) counts over all trainings, rows true, columns predicted."""
    mine = rows[(rows["part"] == "splits") & (rows["recipe"] == recipe) & (rows["condition"] == condition)]
    place = {name: k for k, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (mine["true"].map(place).to_numpy(int), mine["predicted"].map(place).to_numpy(int)), 1)
    return counts
