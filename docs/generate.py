"""Write the pages of the site that follow from the code: schema, config, command line and taxonomy; and what shells
complete.

`python docs/generate.py` writes them; with `--check` it writes nothing, names the pages that are stale and exits 1.
"""

from __future__ import annotations

import json
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import pyarrow as pa
from pydantic_core import PydanticUndefined
from xqdata_benchmark import recipe

from xqdata import config, schema, taxonomy
from xqdata.card import Card
from xqdata.cli import main as cli
from xqdata.cli.outline import FILE, described
from xqdata.readers import READERS

DOCS = Path(__file__).parent
STUDY = DOCS.parent / "benchmark" / "README.md"
WIDTH = 100
# Groups of columns that a split can be made by.
_DIVIDING = ("what", "what belongs together", "acquisition")
NOTICE = "<!-- Written by docs/generate.py: change its source instead, then run that script. -->"


def pages() -> dict[str, str]:
    """Every generated page's text by its path below docs/."""
    makers: dict[str, Callable[[], Iterable[str]]] = {
        "reference/schema.md": schema_page,
        "reference/config.md": config_page,
        "reference/cli.md": cli_page,
        "reference/recipes.md": recipes_page,
        "reference/card.md": card_page,
        "taxonomy.md": taxonomy_page,
        "study.md": study_page,
    }
    made = {name: "\n".join([NOTICE, "", *maker()]).rstrip() + "\n" for name, maker in makers.items()}
    return made | {f"../xqdata/data/{FILE}": completion()}


def stale(made: dict[str, str]) -> list[str]:
    """The pages that do not stand in docs/ as they are made now."""
    return [name for name, text in made.items() if not _stands(DOCS / name, text)]


def _stands(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _spelled(name: str) -> str:
    return name.removeprefix("../") if name.startswith("../") else f"docs/{name}"


def study_page() -> Iterator[str]:
    """What benchmark/study.py measured: the benchmark's own page, its links as the site needs them.

    `docs/results` is a link to its figures.
    """
    text = STUDY.read_text(encoding="utf-8")
    yield re.sub(r"<!-- [a-z]+: (begin|end) -->\n?", "", text).replace("](../docs/", "](").rstrip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table, and an empty one."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""


def code(values: Iterable[object]) -> str:
    """Values as code, with commas between them."""
    return ", ".join(f"`{value}`" for value in values)


# --- the schema


def schema_page() -> Iterator[str]:
    """Every table: where it lies, what identifies a row, and its columns by group."""
    yield from [
        "# Tables",
        "",
        "A project's tables are Parquet files under `manifests/`. They are written whole or not at all, and also when",
        "they are empty. Null means unknown. Each file carries a JSON document under the key `xqdata` of its Parquet",
        "metadata: table, layout version, command and options, xqdata's version, time, run id, digest, the digests of",
        "the tables it was made from, and where the raw folders lay.",
        "",
        "The column *null* says whether a value may be unknown. Columns marked † do not count in the digest, because",
        "they depend on the machine and not on the data.",
        "",
    ]
    yield from table(["table", "one row is"], ([f"[`{t.name}`](#{t.name})", t.doc] for t in schema.TABLES))
    for each in schema.TABLES:
        yield from _schema_table(each)


def _schema_table(each: schema.Table) -> Iterator[str]:
    file = {"splits": "splits/NAME", "audits": "audits/NAME", "evidence": "audits/NAME.evidence"}.get(
        each.name, each.name
    )
    yield from [f"## {each.name}", "", each.doc, ""]
    yield from [f"File `manifests/{file}.parquet` · layout version {each.version} · key {code(each.key)}", ""]
    groups = list(dict.fromkeys(column.group for column in each.columns))
    for group in groups:
        if group:
            yield from [f"### {each.name}: {group}", ""]
        columns = [column for column in each.columns if column.group == group]
        yield from table(["column", "type", "null", "allowed", "meaning"], map(_schema_row, columns))


def _schema_row(column: schema.Column) -> list[str]:
    mark = "" if column.digest else " †"
    null = "no" if column.required else "yes"
    return [f"`{column.name}`{mark}", _arrow(column.type), null, code(column.allowed), column.doc]


def _arrow(kind: pa.DataType) -> str:
    if pa.types.is_fixed_size_list(kind):
        return f"{kind.list_size} × {_arrow(kind.value_type)}"
    if pa.types.is_list(kind):
        return f"list of {_arrow(kind.value_type)}"
    if pa.types.is_fixed_size_binary(kind):
        return f"{kind.byte_width} bytes"
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


# --- xqdata.toml

EXAMPLE = """\
name = "spring campaign"

[ingest]
patterns = ["{object}_{specimen}-{shot}_{view}.{ext}"]
ignore = ["*.bak", "previews/*"]
polarity = "air_bright"

[ingest.defaults]
site = "Incheon"
scanner_make = "Gilardoni"

[[ingest.tables]]
path = "log.xlsx"
file_column = "Datei"
columns = { Gegenstand = "object", Spannung = "kvp" }

[[ingest.raw]]
files = "*.raw"
width = 1024
height = 768
"""


def config_page() -> Iterator[str]:
    """Every key of `xqdata.toml`: type, default, meaning."""
    yield from [
        "# xqdata.toml",
        "",
        "The file lies in the project's folder. It is optional, and so is every key unless its default is *required*.",
        "`xqdata init RAW` writes one from what it sees. A key that does not exist, or a value of another type, stops",
        "the command with one line: which key, what was found, what is allowed.",
        "",
        "```toml",
        *EXAMPLE.splitlines(),
        "```",
        "",
    ]
    config.parse_toml(EXAMPLE, config.Config, where="the example of docs/generate.py")
    for model, heading in _sections("", config.Config, "Top level"):
        yield from [f"## {heading}", "", *_first_line(model), ""]
        yield from table(["key", "type", "default", "meaning"], _config_rows(model))


def recipes_page() -> Iterator[str]:
    """Every recipe that is shipped, and every key of one."""
    yield from [
        "# Recipes",
        "",
        "A recipe says what `xqdata benchmark` does. It is one TOML file; keys that it leaves out have the defaults",
        "below. `--set train.epochs=5` changes a key for one run, and `--recipe mine.toml` takes a file of yours.",
        "",
    ]
    yield from table(
        ["recipe", "what it is"], ([f"`{name}`", recipe.load(name).description] for name in recipe.names())
    )
    for name in recipe.names():
        text = recipe.text(name).strip()
        yield from [f"## {name}", "", "```toml", *text.splitlines(), "```", ""]
    for model, heading in _sections("", recipe.Recipe, "Keys of a recipe"):
        yield from [f"## {heading}", "", *_first_line(model), ""]
        yield from table(["key", "type", "default", "meaning"], _config_rows(model))


def card_page() -> Iterator[str]:
    """Every key of `card.toml` with the question that it answers."""
    yield from [
        "# card.toml",
        "",
        "What only a person can say of a dataset, for [`xqdata report`](../report.md). The file lies in the project's",
        "folder; `xqdata report --init` writes one with every question. Every key is optional: what is empty or left",
        "out is shown as missing. A key that does not exist stops the command. Answers are plain text; an empty line",
        'begins a new paragraph. The sections are those of "Datasheets for Datasets" (Gebru et al., Communications of',
        "the ACM 64 (12), 2021).",
        "",
    ]
    for model, heading in _sections("", Card, "Top level"):
        rows = [
            [f"`{name}`", _toml_type(field.annotation), field.description or ""]
            for name, field in model.model_fields.items()
            if not _model_in(field.annotation)
        ]
        yield from [f"## {heading}", "", *_first_line(model), ""]
        yield from table(["key", "type", "question"], rows)


def _sections(prefix: str, model: type[config.Model], heading: str) -> Iterator[tuple[type[config.Model], str]]:
    yield model, heading
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner:
            path = f"{prefix}{name}"
            listed = typing.get_origin(field.annotation) is list
            yield from _sections(f"{path}.", inner, f"`[[{path}]]`" if listed else f"`[{path}]`")


def _first_line(model: type[config.Model]) -> list[str]:
    return (model.__doc__ or "").strip().splitlines()[:1]


def _config_rows(model: type[config.Model]) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        if field.is_required():
            default = "*required*"
        elif field.default in (None, PydanticUndefined) or _model_in(field.annotation):
            default = "unset"
        else:
            default = f"`{field.default}`"
        yield [f"`{name}`", _toml_type(field.annotation), default, field.description or ""]


def _model_in(annotation: Any) -> type[config.Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, config.Model):
        return annotation
    return next((m for inner in typing.get_args(annotation) if (m := _model_in(inner))), None)


def _toml_type(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if _model_in(annotation):
        return "list of sections" if origin is list else "section"
    if origin is Annotated:
        return _toml_type(inner[0])
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_toml_type(i) for i in inner if i is not type(None))
    if origin is list:
        return f"list ({_toml_type(inner[0])})"
    if origin is dict:
        return f"table of names to {_toml_type(inner[1])}"
    return {str: "text", int: "integer", float: "number", bool: "true/false"}[annotation]


# --- the command line


def cli_page() -> Iterator[str]:
    """What `--help` prints, for every command."""
    yield from [
        "# Command line",
        "",
        "Exit codes: 0 done; 1 the input is at fault, and one line says what, where and what to do; 2 wrong usage;",
        "3 done, but a strict check found something. A traceback is a bug: please report it.",
        "",
    ]
    for path, text in commands():
        yield from [f"## {path}", "", "```text", *text.splitlines(), "```", ""]


def commands() -> Iterator[tuple[str, str]]:
    """Every command's full name and help, the group itself first."""
    yield from _walk(cli, "xqdata", None)


def _walk(command: click.Command, name: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for inner_name in command.list_commands(context):
            inner = command.get_command(context, inner_name)
            if inner is not None and not inner.hidden:
                yield from _walk(inner, inner_name, context)


def completion() -> str:
    """What shells complete, as xqdata/cli/outline.py reads it."""
    told = [column.name.replace("_", "-") for column in schema.IMAGES.columns if column.group in _DIVIDING]
    columns = {f"split {option}": told for option in ("--by", "--stratify", "--leave-one-out")}
    values = {
        **columns,
        "split --allow-leak": [*told, "links"],
        "benchmark --recipe": recipe.names(),
        "ingest --reader": [reader.name for reader in READERS],
    }
    context = click.Context(cli)
    every = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    made = {name: described(command, values, name) for name, command in every.items() if command}
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


# --- the taxonomy


def taxonomy_page() -> Iterator[str]:
    """The reference taxonomy as two tables, and how to replace it."""
    reference = taxonomy.load()
    objects, scans = reference.objects, reference.scan_types
    origins = [*(term.origin for term in objects.values()), *(term.origin for term in scans.values())]
    chosen = len(origins) - origins.count("study")
    yield from [
        "# The reference taxonomy",
        "",
        f"xqdata ships one taxonomy: {len(objects)} objects and {len(scans)} scan types. These numbers come from the",
        'study "Deep-learning based X-ray image classification for quarantine items: a feasibility study" (Na, Lee,',
        "Eom, Park, Ye). The study names only four of them: dracaena, tree ear mushroom, single object in basket, and",
        f"multiple object in carrier. These are marked *study* below. The other {chosen} are ours: what a",
        "quarantine officer meets in baggage and parcels.",
        "",
        "A name is recognised by any spelling below. Case, spaces, underscores, dashes and other punctuation do not",
        "count: `Tree Ear-Mushroom` is `tree_ear_mushroom`. A name that the taxonomy does not know is kept as it is",
        "and counted as unknown. `xqdata taxonomy` prints this list.",
        "",
        "## Objects",
        "",
    ]
    header = ["name", "English", "Korean", "material", "also written", "chosen by"]
    yield from table(
        header,
        ([f"`{n}`", t.english, t.korean, t.material, ", ".join(t.synonyms), t.origin] for n, t in objects.items()),
    )
    yield from [
        "## Scan types",
        "",
        "A scan type fixes its factors: what the objects lie in (`container`), how many of which kinds there are",
        "(`multiplicity`), and what else is in the scan (`clutter`). A folder that is called by one factor alone, such",
        "as `basket`, sets that factor and leaves the scan type unknown. Factors are also written",
        "; ".join(f"{', '.join(ways)} (`{value}`)" for value, ways in reference.factors.items()) + ".",
        "",
    ]
    header = ["name", "English", "Korean", "container", "multiplicity", "clutter", "also written", "chosen by"]
    yield from table(header, ([f"`{n}`", *_scan_cells(t)] for n, t in scans.items()))
    yield from [
        "## A taxonomy of your own",
        "",
        "It replaces the reference one altogether. Write a TOML file, and name it with `xqdata ingest --taxonomy FILE`",
        "or as `taxonomy` under `[ingest]` in `xqdata.toml`:",
        "",
        "```toml",
        *_OWN_TAXONOMY.splitlines(),
        "```",
        "",
        "Only the names in brackets are needed, every key below them is optional. A spelling that would mean two",
        "things stops the command and is named.",
    ]


_OWN_TAXONOMY = """\
name = "our laboratory"

[objects.banana]
english = "Banana"
korean = "바나나"
material = "fruit"
synonyms = ["bananas", "plantain"]

[scan_types.tray_single]
english = "Single object in tray"
container = "tray"
multiplicity = "single"
synonyms = ["tray 1"]

[factors]
tray = ["Schale", "쟁반"]
"""


def _scan_cells(term: taxonomy.ScanTypeTerm) -> list[str]:
    factors = [term.container or "", term.multiplicity or "", term.clutter or ""]
    return [term.english, term.korean, *factors, ", ".join(term.synonyms), term.origin]


def run(arguments: Sequence[str]) -> int:
    """Write or check the pages; the exit code."""
    made = pages()
    old = stale(made)
    if "--check" in arguments:
        for name in old:
            print(f"{_spelled(name)} is stale; run: python docs/generate.py", file=sys.stderr)
        return 1 if old else 0
    for name in old:
        (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
        (DOCS / name).write_text(made[name], encoding="utf-8")
        print(f"wrote {_spelled(name)}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
