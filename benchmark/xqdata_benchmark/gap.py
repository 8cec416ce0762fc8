"""`xqdata benchmark --gap`: what it is worth to have met a test image's family in training.

The comparison is paired: the same test images are judged by two networks that learnt from equally many images of each
class. One of them saw other images of the test images' components, as after a random split; the other saw images of
other components in their place. What the first gets right beyond the second, a random split gives away.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from xqdata.errors import InputError
from xqdata.groups import Ints
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy
from xqdata_benchmark import place, ties
from xqdata_benchmark.intervals import FEWEST, Floats, resampled, worth
from xqdata_benchmark.learner import Learner, Progress
from xqdata_benchmark.options import Options
from xqdata_benchmark.run import learner_of
from xqdata_benchmark.samples import Samples, Turn, samples
from xqdata_benchmark.written import put

_FEWEST_TESTED = 10


@dataclass(frozen=True)
class Draw:
    """One draw: flags over the samples. `test` and `siblings` share components; `strangers` share none with `test`."""

    test: NDArray[np.bool_]
    siblings: NDArray[np.bool_]
    strangers: NDArray[np.bool_]


@dataclass(frozen=True)
class Gap:
    """`with_`, `without`: share of test images that each side got right; `gap`: their difference. Each is a mapping of
    value, low, high (95% over components; None where these are worth fewer than 10). `by_tie`: the same by what ties
    an image to the siblings, n each. `repeats`: the gap of each draw and training.
    """

    name: str
    images: int
    components: int
    training: int
    with_: dict[str, float | None]
    without: dict[str, float | None]
    gap: dict[str, float | None]
    by_tie: dict[str, dict[str, float]]
    repeats: list[float]
    classes: int


def gap(project: Project, taxonomy: Taxonomy, asked: Options, group_from: str | None, move: Progress) -> Gap:
    """Draw, train both sides and compare, `asked.seeds` times; the predictions stay in `gaps/NAME.parquet`.

    `group_from`: a regular expression with a named group, searched in the images' paths: what it names may belong
    together, instead of identity columns and links. Raises InputError where components are too few to be drawn.
    """
    data = samples(project, taxonomy, asked.split, with_copies(asked).recipe)
    component = _grouped(data, group_from) if group_from else data.family
    seeds = [asked.first_seed + n for n in range(asked.seeds)]
    draws = {seed: drawn(data, component, seed) for seed in seeds}
    learner = learner_of(project, data, asked, move)
    name = asked.run or f"{Path(asked.recipe_name).stem}-{asked.split}"
    folder = _folder(project, data, asked, name, group_from, learner)
    tables = []
    for seed, draw in draws.items():
        file = folder / f"seed{seed}.parquet"
        if learner.agreed("done" if file.exists() else "") != "done":
            table = _judged(learner, data, component, draw, seed, folder)
            if learner.lead:
                put(table, file)
            learner.wait()
        tables.append(pq.read_table(file))
    found = told(name, tables, int(draws[seeds[0]].siblings.sum()))
    if learner.lead:
        put(pa.concat_tables(tables), folder / "predictions.parquet")
        text = json.dumps(asdict(found), indent=1, ensure_ascii=False)
        (folder / "gap.json").write_text(text, encoding="utf-8")
    return found


def with_copies(asked: Options) -> Options:
    """The same, copies taken like other images: a random split does not know them."""
    taken = asked.recipe.input.model_copy(update={"copies": True})
    return Options(**{**asked.__dict__, "recipe": asked.recipe.model_copy(update={"input": taken})})


def drawn(data: Samples, component: Ints, seed: int) -> Draw:
    """Test images, their siblings, and as many strangers of each class.

    Of each class, components of several of its images are drawn one after the other until a fifth of its images is
    reached, at least one and never all; half of each one's images of that class are tested, the others are the
    siblings. Components that hold several classes go as a whole to one side. Raises InputError where fewer than ten
    images would be tested.
    """
    rng = np.random.default_rng(seed)
    numbers = np.unique(component, return_inverse=True)[1]
    label = data.label
    chosen = np.zeros(int(numbers.max()) + 1, bool)
    for k in rng.permutation(len(data.classes)).tolist():
        mine = label == k
        sizes = np.bincount(numbers[mine], minlength=len(chosen))
        held = np.flatnonzero(sizes)
        if len(held) < 2:
            continue
        reached = int(sizes[chosen].sum())
        for one in rng.permutation(held[~chosen[held] & (sizes[held] > 1)]).tolist():
            if reached >= mine.sum() / 5 or chosen[held].sum() >= len(held) - 1:
                break
            chosen[one] = True
            reached += int(sizes[one])
    inside = chosen[numbers]
    test, siblings, strangers = (np.zeros(len(data), bool) for _ in range(3))
    for k in range(len(data.classes)):
        rest = rng.permutation(np.flatnonzero((label == k) & ~inside))
        mine = [rng.permutation(np.flatnonzero((numbers == c) & (label == k))) for c in np.flatnonzero(chosen)]
        near = np.concatenate([m[: len(m) // 2] for m in mine]) if mine else np.empty(0, np.int64)
        tested = np.concatenate([m[len(m) // 2 :] for m in mine if len(m) > 1] or [np.empty(0, np.int64)])
        count = min(len(near), len(rest))
        if not count:
            continue  # nothing to learn it from on one side
        siblings[rng.permutation(near)[:count]] = True
        strangers[rest[:count]] = True
        test[tested] = True
    if test.sum() < _FEWEST_TESTED:
        what = f"only {int(test.sum())} images can be tested, and {_FEWEST_TESTED} are needed"
        if not test.any():
            what = "no class has two components that show it, one of them in several images"
        hint = "of each class a fifth is drawn and half of that tested: add specimens, each scanned several times"
        raise InputError(what, where="--gap", hint=hint)
    return Draw(test, siblings, strangers)


def told(name: str, tables: Sequence[pa.Table], training: int) -> Gap:
    """The figures of some draws' predictions. A component that was drawn several times counts as one unit."""
    table = pa.concat_tables(tables)
    true = np.array(table["true"].to_pylist(), object)
    right = {
        side: (np.array(table[side].to_pylist(), object) == true).astype(np.float64) for side in ("with", "without")
    }
    component = np.unique(np.array(table["component"].to_pylist(), str), return_inverse=True)[1].astype(np.int64)

    def weigh(weights: Floats) -> dict[str, Floats]:
        shares = {side: weights @ values / weights.sum(1) for side, values in right.items()}
        return shares | {"gap": shares["with"] - shares["without"]}

    points = {key: float(value[0]) for key, value in weigh(np.ones((1, len(true)))).items()}
    count = len(np.unique(component))
    ends = resampled(weigh, component) if worth(component) >= FEWEST else {}
    figures = {key: dict(zip(("value", "low", "high"), (value, *ends.get(key, (None, None))), strict=True))
               for key, value in points.items()}  # fmt: skip
    tie = np.array(table["tie"].to_pylist(), object)
    by_tie = {
        kind: {"n": int((tie == kind).sum()), **{side: float(v[tie == kind].mean()) for side, v in right.items()}}
        for kind in ties.KINDS
        if (tie == kind).any()
    }
    seed = table["seed"].to_numpy()
    repeats = [float((right["with"] - right["without"])[seed == s].mean()) for s in np.unique(seed)]
    return Gap(name, len(true), count, training, figures["with"], figures["without"], figures["gap"], by_tie, repeats,
               len(set(true.tolist())))  # fmt: skip


def _judged(learner: Learner, data: Samples, component: Ints, draw: Draw, seed: int, folder: Path) -> pa.Table:
    fine, none = np.ones(len(data), bool), np.zeros(len(data), bool)
    fine[list(learner.unread)] = False
    test = draw.test & fine
    rows = np.flatnonzero(test)
    said = {}
    for side, train in {"with": draw.siblings, "without": draw.strangers}.items():
        work = folder / f"work-{side}-{seed}"
        learnt = learner.learn(Turn(side, train & fine, none, test), seed, work)
        if learner.lead:
            shutil.rmtree(work, ignore_errors=True)  # its checkpoints
        said[side] = [data.classes[k] for k in learnt.probability.argmax(1).tolist()]
    tie = ties.nearest(data.material, data.rows[draw.siblings], data.rows[rows])
    ids = data.ids
    return pa.table(
        {
            "image_id": [ids[row] for row in rows.tolist()],
            "seed": pa.array([seed] * len(rows), pa.int64()),
            "component": [str(c) for c in component[rows].tolist()],
            "tie": pa.array(tie.tolist(), pa.string()),
            "true": [data.classes[k] for k in data.label[rows].tolist()],
            **said,
        }
    )


def _grouped(data: Samples, group_from: str) -> Ints:
    """(n,) a number for each value of the named groups; paths without a match are groups of their own."""
    try:
        pattern = re.compile(group_from)
    except re.error as error:
        raise InputError(f"is no regular expression ({error})", where="--group-from") from error
    if not pattern.groupindex:
        hint = r'as in --group-from "(?P<series>B\d+)_"'
        raise InputError("has no named group", where="--group-from", hint=hint)
    paths = [str(path) for path in data.values("path")]
    found = [match.groups() if (match := pattern.search(path)) else (path,) for path in paths]
    if all(len(value) == 1 and value[0] == path for value, path in zip(found, paths, strict=True)):
        raise InputError("matches no path", where="--group-from", hint=f"paths are like {paths[0]}")
    return np.unique([repr(value) for value in found], return_inverse=True)[1].astype(np.int64)


def _folder(
    project: Project, data: Samples, asked: Options, name: str, group_from: str | None, learner: Learner
) -> Path:
    """`gaps/NAME`, with what it was started with; what is there of other settings is refused."""
    folder = project.folder / "gaps" / name
    if learner.lead:
        folder.mkdir(parents=True, exist_ok=True)
        now = json.loads(json.dumps(_settings(project, data, asked, group_from)))
        file = folder / place.STARTED
        if file.exists() and json.loads(file.read_text(encoding="utf-8")) != now:
            hint = "choose another name with --run, or remove the folder"
            raise InputError("was made with other settings or tables", where=f"gaps/{name}", hint=hint)
        file.write_text(json.dumps(now, indent=1), encoding="utf-8")
    learner.wait()
    return folder


def _settings(project: Project, data: Samples, asked: Options, group_from: str | None) -> Mapping[str, Any]:
    return {**place.started(project, data, asked), "group_from": group_from}


def spoken(found: Gap) -> Iterator[str]:
    """The figures in words, a line each."""

    def share(one: Mapping[str, float | None]) -> str:
        assert one["value"] is not None
        ends = f" ({one['low']:.1%} to {one['high']:.1%})" if one["low"] is not None and one["high"] is not None else ""
        return f"{one['value']:.1%}{ends}"

    value, low, high = (found.gap[key] for key in ("value", "low", "high"))
    assert value is not None
    yield f"with their family in training: {share(found.with_)}"
    yield f"without it: {share(found.without)}"
    if low is None or high is None:
        yield f"gap: {100 * value:+.1f} points; {found.components} components allow no interval"
    else:
        yield f"gap: {100 * value:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    for kind, one in found.by_tie.items():
        yield f"tied by {kind}: {one['with']:.1%} with, {one['without']:.1%} without (n = {one['n']:,})"
    if len(found.repeats) > 1:
        yield f"each draw and training: {', '.join(f'{100 * g:+.1f}' for g in found.repeats)} points"
