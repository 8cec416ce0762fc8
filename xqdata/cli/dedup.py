"""`xqdata dedup`."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xqdata import config, labels, manifest
from xqdata.cli import options as opt
from xqdata.cli.progress import bars
from xqdata.dedup.cluster import POLICIES
from xqdata.dedup.propose import CHANNELS, Gates
from xqdata.dedup.run import MEMORY, Options, Result, dedup
from xqdata.errors import InputError
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.schema import COPY_KINDS, TIE_KINDS

_GATES = Gates()
_SHOWN = 5


@click.command()
@click.option("--keep", type=click.Choice(POLICIES), default="best", show_default=True,
              help="Which copy is kept: the best picture, the first by path, or the newest file.")  # fmt: skip
@click.option("--radius", type=click.IntRange(0, 16), default=_GATES.radius, show_default=True,
              help="Bits of the pHash in which every pair is proposed.")  # fmt: skip
@click.option("--window", type=click.IntRange(0, 1000), default=_GATES.window, show_default=True,
              help="Neighbours in time that are compared, to each side.")  # fmt: skip
@click.option("--budget", type=click.IntRange(min=1), default=_GATES.budget, show_default=True,
              help="Pairs that the pHash may propose; above it the radius shrinks.")  # fmt: skip
@click.option("--no-ties", is_flag=True, help="Look for copies only, not for rescans, bags packed anew and crops.")
@click.option("--no-containers", is_flag=True, help="Do not estimate the empty containers.")
@click.option("--same", nargs=2, metavar="A B", help="Record that two images are copies, and stop.")
@click.option("--different", nargs=2, metavar="A B", help="Record that two images are no copies, and stop.")
@click.option("--why", help="The reason for --same or --different.")
@click.option("--by", default=None, help="Who says so (default: your user name).")
@click.option("--report", "page", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Also write a page with every cluster and its evidence.")  # fmt: skip
@opt.taxonomy_option
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    keep: Any,
    radius: int,
    window: int,
    budget: int,
    no_ties: bool,
    no_containers: bool,
    same: tuple[str, str] | None,
    different: tuple[str, str] | None,
    why: str | None,
    by: str | None,
    page: Path | None,
    taxonomy_path: Path | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find what is there twice, and be right about it.

    Hashes, the order of acquisition and low-resolution pixels propose pairs; full pixels decide. Copies are joined to
    clusters, and one of each is kept; nothing is deleted. Ties (a bag scanned again, crops of one scan) are
    measurements of their own: all are kept, and a split never separates them. What pixels cannot decide goes to the
    table undecided.

    A and B are image ids or paths. A verdict goes to the label log and wins over the machine from the next run on.

    \b
    Examples
      xqdata dedup
      xqdata dedup --keep first --report duplicates.html
      xqdata dedup --different apple/single_basket/a.png apple/single_basket/b.png --why "two apples"
    """
    project = opt.project()
    out, err = opt.consoles(quiet, as_json)
    if same or different:
        _record(out, project, same, different, by or getpass.getuser(), why)
        return
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    gates = Gates(radius=radius, window=window, budget=budget)
    opt.check_memory(err, project, "dedup", MEMORY)
    with bars(err, "done") as move:
        result = dedup(project, taxonomy, Options(keep, not no_ties, not no_containers, gates, workers, move))
    if page is not None:
        from xqdata.report.dedup import write

        write(project, page)
    if as_json:
        opt.print_json(_document(result))
    else:
        _tell(out, project, result, page)


def _record(
    out: Console,
    project: Project,
    same: tuple[str, str] | None,
    different: tuple[str, str] | None,
    by: str,
    why: str | None,
) -> None:
    """Append a person's verdicts on pairs to the label log."""
    events = []
    for pair, after in ((same, "same"), (different, "different")):
        if pair:
            a, b = _found(project, pair)
            now = datetime.now(UTC).replace(tzinfo=None)
            events.append(Event(now, by, "dedup", "pair", a, after, other_image_id=b, why=why))
    labels.append(project, events)
    out.print(f"Recorded in the label log ({len(events)}). It counts from the next run on: [bold]xqdata dedup[/bold]")


def _found(project: Project, names: Sequence[str]) -> list[str]:
    """The image ids that ids, paths or root/paths name. Raises InputError for none or several."""
    table = manifest.read(project, "images", ["image_id", "root", "path"]).to_pylist()
    ids = []
    for name in names:
        matching = [r["image_id"] for r in table if name in (r["image_id"], r["path"], f"{r['root']}/{r['path']}")]
        if len(matching) != 1:
            told = "no image is called so" if not matching else f"{len(matching)} images are called so"
            raise InputError(told, where=name, hint="give its image_id, as in manifests/images.parquet")
        ids += matching
    if ids[0] == ids[1]:
        raise InputError("names one image twice", where=names[0], hint="a verdict is about two images")
    return ids


def _document(result: Result) -> Mapping[str, Any]:
    return {
        "images": result.images,
        "skipped": [{"path": path, "why": why} for path, why in result.skipped],
        "proposed": result.proposed,
        "passed": result.passed,
        "compared": result.compared,
        "radius": result.radius,
        "links": dict(result.links),
        "undecided": result.tables["undecided"].num_rows,
        "clusters": _clusters(result),
        "superfluous": _superfluous(result),
        "chains": [asdict(chain) for chain in result.chains],
        "conflicts": [{"cluster": name, "labels": told} for name, told in result.conflicts],
        "seconds": result.seconds,
        "notes": result.notes,
    }


def _clusters(result: Result) -> int:
    return int(sum(result.tables["duplicates"]["kept"].to_pylist()))


def _superfluous(result: Result) -> int:
    return len(result.tables["duplicates"]) - _clusters(result)


def _tell(out: Console, project: Project, result: Result, page: Path | None) -> None:
    paths = dict(zip(*(manifest.read(project, "images", ["image_id", "path"])[c].to_pylist()
                       for c in ("image_id", "path")), strict=True))  # fmt: skip
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_row(f"{result.images:,}", "images compared")
    table.add_row(f"{_superfluous(result):,}", f"of them are copies of another one, in {_clusters(result):,} clusters")
    for kinds, word in ((COPY_KINDS, "copies"), (TIE_KINDS, "ties")):
        told = ", ".join(f"{kind} {result.links[kind]:,}" for kind in kinds if result.links[kind])
        table.add_row(
            f"{sum(result.links[kind] for kind in kinds):,}", f"pairs are {word}" + (f": {told}" if told else "")
        )
    table.add_row(f"{result.tables['undecided'].num_rows:,}", "pairs that the pixels could not decide (undecided)")
    out.print(table)
    _proposers(out, result)
    warned = [
        (f"{paths.get(name, name)} and its copies contradict each other: {' / '.join(told)}", "conflict")
        for name, told in result.conflicts
    ]
    warned += [
        (f"{paths[c.ends[0]]} and {paths[c.ends[1]]} are joined through others but do not match; the weakest link is "
         f"{paths[c.link[0]]} with {paths[c.link[1]]}", "chain")
        for c in result.chains
    ]  # fmt: skip
    warned += [(f"{path}: {why}", "skipped") for path, why in result.skipped] + [(n, "note") for n in result.notes]
    _some(out, warned)
    where = f", the page is {page}" if page else ". See them: [bold]xqdata dedup --report duplicates.html[/bold]"
    where += ". Next: [bold]xqdata split[/bold]"
    out.print(f"\nWrote links, undecided, masks and duplicates in manifests/{where}")


def _some(out: Console, warned: Sequence[tuple[str, str]]) -> None:
    """The first few of each kind, and how many more there are."""
    for word in dict.fromkeys(word for _, word in warned):
        lines = [line for line, kind in warned if kind == word]
        for line in lines[:_SHOWN]:
            opt.say(out, Text.assemble((f"{word}: ", "yellow"), opt.shown(line)), 2)
        if len(lines) > _SHOWN:
            opt.say(out, opt.shown(f"{word}: and {len(lines) - _SHOWN:,} more", "yellow"), 2)


def _proposers(out: Console, result: Result) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2), title=None)
    for heading in ("proposed by", "pairs", "compared in full"):
        table.add_column(heading, justify="left" if heading == "proposed by" else "right")
    for channel in CHANNELS:
        table.add_row(channel, f"{result.proposed[channel]:,}", f"{result.passed[channel]:,}")
    out.print()
    out.print(table)
    spent = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in result.seconds.items())
    opt.say(
        out, opt.shown(f"pHash complete within {result.radius} bits, in all eight orientations. {spent}.", "dim"), 2
    )
