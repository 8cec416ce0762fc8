"""The label log.

It could be wrong while tests pass if effective labels were only ever tested on one event per image, if the order of
rows in the file decided instead of time, or if a moved file lost its verdicts. So: several events, shuffled, and moves.

Undoing could be wrong if it were only tested on one verdict on an image whose columns agree with each other: a reader
may tell a container without a scan type, or several objects, and a value alone does not bring those back. So: chains of
verdicts and undoings drawn at random, on such images, compared with a log that never held what was undone.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.rows import image
from xqdata import labels, manifest, schema
from xqdata.errors import InputError, LockedError
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

NOON = datetime(2026, 5, 17, 12)


def event(minute: int, field: str, after: Any, path: str = "a.png", **more: Any) -> Event:
    return Event(NOON + timedelta(minutes=minute), "kim", "cli", field, f"id of {path}", after, **more)


def table(*rows: dict[str, object]) -> Any:
    return schema.from_rows("images", rows)


def log(*events: Event, sha256: str = "x") -> Any:
    return schema.from_rows("labels", [{**e.row, "number": n, "sha256": sha256} for n, e in enumerate(events)])


def one(result: Any, path: str = "a.png") -> dict[str, Any]:
    rows = [row for row in result.to_pylist() if row["path"] == path]
    assert len(rows) == 1
    return rows[0]


def test_the_latest_verdict_holds_whatever_the_order_of_rows(reference: Taxonomy) -> None:
    # All at one moment: what counts is the place in the log.
    told = log(event(0, "object", "apple"), event(0, "object", "egg"), event(0, "object", "mango"))
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        row = one(labels.effective(table(image()), told.take(order), reference))
        assert (row["object"], row["objects"]) == ("mango", ["mango"])
        assert row["label_source"] == "label log (cli)"


def test_a_verdict_on_the_scan_type_sets_its_factors(reference: Taxonomy) -> None:
    before = image(scan_type="single_basket", container="basket", multiplicity="single", clutter="none")
    row = one(labels.effective(table(before), log(event(0, "scan_type", "mixed_carrier_cluttered")), reference))
    assert (row["container"], row["multiplicity"], row["clutter"]) == ("carrier", "mixed", "belongings")
    unknown = one(labels.effective(table(before), log(event(0, "scan_type", "something else")), reference))
    assert (unknown["scan_type"], unknown["container"]) == ("something else", None)


def test_several_objects_leave_no_single_one(reference: Taxonomy) -> None:
    row = one(labels.effective(table(image(object="egg")), log(event(0, "objects", ["egg", "honey"])), reference))
    assert (row["object"], row["objects"]) == (None, ["egg", "honey"])


def test_a_rejected_image_is_left_out_until_it_is_taken_back(reference: Taxonomy) -> None:
    images = table(image(), image("b.png"))
    assert labels.effective(images, log(event(0, "reject", True)), reference)["path"].to_pylist() == ["b.png"]
    both = log(event(0, "reject", True), event(1, "reject", False))
    assert labels.effective(images, both, reference).num_rows == 2


def test_other_images_and_other_columns_stay(reference: Taxonomy) -> None:
    images = table(image(), image("b.png", object="egg", objects=["egg"], label_source="folders"))
    result = labels.effective(images, log(event(0, "object", "mango"), event(1, "specimens", ["m-1"])), reference)
    assert one(result, "b.png") == images.to_pylist()[1]
    kept = [name for name in schema.IMAGES.names if name not in ("object", "objects", "specimens", "label_source")]
    assert result.select(kept).slice(0, 1).equals(images.select(kept).slice(0, 1))
    assert one(result)["specimens"] == ["m-1"]


def test_no_events_change_nothing(reference: Taxonomy) -> None:
    images = table(image(), image("b.png"))
    assert labels.effective(images, log(), reference).equals(images)


def test_a_moved_file_keeps_its_verdicts_over_any_number_of_moves(reference: Taxonomy) -> None:
    rows = [
        image("a.png", missing=True),
        image("b.png", missing=True, moved_from="id of a.png"),
        image("c.png", moved_from="id of b.png"),
    ]
    result = labels.effective(table(*rows), log(event(0, "object", "mango")), reference)
    assert one(result, "c.png")["object"] == "mango"


def test_a_copy_that_was_always_there_inherits_nothing(reference: Taxonomy) -> None:
    rows = [image("a.png"), image("copy.png", missing=True)]
    result = labels.effective(table(*rows), log(event(0, "reject", True, "copy.png")), reference)
    assert result["path"].to_pylist() == ["a.png"]


def test_a_verdict_does_not_stick_to_another_file_in_the_same_place(reference: Taxonomy) -> None:
    images, told = table(image(sha256="new bytes")), log(event(0, "object", "mango"), sha256="judged bytes")
    assert one(labels.effective(images, told, reference))["object"] is None
    (found,) = labels.conflicts(images, told, reference)
    assert (found.reason, found.seen, found.replaced) == ("file", "judged bytes", "new bytes")


def test_a_verdict_on_another_value_than_was_seen_is_a_conflict(reference: Taxonomy) -> None:
    images = table(image(object="egg", objects=["egg"]))
    seen, unseen = event(0, "object", "mango", before="egg"), event(1, "object", "apple", before="honey")
    assert labels.conflicts(images, log(seen), reference) == []
    (found,) = labels.conflicts(images, log(seen, unseen), reference)
    told = (found.reason, found.seen, found.replaced, found.event_id)
    assert told == ("value", "honey", "mango", unseen.row["event_id"])


def test_unknown_and_not_recorded_are_told_apart(reference: Taxonomy) -> None:
    images = table(image(object="egg", objects=["egg"]))
    assert labels.conflicts(images, log(event(0, "object", "mango")), reference) == []
    assert len(labels.conflicts(images, log(event(0, "object", "mango", before=None)), reference)) == 1
    assert labels.conflicts(images, log(event(0, "reject", True, before=False)), reference) == []


@pytest.fixture
def judged(project: Project) -> Project:
    tables = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**tables, "images": table(image(sha256="judged bytes"))}, manifest.Origin("ingest"))
    return project


def test_the_log_only_grows_and_takes_an_event_once(judged: Project) -> None:
    first, second = event(0, "object", "mango"), event(1, "object", "egg")
    assert labels.log(judged).num_rows == 0
    assert labels.append(judged, [first]) == 1
    assert labels.append(judged, [first, second, second]) == 1
    found = labels.log(judged)
    assert found["event_id"].to_pylist() == [first.row["event_id"], second.row["event_id"]]
    assert found["sha256"].to_pylist() == ["judged bytes"] * 2
    assert found["number"].to_pylist() == [0, 1]


def test_a_first_verdict_whose_writer_was_killed_before_the_rename_is_not_lost(judged: Project) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest.store, "_rename", lambda *_: None)
        labels.append(judged, [event(0, "object", "mango")])
    labels.append(judged, [event(1, "object", "egg")])
    assert labels.log(judged)["after"].to_pylist() == ['"mango"', '"egg"']


def test_a_verdict_on_an_unknown_image_is_refused(judged: Project) -> None:
    with pytest.raises(InputError, match="there is no image"):
        labels.append(judged, [event(0, "object", "mango", "nowhere.png")])


def test_appending_waits_for_nobody(judged: Project) -> None:
    with manifest.lock(judged.state, "ingest"), pytest.raises(LockedError):
        labels.append(judged, [event(0, "object", "mango")])


@pytest.mark.parametrize(
    ("field", "after", "more"),
    [
        ("colour", "red", {}),
        ("object", ["mango"], {}),
        ("objects", "mango", {}),
        ("reject", "yes", {}),
        ("pair", "similar", {"other_image_id": "b"}),
        ("pair", "same", {}),
        ("object", "mango", {"other_image_id": "b"}),
    ],
)
def test_a_verdict_that_says_nothing_sensible_is_refused(field: str, after: Any, more: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        event(0, field, after, **more)


# --- taking back

AWKWARD = image(
    object=None, objects=["egg", "honey"], label_source="folders", container="basket", specimens=["e-1"],
    sha256="judged bytes",
)  # fmt: skip
PLAIN = image("b.png", object="egg", objects=["egg"], label_source="tables", sha256="judged bytes")
VERDICTS = st.one_of(
    st.tuples(st.just("object"), st.sampled_from(["egg", "mango", None])),
    st.tuples(st.just("objects"), st.sampled_from([["egg", "honey"], ["mango"], None])),
    st.tuples(st.just("scan_type"), st.sampled_from(["single_basket", "mixed_carrier_cluttered", None])),
    st.tuples(st.just("specimens"), st.sampled_from([["e-1"], ["e-2"], None])),
    st.tuples(st.just("reject"), st.booleans()),
)


def written(project: Project) -> Project:
    tables = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**tables, "images": table(AWKWARD, PLAIN)}, manifest.Origin("ingest"))
    return project


def take_back(project: Project, taxonomy: Taxonomy, *ids: str, minute: int = 900) -> list[Event]:
    return labels.undo(project, taxonomy, ids, at=NOON + timedelta(minutes=minute), by="lee", source="cli")


def effective(project: Project, taxonomy: Taxonomy) -> Any:
    return labels.effective(manifest.read(project, "images"), labels.log(project), taxonomy)


@settings(max_examples=40)  # each writes a log many times
@given(st.lists(st.one_of(st.tuples(VERDICTS, st.sampled_from(["a.png", "b.png"])), st.integers(0, 30)), max_size=12))
def test_what_was_undone_leaves_no_trace_in_the_labels(
    tmp_path_factory: pytest.TempPathFactory, reference: Taxonomy, steps: list[Any]
) -> None:
    project = written(Project(tmp_path_factory.mktemp("project")))
    standing: list[Event] = []  # what was said and not taken back, in order
    chain: list[tuple[Event, list[Event]]] = []  # every event, and what stood before it
    for minute, step in enumerate(steps):
        if isinstance(step, int):
            if not chain:
                continue
            target, before = chain[step % len(chain)]
            try:
                (made,) = take_back(project, reference, target.row["event_id"], minute=1000 + minute)
            except InputError:
                continue
            chain.append((made, standing))
            # What stood before the target, and what was said of other things since.
            kept = [e for e in standing if e not in before and not same_thing(e, target)]
            standing = [e for e in before if same_thing(e, target) or e in standing] + kept
        else:
            (field, after), path = step
            made = event(minute, field, after, path)
            chain.append((made, standing))
            labels.append(project, [made])
            standing = [*standing, made]
        expected = labels.effective(table(AWKWARD, PLAIN), log(*standing, sha256="judged bytes"), reference)
        assert effective(project, reference).equals(expected)


MOVED = (
    image("a.png", sha256="judged bytes", missing=True),
    image("b.png", sha256="judged bytes", moved_from="id of a.png"),
    image("c.png", sha256="judged bytes", object="egg", objects=["egg"]),
)
PAIRS = st.tuples(st.just("pair"), st.sampled_from(["same", "different"]))


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.one_of(VERDICTS, PAIRS), st.sampled_from(["a.png", "b.png", "c.png"]), st.booleans()),
            st.integers(0, 30),
        ),
        max_size=14,
    ),
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
)
def test_many_undone_at_once_are_as_one_after_another(
    tmp_path_factory: pytest.TempPathFactory, reference: Taxonomy, steps: list[Any], many: list[int]
) -> None:
    """The log is replayed once for all; each one by itself replays it from the start, with what the others added."""
    project = Project(tmp_path_factory.mktemp("project"))
    nothing = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**nothing, "images": table(*MOVED)}, manifest.Origin("ingest"))
    said: list[str] = []
    for minute, step in enumerate(steps):
        if isinstance(step, int):
            with suppress(InputError, IndexError):
                said += [e.row["event_id"] for e in take_back(project, reference, said[step], minute=1000 + minute)]
            continue
        (name, after), path, wrong = step
        other = {"other_image_id": "id of c.png" if path != "c.png" else "id of b.png"} if name == "pair" else {}
        # Somebody who saw another value than stood there: a conflict.
        before = {"before": "walnut" if name == "object" else None} if wrong and name != "pair" else {}
        made = Event(NOON + timedelta(minutes=minute), "kim", "cli", name, f"id of {path}", after, **other, **before)
        labels.append(project, [made])
        said.append(made.row["event_id"])
    start = labels.log(project)
    if not start.num_rows:
        return
    ids = {said[n % len(said)] for n in many}
    order = sorted(ids, key=start["event_id"].to_pylist().index, reverse=True)
    outcomes = []
    for groups in ([[one] for one in order], [order]):
        manifest.write(project, {"labels": start}, manifest.Origin("label"))
        told: list[Any] = []
        try:
            told = [event.row for group in groups for event in take_back(project, reference, *group, minute=2000)]
            told.append(labels.log(project).to_pylist())
        except InputError as error:
            told = [str(error)]
        outcomes.append(told)
    assert outcomes[0] == outcomes[1]


@settings(max_examples=60)
@given(st.lists(st.one_of(st.none(), st.integers(0, 14)), max_size=15))
def test_what_counts_is_kept_up_as_it_is_counted_anew(reference: Taxonomy, targets: list[int | None]) -> None:
    """Events that undo others, in any tangle that two people's logs put together may show."""
    rows = [
        {**log(event(n, "object", "mango")).to_pylist()[0], "event_id": f"e{n}", "number": n, "undoes": undoes}
        for n, undoes in enumerate(None if target is None else f"e{target}" for target in targets)
    ]
    held = labels._Undoing.of(table(image()), log(), reference)
    for n, row in enumerate(rows):
        held._hold(row)
        assert {name for name, many in held.undoers.items() if many} == labels.undone(rows[: n + 1])


def same_thing(a: Event, b: Event) -> bool:
    alike = [{"object", "objects"} if e.field in ("object", "objects") else {e.field} for e in (a, b)]
    return a.image_id == b.image_id and alike[0] == alike[1]


def test_undoing_what_undid_brings_the_verdict_back(project: Project, reference: Taxonomy) -> None:
    written(project)
    before = effective(project, reference)
    labels.append(project, [event(0, "object", "mango")])
    judged = effective(project, reference)
    (first,) = take_back(project, reference, event(0, "object", "mango").row["event_id"])
    assert effective(project, reference).equals(before)
    assert (first.before, first.after) == ("mango", None)
    take_back(project, reference, first.row["event_id"], minute=901)
    assert effective(project, reference).equals(judged)
    assert labels.log(project).num_rows == 3


def test_several_are_taken_back_at_once_or_none(project: Project, reference: Taxonomy) -> None:
    written(project)
    said = [event(0, "object", "mango"), event(1, "object", "egg"), event(2, "reject", True, "b.png")]
    labels.append(project, said)
    ids = [e.row["event_id"] for e in said]
    with pytest.raises(InputError, match="later"):
        take_back(project, reference, ids[0])
    with pytest.raises(InputError, match="no such event"):
        take_back(project, reference, ids[1], "nothing")
    assert labels.log(project).num_rows == 3
    assert len(take_back(project, reference, *ids)) == 3
    assert effective(project, reference).equals(manifest.read(project, "images"))
    with pytest.raises(InputError, match="later"):
        take_back(project, reference, ids[1])


def test_a_writer_that_is_killed_before_the_rename_took_all_back_or_nothing(
    project: Project, reference: Taxonomy
) -> None:
    written(project)
    said = [event(0, "object", "mango"), event(1, "reject", True, "b.png")]
    labels.append(project, said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest.store, "_write_journal", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take_back(project, reference, *(e.row["event_id"] for e in said))
    assert labels.log(project).num_rows == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest.store, "_rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take_back(project, reference, *(e.row["event_id"] for e in said))
    assert labels.log(project).num_rows == 4
    assert effective(project, reference).equals(manifest.read(project, "images"))


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_verdict_on_a_pair_is_taken_back(project: Project, reference: Taxonomy) -> None:
    written(project)
    pair = [event(n, "pair", word, other_image_id="id of b.png") for n, word in enumerate(("same", "different"))]
    labels.append(project, pair)
    assert [row["after"] for row in labels.pairs(labels.log(project))] == ['"same"', '"different"']
    (made,) = take_back(project, reference, pair[1].row["event_id"])
    assert (made.before, made.after) == ("different", "same")
    assert [row["after"] for row in labels.pairs(labels.log(project))] == ['"same"']
    take_back(project, reference, pair[0].row["event_id"], minute=901)
    assert labels.pairs(labels.log(project)) == []


def test_a_verdict_on_other_bytes_cannot_be_taken_back(project: Project, reference: Taxonomy) -> None:
    written(project)
    labels.append(project, [event(0, "object", "mango")])
    tables = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**tables, "images": table({**AWKWARD, "sha256": "new"})}, manifest.Origin("ingest"))
    with pytest.raises(InputError, match="does not count"):
        take_back(project, reference, event(0, "object", "mango").row["event_id"])


def test_a_log_from_before_verdicts_could_be_undone_is_read(project: Project, reference: Taxonomy) -> None:
    written(project)
    labels.append(project, [event(0, "object", "mango")])
    old = labels.log(project).drop_columns(["undoes"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "read", lambda *_: old)
        assert labels.log(project)["undoes"].to_pylist() == [None]


def test_changes_name_what_the_export_told_and_who_says_otherwise(project: Project, reference: Taxonomy) -> None:
    written(project)
    first, second = event(0, "object", "mango"), event(1, "object", "egg", "b.png")
    labels.append(project, [first, second, event(2, "second_look", True, "b.png")])
    found = labels.changes(manifest.read(project, "images"), labels.log(project), reference)
    assert [(c.image_id, c.field, c.before, c.after) for c in found] == [
        ("id of a.png", "object", None, "mango"),
        ("id of b.png", "second_look", False, True),
    ]
    assert (found[0].by, found[0].event_id) == ("kim", first.row["event_id"])
    take_back(project, reference, first.row["event_id"])
    left = labels.changes(manifest.read(project, "images"), labels.log(project), reference)
    assert [c.field for c in left] == ["second_look"]


def test_the_schema_of_a_log_is_that_of_its_rows(project: Project) -> None:
    written(project)
    labels.append(project, [event(0, "object", "mango")])
    assert labels.log(project).schema.equals(schema.LABELS.arrow)
    assert isinstance(labels.log(project), pa.Table)
