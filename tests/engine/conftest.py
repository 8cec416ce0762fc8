"""Two local Ray nodes for all tests of a session, and the engine that uses them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from xqdata import engine
from xqdata.engine import Engine

if find_spec("ray") is None:  # not imported here: it reads what to keep quiet about when it is
    pytest.skip("ray is not installed: pip install '/path/to/xqdata[ray]'", allow_module_level=True)


class Nodes:
    """The cluster, in a process of its own."""

    def __init__(self) -> None:
        script = Path(__file__).parents[1] / "assets" / "ray_nodes.py"
        command = [sys.executable, str(script)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self, what: str) -> None:
        """`worker` or `node`; returns when it is dead."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        assert self._answer() == "done"

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def nodes(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    if find_spec("s3fs") and find_spec("moto"):
        request.getfixturevalue("s3")  # which the nodes know by their environment, as they do credentials
    made = Nodes()
    yield made
    made.close()


@pytest.fixture(scope="module")
def ray_engine(nodes: Nodes) -> Iterator[Engine]:
    chosen = Engine("ray", nodes.address)
    with engine.on(chosen):
        yield chosen
