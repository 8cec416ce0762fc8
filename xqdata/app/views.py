"""Saved views: what somebody opens the App for, by name and with a sentence on what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import pyarrow.compute as pc
from fiftyone import ViewField as F
from fiftyone.core.utils import to_slug

from xqdata.app.content import Content, LoadedRun
from xqdata.app.evaluation import tested_view
from xqdata.app.load import KEY, flat, note

CHOSEN = "Chosen images"
_NOTED = "views"
# Scan types beyond these are filtered in the sidebar: a list that nobody reads to its end helps nobody.
_SCAN_TYPES = 20
_COLOURS = {"part": "#4477AA", "scan type": "#228833", "look": "#CCBB44", "leaks": "#EE6677", "run": "#AA3377",
            "suspects": "#66CCEE"}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """One saved view."""

    name: str
    says: str
    sort: str
    view: Any


def save(dataset: fo.Dataset, found: Content, chosen: Any) -> list[str]:
    """Write our saved views, where they are new or differ, and take away those that lost their subject.

    `chosen`: a view of the images that were asked for, None for all. Views of other names are people's own. Returns the
    names of ours.
    """
    ours = set(dataset.info.get(KEY, {}).get(_NOTED, []))
    wanted = {each.name: each for each in _views(dataset, found)}
    if chosen is not None:
        wanted[CHOSEN] = Wanted(CHOSEN, "The images that the last xqdata view asked for", "part", chosen)
    standing = set(dataset.list_saved_views())
    for name in (ours & standing) - wanted.keys():
        dataset.delete_saved_view(name)
    for name, each in wanted.items():
        if name in standing and name not in ours:
            continue  # a person's
        if name in standing and _same(dataset, each):
            continue
        dataset.save_view(name, each.view, description=each.says, color=_COLOURS[each.sort], overwrite=True)
    note(dataset, **{_NOTED: sorted(wanted)})
    return list(wanted)


def chosen_slug(dataset: fo.Dataset) -> str | None:
    """How the App's address names the view of the images that were asked for; None where that is all."""
    return str(to_slug(CHOSEN)) if dataset.has_saved_view(CHOSEN) else None


def _same(dataset: fo.Dataset, each: Wanted) -> bool:
    info = dataset.get_saved_view_info(each.name)
    stages = dataset.load_saved_view(each.name)._serialize(include_uuids=False)
    return bool(info["description"] == each.says and stages == each.view._serialize(include_uuids=False))


def _views(dataset: fo.Dataset, found: Content) -> Iterator[Wanted]:
    every = flat(dataset)
    # A field that holds nothing any more stays in the dataset; what was not asked for may hold something yet.
    schema = dataset.get_field_schema() if found.chosen else {each.name: each for each in found.fields}
    if "suspect_rank" in schema:
        says = "Labels that are probably wrong, the most probable first; the field suspect_why says why"
        view = every.match(F("suspect_rank") != None).sort_by("suspect_rank")  # noqa: E711
        yield Wanted("Suspects", says, "suspects", view)
    for name, field in found.splits.items():
        yield from _of_split(every, found, name, field, schema)
    yield from _of_duplicates(every, schema)
    for name, field in found.audits.items():
        if field in schema:
            says = f"Images tied to another part of the split {name}: by a copy, a specimen, a bag; beside each other "
            says += "what may not be separated"
            group = field.replace("leaks_", "group_", 1)
            view = every.match(F(field).length() > 0).sort_by(group if group in schema else field)
            yield Wanted(f"Leaks of {name}", says, "leaks", view)
    for run in found.runs:
        yield from _of_run(dataset, run)
    yield from _of_scan_types(every, found)


def _of_split(every: Any, found: Content, name: str, field: str, schema: Mapping[str, Any]) -> Iterator[Wanted]:
    if field not in schema:
        return
    of = "" if len(found.splits) == 1 else f" of {name}"
    parts = {values[field] for values in found.values.values() if field in values}
    order = {"train": 0, "val": 1, "test": 2}
    for part in sorted(parts, key=lambda p: (order.get(p, 3), p)):
        says = f"What the split {name} gives to {part}"
        yield Wanted(f"{_capital(part)} part{of}", says, "part", every.match(F(field) == part))
    aside = field.replace("part_", "aside_", 1)
    if aside in schema:
        says = f"What takes no part in the split {name}; the field {aside} says why"
        yield Wanted(f"Set aside{of}", says, "part", every.match(F(aside) != None))  # noqa: E711


def _capital(part: str) -> str:
    return f"Fold {part}" if part.isdigit() else part.capitalize()


def _of_duplicates(every: Any, schema: Mapping[str, Any]) -> Iterator[Wanted]:
    told = (
        ("cluster", "Duplicate clusters", "Copies of one picture, beside each other; the field kept marks the one that "
         "is used"),
        ("conflict", "Label conflicts", "Pictures of one moment that are said to show different things, beside each "
         "other: at most one label is right"),
        ("undecided", "Undecided pairs", "Pictures that may be the same, beside each other: the pixels did not decide, "
         "so please do"),
    )  # fmt: skip
    for field, name, says in told:
        if field in schema:
            yield Wanted(name, says, "look", every.match(F(field) != None).sort_by(field))  # noqa: E711


def _of_run(dataset: fo.Dataset, run: LoadedRun) -> Iterator[Wanted]:
    tested = tested_view(dataset, run)
    name = run.run.name
    says = f"Tested images of which the run {name} says something else than their label, the surest first"
    wrong = tested.match(F(run.correct) == False)  # noqa: E712
    if run.run.task == "multilabel":
        yield Wanted(f"Misclassified by {name}", says.removesuffix(", the surest first"), "run", wrong)
        return
    surest = wrong.sort_by(f"{run.predicted}.confidence", reverse=True)
    yield Wanted(f"Misclassified by {name}", says, "run", surest)
    says = f"Tested images, those first of which the run {name} is least sure"
    yield Wanted(f"Lowest confidence of {name}", says, "run", tested.sort_by(f"{run.predicted}.confidence"))


def _of_scan_types(every: Any, found: Content) -> Iterator[Wanted]:
    counted = pc.value_counts(found.rows["scan_type"].drop_null()).to_pylist()
    commonest = sorted(counted, key=lambda each: -each["counts"])[:_SCAN_TYPES]
    for name in sorted(each["values"] for each in commonest):
        says = f"Scans of the type {name}"
        yield Wanted(f"Scan type {name}", says, "scan type", every.match(F("scan_type.label") == name))
