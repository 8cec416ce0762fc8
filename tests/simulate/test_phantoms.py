"""The 21 phantoms: weights and sizes of real things, no negative matter, and what makes classes alike."""

import functools
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xqdata import taxonomy
from xqdata.simulate import geometry as g
from xqdata.simulate import phantoms
from xqdata.simulate.materials import materials
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.shapes import ball, cut, emptied, lathe, limb, lump, rod

# Grams and longest side in mm of one specimen, which may be a portion: two tulip bulbs weigh more than one. Rough
# common knowledge, not a survey; the ends are wide enough for the smallest and largest portion that a class draws.
KNOWN = {
    "dracaena": ((40, 600), (200, 520)),
    "fruit_tree_sapling": ((10, 800), (240, 520)),
    "tulip_bulb": ((10, 260), (30, 190)),
    "ginseng": ((12, 110), (130, 400)),
    "apple": ((70, 350), (50, 105)),
    "mango": ((110, 550), (65, 160)),
    "mandarin": ((35, 200), (42, 85)),
    "chilli_pepper": ((4, 180), (90, 290)),
    "potato": ((60, 420), (50, 150)),
    "garlic": ((13, 190), (30, 180)),
    "chestnut": ((20, 150), (50, 150)),
    "walnut": ((15, 130), (55, 160)),
    "soybean": ((10, 120), (60, 240)),
    "tree_ear_mushroom": ((10, 190), (90, 420)),
    "shiitake_mushroom": ((8, 170), (60, 290)),
    "sausage": ((25, 600), (85, 400)),
    "pork_rib": ((55, 1400), (55, 280)),
    "cheese": ((25, 750), (55, 190)),
    "egg": ((36, 88), (34, 70)),
    "honey": ((100, 1000), (60, 175)),
    "stag_beetle": ((12, 140), (55, 180)),
}
# Grams of a material that give its class away.
CONTENTS = {
    ("apple", "seed"): (0.1, 1.2),
    ("mango", "fruit_stone"): (5, 45),
    ("mandarin", "citrus_peel"): (8, 50),
    ("egg", "egg_shell"): (3.5, 8.5),
    ("egg", "egg_yolk"): (10, 22),
    ("walnut", "nut_shell"): (7, 70),
    ("pork_rib", "bone"): (8, 240),
    ("honey", "honey"): (60, 750),
    ("stag_beetle", "chitin"): (1, 14),
    ("soybean", "seed"): (8, 115),
}
# Classes that are taken for one another, typical ones of which differ in weight.
ALIKE = [("apple", "mandarin"), ("mango", "mandarin"), ("sausage", "ginseng"), ("garlic", "walnut")]

PARALLEL = g.View("parallel", (0.0, -2e5), (-280.0, 0.0), (280.0, 0.0), 280, 2.0)
FAN = g.View("fan", (-150.0, -350.0), (-840.0, 520.0), (790.0, 520.0), 160, 3.2)
DIFFICULTIES = (0.0, 0.5, 1.0)


@functools.lru_cache(maxsize=512)
def specimen(name: str, seed: int, difficulty: float = 0.5) -> phantoms.Phantom:
    return phantoms.build(name, np.random.default_rng([seed, zlib.crc32(name.encode())]), difficulty)


def used(body: g.Body) -> list[str]:
    return sorted({part.material for part in body} | {part.within for part in body if part.within})


def amounts(body: g.Body, view: g.View, columns: int) -> np.ndarray:
    """The areal density (g/cm²) of each material of `used` alone, (rows, columns, materials)."""
    names = used(body)
    densities = np.diag([materials()[name].density for name in names])
    return g.project(body, view, columns, lambda name: densities[names.index(name)], len(names))


def weighed(body: g.Body) -> tuple[dict[str, float], float]:
    """Grams of each material and the longest side of the shadow (mm), from a picture by parallel rays."""
    shadow = amounts(g.moved(body, g.shift(280, 0, 0)), PARALLEL, 280)
    grams = shadow.sum((0, 1)) * (2.0 * 2.0 / 100)
    seen = np.nonzero(shadow.sum(2) > 0.02)
    return dict(zip(used(body), grams.tolist(), strict=True)), 2.0 * max(np.ptp(axis) for axis in seen)


def test_there_is_one_for_each_object_of_the_reference_taxonomy():
    assert list(phantoms.OBJECTS) == list(taxonomy.load().objects)


@pytest.mark.parametrize("name", KNOWN)
def test_weight_and_size_are_those_of_the_real_thing(name):
    (light, heavy), (short, long) = KNOWN[name]
    for seed in range(8):
        body = specimen(name, seed, DIFFICULTIES[seed % 3]).body
        lying = g.moved(body, specimen(name, seed, DIFFICULTIES[seed % 3]).rests[-1])
        grams, side = weighed(lying)
        assert light < sum(grams.values()) < heavy
        assert short < side < long
        for (of, material), (least, most) in CONTENTS.items():
            if of == name:
                assert least < grams[material] < most, material


@pytest.mark.parametrize("name", KNOWN)
def test_no_ray_meets_less_than_nothing_of_any_material(name):
    for seed in range(6):
        phantom = specimen(name, seed, DIFFICULTIES[seed % 3])
        pose = Draw(np.random.default_rng(seed), 0.0).spin()
        for turned in (pose, phantom.rests[seed % len(phantom.rests)]):
            seen = amounts(g.moved(phantom.body, g.shift(250, 0, 180) @ turned), FAN, 160)
            assert seen.max() > 0.05
            assert seen.min() > -2e-3, used(phantom.body)[int(seen.min((0, 1)).argmin())]


@pytest.mark.parametrize("name", KNOWN)
def test_the_generator_alone_decides(name):
    first, again = (phantoms.build(name, np.random.default_rng(5), 0.7) for _ in range(2))
    assert first.object == name
    assert all(np.array_equal(a, b) for a, b in zip(first.rests, again.rests, strict=True))
    for a, b in zip(first.body, again.body, strict=True):
        assert (a.shape, a.material, a.within, a.density, a.taper, a.texture, a.cuts) == (
            *(b.shape, b.material, b.within, b.density, b.taper, b.texture, b.cuts),
        )
        assert np.array_equal(a.matrix, b.matrix)
        assert (a.raster is None and b.raster is None) or np.array_equal(a.raster, b.raster)


@pytest.mark.parametrize("name", KNOWN)
def test_two_specimens_differ_and_two_passes_of_one_do_not(name):
    pictures = [
        amounts(g.moved(specimen(name, seed).body, g.shift(250, 0, 180)), FAN, 160).sum(2) for seed in (11, 12, 13, 11)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pictures[one] - pictures[other]).sum() > 0.05 * pictures[one].sum()
    assert np.array_equal(pictures[0], pictures[3])


@settings(max_examples=42, deadline=None)
@given(st.sampled_from(sorted(KNOWN)), st.integers(0, 2**32), st.floats(0, 1))
def test_any_draw_builds(name, seed, difficulty):
    phantom = phantoms.build(name, np.random.default_rng(seed), difficulty)
    assert set(used(phantom.body)) <= set(materials())
    low, high = g.extent(phantom.body)
    assert low + high == pytest.approx(np.zeros(3), abs=1e-6)
    assert (high - low).max() < 650
    # A view costs 40 microseconds for each part.
    assert len(phantom.body) < 500
    for part in phantom.body:
        assert np.isfinite(part.matrix).all()
        assert np.linalg.det(part.matrix[:3, :3]) != 0
        assert 0.0 <= part.taper <= 1.0
        assert (part.raster is not None) == (part.shape == "sheet")
        if part.raster is not None:
            assert np.isfinite(part.raster).all() and part.raster.min() >= 0
    for rest in phantom.rests:
        assert rest[:3, :3] @ rest[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(rest) == pytest.approx(1)
        assert rest[:3, 3] == pytest.approx(np.zeros(3))


@pytest.mark.parametrize(("name", "other"), ALIKE)
def test_difficulty_draws_alike_classes_together(name, other):
    def apart(difficulty: float) -> float:
        sizes = []
        for of in (name, other):
            masses = [np.log(sum(weighed(specimen(of, s, difficulty).body)[0].values())) for s in range(100, 124)]
            sizes.append((np.mean(masses), np.var(masses)))
        (a, va), (b, vb) = sizes
        return abs(a - b) / np.sqrt((va + vb) / 2)

    assert apart(1.0) < 0.8 * apart(0.0)


def test_other_objects_and_difficulties_are_refused():
    with pytest.raises(KeyError):
        phantoms.build("pineapple", np.random.default_rng(0))
    with pytest.raises(ValueError, match="it goes from 0 to 1"):
        phantoms.build("apple", np.random.default_rng(0), 1.2)


# --- the shapes that they grow from


def volume(*parts: g.Part) -> float:
    """In mm³, from a picture by parallel rays at 0.5 mm."""
    fine = g.View("fine", (0.0, -2e5), (-80.0, 0.0), (80.0, 0.0), 320, 0.5)
    shadow = g.project(g.moved(parts, g.shift(80, 0, 0)), fine, 320, lambda _: np.array([10.0]), 1)
    return float(shadow.sum()) * 0.25


@settings(max_examples=25, deadline=None)
@given(st.floats(-100, 100), st.floats(4, 12), st.sampled_from([1.0, 0.6]), st.integers(0, 99))
def test_a_bent_limb_has_the_volume_of_a_straight_one(bend, radius, flat, seed):
    """By Pappus's theorem, as long as its joints neither gap nor overlap."""
    count = 9
    angles = np.radians(bend) * np.linspace(-0.5, 0.5, count - 1)
    steps = 90 / (count - 1) * np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
    line = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    line -= line.mean(0)
    body = limb(line, np.full(count, radius), "water", flat=flat, caps=(0.0, 0.0))
    spin = Draw(np.random.default_rng(seed), 0.0).spin()
    assert volume(*g.moved(body, spin)) == pytest.approx(np.pi * radius**2 * flat * 90, rel=0.02)


def test_volumes_of_lumps_lathes_rods_and_caps():
    assert volume(*lump("water", (20, 15, 12), (25, 15, 9))) == pytest.approx(
        4 / 3 * np.pi * (20 + 25) / 2 * 15 * (12 + 9) / 2, rel=0.01
    )
    frustum = np.pi * 30 / 3 * (8**2 + 8 * 14 + 14**2)
    for body in (lathe([(-15, 8), (15, 14)], "water"), (rod("water", (-15, 0, 0), (15, 0, 0), 8, 14),)):
        assert volume(*body) == pytest.approx(frustum, rel=0.01)
    capped = limb([(-20, 0, 0), (20, 0, 0)], [10, 10], "water", caps=(1.0, 0.5))
    assert volume(*capped) == pytest.approx(np.pi * 100 * 40 + 2 / 3 * np.pi * 1000 * 1.5, rel=0.01)


def test_what_is_emptied_is_gone_and_cuts_are_in_millimetres():
    body = lump("water", (20, 20, 20), (25, 20, 20))
    assert volume(*body, *emptied(body, "water")) == pytest.approx(0.0, abs=1.0)
    whole = ball("water", (5, 0, 0), (20, 10, 15), g.turn("x", 30))
    half = g.Part("ball", whole.matrix, "water", cuts=(cut(whole.matrix, (0, 0, 1), (5, 0, 0)),))
    assert volume(half) == pytest.approx(volume(whole) / 2, rel=0.01)
