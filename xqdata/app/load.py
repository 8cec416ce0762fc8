"""From plain values to one dataset in FiftyOne, updated in place: only what changed is touched.

What was put into the dataset is remembered, value by value, in a collection of the same database. So an update knows
what changed in the tables, and what a person changed in FiftyOne: that stays as it is until somebody brings it into the
label log. Tags are people's alone, and never touched, but for those that show what the log says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fiftyone as fo
import xxhash
from bson import ObjectId
from pymongo import ReplaceOne, UpdateOne

from xqdata.annotators.answer import flag
from xqdata.app.content import EDITABLE, FLAGS, Content, Field, Progress, Values, plain
from xqdata.app.kinds import KINDS, made
from xqdata.app.people import TOPIC, TOPICS, Sample, remembered, samples, touched
from xqdata.errors import InputError
from xqdata.manifest import Project

KEY = "xqdata"  # of what we remember in the dataset's info
GROUP = "scan"  # the field of the dataset that joins the slices of one scan
_BATCH = 500
_FILE, _SLICE = " file", " slice"  # beside the fields in what is remembered; no field bears such a name


@dataclass
class Loaded:
    """What loading did: images by what became of them. `edited`: values that people changed in FiftyOne and that
    are not in the label log; `kept`: images that are gone but bear such changes.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    edited: int = 0
    kept: int = 0
    unread: dict[str, str] = field(default_factory=dict)


def open_dataset(name: str, project: Project, shared: bool) -> fo.Dataset:
    """The dataset called `name`, made where there is none. Raises InputError where it is not this project's."""
    if not fo.dataset_exists(name):
        dataset = fo.Dataset(name, persistent=True)
        dataset.media_type = "image"
        dataset.info = {KEY: {"project": str(project.folder)}}
        dataset.add_sample_field("image_id", fo.StringField, description="the row of images")
        dataset.create_index("image_id", unique=True)
        dataset.save()
        return dataset
    return present_dataset(name, project, shared)


def present_dataset(name: str, project: Project, shared: bool) -> fo.Dataset:
    """The dataset called `name`. Raises InputError where there is none, or it is not this project's."""
    if not fo.dataset_exists(name):
        hint = "run: xqdata view; if it was opened by another --name, give that here too"
        raise InputError(f"there is no dataset {name} in FiftyOne yet", hint=hint)
    dataset = fo.load_dataset(name)
    owner = dataset.info.get(KEY, {}).get("project")
    if owner is None or (shared and owner != str(project.folder)):
        whose = f"belongs to the project {owner}" if owner else "was not made by xqdata"
        raise InputError(f"the dataset {name} {whose}", where="--name", hint="give the dataset another name by --name")
    if owner != str(project.folder):  # a project that moved brought its database along
        note(dataset, project=str(project.folder))
    return dataset


def note(dataset: fo.Dataset, **told: Any) -> None:
    """Remember something of the dataset as a whole."""
    dataset.info[KEY] = {**dataset.info.get(KEY, {}), **told}
    dataset.save()


def load(dataset: fo.Dataset, found: Content, files: Sequence[Path], progress: Progress) -> Loaded:
    """Bring `dataset` to what `found` holds. `files`: the picture to show, for each row of `found.rows`."""
    ids = found.rows["image_id"].to_pylist()
    before = {row["_id"]: row["values"] for row in remembered(dataset).find()}
    present = dict(zip(*dataset_values(dataset, ["image_id", "id"]), strict=True))
    before = {image: values for image, values in before.items() if image in present}
    _declare(dataset, {each.name: each for each in (*EDITABLE, *found.fields)}.values())
    if found.slices and dataset.group_field is None:
        _into_groups(dataset)
    wanted = {
        image: {**found.values[image], _FILE: str(file), **_sliced(found, image)}
        for image, file in zip(ids, files, strict=True)
    }
    now = {image: {name: plain(value) for name, value in values.items()} for image, values in wanted.items()}
    done = Loaded()
    seen = samples(dataset)
    people = touched(dataset, before, seen)
    done.edited = sum(len(topics) for topics in people.values())
    _remove(dataset, [image for image in before if image not in found.standing], people, seen, done)
    new = [image for image in ids if image not in before]
    _add(dataset, found, [image for image in new if image not in present], wanted, progress)
    done.added = len(new)
    _update(dataset, found, _changes(before, now, people, seen), wanted, before, seen, done)
    if found.slices:
        _name_slices(dataset, {name for _, name in found.slices.values()})
    remember(dataset, {image: now[image] for image in new})
    dataset.reload()  # the samples that FiftyOne holds in memory
    done.unchanged = len(ids) - done.added - done.updated
    return done


def dataset_values(dataset: fo.Dataset, fields: list[str]) -> list[list[Any]]:
    """Values of every sample, of every slice."""
    found: list[list[Any]] = flat(dataset).values(fields)
    return found


def flat(dataset: fo.Dataset) -> Any:
    """The samples of all slices one by one; the dataset itself where it has none."""
    return dataset.select_group_slices(media_type="image") if dataset.media_type == "group" else dataset


def _sliced(found: Content, image: str) -> Values:
    return {_SLICE: list(found.slices[image])} if found.slices else {}


# --- the fields


def _declare(dataset: fo.Dataset, fields: Iterable[Field]) -> None:
    """Make the fields that are not there yet, so that empty ones and their hints are there, too."""
    standing = dataset.get_field_schema()
    new = {each.name: KINDS[each.kind].declare(each.says) for each in fields if each.name not in standing}
    dataset._merge_sample_field_schema(new)  # one by one, as its public way does, they take seconds


def _into_groups(dataset: fo.Dataset) -> None:
    """A dataset of single pictures becomes one of scans, each picture the slice `main` of its own."""
    dataset.add_group_field(GROUP, default="main")
    dataset._sample_collection.update_many({}, [{"$set": {GROUP: _group("main", "$_id")}}])
    _name_slices(dataset, ["main"])


def _group(name: str, number: Any) -> dict[str, Any]:
    return {"_id": number, "_cls": "Group", "name": name}


def _number(scan: str) -> ObjectId:
    return ObjectId(xxhash.xxh3_128_hexdigest(scan.encode())[:24])


def _name_slices(dataset: fo.Dataset, names: Iterable[str]) -> None:
    dataset._doc.group_media_types = {**dataset._doc.group_media_types, **dict.fromkeys(names, "image")}
    dataset.save()


# --- samples


def _remove(
    dataset: fo.Dataset,
    gone: Sequence[str],
    people: Mapping[str, Any],
    seen: Mapping[str, Sample],
    done: Loaded,
) -> None:
    """Take out images that are gone, unless a person changed or tagged them: that would be lost."""
    if not gone:
        return
    going = {image for image in gone if image not in people and all(flag(tag, {}) for tag in seen[image].tags)}
    every = zip(*dataset_values(dataset, ["image_id", "id"]), strict=True)
    dataset.delete_samples([sample for image, sample in every if image in going])
    remembered(dataset).delete_many({"_id": {"$in": sorted(going)}})
    done.removed, done.kept = len(going), len(gone) - len(going)


def _add(
    dataset: fo.Dataset, found: Content, new: Sequence[str], wanted: Mapping[str, Values], progress: Progress
) -> None:
    kinds = {each.name: each.kind for each in found.fields}
    sizes = zip(*(found.rows[name].to_pylist() for name in ("image_id", "width", "height")), strict=True)
    size = {image: (width, height) for image, width, height in sizes}
    now = datetime.now(UTC)
    progress("loading", 0, len(new))
    for start in range(0, len(new), _BATCH):
        some = new[start : start + _BATCH]
        every = ({**_own(dataset, size[image], now), **written(wanted[image], kinds, ())} for image in some)
        dataset._sample_collection.insert_many(every, ordered=False)
        progress("loading", start + len(some), len(new))


def _own(dataset: fo.Dataset, size: tuple[int, int], now: datetime) -> dict[str, Any]:
    """What FiftyOne adds to every sample."""
    return {
        "tags": [],
        "metadata": {"_cls": "ImageMetadata", "width": size[0], "height": size[1]},
        "_media_type": "image",
        "_rand": random.random(),
        "_dataset_id": dataset._doc.id,
        "created_at": now,
        "last_modified_at": now,
    }


def written(values: Values, kinds: Mapping[str, str], tags: Sequence[str]) -> dict[str, Any]:
    """Plain values as the database keeps them, under the names that it uses. `tags`: those that the image bears."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        if name in FLAGS:
            kept = [tag for tag in told.get("tags", tags) if flag(tag, {}) != name]
            told["tags"] = [*kept, name] if value else kept
        elif name == _FILE:
            told["filepath"] = value
        elif name == _SLICE:
            told[GROUP] = _group(value[1], _number(value[0]))
        else:
            told[name] = made(kinds[name], value) if name in kinds else None  # no image has it any more
    return told


def _changes(
    before: Mapping[str, Values],
    now: Mapping[str, Values],
    people: Mapping[str, set[str]],
    seen: Mapping[str, Sample],
) -> Iterator[tuple[str, str, bool]]:
    """(image, field, whether to write it) of the values that differ from what was put there.

    What a person said something about is not written, and remembered only if both came to the same.
    """
    for image, values in now.items():
        old = before.get(image)
        if old is None:
            continue
        for name in {*old, *values}:
            ours = values.get(name)
            if ours == old.get(name):
                continue
            topic = TOPIC.get(name)
            if topic not in people.get(image, ()):
                yield image, name, True
            elif all(seen[image].values.get(one) == values.get(one) for one in TOPICS[str(topic)]):
                yield image, name, False


def _update(
    dataset: fo.Dataset,
    found: Content,
    changes: Iterable[tuple[str, str, bool]],
    wanted: Mapping[str, Values],
    before: Mapping[str, Values],
    seen: Mapping[str, Sample],
    done: Loaded,
) -> None:
    kinds = {each.name: each.kind for each in found.fields}
    fresh: dict[str, Values] = {}
    touched: dict[str, Values] = {}
    for image, name, write in changes:
        value = wanted[image].get(name)
        touched.setdefault(image, dict(before[image]))[name] = plain(value)
        if write:
            fresh.setdefault(image, {})[name] = value if name != _SLICE else value or [image, "main"]
    now = datetime.now(UTC)
    writes = [
        UpdateOne({"image_id": image}, {"$set": {**written(values, kinds, seen[image].tags), "last_modified_at": now}})
        for image, values in fresh.items()
    ]
    if writes:
        dataset._sample_collection.bulk_write(writes, ordered=False)
    remember(dataset, touched)
    done.updated = len(touched)


def remember(dataset: fo.Dataset, now: Mapping[str, Values]) -> None:
    """Put down what stands in FiftyOne as the tables say it, for whole images."""
    writes = [
        ReplaceOne({"_id": image}, {"values": {k: v for k, v in values.items() if v is not None}}, upsert=True)
        for image, values in now.items()
    ]
    if writes:  # sent in pieces by the driver
        remembered(dataset).bulk_write(writes, ordered=False)


def forget(dataset: fo.Dataset, found: Content, stands: Callable[[str], bool]) -> None:
    """Take away the fields of splits, audits and runs that are gone; `stands`: whether a source is still there."""
    sources = dict(dataset.info.get(KEY, {}).get("sources", {}))
    sources |= {each.name: each.source for each in found.fields if each.source}
    sources |= {run.correct: f"runs/{run.run.name}" for run in found.runs}
    current = {each.name for each in found.fields}
    gone = [name for name, source in sources.items() if name not in current and not stands(source)]
    for name in set(gone) & set(dataset.list_evaluations()):
        dataset.delete_evaluation(name)
    schema = dataset.get_field_schema()
    if fields := [name for name in gone if name in schema]:
        dataset.delete_sample_fields(fields)
    if gone:
        remembered(dataset).update_many({}, {"$unset": {f"values.{name}": "" for name in gone}})
    note(dataset, sources={name: source for name, source in sources.items() if name not in gone})
