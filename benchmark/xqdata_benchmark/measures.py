"""Every published figure, from predictions alone: without torch, and so that anybody can compute it again.

Rows of a confusion matrix are true labels, columns predicted ones. Figures over classes are means over the classes that
the part holds; a class that it lacks keeps its row, and its figures are null.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special
from sklearn import metrics
from sklearn.calibration import calibration_curve

from xqdata.groups import Ints
from xqdata_benchmark.intervals import FEWEST, Figure, Floats, proportion, resampled, worth

_BINS = 15  # of the expected calibration error
_LEAST = 1e-7
# Draws of fewer distinct images are worse calibrated, so that a percentile interval would lie above the figure.
_BIASED = ("ece", "ece_scaled")


@dataclass(frozen=True)
class Outcome:
    """What a classifier said of n images of one part.

    `truth`: (n, classes) bool. `probability`: (n, classes) float64; rows sum to 1 unless the task is multilabel.
    `component`: (n,) any numbers. `multilabel`: any number of classes for an image.
    """

    truth: NDArray[np.bool_]
    probability: Floats
    component: Ints
    multilabel: bool = False

    @property
    def true(self) -> Ints:
        """(n,) the true class, of images with one."""
        return np.asarray(self.truth.argmax(1), np.int64)

    @property
    def predicted(self) -> Ints:
        """(n,) the most probable class."""
        return np.asarray(self.probability.argmax(1), np.int64)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(n,) whether the prediction is right; of multilabel, whether all classes are, at a probability of a half."""
        if self.multilabel:
            return np.asarray(((self.probability >= 0.5) == self.truth).all(1))
        return np.asarray(self.predicted == self.true)

    def only(self, keep: NDArray[np.bool_]) -> Outcome:
        """Some of the images."""
        return Outcome(self.truth[keep], self.probability[keep], self.component[keep], self.multilabel)


def temperature(outcome: Outcome) -> float:
    """What logits are divided by so that confidence is nearest to truth on `outcome`, which training never saw.

    Source: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """

    def loss(log_t: float) -> float:
        p = scaled(outcome, float(np.exp(log_t))).probability
        if outcome.multilabel:
            return float(-np.log(np.where(outcome.truth, p, 1 - p).clip(_LEAST)).mean())
        return float(-np.log(p[outcome.truth].clip(_LEAST)).mean())

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def scaled(outcome: Outcome, t: float) -> Outcome:
    """The same outcome with its logits divided by `t`."""
    p = outcome.probability.clip(_LEAST, 1 - _LEAST)
    other = special.expit(special.logit(p) / t) if outcome.multilabel else special.softmax(np.log(p) / t, axis=1)
    return Outcome(outcome.truth, other, outcome.component, outcome.multilabel)


def overall(outcome: Outcome, t: float | None) -> dict[str, Any]:
    """Figures of all images together, each with its interval. `t`: the temperature, or None where there is none."""
    values = _points_multilabel(outcome) if outcome.multilabel else _points(outcome, t)
    count = len(np.unique(outcome.component))
    ends = resampled(lambda w: _weighed(outcome, t, w), outcome.component) if worth(outcome.component) >= FEWEST else {}
    n = len(outcome.truth)
    told = {}
    for name, value in values.items():
        low, high = ends.get(name, (None, None)) if name not in _BIASED else (None, None)
        # Where all draws agree, as when everything is right, the bootstrap knows of no doubt, and there is one.
        told[name] = Figure(value, n, count, *((None, None) if low == high else (low, high))).told()
    if told["accuracy"]["low"] is None:
        told["accuracy"] = proportion(outcome.correct, outcome.component).told()
    return told


def _points(outcome: Outcome, t: float | None) -> dict[str, float]:
    true, predicted, count = outcome.true, outcome.predicted, outcome.truth.shape[1]
    held = np.unique(true)
    found = {
        "accuracy": float(metrics.accuracy_score(true, predicted)),
        "balanced_accuracy": float(metrics.recall_score(true, predicted, labels=held, average="macro")),
        "macro_f1": float(metrics.f1_score(true, predicted, labels=held, average="macro", zero_division=0)),
        "auroc": _area(outcome),
        "ece": float(_ece(outcome, np.ones((1, len(true))))[0]),
    }
    if count > 3:
        scores = outcome.probability
        found["top3_accuracy"] = float(metrics.top_k_accuracy_score(true, scores, k=3, labels=range(count)))
    return found if t is None else found | {"ece_scaled": float(_ece(scaled(outcome, t), np.ones((1, len(true))))[0])}


def _points_multilabel(outcome: Outcome) -> dict[str, float]:
    truth, said = outcome.truth, outcome.probability >= 0.5
    held = np.flatnonzero(truth.any(0))
    return {
        "accuracy": float(metrics.accuracy_score(truth, said)),
        "macro_f1": float(metrics.f1_score(truth, said, labels=held, average="macro", zero_division=0)),
        "micro_f1": float(metrics.f1_score(truth, said, average="micro", zero_division=0)),
        "auroc": _area(outcome),
    }


def _area(outcome: Outcome) -> float:
    """Mean over the classes that some images show and others do not."""
    both = [k for k in range(outcome.truth.shape[1]) if 0 < outcome.truth[:, k].sum() < len(outcome.truth)]
    areas = [metrics.roc_auc_score(outcome.truth[:, k], outcome.probability[:, k]) for k in both]
    return float(np.mean(areas)) if areas else float("nan")


def _in_top3(outcome: Outcome) -> NDArray[np.bool_]:
    """(n,) whether the true class is among the three most probable; ties in scikit-learn's order."""
    order = np.argsort(outcome.probability, axis=1, kind="mergesort")[:, ::-1][:, :3]
    return np.asarray((order == outcome.true[:, None]).any(1))


def _weighed(outcome: Outcome, t: float | None, weights: Floats) -> dict[str, Floats]:
    """Each figure (replicates,) with images weighed by `weights` (replicates, n)."""
    if outcome.multilabel:
        return _weighed_multilabel(outcome, t, weights)
    truth, predicted = outcome.truth.astype(np.float64), np.eye(outcome.truth.shape[1])[outcome.predicted]
    total = weights.sum(1)
    right = outcome.correct.astype(np.float64)
    hits, support, said = weights @ (truth * right[:, None]), weights @ truth, weights @ predicted
    held = support > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(held, hits / support, np.nan)
        f1 = np.where(held, 2 * hits / (support + said), np.nan)
    found = {
        "accuracy": weights @ right / total,
        "balanced_accuracy": np.nanmean(recall, axis=1),
        "macro_f1": np.nanmean(f1, axis=1),
        "auroc": _auroc(outcome, weights),
        "ece": _ece(outcome, weights),
    }
    if truth.shape[1] > 3:
        found["top3_accuracy"] = weights @ _in_top3(outcome).astype(np.float64) / total
    return found | ({} if t is None else {"ece_scaled": _ece(scaled(outcome, t), weights)})


def _weighed_multilabel(outcome: Outcome, t: float | None, weights: Floats) -> dict[str, Floats]:
    truth, said = outcome.truth.astype(np.float64), (outcome.probability >= 0.5).astype(np.float64)
    hits, support, claimed = weights @ (truth * said), weights @ truth, weights @ said
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = np.where(support > 0, 2 * hits / (support + claimed), np.nan)
        micro = 2 * hits.sum(1) / (support.sum(1) + claimed.sum(1))
    return {
        "accuracy": weights @ outcome.correct.astype(np.float64) / weights.sum(1),
        "macro_f1": np.nanmean(f1, axis=1),
        "micro_f1": micro,
        "auroc": _auroc(outcome, weights),
    }


def _auroc(outcome: Outcome, weights: Floats) -> Floats:
    """Mean over classes, each against the rest, of the area under the curve (Mann and Whitney, ties by halves)."""
    areas = np.full((len(weights), outcome.truth.shape[1]), np.nan)
    for k in range(outcome.truth.shape[1]):
        scores, mine = outcome.probability[:, k], outcome.truth[:, k]
        if not mine.any() or mine.all():
            continue
        level = np.unique(scores, return_inverse=True)[1]
        order = np.argsort(level, kind="stable")
        first = np.flatnonzero(np.diff(level[order], prepend=-1))
        by_level = [np.add.reduceat((weights * side)[:, order], first, axis=1) for side in (mine, ~mine)]
        below = np.cumsum(by_level[1], axis=1) - by_level[1] / 2
        pairs = by_level[0].sum(1) * by_level[1].sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            areas[:, k] = np.where(pairs > 0, (by_level[0] * below).sum(1) / pairs, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no class has both sides
        return np.asarray(np.nanmean(areas, axis=1))


def _ece(outcome: Outcome, weights: Floats) -> Floats:
    """Expected calibration error of the most probable class, 15 bins of equal width."""
    confidence = outcome.probability.max(1)
    bins = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    gap = np.eye(_BINS)[bins] * (confidence - outcome.correct)[:, None]
    return np.asarray(np.abs(weights @ gap).sum(1) / weights.sum(1))


def classes(outcome: Outcome, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Each class: support, components, precision, recall with its interval, F1, mean probability of the true class."""
    said = outcome.probability >= 0.5 if outcome.multilabel else np.eye(len(names), dtype=bool)[outcome.predicted]
    precision, _, f1, support = metrics.precision_recall_fscore_support(
        outcome.truth, said, average=None, zero_division=np.nan
    )
    told: dict[str, dict[str, Any]] = {}
    for k, name in enumerate(names):
        mine = outcome.truth[:, k]
        recall = proportion(said[mine, k], outcome.component[mine])
        mean = float(outcome.probability[mine, k].mean()) if mine.any() else float("nan")
        told[name] = {
            "support": int(support[k]),
            "components": recall.components,
            "precision": _null(precision[k]),
            "recall": recall.told() if mine.any() else None,
            "f1": _null(f1[k]) if mine.any() else None,
            "mean_probability": _null(mean),
        }
        if outcome.multilabel and mine.any() and not mine.all():
            told[name]["average_precision"] = float(metrics.average_precision_score(mine, outcome.probability[:, k]))
    return told


def groups(outcome: Outcome, values: list[str | None]) -> dict[str, dict[str, Any]]:
    """Accuracy of the images of each value, with n and its interval; most images first, unknown as `unknown`."""
    held = np.array([value if value is not None else "unknown" for value in values], object)
    names, counts = np.unique(held, return_counts=True) if len(held) else (np.array([]), np.array([]))
    order = sorted(zip(-counts, names, strict=True))
    return {
        str(name): proportion(outcome.correct[held == name], outcome.component[held == name]).told()
        for _, name in order
    }


def confusion(outcome: Outcome, count: int) -> NDArray[np.int64]:
    """(count, count) images by true class (row) and predicted class (column)."""
    return np.asarray(metrics.confusion_matrix(outcome.true, outcome.predicted, labels=range(count)), np.int64)


def cells(outcome: Outcome, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """The cells of the confusion matrix that are not empty: true and predicted class, count, share of the row."""
    counts = confusion(outcome, len(names))
    found = []
    for i, j in np.argwhere(counts).tolist():
        mine = outcome.true == i
        share = proportion(outcome.predicted[mine] == j, outcome.component[mine])
        found.append({"true": names[i], "predicted": names[j], "count": int(counts[i, j]), "share": share.told()})
    return found


def chance(train: NDArray[np.bool_], test: NDArray[np.bool_]) -> dict[str, Any]:
    """What one gets for nothing: by always saying training's commonest class, and by guessing evenly."""
    commonest = int(train.sum(0).argmax())
    return {"commonest": float(test[:, commonest].mean()), "even": 1 / test.shape[1]}


def reliability(outcome: Outcome) -> list[tuple[float, float]]:
    """(mean confidence, share right) of each of ten bins that holds an image, for a diagram."""
    share, confidence = calibration_curve(outcome.correct, outcome.probability.max(1).clip(0, 1), n_bins=10)
    return list(zip(confidence.tolist(), share.tolist(), strict=True))


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
