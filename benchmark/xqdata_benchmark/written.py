"""The files of a run. `run.json` is the last of them: without it a run is not whole."""

from __future__ import annotations

import csv
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import xqdata
from xqdata import runs
from xqdata.manifest import Project
from xqdata.report.run import write as write_pages
from xqdata_benchmark import measures, place
from xqdata_benchmark.figures import factors, figures, spread
from xqdata_benchmark.learner import Learnt
from xqdata_benchmark.options import Options
from xqdata_benchmark.predictions import Predictions
from xqdata_benchmark.samples import Samples, Turn

WORK = "work"
TRAINED = "trained.parquet"
CONFUSION = "confusion.csv"
NORMALISED = "confusion_normalised.csv"
_CURVES = "curves.csv"
_KEPT = ("model.safetensors", _CURVES, runs.EMBEDDINGS, TRAINED)
_NAMED = ("numpy", "scikit-learn", "torch", "torchvision", "lightning", "safetensors")


@dataclass(frozen=True)
class Facts:
    """What a run knows of itself. `leaking`: what crosses the parts, a line each."""

    data: Samples
    options: Options
    seeds: Sequence[int]
    leaking: Sequence[str]
    warnings: Sequence[str]
    environment: Mapping[str, Any]


def keep_turn(work: Path, data: Samples, turn: Turn, learnt: Learnt, told: Predictions) -> None:
    """Write what one training leaves, its predictions last."""
    work.mkdir(parents=True, exist_ok=True)
    learnt.keep(work)
    if learnt.embedding is not None and not turn.name:  # each fold's network has a space of its own
        count, width = learnt.embedding.shape
        starts = np.arange(0, count * width + 1, width, dtype=np.int32)
        vectors = pa.ListArray.from_arrays(starts, pa.array(learnt.embedding.ravel()))
        put(pa.table({"image_id": told.ids, "embedding": vectors}), work / runs.EMBEDDINGS)
    ids = data.ids
    trained = pa.array([ids[row] for row in np.flatnonzero(turn.train).tolist()], pa.string())
    put(pa.table({"image_id": trained}), work / TRAINED)
    put(told.table, work / runs.PREDICTIONS)
    for file in learnt.spare:  # only now: until then, a run that was killed goes on from them
        file.unlink()


def write(project: Project, folder: Path, every: Sequence[Predictions], facts: Facts) -> None:
    """Write all files of a run from the predictions of each seed, the first of which is the run's own."""
    data, options = facts.data, facts.options
    tested, known = data.material.sides.test_names, factors(data.material.images)
    all_ = [figures(one, tested, known, options.folds) for one in every]
    found = all_[0] | {
        "seeds": spread(all_, facts.seeds),
        "chance": _chance(data, tested),
        "left_out": data.left_out,
        "trained_on": _trained_on(folder / WORK / f"seed{facts.seeds[0]}"),
    }
    first = folder / WORK / f"seed{facts.seeds[0]}"
    for name in _KEPT:
        if (first / name).exists():
            shutil.copyfile(first / name, folder / name)
    _curves_of_folds(folder, first.name)
    put(every[0].table, folder / runs.PREDICTIONS)
    _json(found, folder / runs.METRICS)
    tables(every[0].of(tested), folder)
    told = _told(project, folder, facts, found["temperature"])
    write_pages(project, folder, told, found, every[0].table)
    _json(told, folder / runs.TOLD)
    shutil.rmtree(folder / WORK)  # only now: until the run is whole, it goes on from there


def _trained_on(work: Path) -> int | None:
    """How many images were learnt from; None where folds learnt from different ones."""
    file = work / TRAINED
    return int(pq.read_metadata(file).num_rows) if file.exists() else None


def _curves_of_folds(folder: Path, first: str) -> None:
    """The learning curves of all folds in one table, which says which fold a line is of."""
    rows: list[list[str]] = []
    for file in sorted((folder / WORK).glob(f"{first}-fold*/{_CURVES}")):
        with file.open(encoding="utf-8", newline="") as source:
            head, *lines = csv.reader(source)
        rows += [] if rows else [["fold", *head]]
        rows += [[file.parent.name.rpartition("-fold")[2], *line] for line in lines]
    if rows:
        _csv(rows, folder / _CURVES)


def tables(told: Predictions, folder: Path) -> None:
    """confusion.csv and confusion_normalised.csv; of multilabel, the four counts of each class."""
    names = told.classes
    if told.multilabel:
        said = told.probability >= 0.5
        rows = []
        for k, name in enumerate(names):
            t, p = told.truth[:, k], said[:, k]
            rows.append([name, *(int(x.sum()) for x in (t & p, ~t & p, t & ~p, ~t & ~p))])
        _csv(
            [["class", "true_positive", "false_positive", "false_negative", "true_negative"], *rows], folder / CONFUSION
        )
        return
    counts = measures.confusion(told.outcome, len(names))
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    head = ["true \\ predicted", *names]
    _csv([head, *([name, *row] for name, row in zip(names, counts.tolist(), strict=True))], folder / CONFUSION)
    spelled = [["" if np.isnan(v) else f"{v:.6f}" for v in row] for row in shares]
    _csv([head, *([name, *row] for name, row in zip(names, spelled, strict=True))], folder / NORMALISED)


def _chance(data: Samples, tested: tuple[str, ...]) -> dict[str, Any]:
    """Of folds, each with the commonest class of what it is not tested on: the mean over all tested images."""
    parts = np.array(data.material.sides.names, object)[data.part]
    names = tested if data.material.sides.rotates else (tested,)
    sides = [np.isin(parts, name) for name in names]
    found = [measures.chance(data.truth[~test], data.truth[test & ~data.copy]) for test in sides]
    sizes = [int((test & ~data.copy).sum()) for test in sides]
    return found[0] | {"commonest": float(np.average([one["commonest"] for one in found], weights=sizes))}


def _told(project: Project, folder: Path, facts: Facts, temperature: float | None) -> dict[str, Any]:
    options, data = facts.options, facts.data
    recipe = options.recipe
    return {
        "format": runs.FORMAT,
        "name": folder.name,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "xqdata": xqdata.__version__,
        "recipe": Path(options.recipe_name).stem,
        "settings": recipe.model_dump(),
        "task": recipe.task,
        "classes": list(data.classes),
        "split": options.split,
        "folds": options.folds,
        "seed": facts.seeds[0],
        "seeds": list(facts.seeds),
        "tables": place.started(project, data, options)["tables"],
        "temperature": temperature,
        "leaking": list(facts.leaking),
        "warnings": list(facts.warnings),
        "environment": {**_environment(), **facts.environment},
    }


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _NAMED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def put(table: pa.Table, file: Path) -> None:
    """Write a Parquet file whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    pq.write_table(table, part, compression="zstd")
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(file)


def _json(value: Mapping[str, Any], file: Path) -> None:
    part = file.with_name(f".{file.name}.part")
    part.write_text(json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False), encoding="utf-8")
    part.replace(file)


def _plain(value: Any) -> Any:
    """JSON has no NaN: null."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _csv(rows: Sequence[Sequence[Any]], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
