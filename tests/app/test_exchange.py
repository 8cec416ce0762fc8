"""Pull and push.

It could be wrong while tests pass: if what was rejected stayed in later steps; if a verdict on a pair, or on a scan of
several pictures, named another image; if `xqdata view`, between the edit and the pull, lost the edit; if names outside
the taxonomy were bent or lost; if two people on one database lost one's word; if an undo came back with the next pull;
if a deleted sample, or a copy of the dataset, counted as a verdict; if a kill doubled or halved a verdict. Each of
these is done here, on a real database, and what is looked at is the log and the effective labels of the tables.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from app.conftest import rewrite
from xqdata import labels, manifest
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

Bring = Callable[..., Any]


class Bench:
    """A project, its dataset, and people who work on it."""

    def __init__(self, project: Project, taxonomy: Taxonomy, bring: Bring) -> None:
        self.project, self.taxonomy, self.bring = project, taxonomy, bring
        self.dataset = bring().dataset
        rows = self.table().to_pylist()
        self.apples = sorted(row["image_id"] for row in rows if row["object"] == "apple")
        self.several = sorted(row["image_id"] for row in rows if len(row["objects"] or ()) > 1)

    def table(self) -> Any:
        """The images with effective labels."""
        images = manifest.read(self.project, "images")
        return labels.effective(images, labels.log(self.project), self.taxonomy)

    def counts(self, image: str) -> dict[str, Any]:
        return next(row for row in self.table().to_pylist() if row["image_id"] == image)

    def sample(self, image: str) -> Any:
        from xqdata.app.load import flat

        self.dataset.reload()
        return flat(self.dataset).match({"image_id": image}).first()

    def by_hand(self, image: str, name: str, label: Any) -> None:
        """Change a label by FiftyOne's own means."""
        import fiftyone as fo

        sample = self.sample(image)
        if name == "objects":
            made = fo.Classifications(classifications=[fo.Classification(label=one) for one in label or ()])
        else:
            made = label if name == "specimens" else label and fo.Classification(label=label)
        sample[name] = made
        sample.save()

    def tag(self, image: str, *tags: str) -> None:
        sample = self.sample(image)
        sample.tags = list(tags)
        sample.save()

    def says(self, image: str, topic: str, after: Any, by: str = "kim", why: str | None = None) -> None:
        """What an operator does."""
        from xqdata.app.say import chosen, say

        say(self.dataset, chosen(self.dataset, [str(self.sample(image).id)]), topic, after, by, why)

    def imports(self, image: str, field: str, after: Any, by: str = "lee") -> None:
        """A verdict that reaches the log otherwise."""
        moment = datetime(2031, 1, 1, 0, 0, len(labels.log(self.project)))
        labels.append(self.project, [Event(moment, by, "cvat", field, image, after)])

    def pull(self, side: Any = None) -> Any:
        from xqdata.app.exchange import pull

        return pull(self.project, self.taxonomy, self.dataset, "me", side)

    def push(self, side: Any = None) -> Any:
        from xqdata.app.exchange import push

        return push(self.project, self.taxonomy, self.dataset, "me", side)

    def undo(self, event: Event) -> None:
        words = {"at": datetime(2031, 2, 1), "by": "me", "source": "cli"}
        labels.undo(self.project, self.taxonomy, [event.row["event_id"]], **words)

    def quiet(self) -> None:
        """Nothing is left to be pulled or pushed, and a look changes nothing."""
        for act in (self.pull, self.push):
            done = act()
            assert (list(done.events), list(done.written), list(done.conflicts)) == ([], [], [])
            assert not (done.compared.pull or done.compared.push)
        loaded = self.bring().loaded
        assert loaded.edited == 0

    def log(self) -> list[dict[str, Any]]:
        return labels.log(self.project).to_pylist()


@pytest.fixture
def bench(lab: Project, reference: Taxonomy, bring: Bring) -> Bench:
    return Bench(lab, reference, bring)


def told(events: Any) -> list[tuple[Any, ...]]:
    return [(e.image_id, e.field, e.before, e.after, e.by, e.why) for e in events]


def test_what_people_change_by_hand_comes_home(bench: Bench) -> None:
    one, two, three, four = bench.apples[:4]
    scan_type = bench.counts(two)["scan_type"]
    specimens = bench.counts(three)["specimens"]
    started = datetime.utcfromtimestamp(0)
    bench.by_hand(one, "object", "mango")
    bench.by_hand(two, "scan_type", "mixed_carrier")
    bench.by_hand(three, "specimens", ["b-2", "a-1"])
    bench.by_hand(four, "object", None)
    bench.tag(two, "Second look", "mine")
    done = bench.pull()
    assert sorted(told(done.events)) == sorted([
        (one, "object", "apple", "mango", "me", None),
        (two, "scan_type", scan_type, "mixed_carrier", "me", None),
        (two, "second_look", False, True, "me", None),
        (three, "specimens", specimens, ["a-1", "b-2"], "me", None),
        (four, "object", "apple", None, "me", None),
    ])  # fmt: skip
    assert all(started < event.at <= datetime.now() for event in done.events)
    assert (bench.counts(one)["object"], bench.counts(one)["objects"]) == ("mango", ["mango"])
    assert (bench.counts(two)["scan_type"], bench.counts(two)["multiplicity"]) == ("mixed_carrier", "mixed")
    assert bench.sample(two).multiplicity == "mixed"  # what follows from the scan type follows in FiftyOne, too
    assert (bench.counts(four)["object"], bench.counts(four)["objects"]) == (None, None)
    assert sorted(bench.sample(two).tags) == ["mine", "second_look"]
    bench.quiet()
    bench.tag(two, "mine")
    assert told(bench.pull().events) == [(two, "second_look", True, False, "me", None)]
    bench.quiet()


def test_what_is_rejected_is_in_no_later_step(bench: Bench) -> None:
    image, tagged = bench.apples[:2]
    bench.says(image, "reject", True, why="a hand is in it")
    bench.tag(tagged, "reject", "mine")
    assert bench.bring().loaded.edited == 2  # a look before the pull keeps them
    assert {image, tagged} <= set(bench.table()["image_id"].to_pylist())
    done = bench.pull()
    assert sorted(told(done.events)) == sorted([
        (image, "reject", False, True, "kim", "a hand is in it"), (tagged, "reject", False, True, "me", None)
    ])  # fmt: skip
    assert not {image, tagged} & set(bench.table()["image_id"].to_pylist())
    again = bench.bring().loaded
    assert (again.removed, again.kept) == (1, 1)  # the other tag is a person's own
    bench.undo(next(e for e in done.events if e.image_id == image))
    assert bench.push().compared.absent == [image]
    assert bench.bring().loaded.added == 1
    assert bench.sample(image).tags == []
    bench.undo(next(e for e in done.events if e.image_id == tagged))
    bench.push()
    assert bench.sample(tagged).tags == ["mine"]
    bench.quiet()


def test_what_operators_were_told_comes_with_reason_and_name(bench: Bench) -> None:
    one, two, three = bench.apples[:3]
    bench.says(one, "object", ["apple", "knife"], why="look at the handle")
    bench.says(two, "object", "apple", why="I looked again")  # confirms it
    bench.says(three, "object", "mango", by="kim")
    bench.says(three, "object", "egg", by="lee", why="no stone")
    bench.says(three, "object", "garlic", by="lee", why="cloves")
    assert sorted(told(bench.pull().events)) == sorted([
        (one, "objects", ["apple"], ["apple", "knife"], "kim", "look at the handle"),
        (two, "object", "apple", "apple", "kim", "I looked again"),
        (three, "object", "apple", "mango", "kim", None),
        (three, "object", "mango", "garlic", "lee", "cloves"),
    ])  # fmt: skip
    assert bench.counts(three)["object"] == "garlic"
    assert bench.counts(one)["objects"] == ["apple", "knife"]
    assert not labels.conflicts(manifest.read(bench.project, "images"), labels.log(bench.project), bench.taxonomy)
    bench.quiet()
    bench.says(one, "object", "mango", why="a slip")
    bench.by_hand(one, "object", "egg")  # nothing says why
    assert told(bench.pull().events) == [(one, "object", None, "egg", "me", None)]
    bench.says(two, "reject", True)
    bench.tag(two)  # taken back before anybody wrote it down
    assert bench.pull().events == []
    bench.quiet()


def test_a_pair_is_the_two_that_were_chosen(bench: Bench) -> None:
    from xqdata.app.say import chosen, say_of_pair

    a, b, c = bench.apples[:3]
    pair = chosen(bench.dataset, [str(bench.sample(image).id) for image in (c, a)])
    say_of_pair(bench.dataset, pair, "same", "kim", "the same scratch")
    (event,) = bench.pull().events
    assert {event.image_id, event.other_image_id} == {a, c}
    assert (event.after, event.before, event.by, event.why) == ("same", None, "kim", "the same scratch")
    assert [{row["image_id"], row["other_image_id"]} for row in labels.pairs(labels.log(bench.project))] == [{a, c}]
    bench.quiet()
    # Somebody else says otherwise, later, and not here.
    say_of_pair(bench.dataset, pair, "same", "kim", None)
    moment = datetime(2031, 1, 1)
    labels.append(bench.project, [Event(moment, "lee", "dedup", "pair", a, "different", other_image_id=c)])
    (conflict,) = bench.pull().conflicts
    assert (conflict.ours, conflict.theirs) == ("different", "same")
    (event,) = bench.pull("theirs").events
    assert event.before == "different"
    bench.quiet()
    assert b not in json.dumps(bench.log(), default=str)


def test_a_look_between_the_edit_and_the_pull_loses_nothing(bench: Bench) -> None:
    one, two, three, four = bench.apples[:4]
    bench.by_hand(one, "object", "mango")
    bench.says(two, "object", "egg", why="round")
    bench.says(three, "object", "apple", why="sure")
    bench.by_hand(four, "objects", ["apple", "egg"])
    bench.imports(three, "object", "garlic")  # and what was confirmed changes meanwhile
    bench.imports(four, "object", "mango")
    for _ in range(2):
        assert bench.bring().loaded.edited == 4
    done = bench.pull()
    assert sorted(told(done.events)) == sorted([
        (one, "object", "apple", "mango", "me", None), (two, "object", "apple", "egg", "kim", "round")
    ])  # fmt: skip
    assert {(c.image_id, c.put, c.ours, *map(str, [c.theirs])) for c in done.conflicts} == {
        (three, "apple", "garlic", "apple"),
        (four, "apple", "mango", "['apple', 'egg']"),
    }


@pytest.mark.parametrize("first", ["pull", "push"])
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_what_changed_on_both_sides_waits_for_a_word(bench: Bench, first: str, side: str) -> None:
    one, two, three = bench.apples[:3]
    bench.says(one, "object", "mango", why="ripe")
    bench.imports(one, "object", "egg")
    bench.by_hand(two, "object", "garlic")
    bench.imports(two, "object", "garlic")  # both came to the same
    bench.imports(three, "object", "egg")
    act = getattr(bench, first)
    waiting = act()
    assert [(c.image_id, c.put, c.ours, c.theirs) for c in waiting.conflicts] == [(one, "apple", "egg", "mango")]
    assert waiting.events == []
    assert (bench.counts(one)["object"], bench.sample(one).object.label) == ("egg", "mango")
    assert bench.sample(three).object.label == ("egg" if first == "push" else "apple")
    act(side)
    done = bench.pull()
    wanted = "egg" if side == "ours" else "mango"
    assert (bench.counts(one)["object"], bench.sample(one).object.label) == (wanted, wanted)
    rows = [row for row in bench.log() if row["source"] == "fiftyone"]
    assert [(r["image_id"], r["before"], r["after"], r["why"]) for r in rows] == (
        [] if side == "ours" else [(one, '"egg"', '"mango"', "ripe")]
    )
    assert done.conflicts == []
    bench.push()
    bench.quiet()


def test_an_undo_does_not_come_back(bench: Bench) -> None:
    one, two = bench.apples[:2]
    bench.by_hand(one, "object", "mango")
    bench.says(two, "object", "egg", why="round")
    events = bench.pull().events
    for event in reversed(events):
        bench.undo(event)
    done = bench.pull()
    assert done.events == []
    assert {each.image_id for each in done.compared.push} == {one, two}
    assert {(each.image_id, each.theirs, each.ours) for each in bench.push().written} == {
        (one, "mango", "apple"), (two, "egg", "apple")
    }  # fmt: skip
    assert {bench.sample(image).object.label for image in (one, two)} == {"apple"}
    bench.quiet()
    bench.by_hand(one, "object", "mango")  # said anew, it counts anew
    assert len(bench.pull().events) == 1
    assert bench.counts(one)["object"] == "mango"


def test_names_are_spelled_as_the_tables_do(bench: Bench) -> None:
    one, two, three, four = bench.apples[:4]
    bench.by_hand(one, "object", "  Mango ")
    bench.by_hand(two, "object", "mangosteen")
    bench.by_hand(three, "object", "Apple")  # says nothing new
    bench.by_hand(four, "scan_type", "on a plate")
    done = bench.pull()
    assert sorted((e.image_id, e.field, e.after) for e in done.events) == sorted([
        (one, "object", "mango"), (two, "object", "mangosteen"), (four, "scan_type", "on a plate")
    ])  # fmt: skip
    assert done.compared.foreign.keys() == {"mangosteen", "on a plate"}
    assert (bench.counts(four)["scan_type"], bench.counts(four)["multiplicity"]) == ("on a plate", None)
    assert [bench.sample(image).object.label for image in (one, two, three)] == ["mango", "mangosteen", "apple"]
    bench.quiet()
    bench.by_hand(one, "object", "Mangosteen")  # as the labels that use it
    assert bench.pull().events[0].after in ("mangosteen", "Mangosteen")


def test_one_object_and_several_are_one_label(bench: Bench) -> None:
    one, two, three = bench.apples[:3]
    bench.by_hand(one, "objects", ["apple", "knife"])
    bench.by_hand(two, "objects", ["egg", "knife"])
    bench.by_hand(two, "object", "mango")
    bench.by_hand(three, "object", None)
    bench.by_hand(three, "objects", ["knife"])
    done = bench.pull()
    assert sorted(told(done.events)) == sorted([
        (one, "objects", ["apple"], ["apple", "knife"], "me", None), (three, "object", "apple", "knife", "me", None)
    ])  # fmt: skip
    assert done.compared.unclear == [two]
    assert bench.counts(two)["object"] == "apple"
    bench.by_hand(two, "objects", None)
    assert told(bench.pull().events) == [(two, "object", "apple", "mango", "me", None)]
    assert (bench.sample(one).object, len(bench.sample(one).objects.classifications)) == (None, 2)
    assert (bench.sample(three).object.label, bench.sample(three).objects) == ("knife", None)
    bench.quiet()


def test_copies_and_deleted_samples_say_nothing(bench: Bench, fiftyone: Any) -> None:
    one, two = bench.apples[:2]
    other = bench.dataset.clone()
    sample = other.match({"image_id": one}).first()
    sample.object.label = "mango"
    sample.save()
    bench.dataset.delete_samples([bench.sample(two).id])
    bench.dataset.add_sample(fiftyone.Sample("/nowhere/own.png", object=fiftyone.Classification(label="egg")))
    done = bench.pull()
    assert done.events == []
    assert done.compared.deleted == [two]
    assert bench.bring().loaded.added == 1
    bench.quiet()
    other.delete()


def test_verdicts_on_images_that_the_tables_lost_stay(bench: Bench) -> None:
    from xqdata.app.people import lines

    image = bench.apples[0]
    bench.says(image, "object", "mango")
    rewrite(bench.project, "images", lambda row: None if row["image_id"] == image else row)
    done = bench.pull()
    assert (done.events, done.compared.strange) == ([], [image])
    assert lines(bench.dataset).count_documents({}) == 1


def test_a_file_that_moved_keeps_its_verdict(bench: Bench) -> None:
    image, new = bench.apples[0], "0" * 32
    row = bench.counts(image)
    bench.says(image, "object", "mango", why="ripe")

    def move(each: dict[str, Any]) -> dict[str, Any]:
        return each | {"image_id": new, "path": "moved.png", "moved_from": image} if each["image_id"] == image else each

    images = manifest.read(bench.project, "images").to_pylist()
    old = next(each for each in images if each["image_id"] == image)
    kept = next(each["image_id"] for each in images if each["image_id"] == bench.apples[-1])
    # One other row becomes the place that the file left.
    rewrite(bench.project, "images", lambda each: old | {"missing": True} if each["image_id"] == kept else move(each))
    bench.bring()
    (event,) = bench.pull().events
    assert (event.image_id, event.before, event.after) == (image, row["object"], "mango")
    assert bench.counts(new)["object"] == "mango"


def test_all_pictures_of_a_scan_or_the_one(passes: Project, reference: Taxonomy, bring: Bring) -> None:
    from xqdata.app.say import chosen, say

    bench = Bench(passes, reference, bring)
    ids = sorted(manifest.read(passes, "images", ["image_id"])["image_id"].to_pylist())[:6]
    main = bench.sample(ids[0])
    whole = chosen(bench.dataset, [str(main.id)], whole_scans=True)
    assert {one["image_id"] for one in whole} == set(ids[:2])
    say(bench.dataset, whole, "object", "walnut", "kim", None)
    bench.says(ids[3], "second_look", True)  # a slice that the grid does not show at first
    bench.by_hand(ids[5], "object", "egg")
    events = bench.pull().events
    assert {(e.image_id, e.after) for e in events} == {
        (ids[0], "walnut"), (ids[1], "walnut"), (ids[3], True), (ids[5], "egg")
    }  # fmt: skip
    bench.undo(next(e for e in events if e.image_id == ids[1]))
    bench.push()
    assert bench.counts(ids[0])["object"] == "walnut" != bench.sample(ids[1]).object.label
    bench.quiet()


KILLED = """
import os, sys, signal
from pathlib import Path
from datetime import datetime
from xqdata.manifest import Project
from xqdata import taxonomy
place, database, name, module, step, when, act = sys.argv[1:]
from xqdata.app.database import connect
connect(Project(Path(database)))
import importlib
from xqdata.app import exchange
owner = importlib.import_module(module) if "." in module else getattr(exchange, module)
real = getattr(owner, step)
def dies(*words, **more):
    if when == "after":
        real(*words, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, step, dies)
import fiftyone as fo
getattr(exchange, act)(Project(Path(place)), taxonomy.load(), fo.load_dataset(name), "me")
"""


@pytest.fixture
def killed(bench: Bench, fiftyone: Any) -> Iterator[Callable[..., None]]:
    """Pulls or pushes in a process of its own, which is killed before or after a step."""

    def call(act: str, module: str, step: str, when: str) -> None:
        database = str(fiftyone.config.database_dir).removesuffix("/.xqdata/database")
        words = [str(bench.project.folder), database, bench.dataset.name, module, step, when, act]
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, *words], capture_output=True, text=True,
                              check=False, timeout=300)  # fmt: skip
        assert done.returncode == -9, done.stderr

    yield call


@pytest.mark.parametrize(
    ("module", "step", "when", "stands"),
    [
        ("xqdata.labels", "add", "before", False),
        ("xqdata.labels", "add", "after", True),  # the log is written, FiftyOne knows nothing of it
        ("_Desk", "_remember", "before", True),  # FiftyOne is written, what was put there is not remembered
        ("_Desk", "forget", "before", True),  # all but the operators' lines
    ],
)
def test_a_pull_that_is_killed_leaves_nothing_half(
    bench: Bench, killed: Callable[..., None], module: str, step: str, when: str, stands: bool
) -> None:
    one, two, three = bench.apples[:3]
    bench.by_hand(one, "object", " Mango")
    bench.says(two, "object", "egg", why="round")
    bench.says(three, "object", "apple", why="sure")
    killed("pull", module, step, when)
    assert len(bench.log()) == (3 if stands else 0)
    if stands and step == "add":  # it may even be taken back before the next pull
        event = next(e for e in bench.log() if e["image_id"] == one)["event_id"]
        labels.undo(bench.project, bench.taxonomy, [event], at=datetime(2031, 1, 1), by="me", source="cli")
    assert len(bench.pull().events) == (0 if stands else 3)
    bench.push()
    assert bench.sample(one).object.label == ("apple" if stands and step == "add" else "mango")
    assert len([row for row in bench.log() if row["undoes"] is None]) == 3
    bench.quiet()


def test_a_push_that_is_killed_is_no_edit(bench: Bench, killed: Callable[..., None]) -> None:
    image = bench.apples[0]
    bench.imports(image, "object", "mango")
    killed("push", "_Desk", "_remember", "before")
    assert bench.sample(image).object.label == "mango"
    bench.quiet()
    assert len(bench.log()) == 1
