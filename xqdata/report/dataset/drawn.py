"""Figures of the page, by matplotlib, as SVG that follows the page from light to dark.

They hold numbers and dates only: names from the data stand beside them as HTML, where every letter has its glyph.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What matplotlib draws, and what the page makes of it.
_INK, _SOFT, _LINE, _ACCENT, _BAD = "#1d2431", "#5d6879", "#d9dee7", "#1f5f98", "#b3261f"
_THEME = {_INK: "var(--ink)", _SOFT: "var(--soft)", _LINE: "var(--line)", _ACCENT: "var(--accent)", _BAD: "var(--bad)"}
_PARTS = tuple(f"#10{n:02x}01" for n in range(8))

Floats = NDArray[np.float64]


def part_colour(number: int) -> str:
    """The colour of the part of this number, in style sheets; more than eight parts share them."""
    return f"var(--part{number % len(_PARTS)})"


def timeline(starts: NDArray[np.datetime64], ends: NDArray[np.datetime64], counts: NDArray[np.int64]) -> str:
    """Images by time. `starts`, `ends`: of each bar."""
    figure, axes = _figure(9.0, 2.3)
    days = (ends - starts) / np.timedelta64(1, "D")
    axes.bar(starts, counts, width=days * 0.92, align="edge", color=_ACCENT)
    _dated(axes)
    axes.set_ylabel("images")
    return _svg(figure, "timeline")


def histogram(values: Floats, outside: NDArray[np.bool_], name: str) -> str:
    """How often which value occurs; those that are `outside` stand before the others in red."""
    figure, axes = _figure(3.6, 1.7)
    counts, edges = np.histogram(values, bins=40)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=_ACCENT)
    axes.bar(edges[:-1], np.histogram(values[outside], edges)[0], np.diff(edges), align="edge", color=_BAD)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel("images")
    return _svg(figure, f"histogram {name}")


def components(sizes: Sequence[int], parts: Sequence[int], name: str) -> str:
    """Images of each component, the largest first, in the colour of its part (-1: of none)."""
    figure, axes = _figure(9.0, 1.9)
    colours = [_PARTS[part % len(_PARTS)] if part >= 0 else _SOFT for part in parts]
    axes.bar(np.arange(len(sizes)), sizes, width=0.86, color=colours)
    axes.set_xlim(-0.7, max(len(sizes) - 0.3, 9.7))
    axes.set_xticks([])
    axes.set_ylabel("images")
    axes.set_xlabel("components")
    return _svg(figure, f"components {name}")


def _dated(axes: Any) -> None:
    from matplotlib import dates

    locator = dates.AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_SOFT)
    axes.tick_params(colors=_SOFT, labelcolor=_INK, labelsize=8)
    axes.xaxis.label.set(color=_INK, fontsize=9), axes.yaxis.label.set(color=_INK, fontsize=9)
    axes.xaxis.get_offset_text().set(color=_INK, fontsize=8)
    axes.grid(axis="y", color=_LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, salt: str) -> str:
    import matplotlib as mpl

    held = io.StringIO()
    # Letters stay letters. No date, no chance ids: the same figure is the same. Each has ids of its own, for they share
    # one page.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"xqdata {salt}"}):
        figure.savefig(held, format="svg", metadata={"Date": None}, transparent=True)
    text = held.getvalue()
    text = text[text.index("<svg") :]
    theme = _THEME | {colour: part_colour(n) for n, colour in enumerate(_PARTS)}
    for drawn, shown in theme.items():
        text = text.replace(drawn, shown)
    return text
