"""Scikit-learn's classifiers on hashes and low-resolution pixels: a CNN that does not beat them has learnt nothing."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from xqdata.groups import Ints
from xqdata_benchmark.cache import Pixels
from xqdata_benchmark.recipe import Recipe
from xqdata_benchmark.samples import Samples


def described(data: Samples, pixels: Pixels, recipe: Recipe) -> NDArray[np.float32]:
    """(n, features) of each sample: the scan as networks are given it, smaller and grey, and the bits of its pHash."""
    columns = []
    if side := recipe.shallow.pixels:
        columns.append(np.empty((len(data), side * side), np.float32))
        for row, one in enumerate(pixels.values):
            grey = 1 - one.mean(2) / pixels.white
            columns[0][row] = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA).ravel()
    if recipe.shallow.hashes:
        hashes = data.material.images["phash"].take(pa.array(data.rows)).combine_chunks()
        words = hashes.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
        bits = np.unpackbits(words[:, None].view(np.uint8), axis=1).astype(np.float32)
        columns.append(bits * 2 - 1)
    # Each sort counts as a whole, however many values it has; the hash, which is mostly of the container, less.
    weighed = [w * c / np.linalg.norm(c, axis=1).mean().clip(1e-6) for w, c in zip((1.0, 0.3), columns, strict=False)]
    return np.concatenate(weighed, axis=1)


def predict(
    described: NDArray[np.float32], truth: NDArray[np.bool_], train: Ints, others: Ints, recipe: Recipe
) -> NDArray[np.float64]:
    """(len(others), classes) probabilities of rows `others`, learnt from rows `train`; 0 for classes not taught."""
    classes = truth.shape[1]
    out = np.zeros((len(others), classes))
    # One thread: these matrices are small, and threads that wait for one another on a busy machine take minutes.
    with threadpool_limits(1):
        _fill(out, described, truth, (train, others), recipe)
    return out


def _fill(
    out: NDArray[np.float64],
    described: NDArray[np.float32],
    truth: NDArray[np.bool_],
    rows: tuple[Ints, Ints],
    recipe: Recipe,
) -> None:
    train, others = rows
    taught = np.flatnonzero(truth[train].any(0))
    if recipe.task == "multilabel" and len(taught) > 1:
        model = OneVsRestClassifier(_model(recipe, len(train)))
        out[:, taught] = model.fit(described[train], truth[train][:, taught].astype(int)).predict_proba(
            described[others]
        )
        return
    label = truth[train].argmax(1)
    if len(taught) == 1:
        out[:, taught] = 1.0
        return
    with warnings.catch_warnings():
        # With an image or two for each class, scikit-learn takes numbers of classes for a quantity, and says so.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        out[:, taught] = _model(recipe, len(train)).fit(described[train], label).predict_proba(described[others])


def _model(recipe: Recipe, count: int) -> ClassifierMixin:
    asked = recipe.shallow
    if recipe.kind == "knn":
        return KNeighborsClassifier(min(asked.neighbours, count), weights="distance")
    return make_pipeline(StandardScaler(), LogisticRegression(C=asked.c, max_iter=2000))
