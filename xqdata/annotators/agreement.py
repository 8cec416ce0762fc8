"""How far two people agree on what images show: Cohen's kappa, over all and for each object, and where they do not.

Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", Educational and Psychological Measurement 20 (1960).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.metrics import cohen_kappa_score

from xqdata import labels, manifest
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy


@dataclass(frozen=True)
class Kappa:
    """Of one object on `images` that both judged: how many the first and the second person call so, how many both do,
    and kappa, None where it is not defined: both call all of them so. Of whole labels `object` is empty and nothing is
    counted.
    """

    object: str
    images: int
    first: int
    second: int
    both: int
    kappa: float | None


@dataclass(frozen=True)
class Disagreement:
    """One image that two people judge differently; several objects are joined by +. `now`: the effective label."""

    image_id: str
    root: str
    path: str
    first: str
    second: str
    now: str


@dataclass(frozen=True)
class Agreement:
    """`agree`: images that both judge alike. `objects`: by object, the least agreed first. `queue`: the images that
    they judge differently, those of the least agreed objects first.
    """

    people: tuple[str, str]
    agree: int
    all: Kappa
    objects: Sequence[Kappa]
    queue: Sequence[Disagreement]


def agreement(project: Project, taxonomy: Taxonomy, people: tuple[str, str]) -> Agreement:
    """Compare the last verdicts of two people on images that both judged. Raises InputError where there is none."""
    images, log = manifest.read(project, "images", [*labels.COLUMNS, "root", "path"]), labels.log(project)
    said = [_said(images, log, person) for person in people]
    shared = sorted(said[0].keys() & said[1].keys())
    if not shared:
        known = ", ".join(sorted(set(log["by"].to_pylist()))) or "nobody"
        raise InputError(
            f"{people[0]} and {people[1]} judged no image both ({len(said[0]):,} and {len(said[1]):,} images)",
            hint=f"in the label log are verdicts of {known}",
        )
    pairs = [(said[0][image], said[1][image]) for image in shared]
    whole = _kappa("", [tuple(sorted(a)) for a, _ in pairs], [tuple(sorted(b)) for _, b in pairs])
    named = sorted({name for pair in pairs for one in pair for name in one})
    each = [_kappa(name, [name in a for a, _ in pairs], [name in b for _, b in pairs]) for name in named]
    each.sort(key=lambda one: (2.0 if one.kappa is None else one.kappa, one.object))
    agree = sum(a == b for a, b in pairs)
    return Agreement(people, agree, whole, each, _queue(images, log, taxonomy, shared, pairs, each))


def _said(images: Any, log: Any, person: str) -> dict[str, frozenset[str]]:
    found = {}
    for image, row in labels.standing(images, log, "object", person).items():
        after = json.loads(row["after"])
        found[image] = frozenset([after] if isinstance(after, str) else after or ())
    return found


def _kappa(name: str, first: Sequence[Any], second: Sequence[Any]) -> Kappa:
    numbers = {value: n for n, value in enumerate(sorted({*first, *second}))}
    a, b = (np.array([numbers[value] for value in one]) for one in (first, second))
    kappa = round(float(cohen_kappa_score(a, b)), 4) if len(numbers) > 1 else None
    if not name:
        return Kappa(name, len(first), 0, 0, 0, kappa)
    both = sum(x and y for x, y in zip(first, second, strict=True))
    return Kappa(name, len(first), sum(first), sum(second), both, kappa)


def _queue(
    images: Any,
    log: Any,
    taxonomy: Taxonomy,
    shared: Sequence[str],
    pairs: Sequence[tuple[frozenset[str], frozenset[str]]],
    each: Sequence[Kappa],
) -> list[Disagreement]:
    worst = {one.object: n for n, one in enumerate(each)}
    differ = pa.array([image for image, (a, b) in zip(shared, pairs, strict=True) if a != b], pa.string())
    places, now = (
        {row["image_id"]: row for row in table.filter(pc.is_in(table["image_id"], differ)).select(columns).to_pylist()}
        for table, columns in (
            (images, ["image_id", "root", "path"]),
            (labels.effective(images, log, taxonomy), ["image_id", "objects"]),
        )
    )
    found = []
    for image, (a, b) in zip(shared, pairs, strict=True):
        if a != b:
            place = places[image]
            effective = frozenset((now[image]["objects"] or ()) if image in now else ())
            names = (_spelled(a), _spelled(b), _spelled(effective))
            found.append(
                (min(worst[name] for name in a ^ b), Disagreement(image, place["root"], place["path"], *names))
            )
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].root, pair[1].path, pair[1].image_id))]


def _spelled(objects: frozenset[str]) -> str:
    return " + ".join(sorted(objects))


def write_queue(result: Agreement, file: Path) -> None:
    """Write the disagreements as a table: a row for each image, the people's names as headings."""
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\r\n")
    names = [column.name for column in fields(Disagreement)]
    out.writerow(["image_id", "root", "path", *result.people, "now"])
    out.writerows([getattr(one, name) for name in names] for one in result.queue)
    try:
        file.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(file)) from error
