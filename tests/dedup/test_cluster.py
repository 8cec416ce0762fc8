"""Clusters of copies: components, what is kept and why, chains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.dedup.cluster import chain, components, contradict, keep, reconciled, rows

NAMES = st.sampled_from("abcdefgh")


def member(name: str, **facts: object) -> dict[str, object]:
    plain = {"path": f"{name}.png", "root": "raw", "page": 0, "mtime": 0, "width": 100, "height": 80, "bit_depth": 8,
             "channels": 3, "format": "PNG", "bytes": 1000, "sharpness": 1.0, "acquired_at": None}  # fmt: skip
    return {"image_id": name, **plain, **facts}


@given(st.lists(st.tuples(NAMES, NAMES).filter(lambda p: p[0] < p[1]), max_size=12))
def test_components_hold_what_is_joined_and_nothing_else(pairs):
    found = components(pairs)
    member_of = {name: i for i, group in enumerate(found) for name in group}
    assert sorted(member_of) == sorted({n for p in pairs for n in p}) and sum(map(len, found)) == len(member_of)
    assert all(member_of[a] == member_of[b] for a, b in pairs)
    # No group can be parted without cutting a pair.
    for group in found:
        reached, new = set(), {group[0]}
        while new:
            reached |= new
            new = {y for x, y in [*pairs, *((b, a) for a, b in pairs)] if x in reached} - reached
        assert reached == set(group)
    assert components(pairs[::-1]) == found


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"width": 50}, "kept: largest"),
        ({"channels": 1}, "kept: deepest"),
        ({"format": "JPEG", "bytes": 10**6}, "kept: not compressed with loss"),
        ({"sharpness": 0.5}, "kept: sharpest"),
        ({}, "kept: first by path, all else equal"),
    ],
)
def test_the_best_is_kept_for_its_weightiest_merit(other, why):
    assert keep([member("b", path="z.png", **other), member("a", path="a.png")], "best") == ("a", why)


def test_other_policies():
    members = [member("a", path="2.png", mtime=5), member("b", path="1.png", mtime=3)]
    assert keep(members, "first") == ("b", "kept: first by path")
    assert keep(members, "newest") == ("a", "kept: newest file")


def test_of_two_jpegs_the_less_compressed_is_kept():
    members = [member("a", format="JPEG", bytes=900), member("b", format="JPEG", bytes=1200)]
    assert keep(members, "best")[1] == "kept: least compressed"


def test_rows_keep_one_and_name_it():
    made = rows([member("b"), member("a", width=10), member("c")], "best")
    assert [r["image_id"] for r in made] == ["a", "b", "c"] and {r["cluster"] for r in made} == {"a"}
    assert [r["kept"] for r in made] == [False, True, False] and made[0]["reason"] == "copy of b"


def test_a_chain_names_its_ends_and_its_weakest_link():
    links = {("a", "b"): 0.999, ("b", "c"): 0.98, ("c", "d"): 0.997}
    found = chain("abcd", links, alike=lambda one, other: (one, other) != ("a", "d"))
    assert (found.ends, found.link, found.cluster) == (("a", "d"), ("b", "c"), "a")
    assert chain("abcd", links, alike=lambda *_: True) is None


def test_a_link_that_joins_two_that_differ_is_left_out_the_weakest_first():
    # A small picture s matches a scan a and b, which is a with an item more; c is a copy of b.
    links = {("a", "s"): 0.98, ("b", "s"): 0.7, ("b", "c"): 0.99, ("c", "s"): 0.6}
    assert reconciled(links, [("a", "b")]) == ([("b", "c"), ("a", "s")], [("b", "s"), ("c", "s")])
    assert reconciled(links, [("b", "a")])[1] == [("b", "s"), ("c", "s")]
    assert reconciled(links, [])[1] == []


LINKS = st.dictionaries(
    st.tuples(NAMES, NAMES).filter(lambda p: p[0] < p[1]), st.sampled_from([0.5, 0.7, 0.9, 1.0]), max_size=14
)


@given(LINKS, st.lists(st.tuples(NAMES, NAMES).filter(lambda p: p[0] != p[1]), max_size=6))
def test_no_two_that_differ_end_in_one_cluster_and_no_link_is_left_out_for_nothing(links, differ):
    kept, cut = reconciled(links, differ)
    assert sorted([*kept, *cut]) == sorted(links)

    def torn(pairs):
        place = {name: i for i, group in enumerate(components(pairs)) for name in group}
        return any(a in place and place.get(a) == place.get(b) for a, b in differ)

    assert not torn(kept)
    for pair in cut:
        assert torn([*kept, pair])


def test_labels_contradict_where_neither_is_told_in_less_detail():
    assert contradict([["apple"], ["mango"]]) and contradict([["apple", "egg"], ["apple", "mango"], []])
    assert not contradict([["apple"], ["apple"], []]) and not contradict([["apple", "egg"], ["egg"]])
