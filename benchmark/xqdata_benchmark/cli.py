"""`xqdata benchmark`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from xqdata import config, runs
from xqdata.cli import options as opt
from xqdata_benchmark import recipe as recipes
from xqdata_benchmark.gap import Gap, spoken
from xqdata_benchmark.options import Options
from xqdata_benchmark.run import Result

_SHOWN = (
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("macro_f1", "macro F1"),
    ("micro_f1", "micro F1"),
    ("top3_accuracy", "top-3 accuracy"),
    ("auroc", "AUROC"),
    ("ece", "calibration error"),
    ("ece_scaled", "… after scaling"),
)


@click.command()
@click.option("--name", default="default", show_default=True, metavar="SPLIT", help="The split: splits/SPLIT.")
@click.option(
    "--recipe", metavar="NAME", help="A recipe, or a .toml file of yours  [default: quick; with CUDA: resnet18]"
)
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the recipe, as in train.epochs=5.")
@click.option("--weights", metavar="FILE|NAME", help="Start from weights: a file, or torchvision's name.")
@click.option("--run", metavar="NAME", help="The run's name: runs/NAME  [default: recipe and split]")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True,
              help="Where to compute.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Train so many times.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="The first seed.")
@click.option("--folds", is_flag=True, help="The split has folds: test each on what the others taught.")
@click.option("--resume", is_flag=True, help="Go on with the run that was interrupted.")
@click.option("--evaluate", metavar="RUN", help="Train nothing: test the network of RUN on this split.")
@click.option("--gap", is_flag=True, help="Measure what a random split would give away, on pairs of trainings.")
@click.option("--group-from", metavar="REGEX", help="With --gap: what a named group finds in paths belongs together.")
@click.option("--allow-leaky", is_flag=True, help="Take a split that leaks; the report's headline says so.")
@opt.workers_option
@opt.json_option
@opt.quiet_option
def command(
    name: str,
    recipe: str | None,
    listing: bool,
    sets: tuple[str, ...],
    weights: str | None,
    run: str | None,
    device: str,
    seeds: int,
    seed: int,
    folds: bool,
    resume: bool,
    evaluate: str | None,
    gap: bool,
    group_from: str | None,
    allow_leaky: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a reference classifier on a split and say how good it is, with intervals that can be believed.

    Writes runs/NAME: predictions, metrics, confusion matrices, learning curves, weights, and report.html. A split that
    leaks is refused. Copies are tested and trained on once, and images of several objects are left out, unless the
    recipe says task = "multilabel".

    Several GPUs or machines: torchrun --nproc-per-node N --no-python -- xqdata benchmark …

    \b
    Examples
      xqdata benchmark
      xqdata benchmark --recipe knn
      xqdata benchmark --recipe resnet18 --device cuda --seeds 3
      xqdata benchmark --set train.epochs=80 --set input.size=128 --run longer
      xqdata benchmark --name cv --folds
      xqdata benchmark --resume
      xqdata benchmark --evaluate quick-default --name newer
      xqdata benchmark --gap --seeds 5
    """
    out, err = opt.consoles(quiet, as_json)
    if listing:
        _list(out, as_json)
        return
    # Threads that wait sleep: elsewhere on the machine somebody works, and spinning would slow both.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    project = opt.project()
    taxonomy = opt.chosen_taxonomy(None, config.load(project.folder))
    sets += (f"model.weights={weights}",) if weights else ()
    chosen = recipe or _default(device)
    made = recipes.load(chosen, () if evaluate else sets)
    if evaluate and (recipe or sets or seeds > 1 or folds or resume):
        raise click.UsageError("--evaluate takes the recipe and network of its run: leave the options of training out")
    if gap and (evaluate or folds or resume):
        raise click.UsageError("--gap draws its own parts, goes on by itself: leave --evaluate, --folds, --resume out")
    if group_from and not gap:
        raise click.UsageError("--group-from goes with --gap")
    _check_plain(made, chosen, bool(weights), seeds if not (gap or evaluate) else 1)
    from xqdata_benchmark.evaluate import evaluated
    from xqdata_benchmark.gap import gap as measured
    from xqdata_benchmark.run import benchmark

    try:
        with _bars(err) as move:
            if gap:
                asked = Options(name, chosen, made, run, device, seeds, seed, workers=workers)
                found = measured(project, taxonomy, asked, group_from, move)
            elif evaluate:
                old = runs.read(project, evaluate)
                asked = Options(name, old.recipe, recipes.Recipe.model_validate(old.told["settings"]), run, device,
                                allow_leaky=allow_leaky, workers=workers)  # fmt: skip
                result = evaluated(project, taxonomy, old, asked, move)
            else:
                asked = Options(name, chosen, made, run, device, seeds, seed, folds, resume,
                                allow_leaky, workers)  # fmt: skip
                result = benchmark(project, taxonomy, asked, move)
    except KeyboardInterrupt:
        if not gap and not evaluate:
            err.print("\nEvery finished epoch is kept: the same command with [bold]--resume[/] goes on.")
        raise
    if os.environ.get("RANK", "0") != "0":
        return
    if gap:
        _tell_gap(out, found, as_json)
        return
    if as_json:
        opt.print_json({"run": result.run.told, "metrics": result.metrics})
        return
    _tell(out, result)


def _check_plain(made: recipes.Recipe, name: str, weights: bool, seeds: int) -> None:
    if made.kind != "cnn" and (weights or seeds > 1):
        raise click.UsageError(f"{name} draws nothing and has no weights: leave --seeds and --weights out")


def _tell_gap(out: Console, found: Gap, as_json: bool) -> None:
    if as_json:
        opt.print_json(asdict(found))
        return
    head = f": {found.images:,} test images of {found.components:,} components, judged by two classifiers that learnt"
    text = f"{head} from {found.training:,} images each"
    opt.say(out, Text.assemble(opt.shown(f"gaps/{found.name}", "bold"), opt.shown(text)), 0)
    out.print()
    for line in spoken(found):
        label, _, told = line.partition(": ")
        opt.say(out, Text.assemble((f"{label}: ", "bold"), opt.shown(told)), 2)
    out.print()
    low, high = found.gap["low"], found.gap["high"]
    unsure = low is not None and high is not None and low <= 0 <= high
    says = "The interval holds 0: these images cannot tell whether a random split gives anything away here."
    opt.say(out, Text(says if unsure else "That is what a random split would give away here, with this recipe."), 0)
    opt.say(out, opt.shown(f"Wrote gaps/{found.name}/: gap.json, and every prediction"), 0)


def _default(device: str) -> str:
    """The recipe that suits the machine."""
    if device in ("cpu", "mps") or importlib.util.find_spec("torch") is None:
        return "quick"
    import torch

    return "resnet18" if torch.cuda.is_available() else "quick"


def _list(out: Console, as_json: bool) -> None:
    every = {name: recipes.load(name) for name in recipes.names()}
    if as_json:
        opt.print_json({name: one.model_dump() for name, one in every.items()})
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, one in every.items():
        table.add_row(Text(name, "bold"), opt.shown(one.description))
    out.print(table)
    out.print()
    opt.say(out, Text("Change one with --set KEY=VALUE; docs/reference/recipes.md says what every key means."), 0)


class _bars:
    """A function of (what is being done, done, total, more) that moves one bar for each kind of work, on a terminal."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[more]}", markup=False),
            TimeRemainingColumn(),
        )
        off = console.quiet or not console.is_terminal
        self.progress = Progress(*columns, console=console, transient=True, disable=off)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Any:
        self.progress.start()
        return self.move

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def move(self, doing: str, done: int, total: int, more: str) -> None:
        if doing not in self.tasks:
            self.tasks[doing] = self.progress.add_task(doing, total=total, more="")
        shown = more or f"{done:,}/{total:,}"
        self.progress.update(self.tasks[doing], completed=done, total=total, more=shown, visible=done < total)


def _tell(out: Console, result: Result) -> None:
    """Print the figures, what is confused most, and where to look."""
    run, metrics = result.run, result.metrics
    test = metrics["test"]
    n, components = test["accuracy"]["n"], test["accuracy"]["components"]
    head = f": {run.recipe} on splits/{run.split}, {n:,} images of {components:,} components tested"
    out.print(Text.assemble(opt.shown(f"runs/{run.name}", "bold"), opt.shown(head)), soft_wrap=not out.is_terminal)
    if run.told["leaking"]:
        text = f"The split leaks, so these figures are too good: {run.told['leaking'][0]}"
        opt.say(out, Text.assemble(("LEAKY ", "bold red"), opt.shown(text)), 0)
    out.print()
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for key, word in _SHOWN:
        if key in test:
            value, ends = _spelled(key, test[key])
            if out.is_terminal:
                table.add_row(word, Text(value, "bold"), Text(ends, "dim"))
            else:
                out.print(f"  {word}: {value}" + (f" ({ends})" if ends else ""), soft_wrap=True, markup=False)
    if out.is_terminal:
        out.print(table)
    out.print()
    for label, text, style in _lines(result):
        opt.say(out, Text.assemble((f"{label}: ", "bold"), opt.shown(text, style)), 2)
    out.print()
    others = [name for name in runs.names(opt.project()) if name != run.name]
    plain = "linear" if run.recipe == "knn" else "knn"
    following = (
        f"xqdata compare {others[-1]} {run.name}" if others else f"xqdata benchmark --recipe {plain}, to compare with"
    )
    opt.say(out, opt.shown(f"Wrote runs/{run.name}/: look at report.html. Next: {following}"), 0)


def _lines(result: Result) -> list[tuple[str, str, str]]:
    metrics = result.metrics
    chance = metrics["chance"]
    told = [("warning", text, "yellow") for text in result.warnings]
    if (learnt := metrics.get("trained_on")) is not None:
        told.append(("learnt from", f"{learnt:,} images; ranges are 95% intervals over components", ""))
    nothing = f"always training's commonest class {chance['commonest']:.1%}; guessing {chance['even']:.1%}"
    told.append(("for nothing", nothing, ""))
    wrong = [c for c in metrics.get("confusion", []) if c["true"] != c["predicted"] and c["count"] > 1]
    wrong.sort(key=lambda cell: -cell["count"])
    if wrong:
        most = "; ".join(f"{c['true']} as {c['predicted']} ({c['count']})" for c in wrong[:4])
        told.append(("confused most", most, ""))
    tied = {kind: one for kind, one in metrics["by"]["tie"].items() if one["n"]}
    if set(tied) != {"none"}:
        text = ", ".join(f"{kind} {one['value']:.1%} (n = {one['n']:,})" for kind, one in tied.items())
        told.append(("by what ties them to training", text, ""))
    spread = metrics["seeds"].get("accuracy")
    if spread:
        values = ", ".join(f"{v:.1%}" for v in spread["values"])
        text = f"accuracy {values}: deviation {100 * spread['deviation']:.1f} points, which the intervals do not hold"
        told.append(("trained again", text, ""))
    if metrics["left_out"]:
        told.append(("left out", ", ".join(f"{n:,} {why}" for why, n in metrics["left_out"].items()), ""))
    return told


def _spelled(key: str, one: Mapping[str, Any]) -> tuple[str, str]:
    percent = key in ("accuracy", "balanced_accuracy", "top3_accuracy")

    def spell(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}" if percent else f"{value:.3f}"

    if one.get("low") is not None:
        return spell(one["value"]), f"{spell(one['low'])} to {spell(one['high'])}"
    if one.get("range"):
        low, high = one["range"]
        return spell(one["value"]), f"{one['components']} components: no interval; {spell(low)} to {spell(high)}"
    return spell(one["value"]), ""
