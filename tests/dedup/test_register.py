"""Maps between pictures.

Wrong while green would be: pixel centres that are half a pixel off between sizes, a turn that goes the other way, a map
that is only right in the middle, a search that stays where it began.
"""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.passes import Scene, expose, item
from xqdata.dedup import register
from xqdata.dedup.laying import lay
from xqdata.dedup.prepared import prepare
from xqdata.schema import ORIENTATIONS

SCENE = Scene((item(1, -60, 10, 70), item(2, 70, -30, 60)))
PICTURE = expose(SCENE, 1).astype(np.float32)


@given(st.sampled_from(ORIENTATIONS), st.integers(1, 6), st.integers(1, 6), st.data())
def test_turning_tells_where_a_pixel_goes(orientation, rows, columns, data):
    picture = np.arange(rows * columns).reshape(rows, columns)
    x, y = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    u, v = register.turning(picture.shape, orientation) @ (x, y, 1)
    assert register.turned(picture, orientation)[int(v), int(u)] == picture[y, x]


def test_orientations_are_turns_anticlockwise_after_a_mirroring():
    picture = np.array([[1, 2, 3], [4, 5, 6]])
    assert register.turned(picture, "r90").tolist() == [[3, 6], [2, 5], [1, 4]]
    assert register.turned(picture, "m0").tolist() == [[3, 2, 1], [6, 5, 4]]
    assert register.turned(picture, "m180").tolist() == [[4, 5, 6], [1, 2, 3]]


@given(st.floats(0.3, 3), st.floats(-20, 20), st.floats(0.3, 3), st.floats(-20, 20))
def test_a_map_and_its_inverse_undo_each_other(sx, tx, sy, ty):
    matrix = np.array([[sx, 0.1, tx], [-0.05, sy, ty]])
    there_and_back = register.chained(matrix, register.inverse(matrix))
    assert np.allclose(there_and_back, register.IDENTITY, atol=1e-9)


def test_stretch_agrees_with_opencv():
    wide = np.tile(np.arange(40, dtype=np.float32), (30, 1))
    small = cv2.resize(wide, (10, 6), interpolation=cv2.INTER_AREA)
    x, _ = register.stretch(small.shape, wide.shape) @ (7, 2, 1)
    assert x == pytest.approx(small[2, 7])


@pytest.mark.parametrize(
    "true",
    [
        [[1.0, 0, 0.4], [0, 1.0, -0.7]],
        [[1.01, 0, -3.2], [0, 0.985, 2.1]],
    ],
)
def test_scales_and_shift_are_found_to_a_twentieth_of_a_pixel(true):
    true = np.array(true)
    moved, there = register.warped(PICTURE, true, PICTURE.shape)
    assert there.mean() > 0.9
    moved += np.random.default_rng(0).normal(0, 1, moved.shape).astype(np.float32)
    # It starts at the identity and looks for the map from `moved` to the picture, at other values too.
    where = register.edges(moved, 0.2)
    found = register.refined(0.7 * moved + 20, PICTURE, register.IDENTITY, register.AXES, 25, where)
    assert register.farthest(found, true, PICTURE.shape) < 0.05


def test_a_turned_pass_is_found_with_all_unknowns():
    turned = expose(Scene(SCENE.items, degrees=0.5, offset=(1.5, -1)), 9).astype(np.float32)
    where = register.edges(turned, 0.3)
    found = register.refined(turned, PICTURE, register.IDENTITY, register.AFFINE, 40, where)
    angle = np.degrees(np.arctan2(found[1, 0] - found[0, 1], found[0, 0] + found[1, 1]))
    assert angle == pytest.approx(-0.5, abs=0.03)


def test_something_added_does_not_pull():
    changed = PICTURE.copy()
    cv2.rectangle(changed, (150, 100), (210, 130), 0.0, -1)
    where = register.edges(changed, 0.2)
    start = np.array([[1.0, 0, 0.6], [0, 1.0, 0.5]])
    found = register.refined(changed, PICTURE, start, register.AXES, 25, where)
    assert register.farthest(found, register.IDENTITY, PICTURE.shape) < 0.05


@pytest.mark.parametrize("picture", [np.full((50, 60), 9.0, np.float32), np.zeros((50, 60), np.float32)])
def test_a_picture_of_one_value_leaves_the_map_alone(picture):
    start = np.array([[1.0, 0, 0.6], [0, 1.0, 0.5]])
    where = np.ones(picture.shape, bool)
    assert register.refined(picture, picture, start, register.AXES, 5, where) == pytest.approx(start, abs=1e-6)


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_whole_shifts_are_found_exactly(dx, dy):
    fixed = PICTURE[20:-20, 30:-25]
    start = register.IDENTITY.copy()
    start[:, 2] = 30 + dx, 20 + dy
    found = register.shifted(fixed, PICTURE, start)
    assert found is not None and found[:, 2].tolist() == [30, 20]


def test_a_shift_between_pixels_is_not_called_whole():
    half, _ = register.warped(PICTURE, np.array([[1.0, 0, 0.5], [0, 1.0, 0.5]]), PICTURE.shape)
    assert register.shifted(half, PICTURE, register.IDENTITY) is None


def test_other_noise_has_no_whole_shift():
    flat = [np.random.default_rng(n).normal(100, 3, (200, 200)).astype(np.float32) for n in (1, 2)]
    assert register.shifted(flat[0], flat[1], register.IDENTITY) is None


@pytest.mark.parametrize("factor", [0.4, 0.73, 1.0, 1.6])
@pytest.mark.parametrize("cut", [(0, 0, 0, 0), (3, 5, 2, 1)])
def test_copies_are_laid_where_they_were_cut_from(factor, cut):
    left, top, right, bottom = cut
    part = PICTURE[top : PICTURE.shape[0] - bottom, left : PICTURE.shape[1] - right]
    size = (round(part.shape[1] * factor), round(part.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    copy = np.clip(cv2.resize(part, size, interpolation=way), 0, 255) if factor != 1 else part
    laid = list(lay(prepare(PICTURE, "air_bright"), prepare(np.ascontiguousarray(copy), "air_bright"), "r0"))[-1]
    noise = np.corrcoef(*(_fine(p)[40:-40, 60:-60].ravel() for p in (laid.fixed, laid.moved)))[0, 1]
    assert noise > 0.8
    shared = part.size / PICTURE.size
    assert laid.overlap == pytest.approx(shared, abs=0.005)
    assert laid.reduction == pytest.approx(min(factor, 1 / factor), rel=0.01)


def _fine(picture):
    return picture - cv2.blur(picture, (3, 3))
