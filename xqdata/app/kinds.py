"""The kinds of fields: how plain values look, and what FiftyOne keeps of them in its database.

FiftyOne's own objects take three times as long to make as everything else that loading does. What they write is plain,
and a test compares it with what is made here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId
from fiftyone.core.utils import serialize_numpy_array
from numpy.typing import NDArray

# Points of a mask on its longer side: the App stretches it over the box.
_SIDE = 128

Document = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """`declare`: makes the field, from its description; `make`: what the database keeps of a plain value; `back`: the
    plain value of what the database keeps, which a person may have edited; None for kinds that nobody edits.
    """

    declare: Callable[[str], Any]
    make: Callable[[Any], Any]
    back: Callable[[Any], Any] | None = None


def _same(value: Any) -> Any:
    return value


def _label(value: str) -> Document:
    return {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": value}


def _labels(value: list[str]) -> Document:
    return {"_cls": "Classifications", "classifications": [_label(name) for name in value]}


def _prediction(value: list[Any]) -> Document:
    label, confidence, part = value
    return _label(label) | {"confidence": confidence, "part": part}


def _predictions(value: list[list[Any]]) -> Document:
    return {"_cls": "Classifications", "classifications": [_prediction(one) for one in value]}


def _box(label: str, box: list[float]) -> Document:
    return {"_id": ObjectId(), "_cls": "Detection", "attributes": {}, "tags": [], "label": label, "bounding_box": box}


def _boxes(value: list[list[Any]]) -> Document:
    return {"_cls": "Detections", "detections": [_box(label, box) for label, box in value]}


def _foreground(value: list[Any]) -> Document:
    """A mask, [run lengths, [x, y, width, height]], as a detection: FiftyOne stretches its mask over its box."""
    told, box = json.loads(value[0]), value[1]
    height, width = told["size"]
    x, y, w, h = box
    found = _box("foreground", [x / width, y / height, w / width, h / height])
    found["mask"] = serialize_numpy_array(sampled(told["counts"], height, box))
    return {"_cls": "Detections", "detections": [found]}


def sampled(counts: list[int], height: int, box: list[int]) -> NDArray[np.bool_]:
    """The mask within `box` (x, y, width, height), of at most _SIDE points a side, from its run lengths of a picture of
    `height` rows; without unfolding the whole picture, which takes ten times as long.
    """
    x, y, w, h = box
    rows = y + (np.arange(min(h, _SIDE)) * h) // min(h, _SIDE)
    columns = x + (np.arange(min(w, _SIDE)) * w) // min(w, _SIDE)
    places = columns[None, :] * height + rows[:, None]
    runs = np.searchsorted(np.cumsum(counts), places.ravel(), side="right").reshape(places.shape)
    found: NDArray[np.bool_] = runs % 2 == 1
    return found


def _one_back(value: Document | None) -> str | None:
    return None if value is None else value.get("label")


def _many_back(value: Document | None) -> list[str] | None:
    found = [one.get("label") for one in (value or {}).get("classifications") or ()]
    return [name for name in found if name] or None


def _list_back(value: Any) -> list[str] | None:
    return list(value) if value else None


def _of(field: Any, **more: Any) -> Callable[[str], Any]:
    return lambda says: field(description=says, **more)


def _embedded(document: Any) -> Callable[[str], Any]:
    return _of(fo.EmbeddedDocumentField, document_type=document)


KINDS: dict[str, Kind] = {
    "string": Kind(_of(fo.StringField), _same),
    "int": Kind(_of(fo.IntField), _same),
    "float": Kind(_of(fo.FloatField), _same),
    "bool": Kind(_of(fo.BooleanField), _same),
    "time": Kind(_of(fo.DateTimeField), _same),
    "strings": Kind(lambda says: fo.ListField(fo.StringField(), description=says), list, _list_back),
    "label": Kind(_embedded(fo.Classification), _label, _one_back),
    "labels": Kind(_embedded(fo.Classifications), _labels, _many_back),
    "prediction": Kind(_embedded(fo.Classification), _prediction),
    "predictions": Kind(_embedded(fo.Classifications), _predictions),
    "boxes": Kind(_embedded(fo.Detections), _boxes),
    "mask": Kind(_embedded(fo.Detections), _foreground),
}


def made(kind: str, value: Any) -> Any:
    """What the database keeps of a plain value; None stays None."""
    return None if value is None else KINDS[kind].make(value)
