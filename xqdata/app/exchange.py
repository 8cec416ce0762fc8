"""`xqdata label pull` and `label push`: FiftyOne and the label log compared, and each told what the other says.

Three values of a label are compared: what was last put into FiftyOne, what stands there now, and what counts by the
log. What changed in FiftyOne alone is pulled, what changed in the log alone is pushed, and what changed in both is a
conflict, unless both came to the same.

The order of the steps makes a kill harmless: the log is written first, and whole; then FiftyOne; then what was put
there is remembered; then the lines of operators go. What the log has already is known again by time, image and value,
whatever was undone since.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import fiftyone as fo
import pyarrow as pa
import pyarrow.compute as pc
from pymongo import UpdateOne

from xqdata import labels, manifest
from xqdata.app.content import EDITED_AS, FLAGS, Values
from xqdata.app.load import remember, written
from xqdata.app.people import PAIR, TOPICS, Sample, Verdict, lines, moment, remembered, samples, verdicts
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy, fold

SOURCE = "fiftyone"
Side = Literal["ours", "theirs"]
# Fields that follow from a topic's value, and are written with it.
_FACTORS = ("container", "multiplicity", "clutter")
_KINDS = EDITED_AS | dict.fromkeys(_FACTORS, "string")


@dataclass(frozen=True)
class Difference:
    """One label that FiftyOne and the log see differently. `put`: what was last put into FiftyOne; `theirs`: what
    stands there now; `ours`: what counts by the log. `verdicts`: what people said in FiftyOne and the log lacks.
    """

    image_id: str
    topic: str
    put: Any
    theirs: Any
    ours: Any
    verdicts: Sequence[Verdict] = ()
    other_image_id: str | None = None


@dataclass
class Compared:
    """Differences by what is to be done. `settled`: what both say, to be remembered. `unclear`: images whose object and
    objects were both changed, and contradict each other. `deleted`: images that a person deleted in FiftyOne.
    `absent`: images of the tables that are not in FiftyOne. `foreign`: names that no taxonomy knows, with the nearest
    that one does. `strange`: images that operators spoke of and the tables do not have. `answered`: lines of operators
    that are dealt with when the rest is.
    """

    pull: list[Difference] = field(default_factory=list)
    push: list[Difference] = field(default_factory=list)
    conflicts: list[Difference] = field(default_factory=list)
    settled: list[Difference] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    foreign: dict[str, str | None] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    answered: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Exchanged:
    """What was done. `events`: appended to the log; `written`: labels that FiftyOne was told. The rest is as it was
    compared, `conflicts` only those that remain.
    """

    events: Sequence[Event]
    written: Sequence[Difference]
    conflicts: Sequence[Difference]
    compared: Compared


def pull(project: Project, taxonomy: Taxonomy, dataset: fo.Dataset, by: str, side: Side | None = None) -> Exchanged:
    """Append to the log what people changed and said in FiftyOne. `by`: who, where FiftyOne does not tell it.

    `side`: whose word counts where both changed, the log's (`ours`) or FiftyOne's; None leaves those as they are.
    """
    with manifest.lock(project.state, "label"):
        desk = _Desk(project, taxonomy, dataset, by)
        found = desk.compare()
        theirs = found.conflicts if side == "theirs" else []
        events = [event for each in (*found.pull, *theirs) for event in desk.events(each)]
        labels.add(project, events)
        done = [*found.pull, *found.settled, *(found.conflicts if side else [])]
        desk.bring(done)
        desk.forget(found.answered, [] if side else found.conflicts)
        given = [each for each in found.conflicts if side == "ours" and each.topic != PAIR]
        return Exchanged(events, given, [] if side else found.conflicts, found)


def push(project: Project, taxonomy: Taxonomy, dataset: fo.Dataset, by: str, side: Side | None = None) -> Exchanged:
    """Tell FiftyOne what changed in the log. What people changed in FiftyOne stays, for `pull` to take home.

    `side`: whose word counts where both changed, the log's (`ours`) or FiftyOne's; None leaves those as they are.
    """
    with manifest.lock(project.state, "label"):
        desk = _Desk(project, taxonomy, dataset, by)
        found = desk.compare()
        ours = found.conflicts if side == "ours" else []
        desk.bring([*found.push, *found.settled, *ours])
        if side == "theirs":  # the next pull finds them changed in FiftyOne alone
            desk.note(found.conflicts)
        desk.forget([line.key for each in ours for line in each.verdicts], [])
        given = [each for each in (*found.push, *ours) if each.topic != PAIR]
        return Exchanged([], given, [] if side else found.conflicts, found)


class _Desk:
    """The two sides of one exchange, as they stand when it begins."""

    def __init__(self, project: Project, taxonomy: Taxonomy, dataset: fo.Dataset, by: str) -> None:
        self._project, self._taxonomy, self._dataset, self._by = project, taxonomy, dataset, by
        self._images = manifest.read(project, "images", [*labels.COLUMNS, "missing"])
        self._log = labels.log(project)
        self._held = labels.held(self._images, self._log, taxonomy)
        self._before = {row["_id"]: row["values"] for row in remembered(dataset).find()}
        self._seen = samples(dataset)
        self._said = verdicts(dataset)
        rows = self._log.filter(pc.equal(self._log["source"], SOURCE)).to_pylist()
        self._known = {_mark(r["at"], r["image_id"], r["field"], r["after"], r["other_image_id"]) for r in rows}
        self._names = _Names(self._images, taxonomy)

    # --- what differs

    def compare(self) -> Compared:
        """Sort every label of every image that is in FiftyOne and was put there."""
        found = Compared()
        said: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
        for one in self._said:
            if not self._is_of_tables(one):
                found.strange.append(one.image_id)
            elif one.topic != PAIR:
                said[one.image_id, one.topic].append(replace(one, after=self._spelled(one.topic, one.after)))
        for image, sample in self._seen.items():
            if image in self._before and image in self._held:
                for topic in TOPICS:
                    self._sort(image, topic, sample, said.get((image, topic), []), found)
        self._sort_pairs(found)
        found.foreign = self._names.foreign
        self._tell_missing(found)
        unclear = set(found.unclear)
        found.answered = [one.key for one in self._said if one.image_id not in unclear and self._is_of_tables(one)]
        return found

    def _is_of_tables(self, one: Verdict) -> bool:
        return one.image_id in self._held and (one.other_image_id or one.image_id) in self._held

    def _sort(self, image: str, topic: str, sample: Sample, said: list[Verdict], found: Compared) -> None:
        before = self._before[image]
        put, ours = _told(topic, before), _told(topic, self._held[image])
        try:
            theirs = self._theirs(topic, before, sample.values)
        except ValueError:
            found.unclear.append(image)
            return
        chain = self._chain(said, theirs)
        if not chain and not labels.alike(theirs, put):
            chain = [Verdict(image, topic, theirs, self._by, sample.modified or moment())]
        agreed = labels.alike(theirs, ours)
        by_hand = chain and chain[0].key is None
        known = not chain or self._is_known(chain[-1]) or (agreed and by_hand)
        new = () if known else tuple(one for one in chain if not self._is_known(one))
        one = Difference(image, topic, put, theirs, ours, new)
        if new:
            (found.pull if agreed or labels.alike(ours, put) else found.conflicts).append(one)
        elif not agreed:
            found.push.append(one)
        elif not labels.alike(ours, put) or any(
            not labels.alike(sample.values.get(name), before.get(name)) for name in TOPICS[topic]
        ):
            found.settled.append(one)

    def _chain(self, said: Sequence[Verdict], theirs: Any) -> list[Verdict]:
        """Each person's last word, in order; none where FiftyOne shows something else by now."""
        last = {one.by: one for one in said}
        chain = [one for one in said if last[one.by] is one]
        return chain if chain and labels.alike(chain[-1].after, theirs) else []

    def _theirs(self, topic: str, before: Values, now: Values) -> Any:
        """What FiftyOne says, as the tables spell it. ValueError where its two fields of objects contradict."""
        changed = {name for name in TOPICS[topic] if not labels.alike(now.get(name), before.get(name))}
        if not changed:
            return _told(topic, before)
        if topic != "object":
            return self._spelled(topic, now.get(topic))
        one, several = now.get("object"), now.get("objects")
        if changed == {"object"} or not several:
            return self._spelled(topic, one)
        if one and "object" in changed and one not in several:
            raise ValueError(topic)
        return self._spelled(topic, several)

    def _spelled(self, topic: str, value: Any) -> Any:
        """A value as the tables have it."""
        if topic == "object":
            return _one_or_more(
                self._names.object(name) for name in ([value] if isinstance(value, str) else value or ())
            )
        if topic == "scan_type":
            return self._names.scan_type(value or "")
        if topic == "specimens":
            return sorted({name.strip() for name in value or () if name.strip()}) or None
        return bool(value)

    def _is_known(self, one: Verdict) -> bool:
        return (
            _mark(one.at, one.image_id, _field(one.topic, one.after), _json(one.after), one.other_image_id)
            in self._known
        )

    def _sort_pairs(self, found: Compared) -> None:
        """Verdicts on pairs, of each person and pair the last. One that the log answered otherwise since conflicts."""
        last = {(one.by, *sorted(_ends(one))): one for one in self._said if one.topic == PAIR}
        standing = {frozenset((row["image_id"], row["other_image_id"])): row for row in labels.pairs(self._log)}
        for one in last.values():
            if self._is_known(one) or not _ends(one) <= self._held.keys():
                continue
            row = standing.get(_ends(one))
            ours = json.loads(row["after"]) if row else None
            told = Difference(one.image_id, PAIR, None, one.after, ours, (one,), one.other_image_id)
            later = row is not None and row["at"] > one.at and ours != one.after
            (found.conflicts if later else found.pull).append(told)

    def _tell_missing(self, found: Compared) -> None:
        gone = self._images.filter(self._images["missing"])["image_id"].to_pylist()
        wanted = [i for i, held in self._held.items() if not held["reject"] and i not in self._seen]
        wanted = sorted(set(wanted) - set(gone))
        found.deleted = [image for image in wanted if image in self._before]
        found.absent = [image for image in wanted if image not in self._before]

    # --- what is done about it

    def events(self, each: Difference) -> Iterator[Event]:
        """The verdicts of one difference as events, each after what the one before it made of the label."""
        held = {name: self._held[each.image_id][name] for name in TOPICS.get(each.topic, ())}
        for one in each.verdicts:
            name = _field(one.topic, one.after)
            before = each.ours if one.topic == PAIR else held[name]
            yield Event(one.at, one.by, SOURCE, name, one.image_id, one.after, one.other_image_id, before, one.why)
            if name in ("object", "objects"):
                held = _fields(one.after)
            elif name != PAIR:
                held = {name: one.after}

    def bring(self, differences: Iterable[Difference]) -> None:
        """Make FiftyOne show what counts by the log as it stands now, and remember it.

        A sample that was changed while this ran is left as it is.
        """
        held = labels.held(self._images, labels.log(self._project), self._taxonomy)
        wanted = _by_image(differences, held)
        schema = {*self._dataset.get_field_schema(), *FLAGS}
        now, writes = datetime.now(UTC), []
        for image, values in wanted.items():
            sample, before = self._seen[image], self._before[image]
            for name in values.keys() - schema:
                del values[name]
            shown = {name: (before if name in _FACTORS else sample.values).get(name) for name in values}
            if any(not labels.alike(shown[name], value) for name, value in values.items()):
                change = {"$set": {**written(values, _KINDS, sample.tags), "last_modified_at": now}}
                writes.append(UpdateOne({"image_id": image, "last_modified_at": sample.modified}, change))
        if writes:
            self._dataset._sample_collection.bulk_write(writes, ordered=False)
        seen = samples(self._dataset) if writes else self._seen
        self._remember({i: v for i, v in wanted.items() if i in seen and _shows(seen[i].values, v)})
        self._dataset.reload()

    def note(self, differences: Iterable[Difference]) -> None:
        """Remember what counts by the log as if it had been put into FiftyOne, which keeps what it shows."""
        self._remember(_by_image(differences, self._held))

    def _remember(self, wanted: Mapping[str, Values]) -> None:
        remember(self._dataset, {image: self._before[image] | values for image, values in wanted.items()})

    def forget(self, answered: Collection[Any], but: Iterable[Difference]) -> None:
        """Take away lines of operators, but for those of some differences."""
        kept = {line.key for each in but for line in each.verdicts}
        if going := [key for key in answered if key is not None and key not in kept]:
            lines(self._dataset).delete_many({"_id": {"$in": going}})


class _Names:
    """How names are spelled: as the taxonomy does, else as the labels do that use them, else as they are."""

    def __init__(self, images: pa.Table, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self.foreign: dict[str, str | None] = {}
        self._objects = {fold(name): name for names in images["objects"].to_pylist() for name in names or ()}
        self._scan_types = {fold(name): name for name in images["scan_type"].to_pylist() if name}

    def object(self, text: str) -> str | None:
        """The object that `text` means; None for nothing but blanks."""
        known = self._taxonomy.find_object(text) or self._objects.get(fold(text))
        if not known and text.strip():
            self.foreign[text.strip()] = self._taxonomy.nearest_object(text)
        return known or text.strip() or None

    def scan_type(self, text: str) -> str | None:
        """The scan type that `text` means; None for nothing but blanks."""
        known = self._taxonomy.find_scan_type(text) or self._scan_types.get(fold(text))
        if not known and text.strip():
            self.foreign[text.strip()] = None
        return known or text.strip() or None


def _told(topic: str, values: Mapping[str, Any]) -> Any:
    """A topic's value, of fields in FiftyOne or columns of the tables."""
    if topic == "object":
        one = values.get("object")
        return _one_or_more([one] if one else values.get("objects") or ())
    return bool(values.get(topic)) if topic in FLAGS else values.get(topic) or None


def _one_or_more(names: Iterable[str | None]) -> Any:
    told = list(dict.fromkeys(name for name in names if name))
    return told[0] if len(told) == 1 else told or None


def _fields(value: Any) -> Values:
    """The columns of a verdict on the object."""
    if isinstance(value, list):
        return {"object": None, "objects": value}
    return {"object": value, "objects": None if value is None else [value]}


def _field(topic: str, after: Any) -> str:
    return "objects" if topic == "object" and isinstance(after, list) else topic


def _by_image(differences: Iterable[Difference], held: Mapping[str, Values]) -> dict[str, Values]:
    """By image the fields of FiftyOne that show what counts."""
    wanted: dict[str, Values] = defaultdict(dict)
    for each in differences:
        now, values = held.get(each.image_id, {}), wanted[each.image_id]
        if each.topic == "object":
            several = now["object"] is None
            values |= {"object": now["object"], "objects": (now["objects"] or None) if several else None}
        elif each.topic == "scan_type":
            values |= {name: now[name] for name in ("scan_type", *_FACTORS)}
        elif each.topic != PAIR:
            values[each.topic] = now[each.topic] or None
    return {image: values for image, values in wanted.items() if values}


def _shows(seen: Values, wanted: Values) -> bool:
    return all(labels.alike(seen.get(name), value) for name, value in wanted.items() if name not in _FACTORS)


def _ends(one: Verdict) -> frozenset[str]:
    return frozenset((one.image_id, str(one.other_image_id)))


def _mark(at: datetime, image: str, name: str, after: str, other: str | None) -> tuple[Any, ...]:
    """What an event of FiftyOne's is known again by, whatever stood before it."""
    return at, image, name, after, other


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
