"""How probable it is that a label is wrong: the model's word and those of other labels, weighed together.

Every label is taken for a witness that errs with the probability ERRS and then says any other class alike. The model is
a witness whose probabilities are first made honest on the labels themselves, which may err, too. Bayes' rule gives the
probability of every class. So a model that knows little says little, and five scans of one specimen outweigh it.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from xqdata.suspects.filings import Said, Word
from xqdata.suspects.predicted import Floats

# About what was found in the test parts of ten well-known datasets: C. Northcutt, A. Athalye, J. Mueller, "Pervasive
# Label Errors in Test Sets Destabilize Machine Learning Benchmarks", NeurIPS 2021 (3.3% on average).
ERRS = 0.033


@dataclass(frozen=True)
class Cleanlab:
    """What cleanlab says with its defaults: `quality` of each label, 0 to 1, and whether it is an `issue`."""

    quality: Floats
    issue: NDArray[np.bool_]


def cleanlab(label: NDArray[np.int64], probability: Floats) -> Cleanlab:
    """Confident learning on (n,) labels and (n, classes) out-of-fold probabilities.

    Source: C. Northcutt, L. Jiang, I. Chuang, "Confident Learning", JAIR 70 (2021).
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    present, numbered = np.unique(label, return_inverse=True)  # cleanlab wants each class to occur
    held = probability[:, present]
    held = held / np.maximum(held.sum(1, keepdims=True), 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with few examples, in its own words
        issue = find_label_issues(numbered, held, n_jobs=1)
        quality = get_label_quality_scores(numbered, held)
    return Cleanlab(np.asarray(quality, np.float64), np.asarray(issue, bool))


def honest(label: NDArray[np.int64], probability: Floats) -> Floats:
    """(n, classes) probabilities, flattened as far as the labels say that they claim too much.

    A temperature and a share of the classes' frequencies are fitted so that the labels, which err, are most probable.
    """
    classes = probability.shape[1]
    frequency = (np.bincount(label, minlength=classes) + 1.0) / (len(label) + classes)
    logs = np.log(np.maximum(probability, 1e-4))

    def flattened(shape: NDArray[np.float64]) -> Floats:
        powered = np.exp((logs - logs.max(1, keepdims=True)) / np.exp(shape[0]))
        powered /= powered.sum(1, keepdims=True)
        share = 1 / (1 + np.exp(-shape[1]))
        return np.asarray((1 - share) * powered + share * frequency)

    def surprise(shape: NDArray[np.float64]) -> float:
        true = flattened(shape)[np.arange(len(label)), label]
        return float(-np.log((1 - ERRS) * true + ERRS * (1 - true) / max(classes - 1, 1)).mean())

    fitted = minimize(surprise, np.array([0.5, -2.0]), method="Nelder-Mead", bounds=[(-3, 5), (-8, 8)])
    return flattened(fitted.x)


def posterior(classes: Sequence[str], own: Sequence[Said], model: Floats | None, words: Sequence[Word]) -> Floats:
    """(classes,) probability of each class, from what the image itself is said to show, the model and other labels."""
    logs = np.zeros(len(classes)) if model is None else np.log(np.maximum(model, 1e-12))
    for said in (*own, *(word.label for word in words)):
        known = np.array([name in said for name in classes])
        logs += np.log(np.where(known, 1 - ERRS, ERRS / max(len(classes) - 1, 1)))
    shifted = np.exp(logs - logs.max())
    return np.asarray(shifted / shifted.sum())
