"""What readers say of a file, made into columns: the strongest reader's word holds, every disagreement is counted."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from xqdata import schema
from xqdata.errors import ConfigError
from xqdata.readers import Fields, Reading
from xqdata.readers.fields import coerce, is_day_only, split_list
from xqdata.taxonomy import Taxonomy
from xqdata.words import several

# The columns that a reader may fill; all others are measured or made by ingest.
DESCRIBED = tuple(
    c.name
    for c in schema.IMAGES.columns
    if c.group in ("what", "what belongs together", "acquisition") or c.name in ("reader", "label_source", "licence")
)
_SETTABLE = frozenset(DESCRIBED) - {"object", "reader", "label_source"}
_DEFAULTS = "xqdata.toml"
# Polarity is a key of its own, because measuring depends on it.
_DEFAULTABLE = (_SETTABLE | {"object", "specimen"}) - {"polarity"}


@dataclass
class Disagreements:
    """How often two readers said different things of one file, by (column, stronger, weaker), with one example."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, column: str, stronger: str, weaker: str, example: str) -> None:
        """Count one."""
        key = (column, stronger, weaker)
        self.counts[key] += 1
        self.examples.setdefault(key, example)

    def lines(self) -> list[str]:
        """One line for each kind of disagreement."""
        return [
            f"{several(count, 'file', 'files')}: {key[1]} and {key[2]} disagree on {key[0]}, "
            f"as in {self.examples[key]}; {key[1]} is taken"
            for key, count in sorted(self.counts.items())
        ]


def check_defaults(defaults: Mapping[str, object]) -> None:
    """Raise ConfigError for a default of `xqdata.toml` that no column can hold."""
    for key, value in defaults.items():
        where = f"key ingest.defaults.{key}"
        if key not in _DEFAULTABLE:
            close = difflib.get_close_matches(key, _DEFAULTABLE, n=1)
            guess = f"; did you mean {close[0]}?" if close else ""
            hint = f"allowed are {', '.join(sorted(_DEFAULTABLE))}{guess}"
            raise ConfigError(f"unknown {where}", where=_DEFAULTS, hint=hint)
        try:
            if key in _SETTABLE:
                coerce(key, value)
        except ValueError as error:
            raise ConfigError(f"{where}: {error}", where=_DEFAULTS) from error


class Describer:
    """Merges the readings of one raw folder into rows. `readings`: (reader's name, reading), the strongest first."""

    def __init__(
        self, readings: Sequence[tuple[str, Reading]], taxonomy: Taxonomy, defaults: Mapping[str, object]
    ) -> None:
        self.readings = readings
        self.taxonomy = taxonomy
        self.defaults = defaults
        self.disagreements = Disagreements()
        self.odd_values: Counter[str] = Counter()

    def row(self, path: str, format: str = "", tags: str | None = None) -> dict[str, Any]:
        """The described columns of the file called `path`, `extra` included; absent columns are unknown.

        `format`, `tags`: what the file is, and JSON of what stands inside it, which also goes to `extra` under `tags`.
        """
        inside = json.loads(tags) if tags else {}
        said = list(self._said(path, format, inside))
        row: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        by: dict[str, str] = {}
        for name, fields in [*said, (_DEFAULTS, self.defaults)]:
            typed, other = self._typed(fields)
            for column, value in typed.items():
                self._merge(row, by, column, value, name, path)
            if by.get("acquired_at") != name:
                other.pop("acquired_precision", None)
            extra = other | extra
        if inside:
            extra.setdefault("tags", inside)
        self._finish(row, by, path)
        row["reader"] = ", ".join(name for name, _ in said) or None
        row["label_source"] = by.get("objects")
        row["extra"] = json.dumps(extra, ensure_ascii=False, sort_keys=True, default=str)
        return row

    def _said(self, path: str, format: str, tags: Mapping[str, str]) -> Iterator[tuple[str, Fields]]:
        for name, reading in self.readings:
            fields = {**(reading.from_tags(format, tags) if reading.from_tags else {}), **reading.fields.get(path, {})}
            if fields:
                yield name, fields

    def explain(self, path: str) -> dict[str, Any]:
        """What is understood of `path`, for a person to look at: known columns only; nothing is counted."""
        quiet = Describer(self.readings, self.taxonomy, {})
        row = quiet.row(path)
        return {c: row[c] for c in DESCRIBED if row.get(c) is not None and c not in ("reader", "label_source")}

    def notes(self) -> list[str]:
        """Lines for the person at the terminal: where readers disagree, and values that fit no column."""
        odd = [
            f"{several(count, 'value', 'values')} of {column} {'is' if count == 1 else 'are'} not what that column "
            f"holds; kept in extra as {column}_as_written"
            for column, count in sorted(self.odd_values.items())
        ]
        return self.disagreements.lines() + odd

    def _merge(self, row: dict[str, Any], by: dict[str, str], column: str, value: Any, name: str, path: str) -> None:
        if column not in row:
            row[column], by[column] = value, name
        elif name != _DEFAULTS and not _agree(row[column], value):
            self.disagreements.add(column, by[column], name, f"{path} ({_shown(row[column])}, {_shown(value)})")

    def _typed(self, fields: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
        """Columns with their types, and everything else."""
        typed: dict[str, Any] = {}
        other: dict[str, Any] = {}
        objects: list[str] = []
        specimens: list[str] = []
        for word, value in _moments(fields).items():
            base = word.rstrip("0123456789")
            if base in ("object", "objects"):
                objects += split_list(value)
            elif base in ("specimen", "specimens"):
                specimens += split_list(value)
            elif word in _SETTABLE:
                self._set(typed, other, word, value)
            else:
                other[word] = value
        if objects:
            typed["objects"] = [name for o in objects for name in self._objects(o)]
        if specimens:
            typed["specimens"] = specimens
        return typed, other

    def _objects(self, written: str) -> list[str]:
        """The objects that one word means: commas part it only where every part is known, for names hold commas."""
        found = self.taxonomy.find_object(written)
        if found is None and "," in written:
            parts = [self.taxonomy.find_object(part) for part in written.split(",")]
            if all(parts):
                return [part for part in parts if part]
        return [found or written]

    def _set(self, typed: dict[str, Any], other: dict[str, Any], column: str, value: object) -> None:
        try:
            typed[column] = coerce(column, value)
        except ValueError:
            other[f"{column}_as_written"] = value
            self.odd_values[column] += 1
            return
        if column == "scan_type":
            typed[column] = self.taxonomy.find_scan_type(typed[column]) or typed[column]
        if column == "acquired_at" and is_day_only(value):
            other["acquired_precision"] = "day"

    def _finish(self, row: dict[str, Any], by: dict[str, str], path: str) -> None:
        named = row.get("objects") or []
        row["specimens"] = _qualified(row.get("specimens") or [], named) or None
        objects = list(dict.fromkeys(named))
        row["objects"] = objects or None
        row["object"] = objects[0] if len(objects) == 1 else None
        term = self.taxonomy.scan_types.get(row.get("scan_type") or "")
        for column, value in (term.factors if term else {}).items():
            self._merge(row, by, column, value, f"scan type {row['scan_type']}", path)


def _moments(fields: Fields) -> Fields:
    """`fields` with a `date`, and a `time` where there is one, put together as `acquired_at`."""
    if "date" not in fields or "acquired_at" in fields:
        return fields
    day, clock = fields["date"], fields.get("time", "")
    rest = {word: value for word, value in fields.items() if word not in ("date", "time")}
    return {**rest, "acquired_at": f"{str(day).split()[0]} {clock}" if clock else day}


def _qualified(specimens: list[str], objects: list[str]) -> list[str]:
    """Specimen names that are mere numbers count within their object: number 3 of the apples is no number 3 of the
    mangoes. So they become `apple-3`, where it is clear which object is meant.
    """
    if len(objects) != len(specimens) or len(set(objects)) == 1:
        # One number for several objects counts within all of them: it must not tie to another object's number.
        objects = ["+".join(dict.fromkeys(objects))] * len(specimens)
    return [f"{o}-{s}" if o and s.isdigit() else s for s, o in zip(specimens, objects, strict=True)]


def _agree(one: Any, other: Any) -> bool:
    """True if two readers say the same; a day and a moment of that day do."""
    if isinstance(one, datetime) and isinstance(other, datetime) and time() in (one.time(), other.time()):
        return one.date() == other.date()
    return bool(one == other)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
