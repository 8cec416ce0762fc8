"""`xqdata label` as a user meets it.

It could be wrong while tests pass if only Python's side were called: so these run the installed command in a folder
with an export in it, from the tasks that go out to the verdicts that are taken back.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from assets.command import XQDATA, run
from assets.pictures import colour, encoded, save
from xqdata.cli.label import COMMANDS


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scans of one egg, one of which lies in the wrong folder."""
    folder = tmp_path_factory.mktemp("label")
    rows = ["file,object,specimen,operator"]
    for n, name in enumerate(["egg", "egg", "egg", "mango"]):
        save(folder / "raw" / f"{n}.png", encoded(colour(40, 48, n)))
        rows.append(f"{n}.png,{name},e-1,Kim")
    save(folder / "raw" / "log.csv", "\n".join(rows).encode())
    run(folder, "ingest", "raw", "--quiet")
    return folder


def test_the_help_names_every_command_without_loading_them() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import xqdata.cli.label"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pyarrow" not in done.stderr
    text = subprocess.run([XQDATA, "label", "--help"], capture_output=True, text=True, check=True).stdout
    assert all(f"  {name} " in text for name in COMMANDS)


def test_from_a_suspect_to_a_verdict_and_back(filed: Path) -> None:
    run(filed, "label", "suspects", "--csv", "suspects.csv")
    with (filed / "suspects.csv").open(encoding="utf-8", newline="") as text:
        (row,) = csv.DictReader(text)
    assert (row["path"], row["object"], row["suggested"]) == ("3.png", "mango", "egg")
    run(filed, "label", "export", "label-studio", "tasks", "--from-csv", "suspects.csv")
    tasks = json.loads((filed / "tasks" / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["image_id"] for task in tasks] == [row["image_id"]]
    answer = {"completed_by": 1, "result": [{"type": "choices", "value": {"choices": ["Egg"]}}]}
    (filed / "back.json").write_text(json.dumps([{**tasks[0], "annotations": [answer]}]), encoding="utf-8")
    assert (
        "1 verdict appended: kim 1" in run(filed, "label", "import", "label-studio", "back.json", "--by", "kim").stdout
    )
    changed = json.loads(run(filed, "label", "diff", "--json").stdout)["changes"]
    assert [(c["path"], c["before"], c["after"], c["by"]) for c in changed] == [("raw/3.png", "mango", "egg", "kim")]
    assert json.loads(run(filed, "label", "suspects", "--json").stdout)["suspects"] == []
    (event,) = json.loads(run(filed, "label", "log", "3.png", "--json").stdout)
    assert "mango → " not in run(filed, "label", "undo", event["event_id"][:9], "--by", "lee", "--why", "a slip").stdout
    assert json.loads(run(filed, "label", "diff", "--json").stdout)["changes"] == []
    first, second = json.loads(run(filed, "label", "log", "--json").stdout)
    assert (first["undone"], second["undone"], second["why"], second["by"]) == (True, False, "a slip", "lee")


def test_mistakes_are_told_in_one_line(filed: Path) -> None:
    assert "no event's id begins so" in run(filed, "label", "undo", "zzz", code=1).stderr
    assert "name events, or give --last" in run(filed, "label", "undo", code=2).stderr
    assert "judged no image both" in run(filed, "label", "agreement", "a", "b", code=1).stderr
    (filed / "none.xml").write_text("<a/>", encoding="utf-8")
    assert "no export in the format" in run(filed, "label", "import", "cvat", "none.xml", code=1).stderr
    assert "no such run" in run(filed, "label", "suspects", "--run", "nothing", code=1).stderr


def test_an_import_as_a_document(filed: Path) -> None:
    answer = {"completed_by": "lee", "result": [{"type": "choices", "value": {"choices": ["Egg"]}}]}
    told = [{"data": {"image": f"{n}.png"}, "annotations": [answer]} for n in (0, 1)]
    (filed / "lee.json").write_text(json.dumps(told), encoding="utf-8")
    done = run(filed, "label", "import", "label-studio", "lee.json", "--json")
    assert json.loads(done.stdout)["new"] == {"label-studio user lee": 2}
