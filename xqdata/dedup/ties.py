"""Whether two pictures belong together without being copies: rescans, one bag with its items moved, crops.

A container that recurs by design is no evidence. Where it is known which pixels are not container (`Prepared.mask`),
only those count. Where it is not, a rescan has to agree in everything that is not air, and one bag with its items moved
is not looked for: all that two scans have in common may be the container's. For bags that lie on the bare belt, a mask
that is true everywhere says that all of the picture counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata.dedup import register
from xqdata.dedup.agreement import Agreement, agreement, laid_on, quarter_turned
from xqdata.dedup.keypoints import PIXELS, SIDE, agreeing, matched
from xqdata.dedup.laying import finely
from xqdata.dedup.overlap import shifts
from xqdata.dedup.prepared import Prepared
from xqdata.dedup.register import Map
from xqdata.dedup.verify import BLANK, NO, Verdict, judged

# Inliers from which on two scans are of one bag, and from which on their map is worth a closer look.
INLIERS, _SOME = 20, 10
# Share of the foreground that agrees in a rescan, and how far every single part of it does. On simulated scans: of
# second passes 0.99 and 0.7 at least, of other things in one container 0.9 and 0.0 at most.
OWN, PARTS_LOW = 0.95, 0.65
ROUND = "alike, but round: another one of its kind would look the same"
# Share of all that is not air that agrees where it is known what is container: other things may have come and gone.
CONTENT_LOOSE = 0.9
# The same where it is not known, and the agreement of all but its worst thousandth: else one small thing that was
# exchanged would not count. With less, down to the second figure, the pair is undecided.
CONTENT, CONTENT_LOW, CONTENT_UNSURE = 0.96, 0.55, -0.6
# Below this share no map of features will make it one, where all has to agree.
_HOPELESS = 0.7
_BELT = 0.05
# A bag on the belt again: turned by no more degrees, and no larger or smaller.
_TURN, _GROWTH = 8.0, 0.12
# Items moved about in a bag: the map follows most of them.
_BAG_TURN, _BAG_GROWTH = 30.0, 0.3
# Least share of the smaller foreground that lies near inliers, and how near, as a share of the longer side.
_SPREAD, _NEAR = 0.25, 0.08
# Least share of a picture that another one has to show.
_SHARED = 0.1
# A crop that was resized or turned keeps its right angles and proportions up to this.
_SKEW, _STRETCH = 0.01, 0.03


def verify_tie(a: Prepared, b: Prepared) -> Verdict:
    """Whether `a` and `b` show one bag, or parts of one picture. They are taken not to be copies."""
    if not (a.informative and b.informative):
        return Verdict(None, BLANK)
    crop, exact = _crop(a, b)
    if crop.kind or crop.one_scan or (crop.undecided and exact):
        return crop  # what lies exactly as a copy lies is no second pass, even if the noise cannot tell
    tie = _one_bag(a, b)
    return tie if tie.kind or not crop.undecided else crop


def _crop(a: Prepared, b: Prepared) -> tuple[Verdict, bool]:
    """The verdict where both pictures are parts of one scan at one resolution, and whether they lie exactly so.

    Their noise agrees in what they share.
    """
    for x, y in shifts(a.spectrum, b.spectrum):
        matrix = register.IDENTITY.copy()
        matrix[:, 2] = x, y
        if register.inside(matrix, a.picture.shape, b.picture.shape).mean() < _SHARED:
            continue
        laid = finely(a, b, matrix, register.SHIFT)
        verdict = judged(laid)
        if verdict.kind or verdict.undecided:
            return verdict, laid.exact
    return NO, False


def _one_bag(a: Prepared, b: Prepared) -> Verdict:
    map_of_all = laid_on(a, b)
    agree = agreement(a, b, map_of_all) if _plain(map_of_all, _TURN, _GROWTH) else None
    if agree is not None and _is_rescan(agree):
        return Verdict(None, ROUND) if _round(a) or _round(b) else _rescan(agree)
    known = a.mask is not None and b.mask is not None
    unsure = Verdict(None, _unsure(agree))
    if not known and agree is not None and agree.content < _HOPELESS and _of_one_size(a, b):
        return unsure
    found = _by_features(a, b, known)
    return found if found.kind or found.undecided else replace(found, undecided=unsure.undecided)


def _round(a: Prepared) -> bool:
    """Whether the contents look the same when they are turned: then they agree with any other of their kind."""
    own, parts_low = quarter_turned(a)
    return own >= OWN and parts_low >= PARTS_LOW


def _of_one_size(a: Prepared, b: Prepared) -> bool:
    """Whether two pictures are as large as two scans of one machine, whose width varies with the belt."""
    return all(abs(one / other - 1) <= _BELT for one, other in zip(a.size, b.size, strict=True))


def _by_features(a: Prepared, b: Prepared, known: bool) -> Verdict:
    """The verdict by local features; `known`: they are those of the foreground only."""
    found = _features(a, b)
    verdict = Verdict(None, inliers=found.inliers)
    if found.matrix is None or found.inliers < _SOME:
        return verdict
    crop = _resized_crop(a, b, found.matrix)
    if crop.kind:
        return replace(crop, inliers=found.inliers)
    if _plain(found.matrix, _TURN, _GROWTH):
        agree = agreement(a, b, _between_middles(a, b, found.matrix))
        if _is_rescan(agree):
            return replace(_rescan(agree), inliers=found.inliers)
        verdict = replace(verdict, undecided=_unsure(agree))
    bag = found.inliers >= INLIERS and found.spread >= _SPREAD and _plain(found.matrix, _BAG_TURN, _BAG_GROWTH)
    return replace(verdict, kind="same-bag", undecided="") if bag and known else verdict


def _is_rescan(found: Agreement) -> bool:
    if found.parts_low < PARTS_LOW:
        return False
    if found.own is None:
        return found.content >= CONTENT and found.content_low >= CONTENT_LOW
    return found.own >= OWN and found.content >= CONTENT_LOOSE


def _rescan(found: Agreement) -> Verdict:
    return Verdict("rescan", ncc=found.ncc, worst_tile=found.parts_low)


def _unsure(found: Agreement | None) -> str:
    """Why two scans that agree in nearly everything may still be of two bags; empty where they do not agree."""
    if found is None or found.own is not None or found.content < CONTENT or found.content_low < CONTENT_UNSURE:
        return ""
    return "alike but for details, and it is not known what of them is the container"


def _plain(matrix: Map, degrees: float, growth: float) -> bool:
    """Whether a map turns by few degrees and neither stretches nor shears much."""
    sizes = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return bool(abs(_angle(matrix)) <= degrees and 1 - growth <= sizes[1] and sizes[0] <= 1 + growth)


def _angle(matrix: Map) -> float:
    """Degrees by which a map turns, -180 to 180."""
    return float(np.degrees(np.arctan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1])))


def _between_middles(a: Prepared, b: Prepared, matrix: Map) -> Map:
    here = register.stretch(a.middle.shape, a.picture.shape)
    there = register.stretch(b.middle.shape, b.picture.shape)
    return register.chained(register.chained(here, matrix), register.inverse(there))


def _resized_crop(a: Prepared, b: Prepared, matrix: Map) -> Verdict:
    """The verdict where b is a part of a at another size or turned by right angles, or a of b."""
    quarters = round(_angle(matrix) / 90) % 4
    # A map that turns anticlockwise on the screen, where y points down, is undone by turning b the same way.
    orientation = f"r{quarters * 90}"
    turned = b.turned(orientation)
    straight = register.chained(matrix, register.turning(b.picture.shape, orientation))
    width, height = straight[0, 0], straight[1, 1]
    if min(width, height) <= 0 or abs(width / height - 1) > _STRETCH:
        return NO
    if max(abs(straight[0, 1]), abs(straight[1, 0])) > _SKEW * width:
        return NO
    straight[0, 1] = straight[1, 0] = 0.0
    if width >= 1.0:
        laid = finely(a, turned, straight, register.AXES)
    else:
        laid = finely(turned, a, register.inverse(straight), register.AXES)
    return replace(judged(laid), orientation=orientation) if laid.there.mean() >= _SHARED else NO


@dataclass(frozen=True)
class _Features:
    """The affine map between the pictures that most matched features agree on."""

    matrix: Map | None
    inliers: int
    spread: float


def _features(a: Prepared, b: Prepared) -> _Features:
    one, other = matched(a.keypoints, b.keypoints)
    matrix, kept = agreeing(one, other, PIXELS * max(1.0, max(b.picture.shape) / SIDE))
    if matrix is None:
        return _Features(None, 0, 0.0)
    spread = min(_spread(p, places[kept]) for p, places in ((a, one), (b, other)))
    return _Features(matrix, int(np.count_nonzero(kept)), spread)


def _spread(picture: Prepared, places: NDArray[np.float32]) -> float:
    """Share of the foreground that lies near one of `places`."""
    mask = picture.mask if picture.mask is not None else np.ones(picture.middle.shape, np.bool_)
    scale = picture.middle.shape[1] / picture.picture.shape[1]
    near = np.zeros(mask.shape, np.uint8)
    for x, y in np.rint(places * scale).astype(int):
        cv2.circle(near, (int(x), int(y)), round(_NEAR * max(mask.shape)), 1, -1)
    return float(near[mask].mean()) if mask.any() else 0.0
