"""The dual-layer detector, and the table against the integral that it stands for.

Wrong while green would be: layers in the wrong order, photons counted where energy is meant, a table that agrees only
where it was fitted, materials with edges let through unnoticed, an axis that ends inside of what scans contain.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xqdata.simulate.detector import Detector, Table, direct
from xqdata.simulate.materials import Material, materials
from xqdata.simulate.spectrum import ENERGIES, Spectrum, tube

TABLES = {kvp: Table(tube(kvp), Detector()) for kvp in (140, 160)}
REFUSED = {"tungsten", "gadolinium_oxysulfide", "caesium_iodide", "barium_titanate"}
# Thickness in mm: what lies in bags and baskets at most.
THICK = {
    **{"iron": 20, "steel": 20, "stainless_steel": 20, "tin_plate": 20, "copper": 20, "brass": 20, "zinc": 20},
    **{"titanium": 30, "lead": 10, "tin": 3, "solder": 3, "aluminium": 60, "circuit_board": 20},
}


def signals(table: Table, stack: list[tuple[Material, float]]) -> np.ndarray:
    total = sum(table.coefficients(material) * areal for material, areal in stack)
    low, high = table.signals(np.asarray(total, np.float32).reshape(1, 1, 3))
    return np.array([low[0, 0], high[0, 0]])


def areal(material: Material, share: float) -> float:
    """A share of the most that may lie in a ray, in g/cm2."""
    return material.density * THICK.get(material.name, 300) / 10 * share


def monochromatic(energy: float) -> Spectrum:
    return Spectrum(ENERGIES, (energy == ENERGIES).astype(np.float64))


def test_one_energy_gives_beer_and_lambert():
    water, iron = materials()["water"], materials()["iron"]
    stack = [(water, 7.0), (iron, 1.5)]
    expected = np.exp(-water.mu(80.0) * 7.0 - iron.mu(80.0) * 1.5)
    assert direct(monochromatic(80.0), Detector(), stack) == pytest.approx((expected, expected))


def test_the_integral_is_the_sum_over_photons_of_energy():
    """The same by hand, with responses that stop all: the signal is the energy."""
    beam = tube(150)
    thick = Detector(front=("caesium_iodide", 400.0), between=("copper", 0.0), leak=0.0)
    weight = beam.photons * beam.energies * materials()["caesium_iodide"].absorption(beam.energies)
    weight /= materials()["caesium_iodide"].mu(beam.energies)
    by_hand = 0.0
    for w, mu in zip(weight / weight.sum(), materials()["bone"].mu(beam.energies), strict=True):
        by_hand += w * np.exp(-mu * 3.0)
    assert direct(beam, thick, [(materials()["bone"], 3.0)])[0] == pytest.approx(by_hand)


def test_nothing_in_the_way_gives_all():
    assert direct(tube(140), Detector(), []) == pytest.approx((1.0, 1.0))
    low, high = TABLES[140].signals(np.zeros((2, 3, 3), np.float32))
    assert np.all(low == 1.0)
    assert np.all(high == 1.0)
    assert low.shape == (2, 3)


def test_the_front_layer_sees_the_softer_photons():
    beam, (low, high) = tube(140), Detector().responses(ENERGIES)
    means = [float(beam.photons * r @ ENERGIES / (beam.photons @ r)) for r in (low, high)]
    assert 60 < means[0] < 75
    assert 82 < means[1] < 100
    assert low[ENERGIES == 40] > 5 * high[ENERGIES == 40]


def test_no_more_than_the_photons_energy_is_seen():
    for leak in (0.0, 0.02, 0.3):
        low, high = Detector(leak=leak).responses(ENERGIES)
        assert np.all(low + high < ENERGIES)
        assert np.all(low > 0)


def test_a_leak_mixes_the_layers_and_keeps_their_sum():
    tight, leaky = Detector(leak=0.0).responses(ENERGIES), Detector(leak=0.1).responses(ENERGIES)
    assert leaky[0] == pytest.approx(0.9 * tight[0] + 0.1 * tight[1])
    assert sum(leaky) == pytest.approx(sum(tight))


def test_squares_are_those_of_all_or_nothing():
    """A photon gives its deposit with some probability: square = mean * deposit, and the mean's square is less."""
    detector = Detector(leak=0.0)
    for mean, square in zip(detector.responses(ENERGIES), detector.squares(ENERGIES), strict=True):
        assert np.all(square >= mean**2)
        assert np.all(square / mean <= ENERGIES)


@settings(max_examples=400)
@given(
    st.sampled_from(sorted(TABLES)),
    st.lists(
        st.tuples(st.sampled_from(sorted(materials().keys() - REFUSED)), st.floats(-3.5, 0)), min_size=1, max_size=5
    ),
)
def test_the_table_agrees_with_the_integral(kvp, picks):
    """Stacks of up to five materials, each from a film to 30 cm of food or 2 cm of steel.

    To 0.5% of air's signal or 2% of the transmitted one: less than the noise of one pixel in air.
    """
    table = TABLES[kvp]
    stack = [(materials()[name], areal(materials()[name], 10.0**share)) for name, share in picks]
    expected = np.array(direct(table.spectrum, table.detector, stack))
    missed = np.abs(signals(table, stack) - expected)
    assert np.all((missed < 0.005) | (missed < 0.02 * expected)), (missed, expected)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(materials().keys() - REFUSED - {"tin", "solder", "circuit_board", "lead", "epoxy"})),
            st.floats(-3.5, 0),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_without_tin_it_agrees_five_times_better(picks):
    table = TABLES[140]
    stack = [(materials()[name], areal(materials()[name], 10.0**share)) for name, share in picks]
    expected = np.array(direct(table.spectrum, table.detector, stack))
    missed = np.abs(signals(table, stack) - expected)
    assert np.all((missed < 0.001) | (missed < 0.003 * expected)), (missed, expected)


@pytest.mark.parametrize("lead", [0.0005, 0.005, 0.05, 0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("before", [0.0, 2.0, 25.0])
def test_lead_has_its_edge(lead, before):
    table = TABLES[160]
    stack = [(materials()["lead"], lead), (materials()["water"], before), (materials()["steel"], before / 10)]
    assert signals(table, stack) == pytest.approx(direct(table.spectrum, table.detector, stack), rel=0.02, abs=0.001)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_materials_that_cannot_be_told_are_refused(name):
    with pytest.raises(ValueError, match="two coefficients miss"):
        TABLES[140].coefficients(materials()[name])


def test_coefficients_are_of_use_to_rays():
    """None is negative by more than rounding, so that no sum of lengths is; and what is returned is the caller's."""
    table = TABLES[140]
    for name in materials().keys() - REFUSED:
        assert table.coefficients(materials()[name]).min() > -0.01, name
    table.coefficients(materials()["water"])[:] = 99
    assert table.coefficients(materials()["water"]).max() < 2


def test_more_matter_leaves_less_even_beyond_the_table():
    table = TABLES[140]
    for name in ("polyethylene", "iron", "lead", "bone"):
        steps = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 400)])
        a = np.outer(steps, table.coefficients(materials()[name])).astype(np.float32)[None]
        for signal in table.signals(a):
            assert np.all(np.diff(signal[0]) <= 1e-7)
            assert 0 <= signal[0, -1] < 1e-5


def test_rays_that_lost_more_than_they_had_count_as_air():
    a = np.array([[[-0.3, 0.0, 0.0], [0.0, -0.1, -0.2], [1.0, -1e-6, -1e-6]]], np.float32)
    low, high = TABLES[140].signals(a)
    assert np.all(low[0, :2] == 1.0)
    alone = TABLES[140].signals(np.array([[[1.0, 0.0, 0.0]]], np.float32))
    assert (low[0, 2], high[0, 2]) == (alone[0][0, 0], alone[1][0, 0])


def test_what_a_ray_gives_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(3)
    a = rng.exponential(2.0, (40, 30, 3)).astype(np.float32)
    low, high = TABLES[140].signals(a)
    turned = TABLES[140].signals(np.ascontiguousarray(a[::-1, ::-1]))
    assert np.array_equal(turned[0][::-1, ::-1], low)
    assert np.array_equal(turned[1][::-1, ::-1], high)
