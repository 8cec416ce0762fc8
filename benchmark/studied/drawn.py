"""The study's figures: readable in print and in grey, each recipe its own mark and line, n stated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from studied import figures
from studied.figures import Share

INK = "#1d2430"
# Of Okabe and Ito's palette, which colour-blind eyes tell apart; marks and lines tell them apart without colour.
LOOK = {"knn": ("#009E73", "o", ":"), "linear": ("#CC79A7", "s", "--"), "cnn": ("#1d2430", "^", "-")}
NAMES = {"knn": "nearest neighbours", "linear": "linear", "cnn": "CNN"}
RANDOM, SAFE = "#D55E00", "#0072B2"
SIDES = (("random", RANDOM, "D"), ("safe", SAFE, "o"))
WORDS = {"random": "random", "safe": "leakage-safe"}


def gaps(rows: pd.DataFrame, path: Path) -> None:
    """The gap against specimens of a class, copies and rescans: three panels with one axis of points."""
    figure, panels = _panels(1, 3, 11.0, 4.0, sharey=True)
    told = {
        "specimens": "specimens of each object in training",
        "copies": "test images with a copy in training, %",
        "rescans": "test images with a rescan in training, %",
    }
    for axes, (part, label) in zip(panels[0], told.items(), strict=True):
        for recipe in LOOK:
            found = [one for one in figures.axis(rows, part) if one[0] == recipe]
            if found:
                _line(axes, recipe, part, found)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xlabel(label)
        if part != "specimens":
            axes.set_xlim(0, 44)
        else:
            axes.set_xscale("log", base=2)
            axes.set_xticks([1, 2, 4, 12], ["1", "2", "4", "12"])
            axes.minorticks_off()
    panels[0][0].set_ylabel("right with family in training, less\nright without it (percentage points)")
    panels[0][0].legend(frameon=False, fontsize=8, loc="upper right")
    _save(figure, path)


def _line(axes: Any, recipe: str, part: str, found: Sequence[tuple[Any, ...]]) -> None:
    colour, mark, line = LOOK[recipe]
    scale = 1 if part == "specimens" else 100
    nudge = list(LOOK).index(recipe) - 1
    at = np.array([one[1] * scale for one in found])
    at = at * 1.05**nudge if part == "specimens" else at + 0.5 * nudge
    gap: list[Share] = [one[4] for one in found]
    y = np.array([100 * g.value for g in gap])
    ends = np.array([[100 * (g.value - g.low), 100 * (g.high - g.value)] for g in gap]).T
    axes.errorbar(at, y, ends, color=colour, marker=mark, linestyle=line, markersize=6, capsize=3, linewidth=1.4,
                  label=f"{NAMES[recipe]} (n = {max(g.n for g in gap):,})")  # fmt: skip
    for x, one in zip(at, found, strict=True):
        axes.scatter(
            [x] * len(one[5]), [100 * e for e in one[5]], color=colour, s=9, alpha=0.35, linewidths=0, zorder=1
        )


def both_splits(rows: pd.DataFrame, path: Path) -> None:
    """Accuracy in the random and the safe split; and what the random one's is made of, by what ties a test image."""
    figure, panels = _panels(1, 2, 10.0, 3.6)
    left, right = panels[0]
    found = list(figures.splits(rows))
    for place, one in enumerate(found):
        for shift, (condition, colour, mark) in enumerate(SIDES):
            told: Share = one[condition]
            y = place + 0.16 - 0.32 * shift
            left.errorbar(100 * told.value, y, xerr=_ends(told), color=colour, marker=mark, capsize=3, markersize=7,
                          label=f"{WORDS[condition]} split" if place == 0 else None)  # fmt: skip
            means = one["means"][condition]
            left.scatter(100 * means, np.full(len(means), y), color=colour, s=9, alpha=0.4, linewidths=0, zorder=1)
    left.set_yticks(range(len(found)), [NAMES[one["recipe"]] for one in found])
    left.set_ylim(-0.6, len(found) - 0.4)
    left.set_xlim(0, None)
    left.axvline(100 / 21, color=INK, linewidth=0.8, linestyle=":")
    left.text(100 / 21, len(found) - 0.45, " guessing", fontsize=8, va="top", color=INK)
    left.set_xlabel("accuracy in test, %")
    left.legend(frameon=False, fontsize=8, loc="lower right")
    _ties(rows, right)
    _save(figure, path)


def _ties(rows: pd.DataFrame, axes: Any) -> None:
    kinds = ("copy", "scan", "specimen", "none")
    words = {"copy": "a copy", "scan": "another picture\nof the bag", "specimen": "another scan\nof the specimen",
             "none": "nothing\n(safe split)"}  # fmt: skip
    found = list(figures.by_tie(rows))
    recipes = [name for name in LOOK if any(one[0] == name for one in found)]
    for number, recipe in enumerate(recipes):
        colour, mark, _ = LOOK[recipe]
        for place, kind in enumerate(kinds):
            condition = "safe" if kind == "none" else "random"
            wanted = ("session", "none") if kind == "none" else (kind,)
            some = [one for one in found if one[0] == recipe and one[1] == condition and one[2] in wanted]
            if some:
                told = max(some, key=lambda one: one[3])[4]
                axes.errorbar(place + 0.18 * (number - (len(recipes) - 1) / 2), 100 * told.value, yerr=_ends(told),
                              color=colour, marker=mark, capsize=3, markersize=6,
                              label=NAMES[recipe] if place == 0 else None)  # fmt: skip
    axes.set_xticks(range(len(kinds)), [words[kind] for kind in kinds], fontsize=8)
    axes.set_ylim(0, 100)
    axes.set_ylabel("accuracy in test, %")
    axes.set_xlabel("what training holds of a test image (the nearest)")
    axes.legend(frameon=False, fontsize=8)


def held_out(rows: pd.DataFrame, recipe: str, path: Path) -> None:
    """Accuracy on each scan type with and without it in training."""
    found = [one for one in figures.types(rows) if one[0] == recipe]
    found.sort(key=lambda one: one[4].value)
    figure, panels = _panels(1, 1, 7.5, 0.32 * len(found) + 1.1)
    axes = panels[0][0]
    for place, (_, _kind, control, without, _gap) in enumerate(found):
        axes.plot([100 * control.value, 100 * without.value], [place, place], color="#9aa4b2", linewidth=2, zorder=1)
        for told, colour, mark, word, shift in (
            (control, SAFE, "o", "in training", 0.12), (without, RANDOM, "D", "held out", -0.12),
        ):  # fmt: skip
            axes.errorbar(100 * told.value, place + shift, xerr=_ends(told), color=colour, marker=mark, capsize=2,
                          markersize=6, linewidth=1, label=word if place == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(found)), [f"{one[1].replace('_', ' ')}  (n = {one[2].n:,})" for one in found])
    axes.set_xlim(0, None)
    axes.set_xlabel(f"accuracy of {NAMES[recipe]} on the scan type, %")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, path)


def recall(rows: pd.DataFrame, recipe: str, path: Path) -> None:
    """Recall of each class in both splits, beside the two figures that the study published."""
    told = figures.recalls(rows, recipe)
    order = told[told["condition"] == "safe"].sort_values("value")["class"].tolist()
    figure, panels = _panels(1, 1, 7.5, 0.3 * len(order) + 1.2)
    axes = panels[0][0]
    for (condition, colour, mark), shift in zip(SIDES, (0.17, -0.17), strict=True):
        mine = told[told["condition"] == condition].set_index("class").reindex(order)
        x, y = 100 * mine["value"].to_numpy(), np.arange(len(order)) + shift
        ends = np.array([x - 100 * mine["low"].to_numpy(), 100 * mine["high"].to_numpy() - x]).clip(0)
        axes.errorbar(x, y, xerr=ends, color=colour, marker=mark, linestyle="none", capsize=2, markersize=5,
                      linewidth=1, label=f"{WORDS[condition]} split, simulated")  # fmt: skip
    for number, (name, one) in enumerate(figures.published().items()):
        if name in order:
            word = "published by the study" if number == 0 else None
            axes.errorbar(100 * one.value, order.index(name), xerr=_ends(one), color=INK, marker="X", capsize=3,
                          markersize=8, linestyle="none", label=word)  # fmt: skip
    axes.set_yticks(range(len(order)), [name.replace("_", " ") for name in order])
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.set_xlim(0, 100)
    axes.set_xlabel(f"images of the class named rightly, % ({NAMES[recipe]})")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    _save(figure, path)


def confusions(rows: pd.DataFrame, recipe: str, names: Sequence[str], path: Path) -> None:
    """Both confusion matrices side by side, in percent of the true label's images."""
    figure, panels = _panels(1, 2, 15.0, 7.9, sharey=True, spines=True)
    image = None
    for axes, condition in zip(panels[0], ("random", "safe"), strict=True):
        counts = figures.confusion(rows, recipe, condition, names)
        totals = counts.sum(1, keepdims=True)
        shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for i, j in np.argwhere(shares >= 0.005).tolist():
            axes.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", fontsize=6.5,
                      color="white" if shares[i, j] > 0.55 else INK)  # fmt: skip
        labels = [name.replace("_", " ") for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
        axes.set_yticks(range(len(names)), labels, fontsize=8)
        axes.tick_params(length=0)
        right = counts.trace() / counts.sum()
        axes.set_title(
            f"{WORDS[condition]} split: {right:.1%} of {counts.sum():,} predictions right", fontsize=10, color=INK
        )
        axes.set_xlabel("predicted label")
        axes.grid(visible=False)
    panels[0][0].set_ylabel("true label")
    bar = figure.colorbar(image, ax=panels[0], fraction=0.02, pad=0.01)
    bar.set_label("share of the true label's images (cells: %)", fontsize=8)
    _save(figure, path)


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
    figure.savefig(path, dpi=150, metadata={"Software": None})
