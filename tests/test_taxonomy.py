"""The reference taxonomy, and names recognised as people write them.

Wrong while green would be: recognition tested on names only, not on what people write; a spelling that silently means
two things; a user's own file that is merged with ours instead of replacing it.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata import taxonomy
from xqdata.errors import ConfigError

STUDY = {"dracaena", "tree_ear_mushroom", "single_basket", "multiple_carrier"}


def test_twenty_one_objects_and_thirteen_scan_types(reference):
    assert (len(reference.objects), len(reference.scan_types)) == (21, 13)


def test_exactly_the_four_names_of_the_study_say_so(reference):
    terms = {**reference.objects, **reference.scan_types}
    assert {name for name, term in terms.items() if term.origin == "study"} == STUDY
    assert {term.origin for term in terms.values()} == {"study", "xqdata"}


def test_every_object_has_both_names_and_a_material(reference):
    assert all(o.english and o.korean and o.material for o in reference.objects.values())


def test_every_scan_type_has_all_factors_and_no_two_the_same(reference):
    factors = [tuple(sorted(s.factors.items())) for s in reference.scan_types.values()]
    assert all(len(f) == 3 for f in factors)
    assert len(set(factors)) == 13


def test_every_spelling_leads_to_its_own_name(reference):
    for terms, find in (
        (reference.objects, reference.find_object),
        (reference.scan_types, reference.find_scan_type),
    ):
        for name, term in terms.items():
            assert {find(s) for s in (name, term.english, term.korean, *term.synonyms)} == {name}


def test_no_spelling_means_an_object_and_a_scan_type(reference):
    assert not reference.object_spellings.keys() & reference.scan_type_spellings.keys()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Tree Ear-Mushroom", "tree_ear_mushroom"),
        ("TREE_EAR_MUSHROOM", "tree_ear_mushroom"),
        ("treeearmushroom", "tree_ear_mushroom"),
        ("목이 버섯", "tree_ear_mushroom"),
        (unicodedata.normalize("NFD", "목이버섯"), "tree_ear_mushroom"),
        ("ＡＰＰＬＥ", "apple"),
        ("Hen's egg", "egg"),
        ("밤", "chestnut"),
    ],
)
def test_objects_as_people_write_them(reference, text, name):
    assert reference.find_object(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("single object in basket", "single_basket"),
        ("Multiple object in Carrier", "multiple_carrier"),
        ("바구니_단일", "single_basket"),
        ("캐리어 복수", "multiple_carrier"),
        ("basket-single-cluttered", "single_basket_cluttered"),
    ],
)
def test_scan_types_as_people_write_them(reference, text, name):
    assert reference.find_scan_type(text) == name


@pytest.mark.parametrize("text", ["", "  ", "_", "applet", "pineapple", "basketball", "x.png"])
def test_other_names_are_not_recognised(reference, text):
    assert reference.find_object(text) is None
    assert reference.find_scan_type(text) is None


def test_factors_by_themselves(reference):
    assert reference.find_factor("Basket") == ("container", "basket")
    assert reference.find_factor("carrier") == ("container", "carrier")
    assert reference.find_factor("mixed") == ("multiplicity", "mixed")
    assert reference.find_factor("none") is None


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("바구니", ("container", "basket")),
        ("캐리어", ("container", "carrier")),
        ("단일", ("multiplicity", "single")),
        ("단수", ("multiplicity", "single")),
        ("복수", ("multiplicity", "multiple")),
        ("혼합", ("multiplicity", "mixed")),
        ("소지품", ("clutter", "belongings")),
        ("Cluttered", ("clutter", "belongings")),
        ("single object", None),  # the scan type single_bare is called so
    ],
)
def test_factors_are_written_in_several_ways(reference, text, factor):
    assert reference.find_factor(text) == factor
    assert reference.find_object(text) is None
    assert reference.find_scan_type(text) == (None if factor else "single_bare")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tray = ["Schale"]\nbox = ["Kiste"]', "factors: no scan type has 'box'"),
        ('tray = ["Schale"]\nsingle = ["schale"]', "'schale' means both tray and single"),
        ('tray = ["Knife"]', "'knife' means both a factor and an object or scan type"),
    ],
)
def test_factors_that_cannot_be_told_are_an_error(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    scan = '[scan_types.one]\ncontainer = "tray"\nmultiplicity = "single"\n'
    path.write_text(f"[objects.knife]\n{scan}[factors]\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(said)):
        taxonomy.load(path)


def test_the_nearest_object_is_a_hint_only(reference):
    assert reference.nearest_object("drascaena") == "dracaena"
    assert reference.find_object("drascaena") is None
    assert reference.nearest_object("xyz") is None


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert taxonomy.fold(taxonomy.fold(text)) == taxonomy.fold(text)


@given(st.sampled_from("apple tree_ear_mushroom single_basket 목이버섯".split()), st.randoms(use_true_random=False))
def test_case_and_separators_never_matter(name, random):
    pieces = itertools.chain.from_iterable(
        (random.choice((c, c.upper())), random.choice(("", " ", "_", "-"))) for c in name
    )
    assert taxonomy.fold("".join(pieces)) == taxonomy.fold(name)


def test_a_users_own_file_replaces_the_reference(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[objects.knife]\nkorean = "칼"\n[scan_types.tray]\ncontainer = "tray"\n', encoding="utf-8")
    mine = taxonomy.load(path)
    assert (mine.name, list(mine.objects), list(mine.scan_types)) == ("mine", ["knife"], ["tray"])
    assert mine.find_object("칼") == "knife"
    assert mine.find_object("apple") is None
    assert mine.find_factor("TRAY") == ("container", "tray")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[objects.a]\nsynonyms = ["x"]\n[objects.b]\nsynonyms = ["X "]\n', "means both a and b"),
        ('[scan_types.a]\nkorean = "x"\n[scan_types.b]\nenglish = "x"\n', "means both a and b"),
        ("[objects.a]\nsynonym = []\n", "unknown key objects.a.synonym; allowed are"),
        ("[scan_types.a]\nmultiplicity = 'two'\n", "key scan_types.a.multiplicity is 'two'; allowed is 'single'"),
        ("[objects.a\n", "is not valid TOML"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, text, said):
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        taxonomy.load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        taxonomy.load(tmp_path / "none.toml")
