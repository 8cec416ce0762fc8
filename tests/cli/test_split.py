"""`xqdata split` as a user meets it.

It could be wrong while tests pass if only Python's side were called: so these run the installed command in a folder
with an export in it, and in an empty one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from assets.command import XQDATA, run
from assets.export import write_export
from splits.conftest import fill, scan
from xqdata import manifest
from xqdata.cli.split import _last
from xqdata.manifest import Project
from xqdata.splits import Request, split
from xqdata.taxonomy import Taxonomy

REAL = os.environ.get("XQDATA_REAL_DATA")


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("split")
    write_export(folder / "raw")
    run(folder, "ingest", "raw", "--quiet")
    return folder


def parts(folder: Path, name: str = "default") -> dict[str, str | None]:
    table = manifest.read(Project(folder), f"splits/{name}", ["image_id", "part"])
    return dict(zip(table["image_id"].to_pylist(), table["part"].to_pylist(), strict=True))


def test_it_prints_what_a_careful_person_wants_to_know(ingested: Path) -> None:
    shown = run(ingested, "split").stdout
    assert re.search(r"^splits/default: 135 images", shown)
    for heading in ("part  ", "object ", "scan type", "components", "tied by", "balance", "checked", "methods"):
        assert f"\n{heading}" in shown or f"\n {heading}" in shown
    assert "tree_ear_mushroom" in shown
    assert "none lies in two parts" in shown
    assert "proven" in shown
    assert "xqdata dedup" in shown
    assert "Wrote splits/default" in shown
    assert "stands as it was" in run(ingested, "split").stdout


def test_in_a_pipe_nothing_is_wrapped(ingested: Path) -> None:
    done = subprocess.run(
        [XQDATA, "split", "--folds", "5", "--name", "wide"],
        cwd=ingested, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "40"},
    )  # fmt: skip
    assert re.search(r"^ tree_ear_mushroom( +[0-9·]+ +[0-9]+%){5} +[0-9]+ $", done.stdout, re.M)


def test_on_a_terminal_of_80_columns_tables_keep_their_names_whole(ingested: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "50", "TERM": "xterm", "NO_COLOR": "1"}
    with subprocess.Popen(
        [XQDATA, "split", "--folds", "5", "--name", "wide"], cwd=ingested, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone when the command has ended
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.match(r" tree_ear_mushroom( +[0-9·]+( +[0-9]+%)?){6} *$", line) for line in lines)


def test_json_holds_the_same_and_nothing_else_is_on_stdout(ingested: Path) -> None:
    document = json.loads(run(ingested, "split", "--json").stdout)
    (told,) = document["splits"]
    assert sum(part["images"] for part in told["parts"]) == told["images"] == 135
    assert told["certificate"]["deviation"] >= told["certificate"]["bound"]
    assert sum(sum(row.values()) for row in told["by_object"].values()) == 135
    assert told["methods"].startswith("The 135 images were divided")
    assert told["sizes"]["count"] == told["proof"]["groups"]


def test_replacing_a_split_of_other_options_is_said_in_one_line(project: Project, reference: Taxonomy) -> None:
    fill(project, [scan(f"i{n}", "egg", f"s{n}") for n in range(9)])
    told = []
    for seed in (0, 0, 1):
        out = Console(file=io.StringIO(), width=200)
        _last(out, split(project, reference, Request(seed=seed)))
        told.append(out.file.getvalue())
    assert not any("replaced" in text for text in told[:2])
    line = r"^It replaced splits/default \(made \d{4}-\d\d-\d\d \d\d:\d\d with other options\)\. --name NAME would"
    assert re.search(line, told[2], re.MULTILINE)


def test_quiet_says_nothing(ingested: Path) -> None:
    done = run(ingested, "split", "--quiet")
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("spelling", ["scan-type", "scan_type", "Scan-Types"])
def test_a_column_may_be_spelled_in_several_ways(ingested: Path, spelling: str) -> None:
    shown = run(ingested, "split", "--by", spelling, "--name", "unseen").stdout
    assert "set aside" in shown
    assert "levels      test: scan_type" in shown
    remedies = [line for line in shown.splitlines() if line.startswith("without") and "--allow-leak" in line]
    assert all("(this would leak)" in line for line in remedies)
    assert "a part lacks a value" not in shown
    told = manifest.provenance(Project(ingested), "splits/unseen").options
    assert told["request"]["by"] == ["scan_type"]


def test_giving_up_is_said_in_the_output_and_in_the_table(ingested: Path) -> None:
    shown = run(ingested, "split", "--by", "scan-type", "--allow-leak", "specimen", "--name", "up").stdout
    assert "gives up specimens" in shown
    assert manifest.provenance(Project(ingested), "splits/up").options["gave_up"] == ["specimens"]


def test_the_random_split_is_marked(ingested: Path) -> None:
    assert "LEAKY" in run(ingested, "split", "--method", "random", "--name", "study").stdout
    assert manifest.provenance(Project(ingested), "splits/study").options["leaky"] is True


def test_folds_and_leave_one_out(ingested: Path) -> None:
    run(ingested, "split", "--folds", "3", "--name", "folds")
    assert set(parts(ingested, "folds").values()) == {"0", "1", "2"}
    shown = run(ingested, "split", "--leave-one-out", "scan-type", "--name", "loo").stdout
    assert "splits/loo.single_basket" in shown
    assert {"train", "test", None} == set(parts(ingested, "loo.single_basket").values())


def test_a_split_grows(ingested: Path) -> None:
    run(ingested, "split", "--name", "old", "--seed", "3")
    before = parts(ingested, "old")
    run(ingested, "split", "--from", "old", "--name", "new")
    assert parts(ingested, "new") == before
    assert manifest.provenance(Project(ingested), "splits/new").options["request"]["seed"] == 3
    assert "leave --seed out" in run(ingested, "split", "--from", "old", "--seed", "1", code=2).stderr


def test_the_config_ties_sessions(ingested: Path, tmp_path: Path) -> None:
    (tmp_path / "xqdata.toml").write_text('[split]\ntogether = ["session"]\n')
    run(tmp_path, "ingest", str(ingested / "raw"), "--quiet")
    assert " session (" in run(tmp_path, "split").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--by", "colour"), "images has no column colour"),
        (("--stratify", "objct"), "did you mean object?"),
        (("--parts", "train=0.5,test=0.2"), "add up to 0.7, not to 1"),
        (("--parts", "train"), "is no part with its share"),
        (("--name", "a/b"), "is no name for a split"),
        (("--test-where", "scan_type = 'x'"), "is no condition"),
        (("--test-where", "__import__('os').system('ls')"), "images has no column __import__"),
        (("--test-after", "yesterday"), "is no date"),
        (("--from", "nowhere"), "there is no such split"),
        (("--by", "scan-type", "--no-set-aside"), "would have to be set aside"),
        (("--allow-leak", "kvp"), "is not kept apart anyway"),
    ],
)
def test_a_mistake_gets_one_line(ingested: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(ingested, "split", *arguments, code=1)
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("--folds", "1"),
        ("--folds", "3", "--parts", "train=1/2,test=1/2"),
        ("--by", "site", "--leave-one-out", "scan-type"),
        ("--method", "clever"),
        ("--seed", "-1"),
    ],
)
def test_wrong_usage_exits_2(ingested: Path, arguments: tuple[str, ...]) -> None:
    run(ingested, "split", *arguments, code=2)


def test_in_an_empty_folder_one_line_says_what_to_run(tmp_path: Path) -> None:
    assert "run: xqdata ingest RAW" in run(tmp_path, "split", code=1).stderr


def test_stale_tables_are_warned_of(ingested: Path, tmp_path: Path) -> None:
    write_export(tmp_path / "raw")
    run(tmp_path, "ingest", "raw", "--quiet")
    run(tmp_path, "split", "--quiet")
    (tmp_path / "raw").rename(tmp_path / "elsewhere")
    assert "warning: images is stale" in run(tmp_path, "split").stderr


def test_nothing_that_is_not_needed_is_imported(ingested: Path) -> None:
    script = (
        "import sys; from xqdata.cli import main; main(['split', '-q'], standalone_mode=False);"
        "print([m for m in ('torch', 'fiftyone', 'ray', 'sklearn', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ingested, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="XQDATA_REAL_DATA is not set")
def test_real_scans_of_several_objects_tie_their_specimens(tmp_path: Path) -> None:
    run(tmp_path, "ingest", f"{REAL}/cubox", "--quiet")
    document = json.loads(run(tmp_path, "split", "--stratify", "objects", "--json").stdout)["splits"][0]
    assert document["proof"]["checked"]["specimens"] > 40
    assert set(document["proof"]["torn"].values()) == {0}
    assert any("Scan 2 more specimens" in told for told in document["obstacles"])
