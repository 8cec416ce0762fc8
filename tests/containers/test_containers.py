"""The empty container is found and taken away.

Wrong while green would be: a ghost of what mostly lies in the middle, a mask that follows the container's edges, an
estimate that depends on the order of the scans, a mask for a scan of something else.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containers.basket_scenes import DARK, DEEP, EIGHT, HEIGHT, WIDTH, Shot, basket, page, passes, scene, things
from xqdata.containers import MINIMUM, attenuation, estimate, foreground, without_container
from xqdata.containers.maps import SIDE
from xqdata.containers.register import Picture, Template


def container(scenes, shot=EIGHT):
    return estimate([attenuation(page(s.full, shot), shot.polarity) for s in scenes]).containers[0]


def iou(mask, truth):
    return (mask & truth).sum() / max(1, (mask | truth).sum())


@pytest.fixture(scope="module")
def empty():
    return basket(1)


@pytest.fixture(scope="module")
def scenes(empty):
    return passes(empty, 14, 5)


@pytest.fixture(scope="module")
def estimated(scenes):
    return container(scenes)


def laid(found, level):
    """The estimate in the frame of a scan that shows the basket unmoved."""
    pose = found.template.register(Picture(level))
    return pose.lay([found.level, found.coverage.astype(np.float32)], level.shape)


def test_contents_are_found_and_the_container_is_not(scenes, estimated):
    found = [iou(foreground(page(s.full), "air_bright", [estimated]).mask, s.contents) for s in scenes]
    assert min(found) > 0.75 and np.mean(found) > 0.88


def test_scans_that_the_estimate_never_saw(empty, estimated):
    for s in passes(empty, 6, 99):
        mask = foreground(page(s.full), "air_bright", [estimated])
        assert iou(mask.mask, s.contents) > 0.75
        x, y, width, height = mask.box
        assert mask.mask[y : y + height, x : x + width].sum() == mask.mask.sum()
        assert mask.mask[:, [x, x + width - 1]].any(0).all() and mask.mask[[y, y + height - 1]].any(1).all()


@pytest.mark.parametrize(("shift", "degrees"), [((0, 0), 0), ((7, -5), 1.5), ((-11, 6), -2)])
def test_an_empty_basket_has_no_foreground(empty, estimated, shift, degrees):
    draw = np.random.default_rng(3)
    mask = foreground(page(scene(empty, shift=shift, degrees=degrees, draw=draw).full), "air_bright", [estimated])
    assert mask.mask.mean() < 0.001


def test_the_level_is_that_of_the_empty_basket(empty, estimated):
    level, coverage = laid(estimated, empty)
    away = np.abs(level - empty)[coverage >= 3]
    assert np.median(away) < 0.004 and np.percentile(away, 98) < 0.05


def test_things_that_always_lie_in_the_middle_leave_no_ghost(empty):
    always = passes(empty, 12, 7, middle=True, least=2)
    covered = np.mean([s.contents for s in always], axis=0)
    assert (covered == 1).sum() > 1000  # the middle is never seen empty
    found = container(always)
    level, coverage = laid(found, empty)
    middle = np.zeros(level.shape, bool)
    middle[80:140, 120:200] = True
    assert (coverage[covered == 1] < 3).mean() > 0.9
    assert np.percentile(np.abs(level - empty)[middle], 95) < 0.12  # ribs and knobs cannot be known there
    ghosts = np.median([s.full for s in always], axis=0) - empty
    assert np.median(ghosts[covered == 1]) > 0.3  # what the median over the scans would have left
    for s in always:
        assert (foreground(page(s.full), "air_bright", [found]).mask & s.contents).sum() > 0.9 * s.contents.sum()


def test_the_order_of_scans_does_not_matter(scenes):
    maps = [attenuation(page(s.full), "air_bright") for s in scenes]
    order = np.random.default_rng(0).permutation(len(maps))
    one, other = estimate(maps), estimate([maps[i] for i in order])
    assert [one.shown[i] for i in order] == list(other.shown)
    for name in ("level", "tolerance", "coverage", "steep", "region"):
        assert np.array_equal(getattr(one.containers[0], name), getattr(other.containers[0], name))


def test_too_few_scans_make_no_container(scenes):
    maps = [attenuation(page(s.full), "air_bright") for s in scenes]
    assert estimate(maps[: MINIMUM - 1]).containers == ()
    assert len(estimate(maps[:MINIMUM]).containers) == 1
    assert estimate([]).containers == ()


def test_containers_that_are_mixed_are_told_apart():
    mixed = [(k, s) for k in (1, 2, 3) for s in passes(basket(k), 7, 10 + k)]
    order = np.random.default_rng(1).permutation(len(mixed))
    found = estimate([attenuation(page(mixed[i][1].full), "air_bright") for i in order], most=9)
    pairs = {(mixed[i][0], shown) for i, shown in zip(order, found.shown, strict=True)}
    assert len(found.containers) == 3 and None not in found.shown
    assert len(pairs) == 3 == len({shown for _, shown in pairs})


def test_another_basket_is_not_taken_away(estimated):
    stranger = page(passes(basket(2), 1, 4)[0].full)
    mask = foreground(stranger, "air_bright", [estimated])
    assert mask.mask is None and mask.box is None and mask.method.startswith("not estimated: does not register")
    assert mask.row("x") == {"image_id": "x", "rle": None, "box": None, "method": mask.method}


def test_the_right_one_of_several_is_taken(scenes, estimated):
    other = container(passes(basket(2), 8, 6))
    for s in scenes[:4]:
        assert iou(foreground(page(s.full), "air_bright", [other, estimated]).mask, s.contents) > 0.75


def test_unrelated_pictures_show_no_container():
    draw = np.random.default_rng(2)
    maps = [np.clip(things(draw, 9) + 0.2, 0, 3).astype(np.float32) for _ in range(8)]
    assert estimate(maps).containers == () == estimate(maps, most=5).containers
    blank = [np.zeros((HEIGHT, WIDTH), np.float32)] * 8
    for found in estimate(blank).containers:
        assert not found.template.register(Picture(maps[0])).fit


@pytest.mark.parametrize("shot", [DEEP, DARK, Shot(16, 60000, "air_dark"), Shot(scale=2.5)])
def test_other_depths_polarities_and_sizes(empty, shot):
    found = container(passes(empty, 9, 5), shot)
    for s in passes(empty, 3, 40):
        picture = page(s.full, shot)
        mask = foreground(picture, shot.polarity, [found]).mask
        assert mask.shape == picture.pixels.shape
        y, x = (np.linspace(0, n - 1, m).round().astype(int) for n, m in zip(s.contents.shape, mask.shape, strict=True))
        assert iou(mask, s.contents[np.ix_(y, x)]) > 0.75


@pytest.mark.parametrize("orientation", ["r90", "r180", "r270", "m0", "m90", "m180", "m270"])
def test_turned_and_mirrored_copies(scenes, estimated, orientation):
    s = scenes[0]
    back = (4 - int(orientation[1:]) // 90) % 4
    copy, contents = (np.rot90(part, back) for part in (s.full, s.contents))
    if orientation[0] == "m":
        copy, contents = copy[:, ::-1], contents[:, ::-1]
    mask = foreground(page(np.ascontiguousarray(copy)), "air_bright", [estimated])
    assert iou(mask.mask, contents) > 0.75 and f"turned {orientation}" in mask.method


def with_ballast(empty, seed, count):
    """Scans with a dense bar along the left side that never lies quite the same."""
    draw = np.random.default_rng(seed)
    made = []
    for s_seed in range(count):
        bars = np.zeros_like(empty)
        for y in (50, 95, 140):
            x, top = 44 + int(draw.integers(0, 4)), y + int(draw.integers(-5, 6))
            bars[top : top + 34, x : x + 10] = 2.5
        lying = things(np.random.default_rng([seed, s_seed]), 2)
        made.append((scene(empty + bars, lying, shift=tuple(draw.normal(0, 3, 2)), draw=draw), lying))
    return made


def test_loose_ballast_is_set_aside_and_costs_no_content(empty):
    made = [s for s, _ in with_ballast(empty, 3, 12)]
    found = container(made)
    told = []
    for s in made:
        mask = foreground(page(s.full), "air_bright", [found])
        told.append("loose ballast" in mask.method)
        assert (mask.mask & s.contents).sum() > 0.85 * s.contents.sum()
        assert mask.mask[:, :70][~s.contents[:, :70]].mean() < 0.02
    assert any(told)


def test_dense_things_in_the_middle_are_no_ballast(empty):
    draw = np.random.default_rng(8)
    made = []
    for _ in range(10):
        lying = np.zeros_like(empty)
        x, y = (int(v) for v in draw.integers((70, 50), (210, 140)))
        lying[y : y + 25, x : x + 40] = 2.2
        made.append(scene(empty, lying, draw=draw))
    found = container(made)
    for s in made:
        mask = foreground(page(s.full), "air_bright", [found])
        assert iou(mask.mask, s.contents) > 0.7 and "ballast" not in mask.method


def test_a_dead_line_is_no_content(empty, scenes, estimated):
    picture = page(scenes[0].full)
    for lines in ((100, slice(None)), (slice(None), 160)):
        pixels = picture.pixels.copy()
        pixels[lines] = 40
        mask = foreground(page_of(pixels), "air_bright", [estimated]).mask
        assert iou(mask, foreground(picture, "air_bright", [estimated]).mask) > 0.95


def page_of(pixels):
    made = page(np.zeros(pixels.shape, np.float32))
    return type(made)(0, pixels, pixels, made.format, made.mode, made.bit_depth)


def test_what_lies_beside_the_container_is_no_content(scenes, estimated):
    full = scenes[1].full.copy()
    full[60:160, 312:] += 0.8  # the next bag on the belt
    full[4:12, 20:150] += 1.5  # text that was burnt in
    mask = foreground(page(full), "air_bright", [estimated]).mask
    assert not mask[60:160, 312:].any() and not mask[:14].any()
    assert iou(mask, scenes[1].contents) > 0.75


def test_without_a_container_all_but_air_is_foreground():
    draw = np.random.default_rng(4)
    lying = things(draw, 3)
    s = scene(np.zeros_like(lying), lying, draw=draw)
    mask = without_container(page(s.full), "air_bright")
    assert iou(mask.mask, s.contents) > 0.9 and mask.method.startswith("not air")
    nothing = without_container(page(scene(np.zeros_like(lying), draw=draw).full), "air_bright")
    assert not nothing.mask.any() and nothing.box is None


@settings(max_examples=25)
@given(x=st.floats(-12, 12), y=st.floats(-10, 10), degrees=st.floats(-3, 3), seed=st.integers(0, 9))
def test_registration_finds_the_place_despite_contents(x, y, degrees, seed):
    level = basket(1)
    draw = np.random.default_rng(seed)
    moved = scene(level, things(draw, 3), shift=(x, y), degrees=degrees, draw=draw).full
    pose = Template(level).register(Picture(moved))
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.array([WIDTH / 2, HEIGHT / 2])
    for corner in ((60, 50), (260, 50), (60, 170), (260, 170)):
        expected = turn @ (np.array(corner) - middle) + middle + (x, y)
        assert np.abs(pose.matrix @ (*corner, 1) - expected).max() < 0.5
    assert pose.fit > 0.75 and pose.slip < 0.3


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (40, 30)])
def test_pictures_of_any_size_are_measured(shape):
    full = attenuation(page(np.full(shape, 0.5, np.float32)), "air_bright")
    assert max(full.shape) == SIDE and np.isfinite(full).all()
    assert estimate([full] * 6).containers == () or foreground(
        page(np.zeros(shape, np.float32)), "air_bright", estimate([full] * 6).containers
    )


def test_values_that_are_no_numbers_are_no_air():
    picture = page(np.zeros((30, 40), np.float32), DEEP)
    values = np.full((30, 40), 0.9, np.float32)
    values[:3] = np.nan
    values[3:5] = np.inf
    made = type(picture)(0, values, picture.grey, "TIFF", "F", 32)
    for polarity in ("air_bright", "air_dark"):
        assert np.isfinite(attenuation(made, polarity)).all()
