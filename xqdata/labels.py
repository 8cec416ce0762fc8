"""The label log: people's verdicts, appended and never changed, and the labels that follow from them.

Effective labels are the table `images` with the log applied in its own order; every later step uses those. A verdict is
about a picture: it counts for the image it names as long as that holds the bytes that were judged, and for the place
that the file moved to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
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


NOT_RECORDED = object()


@dataclass(frozen=True)
class Event:
    """One verdict. `at`: UTC, no time zone. `before` and `after`: as the columns hold them (a name, a list of names,
    true or false; for a pair `same` or `different`; None is unknown). `before` may be left out.
    """

    at: datetime
    by: str
    source: str
    field: str
    image_id: str
    after: Any
    other_image_id: str | None = None
    before: Any = NOT_RECORDED
    why: str | None = None

    def __post_init__(self) -> None:
        if self.field not in schema.LABEL_FIELDS:
            raise InputError(f"no verdict is about {self.field!r}", hint=f"fields are {', '.join(schema.LABEL_FIELDS)}")
        if (self.field == "pair") != (self.other_image_id is not None):
            raise InputError("a verdict about a pair names two images, any other names one", where=self.field)
        if self.at.tzinfo is not None:
            raise InputError("a verdict's time bears a time zone", hint="give it in UTC and without one")
        wanted, allowed = _VALUES[self.field]
        if self.after is not None and not allowed(self.after):
            raise InputError(f"{self.after!r} is no value of {self.field}", hint=f"give {wanted}")

    @property
    def row(self) -> dict[str, Any]:
        """The event as a row of `labels`, without its number in the log and the bytes that were judged."""
        row = {
            "at": self.at,
            "by": self.by,
            "source": self.source,
            "field": self.field,
            "image_id": self.image_id,
            "other_image_id": self.other_image_id,
            "before": None if self.before is NOT_RECORDED else _json(self.before),
            "after": _json(self.after),
            "why": self.why,
        }
        spelled = json.dumps([row[k] if k != "at" else self.at.isoformat() for k in row], ensure_ascii=False)
        return {"event_id": xxhash.xxh3_128_hexdigest(spelled.encode()), **row}


@dataclass(frozen=True)
class Conflict:
    """A verdict that does not fit: its author saw another value than the one it replaced, or another file.

    `reason`: `value` (it was applied) or `file` (it was not: other bytes stand in the place of those that were judged).
    """

    reason: str

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
    """The label log in its order; empty where nobody has judged anything yet."""
    if not manifest.exists(project, "labels"):
        return schema.empty("labels")
    return manifest.read(project, "labels").sort_by("number")


def append(project: Project, events: Iterable[Event]) -> int:
    """Append `events` to the log, those that stand there already left out; returns how many were new.

    So a caller that was killed may append everything again. Raises InputError for an image that the tables do not
    know, and LockedError if another process is writing.
    """
    with manifest.lock(project.state, "label"):
        before = log(project)
        known = set(before["event_id"].to_pylist())
        rows = {row["event_id"]: row for event in events if (row := event.row)["event_id"] not in known}
        if rows:
            numbered = [{**row, "number": before.num_rows + n} for n, row in enumerate(_with_bytes(project, rows))]
            table = pa.concat_tables([before, schema.from_rows("labels", numbered)])
            manifest.write(project, {"labels": table}, Origin("label"))
    return len(rows)


def _with_bytes(project: Project, rows: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, each with the sha256 of the image that it judges."""
    images = manifest.read(project, "images", ["image_id", "sha256"])
    bytes_of = dict(zip(images["image_id"].to_pylist(), images["sha256"].to_pylist(), strict=True))
    for row in rows.values():
        for image in filter(None, (row["image_id"], row["other_image_id"])):
            if image not in bytes_of:
                raise InputError(f"there is no image {image}", hint="ids are those of manifests/images.parquet")
        yield {**row, "sha256": bytes_of[row["image_id"]]}


def effective(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """`images` with the verdicts of `events` applied, the latest last; rejected images are left out.

    A verdict on the object sets `object` and `objects`; one on the scan type sets its factors too.
    """
    state, _ = _apply(images, events, taxonomy)
    rejected = [i for i, row in state.items() if row.get("reject")]
    ids = images["image_id"].to_pylist()
    table = images
    for name in _CHANGED:
        column = schema.IMAGES.column(name)
        old = images[name].to_pylist()
        new = [state.get(i, {}).get(name, value) for i, value in zip(ids, old, strict=True)]
        table = table.set_column(table.column_names.index(name), name, pa.array(new, column.type))
    return table.filter(pc.invert(pc.is_in(table["image_id"], pa.array(rejected, pa.string()))))


def conflicts(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> list[Conflict]:
    """The verdicts that replaced another value than the one their author saw, or whose file was replaced."""
    return _apply(images, events, taxonomy)[1]


def _apply(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> tuple[dict[str, dict[str, Any]], list[Conflict]]:
    """What the events make of the images they name: the changed columns by image_id, and the conflicts on the way."""
    moved = _moved(images)
    told = [{**e, "image_id": moved.get(e["image_id"], e["image_id"])} for e in events.sort_by("number").to_pylist()]
    named = pc.is_in(images["image_id"], pa.array({e["image_id"] for e in told}, pa.string()))
    rows = images.filter(named).select(["image_id", "sha256", *_CHANGED]).to_pylist()
    state: dict[str, dict[str, Any]] = {row.pop("image_id"): {**row, "reject": False} for row in rows}
    found = []
    for event in told:
        row, field = state.get(event["image_id"]), event["field"]
        if row is None or field == "pair":
            continue
        if row["sha256"] != event["sha256"]:
            found.append(Conflict("file", event["event_id"], event["image_id"], field, event["sha256"], row["sha256"]))
            continue
        seen = None if event["before"] is None else json.loads(event["before"])
        if event["before"] is not None and seen != row.get(field):
            found.append(Conflict("value", event["event_id"], event["image_id"], field, seen, row.get(field)))
        _set(row, field, json.loads(event["after"]), taxonomy)
        if field in ("object", "objects"):
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


def _moved(images: pa.Table) -> dict[str, str]:
    """Where the file of a missing image lies now, over any number of moves."""
    pairs = zip(images["moved_from"].to_pylist(), images["image_id"].to_pylist(), strict=True)
    step = {old: new for old, new in pairs if old is not None}
    return {old: _last(step, old) for old in step}


def _last(step: Mapping[str, str], image: str) -> str:
    while image in step:
        image = step[image]
    return image


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
