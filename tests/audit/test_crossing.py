"""What crosses the parts: copies, ties and columns.

It could be wrong while tests pass if

- pairs were right and images wrong, or a pair that shares two specimens counted twice: so all three figures are
  compared with a count over every two images in plain Python, on random projects;
- only direct links were looked at: so clusters reach across through an image that has no part, that is missing, or
  that another kind of link joins;
- a clean split were clean because nothing is ever found: so one image of a component is moved, every time, and a
  finding of severity high must come;
- a finding depended on the order of rows, or on names of parts that only we use: so rows are shuffled, parts renamed;
- the evidence named images that have nothing to do with it: so every pair of evidence must be one that was counted.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from datetime import datetime
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.conftest import by_kind, counts, divide, pairs_of, parted, severe
from splits.conftest import Row, cluster, fill, link, scan
from xqdata import manifest
from xqdata.audit import Audit, Options, audit
from xqdata.errors import InputError, TableError
from xqdata.manifest import Project
from xqdata.schema import COPY_KINDS, TIE_KINDS
from xqdata.splits import Request, split
from xqdata.taxonomy import Taxonomy

Look = Callable[..., Audit]
FOUR = {"a": "test", "b": "train", "c": "train", "d": "val"}


def four(**shared: object) -> list[Row]:
    """Images a, b, c, d, of which a and b share something."""
    return [scan("a", "egg", **shared), scan("b", "egg", **shared), scan("c", "egg"), scan("d", "egg")]


@pytest.mark.parametrize("kind", COPY_KINDS + TIE_KINDS)
def test_a_link_across_is_a_finding_of_its_own(project: Project, look: Look, kind: str) -> None:
    parted(project, four(), FOUR, [link("a", "b", kind)])
    found = look()
    assert severe(found) == {kind}
    assert counts(by_kind(found)[kind]) == (1, 1, 1)
    assert pairs_of(found, kind) == {("a", "b")}
    assert found.facts.nearest == {kind: 1}
    assert found.facts.checked[kind] == 1


@pytest.mark.parametrize("kind", COPY_KINDS + TIE_KINDS)
def test_a_link_within_a_part_is_none(project: Project, look: Look, kind: str) -> None:
    parted(project, four(), FOUR, [link("b", "c", kind)])
    assert look().findings == ()


@pytest.mark.parametrize("name", ["scan_id", "bag"])
def test_an_identity_column_across_is_severe(project: Project, look: Look, name: str) -> None:
    parted(project, four(**{name: "x"}), FOUR)
    assert severe(look()) == {name}


@pytest.mark.parametrize("name", ["session", "series", "container_id"])
def test_other_columns_inform_unless_the_split_claims_them(project: Project, look: Look, name: str) -> None:
    parted(project, four(**{name: "x"}), FOUR)
    assert by_kind(look())[name].severity == "info"
    assert severe(look(apart=(name,))) == {name}


def test_specimens_are_severe_and_two_shared_ones_are_one_pair(project: Project, look: Look) -> None:
    rows = [scan("a", "egg", "s1", "s2"), scan("b", "egg", "s1", "s2"), scan("c", "egg", "s2"), scan("d", "egg")]
    parted(project, rows, FOUR)
    finding = by_kind(look())["specimens"]
    assert counts(finding) == (1, 2, 2)
    assert "1 of 1 images of test show a specimen" in finding.detail


def test_validation_and_training_count_but_are_no_test_images(project: Project, look: Look) -> None:
    parted(project, four(), FOUR, [link("c", "d")])
    finding = by_kind(look())["rescan"]
    assert counts(finding) == (0, 2, 1)
    assert finding.detail.startswith("no image of test, but 2 images of other parts")
    assert look().facts.leaking == 0
    assert pairs_of(look(), "rescan") == {("d", "c")}


def test_a_cluster_reaches_across_through_an_image_without_a_part(project: Project, look: Look) -> None:
    parted(project, four(), {**FOUR, "c": None}, [link("a", "c", "crop"), link("b", "c", "crop")])
    found = look()
    assert counts(by_kind(found)["crop"]) == (1, 1, 1)
    assert [pair.detail for pair in found.evidence] == ["joined through other images"]


def test_a_copy_of_a_copy_is_of_the_weaker_kind(project: Project, look: Look) -> None:
    rows = [*four(), scan("e", "egg")]
    parted(project, rows, {**FOUR, "e": "test"}, [link("a", "b", "bytes"), link("b", "e", "transformed")])
    found = by_kind(look())
    assert counts(found["bytes"]) == (1, 1, 1)
    assert counts(found["transformed"]) == (1, 1, 1)  # e and b; e and a lie in one part


def test_links_of_several_kinds_make_a_chain(project: Project, look: Look) -> None:
    parted(project, four(), {**FOUR, "c": None}, [link("a", "c", "crop"), link("c", "b", "rescan")])
    assert severe(look()) == {"chain"}
    assert counts(by_kind(look())["chain"]) == (1, 1, 1)


def test_a_chain_through_copies_is_no_chain(project: Project, look: Look) -> None:
    parted(project, four(), {**FOUR, "c": None}, [link("a", "c", "bytes"), link("c", "b", "rescan")])
    assert severe(look()) == {"rescan"}


def test_a_copy_in_the_same_part_or_in_none_is_no_leak(project: Project, look: Look) -> None:
    parted(project, four(), {**FOUR, "b": "test", "c": None}, [link("a", "b", "bytes"), link("a", "c", "bytes")])
    assert look().findings == ()


def test_missing_images_do_not_count_but_join(project: Project, look: Look) -> None:
    rows = [scan("a", "egg"), scan("b", "egg", missing=True), scan("c", "egg"), scan("d", "egg")]
    parted(project, rows, FOUR, [link("a", "b", "rescan"), link("b", "c", "rescan")])
    found = look()
    assert pairs_of(found, "rescan") == {("a", "c")}
    assert any("missing or were rejected" in note for note in found.facts.notes)


def test_without_dedup_equal_files_are_found_and_it_is_said(project: Project, look: Look) -> None:
    rows = four()
    rows[1]["sha256"] = rows[0]["sha256"]
    rows[2] |= {"pixel_hash": "same"}
    rows[3] |= {"pixel_hash": "same"}
    for row in rows[:2]:
        row["pixel_hash"] = f"of {row['image_id']}"
    parted(project, rows, FOUR)
    project.path("links").unlink()
    found = look()
    assert severe(found) == {"bytes", "pixels"}
    assert found.facts.radius is None
    assert any("dedup has not run" in warning for warning in found.facts.warnings)


def test_pictures_that_show_nothing_are_no_copies(project: Project, look: Look) -> None:
    rows = [row | {"std": 0.0, "sha256": "same", "pixel_hash": "same"} for row in four()]
    parted(project, rows, FOUR)
    project.path("links").unlink()
    assert severe(look()) == set()


@pytest.mark.parametrize(
    ("names", "tested"),
    [
        (("test", "train", "val"), ("test",)),
        (("Testing", "Training", "Validation"), ("Testing",)),
        (("train", "val"), ("val",)),
        (("0", "1", "10", "2"), ("0", "1", "2", "10")),
        (("left", "right"), ("left", "right")),
        (("test_a", "test_b"), ("test_a", "test_b")),
        (("only",), ("only",)),
    ],
)
def test_the_names_of_parts_say_what_is_tested(
    project: Project, look: Look, names: tuple[str, ...], tested: tuple[str, ...]
) -> None:
    rows = [scan(name, "egg") for name in names]
    parted(project, rows, {name: name for name in names})
    assert look().facts.tested == tested


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"a": "train", "b": "train"}, "there is nothing to test: all images are in train"),
        ({"a": "0", "b": "0"}, "there is nothing to test: all images are in fold 0"),
        ({"a": "train", "b": "val", "gone": "test"}, "there is nothing to test: no image is in test"),
        ({"a": "test", "b": "test2", "gone": "train"}, "there is nothing to test: no image is in train"),
        ({"gone": "train"}, "there is nothing to test: no image that counts is in a part"),
        ({"a": "train", "b": "test"}, ""),
    ],
)
def test_a_split_that_tests_nothing_is_not_known(project: Project, look: Look, parts: dict[str, str], why: str) -> None:
    rows = [scan("a", "egg"), scan("b", "egg"), scan("gone", "egg", missing=True)]
    parted(project, rows, parts)
    assert (look().facts.untested, look().unknown) == (why, why)
    assert manifest.provenance(project, "audits/default").options.get("untested", "") == why


def test_folds_are_looked_at_each_against_the_others(project: Project, look: Look) -> None:
    parted(project, four(bag="x"), {"a": "0", "b": "1", "c": "2", "d": "0"})
    found = look()
    assert counts(by_kind(found)["bag"]) == (2, 2, 1)
    assert "2 of 4 images show the same packed bag as an image of another part" in by_kind(found)["bag"].detail
    assert found.facts.leaking == 2


def test_the_tables_are_written_once(project: Project, look: Look) -> None:
    parted(project, four(bag="x"), FOUR)
    assert look().changed
    written = manifest.read(project, "audits/default").to_pylist()
    assert [(row["kind"], row["severity"], row["pairs"]) for row in written] == [("bag", "high", 1)]
    assert manifest.read(project, "audits/default.evidence")["image_test"].to_pylist() == ["a"]
    told = manifest.provenance(project, "audits/default")
    assert told.command == "audit"
    assert {"images", "links", "splits/default"} <= set(told.inputs)
    assert not look().changed
    divide(project, {**FOUR, "b": "test"})
    assert look().changed
    assert manifest.read(project, "audits/default").num_rows == 0


def test_a_split_that_does_not_fit_is_refused(project: Project, look: Look) -> None:
    parted(project, four(), {**FOUR, "z": "train"})
    with pytest.raises(InputError, match="1 images that the table images lacks"):
        look()
    divide(project, dict.fromkeys(FOUR))
    with pytest.raises(InputError, match="no image a part"):
        look()
    with pytest.raises(TableError, match="make it: xqdata split --name nowhere"):
        look(name="nowhere")
    with pytest.raises(InputError, match="cannot be audited"):
        look(name="a.evidence")


def test_images_that_came_later_are_told(project: Project, look: Look) -> None:
    parted(project, four(), {"a": "test", "b": "train", "c": "train"})
    assert look().facts.notes[0] == "1 images are not in the split: they came later and were not looked at"


def test_time_and_conditions_that_a_split_claims(project: Project, look: Look) -> None:
    rows = [scan(n, "egg", acquired_at=datetime(2024, 5, day)) for n, day in zip("abcd", (3, 1, 4, 2), strict=True)]
    told = Request(test_after="2024-05-03").told()
    parted(project, rows, FOUR, request=told)
    assert counts(by_kind(look())["time"]) == (0, 1, 0)
    divide(project, {"a": "test", "b": "train", "c": "test", "d": "val"}, request=told)
    assert look().findings == ()
    divide(project, FOUR, "foreign")
    assert severe(look(name="foreign", apart=("acquired_at",))) == {"time"}
    divide(project, FOUR, request=Request(test_where="acquired_at >= '2024-05-03'").told())
    assert counts(by_kind(look())["test-where"]) == (0, 1, 0)


def test_an_axis_that_the_split_claims_is_severe(project: Project, look: Look) -> None:
    rows = [scan(n, "egg", scan_type=t) for n, t in zip("abcd", ("x", "x", "y", "z"), strict=True)]
    parted(project, rows, FOUR, request=Request(by=("scan_type",)).told())
    assert severe(look()) == {"scan_type"}
    divide(project, FOUR, request=Request(method="random").told())
    assert severe(look()) == set()


def test_what_was_given_up_is_severe_and_says_so(project: Project, look: Look) -> None:
    rows = [scan("a", "egg", "s"), scan("b", "egg", "s"), scan("c", "egg"), scan("d", "egg")]
    parted(project, rows, FOUR, request=Request(allow_leak=("specimens",)).told())
    finding = by_kind(look())["specimens"]
    assert finding.severity == "high"
    assert "--allow-leak specimen" in finding.detail


# --- random projects


@st.composite
def projects(draw: st.DrawFn) -> tuple[list[Row], list[Row], list[Row]]:
    names = [f"i{n:02}" for n in range(draw(st.integers(4, 12)))]
    some = st.sampled_from
    rows = [
        scan(
            name,
            draw(some(["egg", "honey", None])),
            *draw(st.lists(some(["s1", "s2", "s3"]), max_size=2, unique=True)),
            scan_id=draw(some([None, None, "p1", "p2"])),
            session=draw(some([None, "d1", "d2"])),
            missing=draw(some([False] * 5 + [True])),
        )
        for name in names
    ]
    ends = st.tuples(some(names), some(names)).filter(lambda p: p[0] != p[1])
    pairs = draw(st.lists(ends, max_size=5, unique_by=lambda p: tuple(sorted(p))))
    links = [link(a, b, draw(some(COPY_KINDS + TIE_KINDS))) for a, b in pairs]
    copies = [(row["image_a"], row["image_b"]) for row in links if row["kind"] in COPY_KINDS]
    return rows, links, [row for group in joined(names, copies) if len(group) > 1 for row in cluster(*group)]


def joined(names: list[str], pairs: list[tuple[str, str]]) -> list[list[str]]:
    """The sets that pairs join, slowly."""
    groups = [{name} for name in names]
    for a, b in pairs:
        one, other = (next(g for g in groups if n in g) for n in (a, b))
        if one is not other:
            groups.remove(other)
            one |= other
    return [sorted(group) for group in groups]


def pairs_by_hand(rows: list[Row], links: list[Row]) -> dict[str, set[tuple[str, str]]]:
    """Every two images that belong together, by the kind of finding, wherever they lie."""
    names = [row["image_id"] for row in rows]
    together: set[tuple[str, str]] = set()
    found = {}
    for n, kind in enumerate(COPY_KINDS):
        near = pairs_joined(names, links, COPY_KINDS[: n + 1])
        found[kind], together = near - together, near
    copies = together
    for kind in TIE_KINDS:
        near = pairs_joined(names, links, (*COPY_KINDS, kind))
        found[kind], together = near - copies, together | near
    found["chain"] = pairs_joined(names, links, COPY_KINDS + TIE_KINDS) - together
    for column in ("specimens", "scan_id", "session"):
        held = {r["image_id"]: set(r[column] or ()) if column == "specimens" else {r[column]} - {None} for r in rows}
        found[column] = {(a, b) for a, b in combinations(names, 2) if held[a] & held[b]}
    return found


def pairs_joined(names: list[str], links: list[Row], kinds: tuple[str, ...]) -> set[tuple[str, str]]:
    ends = [(row["image_a"], row["image_b"]) for row in links if row["kind"] in kinds]
    return {pair for group in joined(names, ends) for pair in combinations(group, 2)}


@settings(max_examples=40)
@given(projects(), st.data())
def test_figures_are_those_of_every_two_images(tables: tuple[list[Row], ...], data: st.DataObject) -> None:
    rows, links, duplicates = tables
    choice = data.draw(st.sampled_from([("test", "train", "val", None), ("0", "1", "2")]))
    drawn = [data.draw(st.sampled_from(choice)) for _ in rows]
    parts = {row["image_id"]: part for row, part in zip(rows, drawn, strict=True)}
    live = {r["image_id"]: parts[r["image_id"]] for r in rows if not r["missing"] and parts[r["image_id"]]}
    if not any(parts.values()):
        return
    found = audited(rows, parts, links, duplicates)
    kinds = by_kind(found)
    tested = set(found.facts.tested)
    rotating = found.facts.tested == found.facts.against
    for kind, together in pairs_by_hand(rows, links).items():
        across = {(a, b) for a, b in together if a in live and b in live and live[a] != live[b]}
        assert bool(across) == (kind in kinds), kind
        if not across:
            continue
        ends = {i for pair in across for i in pair}
        mixed = {p for p in across if (live[p[0]] in tested) != (live[p[1]] in tested)}
        test = ends if rotating else {i for pair in mixed for i in pair if live[i] in tested}
        other = ends if rotating else {i for i in ends if live[i] not in tested}
        assert counts(kinds[kind]) == (len(test), len(other), len(across)), kind
        shown = pairs_of(found, kind)
        assert {tuple(sorted(map(str, pair))) for pair in shown} <= across
        assert rotating or test <= {a for a, _ in shown}


@settings(max_examples=15)
@given(projects(), st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(tables: tuple[list[Row], ...], seed: int) -> None:
    rows, links, duplicates = tables
    dice = random.Random(seed)
    parts = {row["image_id"]: dice.choice(["test", "train", "val"]) for row in rows}
    one = audited(rows, parts, links, duplicates)
    for listed in (rows, links, duplicates):
        dice.shuffle(listed)
    other = audited(rows, dict(dice.sample(sorted(parts.items()), len(parts))), links, duplicates)
    assert (one.findings, one.evidence, one.facts) == (other.findings, other.evidence, other.facts)


@settings(max_examples=25)
@given(projects(), st.data())
def test_our_split_is_clean_until_one_image_moves(tables: tuple[list[Row], ...], data: st.DataObject) -> None:
    rows, links, duplicates = tables
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        fill(project, rows, links, duplicates)
        try:
            split(project, REFERENCE[0], Request(parts=(("train", "1/2"), ("test", "1/2"))))
        except InputError:
            return  # nothing to split
        assert severe(audit(project, REFERENCE[0], Options())) == set()
        table = manifest.read(project, "splits/default").to_pylist()
        parts = {row["image_id"]: row["part"] for row in table}
        groups: dict[str, list[str]] = {}
        for row in table:
            if row["part"]:
                groups.setdefault(row["group"], []).append(row["image_id"])
        torn = [group for group in groups.values() if len(group) > 1]
        if not torn:
            return
        moved = data.draw(st.sampled_from(data.draw(st.sampled_from(torn))))
        parts[moved] = {"test": "train", "train": "test"}[parts[moved]]
        divide(project, parts, "tampered")
        assert severe(audit(project, REFERENCE[0], Options("tampered")))


REFERENCE: list[Taxonomy] = []


@pytest.fixture(scope="module", autouse=True)
def _reference(reference: Taxonomy) -> None:
    REFERENCE[:] = [reference]


def audited(rows: list[Row], parts: dict[str, str | None], *tables: list[Row]) -> Audit:
    with tempfile.TemporaryDirectory() as folder:
        return audit(parted(Project(Path(folder)), rows, parts, *tables), REFERENCE[0], Options())
