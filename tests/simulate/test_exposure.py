"""What a scanner reads out.

Wrong while green would be: noise of the right size in air only, noise that both energies share, blur across the wrong
axis, a pattern that changes from scan to scan, dead elements as columns, a scan that depends on anything but its
generator.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.simulate.detector import Detector, direct
from xqdata.simulate.exposure import Exposure, expose, quanta
from xqdata.simulate.materials import materials
from xqdata.simulate.spectrum import tube

QUANTA = quanta(tube(140), Detector())
REAL = Exposure(QUANTA)
# A machine without any fault, of which a test then adds one.
IDEAL = Exposure(
    QUANTA,
    photons=1e18,
    blur=(0.0, 0.0),
    spread=(0.0, 0.0),
    scatter=0.0,
    pedestal=0.0,
    electronic=0.0,
    gain=0.0,
    offset=0.0,
)
IDEAL = replace(IDEAL, drift=0.0, flicker=0.0)


def flat(value: float, rows: int = 120, columns: int = 200) -> np.ndarray:
    return np.full((rows, columns), value, np.float32)


def shot(signal: np.ndarray, settings: Exposure, seed: int = 0) -> np.ndarray:
    """The low-energy picture of the same signal in both layers, as shares of air."""
    return expose(signal, signal, np.random.default_rng(seed), settings)[0] / settings.air


def test_a_machine_without_faults_gives_the_signal():
    ramp = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (120, 1))
    low, high = expose(ramp, ramp / 2, np.random.default_rng(0), IDEAL)
    assert (low.dtype, low.shape) == (np.uint16, (120, 200))
    assert low / IDEAL.air == pytest.approx(ramp, abs=2e-5)
    assert high / IDEAL.air == pytest.approx(ramp / 2, abs=2e-5)


@pytest.mark.parametrize("signal", [1.0, 0.3, 0.03])
@pytest.mark.parametrize("layer", [0, 1])
def test_noise_is_that_of_the_quanta(signal, layer):
    settings = replace(IDEAL, photons=20_000)
    found = expose(flat(signal), flat(signal), np.random.default_rng(1), settings)[layer] / settings.air
    about = QUANTA[layer].per_photon * settings.photons
    expected = math.sqrt(signal / about * (1 + QUANTA[layer].hardening * (1 - math.sqrt(signal))))
    assert found.std() == pytest.approx(expected, rel=0.03)
    assert found.mean() == pytest.approx(signal, rel=0.01)


@pytest.mark.parametrize(("name", "areal"), [("water", 3.0), ("water", 15.0), ("iron", 0.5), ("iron", 5.0)])
def test_the_quanta_are_those_of_a_count_photon_by_photon(name, areal):
    """Photons drawn from the spectrum one by one, each stopped or not: the variance of the sum, against the formula."""
    beam, detector = tube(140), Detector(leak=0.0)
    mean, square = detector.responses(beam.energies), detector.squares(beam.energies)
    rng = np.random.default_rng(5)
    behind = beam.photons * np.exp(-materials()[name].mu(beam.energies) * areal)
    for layer in (0, 1):
        deposit = square[layer] / mean[layer]
        stopped = mean[layer] / deposit
        counts = rng.poisson(20_000 * behind * stopped, (4000, len(behind)))
        sums = counts @ deposit / (20_000 * (beam.photons @ mean[layer]))
        signal = direct(beam, detector, [(materials()[name], areal)])[layer]
        assert sums.mean() == pytest.approx(signal, rel=0.01)
        told = quanta(beam, detector)[layer]
        variance = signal * (1 + told.hardening * (1 - math.sqrt(signal))) / (20_000 * told.per_photon)
        assert sums.var() == pytest.approx(variance, rel=0.2)


def test_the_two_energies_have_noise_of_their_own():
    settings = replace(IDEAL, photons=20_000)
    low, high = expose(flat(0.5), flat(0.5), np.random.default_rng(2), settings)
    assert abs(np.corrcoef(low.ravel(), high.ravel())[0, 1]) < 0.02


def test_the_amplifier_is_heard_in_the_dark():
    dark = shot(flat(0.1), replace(IDEAL, electronic=0.003))
    assert dark.std() == pytest.approx(0.003, rel=0.03)
    assert shot(flat(0.0), replace(REAL, electronic=0.01)).min() == 0.0


def test_blur_along_the_belt_and_across_it():
    point = flat(1.0, 41, 41)
    point[20, 20] = 0.0
    both = 1 - shot(point, IDEAL)
    assert both[20, 20] == pytest.approx(1, abs=1e-3)
    moved = 1 - shot(point, replace(IDEAL, aperture=(3.0, 1.0)))
    assert moved[20, 19:22] == pytest.approx([1 / 3, 1 / 3, 1 / 3], abs=1e-3)
    assert moved[:, 20] == pytest.approx(np.eye(41)[20] / 3, abs=1e-3)
    soft = 1 - shot(point, replace(IDEAL, blur=(0.5, 1.0)))
    assert soft.sum() == pytest.approx(1, abs=5e-3)
    places = np.arange(41) - 20
    along, across = soft.sum(0) @ places**2, soft.sum(1) @ places**2
    # Gaussian and box: variances add up.
    assert along == pytest.approx(0.25 + 1 / 12, rel=0.05)
    assert across == pytest.approx(1.0 + 1 / 12, rel=0.05)


def test_spread_joins_the_noise_of_neighbours():
    for spread, low, high in ((0.0, -0.02, 0.02), (0.6, 0.3, 0.6)):
        noise = shot(flat(1.0), replace(IDEAL, photons=10_000, spread=(spread, spread))) - 1
        together = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
        assert low < together < high
    noise = shot(flat(1.0), replace(IDEAL, photons=10_000, spread=(0.45, 0.6))) - 1
    along, across = (
        (noise[y:, x:] * noise[: len(noise) - y, : noise.shape[1] - x]).mean() for x, y in ((1, 0), (0, 1))
    )
    assert 0.1 * noise.var() < along < 0.6 * across


def test_scatter_is_a_veil_that_follows_what_is_bright():
    half = flat(1.0, 160, 320)
    half[:, 160:] = 0.0
    veiled = shot(half, replace(IDEAL, scatter=0.05, veil=30.0))
    for column in (170, 190, 220):
        bright = 0.5 * math.erfc((column + 0.5 - 160) / 30 / math.sqrt(2))  # the share of the neighbourhood that is
        assert veiled[80, column] == pytest.approx(0.05 / 1.05 * bright, rel=0.1)
    assert veiled[80, 310] < 0.001
    assert veiled[80, 5] == pytest.approx(1.0, abs=1e-3)  # air is calibrated with its veil
    even = shot(flat(0.0), replace(IDEAL, pedestal=0.01))
    assert even == pytest.approx(np.full(even.shape, 0.01 / 1.01), abs=2e-5)


def test_the_pattern_of_elements_belongs_to_the_machine():
    settings = replace(IDEAL, gain=0.02, offset=0.001, machine=7)
    first, second = shot(flat(0.5), settings, 1), shot(flat(0.5), settings, 2)
    assert np.array_equal(first, second)
    assert np.all(np.ptp(first, axis=1) < 1e-4)  # the same along the belt
    assert first[:, 0].std() == pytest.approx(0.01, rel=0.25)
    other = shot(flat(0.5), replace(settings, machine=8))
    assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 0.3


def test_offsets_show_in_the_dark_and_gains_do_not():
    dark = flat(0.01)
    gains = shot(dark, replace(IDEAL, gain=0.01))[:, 0]
    offsets = shot(dark, replace(IDEAL, offset=0.001))[:, 0]
    assert gains.std() < 2e-4
    assert offsets.std() == pytest.approx(0.001, rel=0.3)


def test_drift_grows_along_the_belt_and_is_anew_in_each_scan():
    settings = replace(IDEAL, drift=0.02)
    first, second = shot(flat(0.8), settings, 1), shot(flat(0.8), settings, 2)
    assert np.ptp(first[:, 100]) < 2e-3
    assert first[:, 199].std() == pytest.approx(0.8 * 0.01, rel=0.3)
    assert abs(np.corrcoef(first[:, 199], second[:, 199])[0, 1]) < 0.3
    assert np.corrcoef(first[:, 0], first[:, 199])[0, 1] < -0.99


def test_the_tube_flickers_in_both_energies_at_once():
    low, high = expose(flat(0.8), flat(0.8), np.random.default_rng(0), replace(IDEAL, flicker=0.01))
    assert np.array_equal(low, high)
    assert np.all(np.ptp(low, axis=0) == 0)
    assert low[0].std() / low.mean() == pytest.approx(0.01, rel=0.2)


def test_dead_elements_are_lines_along_the_belt():
    signal = np.tile(np.linspace(0.2, 0.9, 120, dtype=np.float32)[:, None], (1, 200))
    dead = (0, 50, 51, 119, 500)
    lines = shot(signal, replace(IDEAL, dead=dead, mended=False))
    assert not lines[[0, 50, 51, 119]].any()
    assert lines[[1, 49, 52, 118]].all()
    mended = shot(signal, replace(IDEAL, dead=dead))
    assert mended[[50, 51]] == pytest.approx(signal[[50, 51]], abs=1e-4)  # a straight line is mended without trace
    assert np.array_equal(mended[0], mended[1])
    assert np.array_equal(mended[119], mended[118])
    assert not shot(signal, replace(IDEAL, dead=tuple(range(120)))).any()


def test_air_is_where_it_was_asked_for_and_never_overflows():
    for air in (40_000, 60_000, 65_535):
        low, _ = expose(flat(1.0), flat(1.0), np.random.default_rng(0), replace(REAL, air=air))
        assert np.median(low) == pytest.approx(air, rel=2e-3)
        assert low.min() > 0.9 * air


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**32))
def test_the_same_generator_gives_the_same_scan_at_any_size(rows, columns, seed):
    signal = np.random.default_rng(seed).random((rows, columns), np.float32)
    kept = signal.copy()
    one = expose(signal, signal, np.random.default_rng(seed), REAL)
    two = expose(signal, signal, np.random.default_rng(seed), REAL)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert one[0].shape == (rows, columns)
    assert np.array_equal(signal, kept)


def test_quanta_of_a_layer_that_stops_all_are_its_photons():
    beam = tube(140)
    thick = Detector(front=("caesium_iodide", 400.0), leak=0.0)
    per_photon = quanta(beam, thick)[0].per_photon
    assert 0.85 < per_photon < 1.0  # less than one only because photons differ in energy
