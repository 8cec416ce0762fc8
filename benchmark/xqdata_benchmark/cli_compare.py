"""`xqdata compare`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from xqdata import runs
from xqdata.cli import options as opt
from xqdata_benchmark.compare import Compared, compare


@click.command()
@click.argument("names", metavar="RUN RUN...", nargs=-1, required=True)
@opt.json_option
@opt.quiet_option
def command(names: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Put runs side by side on the images that all of them tested; differences are to the first.

    An interval that holds 0 says that these images cannot tell the two apart. The bootstrap draws whole components, the
    same ones for both sides; what training again would change, it does not hold.

    \b
    Example
      xqdata compare knn-default linear-default quick-default
    """
    project = opt.project()
    out, _ = opt.consoles(quiet, as_json)
    found = compare([runs.read(project, name) for name in names])
    if as_json:
        opt.print_json(asdict(found))
        return
    out.print(
        f"{found.images:,} images of {found.components:,} components were tested by all of them.\n", soft_wrap=True
    )
    table = _table(found)
    # A table that is squeezed into the terminal cuts the runs' names, which are all that tells them apart.
    room = out.measure(table, options=out.options.update(width=1000)).maximum <= out.width
    if out.is_terminal and room:
        out.print(table)
    else:
        for row in found.rows:
            opt.say(out, _line(row), 2)
    for note in found.notes:
        opt.say(out, Text.assemble(("note: ", "bold"), opt.shown(note)), 2)


def _table(found: Compared) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("run")
    for word in ("accuracy", "difference (95%)", "balanced accuracy", "difference (95%)"):
        table.add_column(word, no_wrap=True)
    table.add_column("only this is right", justify="right")
    table.add_column("only the first is", justify="right")
    for row in found.rows:
        table.add_row(
            opt.shown(row["run"] + (" (leaky)" if row["leaking"] else "")),
            f"{row['accuracy']['value']:.1%}",
            _difference(row, "accuracy"),
            f"{row['balanced_accuracy']['value']:.1%}",
            _difference(row, "balanced_accuracy"),
            f"{row['only_this']:,}" if "only_this" in row else "",
            f"{row['only_first']:,}" if "only_first" in row else "",
        )
    return table


def _difference(row: dict[str, Any], name: str) -> Text:
    one = row.get(f"{name}_difference")
    if one is None:
        return Text("the first", "dim")
    value = f"{100 * one['value']:+.1f}"
    if one["low"] is None:
        return Text(f"{value} points, too few components for an interval")
    apart = one["low"] > 0 or one["high"] < 0
    return Text(f"{value} ({100 * one['low']:+.1f} to {100 * one['high']:+.1f})", "bold" if apart else "dim")


def _line(row: dict[str, Any]) -> Text:
    told = f"{row['run']}: accuracy {row['accuracy']['value']:.1%}, balanced {row['balanced_accuracy']['value']:.1%}"
    if "only_this" in row:
        told += (
            f"; difference {_difference(row, 'accuracy').plain}, balanced {_difference(row, 'balanced_accuracy').plain}"
        )
        told += f"; right alone {row['only_this']:,}, the first alone {row['only_first']:,}"
    return opt.shown(told)
