"""The command line: what a user types, sees, and gets as exit code.

It could be wrong while tests pass if only CliRunner's exceptions were looked at: so these run the installed command in
a process of its own where a traceback, a slow start or a mixed stdout would show.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len
from rich.console import Console

from assets.export import write_export
from xqdata import manifest
from xqdata.cli.main import folded
from xqdata.cli.status import fitting
from xqdata.manifest import Project
from xqdata.status import TableStatus

XQDATA = Path(sys.executable).with_name("xqdata")


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([XQDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_export(folder / "raw")
    return folder


def test_help_names_every_command_and_answers_at_once(tmp_path: Path) -> None:
    began = time.perf_counter()
    shown = run(tmp_path, "--help").stdout
    assert time.perf_counter() - began < 2  # 0.06 s on an idle machine; this catches an import of pandas or torch
    for command in ("init", "ingest", "status", "taxonomy"):
        assert command in shown


@pytest.mark.parametrize("command", ["init", "ingest", "status", "taxonomy"])
def test_every_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    assert f"xqdata {command}" in run(tmp_path, command, "--help").stdout.split("Example")[1]


def test_nothing_heavy_is_imported(export: Path) -> None:
    script = (
        "import sys; from xqdata.cli import main; main(['ingest', 'raw', '--dry-run', '-q'], standalone_mode=False);"
        "print([m for m in ('torch', 'fiftyone', 'ray', 'sklearn', 'pydicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=export, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_names_the_versions_that_matter(tmp_path: Path) -> None:
    shown = run(tmp_path, "--version").stdout
    assert all(name in shown for name in ("xqdata", "Python", "pillow", "imagehash", "pyarrow", "torch"))


def test_ingest_tells_what_it_understood_and_balances(export: Path, tmp_path: Path) -> None:
    shown = run(tmp_path, "ingest", str(export / "raw")).stdout
    assert "reader tables: log.csv names" in shown
    assert "reader folders: " in shown
    assert "object = dracaena, scan_type = single_basket" in shown
    document = json.loads(run(tmp_path, "ingest", str(export / "raw"), "--json").stdout)
    assert document["found"] == document["recorded"] + sum(document["rejected"].values()) + document["sources"]
    assert sum(cell["images"] for cell in document["cells"]) == document["images"]
    assert document["changed"] is False
    assert run(tmp_path, "ingest", str(export / "raw")).stdout.endswith(
        "the tables in manifests/ stand as they were.\n"
    )
    stands = json.loads(run(tmp_path, "status", "--json").stdout)["tables"]
    assert {table["name"] for table in stands} == set(manifest.TOGETHER)
    assert all(table["stale"] == [] for table in stands)


def test_a_dry_run_shows_all_and_writes_nothing(export: Path, tmp_path: Path) -> None:
    wet = tmp_path / "wet"
    dry = tmp_path / "dry"
    wet.mkdir()
    dry.mkdir()
    shown = run(dry, "ingest", str(export / "raw"), "--dry-run").stdout
    assert list(dry.iterdir()) == []
    assert shown.endswith("Dry run: nothing was written.\n")
    assert shown.splitlines()[:-2] == run(wet, "ingest", str(export / "raw")).stdout.splitlines()[:-2]


def test_strict_exits_3_only_for_more_than_ignored_files(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "raw" / "a.png")
    (tmp_path / "raw" / ".DS_Store").write_bytes(b"x")
    run(tmp_path, "ingest", "raw", "--strict")
    (tmp_path / "raw" / "b.png").write_bytes(b"")
    run(tmp_path, "ingest", "raw")
    assert "--strict" in run(tmp_path, "ingest", "raw", "--strict", code=3).stderr


def test_quiet_says_nothing(export: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "ingest", str(export / "raw"), "--quiet")
    assert (done.stdout, done.stderr) == ("", "")


def test_ingest_without_a_folder_reads_the_known_ones_again(export: Path, tmp_path: Path) -> None:
    assert "Missing argument" in run(tmp_path, "ingest", code=2).stderr
    run(tmp_path, "ingest", f"lab={export / 'raw'}")
    assert run(tmp_path, "ingest").stdout.startswith("lab: ")


@pytest.mark.parametrize(
    ("arguments", "config", "told"),
    [
        (("ingest", "nowhere"), "", "nowhere: there is no such folder"),
        (("ingest", "xqdata.toml"), "", "is a file, not a folder"),
        (("ingest", "raw"), "[ingest]\nmax_pixel = 3", "unknown key ingest.max_pixel"),
        (("ingest", "raw", "--reader", "nobody"), "", "there is no reader 'nobody'"),
        (("ingest", "raw", "--taxonomy", "absent.toml"), "", "absent.toml: cannot be read"),
        (("ingest", "raw"), '[[ingest.tables]]\npath = "absent.csv"', "absent.csv: cannot be read"),
        (("init", "raw"), "", "is there already"),
        (("status",), "nonsense", "is not valid TOML"),
    ],
)
def test_a_mistake_gets_one_line(tmp_path: Path, arguments: tuple[str, ...], config: str, told: str) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "xqdata.toml").write_text(config)
    done = run(tmp_path, *arguments, code=1)
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_wrong_usage_exits_2(tmp_path: Path) -> None:
    run(tmp_path, "ingest", "--no-such-option", code=2)
    run(tmp_path, "no-such-command", code=2)


@pytest.mark.parametrize(("typed", "meant"), [(["benchmrk"], "benchmark"), (["label", "expor"], "export")])
def test_a_command_that_is_nearly_one_is_answered_with_it(tmp_path: Path, typed: list[str], meant: str) -> None:
    assert f"Did you mean '{meant}'?" in run(tmp_path, *typed, code=2).stderr


def test_hostile_names_are_printed_as_text(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "[bold red]x\n\x1b[31mred.png").write_bytes(b"no picture")
    shown = run(tmp_path, "ingest", "raw").stdout
    assert "\x1b" not in shown
    assert "[bold red]x\\n\\x1b[31mred.png" in shown


def test_init_writes_a_config_that_ingest_takes(export: Path, tmp_path: Path) -> None:
    run(tmp_path, "init", str(export / "raw"))
    run(tmp_path, "ingest", str(export / "raw"))
    rows = manifest.read(Project(tmp_path), "images", ["kvp", "operator"]).to_pylist()
    assert sum(row["kvp"] is not None for row in rows) > 100


def test_taxonomy_lists_the_reference(tmp_path: Path) -> None:
    document = json.loads(run(tmp_path, "taxonomy", "--json").stdout)
    assert (len(document["objects"]), len(document["scan_types"])) == (21, 13)
    shown = run(tmp_path, "taxonomy").stdout
    assert "tree_ear_mushroom" in shown
    assert "목이버섯" in shown


def test_a_folder_that_moved_is_told_with_its_remedy(export: Path, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "lab" / "a.png")
    run(tmp_path, "ingest", "lab")
    (tmp_path / "lab").rename(tmp_path / "moved")
    assert "xqdata ingest lab=NEW_PLACE" in run(tmp_path, "ingest", code=1).stderr
    assert "lab is no longer at" in run(tmp_path, "ingest", str(export / "raw")).stderr
    run(tmp_path, "ingest", "lab=moved")
    run(tmp_path, "ingest", "--forget", "raw")
    rows = manifest.read(Project(tmp_path), "images", ["root", "missing"]).to_pylist()
    assert rows == [{"root": "lab", "missing": False}]
    told = run(tmp_path, "ingest", "--forget", "lab", code=1).stderr
    assert "lab: the tables hold no other raw folder; name the folder to read in its place" in told.replace("\n", " ")


def test_a_layout_that_the_readers_asked_for_do_not_know_is_told(export: Path, tmp_path: Path) -> None:
    told = run(tmp_path, "ingest", str(export / "raw"), "--reader", "yolo", "--reader", "coco", "--dry-run").stdout
    assert "none of the readers that were asked for (yolo, coco) knows this layout" in " ".join(told.split())


def test_working_inside_the_raw_folder_is_warned_of(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert "you are inside the raw folder" in run(tmp_path, "ingest", ".").stderr
    assert json.loads(run(tmp_path, "ingest", "--json").stdout)["found"] == 1


def test_a_taxonomy_once_chosen_stays_chosen(tmp_path: Path) -> None:
    (tmp_path / "raw" / "wug").mkdir(parents=True)
    Image.new("L", (8, 8)).save(tmp_path / "raw" / "wug" / "a.png")
    (tmp_path / "mine.toml").write_text('[objects.wug]\nenglish = "Wug"\n')
    run(tmp_path, "ingest", "raw", "--taxonomy", "mine.toml")
    run(tmp_path, "ingest")
    assert manifest.read(Project(tmp_path), "images", ["object"]).to_pylist() == [{"object": "wug"}]
    assert json.loads(run(tmp_path, "status", "--json").stdout)["tables"][1]["stale"] == []


def on_terminal(folder: Path, width: int, *arguments: str) -> list[str]:
    """The lines of stdout on a terminal of `width` columns."""
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": str(width), "TERM": "dumb"}
    shown = subprocess.run(
        [XQDATA, *arguments], cwd=folder, capture_output=True, text=True, check=True, env=os.environ | terminal
    )
    return [re.sub("\x1b\\[[0-9;]*m", "", line).rstrip() for line in shown.stdout.splitlines()]


@pytest.mark.parametrize("width", [20, 44, 60, 80])
def test_an_error_on_a_terminal_ends_its_lines_between_words(width: int) -> None:
    text = "error: /data/p/manifests/images.parquet: there is no such table yet; run: xqdata ingest RAW"
    lines = folded(text, width).split("\n")
    assert " ".join(lines) == text
    assert all(cell_len(line) <= width for line in lines if " " in line)
    assert any("xqdata ingest RAW" in line for line in lines)


def test_a_command_that_no_line_holds_is_folded_too() -> None:
    assert folded("error: x; run: xqdata export csv out", 12).split("\n")[-3:] == ["run: xqdata", "export csv", "out"]


@pytest.mark.parametrize(("width", "headings"), [(100, 6), (72, 5), (60, 4), (44, 3), (30, 3)])
def test_status_keeps_names_whole_and_leaves_other_columns_out(width: int, headings: int) -> None:
    lines = [TableStatus("audits/default.evidence", 12, "3e9d7330a4c9", "audit", "2026-11-30T17:15:09")]
    out = Console(width=width, file=io.StringIO())
    out.print(fitting(out, lines))
    told = out.file.getvalue().splitlines()
    assert (told[1].split()[:2] == ["audits/default.evidence", "12"]) == (width > 30)
    assert len(re.split(" {2,}", told[0].strip())) == headings


def test_taxonomy_has_room_on_a_terminal(tmp_path: Path) -> None:
    lines = on_terminal(tmp_path, 80, "taxonomy")
    assert max(cell_len(line) for line in lines) <= 80
    assert any("single_bare" in line and "Single object on the belt" in line for line in lines)
