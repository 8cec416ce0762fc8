"""Belongings: every kind draws, rests, shows, and is never less than empty."""

import numpy as np
import pytest

from assets.bodies import VIEWS, amounts, materials_of, same
from xqdata.simulate import clutter
from xqdata.simulate import geometry as g
from xqdata.simulate.materials import materials

SEEDS = range(4)


def drawn(name: str, seed: int) -> g.Body:
    return clutter.one(name, np.random.default_rng(seed))


@pytest.mark.parametrize("name", clutter.KINDS)
def test_every_kind_rests_on_the_floor_and_is_of_known_matter(name):
    for seed in SEEDS:
        body = drawn(name, seed)
        low, high = g.extent(body)
        assert low[2] == pytest.approx(0.0, abs=1e-9)
        assert (low + high)[:2] == pytest.approx([0, 0], abs=1e-9)
        assert (high - low < (400.0, 400.0, 190.0)).all() and (high - low)[:2].min() > 20.0
        assert set(materials_of(body)) <= set(materials())
        assert len(body) <= 120


@pytest.mark.parametrize("name", clutter.KINDS)
def test_nothing_is_less_than_empty_and_everything_shows(name):
    for seed in SEEDS:
        body = drawn(name, seed)
        density = np.array([materials()[material].density / 10 for material in materials_of(body)])
        for view in VIEWS:
            lengths = amounts(g.moved(body, g.shift(0, 0, 5)), view)
            assert lengths.min() > -0.02
        assert 0.1 < (amounts(body) @ density).max() < 60.0  # g/cm²


@pytest.mark.parametrize("name", clutter.KINDS)
def test_the_same_generator_draws_the_same_and_another_does_not(name):
    assert same(drawn(name, 1), drawn(name, 1))
    assert not same(drawn(name, 1), drawn(name, 2))


def test_draw_meets_every_kind_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    names = [clutter.draw(rng)[0] for _ in range(400)]
    assert set(names) <= set(clutter.KINDS)
    assert len(set(names)) >= len(clutter.KINDS) - 4
    total = sum(weight for _, weight in clutter.KINDS.values())
    clothes = sum(clutter.KINDS[name][1] for name in ("shirt", "trousers", "jumper", "towel", "socks")) / total
    assert np.mean([name in ("shirt", "trousers", "jumper", "towel", "socks") for name in names]) == pytest.approx(
        clothes, abs=0.08
    )
    assert same(clutter.draw(np.random.default_rng(5))[1], clutter.draw(np.random.default_rng(5))[1])
    with pytest.raises(KeyError):
        clutter.one("elephant", rng)


def test_a_stranger_recurs_and_does_not_depend_on_who_came_before():
    alone = clutter.edge(np.random.default_rng(1))
    for seed in range(8):
        clutter.edge(np.random.default_rng(seed))
    assert same(alone, clutter.edge(np.random.default_rng(1)))
    lengths = {len(clutter.edge(np.random.default_rng(seed))) for seed in range(40)}
    assert 2 <= len(lengths) <= 6
    low, high = g.extent(alone)
    assert 380 < high[0] - low[0] < 720 and low[2] < 15


def test_a_bottles_liquid_lies_below_its_level():
    full = drawn("bottle", 2)
    water = [part for part in full if part.material == "water"]
    other = tuple(part for part in full if part.material != "water")
    assert water and other
    held = amounts(tuple(water), VIEWS[1])
    low, high = g.extent(other)
    rows = np.flatnonzero(held[..., 0].max(1) > 1.0)
    heights = VIEWS[1].rows(np.array([[0.0, 0.0, low[2]], [0.0, 0.0, high[2]]]))
    # Seen from the side, it reaches from the bottom up to a share of the height.
    assert min(heights) - 2 < rows.min() and rows.max() < max(heights) + 2
    # A plastic bottle is all but transparent beside what it holds.
    assert held.max() > 20 * np.median(amounts(other)[amounts(other) > 0.1])
