"""Baskets and carriers: what fits in them, what is fixed, what moves, and that nothing is less than empty."""

from functools import cache

import numpy as np
import pytest

from assets.bodies import VIEWS, amounts, density_at, materials_of, same
from xqdata.simulate import containers as c
from xqdata.simulate import geometry as g
from xqdata.simulate.materials import materials

MAKES = tuple(c.BUILDERS)
TUNNEL = (640.0, 430.0)  # mm: width and height


@cache
def built(make: str, seed: int = 1) -> c.Container:
    return c.build(make, np.random.default_rng(seed))


def seen(body: g.Body) -> np.ndarray:
    """Areal density, g/cm²."""
    found = materials()
    weights = np.array([found[name].density / 10 for name in materials_of(body)])
    return amounts(body) @ weights


def test_kinds_are_the_taxonomys_and_a_carrier_is_hard_or_soft():
    assert built("basket").kind == "basket"
    made = {c.build("carrier", np.random.default_rng(seed)).build for seed in range(12)}
    assert made == {"trolley", "softbag"}
    assert all(built(make).kind == ("basket" if make == "basket" else "carrier") for make in MAKES)
    with pytest.raises(KeyError):
        c.build("crate", np.random.default_rng(0))


@pytest.mark.parametrize("make", MAKES)
def test_the_same_generator_builds_and_settles_the_same(make):
    once = c.build(make, np.random.default_rng(3))
    c.build("basket", np.random.default_rng(9))  # nothing is kept from other calls
    again = c.build(make, np.random.default_rng(3))
    assert same(once.body, again.body) and once.room == again.room
    assert all(same(a, b) for a, b in zip(once.ballast, again.ballast, strict=True))
    assert same(c.settle(once, np.random.default_rng(5)), c.settle(again, np.random.default_rng(5)))


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_nothing_is_less_than_empty_and_every_material_is_known(make, seed):
    body = c.settle(built(make, seed), np.random.default_rng(seed))
    assert set(materials_of(body)) <= set(materials())
    for view in VIEWS:
        lengths = amounts(body, view)
        assert lengths.min() > -0.02  # mm: float32 sums
        assert lengths.max() > 1.0


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("seed", range(1, 9))
def test_items_room_lies_inside_and_is_empty(make, seed):
    container = built(make, seed)
    low, high = g.extent(container.body)
    room = np.array(container.room)
    assert (room[:, 0] < room[:, 1]).all()
    assert (room[:2, 0] > low[:2]).all() and (room[:2, 1] < high[:2]).all()
    assert room[2, 0] > low[2] and room[0, 1] - room[0, 0] > 300 and room[1, 1] - room[1, 0] > 180
    if make != "basket":  # a basket is open, and things may stick out of it
        assert room[2, 1] < high[2]
    rng = np.random.default_rng(seed)
    points = rng.uniform(room[:, 0], room[:, 1], (4000, 3))
    corners = np.array([[room[i, k >> i & 1] for i in range(3)] for k in range(8)])
    density = density_at(container.body, np.concatenate([points, corners]))
    assert abs(density).max() < (1e-6 if make != "softbag" else 2.1)
    assert (abs(density) > 1e-6).mean() < 0.01  # a bag's loops of piping may dip in


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("seed", range(1, 7))
def test_they_rest_on_the_belt_and_go_through_the_tunnel(make, seed):
    low, high = g.extent(c.settle(built(make, seed), np.random.default_rng(seed)))
    assert -15.0 < low[2] < 15.0
    assert high[2] < TUNNEL[1] and -TUNNEL[0] / 2 < low[1] and high[1] < TUNNEL[0] / 2
    assert high[0] - low[0] < 720.0
    assert abs(high[0] + low[0]) < 60.0


@pytest.mark.parametrize("make", ["basket", "trolley"])
def test_a_rigid_one_settles_with_its_loose_pieces_only(make):
    container = built(make)
    first, second = (c.settle(container, np.random.default_rng(seed)) for seed in (1, 2))
    fixed = len(container.body)
    assert all(part is own for part, own in zip(first[:fixed], container.body, strict=True))
    assert same(first[:fixed], second[:fixed])
    assert not same(first[fixed:], second[fixed:])
    loose = [part for piece in container.ballast for part in piece]
    for part, own in zip(first[fixed:], loose, strict=True):
        by = part.matrix @ np.linalg.inv(own.matrix)
        assert by[:3, :3] @ by[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)  # moved, not changed
        assert by[2] == pytest.approx([0, 0, 1, 0], abs=1e-9)  # and along the floor


def test_a_soft_bag_gives_a_little_everywhere():
    container = built("softbag", 2)
    first, second = (c.settle(container, np.random.default_rng(seed)) for seed in (1, 2))
    assert len(first) == len(second) == len(container.body) + sum(map(len, container.ballast))
    for one, other in zip(first, second, strict=True):
        assert one.material == other.material
        assert np.linalg.norm(one.matrix[:2, 3] - other.matrix[:2, 3]) < 70.0
    cloth = [i for i, part in enumerate(container.body) if part.raster is not None and part.raster.shape[1] > 200]
    assert len(cloth) >= 2
    for i in cloth:
        assert not np.array_equal(first[i].raster, container.body[i].raster)
        assert first[i].raster.sum() == pytest.approx(container.body[i].raster.sum(), rel=0.08)
    assert abs(seen(first) - seen(second)).mean() > 0.01


@pytest.mark.parametrize("make", MAKES)
def test_two_instances_differ_more_than_two_scans_of_one(make):
    one, other = built(make, 11), built(make, 12)
    scans = [seen(c.settle(one, np.random.default_rng(seed))) for seed in range(3)]
    stranger = seen(c.settle(other, np.random.default_rng(0)))
    # Ballast and buckles are so dense that they drown the rest; cut them at 1 g/cm².
    between = np.mean([abs(scan.clip(0, 1) - stranger.clip(0, 1)).mean() for scan in scans])
    within = np.mean([abs(scan.clip(0, 1) - scans[0].clip(0, 1)).mean() for scan in scans[1:]])
    assert 0 < within < 0.6 * between


@pytest.mark.parametrize("seed", range(1, 5))
def test_ballast_is_dense_lies_on_two_sides_and_stays_on_the_floor(seed):
    container = built("basket", seed)
    floor_low, floor_high = g.extent(part for part in container.body if part.shape == "sheet")
    for scan in range(15):
        body = c.settle(container, np.random.default_rng(scan))
        low, high = g.extent(body[len(container.body) :])
        assert (low[:2] > floor_low[:2] - 0.5).all() and (high[:2] < floor_high[:2] + 0.5).all()
    thick = seen(c.settle(container, np.random.default_rng(0)))
    columns = np.flatnonzero((thick > 8.0).sum(0) > 5)
    assert columns.size and columns.min() < 60 and columns.max() > 150
    assert not ((columns > 70) & (columns < 140)).any()


def test_a_basket_is_of_thin_plastic():
    lengths = amounts(built("basket").body)
    assert materials_of(built("basket").body) == ["polypropylene"]
    assert 1.5 < np.median(lengths[lengths > 0.5]) < 8.0


def test_a_trolley_has_metal_rods_wheels_and_a_shell_of_plastic():
    body = built("trolley").body
    length = {name: amounts(body)[..., i] for i, name in enumerate(materials_of(body))}
    metal = length.get("aluminium", 0) + length["steel"]
    assert ((metal > 1.0).mean(1) > 0.4).sum() >= 4  # rows in which rods or wires run along the belt
    assert length["polycarbonate" if "polycarbonate" in length else "abs"].max() > 15.0  # a wall seen along itself
