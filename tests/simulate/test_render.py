"""Pseudo-colour.

Wrong while green would be: classes that depend on thickness, boundaries fitted to one thickness or one tube, colours
that no scanner shows, channels in the wrong order, opaque parts that turn to food because scatter fills them.
"""

from __future__ import annotations

import colorsys
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xqdata.simulate import render
from xqdata.simulate.detector import Detector, Table
from xqdata.simulate.exposure import Exposure, expose, quanta
from xqdata.simulate.materials import materials
from xqdata.simulate.render import Palette, atomic_numbers, colour, grey, ratio_at, styles
from xqdata.simulate.spectrum import tube

TABLES = {kvp: Table(tube(kvp), Detector()) for kvp in (140, 160)}
PALETTES = {(style, kvp): Palette(style, table) for style in ("gilardoni", "cubox") for kvp, table in TABLES.items()}
STYLES = sorted(styles())
# Thickness in mm over which a scanner tells the class, and the class.
CLASSES = {
    **{"polypropylene": (4, 250, "organic"), "water": (3, 200, "organic"), "apple_flesh": (5, 250, "organic")},
    **{"muscle": (3, 180, "organic"), "wood": (8, 400, "organic"), "honey": (3, 150, "organic")},
    **{"aluminium": (2, 60, "mixed"), "glass": (2, 70, "mixed"), "bone": (4, 90, "mixed")},
    **{"steel": (0.3, 8, "metal"), "copper": (0.3, 7, "metal"), "brass": (0.3, 7, "metal")},
}


def counts(table: Table, name: str, millimetres: float, shape: tuple[int, int] = (12, 12)) -> tuple[np.ndarray, ...]:
    """Both energies behind a slab, without noise."""
    material = materials()[name]
    a = np.broadcast_to(table.coefficients(material) * material.density * millimetres / 10, (*shape, 3))
    return tuple(np.rint(s * 60_000).astype(np.uint16) for s in table.signals(a.astype(np.float32)))


def class_of(rgb: np.ndarray) -> str:
    """The class whose hue a colour has."""
    red, green, blue = (float(v) / 255 for v in rgb)
    hue = colorsys.rgb_to_hsv(red, green, blue)[0] * 360
    if hue < 46:
        return "organic"
    return "mixed" if 85 < hue < 150 else "metal" if 165 < hue < 240 else f"hue {hue:.0f}"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kvp", TABLES)
@pytest.mark.parametrize("name", CLASSES)
def test_a_material_keeps_its_class_at_every_thickness(style, kvp, name):
    first, last, expected = CLASSES[name]
    for millimetres in np.geomspace(first, last, 12):
        shown = colour(*counts(TABLES[kvp], name, millimetres), PALETTES[style, kvp])
        assert class_of(shown[6, 6]) == expected, millimetres


@pytest.mark.parametrize("style", STYLES)
def test_it_gets_darker_with_every_millimetre(style):
    for name, (first, last, _) in CLASSES.items():
        shown = [
            colour(*counts(TABLES[140], name, t), PALETTES[style, 140])[6, 6] @ np.array([0.299, 0.587, 0.114])
            for t in np.geomspace(first, last, 25)
        ]
        assert np.all(np.diff(shown) <= 1.0), name
        assert shown[0] - shown[-1] > 60


def test_boundaries_follow_the_beam():
    """At another voltage the same ratio means another substance; the palette knows."""
    style = styles()["gilardoni"]
    soft, hard = (ratio_at(TABLES[kvp], "aluminium", np.array([0.7]), style)[0] for kvp in (140, 160))
    assert hard > soft + 0.02
    numbers = {kvp: atomic_numbers(TABLES[kvp], style) for kvp in TABLES}
    assert np.abs(numbers[140] - numbers[160]).max() > 1.0


def test_substances_stand_in_the_order_of_their_atomic_numbers():
    brightness = np.linspace(0.2, 0.85, 14)
    for table in TABLES.values():
        for style in styles().values():
            known = np.array([ratio_at(table, name, brightness, style) for name, _ in render.REFERENCES])
            assert np.all(np.diff(known, axis=0) > 0)
            numbers = atomic_numbers(table, style)
            assert np.all(np.diff(numbers, axis=0) >= 0)


def test_a_reference_is_given_its_own_number():
    style = styles()["cubox"]
    numbers = atomic_numbers(TABLES[140], style)
    columns = np.arange(60, 220)
    brightness = (columns + 0.5) / numbers.shape[1]
    for name, z in render.REFERENCES:
        ratio = ratio_at(TABLES[140], name, brightness, style)
        rows = ((ratio - 0.8) / (3.2 - 0.8) * numbers.shape[0]).astype(int)
        inside = rows < numbers.shape[0]
        assert numbers[rows[inside], columns[inside]] == pytest.approx(np.full(inside.sum(), z), abs=1.2), name


@pytest.mark.parametrize("style", STYLES)
def test_air_is_as_white_as_the_makers(style):
    air = np.full((20, 20), 60_000, np.uint16)
    shown = colour(air, air, PALETTES[style, 140])
    assert np.all(shown >= 252)
    assert np.all(grey(air, PALETTES[style, 140]) >= 235)


@pytest.mark.parametrize("style", STYLES)
def test_what_is_opaque_is_dark_and_no_food(style):
    for name, millimetres in (("steel", 40), ("lead", 15), ("steel", 25)):
        shown = colour(*counts(TABLES[140], name, millimetres), PALETTES[style, 140])[6, 6]
        assert shown.max() <= 70
        assert shown[2] >= shown[0]
    black = np.zeros((9, 9), np.uint16)
    assert colour(black, black, PALETTES[style, 140]).max() <= 70


@pytest.mark.parametrize("style", STYLES)
def test_a_noisy_scan_of_air_and_of_steel(style):
    """With noise and scatter as they are: no colour in air, no food in thick steel."""
    machine = Exposure(quanta(tube(140), Detector()))
    table, rng = TABLES[140], np.random.default_rng(0)
    steel = table.coefficients(materials()["steel"]) * 7.85
    slab = np.zeros((160, 300, 3), np.float32)
    slab[40:120, 60:240] = steel * 2.0
    shown = colour(*expose(*table.signals(slab), rng, machine), PALETTES[style, 140]).astype(int)
    inside, outside = shown[50:110, 75:225].reshape(-1, 3), shown[:25].reshape(-1, 3)
    assert np.mean(inside[:, 0] > inside[:, 2] + 5) < 0.02
    assert inside.mean() < 50
    assert np.mean(outside.min(axis=1) > 240) > 0.999


@pytest.mark.parametrize("style", STYLES)
def test_sharpening_makes_dark_rims_inside_and_bright_ones_outside(style):
    table, palette = TABLES[140], PALETTES[style, 140]
    a = np.zeros((40, 60, 3), np.float32)
    a += table.coefficients(materials()["polypropylene"]) * 0.905 * 0.8
    a[:, 30:] += table.coefficients(materials()["aluminium"]) * 2.7 * 0.8
    soft = cv2.GaussianBlur(a, (0, 0), 0.8)
    line = colour(*(np.rint(s * 60_000).astype(np.uint16) for s in table.signals(soft)), palette)[20].astype(float)
    light = line @ np.array([0.299, 0.587, 0.114])
    assert light[:30].max() > light[5] + 2
    assert light[30:].min() < light[-5] - 2


def test_a_single_pixel_without_signal_spoils_no_more_than_its_neighbours():
    low, high = counts(TABLES[140], "water", 40, (41, 41))
    palette = PALETTES["gilardoni", 140]
    clean = colour(low, high, palette)
    low[20, 20] = high[20, 20] = 0
    hit = np.argwhere((colour(low, high, palette) != clean).any(axis=2))
    assert np.abs(hit - 20).max() <= 7


@given(st.sampled_from(STYLES), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**32))
def test_any_counts_give_a_picture(style, rows, columns, seed):
    low, high = np.random.default_rng(seed).integers(0, 65_536, (2, rows, columns), np.uint16)
    kept = low.copy(), high.copy()
    shown = colour(low, high, PALETTES[style, 140])
    assert (shown.shape, shown.dtype) == ((rows, columns, 3), np.uint8)
    assert np.array_equal(shown, colour(low, high, PALETTES[style, 140]))
    assert np.array_equal(low, kept[0])
    assert np.array_equal(high, kept[1])


def test_grey_follows_the_signal():
    ramp = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    for palette in PALETTES.values():
        shown = grey(ramp, palette).ravel().astype(int)
        assert np.all(np.diff(shown) >= 0)
        assert shown[0] < 15
        assert shown[60_000] > 235


def test_another_value_of_air_gives_the_same_picture():
    low, high = counts(TABLES[140], "bone", 20)
    half = Palette("gilardoni", TABLES[140], air=30_000)
    shown = colour((low // 2).astype(np.uint16), (high // 2).astype(np.uint16), half).astype(int)
    assert np.abs(shown - colour(low, high, PALETTES["gilardoni", 140])).max() <= 4


def test_every_style_is_whole():
    for style in styles().values():
        assert np.all(np.diff(style.tone, axis=0) > 0)
        assert list(style.atomic_numbers) == sorted(style.atomic_numbers)
        for ramp in style.ramps:
            assert np.all(np.diff(ramp[:, 0]) > 0)
            assert (ramp[0, 0], ramp[-1, 0]) == (0.0, 1.0)
            light = ramp[:, 1:] @ np.array([0.299, 0.587, 0.114])
            assert np.all(np.diff(light) >= 0)


REAL = {"gilardoni": "compass_xp/Colour", "cubox": "cubox/images"}
# Hues in degrees that only one class has, in that maker's pictures.
HUES = {
    "gilardoni": {"organic": (0, 45), "mixed": (95, 130), "metal": (195, 215)},
    "cubox": {"organic": (15, 28), "mixed": (115, 140), "metal": (215, 230)},
}


@pytest.mark.real
@pytest.mark.skipif("XQDATA_REAL_DATA" not in os.environ, reason="XQDATA_REAL_DATA is not set")
@pytest.mark.parametrize("style", STYLES)
def test_the_colours_are_those_of_real_scans(style):
    """For each class the mean colour of real pixels, by luminance, lies within 16 levels of the ramp's."""
    files = sorted((Path(os.environ["XQDATA_REAL_DATA"]) / REAL[style]).rglob("*.png"))[:12]
    pixels = np.concatenate([cv2.imread(str(file))[::2, ::2, ::-1].reshape(-1, 3) for file in files])
    hsv = cv2.cvtColor((pixels[None] / 255).astype(np.float32), cv2.COLOR_RGB2HSV)[0]
    light = pixels @ np.array([0.299, 0.587, 0.114])
    ramps = dict(zip(HUES[style], (styles()[style].ramps[i] for i in (0, 1, 3)), strict=True))
    compared = 0
    for name, (first, last) in HUES[style].items():
        own = (hsv[:, 0] >= first) & (hsv[:, 0] < last) & (hsv[:, 1] > 0.1)
        ramp = ramps[name]
        shown = ramp[:, 1:] @ np.array([0.299, 0.587, 0.114])
        for level in range(10, 240, 20):
            here = own & (np.abs(light - level) < 5)
            if here.sum() >= 200 and level < shown[-3]:
                expected = [np.interp(level, shown, ramp[:, channel]) for channel in (1, 2, 3)]
                assert np.abs(pixels[here].mean(axis=0) - expected).max() < 16, (name, level)
                compared += 1
    assert compared >= 20
