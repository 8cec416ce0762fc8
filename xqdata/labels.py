"""The label log: people's verdicts, appended and never changed, and the labels that follow from them.

Effective labels are the table `images` with the log applied in the order of time; every later step uses those. A file
that moved keeps its verdicts: where a row is missing and exactly one present row has its bytes and page, the verdicts
on the one count for the other.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from xqdata import manifest, schema
from xqdata.errors import InputError
from xqdata.manifest import Origin, Project
from xqdata.taxonomy import Taxonomy

# The columns that verdicts may change.
_CHANGED = ("object", "objects", "scan_type", "container", "multiplicity", "clutter", "specimens", "label_source")


@dataclass(frozen=True)
class Event:
    """One verdict. `at`: UTC, no time zone. `before` and `after`: as the columns hold them (a name, a list of names,
    true or false; for a pair `same` or `different`; None takes an earlier verdict of the field back to unknown).
    """

    at: datetime
    by: str
    source: str
    field: str
    image_id: str
    after: Any
    other_image_id: str | None = None
    before: Any = None
    why: str | None = None

    def __post_init__(self) -> None:
        if self.field not in schema.LABEL_FIELDS:
            raise InputError(f"no verdict is about {self.field!r}", hint=f"fields are {', '.join(schema.LABEL_FIELDS)}")
        if (self.field == "pair") != (self.other_image_id is not None):
            raise InputError("a verdict about a pair names two images, any other names one", where=self.field)
        wanted, allowed = _VALUES[self.field]
        if self.after is not None and not allowed(self.after):
            raise InputError(f"{self.after!r} is no value of {self.field}", hint=f"give {wanted}")

    @property
    def row(self) -> dict[str, Any]:
        """The event as a row of `labels`."""
        row = {
            "at": self.at,
            "by": self.by,
            "source": self.source,
            "field": self.field,
            "image_id": self.image_id,
            "other_image_id": self.other_image_id,
            "before": _json(self.before),
            "after": _json(self.after),
            "why": self.why,
        }
        spelled = json.dumps([row[k] if k != "at" else self.at.isoformat() for k in row], ensure_ascii=False)
        return {"event_id": xxhash.xxh3_128_hexdigest(spelled.encode()), **row}


@dataclass(frozen=True)
class Conflict:
    """A verdict whose author saw another value than the one it replaced."""

    event_id: str
    image_id: str
    field: str
    seen: Any
    replaced: Any


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


_VALUES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "object": ("a name", lambda v: isinstance(v, str)),
    "objects": ("a list of names", _is_names),
    "scan_type": ("a name", lambda v: isinstance(v, str)),
    "specimens": ("a list of names", _is_names),
    "reject": ("true or false", lambda v: isinstance(v, bool)),
    "second_look": ("true or false", lambda v: isinstance(v, bool)),
    "pair": ("same or different", lambda v: v in ("same", "different")),
}


def log(project: Project) -> pa.Table:
    """The label log in the order of time; empty where nobody has judged anything yet."""
    if not project.path("labels").exists():
        return schema.empty("labels")
    return manifest.read(project, "labels").sort_by([("at", "ascending"), ("event_id", "ascending")])


def append(project: Project, events: Iterable[Event]) -> int:
    """Append `events` to the log, those that stand there already left out; returns how many were new.

    So a caller that was killed may append everything again. Raises LockedError if another process is writing.
    """
    with manifest.lock(project.state, "label"):
        before = log(project)
        known = set(before["event_id"].to_pylist())
        rows = {row["event_id"]: row for event in events if (row := event.row)["event_id"] not in known}
        if rows:
            table = pa.concat_tables([before, schema.from_rows("labels", rows.values())])
            manifest.write(project, {"labels": table}, Origin("label"))
    return len(rows)


def effective(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """`images` with the verdicts of `events` applied, the latest last; rejected images are left out.

    A verdict on the object sets `object` and `objects`; one on the scan type sets its factors too.
    """
    state, _ = _apply(images, events, taxonomy)
    rejected = [i for i, row in state.items() if row.get("reject")]
    table = images
    for name in _CHANGED:
        column = schema.IMAGES.column(name)
        ids = images["image_id"].to_pylist()
        old = images[name].to_pylist()
        new = [state.get(i, {}).get(name, value) for i, value in zip(ids, old, strict=True)]
        table = table.set_column(table.column_names.index(name), name, pa.array(new, column.type))
    return table.filter(pc.invert(pc.is_in(table["image_id"], pa.array(rejected, pa.string()))))


def conflicts(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> list[Conflict]:
    """The verdicts that replaced another value than the one their author saw."""
    return _apply(images, events, taxonomy)[1]


def _apply(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> tuple[dict[str, dict[str, Any]], list[Conflict]]:
    """What the events make of the images they name: the changed columns by image_id, and the conflicts on the way."""
    moved = _moved(images)
    told = [{**e, "image_id": moved.get(e["image_id"], e["image_id"])} for e in _in_order(events)]
    named = pc.is_in(images["image_id"], pa.array({e["image_id"] for e in told}, pa.string()))
    rows = images.filter(named).select(["image_id", *_CHANGED]).to_pylist()
    state = {row.pop("image_id"): row for row in rows}
    found = []
    for event in told:
        row = state.get(event["image_id"])
        if row is None or event["field"] == "pair":
            continue
        seen, after = (json.loads(event[k]) if event[k] is not None else None for k in ("before", "after"))
        if event["before"] is not None and seen != row.get(event["field"]):
            conflict = Conflict(event["event_id"], event["image_id"], event["field"], seen, row.get(event["field"]))
            found.append(conflict)
        _set(row, event["field"], after, taxonomy)
        if event["field"] in ("object", "objects"):
            row["label_source"] = f"label log ({event['source']})"
    return state, found


def _set(row: dict[str, Any], field: str, after: Any, taxonomy: Taxonomy) -> None:
    row[field] = after
    if field == "object":
        row["objects"] = None if after is None else [after]
    elif field == "objects":
        row["object"] = after[0] if after and len(after) == 1 else None
    elif field == "scan_type":
        term = taxonomy.scan_types.get(after or "")
        row |= {"container": None, "multiplicity": None, "clutter": None, **(term.factors if term else {})}


def _in_order(events: pa.Table) -> Iterator[dict[str, Any]]:
    yield from events.sort_by([("at", "ascending"), ("event_id", "ascending")]).to_pylist()


def _moved(images: pa.Table) -> dict[str, str]:
    """Where the verdicts on a missing image now belong: the only present image with the same bytes and page."""
    columns: Sequence[list[Any]] = [images[c].to_pylist() for c in ("image_id", "sha256", "page", "missing")]
    rows = list(zip(*columns, strict=True))
    present = {(sha, page): image for image, sha, page, missing in rows if not missing}
    counts = Counter((sha, page) for _, sha, page, missing in rows if not missing)
    return {image: present[sha, page] for image, sha, page, missing in rows if missing and counts[sha, page] == 1}


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)
