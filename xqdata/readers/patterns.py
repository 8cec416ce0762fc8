"""File names that carry meaning: patterns with named fields, or regular expressions, from `xqdata.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from xqdata.errors import ConfigError
from xqdata.readers.base import Fields, Reading, Tree
from xqdata.taxonomy import Taxonomy, spellings
from xqdata.words import several

_FIELD = re.compile(r"\{([a-z_][a-z0-9_]*)\}")
_NUMBERS = ("kvp", "ma", "belt_speed", "sequence")


class Patterns:
    """Fields from file names (or whole paths, where the pattern holds a slash), by the project's own patterns."""

    name = "patterns"

    def sniff(self, tree: Tree) -> str | None:
        """How many files match, where the config holds a pattern at all."""
        count = len(tree.config.patterns) + len(tree.config.regex)
        if not count:
            return None
        found = len(self.read(tree).fields)
        return f"{found} of {len(tree.pictures)} file names match the {count} pattern(s) of xqdata.toml"

    def read(self, tree: Tree) -> Reading:
        """Describe the files that match; the first pattern that matches a file counts."""
        compiled = [compile_pattern(p, tree.taxonomy) for p in tree.config.patterns]
        compiled += [_Regex(re.compile(r), whole=False, by_path=True) for r in tree.config.regex]
        fields = {path: found for path in tree.pictures if (found := _first(compiled, path))}
        left = [path for path in tree.pictures if path not in fields]
        notes = (
            [f"{several(len(left), 'file matches', 'files match')} no pattern, the first is {left[0]}"] if left else []
        )
        return Reading(fields, notes=notes)


class _Regex:
    """A compiled pattern and what it is matched against."""

    def __init__(self, regex: re.Pattern[str], *, whole: bool, by_path: bool) -> None:
        self.match = regex.fullmatch if whole else regex.search
        self.by_path = by_path

    def describe(self, path: str) -> Fields | None:
        match = self.match(path if self.by_path else PurePosixPath(path).name)
        if not match:
            return None
        return {k: v for k, v in match.groupdict().items() if v is not None and k != "ext" and not k.startswith("_")}


def compile_pattern(pattern: str, taxonomy: Taxonomy) -> _Regex:
    """A pattern such as `{object}_{specimen}-{shot}_{view}.{ext}` as something that can be matched."""
    return _Regex(re.compile(pattern_regex(pattern, taxonomy)), whole=True, by_path="/" in pattern)


def pattern_regex(pattern: str, taxonomy: Taxonomy) -> str:
    """A pattern as the regular expression that matches the whole of a file name (or path, where it holds a slash).

    Names of objects and scan types may themselves hold the separators: known names are tried first, the longest
    before the shorter, then anything. Other fields end at the separators that stand beside them. Fields that begin
    with an underscore, and `ext`, are matched and dropped. Raises ConfigError for a field that stands twice.
    """
    pieces = _FIELD.split(pattern)
    literals, names = pieces[::2], pieces[1::2]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(
            f"pattern {pattern!r} holds {{{twice[0]}}} twice",
            where="xqdata.toml",
            hint=f"number the fields: {{{twice[0]}}} and {{{twice[0]}2}}",
        )
    regex = re.escape(literals[0])
    for position, name in enumerate(names):
        beside = literals[position][-1:] + literals[position + 1][:1]
        regex += f"(?P<{name}>{_expression(name, beside, taxonomy)})" + re.escape(literals[position + 1])
    return regex


def _expression(name: str, beside: str, taxonomy: Taxonomy) -> str:
    base = name.rstrip("0123456789")
    if base in ("object", "scan_type"):
        terms = taxonomy.objects if base == "object" else taxonomy.scan_types
        return f"(?i:{_known(spellings(terms))})|[^/]+?"
    if name in _NUMBERS:
        return r"[0-9]+(?:\.[0-9]+)?"
    return f"[^/{re.escape(beside)}]+"


def _known(spellings: Iterable[str]) -> str:
    longest_first = sorted(set(spellings), key=lambda s: (-len(s), s))
    return "|".join(r"[\s_\-]*".join(map(re.escape, re.split(r"[\s_\-]+", s))) for s in longest_first)


def _first(compiled: list[_Regex], path: str) -> Fields | None:
    return next((found for regex in compiled if (found := regex.describe(path))), None)
