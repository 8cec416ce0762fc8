"""`xqdata export` as a user meets it.

It could be wrong while tests pass if only Python's side were called: so these run the installed command, in a folder
with a simulated export in it, and end one run by a kill.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from assets.command import XQDATA, run
from assets.export import write_export
from xqdata.exports import FORMATS


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    write_export(folder / "raw")
    run(folder, "ingest", "raw", "--quiet", "--workers", "1")
    run(folder, "split", "--quiet")
    return folder


@pytest.fixture
def out(ready: Path) -> Path:
    shutil.rmtree(ready / "out", ignore_errors=True)
    return ready / "out"


def test_it_says_what_was_written_and_how_to_read_it(ready: Path, out: Path) -> None:
    shown = run(ready, "export", "imagefolder", "out").stdout
    assert re.search(r"^135 +images, the parts of splits/default: train \d+, val \d+, test \d+", shown)
    assert re.search(r"^\s*\d+ +pictures as they are *$", shown, re.M)
    assert "8-bit PNG made from deeper pictures" in shown
    assert "torchvision.datasets.ImageFolder('out/train')" in shown
    assert {path.name for path in out.iterdir()} == {"train", "val", "test", "images.csv", "export.json"}


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_in_json(ready: Path, out: Path, format: str) -> None:
    done = run(ready, "export", format, "out", "--json", "--workers", "1")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert told["format"] == format
    assert told["images"] + sum(told["left_out"].values()) == 135
    assert sum(told["parts"].values()) == sum(told["pictures"].values()) == told["images"]
    assert told["bytes"] == sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


def test_quiet_says_nothing(ready: Path, out: Path) -> None:
    done = run(ready, "export", "csv", "out", "--quiet", "--where", "object == 'apple'")
    assert (done.stdout, done.stderr) == ("", "")


def test_options_reach_the_export(ready: Path, out: Path) -> None:
    told = json.loads(run(
        ready, "export", "csv", "out", "--json", "--link", "--bits", "8", "--where", "'apple' in objects", "--private",
    ).stdout)  # fmt: skip
    assert told["linked"]
    assert "사과/" in (out / "images.csv").read_text()
    assert told["left_out"]["the condition does not hold"] > 0
    record = json.loads((out / "export.json").read_text())
    assert (record["bits"], record["private"]) == (8, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["export", "csv"], 2, "FOLDER"),
        (["export", "zip", "out"], 2, "zip"),
        (["export", "csv", "out", "--bits", "12"], 2, "12"),
        (["export", "csv", "out", "--where", "colour == 1"], 1, "images has no column colour"),
        (["export", "csv", "out", "--name", "nosuch"], 1, "xqdata split"),
        (["export", "csv", "out", "--kept-only"], 1, "xqdata dedup"),
        (["export", "csv", "raw/out"], 1, "lies in the raw folder raw"),
        (["export", "csv", "."], 1, "not empty"),
        (["export", "csv", ".", "--force"], 1, "delete it yourself"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(ready: Path, out: Path, arguments: list[str], code: int, told: str) -> None:
    done = run(ready, *arguments, code=code)
    assert told in done.stderr
    assert code == 2 or len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    assert "xqdata ingest RAW" in run(tmp_path, "export", "csv", "out", code=1).stderr


def test_force_replaces_an_export(ready: Path, out: Path) -> None:
    run(ready, "export", "coco", "out", "-q")
    assert "--force" in run(ready, "export", "csv", "out", code=1).stderr
    run(ready, "export", "csv", "out", "--force", "-q")
    assert not (out / "annotations").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_leaves_nothing_that_looks_whole(ready: Path, out: Path, how: int) -> None:
    # What a shell starts in the background ignores Ctrl-C, and so would what this test starts.
    heeding: dict[str, Any] = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    command = [XQDATA, "export", "csv", "out", "--workers", "2"]
    with subprocess.Popen(
        command, cwd=ready, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, **heeding
    ) as running:
        deadline = time.monotonic() + 60
        while not list(ready.glob(".out.*.part/*")) and time.monotonic() < deadline:
            assert running.poll() is None
            time.sleep(0.005)
        os.kill(running.pid, how)
        _, told = running.communicate(timeout=60)
    assert not out.exists()
    assert running.returncode == (-9 if how == signal.SIGKILL else 130)
    assert "Traceback" not in told
    assert bool(list(ready.glob(".out.*.part"))) == (how == signal.SIGKILL)
    run(ready, "export", "csv", "out", "-q", "--workers", "1")
    assert out.is_dir()
    assert not list(ready.glob(".out.*"))
