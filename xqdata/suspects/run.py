"""`xqdata label suspects`: images, links, the label log and a model's word in; labels that are probably wrong out."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from xqdata import manifest
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.suspects import reasons
from xqdata.suspects.filings import Filings, Word, gather
from xqdata.suspects.predicted import Floats, Predicted, predicted
from xqdata.suspects.weigh import Cleanlab, cleanlab, honest, posterior
from xqdata.taxonomy import Taxonomy

# For whoever shows suspects elsewhere, as a saved view does; below .xqdata, because it can be made again.
FILE = "suspects.json"
FORMAT = 1
_LIKELY = 0.5


@dataclass(frozen=True)
class Options:
    """`run`: whose predictions are taken, or None. `top`: so many are listed, however probable; None lists those that
    are rather wrong than right, and those of which labels or people contradict each other.
    """

    run: str | None = None
    top: int | None = None
    workers: int | None = None
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None


@dataclass(frozen=True)
class Suspect:
    """One label. `wrong`: the probability that it is. `suggested`: the most probable object, which may be the label.
    `contradicted`: labels of a copy or of the same bag, or people, say otherwise. `model`, `confidence`: what the model
    sees, or None. `quality`, `issue`: cleanlab's score (low is bad) and verdict; None without a model or cleanlab.
    """

    rank: int
    image_id: str
    root: str
    path: str
    object: str
    suggested: str
    wrong: float
    reason: str
    contradicted: bool
    model: str | None
    confidence: float | None
    quality: float | None
    issue: bool | None


@dataclass(frozen=True)
class Result:
    """`suspects`: listed, the most probable first. `looked_at`: labels that were weighed. `source`: whose predictions
    they are. `issues`: how many cleanlab lists by itself. `file`: where the list stands for other programs.
    """

    suspects: Sequence[Suspect]
    looked_at: int
    source: str
    issues: int
    file: Path
    notes: Sequence[str]


def suspects(project: Project, taxonomy: Taxonomy, options: Options | None = None) -> Result:
    """Rank the labels of images with one object by how probably they are wrong, and write the list to FILE.

    Raises InputError where no image has exactly one object, or the run is not one with folds.
    """
    asked = options or Options()
    filings = gather(project, taxonomy)
    rows = np.flatnonzero(filings.object != "")
    if not len(rows):
        raise InputError("no image has exactly one object", hint="suspects are sought among images of single objects")
    said = predicted(project, filings, asked.run, asked.workers, asked.progress)
    weighed = weigh(filings, said)
    order = rows[np.lexsort((rows, -weighed.wrong[rows]))]
    listed = (
        [row for row in order.tolist() if _listed(weighed, row)] if asked.top is None else order[: asked.top].tolist()
    )
    found = [_suspect(filings, said, weighed, row, rank) for rank, row in enumerate(listed, start=1)]
    issues = int(sum(weighed.cleanlab.issue)) if weighed.cleanlab else 0
    file = project.state / FILE
    _write(project, file, said.source, found)
    return Result(found, len(rows), said.source, issues, file, said.notes)


@dataclass(frozen=True)
class Weighed:
    """Of n images: `wrong` (n,) probability; `best` (n,) the most probable class's number; `model` (n, classes) made
    honest; `words` and `contradicted` by row; `at`: by row the place in `cleanlab`, of images that a model judged.
    """

    wrong: Floats
    best: np.ndarray[Any, Any]
    model: Floats
    words: dict[int, list[Word]]
    contradicted: dict[int, bool]
    cleanlab: Cleanlab | None
    at: dict[int, int]


def weigh(filings: Filings, said: Predicted) -> Weighed:
    """Weigh every image with exactly one object; the others are 0."""
    judged = np.flatnonzero(said.known & (filings.object != ""))
    label = np.searchsorted(said.classes, filings.object[judged].astype(str))
    model, verdict = np.zeros_like(said.probability), None
    if len(judged) > 1 and len(set(label.tolist())) > 1:
        model[judged] = honest(label, said.probability[judged])
        verdict = cleanlab(label, said.probability[judged])
    asked = set(judged.tolist()) if verdict else set()
    wrong, best = np.zeros(len(filings.ids)), np.zeros(len(filings.ids), np.int64)
    words, contradicted = {}, {}
    for row in np.flatnonzero(filings.object != "").tolist():
        words[row] = filings.words(row)
        own = [filings.said[row]] * (2 if filings.ids[row] in filings.judged else 1)  # somebody has looked again
        every = posterior(said.classes, own, model[row] if row in asked else None, words[row])
        wrong[row] = 1 - every[said.classes.index(filings.object[row])]
        best[row] = every.argmax()
        people = set(filings.judged.get(filings.ids[row], {}).values())
        contradicted[row] = (
            any(word.tie in ("copy", "bag") for word in words[row])
            or len(people) > 1
            or filings.ids[row] in filings.second_look
        )
    at = {row: n for n, row in enumerate(judged.tolist())} if verdict else {}
    return Weighed(wrong, best, model, words, contradicted, verdict, at)


def _listed(weighed: Weighed, row: int) -> bool:
    return bool(weighed.wrong[row] >= _LIKELY or weighed.contradicted[row])


def _suspect(filings: Filings, said: Predicted, weighed: Weighed, row: int, rank: int) -> Suspect:
    label, suggested = str(filings.object[row]), said.classes[int(weighed.best[row])]
    at = weighed.at.get(row)
    told = list(reasons.reasons(filings, row, weighed.words[row], suggested))
    model = confidence = quality = issue = None
    if at is not None and weighed.cleanlab is not None:
        model = said.classes[int(weighed.model[row].argmax())]
        confidence = round(float(weighed.model[row].max()), 4)
        quality, issue = round(float(weighed.cleanlab.quality[at]), 4), bool(weighed.cleanlab.issue[at])
        told.append(reasons.of_model(said, weighed.model[row], label))
        told += filter(None, [reasons.of_neighbours(filings, said, row)])
        told += ["cleanlab calls it a label issue"] if issue else []
    return Suspect(
        rank=rank,
        image_id=filings.ids[row],
        root=filings.images["root"][row].as_py(),
        path=filings.images["path"][row].as_py(),
        object=label,
        suggested=suggested,
        wrong=round(float(weighed.wrong[row]), 4),
        reason="; ".join(told),
        contradicted=weighed.contradicted[row],
        model=model,
        confidence=confidence,
        quality=quality,
        issue=issue,
    )


def _write(project: Project, file: Path, source: str, found: Sequence[Suspect]) -> None:
    """Write the list to `file`, whole or not at all."""
    used = [name for name in ("images", "labels", "links", "duplicates") if manifest.exists(project, name)]
    document = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": source,
        "inputs": {name: manifest.provenance(project, name).digest for name in used},
        "suspects": [asdict(one) for one in found],
    }
    _replace(file, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def last_list(project: Project) -> list[dict[str, Any]]:
    """The list that the last `suspects` wrote, as its columns by name; empty where there is none that can be read."""
    try:
        document = json.loads((project.state / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return document["suspects"] if document.get("format") == FORMAT else []


def write_csv(result: Result, file: Path) -> None:
    """Write the list as a table: a row for each suspect, the columns of Suspect."""
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\r\n")
    names = [column.name for column in fields(Suspect)]
    out.writerow(names)
    out.writerows([getattr(one, name) for name in names] for one in result.suspects)
    _replace(file, text.getvalue())


def _replace(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8", newline="")
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(f"cannot be written ({error.strerror})", where=str(file)) from error
