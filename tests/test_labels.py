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


def log(*events: Event) -> Any:
    return schema.from_rows("labels", [e.row for e in events])


def one(result: Any, path: str = "a.png") -> dict[str, Any]:
    rows = [row for row in result.to_pylist() if row["path"] == path]
    assert len(rows) == 1
    return rows[0]


def test_the_latest_verdict_holds_whatever_the_order_of_rows(reference: Taxonomy) -> None:
    events = [event(2, "object", "mango"), event(0, "object", "apple"), event(1, "object", "egg")]
    for order in (events, events[::-1], [events[1], events[2], events[0]]):
        row = one(labels.effective(table(image()), log(*order), reference))
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


def test_a_moved_file_keeps_its_verdicts(reference: Taxonomy) -> None:
    gone = image("a.png", missing=True, sha256="s1")
    moved = image("new/a.png", sha256="s1")
    result = labels.effective(table(gone, moved), log(event(0, "object", "mango")), reference)
    assert one(result, "new/a.png")["object"] == "mango"


def test_a_file_that_became_two_keeps_no_verdicts(reference: Taxonomy) -> None:
    rows = [image("a.png", missing=True, sha256="s1"), image("b.png", sha256="s1"), image("c.png", sha256="s1")]
    result = labels.effective(table(*rows), log(event(0, "object", "mango")), reference)
    assert one(result, "b.png")["object"] is None
    assert one(result, "c.png")["object"] is None


def test_pages_of_a_moved_file_are_not_mixed_up(reference: Taxonomy) -> None:
    rows = [image("a.tif", missing=True, sha256="s", page=1, image_id="old")]
    rows += [image("b.tif", sha256="s", page=n, image_id=f"new {n}") for n in range(2)]
    told = log(Event(NOON, "kim", "cli", "object", "old", "mango"))
    found = {row["image_id"]: row["object"] for row in labels.effective(table(*rows), told, reference).to_pylist()}
    assert (found["new 0"], found["new 1"]) == (None, "mango")


def test_a_verdict_on_another_value_than_was_seen_is_a_conflict(reference: Taxonomy) -> None:
    images = table(image(object="egg", objects=["egg"]))
    seen, unseen = event(0, "object", "mango", before="egg"), event(1, "object", "apple", before="honey")
    assert labels.conflicts(images, log(seen), reference) == []
    (found,) = labels.conflicts(images, log(seen, unseen), reference)
    assert (found.seen, found.replaced, found.event_id) == ("honey", "mango", unseen.row["event_id"])


def test_the_log_only_grows_and_takes_an_event_once(project: Project) -> None:
    first, second = event(0, "object", "mango"), event(1, "object", "egg")
    assert labels.log(project).num_rows == 0
    assert labels.append(project, [first]) == 1
    assert labels.append(project, [first, second, second]) == 1
    assert labels.log(project)["event_id"].to_pylist() == [first.row["event_id"], second.row["event_id"]]


def test_appending_waits_for_nobody(project: Project) -> None:
    with manifest.lock(project.state, "ingest"), pytest.raises(LockedError):
        labels.append(project, [event(0, "object", "mango")])


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
