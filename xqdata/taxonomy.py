"""The names of objects and scan types, and how a name as people write it is recognised.

A taxonomy is one TOML file; the reference one is package data. Recognition ignores case, spaces, underscores, dashes
and other punctuation, and Unicode's different ways to write one letter: `Tree Ear-Mushroom` is `tree_ear_mushroom`.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import Field

from xqdata.config import Model, parse_toml, read_toml
from xqdata.errors import ConfigError

REFERENCE = "reference.toml"


class ObjectTerm(Model):
    """One class of objects: its names in use and its material group. `origin` says who chose it."""

    english: str = ""
    korean: str = ""
    material: str = ""
    origin: str = "own"
    synonyms: list[str] = Field(default_factory=list)


class ScanTypeTerm(Model):
    """One way to present objects to the scanner: its names in use and its factors."""

    english: str = ""
    korean: str = ""
    container: str | None = None
    multiplicity: Literal["single", "multiple", "mixed"] | None = None
    clutter: str | None = None
    origin: str = "own"
    synonyms: list[str] = Field(default_factory=list)

    @property
    def factors(self) -> dict[str, str]:
        """The factors that the scan type fixes, by column name."""
        every = {"container": self.container, "multiplicity": self.multiplicity, "clutter": self.clutter}
        return {k: v for k, v in every.items() if v is not None}


class _File(Model):
    name: str = ""
    description: str = ""
    objects: dict[str, ObjectTerm] = Field(default_factory=dict)
    scan_types: dict[str, ScanTypeTerm] = Field(default_factory=dict)
    factors: dict[str, list[str]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Taxonomy:
    """Objects and scan types by the name that the tables use. `where`: the file, for messages.

    `factors`: by value of a factor of scan types the further ways to write it.
    """

    name: str
    where: str
    objects: Mapping[str, ObjectTerm]
    scan_types: Mapping[str, ScanTypeTerm]
    factors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def object_spellings(self) -> dict[str, str]:
        """Folded spelling to object name."""
        return _index(self.objects, self.where)

    @cached_property
    def scan_type_spellings(self) -> dict[str, str]:
        """Folded spelling to scan type name."""
        return _index(self.scan_types, self.where)

    def find_object(self, text: str) -> str | None:
        """The name of the object that `text` means, or None."""
        return self.object_spellings.get(fold(text))

    def find_scan_type(self, text: str) -> str | None:
        """The name of the scan type that `text` means, or None."""
        return self.scan_type_spellings.get(fold(text))

    def find_factor(self, text: str) -> tuple[str, str] | None:
        """The factor (column, value) of scan types that `text` means by itself, as in `basket`; None if none."""
        return self.factor_spellings.get(fold(text))

    @cached_property
    def factor_spellings(self) -> dict[str, tuple[str, str]]:
        """Folded spelling to factor (column, value)."""
        pairs = {pair for term in self.scan_types.values() for pair in term.factors.items() if pair[1] != "none"}
        index = {fold(value): (column, value) for column, value in sorted(pairs)}
        for value, spellings in self.factors.items():
            if fold(value) not in index:
                raise ConfigError(f"factors: no scan type has {value!r}", where=self.where)
            for spelling in spellings:
                if index.setdefault(fold(spelling), index[fold(value)]) != index[fold(value)]:
                    raise ConfigError(
                        f"{spelling!r} means both {index[fold(spelling)][1]} and {value}", where=self.where
                    )
        return index

    def nearest_object(self, text: str) -> str | None:
        """The object whose spelling resembles `text` most, as a hint for a person; None if none is close."""
        close = difflib.get_close_matches(fold(text), self.object_spellings, n=1, cutoff=0.8)
        return self.object_spellings[close[0]] if close else None


def fold(text: str) -> str:
    """What is left of a name when case, separators and punctuation do not count."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def spellings(terms: Mapping[str, ObjectTerm] | Mapping[str, ScanTypeTerm]) -> list[str]:
    """Every way to write the given terms, names first."""
    return [spelling for name, term in terms.items() for spelling in _spellings(name, term)]


def load(path: Path | None = None) -> Taxonomy:
    """The taxonomy in the TOML file `path`, or the reference taxonomy. Raises ConfigError."""
    if path is None:
        text = resources.files("xqdata.data").joinpath(REFERENCE).read_text(encoding="utf-8")
        return _checked(parse_toml(text, _File, where=REFERENCE), where=REFERENCE)
    return _checked(read_toml(path, _File, where=str(path)), where=str(path))


def _checked(file: _File, where: str) -> Taxonomy:
    if not file.objects and not file.scan_types:
        hint = "name them in tables, as in [objects.apple] and [scan_types.single_basket]"
        raise ConfigError("holds neither objects nor scan types", where=where, hint=hint)
    taxonomy = Taxonomy(file.name or Path(where).stem, where, file.objects, file.scan_types, file.factors)
    # Built now, so that a spelling that means two things is an error of the file and not of a later use.
    both = taxonomy.object_spellings.keys() & taxonomy.scan_type_spellings.keys()
    if both:
        raise ConfigError(f"{min(both)!r} means both an object and a scan type", where=where)
    factors = {fold(spelling) for spellings in taxonomy.factors.values() for spelling in spellings}
    both = factors & taxonomy.factor_spellings.keys() & {*taxonomy.object_spellings, *taxonomy.scan_type_spellings}
    if both:
        raise ConfigError(f"{min(both)!r} means both a factor and an object or scan type", where=where)
    return taxonomy


def _index(terms: Mapping[str, ObjectTerm] | Mapping[str, ScanTypeTerm], where: str) -> dict[str, str]:
    index: dict[str, str] = {}
    for name, term in terms.items():
        for spelling in _spellings(name, term):
            other = index.setdefault(fold(spelling), name)
            if other != name:
                raise ConfigError(f"{spelling!r} means both {other} and {name}", where=where)
    return index


def _spellings(name: str, term: ObjectTerm | ScanTypeTerm) -> Iterable[str]:
    return (s for s in (name, term.english, term.korean, *term.synonyms) if fold(s))
