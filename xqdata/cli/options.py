"""Options that several commands share, and the consoles that they print on: results on stdout, the rest on stderr."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from xqdata import engine as engines
from xqdata import manifest, memory, paths
from xqdata.config import Config
from xqdata.errors import one_line
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy, load

F = TypeVar("F", bound=Callable[..., Any])

# Columns of what is no terminal: whoever reads a pipe wants a line to be a line.
_UNWRAPPED = 10_000

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
taxonomy_option = click.option(
    "--taxonomy",
    "taxonomy_path",
    type=click.Path(path_type=Path),
    help="A taxonomy of your own (TOML) instead of the reference one.",
)


def workers_option(command: F) -> F:
    """`--workers`, and where they are: `--engine` and `--ray-address`, which hold for all that the command does."""

    @functools.wraps(command)
    def chosen(*args: Any, engine: str | None, ray_address: str | None, **kwargs: Any) -> Any:
        with engines.on(_engine(engine, ray_address)):
            return command(*args, **kwargs)

    for option in (
        click.option("--ray-address", metavar="HOST:PORT",
                     help="The Ray cluster, for --engine ray (default: auto, the one that this machine is a node of)."),
        click.option("--engine", type=click.Choice(engines.NAMES),
                     help="Where workers run: processes of this machine (the default), or a Ray cluster."),
        click.option("--workers", type=click.IntRange(min=1),
                     help="Shards worked on at once (default: one for each processor; 1: in this process)."),
    ):  # fmt: skip
        chosen = option(chosen)
    return cast(F, chosen)


def _engine(name: str | None, address: str | None) -> engines.Engine:
    told = engines.chosen()
    if address is not None and (name or told.name) != "ray":
        raise click.UsageError("--ray-address is for --engine ray")
    return engines.Engine(name or told.name, address or told.address)


def project() -> Project:
    """The project in the current folder."""
    return Project(Path.cwd())


def chosen_taxonomy(path: Path | None, config: Config) -> Taxonomy:
    """The taxonomy of the option, else of the config, else the reference one."""
    return load(path or (Path(config.ingest.taxonomy) if config.ingest.taxonomy else None))


def consoles(quiet: bool, as_json: bool) -> tuple[Console, Console]:
    """Where results and where messages go. With --json nothing but the JSON is on stdout; --quiet keeps errors only."""
    made = Console(quiet=quiet or as_json, highlight=False), Console(stderr=True, quiet=quiet, highlight=False)
    for console in made:
        if not console.is_terminal:
            console.width = _UNWRAPPED
    return made


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def shown(text: object, style: str = "") -> Text:
    """Text from the data, safe to print: no markup in it is obeyed and it stays on one line."""
    return Text(one_line(str(text)), style=style)


def check_memory(err: Console, project: Project, step: str, rate: memory.Rate) -> None:
    """Say so where `step` takes more memory than is free. Raises InputError where it cannot fit, TableError as reading
    the table `images` does.
    """
    rows = manifest.provenance(project, "images").rows if manifest.exists(project, "images") else 0
    if told := memory.check(step, rate, rows, memory.machine()):
        say(err, Text.assemble(("warning: ", "yellow"), shown(told)), 0)


def say(out: Console, text: Text, indent: int) -> None:
    """Print a line; on a terminal what does not fit goes on below with the same indent, in a pipe it stays one line."""
    if out.is_terminal:
        out.print(Padding(text, (0, 0, 0, indent)))
    else:
        out.print(Text(" " * indent).append_text(text), soft_wrap=True)


def shown_path(path: str) -> str:
    """A path of the tables on one line."""
    return one_line(paths.spell(path) if any(0xDC80 <= ord(c) <= 0xDCFF for c in path) else path)
