"""`xqdata label diff`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xqdata import config, labels, manifest
from xqdata.cli import label_told as told
from xqdata.cli import options as opt
from xqdata.labels import Change, Conflict
from xqdata.words import several


@click.command()
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(taxonomy_path: Path | None, as_json: bool, quiet: bool) -> None:
    """Show what the label log changes: each label that differs from what the export told, and who says so.

    Below stand conflicts: verdicts whose author saw another value than the one they replaced, and verdicts on a file
    that was replaced since, which do not count.

    \b
    Examples
      xqdata label diff
      xqdata label diff --json
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, _ = opt.consoles(quiet, as_json)
    images, log = manifest.read(project, "images", [*labels.COLUMNS, "root", "path"]), labels.log(project)
    places = told.places(images)
    changes, conflicts = labels.changes(images, log, taxonomy), labels.conflicts(images, log, taxonomy)
    if as_json:
        opt.print_json({
            "changes": [asdict(one) | {"path": places.get(one.image_id)} for one in changes],
            "conflicts": [asdict(one) | {"path": places.get(one.image_id)} for one in conflicts],
        })  # fmt: skip
        return
    if not changes:
        out.print("The labels are those of the export: the log changes none.")
    else:
        _tell(out, changes, places)
    _conflicts(out, conflicts, places)


def _tell(out: Console, changes: list[Change], places: dict[str, str]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("image", "what", "export", "now", "who", "event"):
        table.add_column(column, overflow="fold", no_wrap=column == "event")
    for one in changes:
        cells = (places.get(one.image_id, one.image_id), one.field, told.value(one.before), told.value(one.after),
                 one.by or "", (one.event_id or "")[: told.SHORT])  # fmt: skip
        table.add_row(*(opt.shown(cell) for cell in cells))
    out.print(table)
    counted = ", ".join(f"{name} {number:,}" for name, number in Counter(one.field for one in changes).items())
    differing = several(len({one.image_id for one in changes}), "image differs", "images differ")
    out.print(f"\n{differing} from the export: {counted}")


def _conflicts(out: Console, conflicts: list[Conflict], places: dict[str, str]) -> None:
    for one in conflicts:
        where = places.get(one.image_id, one.image_id)
        if one.reason == "file":
            text = (
                f"{where}: the file was replaced since it was judged ({one.event_id[: told.SHORT]}); it does not count"
            )
        else:
            seen, was = told.value(one.seen), told.value(one.replaced)
            text = f"{where}: {one.field} was {was}, not {seen}, when {one.event_id[: told.SHORT]} replaced it"
        opt.say(out, Text.assemble(("conflict: ", "yellow"), opt.shown(text)), 0)
