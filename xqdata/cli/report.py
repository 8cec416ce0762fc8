"""`xqdata report`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from xqdata import config
from xqdata.cli import options as opt
from xqdata.cli.status import ingest_changed
from xqdata.errors import InputError
from xqdata.words import several

_STYLE = {"bad": "red", "warn": "yellow", "good": "green", "soft": ""}


@click.command()
@click.option("--output", "-o", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True,
              metavar="FILE", help="Where the page goes.")  # fmt: skip
@click.option("--init", is_flag=True, help="Write a card.toml with the questions that only a person can answer.")
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(output: Path, init: bool, taxonomy_path: Path | None, as_json: bool, quiet: bool) -> None:
    """Write one page that says what the dataset is and how far it can be trusted.

    It holds what is in it, its health, its splits with their audits, its benchmarks, and where every table comes from.
    The page is one file: it opens from disk, needs no network, and runs no script. It works at every stage; what has
    not been done yet is named.

    What only a person can say (why it was made, by whom, what it must not be used for) comes from card.toml in the
    project's folder. Until it is written there, the page shows it as missing.

    \b
    Examples
      xqdata report
      xqdata report --init
      xqdata report --output quarantine.html
    """
    out, _ = opt.consoles(quiet, as_json)
    if init:
        _init(out, as_json)
        return
    from xqdata.report.dataset import write

    project = opt.project()
    settings = config.load(project.folder)
    taxonomy = opt.chosen_taxonomy(taxonomy_path, settings)
    made = write(project, taxonomy, output, {"ingest": lambda told: ingest_changed(told, settings, taxonomy_path)})
    if as_json:
        opt.print_json(asdict(made))
        return
    for mood, text in made.points:
        opt.say(out, opt.shown(text, _STYLE[mood]), 2)
    if made.points:
        out.print()
    pictures = several(made.shown, "picture", "pictures")
    pictures += f", {made.absent:,} not at hand" if made.absent else ""
    images = several(made.images, "image", "images")
    opt.say(out, opt.shown(f"Wrote {made.path} ({made.bytes / 1e6:.1f} MB, {images}, {pictures})"), 0)
    if made.missing and not (project.folder / "card.toml").exists():
        opt.say(out, opt.shown("What only a person can say is missing on it: xqdata report --init"), 0)


def _init(out: Console, as_json: bool) -> None:
    from xqdata.card import FILE, draft

    project = opt.project()
    target = project.folder / FILE
    text = draft(config.load(project.folder).name or project.folder.name)
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError("is there already", where=FILE, hint="write the answers into it, or move it away") from None
    except OSError as error:
        hint = "go to a folder of your own, or mend its permissions"
        raise InputError(f"cannot be written ({error.strerror})", where=str(target), hint=hint) from error
    if as_json:
        opt.print_json({"path": str(target), "text": text})
        return
    opt.say(out, Text.assemble("Wrote ", (FILE, "bold"), ". Write the answers into it, then: xqdata report"), 0)
