"""What people did in FiftyOne: labels and tags that they changed, and what they said through xqdata's operators.

FiftyOne itself keeps no reasons and no names. So an operator writes, beside the label, a line into a collection of the
same database: who said what of which image, when and why. `xqdata label pull` takes the lines home.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fiftyone as fo
from fiftyone.core import odm

from xqdata import labels
from xqdata.annotators.answer import flag
from xqdata.app.content import EDITED_AS, FLAGS, Values
from xqdata.app.kinds import KINDS

# What a verdict is about, and the fields and tags of the dataset that show it.
TOPICS = {
    "object": ("object", "objects"),
    "scan_type": ("scan_type",),
    "specimens": ("specimens",),
    **{name: (name,) for name in FLAGS},
}
# What an operator may speak of besides: two images, and whether they are the same.
PAIR = "pair"
TOPIC = {name: topic for topic, names in TOPICS.items() for name in names}


@dataclass(frozen=True)
class Sample:
    """One image in FiftyOne. `values`: plain values of what people may change, without those that are unknown;
    `modified`: when it was last written (UTC, no time zone).
    """

    values: Values
    tags: Sequence[str]
    modified: datetime | None


@dataclass(frozen=True)
class Verdict:
    """One line of an operator. `after` as in the label log; `key`: of the line in the database, None for what a person
    did by FiftyOne's own means.
    """

    image_id: str
    topic: str
    after: Any
    by: str
    at: datetime
    why: str | None = None
    other_image_id: str | None = None
    key: Any = None


def remembered(dataset: fo.Dataset) -> Any:
    """The collection of what was put into `dataset`: `_id` is the image, `values` the plain values by field."""
    return odm.get_db_conn()[f"xqdata.{dataset._doc.id}"]


def lines(dataset: fo.Dataset) -> Any:
    """The collection of what people said through operators and `label pull` has not taken home."""
    return odm.get_db_conn()[f"xqdata.{dataset._doc.id}.said"]


def moment() -> datetime:
    """This moment (UTC, no time zone), as exactly as the database keeps it."""
    now = datetime.now(UTC).replace(tzinfo=None)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def verdicts(dataset: fo.Dataset) -> list[Verdict]:
    """What stands in `lines`, in the order of the time."""
    found = lines(dataset).find().sort([("at", 1), ("_id", 1)])
    return [
        Verdict(**{name: value for name, value in line.items() if name != "_id"}, key=line["_id"]) for line in found
    ]


def samples(dataset: fo.Dataset) -> dict[str, Sample]:
    """Every image in FiftyOne, of every slice."""
    backs = {name: KINDS[kind].back for name, kind in EDITED_AS.items()}
    wanted = ["image_id", "tags", "last_modified_at", *backs]
    found = {}
    for document in dataset._sample_collection.find({}, dict.fromkeys(wanted, 1)):
        if not document.get("image_id"):
            continue  # a person's own
        values = {name: back(document.get(name)) for name, back in backs.items() if back is not None}
        tags = document.get("tags") or ()
        values |= {name: True for name in FLAGS if any(flag(tag, {}) == name for tag in tags)}
        known = {name: value for name, value in values.items() if value is not None}
        found[document["image_id"]] = Sample(known, tags, document.get("last_modified_at"))
    return found


def touched(dataset: fo.Dataset, before: Mapping[str, Values], seen: Mapping[str, Sample]) -> dict[str, set[str]]:
    """By image the topics on which people changed what was put there (`before`), or said something."""
    found: dict[str, set[str]] = defaultdict(set)
    for image, sample in seen.items():
        if image in before:
            for name, topic in TOPIC.items():
                if not labels.alike(sample.values.get(name), before[image].get(name)):
                    found[image].add(topic)
    for said in verdicts(dataset):
        if said.topic in TOPICS and said.image_id in before:
            found[said.image_id].add(said.topic)
    return found
