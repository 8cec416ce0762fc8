"""The pages of one run of the benchmark: the report, and the confusion matrix by itself, to click on."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

import xqdata
from xqdata import manifest, scans
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.report import page, plots

REPORT = "report.html"
MATRIX = "confusion.html"
PICTURE = "confusion.png"
_PER_CELL = 6  # pictures that a click on a cell shows
_MOST = 900  # pictures on a page
_SIDE = 132

_WORDS = {
    "accuracy": ("Accuracy", "share of test images whose most probable class is the true one"),
    "balanced_accuracy": ("Balanced accuracy", "mean of the classes' recalls: rare classes count as much"),
    "macro_f1": ("Macro F1", "mean of the classes' F1"),
    "micro_f1": ("Micro F1", "F1 over all labels together"),
    "top3_accuracy": ("Top-3 accuracy", "the true class is among the three most probable"),
    "auroc": ("AUROC", "mean over classes, each against the rest: 0.5 is chance"),
    "ece": ("Calibration error", "how far confidence is from truth, on average"),
    "ece_scaled": ("Calibration error, scaled", "the same after temperature scaling on the validation part"),
}
_FACTORS = {"scan_type": "Scan type", "container": "Container", "multiplicity": "How many objects"}
_TIES = {
    "copy": "a copy of a training image",
    "scan": "the same pass or bag as a training image",
    "specimen": "the same physical object as in training",
    "session": "the same session as a training image",
    "none": "nothing: new objects, new scans",
}

Row = Mapping[str, Any]


def write(project: Project, folder: Path, told: Row, metrics: Row, predictions: pa.Table) -> None:
    """Write report.html and, of single labels, confusion.png and confusion.html to a run's folder.

    `told`: as in run.json; `metrics`: as in metrics.json.
    """
    test = predictions.filter(pc.is_in(predictions["part"], pa.array(metrics["parts"])))
    matrix = None
    if told["task"] == "single":
        counts = _counts(told["classes"], metrics["confusion"])
        title = f"{told['recipe']} on splits/{told['split']}: {_headline(metrics)}"
        plots.confusion(counts, told["classes"], title, folder / PICTURE, _under(told, metrics))
        matrix = _matrix(project, told["classes"], counts, metrics["confusion"], test)
        page.write(folder / MATRIX, page.render("confusion.html", **_frame(project, told), matrix=matrix, title=title))
    values = _frame(project, told) | _figures(told, metrics)
    curves = _curves(folder / "curves.csv")
    values["curves"] = plots.curves(curves) if curves else ""
    values["reliability"] = plots.reliability(
        test["confidence"].to_numpy(), test["correct"].to_numpy(zero_copy_only=False)
    )
    values["confused"] = _confused(metrics) if matrix else []
    page.write(folder / REPORT, page.render("run.html", **values, matrix=matrix))


def _frame(project: Project, told: Row) -> dict[str, Any]:
    return {
        "project": project.folder.name,
        "run": told["name"],
        "recipe": told["recipe"],
        "split": told["split"],
        "version": xqdata.__version__,
        "leaking": told["leaking"],
    }


def _headline(metrics: Row) -> str:
    one = metrics["test"]["accuracy"]
    return f"accuracy {_percent(one['value'])}{_ends(one)}, n = {one['n']:,} in {one['components']:,} components"


def _under(told: Row, metrics: Row) -> list[str]:
    nothing = metrics["chance"]
    chance = f"for nothing: guessing {_percent(nothing['even'])}, always training's commonest class "
    chance += _percent(nothing["commonest"])
    return [f"THE SPLIT LEAKS: {chance}" if told["leaking"] else chance]


def _figures(told: Row, metrics: Row) -> dict[str, Any]:
    test = metrics["test"]
    rows = [
        {"word": word, "meaning": meaning, **_shown(key, test[key])}
        for key, (word, meaning) in _WORDS.items()
        if key in test
    ]
    by = [
        {"word": word, "rows": [_bar(name, one) for name, one in metrics["by"][key].items()]}
        for key, word in _FACTORS.items()
    ]
    ties = [_bar(_TIES[kind], one) for kind, one in metrics["by"]["tie"].items() if one["n"]]
    return {
        "accuracy": _percent(test["accuracy"]["value"]),
        "interval": _ends(test["accuracy"]).strip(" ()"),
        "n": f"{test['accuracy']['n']:,}",
        "components": f"{test['accuracy']['components']:,}",
        "chance": _percent(metrics["chance"]["commonest"]),
        "even": _percent(metrics["chance"]["even"]),
        "figures": rows,
        "classes": [_class(name, one) for name, one in metrics["classes"].items()],
        "by": by,
        "ties": ties,
        "seeds": _seeds(metrics["seeds"]),
        "folds": [(name, f"{one['n']:,}", _percent(one["accuracy"])) for name, one in metrics.get("folds", {}).items()],
        "temperature": metrics["temperature"],
        "left_out": [(f"{count:,}", why) for why, count in metrics["left_out"].items()],
        "warnings": told["warnings"],
        "trained_on": f"{metrics['trained_on']:,}" if metrics.get("trained_on") is not None else "",
        "settings": json.dumps(told["settings"], indent=1, ensure_ascii=False),
        "environment": told["environment"],
        "tables": told["tables"],
        "made_at": told["made_at"].replace("T", " ").replace("+00:00", " UTC"),
    }


def _shown(key: str, one: Row) -> dict[str, str]:
    percent = key not in ("auroc", "ece", "ece_scaled", "macro_f1", "micro_f1")
    spell = _percent if percent else lambda v: "–" if v is None else f"{v:.3f}"
    ends = f"{spell(one['low'])} to {spell(one['high'])}" if one.get("low") is not None else "–"
    if one.get("range"):
        ends = f"components from {spell(one['range'][0])} to {spell(one['range'][1])}"
    return {"value": spell(one["value"]), "interval": ends}


def _bar(name: str, one: Row) -> dict[str, Any]:
    has = one.get("low") is not None
    return {
        "name": name,
        "value": _percent(one["value"]),
        "n": f"{one['n']:,}",
        "components": f"{one.get('components', 0):,}",
        "at": 100 * (one["value"] or 0),
        "low": 100 * one["low"] if has else None,
        "high": 100 * one["high"] if has else None,
        "interval": _interval(one),
    }


def _class(name: str, one: Row) -> dict[str, Any]:
    recall = one["recall"] or {"value": None, "n": 0, "components": 0, "low": None, "high": None}
    return _bar(name, recall) | {
        "support": f"{one['support']:,}",
        "precision": _percent(one["precision"]),
        "f1": "–" if one["f1"] is None else f"{one['f1']:.2f}",
        "mean": _percent(one["mean_probability"]),
    }


def _interval(one: Row) -> str:
    if one.get("low") is not None:
        return f"{_percent(one['low'])} to {_percent(one['high'])}"
    if one.get("components") == 1:
        return "no interval: 1 component"
    if one.get("range"):
        low, high = (_percent(value) for value in one["range"])
        return f"no interval: {one['components']} components, {low} to {high}"
    return "–"


def _seeds(told: Row) -> list[tuple[str, str, str, str]]:
    return [
        (
            _WORDS[key][0],
            ", ".join(_percent(v) for v in one["values"]),
            _percent(one["mean"]),
            f"{100 * one['deviation']:.1f} points",
        )
        for key, one in told.items()
        if key in _WORDS
    ]


def _confused(metrics: Row) -> list[tuple[str, str, int, str]]:
    """The pairs of classes that are confused most: true, predicted, images, share of the true class."""
    wrong = [cell for cell in metrics["confusion"] if cell["true"] != cell["predicted"]]
    wrong.sort(key=lambda cell: (-cell["count"], -cell["share"]["value"]))
    return [
        (c["true"], c["predicted"], c["count"], _percent(c["share"]["value"])) for c in wrong[:10] if c["count"] > 1
    ]


def _counts(names: Sequence[str], cells: Sequence[Row]) -> NDArray[np.int64]:
    number = {name: k for k, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    for cell in cells:
        counts[number[cell["true"]], number[cell["predicted"]]] = cell["count"]
    return counts


def _matrix(
    project: Project, names: Sequence[str], counts: NDArray[np.int64], cells: Sequence[Row], test: pa.Table
) -> dict[str, Any]:
    """What the matrix shows: rows of cells with count, share, interval; and each cell's pictures, by its number."""
    told = {(cell["true"], cell["predicted"]): cell for cell in cells}
    totals = counts.sum(1)
    rows = []
    for i, true in enumerate(names):
        line = []
        for j, predicted in enumerate(names):
            cell = told.get((true, predicted))
            share = cell["share"]["value"] if cell else 0.0
            line.append(
                {
                    "count": int(counts[i, j]),
                    "percent": f"{100 * share:.0f}" if cell else "",
                    "shade": f"{share:.3f}",
                    "dark": share > 0.55,
                    "right": i == j,
                    "key": f"{i},{j}" if cell else "",
                    "interval": _interval(cell["share"]) if cell else "",
                    "true": true,
                    "predicted": predicted,
                }
            )
        rows.append({"name": true, "total": f"{totals[i]:,}", "cells": line})
    return {"names": names, "rows": rows, "pictures": _pictures(project, names, test)}


def _pictures(project: Project, names: Sequence[str], test: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Pictures of each cell, the most confident first; nothing where the raw folder is not at hand."""
    number = {name: k for k, name in enumerate(names)}
    order = test.sort_by([("confidence", "descending")])
    columns = ("image_id", "true", "predicted", "confidence")
    chosen: dict[str, list[tuple[str, float]]] = {}
    count = 0
    for image, true, predicted, confidence in zip(*(order[c].to_pylist() for c in columns), strict=True):
        cell = chosen.setdefault(f"{number[true]},{number[predicted]}", [])
        if len(cell) < _PER_CELL and count < _MOST:
            cell.append((image, confidence))
            count += 1
    wanted = pa.array([image for cell in chosen.values() for image, _ in cell], pa.string())
    rows = manifest.read(project, "images", scans.COLUMNS, only=wanted)
    try:
        held = {scan.image_id: scan for scan in scans.located(project, rows)}
    except InputError:
        return {}
    paths = dict(zip(rows["image_id"].to_pylist(), rows["path"].to_pylist(), strict=True))
    return {
        key: [
            {
                "picture": page.thumbnail(held[image], _SIDE, 70) if image in held else None,
                "path": paths.get(image, image),
                "confidence": _percent(confidence),
            }
            for image, confidence in cell
        ]
        for key, cell in chosen.items()
    }


def _curves(file: Path) -> list[dict[str, float | None]]:
    """The learning curves by epoch, the mean of all folds where there are several."""
    if not file.exists():
        return []
    epochs: dict[float, list[dict[str, float | None]]] = {}
    with file.open(encoding="utf-8", newline="") as source:
        for told in csv.DictReader(source):
            row = {key: float(value) if value else None for key, value in told.items() if key != "fold"}
            epochs.setdefault(row["epoch"] or 0.0, []).append(row)
    return [{key: _mean([row[key] for row in rows]) for key in rows[0]} for _, rows in sorted(epochs.items())]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _percent(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.1f}%"


def _ends(one: Row) -> str:
    return f" ({_percent(one['low'])} to {_percent(one['high'])})" if one.get("low") is not None else ""
