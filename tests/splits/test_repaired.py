"""`xqdata split --repair`: the nearest clean split.

It could be wrong while tests pass if the fewest moves were never counted by another way, if copies, rejected images and
images in no part were absent, or if every random split were already clean. So: all assignments of tiny projects are
tried, with all of that in them, and most of the splits leak.
"""

from __future__ import annotations

import csv
import itertools
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from splits.conftest import Row, cluster, fill, link, parts_of, rows_of, scan
from splits.test_run import projects, torn
from xqdata import manifest
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.splits import Request, Result, grown, listed, repair_of, split
from xqdata.taxonomy import Taxonomy

PARTS = (("train", "1/2"), ("val", "1/4"), ("test", "1/4"))


def repair(project: Project, reference: Taxonomy, name: str = "study", keep: Any = (), **more: Any) -> Result:
    told = manifest.provenance(project, f"splits/{name}").options
    return split(project, reference, repair_of(told, name, more.pop("new", "clean"), more.pop("by", ()), keep))


def at_random(project: Project, reference: Taxonomy, seed: int = 0, parts: Any = PARTS) -> dict[str, str | None]:
    return parts_of(split(project, reference, Request(name="study", parts=parts, method="random", seed=seed)))


def components(rows: list[Row], links: list[Row], copies: list[Row], out: set[str]) -> list[set[str]]:
    """Sets of images that are tied, by a walk over every tie."""
    ties = [{row["image_a"], row["image_b"]} for row in links]
    kept = next((row["image_id"] for row in copies if row["kept"]), None)
    if kept is not None:
        here = {row["image_id"]: row for row in rows}
        ties += [{row["image_id"] for row in copies if not here[row["image_id"]]["missing"]}]
    for column in ("specimens", "scan_id", "bag"):
        held: dict[str, set[str]] = {}
        for row in rows:
            if row["image_id"] not in out:
                for value in row.get(column) or [] if column == "specimens" else [row.get(column)]:
                    if value is not None:
                        held.setdefault(value, set()).add(row["image_id"])
        ties += held.values()
    found: list[set[str]] = []
    for tie in [*ties, *({row["image_id"]} for row in rows)]:
        touching = [one for one in found if one & tie]
        found = [one for one in found if not one & tie] + [set.union(tie, *touching)]
    return found


@given(
    tables=projects(),
    seed=st.integers(0, 3),
    keep=st.sampled_from([(), ("classes",), ("sizes",), ("classes", "sizes")]),
)
@settings(max_examples=80)
def test_no_assignment_moves_fewer(tables, seed: int, keep: tuple[str, ...], reference: Taxonomy) -> None:
    rows, links, copies, events = tables
    out = {e.image_id for e in events} | {r["image_id"] for r in rows if r["missing"]}
    with tempfile.TemporaryDirectory() as folder:
        project = fill(Project(Path(folder)), *tables)
        try:
            old = at_random(project, reference, seed)
        except InputError:
            return
        result = repair(project, reference, keep=keep)
    new = parts_of(result)
    assert not torn(
        rows, links, copies, {k: "out" if k in out else v for k, v in new.items()}, ["specimens", "scan_id"]
    )
    used = [{name for name in one if old[name]} for one in components(rows, links, copies, out)]
    used = [one for one in used if one]
    moves = sum(new[name] != old[name] for name in new)
    least = sum(min(sum(old[name] != part for name in one) for part in ("train", "val", "test")) for one in used)
    (told,) = [report.moved for report in result.reports]
    assert told.count == moves
    assert told.least == least
    assert sum(n for _, _, n in told.moves) == moves
    assert moves == least or keep or told.emptied
    if len(used) > 6 or not (keep or told.emptied):
        return
    # Classes, sizes or parts were to be kept: all assignments, by what they lose, what they lack, and what they move.
    classes = {row["image_id"]: row["object"] for row in rows}

    def cost(assigned: dict[str, Any]) -> tuple[int, int, int]:
        def held(part_of: dict[str, Any]) -> set[tuple[Any, Any]]:
            pairs = {(part, classes[name]) for name, part in part_of.items() if part and classes[name]}
            return pairs | {(part, "any") for part in part_of.values() if part}

        def lack(part: str) -> int:
            before, now = (sum(p == part for p in of.values()) for of in (old, assigned))
            return max(0, math.ceil(4 * before / 5) - now)

        lost = len(held(old) - held(assigned)) if told.emptied or "classes" in keep else 0
        lacking = sum(map(lack, ("train", "val", "test"))) if "sizes" in keep else 0
        return lost, lacking, sum(assigned[name] != old[name] for one in used for name in one)

    every = itertools.product(("train", "val", "test"), repeat=len(used))
    best = min(cost({name: p for one, p in zip(used, parts, strict=True) for name in one}) for parts in every)
    assert cost({name: part for name, part in new.items() if part}) == best
    assert told.proven


def test_a_clean_split_is_left_as_it_is(project: Project, reference: Taxonomy) -> None:
    rows = [scan(f"i{n:02}", "egg" if n % 2 else "honey", f"s{n // 3}") for n in range(30)]
    fill(project, rows, duplicates=cluster("i00", "i01"))
    clean = split(project, reference, Request(name="study", parts=PARTS))
    result = repair(project, reference)
    assert parts_of(result) == parts_of(clean)
    assert result.reports[0].moved.count == 0
    again = repair(project, reference)
    assert not again.changed


def test_copies_links_and_images_in_no_part(project: Project, reference: Taxonomy) -> None:
    """The kept image is in no part of the old split: the first copy in one stands for it."""
    names = ["a", "b", "c", "d", "e", "f"]
    fill(project, [scan(n, "egg") for n in names], links=[link("d", "e")], duplicates=cluster("a", "b", "c"))
    told = Request(name="study", parts=(("train", "1/2"), ("test", "1/2")), method="random")
    split(project, reference, told)
    old = {"a": None, "b": "train", "c": "test", "d": "test", "e": "test", "f": "train"}
    table = manifest.read(project, "splits/study")
    order = table["image_id"].to_pylist()
    changed = table.set_column(1, table.schema.field("part"), [[old[n] for n in order]])
    changed = changed.set_column(2, table.schema.field("reason"), [[None if old[n] else "left out" for n in order]])
    provenance = manifest.provenance(project, "splits/study")
    manifest.write(project, {"splits/study": changed}, manifest.Origin("split", provenance.options))
    rows = rows_of(repair(project, reference))
    assert {n: rows[n]["part"] for n in names} == {**old, "b": "test"}
    assert rows["c"]["reason"] == "copy of b"
    assert rows["b"]["reason"] is None
    assert rows["a"]["reason"] == "in no part of splits/study"


def test_an_empty_part_is_avoided_although_it_takes_more_moves(project: Project, reference: Taxonomy) -> None:
    """Twenty specimens of eight images each: at random most of each lies in train, and test would be empty."""
    rows = [scan(f"i{n:03}", "egg" if n % 2 else "honey", f"s{n // 8}") for n in range(160)]
    fill(project, rows)
    at_random(project, reference, parts=(("train", "0.8"), ("test", "0.2")))
    result = repair(project, reference)
    moved = result.reports[0].moved
    assert moved.emptied == 1
    assert moved.count > moved.least
    assert moved.proven
    assert set(parts_of(result).values()) == {"train", "test"}
    assert any("try --keep sizes" in told for told in result.reports[0].obstacles)
    kept = repair(project, reference, keep=("sizes",)).reports[0]
    assert ("test", 32, 32) in kept.moved.sizes
    assert not any("--keep sizes" in told for told in kept.obstacles)


def test_a_session_is_kept_apart_where_asked_and_an_axis_is_refused(project: Project, reference: Taxonomy) -> None:
    rows = [scan(f"i{n:02}", "egg", session=f"d{n % 4}", scan_type="single_basket") for n in range(24)]
    fill(project, rows)
    old = at_random(project, reference)
    assert repair(project, reference).reports[0].moved.count == 0
    new = parts_of(repair(project, reference, by=("session",), keep=("classes",)))
    for day in range(4):
        assert len({new[f"i{n:02}"] for n in range(24) if n % 4 == day}) == 1
    assert set(old.values()) == set(new.values())
    with pytest.raises(InputError, match="scan_type crosses the components"):
        repair(project, reference, by=("scan_type",))


def test_folds_are_repaired_and_a_repaired_split_grows(project: Project, reference: Taxonomy) -> None:
    rows = [scan(f"i{n:02}", "egg", f"s{n // 2}") for n in range(24)]
    fill(project, rows)
    split(project, reference, Request(name="study", folds=3, method="random"))
    new = parts_of(repair(project, reference))
    assert set(new.values()) == {"0", "1", "2"}
    fill(project, [*rows, scan("new", "egg", "s0"), scan("other", "egg", "s99")])
    told = manifest.provenance(project, "splits/clean").options["request"]
    later = parts_of(split(project, reference, grown(told, "later", "clean", True)))
    assert {name: later[name] for name in new} == new
    assert later["new"] == new["i00"]
    assert later["other"] in ("0", "1", "2")


def test_one_of_several_folds_is_refused(project: Project, reference: Taxonomy) -> None:
    rows = [scan(f"i{n:02}", "egg", scan_type=["single_basket", "single_carrier"][n % 2]) for n in range(24)]
    fill(project, rows)
    split(project, reference, Request(name="loo", leave_one_out="scan_type"))
    with pytest.raises(InputError, match="one of several folds"):
        repair(project, reference, "loo.single_basket")


def test_the_listing_names_each_file_with_its_part(project: Project, reference: Taxonomy, tmp_path: Path) -> None:
    fill(project, [scan(f"i{n}", "egg", missing=n == 5) for n in range(6)], events=[])
    old = at_random(project, reference)
    assert listed(project, manifest.read(project, "splits/study"), tmp_path / "parts.csv") == 5
    with (tmp_path / "parts.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["file"].removesuffix(".png"): row["split"] for row in rows} == {k: v for k, v in old.items() if v}
    with pytest.raises(InputError, match="cannot be written"):
        listed(project, manifest.read(project, "splits/study"), tmp_path / "nowhere" / "parts.csv")


def test_nothing_in_common_with_the_project(project: Project, reference: Taxonomy) -> None:
    fill(project, [scan(name, "egg") for name in "abef"])
    at_random(project, reference)
    fill(project, [scan("c", "egg"), scan("d", "egg")])
    with pytest.raises(InputError, match="no part for any image"):
        repair(project, reference)
