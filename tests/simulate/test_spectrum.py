"""The tube's spectrum.

Wrong while green would be: energy where photons are meant, lines at the wrong place or of any strength, filters in the
wrong unit, an end of the spectrum that depends on bins.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.simulate import spectrum
from xqdata.simulate.materials import materials
from xqdata.simulate.spectrum import FILTERS, Spectrum, tube

# NIST table 4, dry air: energy in keV, mass energy-absorption coefficient in cm2/g.
AIR_KEV = [10, 15, 20, 30, 40, 50, 60, 80, 100, 150, 200]
AIR = [4.742, 1.334, 0.5389, 0.1537, 0.06833, 0.04098, 0.03041, 0.02407, 0.02325, 0.02496, 0.02672]
# ISO 4037-1: narrow and wide series. kV, filters in mm, first half-value layer in mm of copper, mean energy in keV.
ISO = [
    (120, {"aluminium": 4, "copper": 5.0, "tin": 1.0}, 1.71, 100),
    (150, {"aluminium": 4, "tin": 2.5}, 2.36, 118),
    (110, {"aluminium": 4, "copper": 2.0}, 0.96, 79),
    (150, {"aluminium": 4, "tin": 1.0}, 1.86, 104),
]
# SpekPy 2.5.4, its default physics: kV, angle, filters, half-value layer in mm of aluminium, mean energy.
SPEKPY = [
    (140, 12, {"aluminium": 3, "copper": 0.5}, 10.70, 75.1),
    (160, 12, {"aluminium": 3, "copper": 1.0}, 13.02, 88.3),
    (140, 20, {"aluminium": 3, "copper": 0.3}, 9.42, 70.4),
]


def half_value_layer(beam: Spectrum, name: str) -> float:
    """Millimetres of a material that halve the air kerma."""
    absorbed = np.exp(np.interp(np.log(beam.energies), np.log(AIR_KEV), np.log(AIR)))
    kerma = beam.photons * beam.energies * absorbed
    per_mm = materials()[name].mu(beam.energies) * materials()[name].density / 10
    thickness = np.linspace(0, 30, 30001)
    left = np.array([kerma @ np.exp(-per_mm * t) for t in thickness[::100]]) / kerma.sum()
    return float(np.interp(-0.5, -left, thickness[::100]))


@pytest.mark.parametrize(("kvp", "filters", "copper", "mean"), ISO)
def test_filtered_beams_have_the_half_value_layers_of_iso_4037(kvp, filters, copper, mean):
    beam = tube(kvp, filters)
    assert half_value_layer(beam, "copper") == pytest.approx(copper, rel=0.04)
    assert beam.mean == pytest.approx(mean, rel=0.02)


@pytest.mark.parametrize(("kvp", "angle", "filters", "aluminium", "mean"), SPEKPY)
def test_scanner_beams_agree_with_spekpy(kvp, angle, filters, aluminium, mean):
    beam = tube(kvp, filters, angle)
    assert half_value_layer(beam, "aluminium") == pytest.approx(aluminium, rel=0.05)
    assert beam.mean == pytest.approx(mean, rel=0.03)


def test_lines_stand_out_where_tungsten_has_them():
    beam = tube(140, {"aluminium": 3, "copper": 0.5})
    share = dict(zip(beam.energies, beam.photons, strict=True))
    for line, beside in ((59, 61), (58, 56), (67, 65), (69, 65)):
        assert share[line] > 1.3 * share[beside]
    assert share[59] > share[58] > share[67] > share[69]
    lines = sum(share[e] for e in (58, 59, 67, 69)) - 4 * share[63]
    assert 0.10 < lines < 0.17  # SpekPy: 0.13


def test_there_are_no_lines_without_the_edge(monkeypatch):
    monkeypatch.setattr(spectrum, "_K_EDGE", 150.0)
    beam = tube(140)
    # Without lines the continuum falls smoothly; only the anode's own edge at 69.5 keV makes a step.
    smooth = beam.photons[(beam.energies > 50) & (beam.energies < 69)]
    assert np.all(np.abs(np.diff(smooth)) < 0.03 * smooth[:-1])


@given(st.floats(75, 160), st.floats(6, 40))
def test_a_spectrum_is_whole_and_ends_at_the_voltage(kvp, angle):
    beam = tube(kvp, FILTERS, angle)
    assert beam.photons.sum() == pytest.approx(1)
    assert np.all(beam.photons >= 0)
    assert not beam.photons[beam.energies > kvp + 0.5].any()
    assert beam.photons[beam.energies < kvp - 1].min() > 0


def test_the_end_moves_smoothly_with_the_voltage():
    means = [tube(kvp).mean for kvp in np.arange(138.0, 142.0, 0.1)]
    steps = np.diff(means)
    assert np.all(steps > 0)
    assert steps.max() < 3 * steps.min()


@given(st.floats(100, 160), st.floats(0, 5), st.floats(0, 2), st.floats(0.01, 1))
def test_more_filter_makes_it_harder(kvp, aluminium, copper, more):
    soft = tube(kvp, {"aluminium": aluminium, "copper": copper})
    assert tube(kvp, {"aluminium": aluminium, "copper": copper + more}).mean > soft.mean


def test_a_flat_anode_hardens_the_beam():
    assert tube(140, angle=8).mean > tube(140, angle=30).mean + 0.5


def test_filters_are_millimetres_of_the_solid():
    thin, thick = tube(140, {"copper": 0.5}), tube(140, {"copper": 1.5})
    ratio = (thick.photons[90] / thick.photons[50]) / (thin.photons[90] / thin.photons[50])  # 100 and 60 keV
    mu = materials()["copper"].mu([60.0, 100.0]) * 8.96 * 0.1
    assert ratio == pytest.approx(np.exp(mu[0] - mu[1]))


@pytest.mark.parametrize("kvp", [40, 320])
def test_other_voltages_are_refused(kvp):
    with pytest.raises(ValueError, match="75 to 160 kV"):
        tube(kvp)
