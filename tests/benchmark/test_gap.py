"""The paired comparison.

It could be wrong while tests pass if both sides saw siblings, or one side more images or another mix of classes: so the
draws are looked at, on components of one class and of several, and a project in which remembering helps is measured.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from xqdata_benchmark import recipe
from xqdata_benchmark.gap import _grouped, drawn, told
from xqdata_benchmark.samples import Samples, samples

from benchmark.conftest import run
from xqdata import taxonomy
from xqdata.errors import InputError
from xqdata.manifest import Project


@pytest.fixture(scope="module")
def data(made: Path) -> Samples:
    return samples(Project(made), taxonomy.load(), "study", recipe.load("knn"))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("mixed", [False, True])
def test_both_sides_learn_from_equally_many_and_only_one_from_the_family(data: Samples, seed: int, mixed: bool) -> None:
    component = data.family
    if mixed:  # components that hold several classes, of different sizes
        component = np.random.default_rng(seed).integers(0, 20, len(data)).astype(np.int64)
    try:
        draw = drawn(data, component, seed)
    except InputError:
        assert mixed  # chance left too few
        return
    sides = (draw.test, draw.siblings, draw.strangers)
    assert max(np.sum(sides, axis=0)) == 1
    assert set(component[draw.siblings]) <= set(component[draw.test]) | set(component[draw.siblings])
    assert not set(component[draw.strangers]) & (set(component[draw.test]) | set(component[draw.siblings]))
    assert np.isin(component[draw.test], component[draw.siblings]).mean() > 0.5
    counts = [np.bincount(data.label[side], minlength=3).tolist() for side in sides[1:]]
    assert counts[0] == counts[1]
    assert mixed or all(counts[0])


def test_a_draw_is_its_seeds(data: Samples) -> None:
    one, same, other = (drawn(data, data.family, seed) for seed in (1, 1, 2))
    assert (one.test == same.test).all()
    assert (one.test != other.test).any()


def test_few_families_among_many_single_images_are_found(data: Samples) -> None:
    component = np.arange(len(data))
    for k in range(3):  # two families of each class; all other images are of none
        component[np.flatnonzero(data.label == k)[:16]] = -np.repeat(np.arange(2), 8) - 1 - 2 * k
    for seed in range(5):
        draw = drawn(data, component, seed)
        assert (component[draw.test] < 0).all()
        assert draw.test.sum() >= 10


def test_one_component_cannot_be_drawn(data: Samples) -> None:
    with pytest.raises(InputError, match="add specimens, each scanned several times"):
        drawn(data, np.zeros(len(data), np.int64), 0)


def test_groups_come_from_paths(data: Samples) -> None:
    found = _grouped(data, r"/(?P<series>[a-z]\d)-")
    assert len(set(found.tolist())) == 18  # three objects, six specimens each
    for bad, why in ((r"(", "no regular expression"), (r"\d", "no named group"), (r"(?P<s>zzz)", "matches no path")):
        with pytest.raises(InputError, match=why):
            _grouped(data, bad)


def test_figures_follow_from_the_predictions() -> None:
    rows = [("a", "apple", "apple", "egg"), ("a", "egg", "egg", "egg"), ("b", "egg", "apple", "egg")] * 10
    names = [f"{c}{n}" for n, (c, *_) in enumerate(rows)]
    table = pa.table({
        "image_id": names, "seed": [0] * 30, "component": names, "tie": ["specimen"] * 30,
        "true": [r[1] for r in rows], "with": [r[2] for r in rows], "without": [r[3] for r in rows],
    })  # fmt: skip
    found = told("x", [table], 5)
    assert found.with_["value"] == pytest.approx(2 / 3)
    assert found.without["value"] == pytest.approx(2 / 3)
    assert found.gap["value"] == 0
    assert found.gap["low"] is not None and found.gap["low"] < 0 < (found.gap["high"] or 0)
    assert found.by_tie == {"specimen": {"n": 30, "with": pytest.approx(2 / 3), "without": pytest.approx(2 / 3)}}


def test_the_command_goes_on_and_refuses_other_settings(made: Path) -> None:
    asked = ("benchmark", "--gap", "--recipe", "knn", "--name", "study", "--workers", "1", "--run", "g")
    first = json.loads(run(made, *asked, "--json").stdout)
    assert first["training"] > 0
    again = json.loads(run(made, *asked, "--seeds", "2", "--json").stdout)
    assert len(again["repeats"]) == 2
    assert again["repeats"][0] == first["repeats"][0]
    assert "other settings" in run(made, *asked, "--group-from", r"(?P<s>[a-z]\d)-", code=1).stderr
    shown = run(made, *asked[:-1], "h").stdout
    assert "gap: " in shown
    assert run(made, "benchmark", "--group-from", "x", code=2).stderr
