"""How a file's name is written in the tables: relative, forward slashes, reversible for every name that can exist.

On Linux a name is bytes. Bytes that are not UTF-8 stand as %XX. A percent sign that two hex digits follow is written
%25, so that no two names share one spelling.
"""

from __future__ import annotations

import fnmatch
import os
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

_MISTAKABLE = re.compile("%(?=[0-9A-Fa-f]{2})")
_UNDECODED = re.compile("[\udc80-\udcff]")
_ESCAPE = re.compile("(?:%[0-9A-Fa-f]{2})+")


def spell(name: str) -> str:
    """The spelling in the tables of a path as Python gives it (undecodable bytes as surrogates)."""
    name = name.replace(os.sep, "/") if os.sep != "/" else name
    escaped = _MISTAKABLE.sub("%25", name)
    return _UNDECODED.sub(lambda m: f"%{ord(m.group()) - 0xDC00:02X}", escaped)


def unspell(path: str) -> str:
    """The inverse of `spell`."""
    return _ESCAPE.sub(lambda m: os.fsdecode(unquote_to_bytes(m.group())), path)


def locate(root: Path, path: str) -> Path:
    """Where the file called `path` in the tables lies below `root`."""
    return root / unspell(path)


class Globs:
    """Glob patterns that are tried on many paths; each as `matches` tries it."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._any = re.compile("|".join(fnmatch.translate(_folded(p)) for p in patterns) or r"(?!)")

    def first(self, path: str) -> str | None:
        """The first pattern that fits `path`."""
        whole = path.lower() if path.isascii() else _folded(path)
        if not self._any.match(whole.rpartition("/")[2]) and not self._any.match(whole):
            return None
        return next(pattern for pattern in self._patterns if matches(path, pattern))


def matches(path: str, pattern: str) -> bool:
    """True if the glob `pattern` fits the name or the whole of `path`; case does not count, on any system."""
    whole, glob = _folded(path), _folded(pattern)
    return fnmatch.fnmatchcase(whole.rpartition("/")[2], glob) or fnmatch.fnmatchcase(whole, glob)


@lru_cache(maxsize=256)  # the same patterns for every path, and every path for some patterns
def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
