"""Verdicts on ties: second passes, bags with their items moved, parts of one picture.

Wrong while green would be: a container that recurs ties every scan in it to every other; a second pass with one thing
missing is a rescan; what was cut from one scan is taken for two passes.
"""

import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from assets.passes import HEIGHT, WIDTH, Item, Scene, expose, item, mask
from xqdata.dedup.keypoints import agreeing, keypoints, matched
from xqdata.dedup.register import turned
from xqdata.dedup.ties import ROUND, verify_tie
from xqdata.dedup.verify import prepare, verify_copy

SCENE = Scene((item(1, -70, 10, 70), item(2, 70, -40, 60), item(3, 40, 60, 40), item(4, -20, -70, 30)))
SCAN = expose(SCENE, 1)


def bright(pixels, shown=None):
    return prepare(np.ascontiguousarray(pixels), "air_bright", shown)


def passed(scene, seed, known):
    return bright(expose(scene, seed), mask(scene) if known else None)


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())))


AGAIN = {
    "still": SCENE,
    "shifted": replace(SCENE, offset=(7.3, -4.1)),
    "turned": replace(SCENE, offset=(-5, 3), degrees=2.0),
    "faster belt": replace(SCENE, stretch=0.96, offset=(2, 2)),
    "slipped": replace(
        SCENE, items=tuple(i.moved(2 - n, n % 2 * 3 - 1, 1) for n, i in enumerate(SCENE.items)), degrees=-1.0
    ),
}


def apple(x, y, size=60.0):
    return Item(((0.0, 0.0, size / 2, size / 2, 0.0, 0.6), (0.0, 0.0, size / 9, size / 9, 0.0, 0.2)), x, y)


def test_a_round_thing_alone_tells_nothing_and_with_others_it_does():
    alone = Scene((apple(-30, 10),))
    for again in (alone, Scene((apple(-31, 11, 60.5),))):  # the same one, or another one
        verdict = verify_tie(passed(alone, 1, True), passed(again, 2, True))
        assert (verdict.kind, verdict.undecided) == (None, ROUND)
    two = Scene((apple(-30, 10), item(2, 70, -40, 60)))
    assert verify_tie(passed(two, 1, True), passed(two, 2, True)).kind == "rescan"
    other = Scene((apple(-30, 10, 120),))
    verdict = verify_tie(passed(alone, 1, True), passed(other, 2, True))
    assert (verdict.kind, verdict.undecided) == (None, "")


@pytest.mark.parametrize("known", [True, False], ids=["container known", "unknown"])
@pytest.mark.parametrize("how", AGAIN)
def test_a_second_pass_is_a_rescan_and_no_copy(how, known):
    one, other = passed(SCENE, 1, known), passed(AGAIN[how], 2, known)
    assert verify_copy(one, other).kind is None
    for a, b in ((one, other), (other, one)):
        verdict = verify_tie(a, b)
        assert (verdict.kind, verdict.undecided) == ("rescan", "")


@pytest.mark.parametrize("known", [True, False], ids=["container known", "unknown"])
@pytest.mark.parametrize(
    "items",
    [
        SCENE.items[:3],
        (*SCENE.items, item(9, 100, 60, 24)),
        (*SCENE.items[:3], SCENE.items[3].moved(40, 20)),
        (SCENE.items[0].moved(0, 0, 60), *SCENE.items[1:]),
        (*SCENE.items[:2], item(10, SCENE.items[2].x, SCENE.items[2].y, 40), SCENE.items[3]),
    ],
    ids=["one missing", "one more", "one elsewhere", "one turned", "one exchanged"],
)
def test_a_pass_with_one_thing_changed_is_no_rescan(items, known):
    other = passed(replace(SCENE, items=items, offset=(3, 2)), 2, known)
    assert verify_tie(passed(SCENE, 1, known), other).kind != "rescan"


@pytest.mark.parametrize("known", [True, False], ids=["container known", "unknown"])
@pytest.mark.parametrize("seeds", [(21, 22), (23, 24)])
def test_a_container_ties_nothing(seeds, known):
    one, other = (passed(Scene((item(n, 10, 5, 45),), offset=(n - 20, 0)), n, known) for n in seeds)
    verdict = verify_tie(one, other)
    assert verdict.kind is None
    assert not (known and verdict.undecided)


def test_one_thing_packed_anew_is_no_tie():
    thing = item(31, -60, 20, 45)
    one, other = passed(Scene((thing,)), 1, True), passed(Scene((thing.moved(110, -40, 75),)), 2, True)
    assert verify_tie(one, other).kind is None


def test_empty_containers_are_tied_only_by_what_is_in_them():
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    one, other = (bright(expose(Scene((), offset=(n, 0)), n), nothing) for n in (1, 2))
    assert verify_tie(one, other).kind is None


# A bag: many things in one hull, some of which moved.
BAG = Scene(tuple(item(40 + n, n % 3 * 90 - 90, n // 3 * 60 - 60, 46) for n in range(9)), basket=False)
STIRRED = (*BAG.items[:5], *(i.moved(25, -14, 20) for i in BAG.items[5:7]), *BAG.items[7:])
MOVED = replace(BAG, items=STIRRED, degrees=6.0)


def test_a_bag_with_its_items_moved_is_the_same_bag():
    everything = np.ones((HEIGHT, WIDTH), bool)
    one, other = bright(expose(BAG, 1), everything), bright(expose(MOVED, 2), everything)
    verdict = verify_tie(one, other)
    assert verdict.kind == "same-bag"
    assert verdict.inliers >= 20


def test_it_is_not_looked_for_where_the_container_is_not_known():
    assert verify_tie(bright(expose(BAG, 1)), bright(expose(MOVED, 2))).kind is None


def test_other_bags_are_not_the_same():
    everything = np.ones((HEIGHT, WIDTH), bool)
    packed = replace(BAG, items=tuple(item(n + 20, i.x, i.y, 46) for n, i in enumerate(BAG.items, 40)))
    assert verify_tie(bright(expose(BAG, 1), everything), bright(expose(packed, 2), everything)).kind is None


# --- parts of one picture

LEFT, RIGHT = SCAN[10:280, 5:320], SCAN[40:325, 140:470]


@pytest.mark.parametrize("quality", [None, 95])
@pytest.mark.parametrize("pair", [(SCAN, LEFT), (RIGHT, SCAN), (LEFT, RIGHT)], ids=["part", "whole", "overlapping"])
def test_parts_of_one_picture(pair, quality):
    one, other = (bright(jpeg(p, quality) if quality else p) for p in pair)
    verdict = verify_tie(one, other)
    assert verdict.kind == "crop"
    if pair[0] is SCAN or pair[1] is SCAN:
        assert verdict.overlap == pytest.approx(min(p.size for p in pair) / SCAN.size, abs=0.01)


@pytest.mark.parametrize("orientation", ["r0", "r90", "r180", "r270"])
def test_a_part_that_was_resized_and_turned(orientation):
    part = cv2.resize(turned(LEFT, orientation), None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    for pair in ((bright(SCAN), bright(part)), (bright(part), bright(SCAN))):
        assert verify_tie(*pair).kind == "crop"


def test_parts_of_two_passes_are_no_crops():
    again = expose(AGAIN["shifted"], 2)
    assert verify_tie(bright(SCAN), bright(again[10:280, 5:320])).kind != "crop"


def test_pictures_that_show_nothing_are_undecided():
    blank = bright(np.full((HEIGHT, WIDTH), 240, np.uint8))
    assert verify_tie(blank, bright(SCAN)).undecided
    assert verify_tie(blank, blank).undecided


# --- local features


def test_features_lie_where_they_were_seen():
    moved = np.roll(SCAN, (12, -20), (0, 1))
    one, other = (keypoints(p, None) for p in (SCAN, moved))
    matrix, kept = agreeing(*matched(one, other), 3.0)
    assert kept.sum() > 30
    assert np.allclose(matrix, [[1, 0, -20], [0, 1, 12]], atol=0.3)


def test_features_are_of_the_foreground_only():
    shown = mask(SCENE)
    places = keypoints(SCAN, shown).places
    assert len(places) > 20
    assert cv2.dilate(shown.astype(np.uint8), np.ones((5, 5)))[*np.rint(places.T[::-1]).astype(int)].all()


@pytest.mark.parametrize("shown", [np.zeros((HEIGHT, WIDTH), bool), np.eye(HEIGHT, WIDTH, dtype=bool) & False])
def test_no_foreground_has_no_features(shown):
    assert len(keypoints(SCAN, shown).places) == 0
    assert len(matched(keypoints(SCAN, shown), keypoints(SCAN, None))[0]) == 0
