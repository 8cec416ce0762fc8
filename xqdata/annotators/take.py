"""`xqdata label import`: an annotation tool's answers in, as verdicts in the label log."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import labels, manifest
from xqdata.annotators.answer import Answer, flag
from xqdata.annotators.tasks import TOOLS
from xqdata.errors import InputError
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy, fold

# What Label Studio puts before the name of a file that is uploaded to it.
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")
_COLUMNS = (*labels.COLUMNS, "root", "path", "missing")
_BATCH = 1 << 16


@dataclass
class Taken:
    """`new`: verdicts that were appended, by person; `known`: that stood there already. `unknown`: what answers call
    images that the tables do not have. `foreign`: names that no taxonomy knows, with the nearest that one does.
    `replaced`: verdicts that now count in place of another person's. `silent`, `untouched`: as in Answers.
    """

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0
    unknown: list[str] = field(default_factory=list)
    foreign: dict[str, str | None] = field(default_factory=dict)
    replaced: int = 0
    silent: int = 0
    untouched: int = 0


def take(project: Project, taxonomy: Taxonomy, tool: str, file: Path, by: str | None = None) -> Taken:
    """Append the answers in `file` to the label log; those that stand there already are left out.

    `by`: who answered, where the file does not tell it. All is appended, or nothing. Raises InputError for a file that
    is none of the tool's, one that does not tell who answered, and one of several people where `by` is given.
    """
    try:
        read = TOOLS[tool].read(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(file)) from error
    except ValueError as error:
        raise InputError(str(error), where=str(file)) from error
    when = datetime.fromtimestamp(int(file.stat().st_mtime), UTC).replace(tzinfo=None)
    answers = _latest(_signed(read.answers, by, when, file))
    taken = Taken(silent=read.silent, untouched=read.untouched)
    images, log = manifest.read(project, "images", _COLUMNS), labels.log(project)
    book = _Book(images, log, taxonomy, tool, [answer.image for answer in answers])
    events = [event for answer in answers for event in book.events(answer, taken)]
    labels.append(project, events)
    taken.new = Counter(event.by for event in events)
    return taken


def _signed(answers: Sequence[Answer], by: str | None, when: datetime, file: Path) -> list[Answer]:
    people = {answer.by for answer in answers}
    if by and len(people) > 1:
        told = ", ".join(sorted(map(str, people)))
        raise InputError(f"holds the answers of several people ({told})", where=str(file), hint="leave --by out")
    if None in people and not by:
        raise InputError("does not tell who answered", where=str(file), hint="say it: --by NAME")
    return [Answer(a.image, a.names, by or a.by, a.at or when) for a in answers]


def _latest(answers: Sequence[Answer]) -> list[Answer]:
    """Of each person and image the last answer."""
    found: dict[tuple[str, str | None], Answer] = {}
    for answer in sorted(answers, key=lambda a: a.at or datetime.min):
        found[answer.image, answer.by] = answer
    return sorted(found.values(), key=lambda a: (a.at or datetime.min, a.image, a.by or ""))


class _Book:
    """What is known before an import: the images that the answers are about, what each person said, and what counts
    now.
    """

    def __init__(self, images: pa.Table, log: pa.Table, taxonomy: Taxonomy, tool: str, answered: Sequence[str]) -> None:
        self._taxonomy, self._tool = taxonomy, tool
        self._found = _names(images, {name for told in answered for name in _candidates(told)})
        self._images, self._log = images, log
        about = pa.array([one for found in self._found.values() for one in found], pa.string())
        now = labels.effective(images, log, taxonomy).select(["image_id", "object", "objects"])
        self._now = {row["image_id"]: row for row in now.filter(pc.is_in(now["image_id"], about)).to_pylist()}
        self._told = {(e["by"], e["at"], e["image_id"], e["field"], e["after"]) for e in log.to_pylist()}
        self._said: dict[tuple[str, str], Mapping[str, Any]] = {}
        # Names outside the taxonomy that the labels use are written as the labels write them.
        self._used: dict[str, str] = {fold(name): name for name in sorted(labels.named(images), reverse=True)}

    def events(self, answer: Answer, taken: Taken) -> Iterator[Event]:
        """The verdicts of one answer that are new."""
        image = self._image(answer.image)
        if image is None:
            taken.unknown.append(answer.image)
            return
        assert answer.by is not None and answer.at is not None
        for name, chosen in self._verdicts(answer, taken):
            after = self._in_order(image, chosen)
            if self._stands(answer, image, name, after):
                taken.known += 1
                continue
            last = self._last(name, None).get(image)
            taken.replaced += bool(
                last and last["by"] != answer.by and not labels.alike(json.loads(last["after"]), after)
            )
            before: dict[str, Any] = {}
            if name in ("object", "objects") and image in self._now:
                before = {"before": self._now[image][name]}
            yield Event(answer.at, answer.by, self._tool, name, image, after, **before)

    def _verdicts(self, answer: Answer, taken: Taken) -> Iterator[tuple[str, Any]]:
        flags = {name: flag(name, self._taxonomy.object_spellings) for name in answer.names}
        objects = sorted({self._object(name, taken) for name, one in flags.items() if one is None})
        if len(objects) == 1:
            yield "object", objects[0]
        elif objects:
            yield "objects", objects
        for one in sorted({one for one in flags.values() if one is not None}):
            yield one, True

    def _object(self, name: str, taken: Taken) -> str:
        known = self._taxonomy.find_object(name) or self._used.get(fold(name))
        if known is None:
            taken.foreign[name] = self._taxonomy.nearest_object(name)
        return known or name

    def _in_order(self, image: str, chosen: Any) -> Any:
        """Several objects in the order that the label has, where they are the same: an order says nothing."""
        now = self._now.get(image, {}).get("objects")
        return now if isinstance(chosen, list) and isinstance(now, list) and labels.alike(now, chosen) else chosen

    def _stands(self, answer: Answer, image: str, name: str, after: Any) -> bool:
        """Whether this person's last word says the same, or this very answer was imported before and taken back."""
        spelled = json.dumps(after, ensure_ascii=False)
        last = self._last(name, answer.by).get(image)
        if last is not None and last["field"] == name and labels.alike(json.loads(last["after"]), after):
            return True
        return (answer.by, answer.at, image, name, spelled) in self._told

    def _last(self, name: str, by: str | None) -> Mapping[str, Any]:
        key = (name if name in ("reject", "second_look") else "object", by or "")
        if key not in self._said:
            self._said[key] = labels.standing(self._images, self._log, key[0], by)
        return self._said[key]

    def _image(self, name: str) -> str | None:
        """The one image that a tool's name for a picture means; None for none or several."""
        for candidate in _candidates(name):
            if len(self._found.get(candidate, ())) == 1:
                return self._found[candidate][0]
        return None


def _candidates(name: str) -> tuple[str, ...]:
    """What the tables may call the picture that a tool calls `name`, the likeliest first."""
    path = unquote(name.rpartition("?d=")[2]).replace("\\", "/")
    file = path.rpartition("/")[2]
    stem = file.rpartition(".")[0] or file
    return name, stem, _UPLOADED.sub("", stem), path, file, _UPLOADED.sub("", file)


def _names(images: pa.Table, wanted: Set[str]) -> dict[str, list[str]]:
    """Image ids by those of the `wanted` names that mean them: the id, the raw path with and without its root, the raw
    name.
    """
    found: dict[str, list[str]] = defaultdict(list)
    here = images.filter(pc.invert(images["missing"])).select(["image_id", "root", "path"])
    for batch in here.to_batches(max_chunksize=_BATCH):
        for row in batch.to_pylist():
            called = {row["image_id"], row["path"], f"{row['root']}/{row['path']}", row["path"].rpartition("/")[2]}
            for name in called & wanted:
                found[name].append(row["image_id"])
    return found
