"""`xqdata view` as far as it goes without a database; `tests/app` has the rest.

It could be wrong while tests pass if the help took FiftyOne's six seconds, or if what people did in FiftyOne, or
pictures that could not be read, were not told.
"""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

from click.testing import CliRunner
from rich.console import Console

from xqdata.cli.main import main
from xqdata.cli.view import document, tell


def opened(**changes: Any) -> Any:
    loaded = {"added": 3, "updated": 2, "unchanged": 1000, "removed": 1, "kept": 0, "edited": 0, "unread": {}}
    told = {key: changes.pop(key) for key in list(changes) if key in loaded}
    facts = {"dataset": SimpleNamespace(name="lab"), "slug": None, "images": 1005, "views": ["Test part"],
             "runs": ["quick"], "embedded": "quick"}  # fmt: skip
    return SimpleNamespace(**(facts | changes), loaded=SimpleNamespace(**(loaded | told)))


def printed(**changes: Any) -> str:
    out = Console(file=StringIO(), width=10_000, highlight=False)
    tell(out, opened(**changes), "http://127.0.0.1:5151/datasets/lab")
    return cast(StringIO, out.file).getvalue()


def test_it_tells_what_was_loaded_and_where_to_look() -> None:
    text = printed()
    assert "lab: 1,005 images (3 new, 2 changed, 1,000 as before, 1 gone)" in text
    assert "runs: quick" in text
    assert "embeddings: from the run quick" in text
    assert text.endswith("Open http://127.0.0.1:5151/datasets/lab. End with Ctrl-C.\n")
    assert "kept" not in text


def test_it_tells_what_people_did_and_what_cannot_be_seen() -> None:
    text = printed(edited=4, kept=2, unread={"1234": "gone since ingest"}, runs=[], embedded="pictures")
    assert "changed in FiftyOne: 4 values, which stay; take them home: xqdata label pull" in text
    assert "kept: 2 images that are gone, because people changed or tagged them" in text
    assert "no picture: 1 images cannot be read, the first (1234): gone since ingest" in text
    assert "runs: none yet: xqdata benchmark makes one" in text
    assert "embeddings: from low-resolution pictures" in text


def test_the_json_has_all_of_it() -> None:
    told = document(opened(edited=1), "http://here")
    assert {"url", "dataset", "images", "added", "updated", "unchanged", "removed", "kept", "edited", "unread", "views",
            "runs", "embeddings"} == told.keys()  # fmt: skip
    assert (told["edited"], told["embeddings"]) == (1, "quick")


def test_help_and_wrong_usage_come_without_fiftyone() -> None:
    code = "import sys; from xqdata.cli.view import command; print('fiftyone' in sys.modules, 'pyarrow' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("False")
    for words in (["--port", "0"], ["--port", "70000"], ["--sample", "0"], ["surplus"]):
        assert CliRunner().invoke(main, ["view", *words]).exit_code == 2
