"""What `xqdata label pull` and `xqdata label push` share: their options, the dataset, and how differences are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from xqdata import config, manifest
from xqdata.cli import label_told as told
from xqdata.cli import options as opt
from xqdata.cli.options import F
from xqdata.manifest import Project
from xqdata.words import several

if TYPE_CHECKING:  # it takes several seconds to load
    from xqdata.app.exchange import Difference, Exchanged

SHOWN = 20


def exchange_options(command: F) -> F:
    """The options of both commands."""
    for option in (
        opt.quiet_option,
        opt.json_option,
        click.option("--name", help="The dataset's name in FiftyOne (default: the project's)."),
        click.option("--theirs", "side", flag_value="theirs", help="Where both changed, FiftyOne's word counts."),
        click.option("--ours", "side", flag_value="ours", help="Where both changed, the label log's word counts."),
    ):
        command = option(command)
    return command


def exchange(which: str, name: str | None, by: str | None, side: str | None) -> tuple[Project, Exchanged]:
    """Pull or push between the label log and the project's dataset in FiftyOne."""
    from xqdata.app.database import connect, shared

    project = opt.project()
    settings = config.load(project.folder)
    taxonomy = opt.chosen_taxonomy(None, settings)
    manifest.provenance(project, "images")  # before the database: without it there is nothing to compare with
    fiftyone = connect(project)
    from xqdata.app import exchange as app
    from xqdata.app.load import present_dataset

    dataset = present_dataset(name or settings.name or project.folder.name, project, shared(fiftyone))
    act: Callable[..., Exchanged] = getattr(app, which)
    return project, act(project, taxonomy, dataset, by or told.user(), side)


def document(done: Exchanged, places: Mapping[str, str]) -> dict[str, Any]:
    """What --json prints."""
    found = done.compared
    return {
        "appended": [told.document(event.row, places) for event in done.events],
        "written": [_difference(each, places) for each in done.written],
        "conflicts": [_difference(each, places) for each in done.conflicts],
        "unclear": list(found.unclear),
        "deleted": list(found.deleted),
        "absent": list(found.absent),
        "foreign": dict(found.foreign),
        "strange": list(found.strange),
    }


def _difference(each: Difference, places: Mapping[str, str]) -> dict[str, Any]:
    return {
        "image_id": each.image_id,
        "other_image_id": each.other_image_id,
        "path": places.get(each.image_id),
        "field": each.topic,
        "before": each.put,
        "ours": each.ours,
        "theirs": each.theirs,
        "by": sorted({one.by for one in each.verdicts}),
    }


def tell_lines(out: Console, lines: Sequence[Text]) -> None:
    """Some lines, all of them in a pipe."""
    shown = lines[:SHOWN] if out.is_terminal else lines
    for line in shown:
        opt.say(out, line, 2)
    if len(shown) < len(lines):
        opt.say(out, opt.shown(f"… and {len(lines) - len(shown):,} more: --json has all of them"), 2)


def tell_conflicts(out: Console, done: Exchanged, places: Mapping[str, str]) -> None:
    """What both sides changed, and what to do about it."""
    if not done.conflicts:
        return
    out.print(
        Text(
            f"{several(len(done.conflicts), 'conflict', 'conflicts')}: changed in FiftyOne and in the label log",
            "bold yellow",
        )
    )
    tell_lines(out, [_conflict(each, places) for each in done.conflicts])
    opt.say(out, opt.shown("--ours keeps the label log's word, --theirs takes FiftyOne's"), 2)


def _conflict(each: Difference, places: Mapping[str, str]) -> Text:
    where = places.get(each.image_id, each.image_id)
    other = f" = {places.get(each.other_image_id, each.other_image_id)}" if each.other_image_id else ""
    by = sorted({one.by for one in each.verdicts})
    text = f"{where}{other}: {each.topic} was {told.value(each.put)}, is {told.value(each.ours)} in the log and "
    return opt.shown(f"{text}{told.value(each.theirs)} in FiftyOne ({', '.join(by)})")


def tell_notes(out: Console, done: Exchanged, places: Mapping[str, str]) -> None:
    """What else a person should know."""
    found = done.compared
    notes = [
        f"{places.get(image, image)}: its fields object and objects contradict each other; clear one of them"
        for image in found.unclear
    ]
    if found.deleted:
        notes.append(f"{len(found.deleted):,} images were deleted in FiftyOne, which says nothing of them: xqdata view "
                     "brings them back; to leave them out, reject them")  # fmt: skip
    if found.strange:
        notes.append(f"{len(found.strange):,} verdicts are about images that the tables do not have; they stay in "
                     "FiftyOne")  # fmt: skip
    notes += foreign(found.foreign)
    for note in notes:
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(note)), 0)


def foreign(names: Mapping[str, str | None]) -> Iterable[str]:
    """Names that no taxonomy knows."""
    for name, nearest in names.items():
        hint = f" (did they mean {nearest}?)" if nearest else ""
        yield f"no taxonomy knows {name!r}{hint}; it was kept as it is"
