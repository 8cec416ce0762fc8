"""The diary of a simulated laboratory: counts, components, order, faults."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.errors import ConfigError
from xqdata.simulate.files import files
from xqdata.simulate.plan import SCANNERS, objects, plan
from xqdata.simulate.settings import COPIES, FAULTS, NO_FAULTS, PRESETS, Rates, Settings, from_told, scan_types
from xqdata.simulate.truth import file_row, pair_rows, relation

DEFAULT = PRESETS["default"]


def components(scans):
    """How many sets of specimens there are that no scan ties together."""
    parent: dict[str, str] = {}

    def find(name):
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for scan in scans:
        for specimen in scan.specimens:
            parent[find(specimen.name)] = find(scan.specimens[0].name)
    return len({find(name) for name in list(parent)})


def test_the_default_fills_every_cell_evenly():
    scans = [s for s in plan(DEFAULT) if not s.again]
    cells = Counter((s.object, s.scan_type) for s in scans)
    assert len(cells) == 21 * 13 and set(cells.values()) == {4, 5}
    assert len(scans) == DEFAULT.scans
    total = sum(map(len, files(DEFAULT, plan(DEFAULT)).values()))
    assert 1250 <= total <= 1350


def test_the_study_preset_has_the_shape_of_the_study():
    scans = [s for s in plan(PRESETS["study"]) if not s.again]
    assert len(scans) == 11_517
    assert set(Counter((s.object, s.scan_type) for s in scans).values()) == {42, 43}
    assert {s.object for s in scans} == set(objects()) and len({s.name for x in scans for s in x.specimens}) == 252


def test_every_specimen_is_seen_in_several_scan_types():
    seen: dict[str, set[str]] = {}
    for scan in plan(DEFAULT):
        for specimen in scan.specimens:
            seen.setdefault(specimen.name, set()).add(scan.scan_type)
    assert len(seen) == 252 and min(map(len, seen.values())) >= 5


def test_scan_types_hold_what_they_say():
    for scan in plan(DEFAULT):
        multiplicity = scan_types()[scan.scan_type].factors["multiplicity"]
        count, kinds = len(scan.specimens), len(scan.objects)
        assert scan.object == scan.specimens[0].object
        assert len({s.name for s in scan.specimens}) == count
        expected = {"single": count == 1, "multiple": count > 1 and kinds == 1, "mixed": 1 < kinds == count}
        assert expected[multiplicity]


def test_pools_keep_specimens_apart_unless_chained():
    assert components(plan(DEFAULT)) == 28
    assert components(plan(replace(DEFAULT, chained=True))) == 1
    assert components(plan(Settings(scans=2000, specimens=4))) >= 28
    by_pool = {s.name: s.pool for x in plan(DEFAULT) for s in x.specimens}
    assert all(len({by_pool[s.name] for s in scan.specimens}) == 1 for scan in plan(DEFAULT))


def test_the_diary_runs_forward():
    scans = plan(DEFAULT)
    assert [s.number for s in scans] == list(range(1, len(scans) + 1))
    assert all(a.at < b.at for a, b in pairwise(scans))
    assert all(a.session <= b.session for a, b in pairwise(scans))
    assert max(Counter(s.session for s in scans).values()) < 60
    for attribute in ("scanner", "operator"):
        assert len({(s.session, getattr(s, attribute)) for s in scans}) == len({s.session for s in scans})


def test_a_rescan_comes_soon_after_and_is_the_same_packing():
    scans = plan(DEFAULT)
    first = {s.packing: s for s in scans if not s.again}
    again = [s for s in scans if s.again]
    assert len(again) == DEFAULT.rates.count("rescans", DEFAULT.scans)
    for scan in again:
        before = first[scan.packing]
        assert 1 <= scan.number - before.number <= 6
        assert (before.specimens, before.container, before.session) == (scan.specimens, scan.container, scan.session)


def test_faults_are_as_many_as_asked_for():
    settings = Settings(scans=900, rates=Rates(**{name: 0.01 * (i + 1) for i, name in enumerate(FAULTS)}))
    scans = plan(settings)
    listed = [f for made in files(settings, scans).values() for f in made]
    told = Counter(f.kind for f in listed)
    for name in (*COPIES, "truncated", "empty"):
        assert told[name] == settings.rates.count(name, 900)
    assert told["crop"] == settings.rates.count("crops", 900)
    assert sum(s.again for s in scans) == settings.rates.count("rescans", 900)
    assert sum(s.wrong_label is not None for s in scans) == settings.rates.count("wrong_labels", 900)
    assert sum(s.overlay for s in scans) == settings.rates.count("overlays", 900)
    assert sum(s.misnamed for s in scans) == settings.rates.count("misnamed", 900)
    assert sum(f.conflicting for f in listed) == settings.rates.count("conflicting_labels", 900)
    assert len({f.path for f in listed}) == len(listed)


def test_a_confounded_class_was_seen_by_one_scanner_only():
    scans = plan(replace(DEFAULT, confounded=2))
    seen = {name: {s.scanner for s in scans if s.object == name} for name in objects()}
    assert sum(v == {1} for v in seen.values()) >= 2
    assert {s.scanner for s in scans} == set(range(len(SCANNERS)))
    assert {1} not in [{s.scanner for s in plan(replace(DEFAULT, confounded=0)) if s.object == n} for n in objects()]


def test_a_new_fault_leaves_the_scans_as_they_are():
    plain = plan(replace(DEFAULT, rates=NO_FAULTS))
    copies = plan(replace(DEFAULT, rates=replace(NO_FAULTS, byte_copies=0.05)))
    assert plain == copies


def test_wrong_labels_name_another_object_and_truth_knows():
    scans = [s for s in plan(DEFAULT) if s.wrong_label]
    assert scans and all(s.wrong_label != s.object for s in scans)
    made = files(DEFAULT, scans)
    row = file_row(scans[0], made[scans[0].number][0])
    assert row["object"] == scans[0].object and row["told_object"] == scans[0].wrong_label
    assert row["path"].startswith(f"{scans[0].wrong_label}/")


@given(st.integers(1, 400), st.integers(1, 14), st.integers(0, 3), st.booleans())
def test_any_size_can_be_planned(scans, specimens, seed, chained):
    settings = Settings(scans, specimens, seed, chained=chained)
    made = plan(settings)
    assert sum(not s.again for s in made) == scans
    paths = [f.path for listed in files(settings, made).values() for f in listed]
    assert len(set(paths)) == len(paths)


def test_pairs_are_closed_and_of_the_nearest_kind():
    rates = Rates(
        **dict.fromkeys(("byte_copies", "pixel_copies", "reencoded", "turned", "mirrored", "crops", "rescans"), 1.0)
    )
    settings = Settings(scans=3, rates=replace(rates, truncated=1.0))
    scans = plan(settings)
    made = files(settings, scans)
    pairs = pair_rows(scans, made)
    kinds = Counter(p["kind"] for p in pairs)
    whole = 7  # scan, byte and pixel copy, re-encoded, turned, mirrored, crop; the truncated file has no pixels
    # Of each of 3 packings: all pairs of the seven, and each of them with the rescan, which has no copies of its own.
    assert sum(kinds.values()) == 3 * (whole * (whole - 1) // 2 + whole)
    assert (kinds["bytes"], kinds["rescan"], kinds["crop"]) == (3, 21, 18)
    assert all(relation(f, f) == "bytes" for f in made[1][:1])


def test_only_the_scan_types_that_were_asked_for_are_scanned():
    some = ("single_bare", "single_basket")
    counts = Counter((scan.object, scan.scan_type) for scan in plan(Settings(scans=210, scan_types=some)))
    assert counts == {(name, kind): 5 for name in objects() for kind in some} or set(counts.values()) <= {4, 5, 6}
    assert {kind for _, kind in counts} == set(some)


def test_a_dataset_of_all_scan_types_is_told_as_before_there_was_a_choice():
    assert "scan_types" not in Settings().told()  # truth folders made then are gone on with


@pytest.mark.parametrize(
    "wrong",
    [
        {"scans": 0}, {"specimens": 0}, {"difficulty": 1.5}, {"views": ("side",)}, {"seed": -1},
        {"scan_types": ("single_bucket",)},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ConfigError, match=r"give|views|scan type single_bucket"):
        Settings(**wrong)


def test_settings_survive_being_written_down():
    settings = Settings(scans=77, views=("top", "side"), deep=True, scan_types=("single_bare",), rates=Rates(crops=0.2))
    assert from_told(settings.told()) == settings
    with pytest.raises(ConfigError, match="not the settings"):
        from_told({"scanz": 3})
