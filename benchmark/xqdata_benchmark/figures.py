"""metrics.json: every figure of a run, from its predictions and the columns of its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from xqdata_benchmark import measures
from xqdata_benchmark.predictions import Predictions
from xqdata_benchmark.ties import KINDS

_FACTORS = ("scan_type", "container", "multiplicity")
_SEEDED = ("accuracy", "balanced_accuracy", "macro_f1")


def figures(
    told: Predictions, tested: tuple[str, ...], factors: Mapping[str, Mapping[str, str | None]], folds: bool
) -> dict[str, Any]:
    """The figures of the parts `tested` and, where there are others, of validation.

    `factors`: of each of scan_type, container and multiplicity, its value by image_id.
    """
    test, val = told.of(tested), told.of(tuple(set(told.part.tolist()) - set(tested)))
    t = measures.temperature(val.outcome) if len(val.ids) else None
    outcome = test.outcome
    by = {name: measures.groups(outcome, [factors[name][i] for i in test.ids]) for name in _FACTORS}
    ties = measures.groups(outcome, test.tie.tolist())
    found: dict[str, Any] = {
        "test": measures.overall(outcome, t),
        "classes": measures.classes(outcome, told.classes),
        "by": by | {"tie": {kind: ties.get(kind, {"value": None, "n": 0}) for kind in KINDS}},
        "temperature": t,
        "parts": list(tested),
    }
    if not told.multilabel:
        found["confusion"] = measures.cells(outcome, told.classes)
    if len(val.ids):
        found["val"] = measures.overall(val.outcome, None)
    if folds:
        found["folds"] = {name: _fold(told.of((name,))) for name in tested}
    return found


def factors(images: pa.Table) -> dict[str, dict[str, str | None]]:
    """Of each of scan_type, container and multiplicity, its value by image_id."""
    ids = images["image_id"].to_pylist()
    return {name: dict(zip(ids, images[name].to_pylist(), strict=True)) for name in _FACTORS}


def _fold(told: Predictions) -> dict[str, float]:
    return {"n": len(told.ids), "accuracy": float(told.outcome.correct.mean())}


def spread(runs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """How far figures move when the network is trained again with another seed; intervals do not hold that."""
    values = {name: [float(run["test"][name]["value"]) for run in runs] for name in _SEEDED if name in runs[0]["test"]}
    told = {
        name: {"values": list_, "mean": float(np.mean(list_)), "deviation": float(np.std(list_, ddof=1))}
        for name, list_ in values.items()
        if len(list_) > 1
    }
    return {"seeds": list(seeds), **told}
