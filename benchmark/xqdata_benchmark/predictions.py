"""The table predictions.parquet: written by a run, and read again for everything that is computed from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from xqdata.runs import Run
from xqdata_benchmark.measures import Outcome

_P = "p_"


@dataclass(frozen=True)
class Predictions:
    """What one network said of n images. `part`, `component`, `tie`: (n,) words; `tie` is the sort of leak that ties
    the image to training, one of `ties.KINDS`.
    """

    ids: list[str]
    part: NDArray[np.object_]
    component: NDArray[np.object_]
    tie: NDArray[np.object_]
    truth: NDArray[np.bool_]
    probability: NDArray[np.float64]
    classes: tuple[str, ...]
    multilabel: bool

    def of(self, parts: tuple[str, ...]) -> Predictions:
        """Those of some parts."""
        keep = np.isin(self.part, parts)
        return replace(
            self,
            ids=[i for i, k in zip(self.ids, keep.tolist(), strict=True) if k],
            part=self.part[keep],
            component=self.component[keep],
            tie=self.tie[keep],
            truth=self.truth[keep],
            probability=self.probability[keep],
        )

    @property
    def outcome(self) -> Outcome:
        """For the measures."""
        number = np.unique(self.component.astype(str), return_inverse=True)[1].astype(np.int64)
        return Outcome(self.truth, self.probability, number, self.multilabel)

    @property
    def true(self) -> list[str]:
        """(n,) true classes; several are joined by +."""
        return [self._joined(row) for row in self.truth]

    @property
    def predicted(self) -> list[str]:
        """(n,) predicted classes; of multilabel those of at least a half."""
        if self.multilabel:
            return [self._joined(row) for row in self.probability >= 0.5]
        return [self.classes[k] for k in self.outcome.predicted.tolist()]

    def _joined(self, row: NDArray[np.bool_]) -> str:
        return "+".join(self.classes[k] for k in np.flatnonzero(row).tolist())

    @property
    def table(self) -> pa.Table:
        """The rows of predictions.parquet."""
        said = self.probability >= 0.5
        sure = np.where(said, self.probability, 1 - self.probability).min(1)
        confidence = sure if self.multilabel else self.probability.max(1)
        columns: dict[str, Any] = {
            "image_id": self.ids,
            "part": pa.array(self.part.tolist(), pa.string()),
            "component": pa.array(self.component.tolist(), pa.string()),
            "true": pa.array(self.true, pa.string()),
            "predicted": pa.array(self.predicted, pa.string()),
            "correct": self.outcome.correct,
            "confidence": confidence.astype(np.float32),
            "tie": pa.array(self.tie.tolist(), pa.string()),
        }
        columns |= {f"{_P}{name}": self.probability[:, k].astype(np.float32) for k, name in enumerate(self.classes)}
        return pa.table(columns)


def read(run: Run) -> Predictions:
    """The predictions of a run. Raises TableError where the file is damaged."""
    table = run.predictions()
    words = {name: np.array(table[name].to_pylist(), object) for name in ("part", "component", "tie", "true")}
    number = {name: k for k, name in enumerate(run.classes)}
    multilabel = run.task == "multilabel"
    truth = np.zeros((table.num_rows, len(number)), bool)
    shown = {name: _parted(name, number) if multilabel else [number[name]] for name in set(words["true"].tolist())}
    for row, name in enumerate(words["true"].tolist()):
        truth[row, shown[name]] = True
    probability = np.stack([table[f"{_P}{name}"].to_numpy() for name in run.classes], axis=1).astype(np.float64)
    ids = table["image_id"].to_pylist()
    return Predictions(
        ids, words["part"], words["component"], words["tie"], truth, probability, run.classes, multilabel
    )


def _parted(joined: str, number: dict[str, int], after: int = -1) -> list[int]:
    """The numbers of the classes that `joined` joins by +, which they may bear in their names; they rise."""
    if number.get(joined, -1) > after:
        return [number[joined]]
    for name, k in number.items():
        if k > after and joined.startswith(f"{name}+") and (rest := _parted(joined[len(name) + 1 :], number, k)):
            return [k, *rest]
    return []
