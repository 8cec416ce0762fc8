"""Figures: each against scikit-learn's or torchmetrics' own, also weighed, and intervals by what they promise.

They could be wrong while tests pass if only tidy cases were tried: so ties, absent classes, certain predictions and
classes that nobody predicts are drawn, and the weighed forms behind the bootstrap are held to sample weights.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from xqdata_benchmark import measures
from xqdata_benchmark.intervals import FEWEST, proportion, resampled, wilson, worth
from xqdata_benchmark.measures import Outcome
from xqdata_benchmark.written import _chance


def outcome(seed: int, n: int = 60, classes: int = 5, held: int = 4, coarse: bool = False) -> Outcome:
    """Predictions that know something; `held`: classes that occur; `coarse`: probabilities in fifths, with ties."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, held, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[true] * rng.random((n, 1))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    if coarse:
        counts = np.array([rng.multinomial(5, row) for row in p])
        p = counts / 5
    return Outcome(np.eye(classes, dtype=bool)[true], p, rng.integers(0, max(1, n // 3), n).astype(np.int64))


@given(st.integers(0, 10**6), st.booleans(), st.integers(2, 5))
def test_overall_figures_are_those_of_scikit_learn(seed: int, coarse: bool, held: int) -> None:
    told = outcome(seed, held=held, coarse=coarse)
    found = {k: v["value"] for k, v in measures.overall(told, None).items()}
    true, p = told.true, told.probability
    assert found["accuracy"] == metrics.accuracy_score(true, p.argmax(1))
    present = np.unique(true)
    assert found["macro_f1"] == pytest.approx(
        metrics.f1_score(true, p.argmax(1), labels=present, average="macro", zero_division=0)
    )
    assert found["top3_accuracy"] == metrics.top_k_accuracy_score(true, p, k=3, labels=range(5))
    areas = [metrics.roc_auc_score(true == k, p[:, k]) for k in present if (true != k).any()]
    assert found["auroc"] == pytest.approx(np.mean(areas))


@given(st.integers(0, 10**6), st.booleans())
def test_weighed_figures_are_those_of_scikit_learn_with_weights(seed: int, coarse: bool) -> None:
    told = outcome(seed, coarse=coarse)
    weights = np.random.default_rng(seed).integers(0, 4, len(told.true)).astype(float)
    weights[0] = 1
    found = {k: float(v[0]) for k, v in measures._weighed(told, None, weights[None]).items()}
    true, predicted, seen = told.true, told.predicted, weights > 0
    present = np.unique(true[seen])
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(true, predicted, sample_weight=weights))
    recall = metrics.recall_score(true, predicted, labels=present, average="macro", sample_weight=weights)
    assert found["balanced_accuracy"] == pytest.approx(recall)
    f1 = metrics.f1_score(true, predicted, labels=present, average="macro", sample_weight=weights, zero_division=0)
    assert found["macro_f1"] == pytest.approx(f1)
    both = [k for k in present if (true[seen] != k).any()]
    areas = [metrics.roc_auc_score(true == k, told.probability[:, k], sample_weight=weights) for k in both]
    assert found["auroc"] == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)


@given(st.integers(0, 10**6))
def test_points_and_weighed_figures_agree(seed: int) -> None:
    told = outcome(seed, coarse=seed % 2 == 0)
    one = np.ones((1, len(told.true)))
    weighed = {k: float(v[0]) for k, v in measures._weighed(told, 1.5, one).items()}
    assert weighed == pytest.approx(measures._points(told, 1.5))


def test_calibration_error_is_that_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    from torchmetrics.functional.classification import multiclass_calibration_error

    for seed in range(5):
        told = outcome(seed, n=300)
        theirs = multiclass_calibration_error(
            torch.tensor(told.probability), torch.tensor(told.true), num_classes=5, n_bins=15, norm="l1"
        )
        assert measures.overall(told, None)["ece"]["value"] == pytest.approx(float(theirs), abs=1e-6)


def test_a_class_that_is_absent_keeps_its_row_and_has_no_figures() -> None:
    told = outcome(1, held=3)
    assert measures.confusion(told, 5).shape == (5, 5)
    assert measures.confusion(told, 5)[3:].sum() == 0
    found = measures.classes(told, tuple("abcde"))
    assert found["e"]["recall"] is None
    assert found["e"]["f1"] is None
    assert found["e"]["mean_probability"] is None
    assert found["e"]["support"] == 0


def test_temperature_brings_confidence_nearer_to_truth() -> None:
    sure = outcome(3, n=2000)
    sharp = measures.scaled(sure, 0.3)
    t = measures.temperature(sharp)
    before, after = measures.overall(sharp, t)["ece"], measures.overall(sharp, t)["ece_scaled"]
    assert t > 1
    assert after["value"] < before["value"]
    # Scaling never changes which class is the most probable.
    assert (measures.scaled(sharp, t).predicted == sharp.predicted).all()


def test_certain_and_wrong_predictions_do_not_break_the_temperature() -> None:
    told = Outcome(np.eye(3, dtype=bool)[[0, 1, 2]], np.eye(3)[[1, 2, 0]].astype(float), np.arange(3))
    assert np.isfinite(measures.temperature(told))


@given(st.integers(1, 200), st.integers(0, 200))
def test_wilson_is_scipys(n: int, k: int) -> None:
    k = min(k, n)
    theirs = stats.binomtest(k, n).proportion_ci(0.95, "wilson")
    assert wilson(k / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_intervals_cover_what_they_promise_where_images_come_in_families() -> None:
    rng = np.random.default_rng(0)
    inside = naive = 0
    for _ in range(400):
        share = rng.beta(2, 3, 20)  # each component has a share of its own; the mean is 0.4
        component = np.repeat(np.arange(20), 10)
        right = rng.random(200) < share[component]
        figure = proportion(right, component)
        assert figure.low is not None and figure.high is not None
        inside += figure.low <= 0.4 <= figure.high
        low, high = wilson(float(right.mean()), 200)
        naive += low <= 0.4 <= high
    assert 0.93 <= inside / 400 <= 0.99
    assert naive / 400 < 0.85  # what images taken for independent would have promised


def test_the_bootstrap_draws_components_whole() -> None:
    component = np.repeat(np.arange(12), 50)
    right = (component % 2).astype(float)
    low, high = resampled(lambda w: {"a": w @ right / w.sum(1)}, component)["a"]
    assert low < 0.3 and high > 0.7  # 600 images as if independent would give 0.46 to 0.54


def test_few_components_have_a_range_and_no_interval() -> None:
    component = np.repeat(np.arange(FEWEST - 1), 3)
    right = component == 0
    figure = proportion(right, component)
    assert (figure.low, figure.high, figure.range) == (None, None, (0.0, 1.0))
    told = figure.told()
    assert told["low"] is None and told["range"] == [0.0, 1.0]


def test_strays_do_not_make_an_interval_of_few_components() -> None:
    # Four specimens of 95 images each, and wrong labels that bring one image each of fifteen others.
    component = np.concatenate([np.repeat(np.arange(4), 95), np.arange(4, 19)])
    right = np.concatenate([np.repeat([True, False, True, True], 95), np.zeros(15, bool)])
    assert worth(component) == pytest.approx(4.3, abs=0.1)
    figure = proportion(right, component)
    assert (figure.low, figure.range) == (None, (0.0, 1.0))
    told = measures.overall(Outcome(np.eye(2, dtype=bool)[component % 2], np.eye(2)[component % 2], component), None)
    assert told["accuracy"]["low"] is None


@pytest.mark.parametrize("sizes", [[60] * 6 + [5] * 40, np.geomspace(1, 80, 30).round().astype(int).tolist()])
def test_intervals_of_unequal_components_cover_what_they_promise(sizes: list[int]) -> None:
    rng = np.random.default_rng(1)
    component = np.repeat(np.arange(len(sizes)), sizes)
    inside = intervals = 0
    for _ in range(400):
        figure = proportion(rng.random(len(component)) < rng.beta(2, 3, len(sizes))[component], component)
        if figure.low is not None and figure.high is not None:
            intervals += 1
            inside += figure.low <= 0.4 <= figure.high
    assert intervals == 400
    assert inside / intervals >= 0.92  # 0.905 where each component counts as one, whatever its size


def test_all_right_is_not_certain() -> None:
    figure = proportion(np.ones(300, bool), np.repeat(np.arange(12), 25))
    assert figure.value == 1.0
    assert figure.low is not None and figure.low < 0.8  # twelve components, not 300 images


def test_a_perfect_score_has_an_interval_all_the_same() -> None:
    true = np.eye(4, dtype=bool)[np.arange(30) % 4]
    told = measures.overall(Outcome(true, true * 0.9 + 0.025, np.arange(30)), None)
    assert told["accuracy"]["value"] == 1
    assert 0.8 < told["accuracy"]["low"] < 0.95
    assert told["balanced_accuracy"]["low"] is None
    assert told["ece"]["low"] is None


def test_what_one_gets_for_nothing_is_told_by_each_fold() -> None:
    """Where every fold holds a class of its own, training's commonest class is never the tested one."""
    label, part = np.repeat([0, 1, 2], [5, 4, 3]), np.repeat([0, 1, 2], [5, 4, 3])
    sides = SimpleNamespace(names=("0", "1", "2"), rotates=True)

    class Data(SimpleNamespace):
        def __len__(self) -> int:
            return len(label)

    data = Data(material=SimpleNamespace(sides=sides), part=part, truth=np.eye(3, dtype=bool)[label],
                copy=np.zeros(12, bool))  # fmt: skip
    assert _chance(data, ("0", "1", "2"))["commonest"] == 0.0  # type: ignore[arg-type]
    data.part = np.tile([0, 1, 2], 4)
    expected = [(label[data.part == f] == np.bincount(label[data.part != f]).argmax()).mean() for f in range(3)]
    assert _chance(data, ("0", "1", "2"))["commonest"] == pytest.approx(np.mean(expected))  # type: ignore[arg-type]
