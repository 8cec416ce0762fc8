"""The benchmarks: figures of every run, confusion matrices, and what a split that leaks adds to the score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from xqdata import manifest, runs
from xqdata.errors import TableError, XqdataError
from xqdata.report.dataset.material import Material
from xqdata.runs import Run

# Runs whose matrix is shown, the newest ones on splits that do not leak first.
_MATRICES = 6
# Where `xqdata benchmark --gap` leaves what it measured: a folder for each name.
_GAPS = "gaps/*/gap.json"
# The nearest that a test image has in its family's part of training.
_TIES = {"copy": "a copy", "scan": "the same pass or bag", "specimen": "the same object", "session": "the same session",
         "none": "something farther"}  # fmt: skip

Row = Mapping[str, Any]


def evaluation(material: Material) -> dict[str, Any]:
    """The values of the template's fourth section."""
    found, damaged = _runs(material)
    told = [_told(material, run, metrics) for run, metrics in found]
    told.sort(key=lambda one: (one["leaking"], -one["value"]))
    single = [one for one in told if one["confusion"]]
    for number, one in enumerate(single):
        one["matrix"] = _matrix(material, one.pop("confusion"), one["classes"]) if number < _MATRICES else None
    return {
        "runs": told,
        "damaged": damaged,
        "gaps": _gaps(told),
        "paired": list(_paired(material)),
        "chance": _chance(told),
    }


def _runs(material: Material) -> tuple[list[tuple[Run, Row]], list[tuple[str, str]]]:
    """Whole runs with their figures; and the folders that are none, each with why."""
    found: list[tuple[Run, Row]] = []
    damaged: list[tuple[str, str]] = []
    folder = material.project.folder / runs.FOLDER
    for place in sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []:
        if not (place / runs.TOLD).exists():
            damaged.append((place.name, "it was not finished"))
            continue
        try:
            run = runs.read(material.project, place.name)
            metrics = run.metrics()
            _ = (metrics["test"]["accuracy"]["value"] + 0, run.told["leaking"], metrics["chance"]["commonest"])
            found.append((run, metrics))
        except XqdataError as error:
            damaged.append((place.name, error.message))
        except (KeyError, TypeError, ValueError) as error:
            damaged.append((place.name, f"its figures are not as this xqdata reads them ({error})"))
    return found, damaged


def _told(material: Material, run: Run, metrics: Row) -> dict[str, Any]:
    test = metrics["test"]
    changed = sorted(name for name, digest in run.told["tables"].items() if _digest(material, name) != digest)
    return {
        "name": run.name,
        "recipe": run.recipe,
        "settings": run.told.get("settings"),
        "task": run.task,
        "split": run.split,
        "leaking": bool(run.told["leaking"]),
        "random": _random(material, run.split),
        "made_at": run.made_at[:16].replace("T", " "),
        "version": str(run.told.get("xqdata", "")),
        "changed": changed,
        "value": float(test["accuracy"]["value"]),
        "accuracy": bar(test["accuracy"]),
        "balanced": bar(test.get("balanced_accuracy") or test["accuracy"]),
        "n": f"{test['accuracy']['n']:,}",
        "components": f"{test['accuracy'].get('components', 0):,}",
        "chance": float(metrics["chance"]["commonest"] or 0),
        "even": float(metrics["chance"].get("even") or 0),
        "classes": run.classes,
        "confusion": metrics.get("confusion") if run.task == "single" else None,
        "matrix": None,
        "weak": _weak(material, metrics.get("classes") or {}),
    }


def _digest(material: Material, name: str) -> str:
    state = material.state(name)
    return state.digest if state else ""


def _random(material: Material, split: str) -> bool:
    try:
        request = manifest.provenance(material.project, f"splits/{split}").options.get("request") or {}
    except TableError:
        return False
    return bool(request.get("method") == "random")


def bar(one: Row) -> dict[str, Any]:
    """A share with its interval, as the template's bar draws it: in percent."""
    has = one.get("low") is not None
    return {
        "text": percent(one["value"]),
        "at": 100 * (one["value"] or 0),
        "low": 100 * one["low"] if has else None,
        "high": 100 * one["high"] if has else None,
        "interval": f"{percent(one['low'])} to {percent(one['high'])}" if has else "",
    }


def percent(value: float | None) -> str:
    """A share with one decimal; unknown is a dash."""
    return "–" if value is None else f"{100 * value:.1f}%"


def _chance(told: Sequence[Row]) -> str:
    return percent(max(one["chance"] for one in told)) if told else ""


def _weak(material: Material, classes: Row) -> list[dict[str, Any]]:
    """Each class's recall, the worst first."""
    held = [(name, one["recall"]) for name, one in classes.items() if one.get("recall")]
    held = [(name, recall) for name, recall in held if recall.get("value") is not None]
    held.sort(key=lambda pair: (pair[1]["value"], pair[0]))
    return [
        {"name": material.object_name(name), "n": f"{recall['n']:,}",
         "components": f"{recall.get('components', 0):,}", **bar(recall)}
        for name, recall in held
    ]  # fmt: skip


def _gaps(told: Iterable[Row]) -> list[dict[str, Any]]:
    """Of each recipe that ran with the same settings on a split that leaks and on one that does not: the newest two."""
    found: list[dict[str, Any]] = []
    by_recipe: dict[tuple[str, str], list[Row]] = {}
    for one in told:
        by_recipe.setdefault((one["recipe"], repr(one["settings"])), []).append(one)
    for (recipe, _), several in by_recipe.items():
        newest = {one["leaking"]: one for one in sorted(several, key=lambda one: str(one["made_at"]))}
        if len(newest) == 2:
            safe, leaky = newest[False], newest[True]
            points = 100 * (leaky["value"] - safe["value"])
            found.append({"recipe": recipe, "safe": safe, "leaky": leaky, "points": f"{points:+.1f}",
                          "bad": points > 0})  # fmt: skip
    return sorted(found, key=lambda gap: str(gap["recipe"]))


def _paired(material: Material) -> Iterator[dict[str, Any]]:
    """What was measured on pairs of trainings: the same test images, with and without their families in training."""
    for file in sorted(material.project.folder.glob(_GAPS)):
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            found = told["gap"]
            ends = [f"{100 * found[end]:+.1f}" for end in ("low", "high") if found[end] is not None]
            yield {
                "name": file.parent.name,
                "points": f"{100 * found['value']:+.1f}",
                "interval": " to ".join(ends),
                "bad": found["value"] > 0,
                "with": bar(told["with_"]),
                "without": bar(told["without"]),
                "images": f"{told['images']:,}",
                "components": f"{told['components']:,}",
                "repeats": len(told["repeats"]),
                "ties": [
                    (_TIES[kind], f"{one['n']:,}", percent(one["with"]), percent(one["without"]))
                    for kind, one in told["by_tie"].items()
                ],
            }
        except (OSError, ValueError, KeyError, TypeError):  # not finished, or of another version
            continue


def _matrix(material: Material, cells: Sequence[Row], classes: Sequence[str]) -> dict[str, Any]:
    """Rows of cells: true labels down, predicted ones across."""
    counts = {(cell["true"], cell["predicted"]): cell for cell in cells}
    names = [material.object_name(name) for name in classes]
    rows = []
    for i, true in enumerate(classes):
        line = []
        total = sum(counts[true, other]["count"] for other in classes if (true, other) in counts)
        for j, predicted in enumerate(classes):
            cell = counts.get((true, predicted))
            share = cell["count"] / total if cell else 0.0
            line.append({
                "count": f"{cell['count']:,}" if cell else "", "shade": f"{share:.3f}", "dark": share > 0.55,
                "right": i == j, "tell": f"{names[i]} called {names[j]}: {100 * share:.0f}%" if cell else "",
            })  # fmt: skip
        rows.append({"name": names[i], "total": f"{total:,}", "cells": line})
    return {"names": names, "rows": rows}
