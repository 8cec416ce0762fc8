"""Chord lengths against points counted along the ray, poses and views."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xqdata.simulate import geometry as g

VIEW = g.View("top", (-150.0, -400.0), (-260.0, 500.0), (330.0, 500.0), 60, 5.0)
COLUMNS = 80


def one(_: str) -> np.ndarray:
    return np.array([10.0])  # so that the sum is in mm


def projected(parts, coefficients, width) -> np.ndarray:
    return g.project(parts, VIEW, COLUMNS, coefficients, width)


def chords(*parts: g.Part) -> np.ndarray:
    return projected(parts, one, 1)[..., 0]


def inside(part: g.Part, points: np.ndarray) -> np.ndarray:
    local = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.linalg.inv(part.matrix).T
    x, y, z = local[:, :3].T
    within = {
        "ball": x**2 + y**2 + z**2 <= 1,
        "tube": (x**2 + y**2 <= 1) & (abs(z) <= 1),
        "cube": (abs(x) <= 1) & (abs(y) <= 1) & (abs(z) <= 1),
        "cone": (x**2 + y**2 <= (1 - part.taper * (z + 1) / 2) ** 2) & (abs(z) <= 1),
    }[part.shape]
    for a, b, c, d in part.cuts:
        within &= a * x + b * y + c * z <= d
    return within


def counted(part: g.Part, row: int, column: int) -> float:
    """Millimetres of the ray inside the part, by steps of 0.05 mm."""
    t = np.arange(0, 1200, 0.05) + 0.025
    direction = VIEW.directions()[row]
    points = np.stack(
        [np.full(t.size, (column + 0.5) * VIEW.step), *(VIEW.source[i] + t * direction[i] for i in (0, 1))], 1
    )
    return float(inside(part, points).sum() * 0.05)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["ball", "tube", "cube", "cone"]),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(8, 70)] * 3),
    st.floats(0, 1),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_a_chord_is_what_points_along_the_ray_count(shape, angles, sizes, taper, cut, seed):
    pose = g.shift(200, 20, 80) @ g.turn("x", angles[0]) @ g.turn("y", angles[1]) @ g.turn("z", angles[2])
    cuts = ((0.6, 0.0, 0.8, 0.3), (0.0, -1.0, 0.2, 0.5)) if cut else ()
    part = g.Part(shape, pose @ g.scale(*sizes), "water", taper=taper if shape == "cone" else 0.0, cuts=cuts)
    seen = chords(part)
    rng = np.random.default_rng(seed)
    shown = np.argwhere(seen > 0)
    for row, column in [*rng.permutation(shown)[:6], (rng.integers(60), rng.integers(80))]:
        assert seen[row, column] == pytest.approx(counted(part, row, column), abs=0.35)


def test_a_tilted_sheet_is_longer_to_cross_and_keeps_its_picture():
    raster = np.zeros((20, 40), np.float32)
    raster[:, 20:] = 2.0
    flat = chords(g.Part("sheet", g.shift(200, 0, 50) @ g.scale(100, 60, 1), "paper", raster=raster))
    assert flat[:, : int(195 / VIEW.step)].max() == 0.0
    row = int(VIEW.rows(np.array([[200.0, 0.0, 50.0]]))[0])
    slant = VIEW.directions()[row][1]
    assert flat[row, int(250 / VIEW.step)] == pytest.approx(2.0 / slant, rel=1e-3)
    tilted = chords(
        g.Part("sheet", g.shift(200, 0, 50) @ g.turn("y", 60) @ g.scale(100, 60, 1), "paper", raster=raster)
    )
    assert tilted.max() == pytest.approx(2.0 * flat[row].max(), rel=0.15)


def test_what_lies_within_displaces():
    flesh = g.Part("ball", g.shift(200, 0, 60) @ g.scale(40), "flesh")
    stone = g.Part("ball", g.shift(200, 0, 60) @ g.scale(15), "stone", within="flesh")
    both = projected((flesh, stone), lambda m: np.array([10.0, 0.0] if m == "flesh" else [0.0, 10.0]), 2)
    assert both.sum(2) == pytest.approx(chords(flesh), abs=1e-3)
    assert both[..., 1].max() == pytest.approx(30.0, abs=1.0)
    assert both[..., 0].min() > -1e-3


def test_the_order_of_parts_and_parts_out_of_sight_change_nothing():
    a = g.Part("cube", g.shift(150, 0, 60) @ g.scale(30, 20, 10), "a")
    b = g.Part("tube", g.shift(190, 30, 60) @ g.scale(30, 20, 10), "b")
    out = g.Part("ball", g.shift(-900, 0, 60) @ g.scale(10), "c")
    assert chords(a, b) == pytest.approx(chords(b, out, a))
    assert chords(out).max() == 0.0
    assert g.pixel_box((out,), VIEW, COLUMNS) is None


def test_a_body_stays_in_its_box_and_turns_with_its_texture():
    texture = g.Texture(0.2, (5, 5, 5), 7)
    part = g.Part("ball", g.shift(200, 0, 80) @ g.scale(60, 40, 30), "a", texture=texture)
    x, y, w, h = g.pixel_box((part,), VIEW, COLUMNS)
    rows, columns = np.nonzero(chords(part))
    assert columns.min() >= x and columns.max() < x + w and rows.min() >= y and rows.max() < y + h
    assert (
        0.02
        < np.std(chords(part)[chords(part) > 50] / chords(g.Part("ball", part.matrix, "a"))[chords(part) > 50])
        < 0.4
    )
    # Moved along the belt by whole columns, every figure moves along.
    further = part.moved(g.shift(10 * VIEW.step))
    assert chords(further)[:, 10:] == pytest.approx(chords(part)[:, :-10], abs=1e-3)


def test_the_frame_along_an_axis():
    frame = g.along((1, 2, 3), (4, 6, 15), 2.0, 5.0)
    assert frame @ [0, 0, -1, 1] == pytest.approx([1, 2, 3, 1])
    assert frame @ [0, 0, 1, 1] == pytest.approx([4, 6, 15, 1])
    assert np.linalg.norm(frame[:3, 0]) == pytest.approx(2) and np.linalg.norm(frame[:3, 1]) == pytest.approx(5)
    assert np.linalg.det(frame[:3, :3]) > 0
    with pytest.raises(ValueError, match="two different ends"):
        g.along((1, 1, 1), (1, 1, 1), 1.0)


def test_rows_and_directions_agree():
    for row in (0, 17, 59):
        y, z = VIEW.directions()[row]
        point = np.array([[0.0, VIEW.source[0] + 500 * y, VIEW.source[1] + 500 * z]])
        assert VIEW.rows(point)[0] == pytest.approx(row, abs=1e-6)
    assert math.isclose(np.linalg.norm(VIEW.directions()[3]), 1.0)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.floats(-70, 70)] * 3), st.integers(0, 1000))
def test_a_plain_sheet_is_the_sheet_that_a_cut_far_off_leaves(angles, seed):
    raster = np.random.default_rng(seed).uniform(0, 3, (9, 14)).astype(np.float32)
    pose = g.shift(200, 20, 90) @ g.turn("x", angles[0]) @ g.turn("y", angles[1]) @ g.turn("z", angles[2])
    plain = g.Part("sheet", pose @ g.scale(80, 60, 1), "paper", raster=raster)
    cut = g.Part("sheet", plain.matrix, "paper", raster=raster, cuts=((0.0, 0.0, 1.0, 1e6),))
    assert chords(plain) == pytest.approx(chords(cut), rel=1e-4, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["ball", "tube", "cube", "cone"]),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(5, 70)] * 3),
)
def test_an_extent_is_what_the_shape_reaches(shape, angles, sizes):
    pose = g.shift(9, 8, 7) @ g.turn("x", angles[0]) @ g.turn("y", angles[1]) @ g.turn("z", angles[2])
    part = g.Part(shape, pose @ g.scale(*sizes), "water")
    unit = np.random.default_rng(0).normal(size=(4000, 3))
    if shape == "ball":
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    elif shape == "cube":
        unit = np.sign(unit)
    else:
        unit[:, :2] /= np.linalg.norm(unit[:, :2], axis=1, keepdims=True)
        unit[:, 2] = np.sign(unit[:, 2])
    points = unit @ part.matrix[:3, :3].T + part.matrix[:3, 3]
    low, high = g.extent([part])
    assert low == pytest.approx(points.min(0), abs=0.02 * max(sizes)) and (low <= points.min(0) + 1e-9).all()
    assert high == pytest.approx(points.max(0), abs=0.02 * max(sizes)) and (high >= points.max(0) - 1e-9).all()
