"""The errors that a user can mend: each says what is wrong, where, and what to do.

Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any


class XqdataError(Exception):
    """An error at the user's side, shown as one line and ending the command with exit code 1."""

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross process borders; the default would lose the keyword arguments.
        return partial(type(self), where=self.where, hint=self.hint), (self.message,)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"; {self.hint}" if self.hint else ""
        return one_line(f"{place}{self.message}{remedy}")


class InputError(XqdataError):
    """A raw folder, a file or an argument cannot be used as it is."""


class ConfigError(XqdataError):
    """`xqdata.toml` or a taxonomy file holds something that is not allowed."""


class TableError(XqdataError):
    """A manifest table is absent, damaged, of another version, or does not belong with its neighbour."""


class LockedError(XqdataError):
    """Another process is writing to this project."""


class RemoteError(XqdataError):
    """A store at an address does not answer, or not as it should. It says nothing of the files that lie there."""


def installing(extra: str, *others: str) -> str:
    """The command that adds an extra of this package, and with it `others`, packages of the index.

    By a folder: on the package index the name xqdata belongs to another project. The folder is not spelled out, since
    these words go into tables, which must not depend on the machine.
    """
    return " ".join([f"pip install '/path/to/xqdata[{extra}]'", *others])


@contextmanager
def writing_to(place: Path) -> Iterator[None]:
    """An OSError of the block, which writes to `place`, becomes an XqdataError."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error  # Arrow's own text is a sentence around the same words
        hint = "free some space and run the command again"
        raise XqdataError(f"cannot be written ({why})", where=str(place), hint=hint) from error


def one_line(text: str) -> str:
    """`text` with its line breaks and other control characters made visible, so that it stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
