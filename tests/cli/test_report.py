"""`xqdata report` as a user meets it: the installed command, in a folder with an export in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assets.command import run
from assets.export import write_export


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_export(folder / "raw")
    run(folder, "ingest", "raw", "--quiet", "--workers", "1")
    run(folder, "split", "--quiet")
    return folder


def test_it_says_what_to_know_and_where_the_page_is(ready: Path) -> None:
    shown = run(ready, "report").stdout
    assert "Copies have not been looked for" in shown
    assert "Wrote report.html (" in shown
    assert "xqdata report --init" in shown
    assert (ready / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_and_another_file(ready: Path) -> None:
    done = run(ready, "report", "--json", "--output", "pages/card.html")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert told["path"] == "pages/card.html"
    assert told["bytes"] == (ready / "pages" / "card.html").stat().st_size
    assert told["splits"] == {"default": "none"}
    assert told["images"] == 135


def test_quiet_says_nothing(ready: Path) -> None:
    done = run(ready, "report", "--quiet")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_stale_table_is_told(ready: Path) -> None:
    (ready / "xqdata.toml").write_text('[ingest]\nignore = ["*.bak"]\n')
    try:
        told = json.loads(run(ready, "report", "--json").stdout)
    finally:
        (ready / "xqdata.toml").unlink()
    assert "images" in told["stale"]


def test_init_writes_the_questions_once(ready: Path) -> None:
    card = ready / "card.toml"
    try:
        assert "Wrote card.toml" in run(ready, "report", "--init").stdout
        before = card.read_text(encoding="utf-8")
        assert "is there already" in run(ready, "report", "--init", code=1).stderr
        assert card.read_text(encoding="utf-8") == before
        card.write_text(before.replace('unfit = ""', 'unfit = "Not for the border."'), encoding="utf-8")
        assert "uses.unfit" not in json.loads(run(ready, "report", "--json").stdout)["missing"]
        assert "Not for the border." in (ready / "report.html").read_text(encoding="utf-8")
        card.write_text("colour = 1\n")
        assert "unknown key colour" in run(ready, "report", code=1).stderr
    finally:
        card.unlink()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--output", "raw/report.html"], "lies in the raw folder raw"),
        (["--output", "raw"], "raw folder raw"),
        (["--output", "manifests"], "is a folder"),
        (["--output", "xqdata.txt"], "no page of xqdata report"),
        (["--output", "/proc/report.html"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_one_line(ready: Path, arguments: list[str], told: str) -> None:
    (ready / "xqdata.txt").write_text("mine")
    done = run(ready, "report", *arguments, code=1)
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (ready / "xqdata.txt").read_text() == "mine"


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "xqdata ingest RAW" in run(tmp_path, "report", code=1).stderr
