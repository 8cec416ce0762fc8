"""`xqdata status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from xqdata import config
from xqdata.cli import options as opt
from xqdata.config import Config
from xqdata.errors import XqdataError
from xqdata.ingest import told_options
from xqdata.status import TableStatus, status

# What is told of a table between its rows and its state, and what of that a narrow terminal does without.
_FACTS = ("digest", "made by", "at")
_LEFT_OUT = ((), ("made by",), ("made by", "at"), _FACTS)
# Columns in which any table has room, to measure what it wants.
_UNLIMITED = 10_000


@click.command()
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(taxonomy_path: Path | None, as_json: bool, quiet: bool) -> None:
    """Show which tables stand in manifests/, their rows and digests, and which are stale.

    A table is stale when what it was made from has changed since: another table, the config, the taxonomy. That is a
    warning; the table stays usable. The digest does not depend on the machine or on the order of rows.

    \b
    Example
      xqdata status --json
    """
    project = opt.project()
    settings = config.load(project.folder)
    found = status(project, {"ingest": lambda options: ingest_changed(options, settings, taxonomy_path)})
    out, _ = opt.consoles(quiet, as_json)
    if as_json:
        opt.print_json({"folder": str(project.folder), "tables": [asdict(table) for table in found]})
        return
    if not found:
        out.print("No table stands here yet. Start with: [bold]xqdata ingest RAW[/bold]")
        return
    out.print(fitting(out, found))
    stale: dict[str, list[str]] = {}
    for line in found:
        for reason in line.stale:
            stale.setdefault(reason, []).append(line.name)
    for reason, names in stale.items():
        opt.say(out, opt.shown(f"stale, {', '.join(names)}: {reason}", "yellow"), 2)
    if commands := list(dict.fromkeys(line.command for line in found if line.stale)):
        again = ", ".join(sorted(commands, key=lambda name: (_STEPS.index(name) if name in _STEPS else 9, name)))
        opt.say(out, opt.shown(f"Run again, with the options of before: {again}"), 2)


# In the order in which they stand on one another.
_STEPS = ("ingest", "dedup", "split", "audit")


def fitting(out: Console, found: Sequence[TableStatus]) -> Table:
    """The tables, one a line, with as many facts as leave the names whole."""
    unlimited = out.options.update(width=_UNLIMITED)
    sound = [replace(line, rows=line.rows or 0, damage="") for line in found]  # what is told of damage may be folded
    for left_out in _LEFT_OUT:
        if out.measure(_table(sound, left_out), options=unlimited).maximum <= out.width:
            return _table(found, left_out)
    return _table(found, _FACTS, whole=False)


def _table(found: Sequence[TableStatus], left_out: Sequence[str], *, whole: bool = True) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("table", no_wrap=whole, overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    facts = [name for name in _FACTS if name not in left_out]
    for heading in facts:
        table.add_column(heading, no_wrap=True)
    table.add_column("state")
    for line in found:
        if line.damage:
            state = opt.shown(f"damaged: {line.damage}", "red")
        else:
            state = opt.shown("stale", "yellow") if line.stale else opt.shown("current", "green")
        at = line.time[:16].replace("T", " ")
        told = {"digest": line.digest[:12] if line.rows else "-", "made by": line.command, "at": at}
        rows = "" if line.damage else f"{line.rows:,}"
        table.add_row(line.name, rows, *("" if line.damage else told[name] for name in facts), state)
    return table


def ingest_changed(options: Mapping[str, Any], settings: Config, taxonomy_path: Path | None) -> list[str]:
    """In what the options of an ingest differ from those of today, for each raw folder."""
    reasons = []
    for root, told in options.get("roots", {}).items():
        file = taxonomy_path or (Path(told["taxonomy_file"]) if told.get("taxonomy_file") else None)
        try:
            today = told_options(settings, opt.chosen_taxonomy(file, settings))
        except XqdataError as error:
            reasons.append(str(error))
            continue
        reasons += [f"{key} has changed since {root} was read" for key, value in today.items() if told[key] != value]
    return list(dict.fromkeys(reasons))
