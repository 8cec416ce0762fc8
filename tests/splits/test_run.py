"""`xqdata split` from tables to table.

It could be wrong while tests pass if components were never chained over several columns, if copies and rejected images
were always absent, or if a split that grew were never looked at image by image. So: random projects with all of that,
judged by a walk over every tie in plain Python.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splits.conftest import Row, cluster, fill, link, parts_of, rows_of, scan
from xqdata import manifest
from xqdata.errors import InputError, TableError
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.splits import Request, TornError, grown, split
from xqdata.splits import run as splitting
from xqdata.taxonomy import Taxonomy

NOON = datetime(2026, 5, 17, 12)
PARTS = (("train", "1/2"), ("val", "1/4"), ("test", "1/4"))


def verdict(name: str, field: str, after: Any) -> Event:
    return Event(NOON, "kim", "cli", field, name, after)


@st.composite
def projects(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row], list[Event]]:
    count = draw(st.integers(3, 14))
    names = [f"i{n:02}" for n in range(count)]
    some = st.sampled_from
    rows = [
        scan(
            name,
            draw(some(["egg", "honey", None])),
            *draw(st.lists(some(["s1", "s2", "s3", "s4"]), max_size=2, unique=True)),
            scan_id=draw(some([None, "p1", "p2"])),
            session=draw(some([None, "d1", "d2"])),
            scan_type=draw(some(["single_basket", "single_carrier", "multiple_basket", None])),
            missing=draw(some([False, False, False, True])),
        )
        for name in names
    ]
    pairs = draw(st.lists(st.tuples(some(names), some(names)).filter(lambda p: p[0] != p[1]), max_size=3, unique=True))
    links = [link(a, b) for a, b in {tuple(sorted(p)) for p in pairs}]
    copies = cluster(*draw(st.permutations(names))[:3]) if draw(st.booleans()) else []
    rejected = draw(st.lists(some(names), max_size=2, unique=True))
    return rows, links, copies, [verdict(name, "reject", True) for name in rejected]


def project_of(folder: str, *tables: Any) -> Project:
    return fill(Project(Path(folder)), *tables)


def torn(rows: list[Row], links: list[Row], copies: list[Row], part: dict[str, str | None], columns: list[str]) -> bool:
    """Whether anything that ties lies in two parts, directly or through images that take no part."""
    ties: list[set[str]] = [{row["image_a"], row["image_b"]} for row in links]
    ties += [{row["image_id"] for row in copies}] if copies else []
    for column in columns:
        held: dict[str, set[str]] = {}
        for row in rows:
            value = row.get(column)
            for one in value if isinstance(value, list) else [value]:
                # What a missing or rejected image shows ties nothing.
                if one is not None and part[row["image_id"]] != "out":
                    held.setdefault(one, set()).add(row["image_id"])
        ties += held.values()
    merged = True
    while merged:
        merged = False
        for a in ties:
            for b in ties:
                if a is not b and a & b:
                    a.update(b)
                    ties.remove(b)
                    merged = True
                    break
            if merged:
                break
    return any(len({part[i] for i in tie} - {None, "out"}) > 1 for tie in ties)


def judged(result: Any, rows: list[Row], events: list[Event]) -> dict[str, str | None]:
    """The parts, with those that take no part called `out`; and what holds for every split."""
    told = rows_of(result)
    assert sorted(told) == sorted(row["image_id"] for row in rows)
    out = {row["image_id"] for row in rows if row["missing"]} | {e.image_id for e in events}
    for name, row in told.items():
        assert row["part"] is not None or row["reason"]
        assert name not in out or row["part"] is None
    return {name: "out" if name in out else row["part"] for name, row in told.items()}


@given(tables=projects(), asked=st.sampled_from([{}, {"by": ("session",)}, {"folds": 3}, {"together": ("session",)}]))
@settings(max_examples=40)
def test_nothing_that_ties_is_torn(tables, asked, reference: Taxonomy) -> None:
    rows, links, copies, events = tables
    out = {e.image_id for e in events} | {r["image_id"] for r in rows if r["missing"]}
    with tempfile.TemporaryDirectory() as folder:
        project = project_of(folder, *tables)
        try:
            result = split(project, reference, Request(parts=PARTS, **asked))
        except InputError as error:
            if "no image to split" in str(error):
                assert {row["image_id"] for row in rows} == out | {row["image_id"] for row in copies}
                return
            # Three parts were asked for of fewer components.
            assert re.search(
                r"form (1 component|2 components) and 3 (parts|folds) need 3: .* would stay empty", str(error)
            )
            assert not manifest.exists(project, "splits/default")
            fewer = {"folds": 2} if "folds" in asked else {"parts": (("train", "1/2"), ("test", "1/2"))}
            if "2 components" not in str(error):
                return
            result = split(project, reference, Request(**{**asked, **fewer}))
    part = judged(result, rows, events)
    columns = ["specimens", "scan_id", "bag"] + (["session"] if "session" in str(asked) else [])
    assert not torn(rows, links, copies, part, columns)
    told = rows_of(result)
    kept = {r["cluster"]: r["image_id"] for r in copies if r["kept"]}
    for row in copies:
        leader = kept[row["cluster"]]
        if row["image_id"] != leader and leader not in out and row["image_id"] not in out:
            assert told[row["image_id"]]["part"] == told[leader]["part"]
            assert told[row["image_id"]]["reason"].startswith(f"copy of {leader}")


@given(
    tables=projects(), asked=st.sampled_from([{"by": ("scan_type",)}, {"test_where": "scan_type == 'single_basket'"}])
)
@settings(max_examples=40)
def test_where_axes_cross_neither_is_torn(tables, asked, reference: Taxonomy) -> None:
    rows, links, copies, events = tables
    with tempfile.TemporaryDirectory() as folder:
        project = project_of(folder, *tables)
        try:
            result = split(project, reference, Request(parts=(("train", "2/3"), ("test", "1/3")), **asked))
        except InputError:
            return
    part = judged(result, rows, events)
    assert not torn(rows, links, copies, part, ["specimens", "scan_id", "bag"])
    for row in rows:
        mine = part[row["image_id"]]
        if mine in ("train", "test"):
            assert row["scan_type"] is not None
            if "test_where" in asked:
                assert (mine == "test") == (row["scan_type"] == "single_basket")
    if "by" in asked:
        held = {(row["scan_type"], part[row["image_id"]]) for row in rows if part[row["image_id"]] in ("train", "test")}
        assert max(Counter(level for level, _ in held).values(), default=1) == 1


@given(tables=projects(), random=st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_the_order_of_rows_changes_nothing(tables, random, reference: Taxonomy) -> None:
    rows, links, copies, events = tables
    made = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            project = project_of(folder, rows, links, copies, events)
            try:
                result = split(project, reference, Request(parts=PARTS))
            except InputError:
                return
            made.append((rows_of(result), manifest.provenance(project, "splits/default").digest))
        rows, links, copies = ([*random.sample(t, len(t))] for t in (rows, links, copies))
    assert made[0] == made[1]


def study(count: int = 60, start: int = 0) -> list[Row]:
    """`count` images of three classes; each specimen in two scan types."""
    kinds = ("egg", "honey", "mango")
    return [
        scan(
            f"i{n:03}",
            kinds[n % 3],
            f"{kinds[n % 3]}-{n // 6}",
            scan_type=("single_basket", "single_carrier")[n // 3 % 2],
            acquired_at=datetime(2024, 3, 1 + n % 28),
        )
        for n in range(start, start + count)
    ]


def test_copies_follow_the_kept_one_and_are_not_counted(project, run) -> None:
    rows = [scan(f"i{n}", "egg", f"s{n}") for n in range(10)] + [scan(f"c{n}", "egg", "s0") for n in range(5)]
    fill(project, rows, duplicates=cluster("i0", *(f"c{n}" for n in range(5))))
    result = run(parts=(("train", "1/2"), ("test", "1/2")))
    (report,) = result.reports
    assert [part.images for part in report.parts] == [5, 5]
    assert sum(part.copies for part in report.parts) == report.copies == 5
    assert {rows_of(result)[f"c{n}"]["reason"] for n in range(5)} == {"copy of i0"}


def test_where_the_kept_file_is_gone_the_first_copy_stands_for_it(project, run) -> None:
    rows = [scan("a", "egg", missing=True), scan("b", "egg"), scan("c", "egg"), scan("d", "egg")]
    fill(project, rows, duplicates=cluster("a", "b", "c"))
    told = rows_of(run(parts=(("train", "1/2"), ("test", "1/2"))))
    assert told["c"]["reason"] == "copy of b"
    assert told["c"]["part"] == told["b"]["part"] != told["d"]["part"]


def test_copies_of_a_rejected_image_take_no_part(project, run) -> None:
    rows = [scan("a", "egg"), scan("b", "egg"), scan("c", "egg"), scan("d", "egg")]
    fill(project, rows, duplicates=cluster("a", "b"), events=[verdict("a", "reject", True)])
    told = rows_of(run(parts=(("train", "1/2"), ("test", "1/2"))))
    assert (told["a"]["part"], told["a"]["reason"]) == (None, "rejected in the label log")
    assert (told["b"]["part"], told["b"]["reason"]) == (None, "copy of a, which takes no part")


def test_a_copy_with_another_level_than_its_part_gets_none(project, run) -> None:
    rows = [scan(f"a{n}", "egg", scan_type="single_basket") for n in range(4)]
    rows += [scan(f"b{n}", "egg", scan_type="single_carrier") for n in range(4)]
    fill(project, rows, duplicates=cluster("a0", "b0"))
    told = rows_of(run(parts=(("train", "1/2"), ("test", "1/2")), by=("scan_type",)))
    assert told["a0"]["part"] == told["a1"]["part"]
    assert told["b0"]["part"] is None
    assert "another part" in told["b0"]["reason"]


def test_the_label_log_decides_what_ties_and_what_is_balanced(project, run) -> None:
    rows = [scan("a", "egg", "s1"), scan("b", "egg", "s2"), scan("c", "honey", "s3"), scan("d", "honey", "s4")]
    fill(project, rows, events=[verdict("b", "specimens", ["s1"]), verdict("c", "object", "egg")])
    result = run(parts=(("train", "1/2"), ("test", "1/2")))
    told = rows_of(result)
    assert told["a"]["group"] == told["b"]["group"] == "a"
    assert set(result.reports[0].by_object) == {"egg", "honey"}
    assert sum(result.reports[0].by_object["egg"].values()) == 3


def test_links_tie_through_an_image_that_is_gone(project, run) -> None:
    rows = [scan("a", "egg"), scan("b", "egg", missing=True), scan("c", "egg"), scan("d", "egg")]
    fill(project, rows, links=[link("a", "b"), link("b", "c")])
    told = rows_of(run(parts=(("train", "1/2"), ("test", "1/2"))))
    assert told["a"]["part"] == told["c"]["part"] != told["d"]["part"]


def test_random_splits_tear_and_say_so(project, run) -> None:
    fill(project, study())
    result = run(method="random", name="study")
    (report,) = result.reports
    told = manifest.provenance(project, "splits/study").options
    assert told["leaky"] is True
    assert report.proof.groups_torn > 0
    assert [part.images for part in report.parts] == [42, 9, 9]
    assert parts_of(run(method="random", name="study", seed=1)) != parts_of(result)


def test_a_split_that_grows_keeps_every_assignment(project, run) -> None:
    fill(project, study(60))
    before = parts_of(run())
    fill(project, study(90), links=[link("i000", "i070")])
    told = manifest.provenance(project, "splits/default").options["request"]
    result = run(**vars(grown(told, "default", "default", True)))
    after = parts_of(result)
    assert result.reports[0].stayed == 60
    assert {name: after[name] for name in before} == before
    assert None not in after.values()
    assert after["i070"] == before["i000"]
    counts = Counter(after.values())
    assert counts["train"] > counts["val"] > 0
    again = manifest.provenance(project, "splits/default").options["request"]
    assert not run(**vars(grown(again, "default", "default", True))).changed


def test_a_component_that_came_together_sets_the_fewest_aside(project, run) -> None:
    fill(project, [scan("a1", "egg", "a"), scan("a2", "egg", "a"), scan("b", "egg", "b")])
    halves = (("train", "1/2"), ("test", "1/2"))
    before = parts_of(run(parts=halves))
    assert before["a1"] == before["a2"] != before["b"]
    fill(project, [scan("a1", "egg", "a"), scan("a2", "egg", "a"), scan("b", "egg", "b")], links=[link("a1", "b")])
    told = manifest.provenance(project, "splits/default").options["request"]
    after = rows_of(run(**vars(grown(told, "default", "default", True))))
    assert {n: after[n]["part"] for n in ("a1", "a2", "b")} == {**before, "b": None}
    assert "came together" in after["b"]["reason"]
    # Whoever was tested on once is not trained on later.
    again = rows_of(run(**vars(grown(told, "other", "default", True))))
    assert again["b"]["part"] is None
    with pytest.raises(InputError, match="1 images would have to be set aside"):
        run(**vars(grown(told, "other", "default", False)))


def test_levels_that_grow_stay_in_their_parts(project, run) -> None:
    fill(project, study(60))
    before = rows_of(run(by=("scan_type",), parts=(("train", "2/3"), ("test", "1/3"))))
    more = [*study(90), *(scan(f"n{n}", "egg", f"new-{n}", scan_type="multiple_basket") for n in range(9))]
    fill(project, more)
    told = manifest.provenance(project, "splits/default").options["request"]
    after = rows_of(run(**vars(grown(told, "default", "default", True))))
    for name, row in before.items():
        if row["part"] is not None:
            assert after[name]["part"] == row["part"]
    assert sum(row["part"] is not None for row in after.values()) > sum(r["part"] is not None for r in before.values())


def test_no_set_aside_refuses_and_writes_nothing(project, run) -> None:
    fill(project, study())
    with pytest.raises(InputError, match="would have to be set aside"):
        run(by=("scan_type",), parts=(("train", "1/2"), ("test", "1/2")), set_aside=False)
    assert not manifest.exists(project, "splits/default")


def test_giving_specimens_up_sets_nothing_aside_and_is_recorded(project, run) -> None:
    fill(project, study())
    result = run(
        by=("scan_type",), parts=(("train", "1/2"), ("test", "1/2")), allow_leak=("specimens",), set_aside=False
    )
    told = manifest.provenance(project, "splits/default").options
    assert told["gave_up"] == ["specimens"]
    assert result.reports[0].certificate.set_aside == 0
    assert result.reports[0].proof.torn["specimens"] > 0


def test_images_of_unknown_level_are_set_aside(project, run) -> None:
    fill(project, [*study(20), scan("x", "egg", "elsewhere")])
    told = rows_of(run(by=("scan_type",), parts=(("train", "1/2"), ("test", "1/2"))))
    assert (told["x"]["part"], told["x"]["reason"]) == (None, "set aside: its scan_type is unknown")


def test_a_date_for_the_test_part(project, run) -> None:
    rows = [scan(f"i{n}", "egg", acquired_at=datetime(2024, 3, n + 1)) for n in range(9)] + [scan("x", "egg")]
    rows[-1]["acquired_at"] = None
    fill(project, rows)
    told = rows_of(run(test_after="2024-03-07", parts=PARTS))
    assert [told[f"i{n}"]["part"] == "test" for n in range(9)] == [False] * 6 + [True] * 3
    assert told["x"]["part"] is None
    assert {told[f"i{n}"]["part"] for n in range(6)} == {"train", "val"}


def test_leave_one_out_tests_each_level_on_what_training_never_saw(project, run) -> None:
    fill(project, study(120))
    result = run(leave_one_out="scan_type", folds=3, name="loo")
    assert list(result.tables) == ["splits/loo.single_basket", "splits/loo.single_carrier"]
    rows = {row["image_id"]: row for row in study(120)}
    for name, table in result.tables.items():
        level, parts = name.partition(".")[2], {row["image_id"]: row["part"] for row in table.to_pylist()}
        tested = {i for i, part in parts.items() if part == "test"}
        trained = {i for i, part in parts.items() if part == "train"}
        assert tested
        assert trained
        assert {rows[i]["scan_type"] for i in tested} == {level}
        assert level not in {rows[i]["scan_type"] for i in trained}
        assert not {s for i in tested for s in rows[i]["specimens"]} & {
            s for i in trained for s in rows[i]["specimens"]
        }
    options = manifest.provenance(project, "splits/loo.single_basket").options
    assert set(options["folds"]) == set(result.tables)


def test_folds_over_an_axis_test_each_level_fold_once(project, run) -> None:
    fill(project, [*study(60), *(scan(f"m{n}", "egg", f"m-{n}", scan_type="multiple_basket") for n in range(6))])
    result = run(by=("scan_type",), folds=3, name="f")
    assert list(result.tables) == ["splits/f.0", "splits/f.1", "splits/f.2"]


def test_an_image_with_several_objects_counts_in_each_of_them(project, run) -> None:
    rows = [scan(f"e{n}", "egg", f"e{n}") for n in range(4)]
    rows += [{**scan(f"m{n}", None, f"m{n}"), "objects": ["egg", "honey"]} for n in range(4)]
    fill(project, rows)
    held = run(stratify=("objects",), parts=(("train", "1/2"), ("test", "1/2")))
    assert held.reports[0].certificate.deviation == 0
    assert held.reports[0].by_object == {"egg": {"train": 4, "test": 4}, "honey": {"train": 2, "test": 2}}
    assert Counter(part for name, part in parts_of(held).items() if name[0] == "m") == {"train": 2, "test": 2}
    assert any("--stratify objects" in note for note in run(name="other").reports[0].notes)


def test_what_a_class_with_too_few_specimens_needs_is_told(project, run) -> None:
    rows = [scan(f"e{n}", "egg", f"e{n}") for n in range(9)] + [scan("t", "tree_ear_mushroom", "t1")]
    fill(project, rows)
    (told,) = [o for o in run(parts=PARTS).reports[0].obstacles if "tree ear" in o]
    assert "Scan 2 more specimens of tree ear mushroom" in told


def test_what_chains_a_giant_component_is_told(project, run) -> None:
    rows = [scan(f"a{n}", "egg", "a") for n in range(10)] + [scan(f"b{n}", "egg", "b") for n in range(10)]
    fill(project, [*rows, scan("c", "egg", "c")], links=[link("a3", "b4")])
    (report,) = run(parts=(("train", "1/2"), ("test", "1/2"))).reports
    assert ("rescan links", "a3.png and b4.png", 10) in {(w.source, w.name, w.largest) for w in report.weak}
    without = {w.source: w for w in report.without}
    assert (without["rescan links"].components, without["rescan links"].deviation) == (3, 2.0)
    assert without["specimens"].components == 20
    assert any("holds 20 of the 21 images" in o for o in report.obstacles)


def test_one_specimen_is_chained_by_nothing(project, run) -> None:
    fill(project, [*(scan(f"a{n}", "egg", "a") for n in range(10)), scan("b", "egg", "b")])
    (report,) = run(parts=(("train", "1/2"), ("test", "1/2"))).reports
    assert report.weak == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"by": ("view",)}, "--by view: view has 1 value and 3 parts need 3: val and test would stay empty; leave it"),
        (
            {"by": ("scan_type",)},
            "scan_type has 2 values and 3 parts need 3: test would stay empty; leave it out, or ask for 2 --parts",
        ),
        ({"folds": 10}, "--folds: the images form 4 components and 10 folds need 10: 6 of 10 folds would stay empty"),
        ({"folds": 10}, "ask for 4 folds, or scan more specimens"),
        ({"method": "random", "folds": 30}, "20 images are too few for 30 folds: 10 of 30 folds would stay empty"),
        ({"leave_one_out": "scan_type", "test_where": None, "folds": 2, "together": ("session",)}, "no image is left"),
    ],
)
def test_a_part_that_would_stay_empty_is_refused(project, run, asked: dict[str, Any], told: str) -> None:
    more = {"view": "top", "session": "one" if "together" in asked else None}
    fill(project, [{**row, **more, "specimens": [f"s{n % 4}"]} for n, row in enumerate(study(20))])
    with pytest.raises(InputError, match=re.escape(told)):
        run(**asked)
    assert not any(name.startswith("splits/") for name in manifest.standing(project))


def test_what_chains_all_images_is_told_with_the_refusal(project, run) -> None:
    rows = [scan(f"a{n}", "egg", "a") for n in range(5)] + [scan(f"b{n}", "egg", "b") for n in range(5)]
    fill(project, rows, links=[link("a3", "b4")])
    with pytest.raises(InputError, match=r"is chained by rescan links a3\.png and b4\.png: look whether that is right"):
        run()


def test_a_part_that_is_emptied_later_is_told(project, run) -> None:
    fill(project, [scan(f"i{n}", "egg", f"s{n}") for n in range(2)])
    halves = (("train", "1/2"), ("test", "1/2"))
    before = parts_of(run(parts=halves))
    gone = next(name for name, part in before.items() if part == "test")
    fill(project, [scan(f"i{n}", "egg", f"s{n}", missing=f"i{n}" == gone) for n in range(2)])
    told = manifest.provenance(project, "splits/default").options["request"]
    (report,) = run(**vars(grown(told, "default", "default", True))).reports
    assert "no image is left for test" in report.obstacles


def test_one_level_without_a_test_is_told_and_the_others_stand(project, run) -> None:
    rows = [*study(60), scan("x", "egg", "egg-0", scan_type="multiple_basket")]
    fill(project, rows)
    result = run(leave_one_out="scan_type", folds=3, name="loo")
    assert len(result.tables) == 3
    told = {report.table: report.obstacles for report in result.reports if report.empty}
    assert set(told) <= {"splits/loo.multiple_basket"}
    assert all("no image is left for test" in obstacles for obstacles in told.values())


def test_ties_that_make_no_difference_are_not_told(project, run) -> None:
    rows = [scan(f"a{n}", "egg", "a", scan_id=f"p{n}", bag=f"b{n}") for n in range(10)]
    fill(project, [*rows, *(scan(f"b{n}", "egg", "b") for n in range(4))], links=[link("a3", "a4")])
    (report,) = run(parts=(("train", "1/2"), ("test", "1/2"))).reports
    assert [w.source for w in report.without] == ["specimens"]
    assert report.without[0].deviation < report.certificate.deviation
    told = {tied.source: (tied.values, tied.shared) for tied in report.tied}
    assert told == {"specimens": (2, 2), "scan_id": (10, 0), "bag": (10, 0), "rescan links": (1, 1)}


def test_a_part_that_a_condition_fixes_is_told_by_what_the_condition_holds(project, run) -> None:
    fill(project, study(120))
    asked = {"test_where": "scan_type == 'single_carrier'", "parts": (("train", "3/4"), ("test", "1/4"))}
    (report,) = run(**asked).reports
    assert report.held == 60
    assert [(part.name, part.asked) for part in report.parts] == [("train", 1.0), ("test", None)]


def test_classes_that_lack_for_one_reason_share_a_line(project, run) -> None:
    rows = [{**row, "scan_type": "multiple_basket"} for row in study(30)]
    fill(project, [*rows, *(scan(f"s{n}", "sausage", f"s{n}", scan_type="single_basket") for n in range(9))])
    (report,) = run(test_where="scan_type == 'single_basket'", parts=PARTS).reports
    told = [o for o in report.obstacles if "condition" in o]
    assert len(told) == 2
    assert "egg, honey, mango are not in test: the condition for the test part holds for none of their images" in told
    assert any(o.startswith("sausage is not in train and val") for o in told)


def test_the_paragraph_on_folds_tells_of_all_of_them(project, run) -> None:
    fill(project, study(120))
    reports = run(leave_one_out="scan_type", folds=3, name="loo").reports
    assert len({report.methods for report in reports}) == 1
    assert "divided 2 times into train and test" in reports[0].methods
    assert "no component lies in two parts" in reports[0].methods


@pytest.mark.parametrize(
    ("asked", "maker"),
    [
        ({}, "whole"),
        ({"by": ("scan_type",), "parts": (("train", "1/2"), ("test", "1/2"))}, "crossed"),
        ({"test_where": "scan_type == 'single_carrier'"}, "crossed"),
        ({"leave_one_out": "scan_type"}, "rotated"),
    ],
)
def test_a_plan_that_tears_is_never_written(project, run, monkeypatch, asked, maker) -> None:
    fill(project, study(120))
    make = getattr(splitting, maker)

    def torn(*given: Any) -> Any:
        made = make(*given)
        (first, *_) = made if maker == "rotated" else [made]
        # One image of some component goes where another part is.
        first.part[np.flatnonzero(first.part == 0)[0]] = len(first.names) - 1
        return made

    monkeypatch.setattr(splitting, maker, torn)
    with pytest.raises(TornError):
        run(**asked)
    assert not any(name.startswith("splits/") for name in manifest.standing(project))


def test_nothing_changes_and_nothing_is_written_twice(project, run) -> None:
    fill(project, study())
    assert run().changed
    stamp = project.path("splits/default").stat().st_mtime_ns
    assert not run().changed
    assert project.path("splits/default").stat().st_mtime_ns == stamp
    assert run(seed=1).changed


def test_seeds_choose_other_splits_that_are_as_good(project, run) -> None:
    fill(project, study(240))
    made = [run(seed=seed) for seed in range(4)]
    assert len({tuple(parts_of(result).items()) for result in made}) == 4
    assert len({result.reports[0].certificate.deviation for result in made}) == 1
    assert all(result.reports[0].certificate.proven for result in made)


def test_joint_cells_are_balanced_where_that_is_possible(project, run) -> None:
    rows = [
        scan(f"{kind}{where}{n:02}", kind, scan_type=where)
        for kind, where, count in [("egg", "x", 20), ("egg", "y", 40), ("honey", "x", 60), ("honey", "y", 2)]
        for n in range(count)
    ]
    fill(project, rows)
    result = run(stratify=("object", "scan_type"), parts=PARTS)
    found = result.reports[0].certificate
    assert (found.cells, found.joint, found.rows) == (4, 3, 7)
    held = Counter((row["object"], row["scan_type"], parts_of(result)[row["image_id"]]) for row in rows)
    assert [held["egg", "x", part] for part in ("train", "val", "test")] == [10, 5, 5]
    assert [held["honey", "x", part] for part in ("train", "val", "test")] == [30, 15, 15]


def test_an_earlier_split_of_the_name_that_was_folds_is_told(project, run) -> None:
    fill(project, study(120))
    run(leave_one_out="scan_type", name="a")
    assert run(name="a").left == ("splits/a.single_basket", "splits/a.single_carrier")
    assert run(name="b").left == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "../x"}, "no name for a split"),
        ({"parts": (("train", "1"),)}, "two parts or more"),
        ({"parts": (("train", "1/2"), ("test", "1/3"))}, "do not add up"),
        ({"by": ("objects",)}, "is a list"),
        ({"leave_one_out": "specimens"}, "is a list"),
        ({"by": ("scan_type",), "stratify": ("scan_type",)}, "kept apart, so it cannot be in proportion"),
        ({"allow_leak": ("view",)}, "is not kept apart anyway"),
        ({"allow_leak": ("scan_type",), "by": ("scan_type",)}, "at once"),
        ({"method": "random", "by": ("session",)}, "keeps nothing apart"),
        ({"test_where": "missing", "folds": 3}, "needs a part called test"),
        ({"test_where": "nonsense =="}, "no condition"),
        ({"by": ("site",)}, "no image has a known site; take --by scan-type"),
        ({"test_after": "2023-01-01"}, "every image, so nothing is left to train on; acquired_at goes from 2024-03-01"),
        ({"test_after": "2025-01-01"}, "no image, so there is nothing to test on"),
        ({"test_where": "scan_type != 'x'"}, "nothing is left to train on"),
        ({"leave_one_out": "site"}, "no two values"),
        ({"by": ("scan_type",), "folds": 9}, "fewer values than there are folds"),
        ({"by": ("scan_type", "view"), "folds": 2}, "over one axis"),
    ],
)
def test_a_mistake_is_one_line(project, run, asked: dict[str, Any], told: str) -> None:
    fill(project, study())
    with pytest.raises(InputError, match=told):
        run(**asked)
    assert not any(name.startswith("splits/") for name in manifest.standing(project))


def test_without_tables_one_line_says_what_to_run(project, run) -> None:
    with pytest.raises(TableError, match="xqdata ingest"):
        run()
