"""Writes attenuation.csv, the mass attenuation coefficients that the simulator ships.

Run it in an environment of its own, from the folder of this file; xqdata itself needs neither it nor xraydb:

    python -m venv /tmp/tables && /tmp/tables/bin/pip install xraydb==4.5.8
    /tmp/tables/bin/python attenuation.py

Source: xraydb's tables of Elam, Ravel and Sieber (Radiation Physics and Chemistry 63 (2002) 121), which agree with
NIST XCOM to better than 1% here: photoelectric, coherent and incoherent scattering of free atoms.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import xraydb  # type: ignore[import-not-found]

ENERGIES = range(10, 161)  # keV
# What the materials, the tube, its filters and the scintillators are made of.
ELEMENTS = ("H Li B C N O F Na Mg Al Si P S Cl Ar K Ca Ti Cr Mn Fe Co Ni Cu Zn Br Ag Sn I Cs Ba Gd W Pb").split()
SCINTILLATORS = "O S I Cs Gd".split()
HEADER = """\
# Mass attenuation coefficients in cm2/g by photon energy in keV, coherent scattering included.
# "absorbed": the photoelectric coefficient and the electron's mean share of the incoherent one.
# Source: Elam, Ravel and Sieber, Radiation Physics and Chemistry 63 (2002) 121, as in
# {version}. Written by attenuation.py.
"""
REST = 510.99895  # an electron's rest energy, keV


def recoil(energy: float) -> float:
    """The mean share of a photon's energy that a Compton electron takes, by Klein and Nishina."""
    cosine = np.linspace(-1.0, 1.0, 4001)
    ratio = 1.0 / (1.0 + energy / REST * (1.0 - cosine))
    weight = ratio**2 * (ratio + 1.0 / ratio - 1.0 + cosine**2)
    return float(np.sum(weight * (1.0 - ratio)) / np.sum(weight))


def column(element: str, kind: str) -> list[float]:
    """One element's coefficient of one kind at every energy, in cm2/g."""
    values = xraydb.mu_elam(element, np.array(ENERGIES) * 1000.0, kind=kind)
    return [float(value) for value in values]


def absorbed(element: str) -> list[float]:
    """What stays in a scintillator: photoelectric absorption whole, of Compton scattering the electron's share."""
    pairs = zip(ENERGIES, column(element, "photo"), column(element, "incoh"), strict=True)
    return [photo + recoil(energy) * compton for energy, photo, compton in pairs]


def main() -> None:
    """Write the table beside this file."""
    columns = {element: column(element, "total") for element in ELEMENTS}
    columns |= {f"{element} absorbed": absorbed(element) for element in SCINTILLATORS}
    version = xraydb.get_xraydb().get_version()
    with Path(__file__).with_name("attenuation.csv").open("w", newline="", encoding="utf-8") as file:
        file.write(HEADER.format(version=version))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["energy", *columns])
        for row, energy in enumerate(ENERGIES):
            writer.writerow([energy, *(f"{values[row]:.5g}" for values in columns.values())])


if __name__ == "__main__":
    main()
