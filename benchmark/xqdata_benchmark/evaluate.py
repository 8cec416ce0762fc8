"""`xqdata benchmark --evaluate RUN`: the network of a run on another split, or on images that came since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from xqdata import runs
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy
from xqdata_benchmark import place, ties, written
from xqdata_benchmark.learner import Learnt, Progress
from xqdata_benchmark.options import Options
from xqdata_benchmark.predictions import Predictions, read
from xqdata_benchmark.run import Result
from xqdata_benchmark.samples import Samples, Turn, samples, with_classes


def evaluated(
    project: Project,
    taxonomy: Taxonomy,
    old: runs.Run,
    asked: Options,
    move: Progress,
) -> Result:
    """Test the network of the run `old` on the test part of the split of `asked`, whose recipe is the run's.

    Raises InputError where the run keeps no network, and where what is tested is tied to what the network learnt from.
    """
    split, recipe, source = asked.split, asked.recipe, old.name
    file = old.folder / "model.safetensors"
    if not file.exists():
        hint = "only runs of one network keep it: not knn, not linear, not --folds"
        raise InputError("keeps no network", where=f"runs/{source}", hint=hint)
    data = with_classes(samples(project, taxonomy, split, recipe), old.classes)
    learnt_from = _learnt_from(old, data)
    rows = np.flatnonzero(data.material.sides.of(data.part) & ~data.copy)
    tie = ties.nearest(data.material, learnt_from, data.rows[rows])
    leaking = _leaking(tie, source)
    if leaking and not asked.allow_leaky:
        hint = "evaluate on a split whose test part that run has not learnt from, or say --allow-leaky"
        raise InputError(leaking[0], where=f"splits/{split}", hint=hint)

    from xqdata_benchmark.deep import Deep, judged

    learner = Deep(project, data, recipe, asked.device, asked.workers, move)
    warnings = [*data.material.notes, *(f"the run {source} never learnt {one}: its images can only be wrong"
                                        for one in data.classes[len(old.classes):])]  # fmt: skip
    keep = ~np.isin(rows, list(learner.unread))
    if not keep.all():
        warnings.append(f"{int((~keep).sum()):,} images could not be read and are left out")
        rows, tie = rows[keep], tie[keep]
    if not len(rows):
        raise InputError(
            "no image of the test part can be read", where=f"splits/{split}", hint="run xqdata ingest again"
        )
    probability, embedding = judged(learner, file, rows)
    options = replace(asked, run=asked.run or place.free(project, f"{source}-on-{split}"))
    folder = place.folder(project, data, options, network_of=source)
    learnt = Learnt(rows, probability, embedding)
    told = _told(data, learnt, tie)
    none = np.zeros(len(data), bool)
    turn = Turn("", np.isin(data.rows, learnt_from), none, np.isin(np.arange(len(data)), rows))
    work = folder / written.WORK / "seed0"
    written.keep_turn(work, data, turn, learnt, told)
    again = read(runs.Run(work, {"task": data.task, "classes": data.classes}))
    facts = written.Facts(data, options, [0], leaking, tuple(warnings), learner.environment | {"network of": source})
    written.write(project, folder, [again], facts)
    run = runs.read(project, folder.name)
    return Result(run, run.metrics(), tuple(warnings))


def _learnt_from(old: runs.Run, data: Samples) -> Any:
    """The rows of `images` that the run's network learnt from, as far as they are still known."""
    ids = set(pq.read_table(Path(old.folder) / written.TRAINED)["image_id"].to_pylist())
    return np.array([row for row, image in enumerate(data.material.ids) if image in ids], np.int64)


def _leaking(tie: Any, source: str) -> list[str]:
    words = {"copy": "as the very image or a copy", "scan": "by scan", "specimen": "by specimen"}
    counts = {word: int((tie == kind).sum()) for kind, word in words.items()}
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    total = sum(counts.values())
    return [f"{total:,} of {len(tie):,} test images are tied to what {source} learnt from ({told})"] if total else []


def _told(data: Samples, learnt: Learnt, tie: Any) -> Predictions:
    rows = learnt.rows
    ids, components = data.ids, np.array(data.components, object)
    part = np.array(data.material.sides.names, object)[data.part[rows]]
    wide = np.zeros((len(rows), len(data.classes)))
    wide[:, : learnt.probability.shape[1]] = learnt.probability  # a class that was never learnt has none
    return Predictions([ids[row] for row in rows.tolist()], part, components[rows], tie, data.truth[rows], wide,
                       data.classes, data.task == "multilabel")  # fmt: skip
