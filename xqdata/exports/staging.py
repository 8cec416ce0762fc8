"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xqdata.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows: there leftovers of killed runs stay
    fcntl = None  # type: ignore[assignment]

_PART, _OLD = ".part", ".old"


def check_free(target: Path, mark: str, replace: bool) -> None:
    """Raises InputError where `target` cannot become a new folder.

    A folder that holds something is only replaced where that is asked for and the file `mark` in it says that it was
    made by us.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError("is there already and no folder", where=str(target), hint="name another folder")
    if not target.exists() or not any(target.iterdir()):
        return
    if not replace:
        raise InputError("is not empty", where=str(target), hint="name another folder, or replace it with --force")
    if not (target / mark).is_file():
        hint = "--force replaces earlier exports only: delete it yourself, or name another folder"
        raise InputError("is not empty and no export", where=str(target), hint=hint)


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, which takes its place when the block ends, and is removed if it fails.

    A process that is killed leaves a hidden folder, `.NAME.PID.part`; the next one removes it. Where `target` is there
    it is replaced. Raises InputError where it cannot be made.
    """
    made = target.with_name(f".{target.name}.{os.getpid()}{_PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        made.mkdir()
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(target)) from error
    with _held(made):
        try:
            yield made
            _put_in_place(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _put_in_place(made: Path, target: Path) -> None:
    old = made.with_suffix(_OLD)
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        with suppress(FileNotFoundError):
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder is in use while the block runs, which other processes see."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _remove_leftovers(target: Path) -> None:
    """Remove what killed runs left; what stood in the place before them goes back where nothing stands there now."""
    for left in sorted(target.parent.iterdir()):
        match = re.fullmatch(rf"\.{re.escape(target.name)}\.\d+({_OLD}|{_PART})", left.name)
        if match is None or not _is_free(left):
            continue
        if match[1] == _OLD and not target.exists():
            left.rename(target)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    if fcntl is None:
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
