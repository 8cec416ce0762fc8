"""No step after ingest reads columns that it does not use.

It could be wrong while tests pass if only some commands were looked at: every command that reads tables is run here,
but for those that need FiftyOne's database or torch, and what it asks the tables for is written down. A table of ten
million rows fits the memory by its columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assets.pictures import colour, encoded, save
from xqdata import manifest, schema, taxonomy
from xqdata.app.content import Asked, content
from xqdata.cli.main import main
from xqdata.manifest import Project

# One row for each image, pair or box; the log and findings are as long as people and audits are diligent.
LONG = re.compile(r"images|links|duplicates|undecided|masks|detections|rejects|splits/.*|.*\.evidence")
# Columns of images that few steps have a use for, and by which a whole table is known.
RARE = {"dhash", "content_box", "opaque_fraction", "reader", "licence", "palette", "mode"}
USES = {  # what each command takes of them
    "export": {"licence", "palette"},
    "label export": {"licence", "palette"},
    "label suspects": {"opaque_fraction"},
    "report": {"licence", "mode"},
    "view": {"opaque_fraction", "reader", "licence", "palette", "mode"},
}
COMMANDS = (
    "dedup --no-ties --report dedup.html --workers 1",
    "dedup --same a/0.png a/1.png",
    "split",
    "split --name study --method random --csv study.csv",
    "audit --name study --report audit.html --workers 1",
    "audit --workers 1",
    "status",
    "export csv out --kept-only --workers 1",
    "label export cvat tasks --workers 1",
    "label import label-studio kim.json --by kim",
    "label import label-studio lee.json --by lee",
    "label suspects --workers 1",
    "label agreement kim lee --queue queue.csv",
    "label diff",
    "label log",
    "label undo --last 1",
    "report",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Twelve scans after ingest, and two people's answers."""
    folder = tmp_path / "columns"
    for n in range(12):
        save(folder / "raw" / "ab"[n % 2] / f"{n // 2}.png", encoded(colour(40, 48, n)))
    rows = [f"{n // 2}.png,{'ab'[n % 2]},{('egg', 'mango', 'apple')[n % 3]},s-{n // 2}" for n in range(12)]
    save(folder / "raw" / "log.csv", "\n".join(["file,session,object,specimen", *rows]).encode())
    monkeypatch.chdir(folder)
    assert CliRunner().invoke(main, ["ingest", "raw", "--quiet"], catch_exceptions=False).exit_code == 0
    for person, names in (("kim", ["Egg", "Mango"]), ("lee", ["Egg", "Apple"])):
        told = [
            {
                "data": {"image": f"{'ab'[n]}/0.png"},
                "annotations": [
                    {"completed_by": person, "result": [{"type": "choices", "value": {"choices": [name]}}]}
                ],
            }
            for n, name in enumerate(names)
        ]
        (folder / f"{person}.json").write_text(json.dumps(told), encoding="utf-8")
    return Project(folder)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, set[str] | None]]]:
    """Tables as they are read, each with the columns that are asked for."""
    found: list[tuple[str, set[str] | None]] = []

    def watch(read: Callable[..., Any]) -> Callable[..., Any]:
        def watched(project: Project, name: str, columns: Any = None, *rest: Any, **more: Any) -> Any:
            found.append((name, None if columns is None else set(columns)))
            return read(project, name, columns, *rest, **more)

        return watched

    for name in ("read", "batches"):
        monkeypatch.setattr(manifest, name, watch(getattr(manifest, name)))
    yield found


def test_every_command_names_the_columns_that_it_uses(
    project: Project, asked: list[tuple[str, set[str] | None]]
) -> None:
    for line in COMMANDS:
        words = line.split()
        done = CliRunner().invoke(main, [*words, "--quiet"] if words[0] != "status" else words, catch_exceptions=False)
        assert done.exit_code in (0, 3), (line, done.stderr)
        check(" ".join(words[:2]) if words[0] == "label" else words[0], asked)
    content(project, taxonomy.load(), Asked())
    check("view", asked)


def check(command: str, asked: list[tuple[str, set[str] | None]]) -> None:
    assert set(schema.IMAGES.names) > RARE and (asked or command == "status"), command
    for name, columns in asked:
        if LONG.fullmatch(name):
            assert columns is not None, f"{command} reads all of {name}"
            if name == "images":
                assert not (columns & RARE) - USES.get(command, set()), command
    asked.clear()
