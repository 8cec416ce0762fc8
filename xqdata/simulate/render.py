"""The pictures that a dual-energy scanner shows: pseudo-colour by material, and grey.

The ratio of both energies' log transmissions tells how an atomic number would look that fills the whole ray; the mean
transmission gives the brightness. Where the ratio of a substance lies is computed from the beam and the detector, at
every brightness anew, because beams harden. What colour an atomic number gets is a maker's choice: the two palettes
were read off public scans, see `data/palettes.toml`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.kernels.compiled import compiled
from xqdata.simulate.detector import Table
from xqdata.simulate.materials import materials

Counts = NDArray[np.uint16]
Picture = NDArray[np.uint8]

# Substances whose ratio is computed, and the atomic number each stands for (compounds: by its photoelectric effect).
REFERENCES = (("polyethylene", 5.5), ("water", 7.5), ("aluminium", 13.0), ("iron", 26.0), ("tin", 50.0))
_RATIOS = (0.8, 3.2)  # the look-up table's range of ratios
_BINS = 320  # of them
_LEVELS = 256  # of brightness
_SHADES = 256  # from the first ramp to the last
_DEPTHS = np.concatenate([[0.0], np.geomspace(1e-4, 1e2, 1200)])  # g/cm2


@dataclass(frozen=True, eq=False)
class Style:
    """A maker's way to show a scan, as `data/palettes.toml` explains it."""

    name: str
    tone: NDArray[np.float64]
    atomic_numbers: tuple[float, ...]
    ramps: tuple[NDArray[np.float64], ...]
    opaque: float
    air: float
    smoothing: float
    sharpening: float
    radius: float
    halo: float


@cache
def styles() -> dict[str, Style]:
    """The styles of `data/palettes.toml` by name."""
    text = resources.files("xqdata.simulate").joinpath("data/palettes.toml").read_text(encoding="utf-8")
    return {name: _style(name, entry) for name, entry in tomllib.loads(text).items()}


def _style(name: str, entry: dict[str, Any]) -> Style:
    ramps = {key: np.array(ramp, np.float64) for key, ramp in entry["ramps"].items()}
    return Style(
        name,
        np.array(entry["tone"], np.float64),
        tuple(float(z) for z, _ in entry["colours"]),
        tuple(ramps[key] for _, key in entry["colours"]),
        entry["opaque"],
        entry["air"],
        entry["smoothing"],
        entry["sharpening"],
        entry["radius"],
        entry["halo"],
    )


class Palette:
    """A style for one beam and detector: the tables that turn two energies into a colour.

    `air`: the value of air in both energies.
    """

    def __init__(self, style: str, table: Table, air: int = 60_000) -> None:
        self.style = styles()[style]
        share = (np.arange(65536) + 0.5) / air
        self.depth: NDArray[np.float32] = (-np.log(share)).astype(np.float32)
        self.tone: NDArray[np.float32] = _toned(share, self.style).astype(np.float32)
        self.greys: Picture = np.rint(self.tone * 255.0).astype(np.uint8)
        self.shades = _shades(atomic_numbers(table, self.style), self.style)
        self.colours = _colours(self.style)


def _toned(share: NDArray[np.float64], style: Style) -> NDArray[np.float64]:
    """The brightness, 0 to 1, of a mean transmission; straight between the style's points on a logarithmic axis."""
    tone: NDArray[np.float64] = np.interp(np.log(share), np.log(style.tone[:, 0]), style.tone[:, 1])
    return tone


def _middles(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / count


def ratio_at(table: Table, material: str, brightness: NDArray[np.float64], style: Style) -> NDArray[np.float64]:
    """The ratio of log transmissions, low to high, of as much of a material as has each brightness."""
    a = np.outer(_DEPTHS[1:], table.coefficients(materials()[material])).astype(np.float32)
    low, high = (s[0].astype(np.float64) for s in table.signals(a[None]))
    seen = (low > 1e-5) & (high < 0.999)
    toned = _toned((low + high) / 2.0, style)[seen]
    ratio = (np.log(low) / np.log(high))[seen]
    at: NDArray[np.float64] = np.interp(-brightness, -toned, ratio)
    return at


def atomic_numbers(table: Table, style: Style) -> NDArray[np.float64]:
    """The atomic number that each bin of ratio (rows) and brightness (columns) looks like.

    Between substances the number goes straight with the ratio; outside of them it stays at the last one's.
    """
    brightness = _middles(_LEVELS)
    known = np.array([ratio_at(table, name, brightness, style) for name, _ in REFERENCES])
    known = np.maximum.accumulate(known, axis=0)
    bins = _RATIOS[0] + (_RATIOS[1] - _RATIOS[0]) * _middles(_BINS)
    numbers = [z for _, z in REFERENCES]
    return np.stack([np.interp(bins, known[:, i], numbers) for i in range(_LEVELS)], axis=1)


def _shades(numbers: NDArray[np.float64], style: Style) -> Picture:
    """Where between the first ramp (0) and the last (255) each atomic number lies."""
    place = np.interp(numbers, style.atomic_numbers, np.linspace(0.0, _SHADES - 1.0, len(style.ramps)))
    return np.rint(place).astype(np.uint8)


def _colours(style: Style) -> Picture:
    """Red, green and blue of each shade (rows) at each brightness (columns)."""
    brightness = _middles(_LEVELS)
    ramps = [[np.interp(brightness, ramp[:, 0], ramp[:, channel]) for channel in (1, 2, 3)] for ramp in style.ramps]
    place = np.linspace(0.0, len(ramps) - 1.0, _SHADES)
    first = np.minimum(place.astype(int), len(ramps) - 2)
    share = (place - first)[:, None, None]
    mixed = np.array(ramps)[first] * (1.0 - share) + np.array(ramps)[first + 1] * share
    return np.ascontiguousarray(np.rint(np.moveaxis(mixed, 1, 2)).astype(np.uint8))


def colour(low: Counts, high: Counts, palette: Palette) -> Picture:
    """The pseudo-colour picture, (rows, columns, 3) uint8 RGB, of two energies (rows, columns) uint16.

    Logarithms are averaged over a small neighbourhood before their ratio is taken, the brightness is sharpened, as
    scanners do.
    """
    style = palette.style
    shape = low.shape
    soft, hard, bright = (np.empty(shape, np.float32) for _ in range(3))
    _prepare(low, high, palette.depth, palette.tone, soft, hard, bright)
    soft, hard = _smooth(soft, style.smoothing), _smooth(hard, style.smoothing)
    blurred = _smooth(bright, style.radius)
    out = np.empty((*shape, 3), np.uint8)
    numbers = style.sharpening, style.halo, style.opaque, float(_toned(np.array(style.air), style))
    amounts = tuple(np.float32(number) for number in numbers)
    _paint(soft, hard, bright, blurred, amounts, palette.shades, palette.colours, out)
    return out


def _smooth(values: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(values, (0, 0), deviation, borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def grey(high: Counts, palette: Palette) -> Picture:
    """One energy in the palette's tones of grey, (rows, columns) uint8, air white."""
    return palette.greys[high]


def _prepare_loop(
    low: Counts,
    high: Counts,
    depth: NDArray[np.float32],
    tone: NDArray[np.float32],
    soft: NDArray[np.float32],
    hard: NDArray[np.float32],
    bright: NDArray[np.float32],
) -> None:
    for y in range(low.shape[0]):
        for x in range(low.shape[1]):
            first, second = low[y, x], high[y, x]
            soft[y, x] = depth[first]
            hard[y, x] = depth[second]
            bright[y, x] = tone[(np.uint32(first) + np.uint32(second)) >> np.uint32(1)]


def _paint_loop(
    soft: NDArray[np.float32],
    hard: NDArray[np.float32],
    bright: NDArray[np.float32],
    blurred: NDArray[np.float32],
    amounts: tuple[np.float32, ...],
    shades: Picture,
    colours: Picture,
    out: Picture,
) -> None:
    sharpening, halo, opaque, air = amounts
    per_ratio, first = np.float32(_BINS / (_RATIOS[1] - _RATIOS[0])), np.float32(_RATIOS[0])
    none, least, levels = np.float32(0.0), np.float32(1e-3), np.float32(_LEVELS)
    last, top = np.float32(_BINS - 1), np.float32(_LEVELS - 1)
    for y in range(soft.shape[0]):
        for x in range(soft.shape[1]):
            value = bright[y, x]
            shade = np.uint8(_SHADES - 1)
            if value >= opaque:
                ratio = soft[y, x] / max(hard[y, x], least)
                i = np.uint32(min(max((ratio - first) * per_ratio, none), last))
                shade = shades[i, np.uint32(min(value * levels, top))]
            value = min(value + sharpening * (value - blurred[y, x]), halo)
            j = np.uint32(min(max(value * levels, none), top))
            if blurred[y, x] > air:
                j = np.uint32(top)
            for channel in range(3):
                out[y, x, channel] = colours[shade, j, channel]


_prepare = compiled(_prepare_loop)
_paint = compiled(_paint_loop)
