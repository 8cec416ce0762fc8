"""The nearest-neighbour gap: how much of a plain classifier's score is its own family, met again in training.

Each tested image gets the label of the nearest training image; then again, with its own family taken out of the
training pool: its component among the images with one label. What is lost is what the split gave away to this
classifier. It is a diagnostic and no measure of a leak: taking a family out also leaves fewer images of its class, and
a CNN remembers other things than the nearest picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from xqdata import features
from xqdata.audit.finding import INFO, Evidence, Finding
from xqdata.audit.material import Flags, Material
from xqdata.audit.pictures import MOST_OTHERS, MOST_TESTED, Labelled, columns, drawn, labelled, opened, reachable
from xqdata.audit.telling import Found
from xqdata.groups import Ints
from xqdata.manifest import Project

Progress = Callable[[str, int, int], None]

_SIDE = 32  # pixels on a side of the pictures that are compared
_CHUNK = 256
_FEWEST = 20


@dataclass(frozen=True)
class Gap:
    """Share of tested images whose nearest neighbour bears their label: with all of training, and without their own
    family there. `nearest`: (tested images,) the row of the neighbour with all of training.
    """

    whole: float
    without: float
    nearest: Ints


def neighbours(
    project: Project, material: Material, seed: int, workers: int | None, progress: Progress
) -> Iterator[Found | str]:
    """The gap on hashes and on low-resolution pixels, over the same images."""
    why = reachable(project, material)
    tested = drawn(material, np.flatnonzero(material.tested), MOST_TESTED, seed)
    others = drawn(material, np.flatnonzero(material.against), MOST_OTHERS, seed)
    both = labelled(material, np.union1d(tested, others))
    is_tested, is_other = np.isin(both.rows, tested), np.isin(both.rows, others)
    if min(is_tested.sum(), is_other.sum()) < _FEWEST:
        yield f"nearest neighbours were not looked at: fewer than {_FEWEST} images with one label on a side"
        return
    gaps = {"hashes": _gap(material, both, is_tested, is_other, _by_hash(project, material, both.rows))}
    if why:
        yield why
    else:
        pixels, read = _pixels(project, material, both.rows, workers, progress)
        if not read.all():
            is_tested, is_other = is_tested & read, is_other & read
            gaps["hashes"] = _gap(material, both, is_tested, is_other, _by_hash(project, material, both.rows))
        gaps["low-resolution pixels"] = _gap(material, both, is_tested, is_other, _by_pixels(pixels))
    told = " and ".join(
        f"{gap.whole:.0%} on {name} ({gap.without:.0%} without the image's own family in training)"
        for name, gap in gaps.items()
    )
    text = f"a nearest-neighbour classifier labels {told} of {int(is_tested.sum()):,} tested images rightly"
    if all(gap.whole == gap.without for gap in gaps.values()):
        yield f"{text}: no family is divided"
        return
    advice = "a diagnostic, no measure of a leak: it shows what remembering alone is worth on this split"
    gap = gaps.get("low-resolution pixels", gaps["hashes"])
    rows = both.rows[is_tested]
    own = both.family[is_tested] == both.family[np.searchsorted(both.rows, gap.nearest)]
    ids = material.ids
    shown = [
        Evidence("neighbours", ids[a], ids[b], "nearest neighbour, of its own family")
        for a, b in zip(rows[own].tolist(), gap.nearest[own].tolist(), strict=True)
    ]
    finding = Finding("neighbours", INFO, int(own.sum()), len(set(gap.nearest[own].tolist())), 0, f"{text}; {advice}")
    yield finding, shown


Nearness = Callable[[Ints, Ints], NDArray[np.float32]]


def _gap(material: Material, both: Labelled, is_tested: Flags, is_other: Flags, near: Nearness) -> Gap:
    tested, pool = np.flatnonzero(is_tested), np.flatnonzero(is_other)
    part = material.part[both.rows]
    whole, without, nearest = [], [], []
    for start in range(0, len(tested), _CHUNK):
        some = tested[start : start + _CHUNK]
        close = near(some, pool)
        # Where every part is tested once, a part teaches nothing about itself.
        close[part[some][:, None] == part[pool][None]] = -np.inf
        first = pool[close.argmax(axis=1)]
        nearest.append(both.rows[first])
        whole.append(both.label[first] == both.label[some])
        close[both.family[some][:, None] == both.family[pool][None]] = -np.inf
        second = pool[close.argmax(axis=1)]
        # An image whose family is all of training has no neighbour left.
        left = np.isfinite(close.max(axis=1))
        without.append((both.label[second] == both.label[some]) & left)
    return Gap(float(np.concatenate(whole).mean()), float(np.concatenate(without).mean()), np.concatenate(nearest))


def _by_hash(project: Project, material: Material, rows: Ints) -> Nearness:
    """By the 256 bits of the larger pHash that two pictures share."""
    hashes = columns(project, material, rows, ["phash256"])["phash256"].to_pylist()
    bits = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4)

    def near(some: Ints, pool: Ints) -> NDArray[np.float32]:
        shared = np.bitwise_count(~(bits[some][:, None] ^ bits[pool][None])).sum(axis=2, dtype=np.float32)
        return np.asarray(shared, np.float32)

    return near


def _by_pixels(pixels: NDArray[np.float32]) -> Nearness:
    """By the correlation of two small pictures."""

    def near(some: Ints, pool: Ints) -> NDArray[np.float32]:
        found: NDArray[np.float32] = pixels[some] @ pixels[pool].T
        return found

    return near


def _pixels(
    project: Project, material: Material, rows: Ints, workers: int | None, progress: Progress
) -> tuple[NDArray[np.float32], Flags]:
    """(rows, pixels) small pictures of mean 0 and length 1, and which could be opened."""
    hashes = columns(project, material, rows, ["pixel_hash"])["pixel_hash"].to_pylist()
    sketched = features.sketches(
        project,
        opened(project, material, rows),
        hashes,
        workers=workers,
        progress=lambda done, total: progress("looking at pictures", done, total),
    )
    small = np.stack([cv2.resize(t, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for t in sketched.thumbs])
    flat = small.reshape(len(rows), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return flat, ~np.isin(np.arange(len(rows)), list(sketched.unread))
