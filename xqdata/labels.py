"""The label log: people's verdicts, appended and never changed, and the labels that follow from them.

Effective labels are the table `images` with the log applied in its own order; every later step uses those. A verdict is
about a picture: it counts for the image it names as long as that holds the bytes that were judged, and for the place
that the file moved to. What somebody takes back stays in the log, and so does that it was taken back.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
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
# The columns of images that a log is applied to: what all functions below read of the table that they are given.
COLUMNS = ("image_id", "sha256", "moved_from", *_CHANGED)
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
        place = {event_id: n for n, event_id in enumerate(events["event_id"].to_pylist())}
        unknown = [event_id for event_id in event_ids if event_id not in place]
        if unknown:
            raise InputError("the label log has no such event", where=unknown[0], hint="list them: xqdata label log")
        replay = _Undoing.of(manifest.read(project, "images", COLUMNS), events, taxonomy)
        made: list[Event] = []
        for event_id in sorted(set(event_ids), key=place.__getitem__, reverse=True):
            made.append(replay.undo(event_id, (at, by, source, why)))
            replay.take(made[-1].row)
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


@dataclass
class _Undoing:
    """A log that grows by events that undo others: all that undoing one takes, brought up to date by each.

    `rows`: the log's rows by event. `about`: those on one thing, in the log's order. `undoers`: how many events that
    count undo each event; `stops`: of them, those that stand behind it in the log, so that it does not count itself.
    """

    replayed: _Replayed
    taxonomy: Taxonomy
    bytes_of: Mapping[str, str]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    about: dict[tuple[Any, ...], list[dict[str, Any]]] = field(default_factory=dict)
    undoers: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> _Undoing:
        """The log as it stands."""
        rows = events.sort_by("number").to_pylist()
        named = {end for row in rows for end in _ends(row)}
        made = cls(_replay(images, events, taxonomy), taxonomy, _bytes_of(images, named))
        for row in rows:
            made._hold(row)
        return made

    def undo(self, event_id: str, told: tuple[datetime, str, str, str | None]) -> Event:
        """The event that undoes `event_id`. Raises InputError as the function `undo` does."""
        event = self.rows[event_id]
        later = self._later(event)
        if later is not None:
            hint = f"undo {later['event_id']} first"
            raise InputError(f"{later['by']} said something else of it later", where=event_id, hint=hint)
        at, by, source, why = told
        ends = {"image_id": event["image_id"], "other_image_id": event["other_image_id"]}
        if event["field"] == "pair":
            after = self._before_pair(event)
            return Event(at, by, source, "pair", after=after, before=json.loads(event["after"]), why=why,
                         undoes=event_id, **ends)  # fmt: skip
        if event_id not in self.replayed.before:
            raise InputError("it does not count: other bytes lie where the picture was that was judged", where=event_id)
        now, name = self.replayed.state[self._now(event["image_id"])], event["field"]
        was = self.replayed.before[event_id][name]
        return Event(at, by, source, name, after=was, before=now[name], why=why, undoes=event_id, **ends)

    def take(self, row: dict[str, Any]) -> None:
        """Append a new event's row."""
        if row["event_id"] in self.rows:
            return
        held = {**row, "number": len(self.rows), "sha256": self.bytes_of.get(row["image_id"])}
        self._hold(held)
        moved = {**held, "image_id": self._now(row["image_id"])}
        if row["field"] != "pair" and moved["image_id"] in self.replayed.state:
            self.replayed.apply(moved, self.taxonomy)

    def _hold(self, row: dict[str, Any]) -> None:
        self.rows[row["event_id"]] = row
        self.about.setdefault(self._about(row), []).append(row)
        self._count(row)

    def _count(self, row: dict[str, Any]) -> None:
        """Count what `row`, the last of the log, undoes: what that undid itself is no longer undone, and so on."""
        by = 1
        while row["undoes"] is not None:
            undoes = row["undoes"]
            self.undoers[undoes] += by
            other = self.rows.get(undoes)
            if other is None or other["number"] >= row["number"]:
                return
            counted = self.stops[undoes] == 0
            self.stops[undoes] += by
            if counted == (self.stops[undoes] == 0):
                return
            row, by = other, -by

    def _now(self, image: str) -> str:
        return self.replayed.moved.get(image, image)

    def _about(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        return frozenset(self._now(end) for end in _ends(row)), _SETS.get(row["field"], (row["field"],))

    def _later(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The last verdict after `event` that stands and is about the same thing; None where there is none."""
        row: dict[str, Any]
        for row in reversed(self.about[self._about(event)]):
            if row["number"] <= event["number"]:
                return None
            # What came after the event and was taken back again leaves no trace.
            undid = self.rows.get(row["undoes"] or "")
            if not self.undoers[row["event_id"]] and (undid is None or undid["number"] <= event["number"]):
                return row
        return None

    def _before_pair(self, event: Mapping[str, Any]) -> Any:
        """What the last verdict before `event` says of its pair; None where there is none."""
        for row in reversed(self.about[self._about(event)]):
            stands = row["undoes"] is None and not self.undoers[row["event_id"]]
            if stands and row["number"] < event["number"] and _ends(row) == _ends(event):
                return json.loads(row["after"])
        return None


def _ends(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(end for end in (row["image_id"], row["other_image_id"]) if end is not None)


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
    rows = said(events, [name for name in _SETS if _SETS[name] == sets])
    bytes_of = _bytes_of(images, {moved.get(row["image_id"], row["image_id"]) for row in rows})
    found = {}
    for row in rows:
        image = moved.get(row["image_id"], row["image_id"])
        if bytes_of.get(image) == row["sha256"] and by in (None, row["by"]):
            found[image] = {**row, "image_id": image}
    return found


def pairs(events: pa.Table) -> list[dict[str, Any]]:
    """The verdicts on pairs that count, later ones last."""
    return said(events, ("pair",))


def _with_bytes(project: Project, rows: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows, each with the sha256 of the image that it judges."""
    named = {end for row in rows.values() for end in _ends(row)}
    bytes_of = _bytes_of(manifest.read(project, "images", ["image_id", "sha256"]), named)
    for row in rows.values():
        for image in filter(None, (row["image_id"], row["other_image_id"])):
            if image not in bytes_of:
                raise InputError(f"there is no image {image}", hint="ids are those of manifests/images.parquet")
        yield {**row, "sha256": bytes_of[row["image_id"]]}


def _bytes_of(images: pa.Table, named: Iterable[str]) -> dict[str, str]:
    """The sha256 of each image among `named`."""
    rows = images.filter(pc.is_in(images["image_id"], pa.array(sorted(named), pa.string())))
    return dict(zip(rows["image_id"].to_pylist(), rows["sha256"].to_pylist(), strict=True))


def needed(events: pa.Table) -> tuple[str, ...]:
    """The columns of images that `effective` reads for these events: none where there is no event."""
    return COLUMNS if events.num_rows else ()


def effective(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> pa.Table:
    """`images` with the verdicts of `events` applied, the latest last; rejected images are left out.

    A verdict on the object sets `object` and `objects`; one on the scan type sets its factors too.
    """
    if not events.num_rows:
        return images
    state = _replay(images, events, taxonomy).state
    # Rows that no event names are taken as they are: of ten million few are judged by anybody.
    place = pc.index_in(images["image_id"], pa.array(list(state), pa.string()))
    row = pc.coalesce(pc.add(place.cast(pa.int64()), images.num_rows), pa.array(np.arange(images.num_rows)))
    table = images
    for name in _CHANGED:
        column = schema.IMAGES.column(name)
        new = pa.array([told[name] for told in state.values()], column.type)
        both = pa.chunked_array([*images[name].chunks, new], column.type)
        table = table.set_column(table.column_names.index(name), name, both.take(row))
    rejected = [image for image, told in state.items() if told["reject"]]
    return table.filter(pc.invert(pc.is_in(table["image_id"], pa.array(rejected, pa.string())))) if rejected else table


def conflicts(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> list[Conflict]:
    """The verdicts that replaced another value than the one their author saw, or whose file was replaced."""
    return _replay(images, events, taxonomy).conflicts


def named(images: pa.Table) -> set[str]:
    """Every object that some row's label names."""
    return set(pc.unique(pc.list_flatten(images["objects"])).drop_null().to_pylist())


def judged(images: pa.Table, events: pa.Table, taxonomy: Taxonomy) -> dict[str, dict[str, Any]]:
    """Of the images that `events` name all that verdicts set, as `held` does of every image."""
    return _replay(images, events, taxonomy).state


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
    named = pc.is_in(images["image_id"], pa.array(list(replayed.state), pa.string()))
    found = []
    for image in images["image_id"].filter(named).to_pylist():
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
    gone = images.filter(pc.is_valid(images["moved_from"]))
    step = dict(zip(gone["moved_from"].to_pylist(), gone["image_id"].to_pylist(), strict=True))
    return {old: _last(step, old) for old in step}


def _last(step: Mapping[str, str], image: str) -> str:
    while image in step:
        image = step[image]
    return image


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
