"""The study's figures: readable in print and in grey, each recipe its own mark and line, n stated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studied import figures
from studied.figures import Pair, Share

INK = "#1d2430"
# Of Okabe and Ito's palette, which colour-blind eyes tell apart; marks and lines tell them apart without colour.
LOOK = {"knn": ("#009E73", "o", ":"), "linear": ("#CC79A7", "s", "--"), "cnn": ("#1d2430", "^", "-")}
NAMES = {"knn": "nearest neighbours", "linear": "linear", "cnn": "CNN"}
RANDOM, SAFE = "#D55E00", "#0072B2"
SIDES = (("random", RANDOM, "D"), ("safe", SAFE, "o"))
TIED = {
    "copy": "a copy", "scan": "another picture of the bag", "specimen": "another scan of the specimen",
    "session": "nothing but the session", "none": "nothing",
}  # fmt: skip
_TOLD = 5  # percent, below which a cell of the matrix says nothing
WORDS = {"random": "random", "safe": "leakage-safe"}


def gaps(rows: pd.DataFrame, path: Path) -> None:
    """The gap against specimens of a class, their scans, copies and rescans: four panels with one axis of points."""
    figure, panels = _panels(2, 2, 8.6, 7.4, sharey=True)
    told = {
        "specimens": "(a) specimens of each object in training\n(training stays as large)",
        "scans": "(b) specimens of each object in training\n(each scanned as often: training grows)",
        "copies": "(c) test images with a copy in training, %",
        "rescans": "(d) test images with a rescan in training, %",
    }
    for axes, (part, label) in zip(panels.ravel(), told.items(), strict=True):
        for recipe in LOOK:
            found = [one[1:] for one in figures.axis(rows, part) if one[0] == recipe]
            if found:
                _line(axes, recipe, part, found)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(label)
        if part in ("copies", "rescans"):
            axes.set_xlim(0, 44)
        else:
            axes.set_xscale("log", base=2)
            axes.set_xticks([1, 2, 4, 12], ["1", "2", "4", "12"])
            axes.minorticks_off()
        if not axes.get_legend_handles_labels()[0]:
            axes.set_visible(False)  # nothing of it is trained yet
        else:
            axes.legend(
                frameon=False, fontsize=7.5, loc="upper left" if part in ("copies", "rescans") else "upper right"
            )
    for axes, what in zip(panels[:, 0], ("specimens", "twins"), strict=True):
        axes.set_ylabel(f"gap, points: accuracy with the tested\n{what} in training minus without")
    figure.suptitle("Bars: 95% intervals. Pale dots: one draw each. n: images tested.", fontsize=8, color=INK)
    _save(figure, path)


def _line(axes: Any, recipe: str, part: str, found: Sequence[tuple[float, Pair]]) -> None:
    colour, mark, line = LOOK[recipe]
    siblings = part in ("specimens", "scans")
    nudge = list(LOOK).index(recipe) - 1
    at = np.array([level * (1 if siblings else 100) for level, _ in found])
    at = at * 1.05**nudge if siblings else at + 0.5 * nudge
    gap = [pair.gap for _, pair in found]
    ends = np.hstack([_ends(g) if not np.isnan(g.low) else np.zeros((2, 1)) for g in gap])
    draws = max(len(pair.draws) for _, pair in found)
    name = f"{NAMES[recipe]} (n = {_between([g.n for g in gap])}; {draws} draws)"
    axes.errorbar(at, [100 * g.value for g in gap], ends, color=colour, marker=mark, linestyle=line, markersize=6,
                  capsize=3, linewidth=1.4, label=name)  # fmt: skip
    for x, (_, pair) in zip(at * 0.975 if siblings else at - 0.3, found, strict=True):
        axes.scatter(
            [x] * len(pair.draws), [100 * e for e in pair.draws], color=colour, s=7, alpha=0.35, linewidths=0, zorder=1
        )


def both_splits(rows: pd.DataFrame, path: Path) -> None:
    """Accuracy in the random and the safe split on the same images; and the difference by what ties an image."""
    figure, panels = _panels(1, 2, 9.4, 3.9)
    left, right = panels[0]
    found = list(figures.splits(rows))
    names = []
    for place, (recipe, _, pair, _) in enumerate(found):
        for shift, (told, (condition, colour, mark)) in enumerate(zip((pair.with_, pair.without), SIDES, strict=True)):
            word = f"{WORDS[condition]} split" if place == 0 else None
            left.errorbar(100 * told.value, place + 0.16 - 0.32 * shift, xerr=_ends(told), color=colour, marker=mark,
                          capsize=3, markersize=7, label=word)  # fmt: skip
        end = np.nanmax([pair.with_.high, pair.without.high, pair.with_.value])
        left.text(100 * end + 1.5, place, pair.gap.told("+"), fontsize=7.5, va="center", color=INK)
        names.append(f"{NAMES[recipe]}\n(n = {pair.gap.n:,})")
    left.set_yticks(range(len(found)), names)
    left.set_ylim(-0.6, len(found) - 0.4)
    left.set_xlim(0, 1.5 * left.get_xlim()[1])  # room for the differences
    left.axvline(100 / 21, color=INK, linewidth=0.8, linestyle=":")
    left.text(100 / 21, len(found) - 0.45, " guessing", fontsize=8, va="top", color=INK)
    left.set_xlabel("accuracy on the same images, % (95% intervals)\nbeside each pair: the difference in points")
    left.legend(frameon=False, fontsize=8, loc="upper right")
    _ties(rows, right)
    _save(figure, path)


def _ties(rows: pd.DataFrame, axes: Any) -> None:
    found = {(recipe, kind): pair for recipe, kind, _, pair in figures.by_tie(rows)}
    kinds = [kind for kind in ("copy", "scan", "specimen") if any(one[1] == kind for one in found)]
    recipes = [name for name in LOOK if any(one[0] == name for one in found)]
    for number, recipe in enumerate(recipes):
        colour, mark, _ = LOOK[recipe]
        for place, kind in enumerate(kinds):
            if (recipe, kind) in found:
                told = found[recipe, kind].gap
                axes.errorbar(place + 0.18 * (number - (len(recipes) - 1) / 2), 100 * told.value, yerr=_ends(told),
                              color=colour, marker=mark, capsize=3, markersize=6,
                              label=NAMES[recipe] if place == 0 else None)  # fmt: skip
    tested = {kind: _between([pair.gap.n for (_, one), pair in found.items() if one == kind]) for kind in kinds}
    ticks = [f"{TIED[kind].replace(' of ', chr(10) + 'of ')}\n(n = {tested[kind]})" for kind in kinds]
    axes.set_xticks(range(len(kinds)), ticks, fontsize=8)
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_ylabel("accuracy in the random split minus\nin the leakage-safe one, points")
    axes.set_xlabel("the nearest in the random split's training")
    axes.legend(frameon=False, fontsize=8)


def held_out(rows: pd.DataFrame, path: Path) -> None:
    """What each scan type loses where training holds none of it, for every recipe."""
    found = {(recipe, kind): pair for recipe, kind, pair in figures.types(rows)}
    recipes = [name for name in LOOK if any(one[0] == name for one in found)]
    kinds = sorted({kind for _, kind in found}, key=lambda kind: found[recipes[0], kind].gap.value)
    figure, panels = _panels(1, 1, 7.5, 0.5 * len(kinds) + 1.2)
    axes = panels[0][0]
    for number, recipe in enumerate(recipes):
        colour, mark, _ = LOOK[recipe]
        for place, kind in enumerate(kinds):
            told = found[recipe, kind].gap
            at = place + 0.2 * ((len(recipes) - 1) / 2 - number)
            axes.errorbar(100 * told.value, at, xerr=_ends(told), color=colour, marker=mark, capsize=2, markersize=5,
                          linewidth=1, label=NAMES[recipe] if place == 0 else None)  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    labels = []
    for kind in kinds:
        best = max(recipes, key=lambda recipe: found[recipe, kind].with_.value)
        right = f"{NAMES[best]} {100 * found[best, kind].with_.value:.0f}% right"
        n = _between([found[recipe, kind].gap.n for recipe in recipes])
        labels.append(f"{kind.replace('_', ' ')}\n({right}, n = {n})")
    axes.set_yticks(range(len(kinds)), labels)
    axes.set_xlabel("accuracy with the scan type in training\nminus without, points (95% intervals)")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, path)


def recall(rows: pd.DataFrame, recipe: str, path: Path) -> None:
    """Recall of each class and of its families in both splits, beside the two figures that the study published."""
    told = figures.recalls(rows, recipe)
    order = told[told["condition"] == "safe"].sort_values("value")["class"].tolist()
    known = figures.published()
    figure, panels = _panels(1, 1, 7.5, 0.36 * len(order) + 1.4)
    axes = panels[0][0]
    for (condition, colour, mark), shift in zip(SIDES, (0.24, 0.0), strict=True):
        mine = told[told["condition"] == condition].set_index("class").reindex(order)
        n = _between(mine["images"].tolist())
        for place, row in enumerate(mine.itertuples()):
            axes.plot([100 * row.low, 100 * row.high], [place + shift] * 2, color=colour, linewidth=0.8, alpha=0.6)
            axes.scatter(
                [100 * e for e in row.each],
                [place + shift] * len(row.each),
                color=colour,
                s=10,
                alpha=0.6,
                linewidths=0,
            )
        axes.plot(100 * mine["value"], np.arange(len(order)) + shift, color=colour, marker=mark, linestyle="none",
                  markersize=6, label=f"{WORDS[condition]} split, simulated (n = {n})")  # fmt: skip
    for number, (name, one) in enumerate(known.items()):
        if name in order:
            word = "published by the study (95% interval, n = 36 and 37)" if number == 0 else None
            axes.errorbar(100 * one.value, order.index(name) - 0.24, xerr=_ends(one), color=INK, marker="X", capsize=3,
                          markersize=7, linestyle="none", label=word)  # fmt: skip
    axes.set_yticks(range(len(order)), [name.replace("_", " ") for name in order])
    axes.set_ylim(-2.6, len(order) - 0.3)
    axes.set_xlim(0, 100)
    axes.axvline(100 / len(order), color=INK, linewidth=0.8, linestyle=":")
    axes.text(100 / len(order), len(order) - 0.45, " guessing", fontsize=8, va="top", color=INK)
    axes.set_xlabel(f"images of the class named rightly, % ({NAMES[recipe]})\n"
                    "small dots: its families; thin lines: from the lowest to the highest, no intervals")  # fmt: skip
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, path)


def confusions(rows: pd.DataFrame, recipe: str, names: Sequence[str], path: Path) -> None:
    """Both confusion matrices side by side, in percent of the label's images, which are the same in both."""
    figure, panels = _panels(1, 2, 11.0, 6.2, sharey=True, spines=True)
    image = None
    for axes, (condition, counts) in zip(panels[0], figures.confusion(rows, recipe, names).items(), strict=True):
        totals = counts.sum(1, keepdims=True)
        shares = 100 * np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for i, j in np.argwhere(shares >= _TOLD).tolist():
            axes.text(j, i, f"{shares[i, j]:.0f}", ha="center", va="center", fontsize=7.5,
                      color="white" if shares[i, j] > 55 else INK)  # fmt: skip
        labels = [name.replace("_", " ") for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(names)), labels, fontsize=8)
        axes.tick_params(length=0)
        right = counts.trace() / counts.sum()
        axes.set_title(
            f"{WORDS[condition]} split: {right:.1%} right (n = {counts.sum():,} predictions)", fontsize=9.5, color=INK
        )
        axes.set_xlabel("predicted")
        axes.grid(visible=False)
    panels[0][0].set_ylabel("label in the log")
    bar = figure.colorbar(image, ax=panels[0], fraction=0.02, pad=0.01)
    bar.set_label(f"images of the label, % (cells under {_TOLD}% are not written)", fontsize=8)
    _save(figure, path)


def _between(numbers: Sequence[int]) -> str:
    """The least and the greatest, or the one number that there is."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _ends(told: Share) -> np.ndarray | None:
    """Lengths of an error bar in percent."""
    if np.isnan(told.low):
        return None
    return np.array([[100 * (told.value - told.low)], [100 * (told.high - told.value)]]).clip(0)


def _panels(
    rows: int, columns: int, width: float, height: float, *, sharey: bool = False, spines: bool = False
) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    for axes in panels.ravel():
        if not spines:
            axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    return figure, panels


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=200, metadata={"Software": None})
