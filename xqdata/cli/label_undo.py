"""`xqdata label undo`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from xqdata import config, labels, manifest
from xqdata.cli import label_told as told
from xqdata.cli import options as opt
from xqdata.errors import InputError


@click.command()
@click.argument("events", nargs=-1)
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="The N latest events.")
@click.option("--by", metavar="NAME", help="Who takes them back (default: the user).")
@click.option("--why", help="The reason.")
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(
    events: tuple[str, ...],
    last: int | None,
    by: str | None,
    why: str | None,
    taxonomy_path: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take verdicts back: for each an event is appended that restores what stood before it.

    EVENTS are ids as xqdata label log shows them; their first signs are enough. Nothing is removed from the log, and an
    undo can be undone. If something else was said of the same image later, that has to be undone first. All or none are
    taken back.

    \b
    Examples
      xqdata label undo 3f2a9c01b7de
      xqdata label undo --last 312 --why "imported under the wrong name"
    """
    if bool(events) == bool(last):
        raise click.UsageError("name events, or give --last N")
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, _ = opt.consoles(quiet, as_json)
    known = labels.log(project)["event_id"].to_pylist()
    if last and last > len(known):
        raise InputError(f"the label log has {len(known):,} events", hint="look at them: xqdata label log")
    wanted = known[-last:] if last else [_whole(one, known) for one in events]
    made = labels.undo(project, taxonomy, wanted, at=told.now(), by=by or told.user(), source="cli", why=why)
    places = told.places(manifest.read(project, "images", ["image_id", "root", "path"]))
    if as_json:
        opt.print_json([told.document(event.row, places) for event in made])
        return
    for event in made:
        row = event.row
        text = (
            f"{places.get(event.image_id, event.image_id)}: {event.field} {told.spelled(row['before'])} → "
            f"{told.spelled(row['after'])}"
        )
        opt.say(out, Text.assemble(("undone ", "bold"), opt.shown(text)), 0)
    opt.say(out, opt.shown(f"Taken back: {len(made):,}. To have them again: xqdata label undo --last {len(made)}"), 0)


def _whole(start: str, known: Sequence[str]) -> str:
    """The id that begins so. Raises InputError for none or several."""
    matching = [event_id for event_id in known if event_id.startswith(start.casefold())]
    if len(matching) != 1:
        what = "no event's id begins so" if not matching else f"{len(matching):,} events' ids begin so"
        raise InputError(what, where=start, hint="look at them: xqdata label log")
    return matching[0]
