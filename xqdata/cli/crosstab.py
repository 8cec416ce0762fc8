"""The table object x scan type, fitted to the width of the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.columns import Columns
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from xqdata.cli.options import shown
from xqdata.ingest.summary import SEVERAL, UNKNOWN, Summary
from xqdata.taxonomy import Taxonomy

_MOST_ROWS = 40


def crosstab(summary: Summary, taxonomy: Taxonomy, width: int) -> list[RenderableType]:
    """Images by object (rows) and scan type (columns), with totals; a legend follows where headings had to be short."""
    if not summary.cells:
        return [Text("No image was recorded.")]
    rows = _ordered({o for o, _ in summary.cells}, taxonomy.objects)
    columns = _ordered({s for _, s in summary.cells}, taxonomy.scan_types)
    short = sum(len(c) + 3 for c in columns) + max(map(len, rows)) + 12 > width
    heads = [_letter(n) for n in range(len(columns))] if short else columns
    table = Table(box=None, header_style="bold", padding=(0, 1), show_footer=True)
    table.add_column("object", footer="total")
    per_column = Counter[str]()
    for (_, scan), count in summary.cells.items():
        per_column[scan] += count
    for head, column in zip(heads, columns, strict=True):
        table.add_column(shown(head), justify="right", footer=f"{per_column[column]:,}")
    table.add_column("total", justify="right", footer=f"{per_column.total():,}")
    for name in rows[:_MOST_ROWS]:
        counts = [summary.cells.get((name, column), 0) for column in columns]
        known = name in taxonomy.objects or name in (UNKNOWN, SEVERAL)
        cells = [f"{n:,}" if n else "·" for n in counts]
        table.add_row(shown(name, "" if known else "yellow"), *cells, f"{sum(counts):,}")
    after: list[RenderableType] = [table]
    if len(rows) > _MOST_ROWS:
        after.append(Text(f" … and {len(rows) - _MOST_ROWS:,} more objects", "dim"))
    if short:
        legend = [shown(f" {head} {column}", "dim") for head, column in zip(heads, columns, strict=True)]
        after.append(Columns(legend, padding=(0, 2)))
    return after


def _ordered(names: set[str], known: Iterable[str]) -> list[str]:
    """The taxonomy's order, then strangers by name, then scans of several objects and of none that is known."""
    order = {name: n for n, name in enumerate(known)} | {SEVERAL: 1 << 30, UNKNOWN: 1 << 31}
    return sorted(names, key=lambda name: (order.get(name, 1 << 29), name))


def _letter(number: int) -> str:
    last = chr(ord("a") + number % 26)
    return last if number < 26 else _letter(number // 26 - 1) + last
