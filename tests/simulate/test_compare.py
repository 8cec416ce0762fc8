"""The figures by which simulated scans are compared with real ones.

Wrong while green would be: rows and columns swapped, a noise that is the slope of the floor, edges measured at a slant,
specks of two tiles joined, two equal sides that differ, a stage of the simulator that is timed nowhere.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from xqdata.simulate import Settings, machine, run
from xqdata.simulate.detector import Table
from xqdata.simulate.files import files
from xqdata.simulate.plan import plan
from xqdata.simulate.settings import NO_FAULTS

REAL = os.environ.get("XQDATA_REAL_DATA", "")
BENCHMARK = Path(__file__).parents[2] / "benchmark"
FLOOR = np.array([248, 226, 186], np.float32)
LEVEL = float(FLOOR @ [0.299, 0.587, 0.114])
SIZE = (320, 480)


@pytest.fixture(scope="module")
def scripts():
    """The benchmark's modules, whose folders are on the path while they are imported."""
    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARK / "simulate"))
        patch.syspath_prepend(str(BENCHMARK / "speed"))
        patch.delitem(sys.modules, "simulate")  # the folder of these tests has that name too
        yield {name: import_module(name) for name in ("figures", "compare", "simulate")}
    for name in set(sys.modules) - known:
        if str(BENCHMARK) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="module")
def figures(scripts) -> ModuleType:
    return scripts["figures"]


def picture(noise: np.ndarray | float = 0.0) -> np.ndarray:
    """A floor with air around it, and noise of the same strength in all three colours."""
    shown = np.full((*SIZE, 3), 254.0, np.float32)
    shown[40:-40, 40:-40] = FLOOR
    shown[40:-40, 40:-40] += noise if np.isscalar(noise) else noise[40:-40, 40:-40, None]
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def grain(deviation: float, across: float = 0.0, down: float = 0.0) -> np.ndarray:
    """Noise of a standard deviation, blurred across columns and down rows."""
    noise = np.random.default_rng(3).standard_normal(SIZE).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), max(across, 1e-3), sigmaY=max(down, 1e-3))
    return noise * (deviation / noise.std())


def test_levels(figures):
    shown = picture(grain(2.0))
    assert figures.air_level(shown) == 254
    assert figures.floor_level(shown) == pytest.approx(LEVEL, abs=0.1)
    assert figures.contrast(shown) == pytest.approx(254 - LEVEL, abs=0.1)


@pytest.mark.parametrize("deviation", [1.5, 4.0])
def test_noise_is_what_was_added_even_on_a_slope(figures, deviation):
    slope = np.linspace(-2.0, 2.0, SIZE[1], dtype=np.float32)[None]
    assert figures.noise(picture(grain(deviation) + slope)) == pytest.approx(np.hypot(deviation, 0.29), rel=0.05)


def test_correlation_knows_across_from_down(figures):
    shown = picture(grain(4.0, across=0.8))
    expected = np.exp(-1 / (4 * 0.8**2))  # of white noise blurred by a Gaussian, one pixel on
    assert figures.correlation(shown, 1, 0) == pytest.approx(expected, abs=0.06)
    assert abs(figures.correlation(shown, 0, 1)) < 0.05
    turned = picture(grain(4.0, down=0.8))
    assert figures.correlation(turned, 0, 1) == pytest.approx(expected, abs=0.06)
    assert abs(figures.correlation(turned, 1, 0)) < 0.05


def test_specks_are_counted_and_those_of_two_tiles_are_two(figures):
    shown = picture()
    tile = figures.TILE
    shown[6 * tile - 1 : 6 * tile + 1, 100] = (214, 240, 203)  # one each in two tiles that touch
    shown[8 * tile + 3 : 8 * tile + 5, 200:202] = (214, 240, 203)
    tiles = len(figures.floor(shown).tiles)
    assert figures.specks(shown) == pytest.approx(1000 * 6 / (tiles * tile * tile))
    assert figures.speck_size(shown) == pytest.approx(6 / 3)


def test_colours_of_a_plain_floor_are_one(figures):
    assert figures.colours(picture()) == 1
    assert figures.colours(picture(grain(4.0))) > 10


def test_what_shows_no_floor_has_no_figures(figures):
    empty = np.full((*SIZE, 3), 254, np.uint8)
    names = ("floor_level", "contrast", "noise", "specks", "speck_size", "colours")
    assert {name: getattr(figures, name)(empty) for name in names} == dict.fromkeys(names)
    assert figures.edge_width(empty, 1) is None
    assert figures.reach(empty, 0) is None


# --- edges


def bar(dark: float, across: float, down: float) -> np.ndarray:
    """A bar of luminance `dark` on the floor, its edges blurred by a Gaussian of so many pixels."""
    light = np.ones(SIZE, np.float32)
    light[100:220, 160:330] = dark / LEVEL
    light = cv2.GaussianBlur(light, (0, 0), across, sigmaY=down)
    shown = picture().astype(np.float32)
    shown[40:-40, 40:-40] *= light[40:-40, 40:-40, None]
    return np.rint(shown).astype(np.uint8)


def test_edge_width_is_that_of_the_blur_in_its_direction(figures):
    shown = bar(30.0, across=1.5, down=1.0)
    # From 10% to 90% of an error function are 2.56 standard deviations.
    assert figures.edge_width(shown, 1) == pytest.approx(2.56 * 1.5, rel=0.08)
    assert figures.edge_width(shown, 0) == pytest.approx(2.56 * 1.0, rel=0.08)


@pytest.mark.parametrize(("degrees", "seen"), [(0.0, True), (8.0, True), (35.0, False)])
def test_slanted_edges_are_passed_over(figures, degrees, seen):
    shown = picture()
    corners = cv2.boxPoints(((240.0, 160.0), (200.0, 100.0), degrees))
    cv2.fillConvexPoly(shown, np.rint(corners).astype(np.int32), (20, 25, 30))
    assert [figures.edge_width(shown, axis) is not None for axis in (0, 1)] == [seen, seen]


def test_dip_and_halo_beside_thin_metal(figures):
    shown = bar(130.0, across=0.3, down=0.3)
    shown[120:200, 160] = 90  # along the belt only: a dark line inside and a bright one outside of the left edge
    shown[120:200, 159] = 250
    shown[120:200, 329] = 90
    shown[120:200, 330] = 250
    assert figures.dip(shown, 1) == pytest.approx(40, abs=2)
    assert figures.halo(shown, 1) == pytest.approx(250 - LEVEL, abs=1)
    assert abs(figures.dip(shown, 0)) < 8
    assert abs(figures.halo(shown, 0)) < 4


# --- colours and sizes


@pytest.mark.parametrize(
    ("material", "rgb", "hue", "saturation"),
    [("organic", (200, 120, 40), 30, 0.8), ("mixed", (80, 160, 80), 120, 0.5), ("metal", (20, 110, 200), 210, 0.9)],
)
def test_colour_at_a_luminance(figures, material, rgb, hue, saturation):
    shown = picture()
    shown[100:150, 100:150] = rgb
    light = float(np.dot(rgb, (0.299, 0.587, 0.114)))
    assert figures.colour_at(shown, material, light) == pytest.approx((hue, saturation), abs=0.1)
    assert figures.colour_at(shown, material, light - 20) is None
    others = set(figures.CLASSES) - {material}
    assert [figures.colour_at(shown, other, light) for other in others] == [None, None]


def test_reach_is_that_of_the_largest_thing(figures):
    shown = picture()
    shown[5:9, 5:9] = 0
    shown[150:153] = 30  # a dead element's line
    assert (figures.reach(shown, 0), figures.reach(shown, 1)) == (SIZE[0] - 80, SIZE[1] - 80)


def test_walls_are_the_darkest_of_the_plastic(figures):
    shown = picture()
    shown[40:60, 40:-40] = (120, 70, 20)
    dark = 20 * (SIZE[1] - 80) / ((SIZE[0] - 80) * (SIZE[1] - 80))
    assert figures.wall(shown, dark / 2) == pytest.approx(79, abs=1)
    assert figures.wall(shown, 2 * dark) == pytest.approx(LEVEL, abs=1)


# --- the table


@pytest.fixture(scope="module")
def side(scripts):
    made = scripts["compare"].simulated_scans(Settings(seed=5, specimens=2), 2)
    return dataclasses.replace(made, blades=made.blades[:2])


def test_a_side_against_itself_differs_in_nothing(scripts, side):
    lines = scripts["compare"].table(side, side)
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines[2:]]
    assert len(cells) > 50
    assert {c[3].lstrip("+-× ").rstrip("0").rstrip(".") for c in cells} <= {"", "0", "1", "–"}
    assert all(c[1] == c[2] for c in cells)
    told = {c[0]: c[1] for c in cells}
    assert told["air: commonest value"] == "254"
    assert told["edge of thin steel, along the belt: darker than the steel by"] != "none"


def test_a_darker_side_is_told(scripts, side):
    compare = scripts["compare"]
    one, darker = (compare.Shown([(side.single[0] * share).astype(np.uint8)], [], []) for share in (1.0, 0.98))
    row = next(line for line in compare.table(one, darker) if "air: commonest" in line)
    assert [c.strip() for c in row.strip("|").split("|")][1:] == ["254", "248", "-6"]


def test_hash_distances_are_of_other_objects_in_one_basket(scripts, side):
    compare = scripts["compare"]
    pictures = [side.single[0], side.single[0], side.single[1], side.single[1]]
    things = [("apple", "1"), ("egg", "1"), ("egg", "2"), ("egg", "2")]
    assert compare.hash_distances(pictures, things).tolist() == [0]


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="XQDATA_REAL_DATA is not set: it names the folder of real scans")
def test_the_floor_is_as_bright_and_noisy_as_in_real_scans(scripts, side):
    compare, figures = scripts["compare"], scripts["figures"]
    real = compare.real_scans(Path(REAL) / "compass_xp")
    assert (len(real.single), len(real.blades)) == (12, 3)
    for measure, least, most in ((figures.floor_level, 0.98, 1.02), (figures.noise, 0.85, 1.15)):
        theirs, ours = (np.median([measure(p) for p in pictures]) for pictures in (real.single, side.single))
        assert least < ours / theirs < most


# --- the speed of its stages


def test_every_stage_is_timed_and_given_back(scripts, tmp_path):
    speed = scripts["simulate"]
    settings = Settings(scans=1, rates=NO_FAULTS)
    scans = plan(settings)
    (shard,) = run._shards(settings, tmp_path, scans, files(settings, scans))
    before = (run.scene, machine.project, Table.signals)
    timed = speed._timed(shard)
    assert (run.scene, machine.project, Table.signals) == before
    assert set(timed.stages) == set(speed.STAGES)
    assert 0 < sum(timed.stages.values()) <= timed.whole
    assert timed.pictures == speed._TIMES
    assert timed.encoder > 0
    assert len(list(tmp_path.rglob("*.png"))) == 1
