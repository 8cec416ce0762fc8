"""`xqdata export`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xqdata import config
from xqdata.cli import options as opt
from xqdata.cli.progress import bars
from xqdata.exports import FORMATS, Request, Result, export


@click.command()
@click.argument("format_", metavar="FORMAT", type=click.Choice(list(FORMATS)))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--where", metavar="CONDITION", help="Only these images, as in \"scan_type == 'multiple_carrier'\".")
@click.option(
    "--name", "--split", "name", metavar="NAME", help="The split whose parts it has  [default: default, if it stands]"
)
@click.option("--kept-only", is_flag=True, help="Of each cluster of copies one picture only.")
@click.option("--private", is_flag=True,
              help="With operator, site, serial numbers, the files' names, and the texts inside them.")  # fmt: skip
@click.option("--link", is_flag=True, help="Hard links instead of copies, where a file stays as it is.")
@click.option("--bits", type=click.Choice(["8", "16"]),
              help="What pictures of more than 8 bits become  [default: what the format's readers read]")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace an earlier export in FOLDER.")
@opt.taxonomy_option
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    format_: str,
    folder: Path,
    where: str | None,
    name: str | None,
    kept_only: bool,
    private: bool,
    link: bool,
    bits: str | None,
    force: bool,
    taxonomy_path: Path | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the dataset to FOLDER in a format that other tools read.

    \b
    FORMAT
      imagefolder   PART/OBJECT/picture, as torchvision reads it
      huggingface   PART/picture with metadata.parquet: datasets.load_dataset
      coco          pictures and a JSON file for each part; boxes where there are any
      yolo          images/ and labels/, or PART/OBJECT where there are no boxes
      csv           pictures and a table
      webdataset    tar files for training from a stream
      croissant     pictures, a table, and their description for catalogues (JSON-LD)

    FOLDER must be new or empty. It appears when all is written. Labels are the effective ones: what people corrected
    counts. Operator, site, serial numbers and the names of the raw files stay out.

    \b
    Examples
      xqdata export imagefolder out
      xqdata export coco out --where "channel == 'colour'" --kept-only
      xqdata export webdataset out --name unseen
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, err = opt.consoles(quiet, as_json)
    with bars(err, "images") as move:
        request = Request(
            format=format_,
            folder=folder,
            where=where,
            split=name,
            kept_only=kept_only,
            private=private,
            link=link,
            bits=int(bits) if bits else None,
            replace=force,
            workers=workers,
            progress=move,
        )
        result = export(project, taxonomy, request)
    if as_json:
        opt.print_json(_document(result))
    else:
        _tell(out, result)


def _document(result: Result) -> Mapping[str, Any]:
    return {
        "format": result.format,
        "folder": str(result.folder),
        "split": result.split,
        "images": result.images,
        "parts": dict(result.parts),
        "pictures": dict(result.ways),
        "without_object": result.unnamed,
        "several_objects": result.mixed,
        "boxes": result.boxes,
        "linked": result.linked,
        "bytes": result.bytes,
        "left_out": dict(result.left_out),
        "notes": list(result.notes),
    }


def _tell(out: Console, result: Result) -> None:
    parts = ", ".join(f"{part} {number:,}" for part, number in result.parts.items())
    told = f"the parts of {result.split}: {parts}" if result.split else "in no parts: there is no split"
    lines = [(result.images, "image", "images", f", {told}")]
    lines += [(number, "picture", "pictures", f" {way}") for way, number in result.ways.items()]
    lines += [(result.linked, "of them is a hard link", "of them are hard links", "")] if result.linked else []
    lines += [(result.boxes, "box", "boxes", "")] if result.boxes else []
    lines += (
        [(result.unnamed, "image without an object is", "images without an object are", " in it")]
        if result.unnamed
        else []
    )
    lines += (
        [(result.mixed, "image with several objects is", "images with several objects are", " in it")]
        if result.mixed
        else []
    )
    lines += [(number, "image is", "images are", f" left out: {why}") for why, number in result.left_out.items()]
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    for number, one, many, more in lines:
        table.add_row(f"{number:,}", opt.shown((one if number == 1 else many) + more))
    out.print(table)
    for note in result.notes:
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(note)), 2)
    out.print()
    where = shlex.quote(str(result.folder))
    opt.say(out, opt.shown(f"Wrote {where} ({result.bytes / 1e6:,.1f} MB). Read it with: {result.usage}"), 0)
