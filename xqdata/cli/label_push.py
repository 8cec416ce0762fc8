"""`xqdata label push`."""

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
    from xqdata.app.exchange import Difference, Exchanged


@click.command()
@both.exchange_options
@click.pass_context
def command(ctx: click.Context, side: str | None, name: str | None, as_json: bool, quiet: bool) -> None:
    """Tell FiftyOne what changed in the label log: what was imported, undone, or pulled by others.

    What people changed in FiftyOne stays there, for xqdata label pull to bring home. What changed on both sides is a
    conflict. It is shown and left as it is, until --ours or --theirs decides. The exit code is 3 while conflicts
    remain. Images are neither added nor taken out: xqdata view does that, and all that push does.

    The App may be open meanwhile. Load its page again to see what changed.

    \b
    Examples
      xqdata label push
      xqdata label push --ours
      xqdata label push --json
    """
    project, done = both.exchange("push", name, None, side)
    out, _ = opt.consoles(quiet, as_json)
    places = told.places(manifest.read(project, "images", ["image_id", "root", "path"]))
    if as_json:
        opt.print_json(both.document(done, places) | {"unpulled": len(done.compared.pull)})
    else:
        _tell(out, done, places)
    if done.conflicts:
        ctx.exit(3)


def _tell(out: Console, done: Exchanged, places: Mapping[str, str]) -> None:
    opt.say(out, opt.shown(f"{several(len(done.written), 'label', 'labels')} written to FiftyOne", "bold"), 0)
    both.tell_lines(out, [_line(each, places) for each in done.written])
    both.tell_conflicts(out, done, places)
    both.tell_notes(out, done, places)
    if done.compared.absent:
        absent = several(len(done.compared.absent), "image is", "images are")
        opt.say(out, opt.shown(f"{absent} not in FiftyOne: xqdata view loads what is missing"), 0)
    if done.compared.pull:
        changed = several(len(done.compared.pull), "change in FiftyOne is", "changes in FiftyOne are")
        opt.say(out, opt.shown(f"{changed} not in the log yet: xqdata label pull"), 0)


def _line(each: Difference, places: Mapping[str, str]) -> Text:
    where = places.get(each.image_id, each.image_id)
    return opt.shown(f"{where}: {each.topic} {told.value(each.theirs)} → {told.value(each.ours)}")
