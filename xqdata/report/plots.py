"""Figures for pages and for print, by matplotlib: no window is opened and nothing is fetched.

One hue from light to dark, so that they read the same in grey and to colour-blind eyes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INK = "#1d2430"
_LINES = ("#1f5f99", "#c2571a", "#5d6878")


def confusion(
    counts: NDArray[np.int64], names: Sequence[str], title: str, path: Path, below: Sequence[str] | None = None
) -> None:
    """Write a confusion matrix as a PNG. `counts`: (classes, classes), rows true, columns predicted. Shade is the share
    of the row, each cell bears its count. `below`: what stands under the title.
    """
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    n = len(names)
    side = min(18.0, max(4.5, 2.6 + 0.42 * n))
    figure, axes = _axes(side + 1.0, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts).tolist():
        dark = shares[i, j] > 0.55
        axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=8, color="white" if dark else _INK)
    for k in range(n):
        axes.add_patch(_box(k))
    # Names are no formulas, whatever dollar signs they bear.
    axes.set_xticks(range(n), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8, parse_math=False)
    axes.set_yticks(range(n), [f"{name}  (n = {t:,})" for name, t in zip(names, totals[:, 0].tolist(), strict=True)],
                    fontsize=8, parse_math=False)  # fmt: skip
    axes.set_xlabel("predicted label"), axes.set_ylabel("true label")
    axes.set_xticks(np.arange(-0.5, n), minor=True), axes.set_yticks(np.arange(-0.5, n), minor=True)
    axes.grid(which="minor", color="#e3e7ec", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    text = "\n".join([title, *(below or ())])
    axes.set_title(text, fontsize=9, loc="left", color=_INK, parse_math=False)
    bar = figure.colorbar(image, ax=axes, fraction=0.035, pad=0.02)
    bar.set_label("share of the true label's images", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    _save(figure, path)


def curves(rows: Sequence[Mapping[str, float | None]]) -> str:
    """Learning curves as SVG: loss on the left, accuracy on the right, of training and validation."""
    figure, (left, right) = _pair(9.0, 3.1)
    epochs = [row["epoch"] for row in rows]
    for axes, key, word in ((left, "loss", "loss"), (right, "accuracy", "accuracy")):
        axes.plot(epochs, [row[key] for row in rows], color=_LINES[0], label="training")
        looked = [(row["epoch"], row[f"val_{key}"]) for row in rows if row[f"val_{key}"] is not None]
        if looked:
            axes.plot(*zip(*looked, strict=True), color=_LINES[1], marker="o", markersize=3, linestyle="--",
                      label="validation")  # fmt: skip
        axes.set_xlabel("epoch"), axes.set_ylabel(word)
        axes.legend(frameon=False, fontsize=8)
    right.set_ylim(0, 1)
    return _svg(figure)


def reliability(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> str:
    """A reliability diagram as SVG: how often predictions of each confidence are right, and how many there are."""
    from sklearn.calibration import calibration_curve

    figure, (left, right) = _pair(9.0, 3.1)
    share, mean = calibration_curve(correct, np.clip(confidence, 0, 1), n_bins=10)
    left.plot([0, 1], [0, 1], color=_LINES[2], linestyle=":", label="confidence is truth")
    left.plot(mean, share, color=_LINES[0], marker="o", markersize=4, label="this run")
    left.set_xlim(0, 1), left.set_ylim(0, 1)
    left.set_xlabel("confidence"), left.set_ylabel("share that is right")
    left.legend(frameon=False, fontsize=8)
    right.hist(confidence, bins=np.linspace(0, 1, 21), color=_LINES[0])
    right.set_xlabel("confidence"), right.set_ylabel("images")
    return _svg(figure)


def _axes(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _pair(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    both = figure.subplots(1, 2)
    for axes in both:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    return figure, both


def _box(k: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((k - 0.5, k - 0.5), 1, 1, fill=False, edgecolor=_LINES[0], linewidth=1.0)


def _save(figure: Any, path: Path) -> None:
    part = path.with_name(f".{path.name}.part")
    figure.savefig(part, format="png", dpi=150, bbox_inches="tight")
    part.replace(path)


def _svg(figure: Any) -> str:
    import matplotlib as mpl

    held = io.StringIO()
    # Letters stay letters: they can be read, searched and scaled. No date, no chance ids: the same figure is the same.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "xqdata"}):
        figure.savefig(held, format="svg", metadata={"Date": None}, transparent=True)
    text = held.getvalue()
    return text[text.index("<svg") :]
