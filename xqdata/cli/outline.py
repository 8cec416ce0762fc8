"""What can follow on a command line, told without importing what does the work.

A shell asks at every press of Tab, and the commands themselves take a second to import. So their names, options and
values lie in `data/completion.json`, which docs/generate.py writes from the commands; a test holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

# The variable by which a shell asks click what can follow.
ASKED = "_XQDATA_COMPLETE"
FILE = "completion.json"


def _splits() -> Iterable[str]:
    return (path.stem for path in Path("manifests", "splits").glob("*.parquet"))


def _runs() -> Iterable[str]:
    return (path.parent.name for path in Path("runs").glob("*/run.json"))


def _begun() -> Iterable[str]:
    return (path.name for path in Path("runs").glob("*") if path.is_dir())


# What the project in the current folder holds, by command and parameter.
HELD: Mapping[str, Callable[[], Iterable[str]]] = {
    "audit --name": _splits,
    "benchmark --name": _splits,
    "benchmark --evaluate": _runs,
    "benchmark --run": _begun,
    "compare names": _runs,
    "export --split": _splits,
    "label suspects --run": _runs,
    "split --from": _splits,
    "split --name": _splits,
    "split --repair": _splits,
    "view --run": _runs,
}
# Parameters that hold names of folders, and more than that, so that they are no paths to click.
FOLDERS = ("audit folder", "ingest raw", "init raw")


def outline(name: str) -> click.Command | None:
    """A command that does nothing and has the parameters of the one called `name`; None where there is none."""
    told = json.loads(resources.files("xqdata.data").joinpath(FILE).read_text(encoding="utf-8"))
    return _command(name, told[name]) if name in told else None


def described(command: click.Command, values: Mapping[str, Iterable[str]], name: str) -> dict[str, Any]:
    """What `outline` needs of a command, for JSON. `values`: by command and parameter, words that it may be."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        inner = {n: command.get_command(context, n) for n in command.list_commands(context)}
        return {"help": command.get_short_help_str(),
                "commands": {n: described(c, values, f"{name} {n}") for n, c in inner.items() if c}}  # fmt: skip
    return {"help": command.get_short_help_str(),
            "params": [_told(one, values.get(f"{name} {_called(one)}")) for one in command.params]}  # fmt: skip


def _called(parameter: click.Parameter) -> str:
    longest = max(parameter.opts, key=len)
    return longest if isinstance(parameter, click.Option) else str(parameter.name)


def _told(parameter: click.Parameter, values: Iterable[str] | None) -> dict[str, Any]:
    kind = parameter.type
    told: dict[str, Any] = {"names": parameter.opts + parameter.secondary_opts}
    if isinstance(parameter, click.Option):
        told |= {"help": parameter.help, "flag": parameter.is_flag, "multiple": parameter.multiple}
    else:
        told |= {"names": [parameter.name], "nargs": parameter.nargs}
    if isinstance(kind, click.Choice):
        values = [str(choice) for choice in kind.choices]
    if isinstance(kind, click.Path):
        told["path"] = "file" if kind.file_okay else "dir"
    if values is not None:
        told["values"] = list(values)
    return {key: value for key, value in told.items() if value not in (False, None)}


def _command(name: str, told: Mapping[str, Any]) -> click.Command:
    if "commands" in told:
        inner = {n: _command(f"{name} {n}", one) for n, one in told["commands"].items()}
        return click.Group(name, commands=inner, help=told["help"])
    return click.Command(name, help=told["help"], params=[_parameter(name, one) for one in told["params"]])


def _parameter(command: str, told: Mapping[str, Any]) -> click.Parameter:
    names = told["names"]
    key = f"{command} {max(names, key=len)}"
    kind = click.Path() if told.get("path") == "file" else click.Path(file_okay=False) if "path" in told else None
    kind = click.Path(file_okay=False) if key in FOLDERS else kind
    held = HELD.get(key)
    complete = _among(held or (lambda: told["values"])) if held or "values" in told else None
    if "nargs" in told:
        return click.Argument(names, nargs=told["nargs"], required=False, type=kind, shell_complete=complete)
    made = click.Option(names, help=told.get("help"), is_flag=told.get("flag", False), shell_complete=complete,
                        multiple=told.get("multiple", False))  # fmt: skip
    if kind is not None:
        made.type = kind
    return made


def _among(words: Callable[[], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in sorted(words()) if word.startswith(incomplete)]

    return complete
