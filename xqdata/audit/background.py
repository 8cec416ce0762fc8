"""How well the label is predicted by what is not the object: the container, overlays, the scanner's own marks.

The object region is replaced by what the container looks like there, under a box of one size for all images, so that
neither its size nor its outline tells the label. Where the box lies may tell it still: the control sees the box alone.
A linear classifier is fitted to the training side and judged on the test side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import containers, manifest
from xqdata.audit.finding import MEDIUM, Finding
from xqdata.audit.material import Material
from xqdata.audit.pictures import columns, drawn, labelled, opened, reachable
from xqdata.audit.telling import Found
from xqdata.containers.grouping import COLUMNS, polarities
from xqdata.containers.rle import unrle
from xqdata.engine import map_shards
from xqdata.groups import Ints
from xqdata.images import BadImage
from xqdata.manifest import Project
from xqdata.scans import Scan, witnesses

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Progress = Callable[[str, int, int], None]

SIDE = 32  # pixels on a side of the pictures that are judged
_MOST = 3000
_SHARD = 64
_FEW = 64
# Boxes of so much of the picture and more leave nothing to judge; the common box holds this share of the others.
_LARGEST, _HELD = 0.4, 0.95
# Fewer images, classes or components than these say nothing.
_FEWEST, _FEWEST_COMPONENTS = 60, 10
_FOLDS = 5
_AXES = 32
_SPREAD = 0.01  # of that of all images
_RESAMPLED = 1000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True)
class Score:
    """Balanced accuracy with its 95% interval, by resampling components."""

    found: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.found:.1%} ({self.low:.1%} to {self.high:.1%})"


def background(
    project: Project, material: Material, seed: int, workers: int | None, progress: Progress
) -> Iterator[Found | str]:
    """Whether the label shows in the background more than in the place of the object and than by chance."""
    if why := reachable(project, material):
        yield f"the background was not judged, {why}"
        return
    views = _views(project, material, seed, workers, progress)
    if isinstance(views, str):
        yield f"the background was not judged: {views}"
        return
    filled, box, rows, label, left_out = views
    judged = _judged(material, filled, box, rows, label, seed)
    if judged is None:
        yield f"the background was not judged: too few images or classes with a foreground ({len(rows):,} images)"
        return
    without, control, more, classes, test = judged
    chance = 1 / classes
    text = (
        f"a linear classifier that sees the container in place of the object reaches a balanced accuracy of {without} "
        f"on {test:,} tested images of {classes} classes, where chance is {chance:.1%} and the place of the object "
        f"alone gives {control}"
    )
    text += f" ({left_out:,} images whose object fills most of the picture are left out)" if left_out else ""
    if without.low <= chance or more.low <= 0:
        yield f"background: {text}: no more than the place of the object and chance give"
        return
    advice = "a model may learn the background: look at what differs between classes besides the object"
    sides = (int(material.tested[rows].sum()), int(material.against[rows].sum()))
    yield Finding("background", MEDIUM, *sides, 0, f"{text}; {advice}"), []


def _views(
    project: Project, material: Material, seed: int, workers: int | None, progress: Progress
) -> tuple[Floats, Floats, Ints, Ints, int] | str:
    """(images, pixels) with the object replaced, (images, pixels) of the box alone, their rows and labels, and how many
    were left out because their object is too large; or why there are none.
    """
    if not manifest.exists(project, "masks"):
        return "there are no masks: run xqdata dedup"
    # A box is known where a foreground is that is not empty; the run lengths are read of those that are drawn alone.
    boxes = manifest.read(project, "masks", ["image_id", "box"])
    filled = pc.is_in(material.images["image_id"], value_set=boxes.filter(pc.is_valid(boxes["box"]))["image_id"])
    known = np.flatnonzero(np.asarray(filled, bool) & material.has_part)
    one = labelled(material, known)
    rows = drawn(material, one.rows, _MOST, seed)
    if len(rows) < _FEWEST:
        return f"the foreground of {len(rows):,} images with one label is known, {_FEWEST} are needed"
    label = one.label[np.searchsorted(one.rows, rows)]
    ids = material.images["image_id"].take(pa.array(rows))
    masks = manifest.read(project, "masks", ["image_id", "rle"], only=ids)
    told = masks.take(pc.index_in(ids, masks["image_id"].combine_chunks()))["rle"].to_pylist()
    maps, shown, read = _read(project, material, rows, told, workers, progress)
    maps, shown, rows, label = maps[read], shown[read], rows[read], label[read]
    return _replaced(maps, shown, _kinds(project, material, rows), rows, label)


def _kinds(project: Project, material: Material, rows: Ints) -> Ints:
    """A number for each container as one scanner sees it."""
    names = ("container", "container_id", "scanner_make", "scanner_model", "scanner_serial", "view", "channel")
    table = columns(project, material, rows, names)
    numbers: dict[tuple[object, ...], int] = {}
    listed = zip(*(table[name].to_pylist() for name in names), strict=True)
    return np.array([numbers.setdefault(told, len(numbers)) for told in listed], np.int64)


def _read(
    project: Project, material: Material, rows: Ints, rles: Sequence[str], workers: int | None, progress: Progress
) -> tuple[Floats, Flags, Flags]:
    """(images, SIDE, SIDE) attenuation, where the foreground is, and which images could be opened."""
    polarity = polarities(manifest.read(project, "images", list(COLUMNS)))
    found = [replace(s, polarity=polarity.get(s.image_id)) for s in opened(project, material, rows)]
    work = list(zip(range(len(rows)), found, rles, strict=True))
    shards = [tuple(work[i : i + _SHARD]) for i in range(0, len(work), _SHARD)]
    maps, shown = np.zeros((len(rows), SIDE, SIDE), np.float32), np.zeros((len(rows), SIDE, SIDE), bool)
    read, done = np.zeros(len(rows), bool), 0
    few = len(rows) < _FEW
    sees = [] if few else witnesses(project, found)
    with closing(map_shards(_small, shards, workers=1 if few else workers, sees=sees)) as finished:
        for shard, made in finished:
            for n, small, inside in made:
                maps[n], shown[n], read[n] = small, inside, True
            done += len(shard)
            progress("looking at backgrounds", done, len(rows))
    return maps, shown, read


def _small(shard: tuple[tuple[int, Scan, str], ...]) -> list[tuple[int, Floats, Flags]]:
    """In a worker: pictures of a shard and their foregrounds, at SIDE."""
    made = []
    for number, scan, rle in shard:
        if scan.polarity is None:
            continue
        try:
            page = scan.read()
        except BadImage:
            continue
        small = cv2.resize(containers.attenuation(page, scan.polarity), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        share = cv2.resize(unrle(rle).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        # A margin of a pixel: the edge of an object is blurred into it.
        inside = cv2.dilate((share > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        made.append((number, small.astype(np.float32), inside))
    return made


def _replaced(
    maps: Floats, shown: Flags, kind: Ints, rows: Ints, label: Ints
) -> tuple[Floats, Floats, Ints, Ints, int] | str:
    extent = np.stack([_extent(one) for one in shown]) if len(shown) else np.zeros((0, 4), np.int64)
    height, width = extent[:, 1] - extent[:, 0], extent[:, 3] - extent[:, 2]
    fits = (height > 0) & (height * width <= _LARGEST * SIDE * SIDE)
    if fits.sum() < _FEWEST:
        return f"{int(fits.sum()):,} images show an object that leaves background to judge, {_FEWEST} are needed"
    tall, wide = (int(np.ceil(np.quantile(side[fits], _HELD))) for side in (height, width))
    fits &= (height <= tall) & (width <= wide)
    box = np.stack([_box(one, tall, wide) for one in extent])
    filled = maps.copy()
    for one in np.unique(kind):
        mine = np.flatnonzero(kind == one)
        filled[mine] = np.where(box[mine], _container(maps[mine], shown[mine])[None], maps[mine])
    flat = (filled[fits].reshape(int(fits.sum()), -1), box[fits].reshape(int(fits.sum()), -1).astype(np.float32))
    return *flat, rows[fits], label[fits], int((~fits).sum())


def _container(maps: Floats, shown: Flags) -> Floats:
    """(SIDE, SIDE) what scans of one container show where nothing lies in it; a middle value where all are covered."""
    bare = np.where(shown, np.nan, maps)
    bare[:, shown.all(axis=0)] = np.median(maps)
    return np.nanmedian(bare, axis=0).astype(np.float32)


def _extent(inside: Flags) -> Ints:
    """First and last row, first and last column of a foreground, the last ones excluded; zeros where nothing lies."""
    tall, wide = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(tall):
        return np.zeros(4, np.int64)
    return np.array([tall[0], tall[-1] + 1, wide[0], wide[-1] + 1], np.int64)


def _box(extent: Ints, tall: int, wide: int) -> Flags:
    """A box of the common size round the middle of a foreground, moved so that it lies within the picture."""
    inside = np.zeros((SIDE, SIDE), bool)
    top = int(np.clip((extent[0] + extent[1] - tall) // 2, 0, SIDE - tall))
    left = int(np.clip((extent[2] + extent[3] - wide) // 2, 0, SIDE - wide))
    inside[top : top + tall, left : left + wide] = True
    return inside


def _judged(
    material: Material, filled: Floats, box: Floats, rows: Ints, label: Ints, seed: int
) -> tuple[Score, Score, Score, int, int] | None:
    """The scores of the background, of the box alone, and of the difference; how many classes and tested images."""
    rounds = _rounds(material, rows)
    usable = [(train, test) for train, test in rounds if len(train) and len(test)]
    if not usable:
        return None
    classes = set.intersection(*(set(label[train].tolist()) & set(label[test].tolist()) for train, test in usable))
    keep = np.isin(label, sorted(classes))
    usable = [(train[keep[train]], test[keep[test]]) for train, test in usable]
    tested = np.concatenate([test for _, test in usable])
    family = material.families(rows)
    few = min(min(len(train), len(test)) for train, test in usable) < _FEWEST // 3
    if len(classes) < 2 or few or len(np.unique(family[tested])) < _FEWEST_COMPONENTS:
        return None
    right = [_right(views, label, usable) for views in (filled, box)]
    scores = _resampled(family[tested], label[tested], right, seed)
    return *scores, len(classes), len(tested)


def _rounds(material: Material, rows: Ints) -> list[tuple[Ints, Ints]]:
    """Training and tested images of each round: one, or one for each of the first parts where every part is tested."""
    if not material.sides.rotates:
        return [(np.flatnonzero(material.against[rows]), np.flatnonzero(material.tested[rows]))]
    part = material.part[rows]
    return [(np.flatnonzero(part != p), np.flatnonzero(part == p)) for p in np.unique(part)[:_FOLDS].tolist()]


def _right(views: Floats, label: Ints, rounds: Sequence[tuple[Ints, Ints]]) -> Flags:
    """Of the tested images of all rounds, which are labelled rightly."""
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    # No label goes into the axes, so that one set serves all rounds.
    axes = PCA(min(_AXES, len(views) - 1), svd_solver="covariance_eigh").fit_transform(views)
    # Classes whose images are all alike have no spread, and without any there is no discriminant.
    axes += np.random.Generator(np.random.PCG64(0)).normal(0, _SPREAD * axes.std(), axes.shape)
    found = []
    for train, test in rounds:
        fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(axes[train], label[train])
        found.append(fitted.predict(axes[test]) == label[test])
    return np.concatenate(found)


def _resampled(component: Ints, label: Ints, right: Sequence[Flags], seed: int) -> tuple[Score, Score, Score]:
    """Balanced accuracy of two classifiers on the same images, and the first less the second."""
    _, family = np.unique(component, return_inverse=True)
    _, number = np.unique(label, return_inverse=True)
    shape = (int(family.max()) + 1, int(number.max()) + 1)
    held = np.zeros(shape)
    np.add.at(held, (family, number), 1)
    good = np.zeros((2, *shape))
    for n, flags in enumerate(right):
        np.add.at(good[n], (family, number), flags)
    dice = np.random.Generator(np.random.PCG64(seed))
    weight = dice.multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=_RESAMPLED).astype(np.float64)
    weight = np.vstack([np.ones(shape[0]), weight])
    total = weight @ held
    with np.errstate(invalid="ignore"):
        recall = np.stack([weight @ one for one in good]) / total
    balanced = np.nanmean(recall, axis=2)
    first, second = (_score(one) for one in balanced)
    return first, second, _score(balanced[0] - balanced[1])


def _score(values: NDArray[np.float64]) -> Score:
    low, high = np.percentile(values[1:], _INTERVAL)
    return Score(float(values[0]), float(low), float(high))
