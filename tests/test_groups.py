"""What may not be separated.

It could be wrong while tests pass if only scalar columns or direct ties were tried: so random tables with lists, nulls
and links are compared with a union done in plain Python, row by row.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assets.rows import image
from xqdata import groups, schema
from xqdata.groups import Ties, components, without_each

VALUE = st.sampled_from(["a", "b", "c", "d", "", None])
ROW = st.fixed_dictionaries(
    {"specimens": st.none() | st.lists(VALUE, max_size=3), "scan_id": VALUE, "bag": st.none() | st.just("bag 1")}
)
KINDS = st.sampled_from(schema.COPY_KINDS + schema.TIE_KINDS)


def table(rows: list[dict[str, object]]):
    named = [image(f"{n:03}.png", image_id=f"{n:03}", **row) for n, row in enumerate(rows)]
    return schema.from_rows("images", named)


def links_of(pairs: list[tuple[int, int, str]]):
    rows = [{"image_a": f"{a:03}", "image_b": f"{b:03}", "kind": k, "proposed_by": []} for a, b, k in pairs]
    return schema.from_rows("links", rows)


def plain_union(rows: list[dict[str, object]], pairs: list[tuple[int, int, str]], part: list[bool]) -> list[int]:
    """Each row's smallest fellow, by repeated passes over all pairs of rows."""
    label = list(range(len(rows)))
    held = []
    for row, takes_part in zip(rows, part, strict=True):
        values = {(c, v) for c in ("scan_id", "bag") if (v := row[c])} | {("s", v) for v in row["specimens"] or () if v}
        held.append(values if takes_part else set())
    known = {(a, b) for a, b, _ in pairs if max(a, b) < len(rows)}
    for _ in rows:
        for a in range(len(rows)):
            for b in range(len(rows)):
                if held[a] & held[b] or (a, b) in known or (b, a) in known:
                    label[a] = label[b] = min(label[a], label[b])
    return label


@given(
    st.lists(ROW, min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), KINDS).filter(lambda p: p[0] != p[1]), max_size=4),
    st.data(),
)
def test_components_are_what_a_plain_union_gives(rows, pairs, data) -> None:
    part = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    images = table(rows)
    ties = [groups.column_ties(images, name, np.array(part)) for name in ("specimens", "scan_id", "bag")]
    ties += groups.link_ties(images, links_of(pairs))
    assert components(len(rows), ties).tolist() == plain_union(rows, pairs, part)


def test_nothing_ties_nothing() -> None:
    assert components(3, []).tolist() == [0, 1, 2]
    assert components(0, []).tolist() == []
    rows = [{"specimens": None, "scan_id": None, "bag": None}] * 3
    images = table(rows)
    assert components(3, [groups.column_ties(images, "specimens", np.ones(3, bool))]).tolist() == [0, 1, 2]


def test_copies_tie_to_the_one_that_is_kept() -> None:
    images = table([{"scan_id": None}] * 5)
    ties = groups.copy_ties(images, np.array([0, 1, 0, 1, 4]))
    assert components(5, [ties]).tolist() == [0, 1, 0, 1, 4]


def test_one_link_that_joins_two_halves_is_named() -> None:
    # Two specimens of ten images each, joined by one rescan; some images hang by their specimen alone.
    rows = [{"specimens": ["left"]}] * 10 + [{"specimens": ["right"]}] * 10
    images = table(rows)
    ties = [groups.column_ties(images, "specimens", np.ones(20, bool))]
    ties += groups.link_ties(images, links_of([(3, 14, "rescan")]))
    found = {(source, name): left for source, name, left in groups.weakest(np.arange(20), ties)}
    assert found["rescan links", "003.png and 014.png"] == 10
    assert found["specimens", "left"] == 11  # the right half, with the image that the link ties to it
    assert len(found) == 3


def test_what_the_largest_piece_is_agrees_with_taking_the_value_away() -> None:
    random = np.random.default_rng(3)
    for _ in range(30):
        count = 14
        rows = [
            {"specimens": sorted({f"s{n}" for n in random.integers(0, 9, random.integers(1, 3))})} for _ in range(count)
        ]
        images = table(rows)
        ties = groups.column_ties(images, "specimens", np.ones(count, bool))
        label = components(count, [ties])
        members = np.flatnonzero(label == np.bincount(label).argmax())
        for source, name, left in groups.weakest(members, [ties], most=99):
            number = ties.names.to_pylist().index(name)
            rest = Ties(source, *(a[ties.value != number] for a in (ties.image, ties.value)), ties.names)
            pieces = components(count, [rest])[members]
            assert left == np.unique(pieces, return_counts=True)[1].max()


def test_what_would_be_without_each_source() -> None:
    rows = [{"specimens": ["a", "b"], "scan_id": "1"}, {"specimens": ["b"]}, {"specimens": ["a"], "scan_id": "1"}]
    images = table(rows)
    every = np.ones(3, bool)
    ties = [groups.column_ties(images, name, every) for name in ("specimens", "scan_id", "bag")]
    told = {source: components(3, left).tolist() for source, left in without_each(ties)}
    assert told == {"specimens": [0, 1, 0], "images of several specimens": [0, 1, 0], "scan_id": [0, 0, 0]}
