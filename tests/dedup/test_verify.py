"""Verdicts on copies.

Wrong while green would be: whatever looks alike is a copy (a second pass, an item more, a mirror image that is none);
what cannot be told is a copy; the verdict hangs on which picture comes first, on the values' scale, or on 8 of 16 bits.
"""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from assets.passes import Scene, attenuation, expose, expose_deep, item
from xqdata.dedup.register import turned
from xqdata.dedup.ties import verify_tie
from xqdata.dedup.verify import prepare, verify_copy
from xqdata.images import deep_grey
from xqdata.schema import ORIENTATIONS

SCENE = Scene((item(1, -60, 10, 70), item(2, 70, -30, 60), item(3, 40, 70, 40)))
SCAN = expose(SCENE, 1)
# The orientation that undoes each one.
UNDONE = dict(zip(ORIENTATIONS, ("r0", "r270", "r180", "r90", "m0", "m90", "m180", "m270"), strict=True))


def bright(pixels):
    grey = deep_grey(pixels, None) if pixels.dtype == np.uint16 else pixels
    return prepare(np.ascontiguousarray(grey), "air_bright")


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


def resized(pixels, factor, way=cv2.INTER_AREA):
    return cv2.resize(pixels, (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor)), interpolation=way)


def trimmed(pixels):
    return np.ascontiguousarray(pixels[2:-3, 4:-1])


@pytest.fixture(scope="module")
def scan():
    return bright(SCAN)


@pytest.mark.parametrize("quality", [75, 85, 95])
def test_recompressed(scan, quality):
    verdict = verify_copy(scan, bright(jpeg(SCAN, quality)))
    assert (verdict.kind, verdict.orientation, verdict.undecided) == ("re-encoded", "r0", "")
    assert verdict.ncc > 0.99 and verdict.overlap == 1.0


@pytest.mark.parametrize("pixels", [SCAN // 2 + 90, np.clip(SCAN.astype(int) * 2 - 200, 0, 255).astype(np.uint8)])
def test_shown_through_another_window(scan, pixels):
    assert verify_copy(scan, bright(pixels)).kind == "re-encoded"


@pytest.mark.parametrize("factor", [0.4, 0.6, 0.85, 1.5, 2.0])
def test_resized(scan, factor):
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    assert verify_copy(scan, bright(resized(SCAN, factor, way))).kind == "transformed"


def test_resized_without_averaging_and_to_other_proportions(scan):
    assert verify_copy(scan, bright(resized(SCAN, 0.6, cv2.INTER_LINEAR))).kind == "transformed"
    square = cv2.resize(SCAN, (300, 300), interpolation=cv2.INTER_AREA)
    assert verify_copy(scan, bright(square)).kind == "transformed"


@pytest.mark.parametrize("orientation", [o for o in ORIENTATIONS if o != "r0"])
@pytest.mark.parametrize("proposed", [None, "right", "r180"])
def test_turned_and_mirrored(scan, orientation, proposed):
    copy = bright(turned(SCAN, UNDONE[orientation]))
    verdict = verify_copy(scan, copy, orientation if proposed == "right" else proposed)
    assert (verdict.kind, verdict.orientation) == ("transformed", orientation)


def test_trimmed(scan):
    verdict = verify_copy(scan, bright(trimmed(SCAN)))
    assert verdict.kind == "transformed"
    assert verdict.overlap == pytest.approx(trimmed(SCAN).size / SCAN.size, abs=1e-3)
    corner = bright(np.ascontiguousarray(SCAN[:-12, :-6]))
    assert verify_copy(scan, corner).kind == "transformed"


def test_everything_at_once(scan):
    copy = jpeg(resized(turned(trimmed(SCAN), "m90"), 0.8), 98)
    verdict = verify_copy(scan, bright(copy))
    assert (verdict.kind, verdict.orientation) == ("transformed", "m90")


def test_copies_of_one_scan_are_copies_of_each_other():
    small, turned_round = resized(SCAN, 0.7), turned(SCAN, "r180")
    verdict = verify_copy(bright(small), bright(turned_round))
    assert (verdict.kind, verdict.orientation) == ("transformed", "r180")


@pytest.mark.parametrize("factor", [0.6, 0.4])
def test_where_hardly_any_noise_is_left_it_is_a_copy_or_undecided(scan, factor):
    verdict = verify_copy(scan, bright(jpeg(resized(SCAN, factor), 75)))
    assert verdict.kind == "transformed" or verdict.undecided


@given(st.sampled_from(ORIENTATIONS), st.sampled_from([1.0, 0.6]), st.sampled_from([None, 95]))
@settings(max_examples=12)
def test_either_may_come_first(orientation, factor, quality):
    other = turned(resized(SCAN, factor) if factor != 1 else SCAN, orientation)
    other = bright(jpeg(np.ascontiguousarray(other), quality) if quality else other)
    forth, back = verify_copy(bright(SCAN), other), verify_copy(other, bright(SCAN))
    assert forth.kind == back.kind and forth.kind is not None
    assert forth.orientation == UNDONE[back.orientation]


# --- no copies


@pytest.mark.parametrize("quality", [None, 95, 75])
@pytest.mark.parametrize("offset", [(0, 0), (0.4, 0.3), (7, -4)])
def test_a_second_pass_is_no_copy_however_still_it_lay(scan, offset, quality):
    again = expose(replace(SCENE, offset=offset), 2)
    verdict = verify_copy(scan, bright(jpeg(again, quality) if quality else again))
    assert verdict.kind is None and not verdict.undecided


def test_what_the_detector_adds_to_every_scan_is_no_shared_noise():
    """Rows of the detector differ by a fixed pattern, as strong here as the noise."""
    pattern = np.random.default_rng(5).normal(0, 4, (SCAN.shape[0], 1))
    scans = [np.clip(expose(SCENE, n).astype(float) + pattern, 0, 255).astype(np.uint8) for n in (1, 2)]
    assert verify_copy(bright(scans[0]), bright(scans[1])).kind is None
    assert verify_copy(bright(scans[0]), bright(jpeg(scans[0], 80))).kind == "re-encoded"


ADDED = item(8, 5, -60, 14, parts=2)


@pytest.mark.parametrize(
    "made",
    [lambda p: p, lambda p: jpeg(p, 85), lambda p: resized(p, 0.7), lambda p: turned(p, "r90")],
    ids=["plain", "jpeg", "resized", "turned"],
)
@pytest.mark.parametrize(
    "changed",
    [
        replace(SCENE, items=(*SCENE.items, ADDED)),
        replace(SCENE, items=SCENE.items[:2]),
        replace(SCENE, items=(*SCENE.items[:2], SCENE.items[2].moved(6, 0))),
    ],
    ids=["added", "taken away", "moved"],
)
def test_one_small_thing_changed_in_the_picture_is_no_copy(scan, changed, made):
    """The noise is the same: only the thing is not."""
    edited = np.clip(np.rint(SCAN * np.exp(attenuation(SCENE) - attenuation(changed))), 0, 255).astype(np.uint8)
    verdict = verify_copy(scan, bright(made(edited)))
    assert verdict.kind is None
    assert verdict.one_scan
    assert verdict.worst_tile < 0.4


def test_the_place_that_differs_is_told(scan):
    changed = replace(SCENE, items=(*SCENE.items, ADDED))
    edited = np.clip(np.rint(SCAN * np.exp(attenuation(SCENE) - attenuation(changed))), 0, 255).astype(np.uint8)
    told = verify_copy(scan, bright(edited)).undecided
    x, y = (SCAN.shape[1] / 2 + 5) / SCAN.shape[1], (SCAN.shape[0] / 2 - 60) / SCAN.shape[0]
    assert f"{100 * x:.0f}%"[0] in told and told.startswith("one scan, but they differ")
    left, top = (int(word[:-1]) for word in told.split() if word.endswith("%"))
    assert abs(left - 100 * x) < 4 and abs(top - 100 * y) < 4


def test_other_things_in_one_basket():
    one, other = (Scene((item(n, 0, 0, 50),)) for n in (11, 12))
    verdict = verify_copy(bright(expose(one, 1)), bright(expose(other, 2)))
    assert verdict.kind is None and not verdict.undecided


def test_two_scans_that_are_nearly_mirror_images():
    """A tray with nothing in it, and one with the same thing left and right."""
    thing = item(4, 0, 0, 50, parts=1)
    for items in ((), (thing.moved(-60), thing.moved(60))):
        scene = replace(SCENE, items=tuple(replace(i, degrees=0.0) for i in items))
        one, other = expose(scene, 1), expose(scene, 2)
        for orientation in ("m0", "m180", "r180"):
            verdict = verify_copy(bright(one), bright(turned(other, UNDONE[orientation])), orientation)
            assert verdict.kind is None


@pytest.mark.parametrize("make", [lambda: np.full((200, 300), 240, np.uint8), lambda: np.zeros((200, 300), np.uint8)])
def test_pictures_of_one_value_are_undecided(scan, make):
    blank = bright(make())
    assert not blank.informative
    for other in (blank, bright(make()), scan):
        verdict = verify_copy(blank, other)
        assert verdict.kind is None and verdict.undecided


@pytest.mark.parametrize("deep", [False, True])
def test_air_with_noise_is_undecided_even_with_itself(deep):
    noise = np.random.default_rng(1).normal(238, 2, (300, 400))
    air = (noise * 256).astype(np.uint16) if deep else noise.astype(np.uint8)
    assert verify_copy(bright(air), bright(air)).undecided


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (7, 9), (15, 15), (500, 3)])
def test_tiny_pictures_are_undecided(scan, shape):
    tiny = bright(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
    assert verify_copy(tiny, scan).kind is None
    assert verify_copy(tiny, tiny).undecided


# --- 16 bits


def test_sixteen_bits_saved_as_eight():
    deep = expose_deep(SCENE, 1)
    shallow = np.rint(deep_grey(deep, None)).astype(np.uint8)
    assert verify_copy(bright(deep), bright(shallow)).kind == "re-encoded"
    assert verify_copy(bright(deep), bright(jpeg(shallow, 85))).kind == "re-encoded"


DEEP, DEEP_AGAIN = expose_deep(SCENE, 1), expose_deep(SCENE, 2)


@given(st.floats(0.02, 1.0), st.integers(0, 1000))
@settings(max_examples=8)
def test_gain_and_offset_of_deep_pictures_do_not_matter(gain, offset):
    dim = np.rint(DEEP * gain + offset).clip(0, 65535).astype(np.uint16)
    assert verify_copy(bright(DEEP), bright(dim)).kind == "re-encoded"
    assert verify_copy(bright(DEEP_AGAIN), bright(dim)).kind is None


def test_deep_pictures_are_compared_at_all_their_bits():
    """One hot pixel makes everything else a few of 255 levels: in 8 bits a second pass would show no noise at all."""
    quiet = [(expose_deep(SCENE, n, noise=1.0) // 24).astype(np.uint16) for n in (1, 2)]
    for pixels in quiet:
        pixels[3, 3] = 65535
    one, other = (bright(p) for p in quiet)
    assert np.ptp(np.delete(one.picture.ravel(), 3 * one.picture.shape[1] + 3)) < 12
    assert verify_copy(one, other).kind is None
    assert verify_copy(one, bright(quiet[0].copy())).kind == "re-encoded"


def test_the_negative_is_the_same_scan_where_both_polarities_are_known(scan):
    negative = prepare(255 - SCAN, "air_dark")
    assert verify_copy(scan, negative).kind == "re-encoded"


def test_unknown_polarity():
    one, copy, other = (prepare(p, None) for p in (SCAN, jpeg(SCAN, 85), expose(SCENE, 2)))
    assert verify_copy(one, copy).kind == "re-encoded"
    assert verify_copy(one, other).kind is None


SIDES = st.integers(1, 90)


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["noise", "slope", "blank", "spot"]), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_pictures_of_any_size_and_content_are_judged(rows, columns, height, width, what, deep, masked):
    """Without a warning, that is: a warning is an error here."""
    rng = np.random.default_rng([rows, columns])
    one = rng.integers(0, 255, (rows, columns)).astype(np.float32)
    other = {
        "noise": rng.integers(0, 255, (height, width)).astype(np.float32),
        "slope": np.add.outer(np.arange(height), np.arange(width)).astype(np.float32),
        "blank": np.full((height, width), 7, np.float32),
        "spot": np.pad(np.ones((1, 1), np.float32) * 99, ((height // 2, height), (width // 2, width))),
    }[what]
    if not deep:
        one, other = one.astype(np.uint8), other.astype(np.uint8)
    a = prepare(one, "air_dark", one > 9 if masked else None)
    b = prepare(other, None, other > 9 if masked else None)
    for pair in ((a, b), (b, a), (b, b)):
        for verdict in (verify_copy(*pair), verify_tie(*pair)):
            assert verdict.kind is None or not verdict.undecided


def test_prepared_pictures_are_small():
    large = bright(np.tile(SCAN, (6, 8)))
    assert max(large.picture.shape) == 1024
    assert large.picture.nbytes + large.middle.nbytes + large.small.nbytes < 5e6
