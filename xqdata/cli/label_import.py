"""`xqdata label import`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from xqdata import config
from xqdata.annotators import TOOLS, Taken, take
from xqdata.cli import options as opt
from xqdata.words import several

_NAMED = 5


@click.command()
@click.argument("tool", type=click.Choice(list(TOOLS)))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--by", metavar="NAME", help="Who answered, where the file does not tell it.")
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(tool: str, file: Path, by: str | None, taxonomy_path: Path | None, as_json: bool, quiet: bool) -> None:
    """Append an annotation tool's answers to the label log, each once.

    \b
    TOOL
      cvat          what CVAT exports as "CVAT for images 1.1": the XML, or the archive with it
      label-studio  what Label Studio exports as JSON

    An answer is a verdict also where it confirms the label. Images are found by their image_id, else by the raw file's
    path or name. Objects are found as the taxonomy spells them; other names are kept, and told. The answers reject and
    second_look set those fields.

    \b
    Examples
      xqdata label import cvat task_7.zip --by kim
      xqdata label import label-studio project-3.json
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, _ = opt.consoles(quiet, as_json)
    taken = take(project, taxonomy, tool, file, by)
    if as_json:
        opt.print_json(asdict(taken) | {"new": taken.new})  # asdict takes a Counter apart
    else:
        _tell(out, taken)


def _tell(out: Console, taken: Taken) -> None:
    new = taken.new.total()
    told = ", ".join(f"{person} {number:,}" for person, number in sorted(taken.new.items()))
    opt.say(out, opt.shown(f"{several(new, 'verdict', 'verdicts')} appended{f': {told}' if told else ''}", "bold"), 0)
    for number, what in (
        (taken.known, "were in the log already"),
        (taken.silent, "images have no answer"),
        (taken.untouched, "images bear only the labels that they were sent with: nobody has judged them"),
        (taken.replaced, "replace another person's verdict: xqdata label agreement shows where two people differ"),
    ):
        if number:
            opt.say(out, opt.shown(f"{number:,} {what}"), 0)
    if taken.unknown:
        names = ", ".join(taken.unknown[:_NAMED]) + (", …" if len(taken.unknown) > _NAMED else "")
        text = several(len(taken.unknown), "answer is", "answers are")
        text += f" about images that are not in the tables, or several: {names}"
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(text)), 0)
    for name, nearest in taken.foreign.items():
        hint = f" (did they mean {nearest}?)" if nearest else ""
        text = f"no taxonomy knows {name!r}{hint}; it was kept as it is"
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(text)), 0)
    if new:
        opt.say(out, opt.shown(f"To take it back: xqdata label undo --last {new}"), 0)
