"""One writer at a time: an advisory lock that dies with its process and says who holds it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from xqdata.errors import LockedError

try:
    import fcntl
except ImportError:  # not on Windows: there the lock file is only a notice
    fcntl = None  # type: ignore[assignment]


@contextmanager
def lock(state: Path, purpose: str) -> Iterator[None]:
    """Hold the project's lock while the block runs. `state` is the project's `.xqdata` folder.

    Raises LockedError, naming the holder, if another process has it. The kernel drops the lock when its process ends
    in whatever way, so nothing has to be cleaned up after a kill.
    """
    with _opened(state) as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LockedError(
                    f"another process is writing to this project: {_holder(file.name)}",
                    where=str(state.parent),
                    hint="wait for it, or end it",
                ) from None
        notice = {
            "purpose": purpose,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        file.seek(0)
        file.truncate()
        file.write(json.dumps(notice))
        file.flush()
        yield


def _opened(state: Path) -> TextIO:
    try:
        state.mkdir(parents=True, exist_ok=True)
        return (state / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise LockedError(
            f"the project's folder cannot be written to ({error.strerror})",
            where=str(state),
            hint="go to a folder of your own, or mend its permissions",
        ) from error


def _holder(path: str) -> str:
    try:
        notice = json.loads(Path(path).read_text(encoding="utf-8"))
        return f"xqdata {notice['purpose']}, process {notice['pid']} on {notice['host']} since {notice['since']}"
    except (OSError, ValueError, KeyError):
        return "its notice cannot be read"
