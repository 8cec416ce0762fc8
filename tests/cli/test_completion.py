"""Shell completion, in a real bash: what Tab offers, and how soon.

It could be wrong while the commands are right: the shell is told by a table beside them. test_docs.py holds that
current; here it is asked as a shell asks.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest

from assets.command import run
from xqdata.cli.outline import FILE, FOLDERS, HELD

# bash completes what is typed up to the last word; a mark keeps its answer apart from everything else.
ASK = """
export PATH={bin}:$PATH
eval "$(xqdata completion bash)"
complete -p xqdata
compopt() {{ printf 'compopt %s\n' "$2"; }}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_xqdata_completion xqdata
printf 'offered %s\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Splits default and unseen, a run that is finished and one that is not. Nothing opens the tables."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "manifests" / "splits").mkdir(parents=True)
    for name in ("default", "unseen"):
        (folder / "manifests" / "splits" / f"{name}.parquet").write_bytes(b"")
    for name in ("knn-default", "begun"):
        (folder / "runs" / name).mkdir(parents=True)
    (folder / "runs" / "knn-default" / "run.json").write_text("{}")
    return folder


def offered(folder: Path, words: str) -> list[str]:
    script = ASK.format(bin=Path(sys.executable).parent, words=words)
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert "complete -o nosort -F _xqdata_completion xqdata" in done.stdout
    assert done.stderr == ""
    return [line.removeprefix("offered ") for line in done.stdout.splitlines()[1:] if line != "offered "]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("xqdata au", ["audit"]),
        ("xqdata audit --name ''", ["default", "unseen"]),
        ("xqdata export csv out --name un", ["unseen"]),
        ("xqdata split --repair de", ["default"]),
        ("xqdata compare ''", ["knn-default"]),
        ("xqdata benchmark --run ''", ["begun", "knn-default"]),
        ("xqdata benchmark --recipe re", ["resnet18"]),
        ("xqdata benchmark --allow", ["--allow-leaky"]),
        ("xqdata split --by scan", ["scan-id", "scan-type", "scanner-make", "scanner-model", "scanner-serial"]),
        ("xqdata split --method ra", ["random"]),
        ("xqdata label ag", ["agreement"]),
        ("xqdata label export c", ["cvat"]),
        ("xqdata export web", ["webdataset"]),
        ("xqdata ingest ra", ["compopt dirnames"]),
        ("xqdata audit --report a", ["compopt default"]),
    ],
)
def test_bash_offers_what_can_follow(project: Path, words: str, expected: list[str]) -> None:
    assert offered(project, words) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_an_answer_comes_at_once(project: Path) -> None:
    began = time.perf_counter()
    offered(project, "xqdata benchmark --recipe ''")
    # Two starts of xqdata, 0.07 s each on an idle machine; importing what the benchmark needs takes 2.
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script_that_it_can_read(tmp_path: Path, shell: str) -> None:
    script = run(tmp_path, "completion", shell).stdout
    assert "_XQDATA_COMPLETE" in script
    (tmp_path / "script").write_text(script)
    if shutil.which(shell):
        subprocess.run([shell, "-n", tmp_path / "script"], check=True, timeout=60)


def test_what_is_looked_up_belongs_to_parameters_that_there_are() -> None:
    told = json.loads(resources.files("xqdata.data").joinpath(FILE).read_text(encoding="utf-8"))
    every = {
        f"{command} {name}"
        for command, one in [*told.items(), *((f"label {n}", c) for n, c in told["label"]["commands"].items())]
        for parameter in one.get("params", [])
        for name in parameter["names"]
    }
    assert {*HELD, *FOLDERS} - every == set()
