"""A dual-layer detector, and what of a tube's beam reaches it through a stack of materials.

Two scintillators lie behind one another with a copper filter between them. The front one is thin and stops mostly the
soft photons, the rear one is thick and sees what is left; both give light in proportion to the energy that they absorb.
No layer sees one energy alone, which is why two materials can be told apart only by how their signals differ.

`direct` is the integral over the spectrum, photon energy by photon energy. `Table` gives the same for millions of rays
in a second, within 0.1% of the signal in air or 0.3% of the transmitted signal; where tin is, within 0.6% of air's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xqdata.kernels.compiled import compiled, inner
from xqdata.simulate.materials import Energies, Material, coefficient, materials
from xqdata.simulate.spectrum import Spectrum

Signals = NDArray[np.float32]
Stack = Sequence[tuple[Material, float]]


@dataclass(frozen=True)
class Detector:
    """A sandwich of two scintillators round a filter, each a material and its areal density in g/cm2.

    `leak`: the share of its light that each layer's photodiode gets from the other layer. The default is of the make
    that is usual in baggage scanners: a phosphor screen in front, 0.6 mm of copper, 4 mm of caesium iodide.
    """

    front: tuple[str, float] = ("gadolinium_oxysulfide", 0.10)
    between: tuple[str, float] = ("copper", 0.54)
    rear: tuple[str, float] = ("caesium_iodide", 1.80)
    leak: float = 0.02

    def responses(self, energies: ArrayLike) -> tuple[Energies, Energies]:
        """The low-energy (front) and high-energy (rear) signal in keV per incident photon of each energy in keV."""
        return self._leaked(1, energies)

    def squares(self, energies: ArrayLike) -> tuple[Energies, Energies]:
        """The mean square of the signal in keV2 per incident photon of each energy: what quantum noise grows with.

        Every absorbed photon is taken to give its layer's mean signal; the spread of that (Swank's factor) is left out.
        """
        return self._leaked(2, energies)

    def _leaked(self, power: int, energies: ArrayLike) -> tuple[Energies, Energies]:
        at = np.asarray(energies, np.float64)
        front, past = _layer(*self.front, at, power)
        filtered = past * np.exp(-materials()[self.between[0]].mu(at) * self.between[1])
        rear = filtered * _layer(*self.rear, at, power)[0]
        own, other = (1.0 - self.leak) ** power, self.leak**power
        return own * front + other * rear, own * rear + other * front


def _layer(name: str, areal: float, energies: Energies, power: int) -> tuple[Energies, Energies]:
    """What one scintillator gives: probability of a hit times the hit's energy to `power`; and what passes it."""
    scintillator = materials()[name]
    attenuation = scintillator.mu(energies)
    passed: Energies = np.exp(-attenuation * areal)
    deposit = energies * scintillator.absorption(energies) / attenuation
    return (1.0 - passed) * deposit**power, passed


def direct(spectrum: Spectrum, detector: Detector, stack: Stack) -> tuple[float, float]:
    """The low and high signal behind a stack of (material, areal density in g/cm2), as shares of the signal in air."""
    depth = sum((m.mu(spectrum.energies) * areal for m, areal in stack), np.zeros_like(spectrum.energies))
    low, high = (
        float((spectrum.photons * response) @ np.exp(-depth) / (spectrum.photons @ response))
        for response in detector.responses(spectrum.energies)
    )
    return low, high


# The table's axes. Attenuation by every material but lead is that of some polyethylene and some iron, within 0.3% of
# the signal: the scanner's filters remove what lies below the edges of tin, iodine and barium, and above them
# photoelectric absorption and scattering are the only two shapes. The second axis is iron less 0.58 of polyethylene, so
# that no material up to tin needs a negative share. Lead has its edge in the middle of the spectrum and its own axis.
_LESS = 0.58
_REACH = (81.0, 42.0, 14.0)  # g/cm2; beyond, less than 1/100,000 of the signal is left
_NODES = (288, 640)
_LEAD_NODES = (24, 32, 24)
_WRONG = 0.01  # a material that is described worse than this is refused, as a share of air's signal
_OPTICAL_DEPTHS = np.array([0.03, 0.1, 0.2, 0.4, 0.8, 1.2, 1.7, 2.4, 3.2, 4.2, 5.5, 7.0])  # at 80 keV
_ROUNDS = 12
_STEP = 2.0**-26  # of a coefficient; the last bits of what is fitted differ between processors, and pixels must not
_KEPT = 2.0**20  # likewise of a table's mantissas


class Table:
    """The signals of one spectrum in one detector, for stacks given as three coefficients.

    A stack's coefficients are the sum of its materials' `coefficients` times their areal densities in g/cm2.
    """

    k = 3

    def __init__(self, spectrum: Spectrum, detector: Detector) -> None:
        self.spectrum, self.detector = spectrum, detector
        used = spectrum.photons > 1e-12 * spectrum.photons.max()
        self._energies = spectrum.energies[used]
        signals = np.array(detector.responses(spectrum.energies)) * spectrum.photons
        self._weights = (signals / signals.sum(axis=1, keepdims=True))[:, used]
        poly, iron, lead = (materials()[name].mu(self._energies) for name in ("polyethylene", "iron", "lead"))
        self._basis = np.array([poly, iron - _LESS * poly, lead])
        self._known: dict[Material, NDArray[np.float64]] = {}

    def coefficients(self, material: Material) -> NDArray[np.float64]:
        """The material's three coefficients per g/cm2, (3,) float64.

        Lead counts by its mass. The rest gets the pair that reproduces its own low and high signals best, from a film
        to where a thousandth of the signal is left. Raises ValueError for what no pair describes to 1% of air's signal.
        """
        if material not in self._known:
            self._known[material] = self._fit(material)
        return self._known[material].copy()

    def _fit(self, material: Material) -> NDArray[np.float64]:
        lead = material.fractions.get("Pb", 0.0)
        target = material.mu(self._energies) - lead * coefficient("Pb", self._energies)
        pair = np.zeros(2)
        if lead < 1.0:
            pair = self._pair(target, _OPTICAL_DEPTHS / np.interp(80.0, self._energies, target))
        return np.rint(np.array([*pair, lead]) / _STEP) * _STEP

    def _pair(self, target: Energies, areal: Energies) -> Energies:
        """Gauss and Newton's steps on the logarithm of both signals at each areal density."""
        wanted = np.log(self._through(areal[:, None] * target))
        weight = np.exp(wanted / 4.0)  # what is hardly seen counts less
        pair: Energies = np.linalg.lstsq(self._basis[:2].T, target, rcond=None)[0]
        for _ in range(_ROUNDS):
            depth = np.clip(areal[:, None] * (pair @ self._basis[:2]), -5.0, None)
            signals = self._through(depth)
            slopes = [-self._through(depth, b) * areal / signals for b in self._basis[:2]]
            matrix = np.stack([(weight * slope).ravel() for slope in slopes], axis=1)
            pair = pair + np.linalg.lstsq(matrix, (weight * (wanted - np.log(signals))).ravel(), rcond=None)[0]
        worst = np.abs(self._through(areal[:, None] * (pair @ self._basis[:2])) - np.exp(wanted)).max()
        if not worst < _WRONG:
            raise ValueError(f"two coefficients miss the material's signal by {worst:.1%} of air's")
        return pair

    def _through(self, depth: NDArray[np.float64], factor: Energies | float = 1.0) -> NDArray[np.float64]:
        """Signals (2, n) for optical depths (n, energies), each energy weighed by `factor`."""
        signals: NDArray[np.float64] = (self._weights * factor) @ np.exp(-depth).T
        return signals

    def signals(self, a: NDArray[np.float32]) -> tuple[Signals, Signals]:
        """Low and high signal as shares of air's, each (rows, columns) float32, of `a` (rows, columns, 3) float32.

        Negative coefficients count as none; beyond the table's reach the signal stays at its end, below 1e-5.
        """
        low, high = np.empty(a.shape[:2], np.float32), np.empty(a.shape[:2], np.float32)
        _look_up(a, self._grid, self._lead, _STEPS, _LEAD_STEPS, low, high)
        return low, high

    @cached_property
    def _grid(self) -> NDArray[np.float32]:
        """Signals on a grid that is even in the roots of the first two coefficients: (nodes, nodes, 2)."""
        first, second = (np.exp(-np.outer(nodes, b)) for nodes, b in zip(_axes(_NODES), self._basis, strict=False))
        low, high = ((first * weights) @ second.T for weights in self._weights)
        return _kept(np.stack([low, high], axis=-1))

    @cached_property
    def _lead(self) -> NDArray[np.float32]:
        """Lead's effective coefficient behind the other two, (nodes, nodes, nodes, 2) in cm2/g."""
        poly, iron, lead = _axes(_LEAD_NODES)
        lead[0] = 1e-6  # the limit of no lead
        before = np.exp(-(poly[:, None, None] * self._basis[0] + iron[:, None] * self._basis[1]))
        behind = np.outer(lead, self._basis[2])
        drops = []
        for weights in self._weights:
            arriving = before * weights / (before * weights).sum(axis=-1, keepdims=True)
            kept, lost = (arriving @ share.T for share in (np.exp(-behind), np.expm1(-behind)))
            # Each is exact to its last bits where the other is not.
            drops.append(-np.where(kept < 0.5, np.log(kept), np.log1p(np.maximum(lost, -0.75))) / lead)
        return _kept(np.stack(drops, axis=-1))


def _kept(table: NDArray[np.float64]) -> NDArray[np.float32]:
    """To 20 bits."""
    mantissa, exponent = np.frexp(table)
    return np.ldexp(np.rint(mantissa * _KEPT) / _KEPT, exponent).astype(np.float32)


def _axes(counts: Sequence[int]) -> list[NDArray[np.float64]]:
    return [np.linspace(0.0, math.sqrt(reach), n) ** 2 for reach, n in zip(_REACH, counts, strict=False)]


def _per_root(counts: Sequence[int]) -> NDArray[np.float32]:
    """Nodes per unit of a coefficient's root."""
    return np.array([(n - 1) / math.sqrt(reach) for reach, n in zip(_REACH, counts, strict=False)], np.float32)


_STEPS, _LEAD_STEPS = _per_root(_NODES), _per_root(_LEAD_NODES)


def _look_up_loop(
    a: NDArray[np.float32],
    grid: NDArray[np.float32],
    leads: NDArray[np.float32],
    steps: NDArray[np.float32],
    lead_steps: NDArray[np.float32],
    low: Signals,
    high: Signals,
) -> None:
    one = np.float32(1.0)
    none = np.float32(0.0)
    last = np.float32(grid.shape[0] - 1.001), np.float32(grid.shape[1] - 1.001)
    for y in range(a.shape[0]):
        for x in range(a.shape[1]):
            first, second, lead = max(a[y, x, 0], none), max(a[y, x, 1], none), a[y, x, 2]
            u = min(np.sqrt(first) * steps[0], last[0])
            v = min(np.sqrt(second) * steps[1], last[1])
            i, j = int(u), int(v)
            u, v = u - np.float32(i), v - np.float32(j)
            p, q, r, s = (one - u) * (one - v), (one - u) * v, u * (one - v), u * v
            below, above = grid[i], grid[i + 1]
            soft = p * below[j, 0] + q * below[j + 1, 0] + r * above[j, 0] + s * above[j + 1, 0]
            hard = p * below[j, 1] + q * below[j + 1, 1] + r * above[j, 1] + s * above[j + 1, 1]
            if lead > none:
                drops = _lead_at(first, second, lead, leads, lead_steps)
                soft *= np.exp(-lead * drops[0])
                hard *= np.exp(-lead * drops[1])
            low[y, x] = soft
            high[y, x] = hard


def _lead_at_loop(
    first: np.float32,
    second: np.float32,
    lead: np.float32,
    leads: NDArray[np.float32],
    steps: NDArray[np.float32],
) -> tuple[np.float32, np.float32]:
    u = min(np.sqrt(first) * steps[0], np.float32(leads.shape[0] - 1.001))
    v = min(np.sqrt(second) * steps[1], np.float32(leads.shape[1] - 1.001))
    w = min(np.sqrt(lead) * steps[2], np.float32(leads.shape[2] - 1.001))
    i, j, k = int(u), int(v), int(w)
    u, v, w = u - np.float32(i), v - np.float32(j), w - np.float32(k)
    low = high = np.float32(0.0)
    for corner in range(8):
        di, dj, dk = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = np.float32(1.0)
        weight *= u if di else np.float32(1.0) - u
        weight *= v if dj else np.float32(1.0) - v
        weight *= w if dk else np.float32(1.0) - w
        low += weight * leads[i + di, j + dj, k + dk, 0]
        high += weight * leads[i + di, j + dj, k + dk, 1]
    return low, high


_lead_at = inner(_lead_at_loop)
_look_up = compiled(_look_up_loop)
