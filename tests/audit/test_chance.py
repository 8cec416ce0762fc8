"""Associations beside what chance gives.

It could be wrong while tests pass if images were shuffled in place of components: then one object scanned twenty times
in one session would count as twenty, and every label would go with every session. So data that are independent by
component, and dependent by image, must give no finding; and what truly goes together must give one. And if Cramer's V
kept its bias, many sessions would do for an association: its mean over independent data must be near 0.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import contingency

from xqdata.audit.chance import RARE, commonest, cramers_v, held, table, variation
from xqdata.audit.confounding import associated


def test_cramers_v_is_1_for_what_goes_together_and_0_for_what_does_not() -> None:
    assert cramers_v(np.diag([50.0, 30.0, 20.0])) == pytest.approx(1)
    assert cramers_v(np.array([[20.0, 10.0], [40.0, 20.0]])) == 0
    assert cramers_v(np.array([[3.0, 4.0]])) == 0
    assert cramers_v(np.zeros((0, 0))) == 0


def test_cramers_v_is_near_that_of_scipy_where_there_is_much_data() -> None:
    counts = np.array([[500.0, 100.0, 40.0], [90.0, 700.0, 60.0], [20.0, 80.0, 300.0]])
    assert cramers_v(counts) == pytest.approx(contingency.association(counts.astype(int)), abs=0.002)


def test_cramers_v_has_no_bias_from_many_cells() -> None:
    dice = np.random.default_rng(0)
    label, session = dice.integers(0, 20, (50, 300)), dice.integers(0, 60, (50, 300))
    each = [
        np.bincount(a * 60 + b, minlength=1200).reshape(20, 60).astype(float)
        for a, b in zip(label, session, strict=True)
    ]
    plain = np.mean([contingency.association(t[t.any(1)][:, t.any(0)].astype(int)) for t in each])
    assert plain > 0.4
    assert np.mean([cramers_v(t) for t in each]) < 0.1


def families(seed: int, together: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """60 components of 20 images each, all of one label and one session; those go together, or not."""
    dice = np.random.default_rng(seed)
    label = dice.integers(0, 4, 60)
    session = label if together else dice.integers(0, 4, 60)
    return tuple(np.repeat(v, 20) for v in (np.arange(60), label, session))  # type: ignore[return-value]


def test_components_are_shuffled_and_not_images() -> None:
    alarms = sum(associated(*families(seed, False), seed=seed).p <= 0.05 for seed in range(40))
    assert alarms <= 6  # 2 expected
    assert cramers_v(table(held(*families(0, False)[::2]), commonest(*families(0, False)[:2]))) > 0.05


def test_what_goes_together_is_found() -> None:
    found = associated(*families(1, True), seed=0)
    assert found.p <= RARE
    assert found.found > 0.9 > found.chance


def test_the_same_seed_gives_the_same() -> None:
    assert associated(*families(2, False), seed=3) == associated(*families(2, False), seed=3)


def test_the_commonest_label_speaks_for_a_component() -> None:
    assert commonest(np.array([7, 7, 7, 2, 2]), np.array([1, 0, 1, 2, 0])).tolist() == [0, 1]


def test_variation_is_the_share_that_would_have_to_change() -> None:
    assert variation(np.array([[5.0, 5.0], [5.0, 5.0]])) == 0
    assert variation(np.array([[10.0, 0.0], [0.0, 10.0]])) == pytest.approx(0.5)
    assert variation(np.array([[10.0, 0.0], [0.0, 0.0]])) == 0
