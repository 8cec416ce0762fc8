"""`xqdata simulate` and `xqdata demo` as a user meets them.

They could be wrong while tests pass if only Python's side were called: so these run the installed commands.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xqdata.cli import demo
from xqdata.simulate.check import publish
from xqdata.simulate.settings import FAULTS

XQDATA = Path(sys.executable).with_name("xqdata")


def run(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([XQDATA, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulate")
    told = run(folder, "simulate", "--scans", "5", "--workers", "1", "--no-faults", "--byte-copies", "0.4").stdout
    assert "5  pictures of scans" in told
    assert "2  copies byte for byte" in told
    assert "xqdata ingest raw" in told
    return folder


def test_options_reach_the_settings(tmp_path: Path) -> None:
    options = ["--scans", "2", "--specimens", "3", "--seed", "9", "--difficulty", "0.25", "--side-view", "--deep",
               "--confounded", "2", "--chained", "--crops", "0.5"]  # fmt: skip
    told = json.loads(run(tmp_path, "simulate", "other/raw", *options, "--workers", "1", "--json").stdout)
    settings = told["settings"]
    assert {k: v for k, v in settings.items() if k != "rates"} == {
        "scans": 2, "specimens": 3, "seed": 9, "difficulty": 0.25, "views": ["top", "side"], "deep": True,
        "confounded": 2, "chained": True,
    }  # fmt: skip
    assert settings["rates"]["crops"] == 0.5
    assert told["files"] == {"scan": 2 * 6, "crop": 1}
    assert json.loads((tmp_path / "other/truth/settings.json").read_text())["settings"] == settings


def test_no_faults_plants_only_what_is_asked_for(made: Path) -> None:
    settings = json.loads((made / "truth/settings.json").read_text())["settings"]
    assert {name: share for name, share in settings["rates"].items() if share} == {"byte_copies": 0.4}
    assert set(settings["rates"]) == set(FAULTS)
    assert settings["confounded"] == 0


def test_a_second_run_says_what_was_there(made: Path) -> None:
    again = run(made, "simulate", "--scans", "5", "--workers", "1", "--no-faults", "--byte-copies", "0.4").stdout
    assert "7 of them were there already" in again


def test_another_dataset_is_not_written_over(made: Path) -> None:
    refused = run(made, "simulate", "--scans", "6", code=1)
    assert "other settings" in refused.stderr
    assert refused.stdout == ""


def test_check_tells_a_difference_by_its_exit_code(made: Path, tmp_path: Path) -> None:
    assert publish(made / "raw", tmp_path, workers=1) == 7
    assert "all 7 pictures" in run(tmp_path, "simulate", "--check", ".", "--workers", "1").stdout
    table = pq.read_table(tmp_path / "pixels.parquet")
    pq.write_table(pa.table({"path": table["path"], "pixel_hash": ["0" * 32] * 7}), tmp_path / "pixels.parquet")
    told = json.loads(run(tmp_path, "simulate", "--check", ".", "--workers", "1", "--json", code=3).stdout)
    assert (told["same"], len(told["different"])) == (0, 7)
    assert [p.name for p in tmp_path.glob("raw*")] == []


def test_demo_takes_every_step_in_its_own_folder(tmp_path: Path) -> None:
    shown = run(tmp_path, "demo", "here", "--scans", "21", "--workers", "1").stdout
    for step in ("simulate raw --scans 21", "ingest raw", "dedup", "split", "status"):
        assert f"here$ xqdata {step}" in shown
    assert "benchmark and compare are left out: fewer than 250 scans" in shown
    assert "Where to look, in here:" in shown
    for place in ("raw", "truth", "manifests"):
        assert (tmp_path / "here" / place).is_dir()
        assert f"{place}/" in shown
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_demo_says_what_it_leaves_out_for_want_of_a_package() -> None:
    assert demo._left_out(None, torch=True) == ""
    assert "PyTorch is not installed; run: pip install" in demo._left_out(None, torch=False)
    few = {name for name, *_ in demo._steps(249, torch=True)}
    assert {"benchmark", "compare"} & few == set()
    assert ("compare", "knn", "linear") in list(demo._steps(250, torch=False))


def test_demo_in_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = run(tmp_path, "demo", "file/demo", code=1).stderr
    assert told.startswith("error: file/demo: cannot be made (Not a directory); ")
    assert told.count("\n") == 1


def test_demo_leaves_the_folders_of_others_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/scan.png").write_bytes(b"x")
    assert "not empty" in run(tmp_path, "demo", "mine", code=1).stderr
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["scan.png"]
