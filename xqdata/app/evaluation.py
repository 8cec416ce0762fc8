"""Each run as an evaluation of FiftyOne's, for its panel with the interactive confusion matrix."""

from __future__ import annotations

import json
from collections.abc import Sequence

import fiftyone as fo
import xxhash
from fiftyone import ViewField as F

from xqdata.app.content import LoadedRun
from xqdata.app.load import KEY, flat, note

_NOTED = "evaluations"


def evaluate(dataset: fo.Dataset, runs: Sequence[LoadedRun]) -> None:
    """Evaluate every run of single labels on the images that its own confusion matrix counts, unless that was done.

    Runs that are loaded no longer keep theirs: somebody may be looking at it.
    """
    noted = dict(dataset.info.get(KEY, {}).get(_NOTED, {}))
    for each in runs:
        if each.run.task == "multilabel" or not each.tested:
            continue
        print_of = xxhash.xxh3_64_hexdigest(json.dumps([each.run.classes, each.tested]).encode())
        if noted.get(each.correct) == print_of and dataset.has_evaluation(each.correct):
            continue
        if dataset.has_evaluation(each.correct):
            dataset.delete_evaluation(each.correct)
        tested_view(dataset, each).evaluate_classifications(
            each.predicted, gt_field=each.true, eval_key=each.correct, classes=list(each.run.classes), progress=False
        )
        noted[each.correct] = print_of
        note(dataset, **{_NOTED: noted})


def tested_view(dataset: fo.Dataset, each: LoadedRun) -> fo.DatasetView:
    """The images that the run's confusion matrix counts: those of its test part, of all folds where it has none."""
    part = F(f"{each.predicted}.part")
    return flat(dataset).match(part == "test" if _has_test(dataset, each) else part.exists())


def _has_test(dataset: fo.Dataset, each: LoadedRun) -> bool:
    return "test" in flat(dataset).distinct(f"{each.predicted}.part")
