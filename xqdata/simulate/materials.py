"""Materials by their elements, and how strongly they attenuate X-rays.

Compositions are in `data/materials.toml`, coefficients of the elements in `data/attenuation.csv`; both name their
sources. A material's coefficient is the sum of its elements' by mass: chemical bonds are ignored, as everywhere above
a few keV.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Energies = NDArray[np.float64]

# Standard atomic weights, IUPAC 2021, abridged.
WEIGHTS = {
    **{"H": 1.008, "Li": 6.94, "B": 10.81, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Na": 22.990},
    **{"Mg": 24.305, "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45, "Ar": 39.95, "K": 39.098},
    **{"Ca": 40.078, "Ti": 47.867, "Cr": 51.996, "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693},
    **{"Cu": 63.546, "Zn": 65.38, "Br": 79.904, "Ag": 107.87, "Sn": 118.71, "I": 126.90, "Cs": 132.91},
    **{"Ba": 137.33, "Gd": 157.25, "W": 183.84, "Pb": 207.2},
}
_ROUNDED = 0.01  # by how much the sum of a published composition may miss 1


@dataclass(frozen=True)
class Material:
    """One material. `density` in g/cm3; `fractions`: mass fractions by element symbol, their sum 1."""

    name: str
    density: float
    fractions: Mapping[str, float] = field(hash=False)

    def mu(self, energies: ArrayLike) -> Energies:
        """The mass attenuation coefficient in cm2/g, coherent scattering included, at `energies` in keV."""
        return self._sum_of("", energies)

    def absorption(self, energies: ArrayLike) -> Energies:
        """What of `mu` stays in a scintillator as energy, in cm2/g.

        The photoelectric part whole, fluorescence included, and of Compton scattering the electron's mean share. Known
        for the elements of scintillators; others raise KeyError.
        """
        return self._sum_of(" absorbed", energies)

    def _sum_of(self, kind: str, energies: ArrayLike) -> Energies:
        at = np.asarray(energies, np.float64)
        total = np.zeros_like(at)
        for element, fraction in self.fractions.items():
            total += fraction * coefficient(element + kind, at)
        return total


def coefficient(column: str, energies: ArrayLike) -> Energies:
    """A column of the table (`Fe`, or `Gd absorbed`) at `energies` in keV, in cm2/g.

    Between the table's whole keV the logarithms run straight, so an absorption edge is 1 keV wide. Raises ValueError
    outside of 10 to 160 keV.
    """
    known, columns = _table()
    at = np.asarray(energies, np.float64)
    if at.size and not (known[0] <= at.min() and at.max() <= known[-1]):
        raise ValueError(f"energies from {at.min():g} to {at.max():g} keV; the table has {known[0]:g} to {known[-1]:g}")
    return np.exp(np.interp(np.log(at), np.log(known), np.log(columns[column])))


@cache
def _table() -> tuple[Energies, dict[str, Energies]]:
    text = resources.files("xqdata.simulate").joinpath("data/attenuation.csv").read_text(encoding="utf-8")
    heading, *rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    numbers = np.array(rows, np.float64)
    return numbers[:, 0], {name: numbers[:, i] for i, name in enumerate(heading) if i}


@cache
def materials() -> dict[str, Material]:
    """Every material of `data/materials.toml` by name. Raises ValueError where the file contradicts itself."""
    text = resources.files("xqdata.simulate").joinpath("data/materials.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> dict[str, Material]:
    """The materials in a TOML text of the kind that `data/materials.toml` explains."""
    entries = tomllib.loads(text)
    return {name: Material(name, float(entry["density"]), _fractions(name, entries)) for name, entry in entries.items()}


def _fractions(name: str, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    entry = entries[name]
    match [entry[key] for key in ("formula", "elements", "parts") if key in entry]:
        case [str(formula)]:
            return of_formula(formula)
        case [dict(shares)]:
            pass
        case _:
            raise ValueError(f"{name}: exactly one of formula, elements and parts")
    total = sum(shares.values())
    if abs(total - 1.0) > _ROUNDED:
        raise ValueError(f"{name}: the fractions add up to {total:g}")
    fractions: dict[str, float] = {}
    for part, share in shares.items():
        for element, fraction in (_fractions(part, entries) if "parts" in entry else {part: 1.0}).items():
            fractions[element] = fractions.get(element, 0.0) + share * fraction / total
    return fractions


def of_formula(formula: str) -> dict[str, float]:
    """Mass fractions by element of a formula without brackets, as `C6H10O5`."""
    pairs = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    if "".join(symbol + count for symbol, count in pairs) != formula or not pairs:
        raise ValueError(f"{formula!r} is no formula of elements and counts")
    masses: dict[str, float] = {}
    for symbol, count in pairs:
        masses[symbol] = masses.get(symbol, 0.0) + WEIGHTS[symbol] * int(count or 1)
    total = sum(masses.values())
    return {symbol: mass / total for symbol, mass in masses.items()}
