"""`xqdata audit FOLDER` as a user meets it: from a folder that someone else split to a clean list of files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from assets.pictures import encoded, save
from xqdata.cli.main import main


def run(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done


def test_from_a_leaky_folder_to_a_clean_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "welds"
    for n in range(12):
        coarse = np.random.default_rng(n).integers(0, 256, (6, 8))
        part = ("train", "train", "test")[n % 3]
        save(folder / part / f"B{n // 2}_{n}.png", encoded(np.kron(coarse, np.ones((12, 12))).astype(np.uint8)))
    shutil.copy(folder / "train" / "B0_0.png", folder / "test" / "copy.png")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    asked = ("audit", "--layout", "{split}/{file}", "--group-from", r"(?P<series>B\d+)_", "--workers", 1)
    shown = run(*asked, folder).stdout
    assert "LEAKS" in shown
    assert "bytes" in shown
    assert "series" in shown
    assert "no series in the path of 1 image," in shown
    assert "xqdata split --repair default --csv" in shown
    assert not (tmp_path / "work" / "manifests").exists()

    document = json.loads(run(*asked, "--json", "--fail-on", "high", folder, code=3).stdout)
    told = document["foreign"]
    assert (told["files_opened"], told["images_in_no_part"], told["images_named_twice"]) == (0, 0, 0)
    assert {f["kind"] for f in document["findings"] if f["severity"] == "high"} == {"bytes", "series"}
    advice = "mend this split with the command for the nearest clean one"
    assert all(advice in f["detail"] for f in document["findings"] if f["severity"] == "high")
    assert document["repair"] == told["repair"]

    monkeypatch.chdir(Path(told["tables"]).parent)
    assert "was not made by xqdata split, so it cannot grow" in run("split", "--from", "default", code=1).output
    shown = run("split", "--repair", "default", "--csv", tmp_path / "clean.csv").stdout
    assert "moved" in shown
    with (tmp_path / "clean.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    held: dict[str, set[str]] = {}
    for row in rows:
        held.setdefault(Path(row["file"]).name.split("_")[0], set()).add(row["split"])
    assert all(len(parts) == 1 for parts in held.values())

    monkeypatch.chdir(tmp_path / "work")
    again = ("audit", "--split-file", tmp_path / "clean.csv", *asked[3:])
    shown = run(*again, "--fail-on", "high", folder).stdout
    assert "CLEAN" in shown
    assert "nearest clean split" not in shown


def test_a_folder_that_is_not_there_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("audit", "nope", code=1).output == "error: nope: there is no such folder\n"


def test_what_is_asked_of_no_folder_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "name it last" in run("audit", "--layout", "{split}/{file}", code=2).output
    (tmp_path / "raw").mkdir()
    error = run("audit", "raw", code=1).output
    assert error.startswith("error: raw: nothing says which part a file is in")
    assert error.count("\n") == 1
