"""Whether two pictures are copies of one another: the pixels decide, once the pictures lie on one another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from xqdata.dedup import register
from xqdata.dedup.evidence import Evidence, weigh
from xqdata.dedup.laying import Laid, lay
from xqdata.dedup.prepared import Prepared, prepare
from xqdata.schema import ORIENTATIONS

__all__ = ["NO", "Prepared", "Verdict", "prepare", "verify_copy"]

# Thumbnails of copies, trimmed by up to 5%, correlate above this; so do many others.
_THUMB = 0.75
_ORIENTATIONS = 3
# A copy's orientation is the one whose thumbnail fits best: of 2,600 copies that were made, of all. Others that fit as
# well but for this are tried too.
_BEHIND = 0.03
# Pictures that agree over the foreground, and in the worst tile: after resampling; after compression; as they were.
NCC = 0.94
RESAMPLED_TILE, CODED_TILE, PLAIN_TILE = 0.4, 0.6, 0.95
PLAIN = 0.985  # noise of a copy that no codec has touched
# Correlation of the noise, as a multiple of what can be left of it. Measured on simulated scans: a copy re-encoded at
# quality 75 has 0.7 and more; a second pass stays below 0.1, even where nothing moved.
NOISE, OTHER_NOISE = 0.35, 0.2
# The same where one picture is smaller: shapes are finer there, and pass for noise; JPEG leaves less of it.
NOISE_SMALLER, OTHER_NOISE_SMALLER = 0.45, 0.1
# The least that is not chance.
LEAST_NOISE = 0.12
# Where shapes take part, more is asked. Of smaller pictures that do not lie exactly as a copy lies: from which size on,
# and how much more for each tenth of the size.
_REDUCED, _SMALLER = 0.85, 0.11
# Where no codec has taken away the finest noise, a copy keeps nearly all: so much down to this size, and more below.
_CRISP, CRISP_NOISE, _SMALL, _EACH_TENTH = 0.9, 0.6, 0.7, 0.083
# Of pictures that are nowhere flat: as they were made; at one size, exactly where a copy lies; else.
STEEP_CRISP, STEEP_EXACT, STEEP_NOISE = 0.85, 0.68, 0.8
# Pictures that lie exactly as a copy lies and agree nearly everywhere, at one size and at others: no belt carries a
# thing to the same twentieth of a pixel twice, so they are copies unless their noise says otherwise.
EXACT_NCC, EXACT_TILE = 0.995, 0.6
SMALLER_NCC, SMALLER_TILE = 0.999, 0.8
OVERLAP = 0.95  # of the larger picture: what is less is a crop


@dataclass(frozen=True)
class Verdict:
    """What the pixels say of a pair.

    `kind`: `re-encoded`, `transformed`, `rescan`, `same-bag` or `crop`; None: not linked. `undecided`: why the pixels
    could not decide, one line; empty where they did. `orientation`: how b is turned to lie on a, as in ORIENTATIONS.
    `ncc`, `worst_tile`: how well they agree over the foreground and in the worst tile, at most 1; None where the
    pictures were never laid on one another. `noise`: correlation of the noise. `overlap`: share of the larger picture
    that the other shows. `inliers`: local features that agree on one geometry.
    """

    kind: str | None
    undecided: str = ""
    orientation: str = "r0"
    ncc: float | None = None
    worst_tile: float | None = None
    noise: float | None = None
    overlap: float | None = None
    inliers: int | None = None

    @property
    def one_scan(self) -> bool:
        """Whether the pair is undecided although both pictures were made from one scan: they differ in some place."""
        return self.undecided.startswith(ONE_SCAN)


NO = Verdict(None)
ONE_SCAN = "one scan, but they differ"
BLANK = "a picture holds too little to tell copies from others"


def verify_copy(a: Prepared, b: Prepared, orientation: str | None = None) -> Verdict:
    """Whether `b` is a copy of `a`, in whatever orientation fits best; `orientation`: the one to try first.

    Two scans are no copies even if nothing moved between them: their noise differs. Where compression or resizing has
    left no noise to compare, only pictures that agree everywhere are copies, and those that nearly do are undecided.
    """
    if not (a.informative and b.informative):
        return Verdict(None, BLANK)
    best = NO
    for turned in _candidates(a, b, orientation):
        verdict = _in_orientation(a, b, turned)
        if verdict.kind:
            return verdict
        best = _better(verdict, best)
    return best


def _candidates(a: Prepared, b: Prepared, first: str | None) -> Iterator[str]:
    """Orientations in which the thumbnails agree, the one proposed first, then the best."""
    fits = {o: float(np.vdot(a.thumb, register.turned(b.thumb, o))) for o in ORIENTATIONS}
    ranked = sorted(fits, key=lambda o: (o != first, -fits[o]))
    least = max(_THUMB, max(fits.values()) - _BEHIND)
    return iter([o for o in ranked if fits[o] >= least][:_ORIENTATIONS])


def _in_orientation(a: Prepared, b: Prepared, orientation: str) -> Verdict:
    best = Verdict(None, orientation=orientation)
    for laid in lay(a, b, orientation):
        verdict = replace(judged(laid), orientation=orientation)
        if verdict.kind == "transformed" and orientation == "r0" and a.size == b.size and laid.still:
            verdict = replace(verdict, kind="re-encoded")
        if verdict.kind or verdict.one_scan:
            return verdict
        best = _better(verdict, best)
    return best


def _better(one: Verdict, other: Verdict) -> Verdict:
    """Of two verdicts that are no links, the one that says more."""
    return max(one, other, key=lambda v: (bool(v.undecided), v.noise or -1.0))


def judged(laid: Laid) -> Verdict:
    """The verdict on two pictures that lie on one another; a copy is called transformed."""
    evidence = weigh(laid)
    found = Verdict(None, "", "r0", evidence.ncc, evidence.worst_tile, evidence.noise, laid.overlap)
    same = _same_noise(evidence, laid)
    whole = evidence.ncc >= NCC and evidence.worst_tile >= _tile(evidence, laid)
    if whole and (same or (same is None and _beyond_chance(evidence, laid))):
        return replace(found, kind="transformed" if laid.overlap >= OVERLAP else "crop")
    if same:
        x, y = evidence.worst
        where = f"{100 * x:.0f}% from the left and {100 * y:.0f}% from the top"
        return replace(found, undecided=f"{ONE_SCAN} {where}")
    if same is None and whole:
        return replace(found, undecided="alike, but too little of the noise is left to compare")
    return found


def _tile(evidence: Evidence, laid: Laid) -> float:
    """The least agreement of the worst tile of a copy."""
    if laid.resampled:
        return RESAMPLED_TILE
    return PLAIN_TILE if (evidence.noise or 0.0) >= PLAIN else CODED_TILE


def _same_noise(evidence: Evidence, laid: Laid) -> bool | None:
    """Whether two pictures have the noise of one scan; None where that cannot be told."""
    if evidence.noise is None:
        return None
    other = OTHER_NOISE if laid.reduction >= _REDUCED else OTHER_NOISE_SMALLER
    if evidence.noise < other * evidence.kept:
        return False
    return True if evidence.noise >= max(LEAST_NOISE, _enough(evidence, laid)) else None


def _enough(evidence: Evidence, laid: Laid) -> float:
    """The least correlation of the noise of a copy."""
    crisp = evidence.crispness >= _CRISP and (laid.reduction < _REDUCED or evidence.crispness <= 1 / _CRISP)
    if not evidence.flat:
        if crisp:
            return STEEP_CRISP
        return STEEP_EXACT if laid.exact and laid.reduction >= _REDUCED else STEEP_NOISE
    least = (NOISE if laid.reduction >= _REDUCED else NOISE_SMALLER) * evidence.kept
    if not laid.exact:
        least += max(0.0, 10 * _SMALLER * (_REDUCED - laid.reduction)) * evidence.kept
    if crisp:
        least = max(least, CRISP_NOISE + max(0.0, 10 * _EACH_TENTH * (_SMALL - laid.reduction)))
    return least


def _beyond_chance(evidence: Evidence, laid: Laid) -> bool:
    """Whether pictures lie so exactly and agree so well that they are copies, where the noise does not tell."""
    if not laid.exact or (evidence.noise is not None and evidence.crispness >= _CRISP and laid.reduction < _REDUCED):
        return False
    if laid.reduction < _REDUCED:
        return evidence.ncc >= SMALLER_NCC and evidence.worst_tile >= SMALLER_TILE
    lost = evidence.noise is None or not _CRISP <= evidence.crispness <= 1 / _CRISP
    return lost and evidence.ncc >= EXACT_NCC and evidence.worst_tile >= EXACT_TILE
