"""`xqdata label pull`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from xqdata import manifest
from xqdata.cli import label_exchange as both
from xqdata.cli import label_told as told
from xqdata.cli import options as opt
from xqdata.words import several

if TYPE_CHECKING:  # it takes several seconds to load
    from xqdata.app.exchange import Exchanged
    from xqdata.labels import Event


@click.command()
@click.option("--by", metavar="NAME", help="Who changed what FiftyOne tells no name of (default: the user).")
@both.exchange_options
@click.pass_context
def command(ctx: click.Context, by: str | None, side: str | None, name: str | None, as_json: bool, quiet: bool) -> None:
    """Append to the label log what people changed and said in FiftyOne.

    What stands in FiftyOne is compared with the effective labels: object, objects, scan_type, specimens, and the tags
    reject and second_look. What xqdata's operators were told comes with its reason and who said it, also where it
    confirms a label. Whatever is in the log already is not appended again.

    What changed on both sides since the last exchange is a conflict. It is shown and left as it is, until --ours or
    --theirs decides. All else is pulled. The exit code is 3 while conflicts remain.

    The App may be open meanwhile.

    \b
    Examples
      xqdata label pull
      xqdata label pull --by kim --theirs
      xqdata label pull --json
    """
    project, done = both.exchange("pull", name, by, side)
    out, _ = opt.consoles(quiet, as_json)
    places = told.places(manifest.read(project, "images", ["image_id", "root", "path"]))
    if as_json:
        opt.print_json(both.document(done, places) | {"behind": len(done.compared.push)})
    else:
        _tell(out, done, places)
    if done.conflicts:
        ctx.exit(3)


def _tell(out: Console, done: Exchanged, places: Mapping[str, str]) -> None:
    opt.say(out, opt.shown(f"{several(len(done.events), 'verdict', 'verdicts')} appended", "bold"), 0)
    both.tell_lines(out, [_line(event, places) for event in done.events])
    if done.written:
        dropped = several(len(done.written), "change in FiftyOne was", "changes in FiftyOne were")
        opt.say(out, opt.shown(f"{dropped} dropped: the label log's word stands"), 0)
    both.tell_conflicts(out, done, places)
    both.tell_notes(out, done, places)
    if done.compared.push:
        behind = len(done.compared.push)
        opt.say(
            out,
            opt.shown(
                f"FiftyOne lacks {several(behind, 'label', 'labels')} that changed in the log: xqdata label push"
            ),
            0,
        )
    if done.events:
        opt.say(out, opt.shown(f"To take it back: xqdata label undo --last {len(done.events)}"), 0)


def _line(event: Event, places: Mapping[str, str]) -> Text:
    row = event.row
    other = f" = {places.get(event.other_image_id, event.other_image_id)}" if event.other_image_id else ""
    text = (
        f"{places.get(event.image_id, event.image_id)}{other}: {event.field} {told.spelled(row['before'])} → "
        f"{told.spelled(row['after'])} ({event.by}{f': {event.why}' if event.why else ''})"
    )
    return opt.shown(text)
