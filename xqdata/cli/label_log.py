"""`xqdata label log`."""

from __future__ import annotations

import click
from rich.table import Table

from xqdata import labels, manifest
from xqdata.cli import label_told as told
from xqdata.cli import options as opt
from xqdata.schema import LABEL_FIELDS


@click.command()
@click.argument("image", required=False)
@click.option("--by", metavar="NAME", help="Only what this person said.")
@click.option("--field", "name", type=click.Choice(LABEL_FIELDS), help="Only what is about this.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the N latest.")
@opt.json_option
@opt.quiet_option
def command(image: str | None, by: str | None, name: str | None, last: int | None, as_json: bool, quiet: bool) -> None:
    """Show the label log, the latest event last: who said what of which image, when and why.

    IMAGE is an image_id, or a part of a path. What was taken back is shown, and marked.

    \b
    Examples
      xqdata label log
      xqdata label log mango/0042.png --by kim
      xqdata label log --last 20 --json
    """
    project = opt.project()
    out, _ = opt.consoles(quiet, as_json)
    places = told.places(manifest.read(project, "images", ["image_id", "root", "path"]))
    rows = labels.log(project).to_pylist()
    gone = labels.undone(rows)
    kept = [
        row
        for row in rows
        if by in (None, row["by"])
        and name in (None, row["field"])
        and (image is None or image == row["image_id"] or image in places.get(row["image_id"], ""))
    ]
    kept = kept[-last:] if last else kept
    if as_json:
        opt.print_json([told.document(row, places) | {"undone": row["event_id"] in gone} for row in kept])
        return
    if not kept:
        out.print("No events." if rows else "The label log is empty: nobody has judged anything yet.")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("event", "when (UTC)", "who", "what", "before", "after", "image", "why"):
        table.add_column(column, overflow="fold", no_wrap=column == "event")
    for row in kept:
        mark = "undo: " if row["undoes"] else ""
        style = "strike dim" if row["event_id"] in gone else ""
        other = f" = {places.get(row['other_image_id'], row['other_image_id'])}" if row["other_image_id"] else ""
        cells = (row["event_id"][: told.SHORT], row["at"].isoformat(" ", "seconds"), row["by"], mark + row["field"],
                 told.spelled(row["before"]), told.spelled(row["after"]),
                 places.get(row["image_id"], row["image_id"]) + other, row["why"] or "")  # fmt: skip
        if not out.is_terminal and row["event_id"] in gone:
            cells = (*cells[:3], f"{cells[3]} (taken back)", *cells[4:])
        table.add_row(*(opt.shown(cell, style) for cell in cells))
    out.print(table)
