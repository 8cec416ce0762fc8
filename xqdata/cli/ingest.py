"""`xqdata ingest`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from xqdata import config, manifest, remote
from xqdata.cli import options as opt
from xqdata.cli.crosstab import crosstab
from xqdata.errors import InputError
from xqdata.ingest import Account, Options, Result, Root, ingest, resolve
from xqdata.ingest.summary import Summary, summarise
from xqdata.taxonomy import Taxonomy

_EXAMPLES = 3


@click.command()
@click.argument("raw", nargs=-1)
@click.option("--reader", "readers", multiple=True, metavar="NAME", help="Use only this reader (may be repeated).")
@opt.taxonomy_option
@click.option("--forget", "forgotten", multiple=True, metavar="NAME", help="Drop the rows of this raw folder.")
@click.option("--dry-run", is_flag=True, help="Read everything and show the outcome, but write nothing.")
@click.option(
    "--strict", is_flag=True, help="Exit with code 3 if anything was rejected for another reason than ignored."
)
@opt.workers_option
@opt.json_option
@opt.quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    raw: tuple[str, ...],
    readers: tuple[str, ...],
    taxonomy_path: Path | None,
    forgotten: tuple[str, ...],
    dry_run: bool,
    strict: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Read raw folders and write the tables images, rejects, sources and detections.

    RAW is a folder of scans or its address, such as s3://bucket/folder (pip install 'xqdata[remote]'), or NAME=RAW to
    call it by another name in the tables. Without RAW, the folders that the tables hold already are read again. Only
    new and changed files are opened. A file that cannot be used becomes a row of rejects with its reason; nothing is
    ever changed in RAW.

    \b
    Examples
      xqdata ingest raw/
      xqdata ingest siteA=/data/a/raw siteB=/data/b/raw --strict
      xqdata ingest raw/ --dry-run
      xqdata ingest siteA=s3://scans/a/raw
      xqdata ingest raw=/new/place/raw     the folder called raw was moved
      xqdata ingest --forget old           the folder called old is no longer part of this project
    """
    project = opt.project()
    settings = config.load(project.folder)
    out, err = opt.consoles(quiet, as_json)
    before = manifest.provenance(project, "images") if manifest.exists(project, "images") else None
    known = _known(dict(before.roots) if before else {}, forgotten)
    roots = resolve(raw or _again(known, forgotten), known)
    _warn(err, project.folder, known, roots)
    if before and not raw and taxonomy_path is None:
        taxonomy_path = _same_taxonomy(before.options)
    taxonomy = opt.chosen_taxonomy(taxonomy_path, settings)
    with _progress(err) as progress:
        # On one terminal the bar and the lines must go through one console, or they tear each other.
        wanted = readers or tuple(settings.ingest.readers)
        live = _Live(err if sys.stdout.isatty() and sys.stderr.isatty() else out, progress, wanted)
        file = str(taxonomy_path.resolve()) if taxonomy_path else None
        chosen = Options(dry_run, workers, readers, file, forgotten, live.announce, live.progress)
        result = ingest(project, roots, settings, taxonomy, chosen)
    summary = summarise(result, taxonomy)
    if as_json:
        opt.print_json(_document(result, summary, dry_run))
    else:
        _report(out, result, summary, taxonomy, dry_run)
    if strict and not summary.only_ignored:
        err.print("[bold]--strict:[/bold] something was rejected for another reason than ignored")
        ctx.exit(3)


def _known(places: dict[str, str], forgotten: tuple[str, ...]) -> dict[str, str]:
    """The raw folders that the tables hold, by name, without those to be forgotten."""
    for name in forgotten:
        if name not in places:
            hint = f"raw folders are {', '.join(places) or 'none yet'}"
            raise InputError("no raw folder of the tables is called so", where=name, hint=hint)
    return {name: place for name, place in places.items() if name not in forgotten}


def _again(known: dict[str, str], forgotten: tuple[str, ...]) -> list[str]:
    if forgotten and not known:
        hint = "name the folder to read in its place, or delete manifests/ to start anew"
        raise InputError("the tables hold no other raw folder", where=", ".join(forgotten), hint=hint)
    if not known:
        raise click.UsageError(
            "Missing argument 'RAW': name the folder that holds the scans, as in: xqdata ingest raw/"
        )
    gone = [name for name, place in known.items() if not remote.stands(place)]
    if gone:
        hint = f"if it was moved: xqdata ingest {gone[0]}=NEW_PLACE; if it is to be left out: --forget {gone[0]}"
        raise InputError(f"the raw folder {gone[0]} is no longer there", where=known[gone[0]], hint=hint)
    return [f"{name}={place}" for name, place in known.items()]


def _warn(err: Console, folder: Path, known: dict[str, str], roots: Sequence[Root]) -> None:
    """Say what a person may not have meant."""
    told = [
        f"{name} is no longer at {place}, its rows stay. If it is what you read now: xqdata ingest {name}=NEW_PLACE"
        for name, place in known.items()
        if name not in {root.name for root in roots} and not remote.stands(place)
    ]
    if any(remote.within(folder, root.location) for root in roots):
        told.append("you are inside the raw folder: the tables go there too. Better work in a folder of your own")
    for line in told:
        err.print(Text.assemble(("warning: ", "yellow"), opt.shown(line)), soft_wrap=True)


def _same_taxonomy(options: Mapping[str, Any]) -> Path | None:
    """The taxonomy file that all raw folders were read with, if they were read with one."""
    files = {told.get("taxonomy_file") for told in options.get("roots", {}).values()}
    (file,) = files if len(files) == 1 else (None,)
    return Path(file) if file else None


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("reading {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=console.quiet or not console.is_terminal)


class _Live:
    """What is told while an ingest runs: how each folder was understood, then how far reading it has come.

    `wanted`: the only readers that are asked; empty: all are.
    """

    def __init__(self, out: Console, progress: Progress, wanted: Sequence[str] = ()) -> None:
        self.out = out
        self.wanted = wanted
        self.bar = progress
        self.tasks: dict[str, TaskID] = {}

    def announce(self, account: Account) -> None:
        """Say which readers were chosen and what they make of a few paths."""
        title = Text.assemble(opt.shown(account.root.name, "bold"), f": {account.found:,} files in ")
        self.say(title.append_text(opt.shown(account.root.location)), 0)
        for name, why in account.readers:
            self.say(Text.assemble("reader ", (name, "cyan"), ": ", opt.shown(why)), 2)
        if not account.readers and account.examples:
            hint = "no reader knows this layout, so nothing says what the scans show. Tell xqdata how: xqdata init RAW"
            if self.wanted:
                named = ", ".join(self.wanted)
                hint = (
                    f"none of the readers that were asked for ({named}) knows this layout; others may: ask all of them"
                )
            self.say(Text(hint, "yellow"), 2)
        for path, fields in account.examples if account.readers else ():
            self.say(opt.shown(path, "dim"), 2)
            told = ", ".join(f"{k} = {_value(v)}" for k, v in fields.items() if not _repeats(k, fields)) or "nothing"
            self.say(opt.shown(told), 4)

    def say(self, text: Text, indent: int) -> None:
        """Print a line; on a terminal what does not fit goes on below, indented as its beginning."""
        opt.say(self.out, text, indent)

    def progress(self, root: str, done: int, total: int) -> None:
        """Move the bar."""
        if root not in self.tasks:
            self.tasks[root] = self.bar.add_task(opt.shown_path(root), total=total, rate="")
        task = self.tasks[root]
        self.bar.update(task, completed=done, visible=done < total)
        speed = self.bar.tasks[self.bar.task_ids.index(task)].speed
        self.bar.update(task, rate=f"{speed:,.0f} files/s" if speed else "")


def _report(out: Console, result: Result, summary: Summary, taxonomy: Taxonomy, dry_run: bool) -> None:
    out.print()
    for renderable in crosstab(summary, taxonomy, out.width):
        out.print(renderable)
    out.print()
    _counts(out, summary)
    _rejects(out, result, summary)
    _unknowns(out, summary, taxonomy)
    for account in result.accounts:
        for note in account.notes:
            opt.say(out, Text.assemble("note: ", opt.shown(note)), 2)
    if dry_run:
        out.print("\nDry run: nothing was written.")
    elif result.changed:
        written = ", ".join(f"{name} ({result.tables[name].num_rows:,} rows)" for name in result.tables)
        opt.say(out, Text.assemble("\nWrote ", written, " in manifests/. Next: ", ("xqdata dedup", "bold")), 0)
    else:
        out.print("\nNothing has changed: the tables in manifests/ stand as they were.")


def _scans(number: int) -> str:
    return "scan" if number == 1 else "scans"


def _counts(out: Console, summary: Summary) -> None:
    rejected = sum(summary.rejected.values())
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    rows = [
        (summary.found, "files found"),
        (summary.recorded, "recorded" + (f", {summary.images:,} pages" if summary.images != summary.recorded else "")),
        (rejected, "rejected: " + _first(summary.rejected, 99) if rejected else "rejected"),
        (summary.sources, "read for their metadata (sources)"),
        (summary.no_object, f"{_scans(summary.no_object)} whose object nothing names"),
        (sum(summary.unknown_objects.values()), f"objects outside the taxonomy: {_first(summary.unknown_objects)}"),
        (summary.no_scan_type, f"{_scans(summary.no_scan_type)} whose scan type nothing names"),
        (sum(summary.unknown_scan_types.values()), f"scan types outside it: {_first(summary.unknown_scan_types)}"),
        (summary.missing, "rows of files that are gone (missing)"),
        (summary.unchanged, "files unchanged since the last run, not opened again"),
    ]
    always = 4
    for position, (count, what) in enumerate(rows):
        if count or position < always:
            table.add_row(f"{count:,}", opt.shown(what))
    out.print(table)


def _rejects(out: Console, result: Result, summary: Summary) -> None:
    rejects = result.of_this_run("rejects", outside=True)
    for title, counts in (("rejected files", summary.rejected), ("rows and pages left out", summary.strays)):
        for reason, count in counts.items():
            if reason != "ignored":
                whole = pc.is_null(rejects["item"]) if counts is summary.rejected else pc.is_valid(rejects["item"])
                rows = rejects.filter(pc.and_(whole, pc.equal(rejects["reason"], reason)))
                opt.say(out, Text(f"{title}: {reason} {count:,}", "bold"), 2)
                _reject_lines(out, rows)


def _reject_lines(out: Console, rows: pa.Table) -> None:
    for row in rows.slice(0, _EXAMPLES).to_pylist():
        place = row["path"] + (f" ({row['item']})" if row["item"] else "")
        opt.say(out, Text.assemble(opt.shown(place, "dim"), ": ", opt.shown(row["message"])), 4)
    if rows.num_rows > _EXAMPLES:
        opt.say(out, Text(f"and {rows.num_rows - _EXAMPLES:,} more in the table rejects"), 4)


def _first(counts: Mapping[str, int], most: int = 4) -> str:
    told = [f"{name} {count:,}" for name, count in list(counts.items())[:most]]
    return ", ".join([*told, "…"] if len(counts) > most else told)


def _unknowns(out: Console, summary: Summary, taxonomy: Taxonomy) -> None:
    for name, count in list(summary.unknown_objects.items()):
        near = taxonomy.nearest_object(name)
        if near:
            guess = f"{name!r} ({count:,}) is not in the taxonomy; did you mean {near}?"
            opt.say(out, opt.shown(guess, "yellow"), 2)


def _repeats(column: str, fields: dict[str, Any]) -> bool:
    return column == "objects" and "object" in fields


def _value(value: object) -> str:
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _document(result: Result, summary: Summary, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changed": result.changed and not dry_run,
        **asdict(summary),
        "cells": [{"object": o, "scan_type": s, "images": n} for (o, s), n in sorted(summary.cells.items())],
        "roots": [
            {
                "root": a.root.name,
                "location": str(a.root.location),
                "found": a.found,
                "readers": [{"reader": name, "why": why} for name, why in a.readers],
                "examples": [{"path": path, **fields} for path, fields in a.examples],
                "notes": a.notes,
            }
            for a in result.accounts
        ],
    }
