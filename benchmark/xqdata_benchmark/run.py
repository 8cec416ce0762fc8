"""`xqdata benchmark`: a split and a recipe in, a folder under `runs/` out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xqdata import runs
from xqdata.errors import InputError, installing
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy
from xqdata_benchmark import place, ties, written
from xqdata_benchmark.learner import Learner, Learnt, Progress
from xqdata_benchmark.options import Options
from xqdata_benchmark.predictions import Predictions, read
from xqdata_benchmark.samples import Samples, Turn, leaks, samples, turns, untaught


@dataclass(frozen=True)
class Result:
    """A run that stands. `warnings`: what made it another one than was asked for, a line each."""

    run: runs.Run
    metrics: Mapping[str, Any]
    warnings: tuple[str, ...]


def benchmark(project: Project, taxonomy: Taxonomy, options: Options, move: Progress) -> Result:
    """Train and test as `options` say, and write the run. Raises InputError for a split that leaks, TableError where
    tables are absent, and what samples and networks raise.
    """
    data = samples(project, taxonomy, options.split, options.recipe)
    leaking = checked(data, options)
    list(turns(data, options.split, options.folds))  # raises before anything is decoded
    learner = learner_of(project, data, options, move)
    folder = _folder(project, data, options, learner)
    warnings = list(data.material.notes)
    if learner.unread:
        first = next(iter(learner.unread.values()))
        warnings.append(f"{len(learner.unread):,} images could not be read and are left out (the first: {first})")
    seeds = [options.first_seed + n for n in range(options.seeds)]
    every = []
    for seed in seeds:
        of_seed = []
        for turn in turns(data, options.split, options.folds):
            turn = _readable(turn, learner.unread, project)  # noqa: PLW2901
            if seed == seeds[0] and (lacking := untaught(data, turn)):
                where = f" of fold {turn.name}" if turn.name else ""
                named = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} more" if lacking[6:] else "")
                told = f"no training image{where} shows {named}: tested images of it can only be wrong"
                warnings.append(told)
            of_seed.append(_turn(learner, data, turn, seed, folder))
        every.append(_joined(of_seed))
    if learner.lead:
        facts = written.Facts(data, options, seeds, leaking, tuple(warnings), learner.environment)
        written.write(project, folder, every, facts)
    learner.wait()
    run = runs.read(project, folder.name)
    return Result(run, run.metrics(), tuple(warnings))


def checked(data: Samples, options: Options) -> list[str]:
    """What leaks between the parts, where that is allowed. Raises InputError where it is not."""
    found = leaks(data.material)
    if data.material.claims.random and not found:
        found = ["it was drawn at random, so that nothing keeps together what belongs together"]
    if found and not options.allow_leaky:
        hint = f"make it clean: xqdata split --repair {options.split}; or say --allow-leaky"
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        what = f"leaks, so its score would be too good: {found[0]}{more}"
        raise InputError(what, where=f"splits/{options.split}", hint=hint)
    return found


def learner_of(project: Project, data: Samples, options: Options, move: Progress) -> Learner:
    """What learns by the recipe, its scans read. Raises InputError where a package is not installed."""
    if options.recipe.kind == "cnn":
        try:
            from xqdata_benchmark.deep import Deep
        except ModuleNotFoundError as error:
            hint = f"run: {installing('benchmark')}; --recipe knn and --recipe linear do without"
            where = f"recipe {options.recipe_name}"
            raise InputError(f"needs {error.name}, which is not installed", where=where, hint=hint) from error
        return Deep(project, data, options.recipe, options.device, options.workers, move)
    from xqdata_benchmark.plain import Plain

    return Plain(project, data, options.recipe, options.workers, move)


def _folder(project: Project, data: Samples, options: Options, learner: Learner) -> Path:
    found = str(place.folder(project, data, options)) if learner.lead else ""
    return Path(learner.agreed(found))


def _readable(turn: Turn, unread: Mapping[int, str], project: Project) -> Turn:
    """The turn without what could not be read."""
    if not unread:
        return turn
    fine = np.ones(len(turn.train), bool)
    fine[list(unread)] = False
    left = replace(turn, train=turn.train & fine, val=turn.val & fine, test=turn.test & fine)
    if not left.train.any() or not left.test.any():
        why = next(iter(unread.values()))
        hint = "run xqdata ingest again"
        raise InputError(f"no image of a whole part can be read ({why})", where=str(project.folder), hint=hint)
    return left


def _turn(learner: Learner, data: Samples, turn: Turn, seed: int, folder: Path) -> Predictions:
    """One training and what it said, from disk where it was done before."""
    name = f"seed{seed}" + (f"-fold{turn.name}" if turn.name else "")
    work = folder / written.WORK / name
    if learner.agreed("done" if (work / runs.PREDICTIONS).exists() else "") != "done":
        learnt = learner.learn(turn, seed, work)
        if learner.lead:
            written.keep_turn(work, data, turn, learnt, _predictions(data, turn, learnt))
        learner.wait()
    return read(runs.Run(work, {"task": data.task, "classes": data.classes}))


def _predictions(data: Samples, turn: Turn, learnt: Learnt) -> Predictions:
    """What was said, with what is known of each image: its part, its component, and what ties it to training."""
    rows = learnt.rows
    tie = ties.nearest(data.material, data.rows[turn.train], data.rows[rows])
    names = np.array(data.material.sides.names, object)[data.part[rows]]
    ids, components = data.ids, np.array(data.components, object)
    return Predictions(
        [ids[row] for row in rows.tolist()],
        names,
        components[rows],
        tie,
        data.truth[rows],
        learnt.probability,
        data.classes,
        data.task == "multilabel",
    )


def _joined(several: list[Predictions]) -> Predictions:
    """The predictions of all folds as one."""
    if len(several) == 1:
        return several[0]
    return replace(
        several[0],
        ids=[i for one in several for i in one.ids],
        part=np.concatenate([one.part for one in several]),
        component=np.concatenate([one.component for one in several]),
        tie=np.concatenate([one.tie for one in several]),
        truth=np.concatenate([one.truth for one in several]),
        probability=np.concatenate([one.probability for one in several]),
    )
