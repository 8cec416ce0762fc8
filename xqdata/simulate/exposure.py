"""From signals without noise to what a scanner reads out and calibrates.

Rows are detector elements, columns are steps of the belt. A focal spot, an element and a step have a size, so the
signal is blurred. Scattered photons add a veil, photons arrive at random, the amplifier adds its own noise. Calibration
on air and darkness leaves a fixed pattern of the elements and what has drifted since; elements die.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled
from xqdata.simulate.detector import Detector, Signals, direct
from xqdata.simulate.materials import materials
from xqdata.simulate.spectrum import Spectrum

Counts = NDArray[np.uint16]

_COARSE = 16  # the veil of scatter is computed on a grid that much coarser
_REACH = 3  # pixels to each side that the blur takes in


@dataclass(frozen=True)
class Quanta:
    """How noisy one layer is: `per_photon`, equivalent quanta counted per photon that arrives in air; `hardening`.

    Quantum noise has the variance signal * (1 + hardening * (1 - sqrt(signal))) / quanta, the signal being a share of
    air's: behind matter the beam is harder, and fewer photons carry the same signal.
    """

    per_photon: float
    hardening: float


def quanta(spectrum: Spectrum, detector: Detector) -> tuple[Quanta, Quanta]:
    """The low and the high layer's, from the first two moments of their responses.

    `hardening` is a compromise between water and iron, right to 15% of the variance for both.
    """
    water, iron = materials()["water"], materials()["iron"]
    stacks = [[(water, areal)] for areal in (2.0, 8.0, 20.0)] + [[(iron, areal)] for areal in (0.5, 2.0, 8.0)]
    found = []
    for layer in (0, 1):
        mean = detector.responses(spectrum.energies)[layer]
        square = detector.squares(spectrum.energies)[layer]
        in_air = (spectrum.photons @ square) / (spectrum.photons @ mean)
        rises = []
        for stack in stacks:
            behind = spectrum.photons * np.exp(-sum(m.mu(spectrum.energies) * areal for m, areal in stack))
            harder = (behind @ square) / (behind @ mean) / in_air - 1.0
            rises.append(harder / (1.0 - math.sqrt(direct(spectrum, detector, stack)[layer])))
        found.append(Quanta(float(spectrum.photons @ mean / in_air), float(np.mean(rises))))
    return found[0], found[1]


@dataclass(frozen=True)
class Exposure:
    """How a machine reads out. Shares are of the signal in air; sizes are pixels.

    `photons`: that arrive at a pixel in air. `aperture`: the belt's step during one reading and the size of an element;
    `blur`: standard deviations of the focal spot's penumbra. `spread`: standard deviations of what blurs noise too,
    light in the scintillator and resampling. All three along the belt and across it. `scatter`: share of the widely
    blurred signal that the veil adds, what the machine takes off already subtracted; `veil`: its standard deviation;
    `pedestal`: what it adds everywhere. `electronic`: standard deviation of the amplifier's noise. `gain` and `offset`:
    standard deviations of the elements' errors after calibration, the same in every scan of the machine that `machine`
    numbers; `drift`: of the gain's change from the first column to the last, anew in each scan; `flicker`: of the
    tube's output between columns. `dead`: elements (rows) without signal; `mended`: filled in from their neighbours.
    `air`: the value that air is calibrated to. Photons, spread and noise are by default such that a basket's floor and
    metal of all thicknesses look as noisy as in COMPASS-XP when `render` shows them.
    """

    quanta: tuple[Quanta, Quanta]
    photons: float = 66_000.0
    aperture: tuple[float, float] = (1.0, 1.0)
    blur: tuple[float, float] = (0.55, 0.42)
    spread: tuple[float, float] = (0.48, 0.57)
    scatter: float = 0.0006
    veil: float = 60.0
    pedestal: float = 0.0001
    electronic: float = 0.00012
    gain: float = 0.002
    offset: float = 0.00012
    drift: float = 0.001
    flicker: float = 0.0005
    dead: tuple[int, ...] = ()
    mended: bool = True
    machine: int = 0
    air: int = 60_000


def expose(low: Signals, high: Signals, rng: np.random.Generator, settings: Exposure) -> tuple[Counts, Counts]:
    """One scan's low and high energy picture, (rows, columns) uint16, air at `settings.air`.

    `low`, `high`: shares of air's signal, (rows, columns) float32. Photons are counted with Gauss's distribution in
    place of Poisson's: below about 30 quanta, that is below 1/1000 of air's signal, its skew is missing, and there the
    amplifier's noise is as large.
    """
    columns = low.shape[1]
    belt = np.empty((columns, 2), np.float32)
    belt[:, 0] = np.linspace(-0.5, 0.5, columns)
    belt[:, 1] = 1.0 + settings.flicker * rng.standard_normal(columns, np.float32)
    return _read(low, belt, rng, settings, 0), _read(high, belt, rng, settings, 1)


def _read(
    signal: Signals, belt: NDArray[np.float32], rng: np.random.Generator, settings: Exposure, layer: int
) -> Counts:
    elements = _elements(settings, signal.shape[0], layer, rng)
    noise = rng.standard_normal(signal.shape, np.float32)
    quanta_of_layer = settings.quanta[layer]
    amounts = (
        settings.scatter,
        settings.pedestal,
        1.0 / (1.0 + settings.scatter + settings.pedestal),
        1.0 / (quanta_of_layer.per_photon * settings.photons),
        quanta_of_layer.hardening,
        settings.electronic**2,
    )
    read = np.empty_like(signal)
    veil = _veil(signal, settings.veil)
    _read_out(_blurred(signal, settings), veil, noise, elements, belt, tuple(map(np.float32, amounts)), read)
    counts = np.empty(signal.shape, np.uint16)
    _count(_spread(read, settings.spread), np.float32(settings.air), counts)
    _kill(counts, settings.dead, settings.mended)
    return counts


def _elements(settings: Exposure, rows: int, layer: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gain and offset of each element, which belong to the machine, and the drift of its gain in this scan."""
    machine = np.random.default_rng((settings.machine, layer, rows))
    elements = np.empty((rows, 3), np.float32)
    elements[:, 0] = 1.0 + settings.gain * machine.standard_normal(rows, np.float32)
    elements[:, 1] = settings.offset * machine.standard_normal(rows, np.float32)
    elements[:, 2] = settings.drift * rng.standard_normal(rows, np.float32)
    return elements


def _blurred(signal: Signals, settings: Exposure) -> Signals:
    along, across = (_kernel(*pair) for pair in zip(settings.aperture, settings.blur, strict=True))
    return cv2.sepFilter2D(signal, cv2.CV_32F, along, across, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _spread(read: Signals, deviations: tuple[float, float]) -> Signals:
    if not any(deviations):
        return read
    return cv2.GaussianBlur(read, (0, 0), deviations[0], sigmaY=deviations[1], borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _kernel(aperture: float, blur: float) -> NDArray[np.float32]:
    """A box of width `aperture` blurred by a Gaussian of standard deviation `blur`, at whole pixels."""
    edges = [(x - aperture / 2, x + aperture / 2) for x in range(-_REACH, _REACH + 1)]
    scale = max(blur, 1e-3) * math.sqrt(2.0)
    weights = np.array([math.erf(right / scale) - math.erf(left / scale) for left, right in edges], np.float32)
    weights /= weights.sum()
    return weights


def _veil(signal: Signals, width: float) -> Signals:
    rows, columns = signal.shape
    size = (max(1, columns // _COARSE), max(1, rows // _COARSE))
    coarse = cv2.resize(signal, size, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), width / _COARSE, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _kill(counts: Counts, dead: tuple[int, ...], mended: bool) -> None:
    """Empty the rows of dead elements, or fill them from the nearest ones that live."""
    gone = sorted({row for row in dead if 0 <= row < len(counts)})
    counts[gone] = 0
    alive = np.setdiff1d(np.arange(len(counts)), gone)
    if not mended or not alive.size:
        return
    for row in gone:
        above, below = alive[alive < row], alive[alive > row]
        first = above[-1] if above.size else below[0]
        last = below[0] if below.size else first
        share = (row - first) / (last - first) if last > first else 0.0
        counts[row] = np.rint(counts[first] * (1.0 - share) + counts[last] * share).astype(np.uint16)


def _read_out_loop(
    signal: Signals,
    veil: Signals,
    noise: NDArray[np.float32],
    elements: NDArray[np.float32],
    belt: NDArray[np.float32],
    amounts: tuple[np.float32, ...],
    read: Signals,
) -> None:
    scatter, pedestal, whole, per_quantum, hardening, electronic = amounts
    one, none = np.float32(1.0), np.float32(0.0)
    for y in range(signal.shape[0]):
        gain, offset, drift = elements[y]
        for x in range(signal.shape[1]):
            value = max((signal[y, x] + scatter * veil[y, x] + pedestal) * whole, none)
            variance = value * (one + hardening * (one - np.sqrt(value))) * per_quantum + electronic
            value += np.sqrt(variance) * noise[y, x]
            read[y, x] = value * gain * (one + drift * belt[x, 0]) * belt[x, 1] + offset


def _count_loop(read: Signals, air: np.float32, counts: Counts) -> None:
    none, top = np.float32(0.0), np.float32(65535.0)
    for y in range(read.shape[0]):
        for x in range(read.shape[1]):
            counts[y, x] = np.uint16(min(max(read[y, x] * air + np.float32(0.5), none), top))


_read_out = compiled(_read_out_loop)
_count = compiled(_count_loop)
