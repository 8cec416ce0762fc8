"""Names from the data as names of folders and files that any file system takes and none confuses."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

# What Windows forbids, what patterns of file names give a meaning, and the percent sign, which has one in our tables.
_FORBIDDEN = frozenset('<>:"/\\|?*[]{}%')
_RESERVED = frozenset(["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³")])
# Files of the formats, which lie where folders may lie.
_FILES = frozenset("images.csv boxes.csv export.json readme.md croissant.json classes.json dataset.yaml".split())
# How many digits of a name's hash mark its folder: more where so few are the same for two names.
_DIGITS = (6, 64)
_OURS = re.compile(r"-([0-9a-f]{6}|[0-9a-f]{64})$")
# Bytes; most file systems take 255.
_LONGEST = 120


def folder_names(names: Iterable[str]) -> dict[str, str]:
    """For each of `names` a name for a folder: the name itself where it can be one.

    Where it cannot (`../x`, `a/b`, NUL, `con`, too long), or where a file system that does not tell case or the
    spellings of one letter apart would confuse it with another of `names`, what is left of it and six digits of its
    hash. No two of the folders are the same, whatever the file system, and a name's folder does not depend on the order
    of `names`.

    >>> folder_names(["apple", "a/b", "Tree ear"])
    {'apple': 'apple', 'a/b': 'a_b-c14cdd', 'Tree ear': 'Tree ear'}
    """
    plain = {name: _plain(name) for name in names}
    often = Counter(map(_confused, plain.values()))
    for digits in _DIGITS:
        found = {name: _marked(name, safe, often[_confused(safe)], digits) for name, safe in plain.items()}
        if len(set(map(_confused, found.values()))) == len(found):
            break
    return found


def _marked(name: str, safe: str, often: int, digits: int) -> str:
    # A name that ends as ours do might be the folder of another one.
    if safe == name and often == 1 and not _OURS.search(name):
        return safe
    return f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:digits]}"


def _plain(name: str) -> str:
    """`name` without what some file system takes amiss; never empty."""
    composed = unicodedata.normalize("NFC", name)
    kept = "".join("_" if c in _FORBIDDEN or not c.isprintable() else c for c in composed)
    short = kept.encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    reserved = short.partition(".")[0].rstrip().casefold() in _RESERVED or _confused(short) in _FILES
    return f"_{short}" if reserved or not short else short


def _confused(name: str) -> str:
    """What two names share that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
