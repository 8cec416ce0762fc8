"""`xqdata demo`."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import click

from xqdata.cli import options as opt
from xqdata.cli.main import main
from xqdata.errors import InputError, installing

# Every step that a dataset goes through.
STEPS = (
    ("simulate", "raw"),
    ("ingest", "raw"),
    ("dedup", "--report", "duplicates.html"),
    ("split",),
    ("split", "--by", "scan-type", "--name", "unseen"),
    ("split", "--method", "random", "--name", "study"),
    ("audit",),
    ("audit", "--name", "study", "--report", "audit.html"),
    ("benchmark", "--recipe", "knn", "--run", "knn"),
    ("benchmark", "--recipe", "linear", "--run", "linear"),
    ("benchmark", "--recipe", "quick", "--run", "cnn"),
    ("compare", "knn", "linear", "cnn"),
    ("export", "imagefolder", "dataset", "--kept-only", "--link", "--force"),
    ("report",),
    ("status",),
)
_LOOK = (
    ("raw/", "the scans, in folders of objects and scan types, and the operator's log"),
    ("truth/", "what is true of them: specimens, copies, wrong labels (Parquet)"),
    ("manifests/", "what xqdata found: one Parquet table for each step"),
    ("duplicates.html", "what is there twice, picture beside picture"),
    ("audit.html", "what is wrong with the study's random split"),
    (
        "runs/cnn/report.html",
        "how well a small CNN recognises objects that it has never seen, with its confusion matrix",
    ),
    ("report.html", "the dataset on one page: what it is, its health, splits and provenance"),
    ("dataset/", "the split as folders that torchvision reads, without copies"),
)
# Scans below which nothing is learnt: parts would lack whole classes.
_LEARNT = 250


@click.command()
@click.argument("folder", default="xqdata-demo", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--scans",
    type=click.IntRange(min=1),
    help=f"Fewer scans, to be done sooner (default 1,229); below {_LEARNT} benchmark and compare are left out.",
)
@opt.workers_option
@opt.quiet_option
@click.pass_context
def command(ctx: click.Context, folder: Path, scans: int | None, workers: int | None, quiet: bool) -> None:
    """Simulate a scanner's export and take it through every step, in a folder of its own.

    FOLDER (default: xqdata-demo) must not exist yet, or be the demonstration's own: then it goes on where it stopped.
    What is left out is said: the network where PyTorch is not installed, all of benchmark below 250 scans.

    \b
    Example
      xqdata demo /tmp/demo --scans 273
    """
    mark = folder / "truth" / "settings.json"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise InputError("is not empty", where=str(folder), hint="name a folder that does not exist yet")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "go to a folder of your own, or name one: xqdata demo FOLDER"
        raise InputError(f"cannot be made ({error.strerror})", where=str(folder), hint=hint) from error
    out, _ = opt.consoles(quiet, as_json=False)
    torch = importlib.util.find_spec("torch") is not None
    with contextlib.chdir(folder):
        for name, *arguments in _steps(scans, torch):
            words = [name, *arguments]
            out.print(f"\n[bold green]{folder.name}$[/] [bold]xqdata {' '.join(words)}[/]")
            # Worker counts change nothing in the result, so they are not shown as part of the step.
            extra = (
                ["--workers", str(workers)] if workers and name in ("simulate", "ingest", "dedup", "benchmark") else []
            )
            with contextlib.suppress(click.exceptions.Exit):
                main.main(words + extra + (["--quiet"] if quiet else []), standalone_mode=False)
        there = [(place, what) for place, what in _LOOK if Path(place).exists()]
    if told := _left_out(scans, torch):
        out.print()
        opt.say(out, opt.shown(told, "yellow"), 0)
    out.print(f"\nWhere to look, in [bold]{folder}[/]:")
    for place, what in there:
        opt.say(out, opt.shown(f"{place:<22}{what}"), 2)
    out.print()
    opt.say(out, opt.shown("For your own scans: xqdata ingest RAW in a new folder, then dedup, split and audit."), 0)


def _few(scans: int | None) -> bool:
    return scans is not None and scans < _LEARNT


def _left_out(scans: int | None, torch: bool) -> str:
    """What was not done and why; empty where every step was taken."""
    if _few(scans):
        return f"benchmark and compare are left out: fewer than {_LEARNT} scans"
    return "" if torch else f"the network is left out: PyTorch is not installed; run: {installing('benchmark')}"


def _steps(scans: int | None, torch: bool) -> Iterator[tuple[str, ...]]:
    """The steps that can be taken here, each as it is typed."""
    for name, *arguments in STEPS:
        if _few(scans) and name in ("benchmark", "compare"):
            continue
        if name == "simulate" and scans is not None:
            arguments += ["--scans", str(scans)]
        if name == "benchmark":
            run = Path("runs", arguments[-1])
            if (run / "run.json").exists() or ("quick" in arguments and not torch):
                continue
            if run.exists():  # the demonstration was interrupted in it
                arguments.append("--resume")
        if name == "compare" and not torch:
            arguments.remove("cnn")
        yield name, *arguments
