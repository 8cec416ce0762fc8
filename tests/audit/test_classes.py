"""One class that stands out, beside what chance gives.

It could be wrong while tests pass if

- many classes and values were many chances to be wrong: so labels dealt by chance must give a finding as seldom as one
  test does;
- what all classes together show hid the one: so one class of twenty-one that one machine scanned must be found and be
  named, where the measure of the whole table says nothing;
- a few components were taken for proof: so a class of two components must not be a finding, but be told;
- a session that one component makes up counted for its class, whatever the labels: so those must give nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audit.conftest import by_kind, counts, pairs_of, parted
from splits.conftest import scan
from xqdata.audit import Audit
from xqdata.audit.chance import RARE
from xqdata.audit.classes import alone, standing
from xqdata.audit.confounding import associated
from xqdata.groups import Ints
from xqdata.manifest import Project

Look = Callable[..., Audit]


def world(seed: int, components: int = 126, values: int = 2, mixed: float = 0.4) -> tuple[Ints, Ints, Ints]:
    """Component, label and value of images: components of 1 to 30 images, of one label of 21, whose images keep to one
    value, but for a share `mixed` of them.
    """
    dice = np.random.default_rng(seed)
    component = np.repeat(np.arange(components), dice.integers(1, 31, components))
    label = (np.arange(components) % 21)[component]
    home = dice.integers(values, size=components)[component]
    return component, label, np.where(dice.random(len(label)) < mixed, dice.integers(values, size=len(label)), home)


@pytest.mark.parametrize("values", [2, 12])
def test_chance_gives_a_finding_as_seldom_as_it_should(values: int) -> None:
    alarms = sum(standing(*world(seed, values=values), seed=seed)[0].p <= 0.05 for seed in range(60))
    assert alarms <= 9  # 3 expected; more than 9 once in a thousand times


def test_one_class_of_one_machine_stands_out_where_the_whole_table_does_not() -> None:
    component, label, value = world(0, mixed=1.0)
    value = np.where(label == 7, 1, value)
    assert associated(component, label, value, seed=0).found < 0.3
    found = [one for one in standing(component, label, value, seed=0) if one.p <= RARE]
    assert {(one.label, one.value, one.share) for one in found} == {(7, 1, 1.0), (7, 0, 0.0)}
    assert found[0].components == 6
    assert found[0].all_ == int((label == 7).sum())
    assert max(one.beyond for one in found) == pytest.approx(0.5, abs=0.1)


def test_values_of_single_components_and_classes_of_one_say_nothing() -> None:
    component, label, _ = world(1)
    assert standing(component, label, component, seed=0) == []
    one = np.where(component == 5, 99, label)
    assert 99 not in {found.label for found in standing(component, one, (component % 2), seed=0)}


def test_a_class_of_one_value_only_is_told_where_most_have_several() -> None:
    component, label, value = world(2, mixed=1.0)
    value = np.where(label == 3, 0, value)
    assert alone(component, label, value) == [(3, 0, 6)]
    assert alone(component, label, label) == []


def test_the_same_seed_gives_the_same() -> None:
    assert standing(*world(3), seed=4) == standing(*world(3), seed=4)


def scanned(project: Project, families: int) -> None:
    """21 classes of `families` specimens, 12 scans of each in turns on two machines; class 4 on the second alone."""
    rows = [
        scan(f"i{k:02}{f:02}{n:02}", f"kind{k:02}", f"s{k}-{f}", scanner_serial="B" if k == 4 or n % 2 else "A")
        for k in range(21)
        for f in range(families)
        for n in range(12)
    ]
    parted(project, rows, {r["image_id"]: ("test", "train")[n // 12 % 3 > 0] for n, r in enumerate(rows)})


def test_the_finding_names_the_class_and_the_machine(project: Project, look: Look) -> None:
    scanned(project, families=3)
    found = by_kind(look())["confounding-scanner"]
    assert found.severity == "medium"
    assert found.detail.startswith("class kind04 was scanned on B only (36 images), of the other classes 50%")
    assert counts(found) == (252, 504, 0)  # all of them, since the label as a whole goes with it, too
    assert len(pairs_of(look(), "confounding-scanner")) == 36
    assert "only-scanner" not in by_kind(look())


def test_what_chance_may_have_done_is_told_for_information(project: Project, look: Look) -> None:
    scanned(project, families=1)
    found = by_kind(look())
    assert "confounding-scanner" not in found
    assert found["only-scanner"].severity == "info"
    assert found["only-scanner"].detail.startswith("class kind04 was scanned on B only, in 1 family of scans")
