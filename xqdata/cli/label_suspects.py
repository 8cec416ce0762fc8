"""`xqdata label suspects`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from xqdata import config
from xqdata.cli import options as opt
from xqdata.cli.progress import bars
from xqdata.suspects import NO_MODEL, Options, Result, suspects, write_csv

_SHOWN = 20


@click.command()
@click.option("--run", metavar="RUN", help="Take the predictions of runs/RUN, which has folds.  [default: the latest]")
@click.option("--top", type=click.IntRange(min=1), metavar="N",
              help="List the N most suspected, however sure.  [default: those rather wrong than right, and all "
              "contradictions]")  # fmt: skip
@click.option("--csv", "file", type=click.Path(path_type=Path, dir_okay=False), help="Also write the list as a table.")
@opt.taxonomy_option
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    run: str | None,
    top: int | None,
    file: Path | None,
    taxonomy_path: Path | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Rank the labels that are probably wrong, with the reason in words.

    What counts: labels of copies, of the same bag, and of other scans of the specimen; what people said; and what a
    model sees that never saw the image's family. The model is that of a run with folds (xqdata benchmark --folds). If
    there is none, a quick classifier is asked, which knows little. cleanlab's score and verdict stand beside.

    \b
    Examples
      xqdata label suspects
      xqdata label suspects --top 100 --csv suspects.csv
      xqdata label suspects --run quick-cv --json
    """
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(taxonomy_path, config.load(project.folder))
    out, err = opt.consoles(quiet, as_json)
    with bars(err, "images") as move:
        result = suspects(project, taxonomy, Options(run, top, workers, move))
    if file is not None:
        write_csv(result, file)
    if as_json:
        opt.print_json({
            "source": result.source,
            "looked_at": result.looked_at,
            "cleanlab_issues": result.issues,
            "notes": list(result.notes),
            "suspects": [asdict(one) for one in result.suspects],
        })  # fmt: skip
        return
    _tell(out, result)
    for note in result.notes:
        opt.say(out, Text.assemble(("note: ", "yellow"), opt.shown(note)), 0)
    if file is not None:
        opt.say(out, opt.shown(f"Wrote {file}"), 0)


def _tell(out: Console, result: Result) -> None:
    by = "other labels alone" if result.source == NO_MODEL else f"{result.source} and other labels"
    told = f"{len(result.suspects):,} of {result.looked_at:,} labels are suspected, by {by}"
    opt.say(out, opt.shown(told, "bold"), 0)
    shown = result.suspects[:_SHOWN] if out.is_terminal else result.suspects
    for one in shown:
        probably = f" → {one.suggested}" if one.suggested != one.object else ""
        first = Text.assemble((f"{one.wrong:4.0%}  ", "bold red" if probably else "yellow"),
                              opt.shown(f"{one.object}{probably}", "bold"),
                              opt.shown(f"  {one.root}/{one.path}", "dim"))  # fmt: skip
        if out.is_terminal:
            opt.say(out, first, 0)
            opt.say(out, opt.shown(one.reason), 6)
        else:
            out.print(first.append_text(opt.shown(f": {one.reason}")), soft_wrap=True)
    if len(shown) < len(result.suspects):
        more = len(result.suspects) - len(shown)
        opt.say(out, opt.shown(f"… and {more:,} more: write them with --csv FILE"), 0)
    if result.issues:
        opt.say(out, opt.shown(f"cleanlab by itself lists {result.issues:,}"), 0)
