"""The label log: people's verdicts, appended and never changed, and the labels that follow from them.

Effective labels are the table `images` with the log applied in its own order; every later step uses those. A verdict is
about a picture: it counts for the image it names as long as that holds the bytes that were judged, and for the place
that the file moved to. What somebody takes back stays in the log, and so does that it was taken back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
# The columns that a verdict on a field sets.
_SETS = {
    "object": ("object", "objects", "label_source"),
    "objects": ("object", "objects", "label_source"),
    "scan_type": ("scan_type", "container", "multiplicity", "clutter"),
    "specimens": ("specimens",),
    "reject": ("reject",),
    "second_look": ("second_look",),
}
# What a change is told of: the others follow from these.
_TOLD = ("object", "objects", "scan_type", "specimens", "reject", "second_look")

NOT_RECORDED = object()


@dataclass(frozen=True)
class Event:
    """One verdict. `at`: UTC, no time zone. `before` and `after`: as the columns hold them (a name, a list of names,
    true or false; for a pair `same` or `different`; None is unknown). `before` may be left out. `undoes`: the event
    that this one takes back; `undo` makes such events.
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
    undoes: str | None = None

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
        told = [row[k] if k != "at" else self.at.isoformat() for k in row] + [self.undoes] * bool(self.undoes)
        spelled = json.dumps(told, ensure_ascii=False)
        return {"event_id": xxhash.xxh3_128_hexdigest(spelled.encode()), **row, "undoes": self.undoes}


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


@dataclass(frozen=True)
class Change:
    """What the log makes of one image: `before` as the export told it, `after` as it counts now, and who says so.

    `by`, `at`, `event_id`: of the verdict that counts; None where it was brought back by undoing another.
    """

    image_id: str
    field: str
    before: Any
    after: Any
    by: str | None
    at: datetime | None
    event_id: str | None


def log(project: Project) -> pa.Table:
    """The label log in its order; empty where nobody has judged anything yet."""
    if not manifest.exists(project, "labels"):
        return schema.empty("labels")
    table = manifest.read(project, "labels").sort_by("number")
    if "undoes" not in table.column_names:  # a log from before verdicts could be taken back
        table = table.append_column("undoes", pa.nulls(table.num_rows, schema.STRING))
    return table


def append(project: Project, events: Iterable[Event]) -> int:
    """Append `events` to the log, those that stand there already left out; returns how many were new.

    So a caller that was killed may append everything again. Raises InputError for an image that the tables do not
    know, and LockedError if another process is writing.
    """
    with manifest.lock(project.state, "label"):
        return add(project, events)


def add(project: Project, events: Iterable[Event]) -> int:
    """As `append`, for a caller that holds the project's lock."""
    return _append(project, log(project), events)


def undo(
    project: Project,
    taxonomy: Taxonomy,
    event_ids: Sequence[str],
    *,
    at: datetime,
    by: str,
    source: str,
    why: str | None = None,
) -> list[Event]:
    """Take back verdicts, the latest first: for each an event is appended that restores what stood before it.

    All or none are taken back. An event that undoes can be undone like any other. Raises InputError for an event that
    is not in the log, whose picture was replaced, or after which something else was said of the same thing: that comes
    first. Returns the new events.
    """
    with manifest.lock(project.state, "label"):
        events = log(project)
        images = manifest.read(project, "images")
        place = {event_id: n for n, event_id in enumerate(events["event_id"].to_pylist())}
        unknown = [event_id for event_id in event_ids if event_id not in place]
        if unknown:
            raise InputError("the label log has no such event", where=unknown[0], hint="list them: xqdata label log")
        made: list[Event] = []
        for event_id in sorted(set(event_ids), key=place.__getitem__, reverse=True):
            known = events if not made else pa.concat_tables([events, _numbered(project, events, made)])
            made.append(_undoing(images, known, taxonomy, event_id, (at, by, source, why)))
        _append(project, events, made)
    return made


def _append(project: Project, before: pa.Table, events: Iterable[Event]) -> int:
    """Write the log with `events` after those of `before`. The caller holds the lock."""
    table = _numbered(project, before, events)
    if table.num_rows:
        manifest.write(project, {"labels": pa.concat_tables([before, table])}, Origin("label"))
    return int(table.num_rows)


def _numbered(project: Project, before: pa.Table, events: Iterable[Event]) -> pa.Table:
    """The rows of those events that `before` does not hold."""
    known = set(before["event_id"].to_pylist())
    rows = {row["event_id"]: row for event in events if (row := event.row)["event_id"] not in known}
    filled = _with_bytes(project, rows) if rows else ()
    return schema.from_rows("labels", [{**row, "number": before.num_rows + n} for n, row in enumerate(filled)])


def _undoing(
    images: pa.Table, events: pa.Table, taxonomy: Taxonomy, event_id: str, told: tuple[datetime, str, str, str | None]
) -> Event:
    rows = events.sort_by("number").to_pylist()
    event = next(row for row in rows if row["event_id"] == event_id)
    later = _later(rows, event, _moved(images))
    if later is not None:
        hint = f"undo {later['event_id']} first"
        raise InputError(f"{later['by']} said something else of it later", where=event_id, hint=hint)
    at, by, source, why = told
    ends = {"image_id": event["image_id"], "other_image_id": event["other_image_id"]}
    if event["field"] == "pair":
        standing = [row for row in pairs(events) if _ends(row) == _ends(event) and row["number"] < event["number"]]
        after = json.loads(standing[-1]["after"]) if standing else None
        return Event(at, by, source, "pair", after=after, before=json.loads(event["after"]), why=why, undoes=event_id,
                     **ends)  # fmt: skip
    replayed = _replay(images, events, taxonomy)
    if event_id not in replayed.before:
        raise InputError("it does not count: other bytes lie where the picture was that was judged", where=event_id)
    now = replayed.state[replayed.moved.get(event["image_id"], event["image_id"])]
    name = event["field"]
    was = replayed.before[event_id][name]
    return Event(at, by, source, name, after=was, before=now[name], why=why, undoes=event_id, **ends)


def _ends(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((row["image_id"], row["other_image_id"]))


def _later(rows: Sequence[Mapping[str, Any]], event: Mapping[str, Any], moved: Mapping[str, str]) -> Any:
    """The last verdict after `event` that stands and is about the same thing; None where there is none."""

    def about(row: Mapping[str, Any]) -> tuple[Any, ...]:
        ends = {moved.get(end, end) for end in _ends(row) if end is not None}
        return frozenset(ends), _SETS.get(row["field"], (row["field"],))

    number = {row["event_id"]: row["number"] for row in rows}
    gone = undone(rows)
    for row in reversed(rows):
        if row["number"] <= event["number"]:
            return None
        # What came after the event and was taken back again leaves no trace.
        traceless = row["event_id"] in gone or number.get(row["undoes"], -1) > event["number"]
        if not traceless and about(row) == about(event):
            return row
    return None


def undone(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """The events that were taken back, of the log's rows in its order. What undid them may be undone itself."""
    gone: set[str] = set()
    for row in sorted(rows, key=lambda row: row["number"], reverse=True):
        if row["undoes"] is not None and row["event_id"] not in gone:
            gone.add(row["undoes"])
    return gone


def said(events: pa.Table, fields: Collection[str] = schema.LABEL_FIELDS) -> list[dict[str, Any]]:
    """The verdicts on `fields` that nobody took back, in the log's order."""
    rows = events.sort_by("number").to_pylist()
    gone = undone(rows)
    return [r for r in rows if r["field"] in fields and r["undoes"] is None and r["event_id"] not in gone]


def standing(images: pa.Table, events: pa.Table, field: str, by: str | None = None) -> dict[str, dict[str, Any]]:
    """By image the last verdict on what `field` sets, of those that nobody took back and that are about the bytes that
    lie there now; only `by`'s where that is given.
    """
    moved, sets = _moved(images), _SETS[field]
    bytes_of = dict(zip(images["image_id"].to_pylist(), images["sha256"].to_pylist(), strict=True))
    found = {}
    for row in said(events, [name for name in _SETS if _SETS[name] == sets]):
        image = moved.get(row["image_id"], row["image_id"])
        if bytes_of.get(image) == row["sha256"] and by in (None, row["by"]):
            found[image] = {**row, "image_id": image}
    return found


def pairs(events: pa.Table) -> list[dict[str, Any]]:
    """The verdicts on pairs that count, later ones last."""
    return said(events, ("pair",))


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
    state = _replay(images, events, taxonomy).state
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
    return _replay(images, events, taxonomy).conflicts


def held(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    """By image all that verdicts set, as it counts now: rejected images are there too, and say so.

    An image whose file moved holds what its new place holds.
    """
    replayed = _replay(images, events, taxonomy)
    ids = images["image_id"].to_pylist()
    rows = zip(ids, images.select(list(_CHANGED)).to_pylist(), strict=True)
    found = {i: replayed.state.get(i) or {**row, "reject": False, "second_look": False} for i, row in rows}
    return found | {old: found[new] for old, new in replayed.moved.items()}


def alike(a: Any, b: Any) -> bool:
    """Whether two values of a label say the same: an order of names says nothing."""
    return sorted(a) == sorted(b) if isinstance(a, list) and isinstance(b, list) else bool(a == b)


def changes(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> list[Change]:
    """What the log changes of `images`, by image and field in the order of the table."""
    replayed = _replay(images, events, taxonomy)
    order = {image: n for n, image in enumerate(images["image_id"].to_pylist())}
    found = []
    for image in sorted(replayed.state, key=order.__getitem__):
        now, was = replayed.state[image], replayed.original[image]
        for name in _TOLD:
            # One object alone is told once.
            if now[name] == was[name] or (name == "objects" and now["object"] != was["object"]):
                continue
            last = replayed.last.get((image, _SETS[name]))
            by, at, event_id = (last["by"], last["at"], last["event_id"]) if last else (None, None, None)
            found.append(Change(image, name, was[name], now[name], by, at, event_id))
    return found


@dataclass
class _Replayed:
    """The log, applied. `state` and `original`: columns by image, with and without it. `before`: by event what the
    columns that it sets held before it. `last`: by image and columns the verdict that counts. `moved`: where images
    are.
    """

    state: dict[str, dict[str, Any]]
    original: dict[str, dict[str, Any]]
    moved: dict[str, str]
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: dict[tuple[str, tuple[str, ...]], dict[str, Any]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def apply(self, event: dict[str, Any], taxonomy: Taxonomy) -> None:
        """Apply one event of an image that stands."""
        image, name = event["image_id"], event["field"]
        row = self.state[image]
        if row["sha256"] != event["sha256"]:
            told = ("file", event["event_id"], image, name, event["sha256"], row["sha256"])
            self.conflicts.append(Conflict(*told))
            return
        seen = None if event["before"] is None else json.loads(event["before"])
        if event["before"] is not None and seen != row[name]:
            self.conflicts.append(Conflict("value", event["event_id"], image, name, seen, row[name]))
        sets = _SETS[name]
        self.before[event["event_id"]] = {column: row[column] for column in sets} | {"": self.last.get((image, sets))}
        if event["undoes"] in self.before:
            self._restore(image, sets, self.before[event["undoes"]])
            return
        _set(row, name, json.loads(event["after"]), taxonomy)
        if "label_source" in sets:
            row["label_source"] = f"label log ({event['source']})"
        self.last[image, sets] = event

    def _restore(self, image: str, sets: tuple[str, ...], before: Mapping[str, Any]) -> None:
        self.state[image] |= {column: before[column] for column in sets}
        if before[""] is None:
            self.last.pop((image, sets), None)
        else:
            self.last[image, sets] = before[""]


def _replay(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> _Replayed:
    """What the events make of the images they name."""
    moved = _moved(images)
    told = [{**e, "image_id": moved.get(e["image_id"], e["image_id"])} for e in events.sort_by("number").to_pylist()]
    named = pc.is_in(images["image_id"], pa.array({e["image_id"] for e in told}, pa.string()))
    rows = images.filter(named).select(["image_id", "sha256", *_CHANGED]).to_pylist()
    original = {row.pop("image_id"): {**row, "reject": False, "second_look": False} for row in rows}
    done = _Replayed({image: dict(row) for image, row in original.items()}, original, moved)
    for event in told:
        if event["image_id"] in done.state and event["field"] != "pair":
            done.apply(event, taxonomy)
    return done


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
