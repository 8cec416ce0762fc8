"""The proof that nothing is torn.

It could be wrong while tests pass if it could not fail: so right tables are made wrong, one way at a time, and each
must be refused.
"""

from __future__ import annotations

import ast
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from splits.conftest import cluster, fill, link, scan
from xqdata.labels import Event
from xqdata.splits import Request, TornError, check, prove
from xqdata.taxonomy import Taxonomy

NOON = datetime(2026, 5, 17, 12)
ROWS = [
    scan("a", "egg", "s1", scan_type="single_basket", scan_id="p1"),
    scan("b", "egg", "s1", "s2", scan_type="single_basket"),
    scan("c", "egg", "s3", scan_type="single_carrier", scan_id="p1"),
    scan("d", "egg", "s4", scan_type="single_carrier", session="d1"),
    scan("e", "egg", "s5", scan_type="single_carrier", session="d1"),
    scan("f", "egg", "s6", missing=True),
    scan("g", "egg", "s7"),
    scan("h", "egg", "s8", scan_type="single_carrier"),
]
RIGHT = {
    "a": ("train", None, "a"),
    "b": ("train", None, "a"),
    "c": ("train", None, "a"),
    "d": ("test", None, "d"),
    "e": ("test", None, "e"),
    "f": (None, "missing", "f"),
    "g": (None, "rejected", "g"),
    "h": ("test", "copy of e", "e"),
}


@pytest.fixture
def proof(project, reference: Taxonomy):
    events = [Event(NOON, "kim", "cli", "reject", "g", True)]
    fill(project, ROWS, links=[link("d", "e", "crop")], duplicates=cluster("e", "h"), events=events)

    def call(changes: dict[str, tuple[Any, ...]] | None = None, rows: int = 8, **asked: Any):
        changed = {**RIGHT, "e": ("test", None, "d"), "h": ("test", "copy of e", "d"), **(changes or {})}
        listed = [{"image_id": i, "part": p, "reason": r, "group": g} for i, (p, r, g) in list(changed.items())[:rows]]
        return prove(project, reference, Request(**asked), pa.Table.from_pylist(listed), ("train", "val", "test"))

    return call


def test_a_right_table_passes_and_is_counted(proof) -> None:
    found = proof()
    assert found.checked == {"specimens": 6, "scan_id": 1, "bag": 0, "links": 1, "copies": 1}
    assert set(found.torn.values()) == {0}
    assert (found.groups, found.groups_torn) == (2, 0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"b": ("test", None, "a")}, "values of specimens"),
        ({"c": ("test", None, "a")}, "values of scan_id"),
        ({"b": ("train", None, "b")}, "specimens lies in several groups"),
        ({"e": ("train", None, "d"), "h": ("train", "copy", "d")}, "links lie across parts"),
        ({"e": ("test", None, "e"), "h": ("test", "copy", "e")}, "link lies across groups"),
        ({"h": ("train", "copy of e", "h")}, "copies lie in several parts"),
        ({"h": ("val", "copy of e", "d")}, "several parts"),
        ({"d": ("nowhere", None, "d")}, "it has a part"),
        ({"d": (None, None, "d")}, "no reason"),
        ({"f": ("train", None, "f")}, "missing or rejected"),
        ({"g": ("train", None, "g")}, "missing or rejected"),
        ({"x": ("train", None, "x")}, "not those of the table images"),
    ],
)
def test_a_wrong_table_is_refused(proof, changes: dict[str, tuple[Any, ...]], why: str) -> None:
    with pytest.raises(TornError, match=why):
        proof(changes, rows=9)


def test_it_shares_nothing_with_the_search() -> None:
    tree = ast.parse(Path(check.__file__).read_text())
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name for name in named if name and name.startswith("xqdata.")} == {
        "xqdata.groups",
        "xqdata.manifest",
        "xqdata.splits",
        "xqdata.splits.request",
        "xqdata.taxonomy",
    }
    names = {a.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    assert names & {"labels", "manifest", "expression", "LINKS", "components", "balance"} == {
        "labels", "manifest", "expression", "LINKS",
    }  # fmt: skip


def test_a_table_that_lacks_an_image_is_refused(proof) -> None:
    with pytest.raises(TornError, match="not those of the table images"):
        proof(rows=7)


def test_set_aside_images_of_a_component_are_no_tear(proof) -> None:
    proof({"b": (None, "set aside", "a")})


def test_what_is_asked_for_besides_is_checked_too(proof) -> None:
    with pytest.raises(TornError, match="values of session"):
        proof({"d": ("val", None, "d"), "e": ("test", None, "e"), "h": ("test", "", "e")}, by=("session",),
              allow_leak=("links",))  # fmt: skip
    proof({"c": (None, "set aside", "a")}, by=("scan_type",))
    with pytest.raises(TornError, match="scan_type"):
        proof(by=("scan_type",))


def test_what_is_given_up_is_counted_and_allowed(proof) -> None:
    found = proof({"b": ("test", None, "b"), "a": ("train", None, "a")}, allow_leak=("specimens",))
    assert found.torn["specimens"] == 1


def test_a_condition_for_test_is_checked(proof) -> None:
    fine = {"c": (None, "set aside", "a")}
    proof(fine, test_where="scan_type == 'single_carrier'")
    with pytest.raises(TornError, match="condition"):
        proof(test_where="scan_type == 'single_carrier'")
    with pytest.raises(TornError, match="condition"):
        proof(fine, test_where="session == 'd1'")


def test_a_random_table_may_tear_but_is_counted(proof) -> None:
    found = proof({"b": ("test", None, "a")}, method="random")
    assert (found.torn["specimens"], found.groups_torn) == (1, 1)
