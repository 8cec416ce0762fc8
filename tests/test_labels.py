"""The label log.

It could be wrong while tests pass if effective labels were only ever tested on one event per image, if the order of
rows in the file decided instead of time, or if a moved file lost its verdicts. So: several events, shuffled, and moves.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

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
