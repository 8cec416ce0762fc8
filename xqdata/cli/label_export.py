"""`xqdata label export`."""

from __future__ import annotations

import csv
from pathlib import Path

import click
from rich.text import Text

from xqdata import config
from xqdata.annotators import TOOLS, export_tasks
from xqdata.cli import options as opt
from xqdata.cli.progress import bars
from xqdata.errors import InputError
from xqdata.exports import Request
from xqdata.words import several


@click.command()
@click.argument("tool", type=click.Choice(list(TOOLS)))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--where", metavar="CONDITION", help="Only these images, as in \"object == 'mango'\".")
@click.option("--kept-only", is_flag=True, help="Of each cluster of copies one picture only.")
@click.option("--from-csv", "listed", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
              help="Only the images of a table with a column image_id, as suspects and agreement write.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an earlier export in FOLDER.")
@opt.taxonomy_option
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    tool: str,
    folder: Path,
    where: str | None,
    kept_only: bool,
    listed: Path | None,
    force: bool,
    taxonomy_path: Path | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write images and tasks to FOLDER, so that people judge them in an annotation tool.

    \b
    TOOL
      cvat          images/, labels.json (the task's labels), annotations.xml (the present labels as tags)
      label-studio  images/, interface.xml, tasks.json (no labels), tasks_labelled.json (the present labels)

    Two people who are to be compared should not see the labels: leave annotations.xml and tasks_labelled.json out.
    Pictures are called by their image_id, and hold no names of operators or sites.

    \b
    Examples
      xqdata label export cvat tasks --kept-only
      xqdata label export label-studio tasks --from-csv suspects.csv
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, err = opt.consoles(quiet, as_json)
    chosen = frozenset(_ids(listed)) if listed else None
    with bars(err, "images") as move:
        request = Request(
            format=tool, folder=folder, where=where, only=chosen, parts=False, kept_only=kept_only, replace=force,
            workers=workers, progress=move,
        )  # fmt: skip
        result = export_tasks(project, taxonomy, request)
    if as_json:
        opt.print_json({"tool": tool, "folder": str(folder), "images": result.images,
                        "left_out": dict(result.left_out), "notes": list(result.notes)})  # fmt: skip
        return
    out.print(f"{several(result.images, 'image', 'images')} for {tool}")
    for reason, number in result.left_out.items():
        opt.say(out, opt.shown(f"{several(number, 'is', 'are')} left out: {reason}"), 0)
    for note in result.notes:
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(note)), 0)
    opt.say(out, opt.shown(f"Make {result.usage}"), 0)


def _ids(file: Path) -> list[str]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        if "image_id" not in (rows.fieldnames or ()):
            raise InputError("has no column image_id", where=str(file))
        return [row["image_id"] for row in rows]
