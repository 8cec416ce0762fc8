"""The folders under `runs/`: one for each run of the benchmark, with what it predicted and how it was made.

A run is whole when `run.json` stands in its folder: that is written last. Until then a folder holds what a run that was
interrupted goes on from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from xqdata.errors import InputError, TableError
from xqdata.manifest import Project

FOLDER = "runs"
TOLD = "run.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
EMBEDDINGS = "embeddings.parquet"
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """One whole run. `told`: all of `run.json`."""

    folder: Path
    told: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return str(self.told["recipe"])

    @property
    def task(self) -> str:
        """`single` (one class for each image) or `multilabel`."""
        return str(self.told["task"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities and of the confusion matrix."""
        return tuple(self.told["classes"])

    @property
    def split(self) -> str:
        """The split that it was evaluated on: `splits/SPLIT`."""
        return str(self.told["split"])

    @property
    def made_at(self) -> str:
        """When it was finished (UTC, ISO 8601)."""
        return str(self.told["made_at"])

    def metrics(self) -> dict[str, Any]:
        """All figures. Raises TableError where the file is absent or damaged."""
        try:
            found: dict[str, Any] = json.loads((self.folder / METRICS).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(self.folder / METRICS, error) from error
        return found

    def predictions(self, columns: list[str] | None = None) -> pa.Table:
        """One row for each image that was evaluated: image_id, part, component, true, predicted, correct, confidence,
        and `p_CLASS` for every class. Raises TableError where the file is absent or damaged.
        """
        return _read(self.folder / PREDICTIONS, columns)

    def embeddings(self) -> pa.Table | None:
        """image_id and embedding (a list of float32) of each image that was evaluated; None where there are none."""
        path = self.folder / EMBEDDINGS
        return _read(path) if path.exists() else None


def names(project: Project) -> list[str]:
    """The names of the whole runs of `project`, the one that was finished last at the end."""
    found = []
    for path in (project.folder / FOLDER).glob(f"*/{TOLD}"):
        try:
            found.append((read(project, path.parent.name).made_at, path.parent.name))
        except TableError:
            continue  # damaged: whoever names it is told so
    return [name for _, name in sorted(found)]


def read(project: Project, name: str) -> Run:
    """The run called `name`. Raises InputError where there is none, TableError where it cannot be read."""
    folder = project.folder / FOLDER / name
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        run = Run(folder, told)
        _ = (run.recipe, run.task, run.classes, run.split, run.made_at, told["format"])
    except FileNotFoundError:
        if folder.is_dir():
            hint = f"go on with it: xqdata benchmark --run {name} --resume, with its options"
            raise InputError("is not finished", where=f"{FOLDER}/{name}", hint=hint) from None
        every = names(project)
        more = f" and {len(every) - 8} more" if every[8:] else ""
        hint = f"runs are {', '.join(every[-8:])}{more}" if every else "run: xqdata benchmark"
        raise InputError("there is no such run", where=f"{FOLDER}/{name}", hint=hint) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / TOLD, error) from error
    if told["format"] != FORMAT:
        hint = "read it with the xqdata that made it"
        raise TableError(
            f"has format {told['format']}, this xqdata reads {FORMAT}", where=f"{FOLDER}/{name}", hint=hint
        )
    return run


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> TableError:
    hint = "remove the run's folder and run xqdata benchmark again"
    return TableError(f"is no file of a run or is damaged ({error})", where=str(path), hint=hint)
