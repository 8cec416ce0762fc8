"""The tables that the page speaks of: those that stand and can be read, and what is wrong with the others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import labels, manifest, scans, schema
from xqdata.errors import TableError
from xqdata.manifest import Project
from xqdata.status import Changed, TableStatus, status
from xqdata.taxonomy import Taxonomy

UNKNOWN = "unknown"
# What the page counts. Who operated the scanner and where is not on it.
_COUNTED = (
    *("image_id", "object", "objects", "scan_type", "specimens", "session", "acquired_at", "licence"),
    *("scanner_make", "scanner_model", "scanner_serial", "kvp", "ma", "view"),
    *("format", "bit_depth", "mode", "width", "height", "bytes"),
    *("mean", "std", "air_fraction", "sharpness"),
)
_CAPTION = ("objects", "scan_type", "acquired_at")


class Rows(Mapping[str, Mapping[str, Any]]):
    """Rows of `images` by image_id, as dictionaries that are made when they are asked for: the page shows a few hundred
    of them, and all at once take ten times as much as the table.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        # Nanoseconds do not fit Python's datetime.
        self._plain = table.drop_columns(["mtime"]).combine_chunks()
        self._place = {image: n for n, image in enumerate(table["image_id"].to_pylist())}

    def __getitem__(self, image: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._plain.slice(self._place[image], 1).to_pylist()[0]
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._place)

    def __len__(self) -> int:
        return len(self._place)

    def table(self, image: str) -> pa.Table:
        """The row as a table."""
        return self._table.slice(self._place[image], 1)


@dataclass(frozen=True)
class Material:
    """The images of a project as people corrected them, and what its other tables hold.

    `ingested`: all rows of `images` as ingest wrote them; `images`: those whose file is there and that nobody
    rejected, with effective labels. `states`: of every table that stands.
    """

    project: Project
    taxonomy: Taxonomy
    ingested: pa.Table
    images: pa.Table
    states: Sequence[TableStatus]

    @classmethod
    def of(cls, project: Project, taxonomy: Taxonomy, changed: Mapping[str, Changed]) -> Material:
        """Raises TableError where the table `images` does not stand or cannot be read."""
        wanted = dict.fromkeys((*_COUNTED, *scans.COLUMNS, *labels.COLUMNS, "missing"))
        ingested = manifest.read(project, "images", list(wanted))
        states = status(project, changed)
        made = cls(project, taxonomy, ingested, ingested, states)
        held = ingested.filter(pc.invert(ingested["missing"]))
        return cls(project, taxonomy, ingested, labels.effective(held, made.log, taxonomy), states)

    @cached_property
    def log(self) -> pa.Table:
        """The label log in its order."""
        told = self.table("labels")
        return schema.empty("labels") if told is None else told.sort_by("number")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """`images` for counting, one row each in the table's order."""
        made: pd.DataFrame = self.images.select(_COUNTED).to_pandas()
        return made

    @cached_property
    def superfluous(self) -> set[str]:
        """The ids of copies that are not the kept one of their cluster."""
        told = self.table("duplicates", ["image_id", "kept"])
        return set() if told is None else set(told.filter(pc.invert(told["kept"]))["image_id"].to_pylist())

    @cached_property
    def rows(self) -> Rows:
        """What captions and opening take of every image ever ingested; with effective labels where it stands."""
        gone = pc.invert(pc.is_in(self.ingested["image_id"], self.images["image_id"].combine_chunks()))
        both = (table.select([*scans.COLUMNS, *_CAPTION]) for table in (self.images, self.ingested.filter(gone)))
        return Rows(pa.concat_tables(both))

    @cached_property
    def private(self) -> re.Pattern[str] | None:
        """Names of operators and sites, and serial numbers, wherever they stand as words; None where there are none."""
        held = manifest.read(self.project, "images", ["operator", "site", "scanner_serial"])
        names = {name for column in held.columns for name in pc.unique(column).to_pylist() if name and name.strip()}
        any_of = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        return re.compile(rf"(?<![^\W_])(?:{any_of})(?![^\W_])") if any_of else None

    def discreet(self, text: str) -> str:
        """`text` without the names of operators and sites, and without serial numbers."""
        return self.private.sub("(name left out)", text) if self.private else text

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The table called `name`, or columns of it; None where it does not stand or cannot be read (`states` says
        so).
        """
        try:
            return manifest.read(self.project, name, columns) if manifest.exists(self.project, name) else None
        except TableError:
            return None

    def state(self, name: str) -> TableStatus | None:
        """What is known of the table called `name`; None where it does not stand."""
        return next((state for state in self.states if state.name == name), None)

    def object_name(self, name: str) -> str:
        """How people call an object."""
        term = self.taxonomy.objects.get(name)
        return term.english if term and term.english else spelled(name)

    def scan_type_name(self, name: str) -> str:
        """How people call a scan type."""
        return spelled(name)

    def label(self, image: str) -> str:
        """The objects of an image as its caption says them."""
        objects = self.rows[image]["objects"] if image in self.rows else None
        names = [self.object_name(str(name)) for name in objects] if isinstance(objects, list) else []
        return ", ".join(names) or "object unknown"


def spelled(name: str) -> str:
    """A name of the tables with spaces, as people write it."""
    return name.replace("_", " ")
