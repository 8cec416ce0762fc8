"""Runs side by side: on the images that all of them tested, with paired differences over components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xqdata.errors import InputError
from xqdata.runs import Run
from xqdata_benchmark.intervals import FEWEST, Floats, resampled, worth
from xqdata_benchmark.predictions import Predictions, read


@dataclass(frozen=True)
class Compared:
    """`rows`: of each run its figures on the images that all runs tested, and its difference to the first. `images`,
    `components`: how many those are. `notes`: what makes runs less comparable.
    """

    rows: tuple[dict[str, Any], ...]
    images: int
    components: int
    notes: tuple[str, ...]


def compare(several: Sequence[Run]) -> Compared:
    """Compare runs with the first of them. Raises InputError for one run alone, runs of different tasks, and runs that
    tested no image in common.

    The bootstrap draws the same components for both sides of a difference, so that what is hard for both takes nothing
    from its certainty. Components are those of the first run.
    """
    if len(several) < 2:
        raise InputError("one run compares with nothing", where=several[0].name, hint="name two runs or more")
    if len({run.task for run in several}) > 1:
        raise InputError("the runs have different tasks", hint="compare runs of single labels with one another")
    every = [read(run).of(tuple(run.metrics()["parts"])) for run in several]
    ids = sorted(set.intersection(*(set(one.ids) for one in every)))
    if not ids:
        raise InputError("the runs tested no image in common", hint="compare runs on one split, or on the same folds")
    truth = _true(every[0], ids)
    right = [_right(one, ids) for one in every]
    component = _components(every[0], ids)
    classes = np.unique(truth, return_inverse=True)[1]
    held = np.eye(int(classes.max()) + 1)[classes]

    def weigh(weights: Floats) -> dict[str, Floats]:
        told = {}
        for k, mine in enumerate(right):
            told[f"accuracy {k}"] = weights @ mine / weights.sum(1)
            told[f"balanced_accuracy {k}"] = _balanced(weights, mine, held)
        for k in range(1, len(right)):
            for name in ("accuracy", "balanced_accuracy"):
                told[f"{name} {k} - 0"] = told[f"{name} {k}"] - told[f"{name} 0"]
        return told

    values = {name: float(value[0]) for name, value in weigh(np.ones((1, len(ids)))).items()}
    count = len(np.unique(component))
    ends = resampled(weigh, component) if worth(component) >= FEWEST else {}
    rows = tuple(_row(run, k, values, ends, right) for k, run in enumerate(several))
    return Compared(rows, len(ids), count, tuple(_notes(several, every, len(ids), truth, ids)))


def _balanced(weights: Floats, right: Floats, held: Floats) -> Floats:
    support = weights @ held
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(
            np.nanmean(np.where(support > 0, (weights @ (held * right[:, None])) / support, np.nan), axis=1)
        )


def _row(
    run: Run, k: int, values: dict[str, float], ends: dict[str, tuple[float, float]], right: list[Floats]
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "run": run.name,
        "recipe": run.recipe,
        "split": run.split,
        "leaking": bool(run.told["leaking"]),
    }
    for name in ("accuracy", "balanced_accuracy"):
        told[name] = _figure(values, ends, f"{name} {k}")
        if k:
            told[f"{name}_difference"] = _figure(values, ends, f"{name} {k} - 0")
    if k:
        told["only_this"] = int(((right[k] > 0) & (right[0] == 0)).sum())
        told["only_first"] = int(((right[0] > 0) & (right[k] == 0)).sum())
    return told


def _figure(values: dict[str, float], ends: dict[str, tuple[float, float]], key: str) -> dict[str, float | None]:
    low, high = ends.get(key, (None, None))
    return {"value": values[key], "low": low, "high": high}


def _place(one: Predictions, ids: list[str]) -> list[int]:
    at = {image: row for row, image in enumerate(one.ids)}
    return [at[image] for image in ids]


def _right(one: Predictions, ids: list[str]) -> Floats:
    return np.asarray(one.outcome.correct[_place(one, ids)], np.float64)


def _true(one: Predictions, ids: list[str]) -> NDArray[np.str_]:
    return np.array(one.true)[_place(one, ids)]


def _components(one: Predictions, ids: list[str]) -> NDArray[np.int64]:
    return np.unique(one.component[_place(one, ids)].astype(str), return_inverse=True)[1].astype(np.int64)


def _notes(
    several: Sequence[Run], every: Sequence[Predictions], shared: int, truth: NDArray[np.str_], ids: list[str]
) -> list[str]:
    notes = []
    for run, one in zip(several, every, strict=True):
        if len(one.ids) > shared:
            notes.append(f"{run.name} tested {len(one.ids) - shared:,} more images, which are not compared")
        if run.told["leaking"]:
            notes.append(f"{run.name} was tested on a split that leaks")
        if (changed := int((_true(one, ids) != truth).sum())) > 0:
            notes.append(f"{changed:,} images bore another label when {run.name} was made: the first run's count")
    return notes
