"""What is written to the database, beside what FiftyOne itself writes.

It could be wrong while tests pass if FiftyOne read our documents but some other part of it, such as a filter, missed
something in them: so each is compared with the document that FiftyOne makes of the same values, key by key.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from xqdata.containers.rle import rle


def stripped(value: Any) -> Any:
    """Without ids and the mask's bytes, which are made anew each time."""
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if k != "_id"}
    if isinstance(value, list):
        return [stripped(v) for v in value]
    return type(value).__name__ if isinstance(value, bytes) else value


def test_labels_are_written_as_fiftyone_writes_them(fiftyone: ModuleType) -> None:
    from xqdata.app.kinds import made

    fo = fiftyone
    one, two = fo.Classification(label="apple"), fo.Classification(label="egg")
    sure = fo.Classification(label="egg", confidence=0.5, part="test")
    box = fo.Detection(label="knife", bounding_box=[0.1, 0.2, 0.3, 0.4])
    pairs = {
        "label": ("apple", one),
        "labels": (["apple", "egg"], fo.Classifications(classifications=[one, two])),
        "prediction": (["egg", 0.5, "test"], sure),
        "predictions": ([["egg", 0.5, "test"]], fo.Classifications(classifications=[sure])),
        "boxes": ([["knife", [0.1, 0.2, 0.3, 0.4]]], fo.Detections(detections=[box])),
    }
    for kind, (value, theirs) in pairs.items():
        assert stripped(made(kind, value)) == json_like(theirs.to_mongo()), kind


def json_like(value: Any) -> Any:
    """Plain dictionaries and lists of what the database driver would be given."""
    if hasattr(value, "items"):
        return {k: json_like(v) for k, v in value.items() if k != "_id"}
    if isinstance(value, list | tuple):
        return [json_like(v) for v in value]
    return value


def test_a_sample_is_written_as_fiftyone_writes_it(fiftyone: ModuleType) -> None:
    from xqdata.app.load import _own

    dataset = fiftyone.Dataset()
    metadata = fiftyone.ImageMetadata(width=4, height=3)
    dataset.add_sample(fiftyone.Sample("/nowhere/a.png", metadata=metadata))
    theirs = dataset._sample_collection.find_one()
    ours = {"filepath": theirs["filepath"], **_own(dataset, (4, 3), datetime.now(UTC))}
    assert ours.keys() == theirs.keys() - {"_id"}
    for name in ("tags", "metadata", "_media_type", "_dataset_id"):
        assert ours[name] == theirs[name]
    dataset.delete()


def test_a_masks_points_are_those_of_the_mask(fiftyone: ModuleType) -> None:
    from xqdata.app.kinds import sampled

    dice = np.random.default_rng(1)
    mask = dice.random((300, 450)) < 0.5
    counts = json.loads(rle(mask))["counts"]
    assert (sampled(counts, 300, [17, 40, 100, 90]) == mask[40:130, 17:117]).all()
    every = sampled(counts, 300, [0, 0, 450, 300])
    assert every.shape == (128, 128)
    rows, columns = np.arange(128) * 300 // 128, np.arange(128) * 450 // 128
    assert (every == mask[np.ix_(rows, columns)]).all()


@pytest.mark.parametrize("kind", ["label", "labels", "strings"])
def test_what_is_written_comes_back(fiftyone: ModuleType, kind: str) -> None:
    from xqdata.app.kinds import KINDS

    value: Any = "apple" if kind == "label" else ["apple", "egg"]
    dataset = fiftyone.Dataset()
    dataset.add_sample(fiftyone.Sample("/nowhere/a.png"))
    dataset._merge_sample_field_schema({"told": KINDS[kind].declare("what it is")})
    dataset._sample_collection.update_one({}, {"$set": {"told": KINDS[kind].make(value)}})
    dataset.reload()
    back = KINDS[kind].back
    assert back is not None
    assert back(dataset._sample_collection.find_one()["told"]) == value
    assert back(None) is None
    dataset.delete()
