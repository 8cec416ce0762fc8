"""FiftyOne's evaluation of a run beside the run's own figures.

It could be wrong while tests pass if it counted the validation part too, if it used the labels of today where they were
corrected since the run, or if rows and columns were the other way round: so the matrix is compared cell by cell, with
unequal counts, after a correction, and with folds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import confusion_matrix

from app.conftest import write_run
from xqdata import labels, runs
from xqdata.manifest import Project

Bring = Callable[..., Any]


def ours(project: Project, name: str = "quick", part: str | None = "test") -> np.ndarray[Any, Any]:
    run = runs.read(project, name)
    rows = [row for row in run.predictions().to_pylist() if part is None or row["part"] == part]
    return confusion_matrix([r["true"] for r in rows], [r["predicted"] for r in rows], labels=list(run.classes))


def theirs(dataset: Any, key: str = "correct_quick") -> np.ndarray[Any, Any]:
    results = dataset.load_evaluation_results(key)
    found, _, _ = results._confusion_matrix(include_other=False, include_missing=False)
    return np.asarray(found)


def test_the_matrix_is_ours(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    run = runs.read(lab, "quick")
    results = dataset.load_evaluation_results("correct_quick")
    assert list(results.classes) == list(run.classes)  # the absent class has its row too
    expected = ours(lab)
    assert (theirs(dataset) == expected).all()
    assert not (expected == expected.T).all()
    rows = {row["image_id"]: row for row in run.predictions().to_pylist()}
    for sample in dataset:
        row = rows.get(sample.image_id)
        assert sample.correct_quick == (row["correct"] if row and row["part"] == "test" else None)
        if row:
            assert sample.run_quick.confidence == row["confidence"]
            assert sample.run_quick.part == row["part"]


def test_it_stays_ours_when_a_label_is_corrected(lab: Project, bring: Bring) -> None:
    bring()
    row = next(r for r in runs.read(lab, "quick").predictions().to_pylist() if r["part"] == "test")
    other = "apple" if row["true"] != "apple" else "mango"
    labels.append(lab, [labels.Event(datetime(2026, 1, 2), "kim", "cli", "object", row["image_id"], other)])
    write_run(lab, "later", seed=3)
    dataset = bring().dataset
    assert dataset.match({"image_id": row["image_id"]}).first().object.label == other
    assert (theirs(dataset) == ours(lab)).all()


def test_folds_are_counted_whole(lab: Project, bring: Bring) -> None:
    folder = write_run(lab, "folds")
    table = pq.read_table(folder / "predictions.parquet").to_pylist()
    for n, row in enumerate(table):
        row["part"] = str(n % 3)
    pq.write_table(pa.Table.from_pylist(table), folder / "predictions.parquet")
    dataset = bring(runs=("folds",)).dataset
    assert (theirs(dataset, "correct_folds") == ours(lab, "folds", None)).all()
    assert theirs(dataset, "correct_folds").sum() == len(table)


def test_a_run_of_several_labels_is_no_single_evaluation(lab: Project, bring: Bring) -> None:
    folder = write_run(lab, "many", task="multilabel")
    table = pq.read_table(folder / "predictions.parquet").to_pylist()
    table[0] |= {"true": "apple+mango", "predicted": "apple+garlic", "correct": False}
    pq.write_table(pa.Table.from_pylist(table), folder / "predictions.parquet")
    opened = bring(runs=("many",))
    assert not opened.dataset.has_evaluation("correct_many")
    sample = opened.dataset.match({"image_id": table[0]["image_id"]}).first()
    assert [c.label for c in sample.run_many.classifications] == ["apple", "garlic"]
    assert [c.label for c in sample.true_many.classifications] == ["apple", "mango"]
    assert sample.correct_many is False
    assert "Misclassified by many" in opened.views


def test_an_unchanged_run_is_not_evaluated_again(lab: Project, bring: Bring) -> None:
    dataset = bring().dataset
    dataset.reload()
    when = dataset.get_evaluation_info("correct_quick").timestamp
    bring()
    dataset.reload()
    assert dataset.get_evaluation_info("correct_quick").timestamp == when
    write_run(lab, "quick", seed=9)
    bring()
    dataset.reload()
    assert dataset.get_evaluation_info("correct_quick").timestamp != when
    assert (theirs(dataset) == ours(lab)).all()
