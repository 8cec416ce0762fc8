"""What xqdata's operators do when a person presses a button: the label is changed, and who said so is put down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import fiftyone as fo
from bson import ObjectId
from pymongo import UpdateOne

from xqdata.app.content import EDITED_AS
from xqdata.app.load import GROUP, written
from xqdata.app.people import PAIR, lines, moment

Document = Mapping[str, Any]  # a sample as the database keeps it


def chosen(dataset: fo.Dataset, ids: Sequence[str], whole_scans: bool = False) -> list[Document]:
    """The samples of these ids, which are xqdata's; `whole_scans`: with every other view and energy of their scans."""
    wanted: dict[str, Any] = {"_id": {"$in": [ObjectId(one) for one in ids]}, "image_id": {"$ne": None}}
    found = list(dataset._sample_collection.find(wanted))
    scans = [one[GROUP]["_id"] for one in found if one.get(GROUP)] if whole_scans else []
    if scans:
        found = list(dataset._sample_collection.find({f"{GROUP}._id": {"$in": scans}, "image_id": {"$ne": None}}))
    return found


def say(dataset: fo.Dataset, on: Sequence[Document], topic: str, after: Any, by: str, why: str | None) -> None:
    """Put down that `by` says `after` of each sample, and show it there.

    In this order: of a process that is killed between them nothing counts, because FiftyOne shows something else.
    """
    if not on:
        return
    now = moment()
    lines(dataset).insert_many(_line(one["image_id"], topic, after, (by, now, why)) for one in on)
    values = _values(topic, after)
    writes = [
        UpdateOne({"_id": one["_id"]}, {"$set": {**written(values, EDITED_AS, one["tags"]), "last_modified_at": now}})
        for one in on
    ]
    dataset._sample_collection.bulk_write(writes, ordered=False)


def say_of_pair(dataset: fo.Dataset, pair: Sequence[Document], after: str, by: str, why: str | None) -> None:
    """Put down that `by` calls two samples `same` or `different`."""
    a, b = (str(one["image_id"]) for one in pair)
    lines(dataset).insert_one(_line(a, PAIR, after, (by, moment(), why)) | {"other_image_id": b})


def _line(image: str, topic: str, after: Any, told: tuple[str, Any, str | None]) -> dict[str, Any]:
    by, at, why = told
    return {"image_id": image, "topic": topic, "after": after, "by": by, "at": at, "why": why}


def _values(topic: str, after: Any) -> dict[str, Any]:
    if topic != "object":
        return {topic: after}
    several = isinstance(after, list)
    return {"object": None if several else after, "objects": after if several else None}
