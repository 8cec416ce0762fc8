"""What a model says of every image that never saw its family: from a run with folds, or from a quick classifier."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold

from xqdata import features, manifest, runs, scans
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.suspects.filings import MEASURED, Filings

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

QUICK = "a quick classifier"
NO_MODEL = "no model"
_FOLDS = 5
_TREES = 300
_RINGS = 34  # of the 64 x 64 sketch's spectrum


@dataclass(frozen=True)
class Predicted:
    """`source`: a run, QUICK or NO_MODEL. `classes`: sorted. `probability`: (n, classes), rows of images that no model
    judged hold 0. `known`: (n,) whether one did. `vectors`: (n, width) descriptions to look for neighbours with, or
    None; two images of different `space` (n,) cannot be compared, as each fold has a network of its own. `notes`: for
    the terminal.
    """

    source: str
    classes: tuple[str, ...]
    probability: Floats
    known: NDArray[np.bool_]
    vectors: NDArray[np.float32] | None = None
    space: NDArray[np.object_] | None = None
    notes: tuple[str, ...] = ()


def predicted(
    project: Project, filings: Filings, run: str | None, workers: int | None, progress: Progress
) -> Predicted:
    """From `run`; where that is None from the latest run with folds, else from a quick classifier."""
    name = run or _latest(project)
    if name is not None:
        return _of_run(runs.read(project, name), filings, _older(project, name))
    return _quick(project, filings, workers, progress)


def _latest(project: Project) -> str | None:
    """The run with folds that was finished last."""
    for name in reversed(runs.names(project)):
        run = runs.read(project, name)
        if run.told.get("folds") and run.task == "single":
            return name
    return None


def _older(project: Project, name: str) -> tuple[str, ...]:
    """A note where the run learnt from other images or labels than those that stand now."""
    used = runs.read(project, name).told.get("tables") or {}
    now = {table: manifest.provenance(project, table).digest for table in manifest.standing(project)}
    changed = [table for table in ("images", "labels") if used and used.get(table) != now.get(table)]
    told = f"{runs.FOLDER}/{name} learnt from other {' and '.join(changed)} than those that stand now"
    return (f"{told}: make it again for a better word",) if changed else ()


def _of_run(run: runs.Run, filings: Filings, notes: tuple[str, ...]) -> Predicted:
    if not run.told.get("folds") or run.task != "single":
        hint = "make one: xqdata split --folds 5 --name cv, then xqdata benchmark --name cv --folds"
        raise InputError("is no run with folds of single objects", where=f"{runs.FOLDER}/{run.name}", hint=hint)
    table = run.predictions()
    classes = tuple(sorted({*run.classes, *filings.object.tolist()} - {""}))
    judged = dict(zip(table["image_id"].to_pylist(), range(table.num_rows), strict=True))
    # A copy that took no part gets what was said of the picture that did.
    of_copy = {int(filings.copy[row]): judged[i] for row, i in enumerate(filings.ids) if i in judged}
    at = np.array([judged.get(i, of_copy.get(int(filings.copy[row]), -1)) for row, i in enumerate(filings.ids)])
    probability = np.zeros((len(at), len(classes)))
    for name in run.classes:
        column = table[f"p_{name}"].to_numpy().astype(np.float64)
        probability[:, classes.index(name)] = np.where(at >= 0, column[at], 0.0) if len(column) else 0.0
    space = np.where(at >= 0, np.array(table["part"].to_pylist() or [""], object)[at], "")
    vectors = _vectors(run, table, at)
    return Predicted(f"{runs.FOLDER}/{run.name}", classes, probability, at >= 0, vectors, space, notes)


def _vectors(run: runs.Run, table: pa.Table, at: NDArray[np.intp]) -> NDArray[np.float32] | None:
    """The run's embeddings in the order of the images, where it has any of every image it judged."""
    held = run.embeddings()
    if held is None or not held.num_rows:
        return None
    place = pc.index_in(table["image_id"], held["image_id"].combine_chunks())
    if place.null_count:
        return None
    rows = np.array(held["embedding"].combine_chunks().take(place.combine_chunks()).to_pylist(), np.float32)
    return np.asarray(np.where(at[:, None] >= 0, rows[at], 0.0), np.float32)


def _quick(project: Project, filings: Filings, workers: int | None, progress: Progress) -> Predicted:
    rows = np.flatnonzero(filings.object != "")
    classes = tuple(sorted(set(filings.object[rows].tolist())))
    probability = np.zeros((len(filings.ids), len(classes)))
    known = np.zeros(len(filings.ids), bool)
    if few := _too_few(filings, rows):
        return Predicted(NO_MODEL, classes, probability, known, notes=(few,))
    sketched = features.sketches(
        project,
        scans.located(project, filings.images.take(pa.array(rows))),
        filings.images["pixel_hash"].take(pa.array(rows)).to_pylist(),
        workers=workers,
        progress=lambda done, total: progress("looking at pictures", done, total),
    )
    read = ~np.isin(np.arange(len(rows)), list(sketched.unread))
    rows, thumbs = rows[read], sketched.thumbs[read]
    if few := _too_few(filings, rows):
        return Predicted(NO_MODEL, classes, probability, known, notes=(few,))
    described, label = _described(filings, rows, thumbs), filings.object[rows].astype(str)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        divided = list(folds.split(described, label, filings.component[rows]))
    for number, (train, test) in enumerate(divided):
        progress("learning", number, _FOLDS)
        model = ExtraTreesClassifier(_TREES, min_samples_leaf=2, max_features=0.2, random_state=0)
        model.fit(described[train], label[train])
        columns = np.searchsorted(classes, model.classes_)
        probability[np.ix_(rows[test], columns)] = model.predict_proba(described[test])
    progress("learning", _FOLDS, _FOLDS)
    known[rows] = True
    notes = (f"{int((~read).sum()):,} pictures could not be opened",) if not read.all() else ()
    vectors = np.zeros((len(filings.ids), described.shape[1]), np.float32)
    vectors[rows] = (described - described.mean(0)) / np.maximum(described.std(0), 1e-6)
    return Predicted(QUICK, classes, probability, known, vectors, np.full(len(known), "", object), notes)


def _too_few(filings: Filings, rows: NDArray[np.intp]) -> str:
    """Why no model can be asked; empty if one can."""
    counts = Counter(filings.object[rows].tolist())
    families = len(set(filings.component[rows].tolist()))
    if len(counts) > 1 and families >= _FOLDS and max(counts.values()) >= _FOLDS:
        return ""
    return (
        f"no model was asked: {families:,} families of images and {len(counts):,} objects, the most frequent "
        f"{max(counts.values(), default=0):,} times, are too few"
    )


def _described(filings: Filings, rows: NDArray[np.intp], thumbs: NDArray[np.uint8]) -> Floats:
    """(rows, features) that do not depend on where things lie: measured values, grey values, edges, spectrum.

    A scan's place in the tunnel says nothing of what it shows; low-resolution pixels as they are learn just that.
    """
    columns = [filings.images[name].take(pa.array(rows)).to_numpy() for name in MEASURED]
    measured = np.nan_to_num(np.stack(columns, axis=1).astype(np.float64))
    return np.hstack([measured, np.stack([_texture(thumb) for thumb in thumbs])])


def _texture(thumb: NDArray[np.uint8]) -> Floats:
    grey = thumb.astype(np.float32)
    values = np.sqrt(np.histogram(thumb, 32, (0, 255))[0])
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    steep = np.hypot(across, down)
    angle = np.arctan2(down, across) % np.pi
    edges = np.sqrt(np.histogram(steep, 16, (0, 600))[0])
    turned = np.histogram(angle, 8, (0, np.pi), weights=steep)[0] / 1000
    power = np.log1p(np.abs(np.fft.fft2(grey)))
    ring = (np.hypot(*np.meshgrid(*[np.fft.fftfreq(len(grey))] * 2)) * 48).astype(int).ravel()
    rings = np.bincount(ring, power.ravel(), _RINGS) / np.maximum(np.bincount(ring, minlength=_RINGS), 1)
    return np.concatenate([values, edges, turned, rings])
