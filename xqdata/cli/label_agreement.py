"""`xqdata label agreement`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from xqdata import config
from xqdata.annotators import Agreement, agreement, write_queue
from xqdata.cli import options as opt
from xqdata.words import several

_SHOWN = 20


@click.command()
@click.argument("first")
@click.argument("second")
@click.option("--queue", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the images that they judge differently as a table.")  # fmt: skip
@opt.taxonomy_option
@opt.json_option
@opt.quiet_option
def command(
    first: str, second: str, queue: Path | None, taxonomy_path: Path | None, as_json: bool, quiet: bool
) -> None:
    """Say how far two people agree on what images show: Cohen's kappa, over all and for each object.

    It compares their last verdicts on images that both judged. Kappa is 1 where they always agree, and 0 where they
    agree as often as chance would. The queue holds the others, those of the least agreed objects first.

    \b
    Examples
      xqdata label agreement kim lee
      xqdata label agreement kim lee --queue disagreements.csv
      xqdata label export cvat third --from-csv disagreements.csv
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, _ = opt.consoles(quiet, as_json)
    found = agreement(project, taxonomy, (first, second))
    if queue is not None:
        write_queue(found, queue)
    if as_json:
        opt.print_json(asdict(found))
    else:
        _tell(out, found, queue)


def _tell(out: Console, found: Agreement, queue: Path | None) -> None:
    n = found.all.images
    first, second = found.people
    share = f"{found.agree:,} of {several(n, 'image', 'images')} ({found.agree / n:.0%})"
    told = f"{first} and {second} agree on {share}; kappa {_kappa(found.all.kappa)}"
    opt.say(out, opt.shown(told, "bold"), 0)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("object")
    for column in (first, second, "both", "kappa"):
        table.add_column(opt.shown(column), justify="right")
    for one in found.objects:
        table.add_row(opt.shown(one.object), f"{one.first:,}", f"{one.second:,}", f"{one.both:,}", _kappa(one.kappa))
    out.print(table)
    for image in found.queue[:_SHOWN] if out.is_terminal else found.queue:
        said = f"{first} {image.first}, {second} {image.second}; now {image.now or 'unknown'}"
        opt.say(out, opt.shown(f"{image.root}/{image.path}: {said}"), 0)
    if out.is_terminal and len(found.queue) > _SHOWN:
        out.print(f"… and {len(found.queue) - _SHOWN:,} more")
    if queue is not None:
        opt.say(out, opt.shown(f"Wrote {queue}: {several(len(found.queue), 'disagreement', 'disagreements')}"), 0)


def _kappa(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
