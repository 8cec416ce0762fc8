"""What is told of an image outside the project, and what stays inside: who, where, and on which machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import schema
from xqdata.taxonomy import fold

# Of the columns of images, those that leave the project.
TOLD = (
    "image_id",
    "object",
    "objects",
    "scan_type",
    "container",
    "multiplicity",
    "clutter",
    "specimens",
    "scan_id",
    "bag",
    "session",
    "series",
    "container_id",
    "sequence",
    "scanner_make",
    "scanner_model",
    "kvp",
    "ma",
    "belt_speed",
    "view",
    "channel",
    "polarity",
    "palette",
    "acquired_at",
    "licence",
)
# Those that leave it only where that is asked for; with them go the file's own name and `extra`.
PRIVATE = ("operator", "site", "scanner_serial")
MORE_PRIVATE = ("root", "path", "page", "extra")
# Names in these say what belongs together; which names they are matters to nobody outside.
_TIES = ("specimens", "scan_id", "bag", "session", "series", "container_id", "scanner_model")
# Texts so short are looked for as whole words only: a site called `B` is not in every name with a b.
_SHORT = 3


@dataclass(frozen=True)
class Columns:
    """The columns that are told, in order, and what stands for the names in some of them.

    `aliases`: by column, by name, the name that is told instead.
    """

    names: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def arrow(self) -> pa.Schema:
        """The columns with their types in the tables."""
        return pa.schema([pa.field(name, schema.IMAGES.column(name).type) for name in self.names])

    def told(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is told of the image `row`, a row of images."""
        return {name: self._alias(name, row[name]) for name in self.names}

    def _alias(self, name: str, value: Any) -> Any:
        aliases = self.aliases.get(name)
        if aliases is None or value is None:
            return value
        return [aliases[each] for each in value] if isinstance(value, list) else aliases[value]


def named(private: bool) -> tuple[str, ...]:
    """The columns that are told, by whether those that stay inside are asked for."""
    return (*TOLD, *PRIVATE, *MORE_PRIVATE) if private else TOLD


def columns(images: pa.Table, every: pa.Table, private: bool) -> Columns:
    """What is told of `images`. Without `private`, names that hold an operator's, a site's or a serial number's, of
    `every` image that there is, are replaced by numbered ones, in the whole column.
    """
    if private:
        return Columns(named(private))
    secrets = {value for name in PRIVATE for value in pc.unique(every[name]).to_pylist() if value}
    aliases = {}
    for name in _TIES:
        found = _values(images[name])
        if any(_holds(value, secret) for value in found for secret in secrets):
            width = len(str(len(found)))
            aliases[name] = {value: f"{name}-{n:0{width}}" for n, value in enumerate(found, start=1)}
    return Columns(named(private), aliases)


def _values(column: pa.ChunkedArray) -> list[str]:
    """The distinct texts of a column, or of its lists, in order of their first row."""
    flat = pc.list_flatten(column) if pa.types.is_list(column.type) else column
    return [value for value in pc.unique(flat).to_pylist() if value is not None]


def _holds(text: str, secret: str) -> bool:
    wanted = fold(secret)
    if len(wanted) < _SHORT:
        return wanted in (fold(word) for word in re.split(r"[\W_]+", text)) if wanted else secret in text
    return wanted in fold(text)


def written(name: str, value: Any, extra: str) -> str:
    """A value as a cell of a table, so that `xqdata ingest` reads the same; null is empty.

    `extra`: of the image, which says whether the hour of `acquired_at` is known.
    """
    if value is None:
        return ""
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, datetime):
        day = name == "acquired_at" and json.loads(extra).get("acquired_precision") == "day"
        return value.date().isoformat() if day else value.isoformat(sep=" ")
    return str(value)


def plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """`told` as JSON takes it, without what is unknown."""
    spelled = {name: v.isoformat(sep=" ") if isinstance(v, datetime) else v for name, v in told.items()}
    return {name: value for name, value in spelled.items() if value is not None}


def names_private(named: Iterable[str]) -> bool:
    """True if some of the columns `named` stay inside."""
    return not set(named).isdisjoint((*PRIVATE, *MORE_PRIVATE))
