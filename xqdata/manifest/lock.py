"""One writer at a time: an advisory lock that dies with its process and says who holds it."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from xqdata.errors import LockedError

try:
    import fcntl
except ImportError:  # not on Windows: there the lock file is only a notice
    fcntl = None  # type: ignore[assignment]


# What a file system answers that knows no such locks, as some network file systems do not.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def lock(state: Path, purpose: str) -> Iterator[None]:
    """Hold the project's lock while the block runs. `state` is the project's `.xqdata` folder.

    Raises LockedError, naming the holder, if another process has it; or if the lock file cannot be written, or the file
    system grants no locks. The kernel drops the lock when its process ends in whatever way, so nothing has to be
    cleaned up after a kill.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        file = FileIO(state / "lock", "a+")
        try:
            _take(file, state)
            _sign(file, purpose)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise LockedError(
            f"the project's folder cannot be written to ({error.strerror})",
            where=str(state),
            hint="nothing was lost: free some space, mend its permissions, or go to a folder of your own",
        ) from error
    with file:
        yield


def _take(file: FileIO, state: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"another process is writing to this project: {_holder(state / 'lock')}",
            where=str(state.parent),
            hint="wait for it, or end it",
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise LockedError(
            f"this file system grants no locks ({error.strerror}), so two processes could write at once",
            where=str(state.parent),
            hint="work in a folder on another disk; the raw folders may stay where they are",
        ) from error


def _sign(file: FileIO, purpose: str) -> None:
    notice = {
        "purpose": purpose,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    file.truncate(0)
    file.write(json.dumps(notice).encode())


def _holder(path: Path) -> str:
    try:
        notice = json.loads(path.read_text(encoding="utf-8"))
        return f"xqdata {notice['purpose']}, process {notice['pid']} on {notice['host']} since {notice['since']}"
    except (OSError, ValueError, KeyError):
        return "its notice cannot be read"
