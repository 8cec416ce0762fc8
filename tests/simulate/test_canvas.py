"""Pictures of thickness against plain geometry, and bodies of plates and round edges against points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.bodies import density_at
from xqdata.simulate import boxes, canvas, warping
from xqdata.simulate import geometry as g


def test_a_box_with_round_corners_has_its_area_and_outline():
    sheet = canvas.Canvas((100.0, 60.0), 0.5)
    distance = sheet.box((40.0, 20.0), 10.0)
    area = 80 * 40 - (4 - np.pi) * 100
    assert sheet.cover(distance).sum() * 0.25 == pytest.approx(area, rel=2e-3)
    points = canvas.ring((40.0, 20.0), 10.0, steps=9)
    assert sheet.path(points)[abs(distance) < 0.2] == pytest.approx(0.0, abs=0.35)
    assert abs(np.minimum(sheet.path(points), 8) - np.minimum(abs(distance), 8)).max() < 0.4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(-18, 18)), min_size=2, max_size=6), st.floats(2, 12))
def test_the_distance_to_a_line_is_the_least_to_its_points(points, reach):
    sheet = canvas.Canvas((70.0, 45.0), 1.0)
    found = sheet.path(points, reach)
    dense = np.concatenate(
        [np.linspace(a, b, 400) for a, b in zip(np.array(points)[:-1], np.array(points)[1:], strict=True)]
    )
    away = np.hypot(sheet.x[..., None] - dense[:, 0], sheet.y[..., None] - dense[:, 1]).min(-1)
    near = away < reach - 0.2
    assert found[near] == pytest.approx(away[near], abs=0.15)
    assert (found[away > reach + 0.2] == canvas.FAR).all()


def test_a_polygon_is_filled_by_the_even_odd_rule():
    sheet = canvas.Canvas((40.0, 40.0), 0.5)
    triangle = np.array([(-15.0, -10.0), (15.0, -10.0), (0.0, 15.0)])
    assert sheet.inside(triangle).sum() * 0.25 == pytest.approx(375.0, rel=0.02)
    distance = sheet.shape(triangle, 50.0)
    assert distance[40, 40] < 0 < distance[2, 2]
    assert sheet.cover(distance).sum() * 0.25 == pytest.approx(375.0, rel=0.01)


@pytest.mark.parametrize("diameter", [0.6, 2.0, 5.0])
def test_a_wire_keeps_its_volume_however_thin(diameter):
    sheet = canvas.Canvas((60.0, 30.0), 0.8)
    thickness = sheet.wire(sheet.path([(-60.0, 1.3), (60.0, -2.0)]), diameter)
    volume = thickness.sum() * 0.64
    assert volume == pytest.approx(np.pi * diameter**2 / 4 * 60, rel=0.1)


def test_a_window_is_the_points_of_a_rectangle_cut_at_the_edges():
    sheet = canvas.Canvas((20.0, 10.0), 1.0)
    picture = sheet.empty()
    picture[sheet.window((8.0, 0.0), (4.0, 2.0))] = 1
    rows, columns = np.nonzero(picture)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 6, 14, 19)


def test_a_sheet_keeps_its_size_and_its_thickness():
    sheet = canvas.Canvas((33.3, 20.2), 1.0)
    part = sheet.sheet(sheet.empty() + 1.23456, "paper", g.shift(5))
    low, high = g.extent((part,))
    assert high - low == pytest.approx([33.3, 20.2, 2.0])
    assert part.raster.dtype == np.float32 and part.raster[0, 0] == pytest.approx(1.23456)


def test_a_curve_passes_through_its_points():
    points = np.array([(0.0, 0.0), (10.0, 5.0), (20.0, -3.0), (31.0, 2.0)])
    line = canvas.curve(points, steps=7)
    assert line[::7] == pytest.approx(points)
    closed = canvas.curve(points, closed=True, steps=7)
    assert closed[::7] == pytest.approx(points) and len(closed) == 28
    assert np.linalg.norm(np.diff(line, axis=0), axis=1).max() < 4.0


def test_noise_has_unit_variance_lumps_of_its_size_and_no_memory():
    made = canvas.noise((240, 300), (12.0, 30.0), np.random.default_rng(3))
    assert made.mean() == pytest.approx(0.0, abs=0.35) and made.std() == pytest.approx(1.0, abs=0.2)
    assert np.array_equal(made, canvas.noise((240, 300), (12.0, 30.0), np.random.default_rng(3)))
    half = [np.mean(made[6:] * made[:-6]), np.mean(made[:, 15:] * made[:, :-15])]
    far = [np.mean(made[48:] * made[:-48]), np.mean(made[:, 120:] * made[:, :-120])]
    assert min(half) > 0.5 and max(abs(f) for f in far) < 0.35
    assert np.abs(np.diff(made, axis=0)).max() < 0.5  # smooth


def test_filaments_are_thin_and_between_0_and_1():
    sheet = canvas.Canvas((200.0, 150.0), 1.0)
    made = canvas.filaments(sheet, np.random.default_rng(1), (60.0, 25.0), 1.5)
    assert made.min() >= 0.0 and 0.5 < made.max() <= 1.0
    assert 0.01 < (made > 0.1).mean() < 0.3


def rounded(points: np.ndarray, half: tuple[float, float, float], radius: float) -> np.ndarray:
    """Which points lie in a cuboid with round edges."""
    away = np.maximum(np.abs(points) - np.array(half) + radius, 0.0)
    return np.linalg.norm(away, axis=1) <= radius


def test_a_shell_is_a_rounded_box_less_a_smaller_one():
    half, radius, wall = (60.0, 45.0, 30.0), 14.0, 3.0
    body = boxes.shell(half, radius, radius, wall, "abs")
    points = np.random.default_rng(0).uniform(-1, 1, (40_000, 3)) * (64.0, 49.0, 34.0)
    # Its flat faces are left out: above and below the middle it is open.
    lid = (np.abs(points[:, 0]) < half[0] - radius) & (np.abs(points[:, 1]) < half[1] - radius)
    inner = rounded(points, (57.0, 42.0, 27.0), radius - wall)
    wanted = rounded(points, half, radius) & ~inner & ~lid
    assert wanted.sum() > 3000
    assert density_at(body, points) == pytest.approx(wanted.astype(float), abs=1e-9)


def test_a_hole_takes_as_much_as_was_there():
    for density in (1.0, 0.4):
        tube = boxes.pipe(g.shift(3), 10.0, 7.0, 5.0, "steel", density)
        points = np.array([[3.0, 0.0, 0.0], [11.5, 0.0, 0.0], [14.0, 0.0, 0.0], [11.5, 0.0, 5.5]])
        assert density_at(tube, points) == pytest.approx([0.0, density, 0.0, 0.0])


def test_a_plate_lies_between_its_edges():
    plate = boxes.plate((0, 0, 50), (30, 0, 0), (0, 5, 50), 2.0, "abs")
    low, high = g.extent((plate,))
    assert low == pytest.approx([-30, -6, -0.1], abs=0.15) and high == pytest.approx([30, 6, 100.1], abs=0.15)


def test_cloth_that_does_not_give_stays_as_it_is_and_other_moves_with_the_field():
    sheet = canvas.Canvas((300.0, 200.0), 1.0)
    spot = np.array([(40.0, -30.0)])
    part = sheet.sheet(10 * sheet.cover(sheet.dots(spot) - 4), "nylon", g.shift(7, 3, 20))
    button = boxes.block((50.0, 60.0, 4.0), (2, 2, 2), "steel")
    still = warping.warped((part, button), warping.Sway(np.random.default_rng(1), 0.0))
    assert still[0].raster[1:-1, 1:-1] == pytest.approx(part.raster[1:-1, 1:-1], abs=1e-4)
    assert still[1].matrix == pytest.approx(button.matrix)
    sway = warping.Sway(np.random.default_rng(1), 5.0)
    bent = warping.warped((part, button), sway)
    weight = bent[0].raster / bent[0].raster.sum()
    found = np.array([(weight * sheet.x).sum(), (weight * sheet.y).sum()])
    assert found - spot[0] == pytest.approx(sway.at(47.0, -27.0), abs=0.6)
    assert np.linalg.norm(found - spot[0]) > 0.5
    assert (bent[1].matrix - button.matrix)[:2, 3] == pytest.approx(sway.at(50.0, 60.0))
    moved = [warping.Sway(np.random.default_rng(seed), 5.0).at(10.0, 20.0) for seed in range(200)]
    assert np.std(moved) == pytest.approx(5.0, rel=0.25)
