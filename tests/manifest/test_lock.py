"""One writer at a time.

Wrong while green would be: a lock tested within one process only, or one that outlives its holder.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from xqdata.errors import LockedError
from xqdata.manifest import lock

HOLD = """
import sys, time
from pathlib import Path
from xqdata.manifest import lock
with lock(Path(sys.argv[1]), "dedup"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(project):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(project.state)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_process_is_told_who_holds_it(project, holder):
    with pytest.raises(LockedError) as caught, lock(project.state, "ingest"):
        pass
    line = str(caught.value)
    assert "\n" not in line
    assert f"xqdata dedup, process {holder.pid} on " in line
    assert str(project.folder) in line


def test_a_killed_holder_leaves_no_lock(project, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with lock(project.state, "ingest"):
        pass


def test_it_can_be_held_again_after_an_error(project):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock(project.state, "ingest"):
            raise ZeroDivisionError
    with lock(project.state, "ingest"):
        assert str(os.getpid()) in (project.state / "lock").read_text()


def test_a_notice_that_is_damaged_is_no_obstacle(project, holder):
    (project.state / "lock").write_text("{")
    with pytest.raises(LockedError, match="its notice cannot be read"), lock(project.state, "ingest"):
        pass
