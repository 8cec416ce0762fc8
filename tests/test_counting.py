"""Counting without sorting: what is done for ten million rows at once is what is done row by row.

Wrong while green would be: an order that differs from the one that numbers were given by before (a split would change
with it); lists that were sliced, so that their values do not begin at the first; nothing at all, or one value alone.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.rows import image
from xqdata import groups, schema
from xqdata.audit import chance
from xqdata.manifest import digest
from xqdata.manifest.digest import _spelled
from xqdata.splits.check import _torn
from xqdata.splits.plan import first_of
from xqdata.splits.strata import SEVERAL, UNKNOWN, values

NUMBERS = st.lists(st.integers(0, 9), max_size=20)
PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30)
NAME = st.sampled_from(["egg", "apple", "Äpfel", "honey", "z"])


def ints(numbers) -> groups.Ints:
    return np.array(list(numbers), np.int64)


@given(NUMBERS)
def test_numbered_anew_as_numpy_does(numbers):
    number, sizes = groups.renumbered(ints(numbers))
    _, inverse, counts = np.unique(ints(numbers), return_inverse=True, return_counts=True)
    assert (number.tolist(), sizes.tolist()) == (inverse.tolist(), counts.tolist())
    assert groups.distinct(ints(numbers)) == len(set(numbers))
    assert first_of(ints(numbers)).tolist() == np.unique(ints(numbers), return_index=True)[1].tolist()


@given(PAIRS)
def test_cells_are_counted_in_their_order(pairs):
    component, value = ints(a for a, _ in pairs), ints(b for _, b in pairs)
    found = chance.held(component, value)
    c, v = (np.unique(of, return_inverse=True)[1] for of in (component, value))
    cells, count = np.unique(np.stack([c, v]), axis=1, return_counts=True)
    assert [found.component.tolist(), found.value.tolist(), found.count.tolist()] == [*cells.tolist(), count.tolist()]


@given(st.lists(st.tuples(st.none() | NAME, st.none() | st.lists(NAME, max_size=3)), max_size=12), st.integers(0, 3))
def test_values_are_named_and_numbered_in_order(rows, skipped):
    """Whether or not the table is a piece of another one."""
    told = schema.from_rows(
        "images", [image(f"{n}.png", object=one, objects=many) for n, (one, many) in enumerate(rows)]
    )
    told, rows = told.slice(skipped), rows[skipped:]
    for column in ("object", "objects"):
        pairs = set()
        for n, (one, many) in enumerate(rows):
            single = one or (SEVERAL if many and len(many) > 1 else UNKNOWN)
            pairs |= {(n, name) for name in ([single] if column == "object" else many or [UNKNOWN])}
        found = values(told, column)
        assert list(found.names) == sorted({name for _, name in pairs})
        listed = list(zip(found.row.tolist(), found.code.tolist(), strict=True))
        assert listed == sorted((n, found.names.index(name)) for n, name in pairs)


@given(st.lists(st.tuples(NAME, st.none() | NAME), max_size=20))
def test_a_value_is_torn_if_its_rows_hold_several(pairs):
    held: dict[str, set[str]] = {}
    for value, other in pairs:
        held.setdefault(value, set()).update(filter(None, [other]))
    found = _torn(pa.array([a for a, _ in pairs], pa.string()), pa.chunked_array([[b for _, b in pairs]], pa.string()))
    assert found.tolist() == [len(others) > 1 for others in held.values()]


@given(st.none() | st.lists(st.none() | st.text(), max_size=4) | st.lists(st.none() | st.integers(-(2**31), 2**31)))
def test_lists_are_spelled_as_json(value):
    assert _spelled(value) == json.dumps(value, ensure_ascii=False)


def test_a_digest_is_the_same_in_pieces_of_any_size(monkeypatch):
    rows = [image(f"{n}.png", objects=["egg", "ö"][: n % 3] or None, content_box=[n, 1, 2, 3]) for n in range(20)]
    table = schema.from_rows("images", rows)
    whole = digest(schema.IMAGES, table)
    for size in (1, 3, 7):
        monkeypatch.setattr(sys.modules["xqdata.manifest.digest"], "_PIECE", size)
        assert digest(schema.IMAGES, table) == whole
        assert digest(schema.IMAGES, table.slice(0, 5)) + digest(schema.IMAGES, table.slice(5)) == whole


def test_components_are_drawn_whole_where_there_are_very_many(monkeypatch):
    monkeypatch.setattr(chance, "MOST", 50)
    component = np.repeat(np.arange(200) * 3, 2)
    some = chance.sample(component, 0)
    assert groups.distinct(component[some]) == 50
    assert len(some) == 100
    assert chance.sampled(component, 50) == ", in 50 of 200 components, drawn by chance"
    assert (some != chance.sample(component, 1)).any()
    assert chance.sample(component[:100], 0).tolist() == list(range(100))
    assert chance.sampled(component[:100], 50) == ""


@pytest.mark.parametrize("most", [40, 1000])
def test_what_is_drawn_finds_what_all_find(monkeypatch, most):
    from xqdata.audit import confounding

    monkeypatch.setattr(chance, "MOST", most)
    monkeypatch.setattr(confounding, "MOST", most)
    component = np.repeat(np.arange(300), 3)
    label = component % 3
    known = confounding._Known("session", np.arange(900), component, label, label.copy(), "abc", "xyz").drawn(0)
    assert known.components == min(most, 300)
    found = confounding.associated(known.component, known.label, known.value, 0)
    assert found.p <= 0.001
    assert ("drawn of 300" in confounding._figures(found, known)) == (most == 40)
