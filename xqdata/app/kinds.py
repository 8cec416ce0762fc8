"""The kinds of fields: how plain values look, and what FiftyOne makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
from numpy.typing import NDArray

# Points of a mask on its longer side: the App stretches it over the box.
_SIDE = 128


@dataclass(frozen=True)
class Kind:
    """`type` and `inner`: of the field in FiftyOne; `make`: from a plain value; `back`: to what a person may have
    changed, None for kinds that nobody edits.
    """

    type: Any
    make: Callable[[Any], Any]
    inner: Any = None
    embedded: Any = None
    back: Callable[[Any], Any] | None = None

    def declared(self) -> Mapping[str, Any]:
        """The arguments that declare such a field."""
        told = {"ftype": self.type, "subfield": self.inner, "embedded_doc_type": self.embedded}
        return {name: value for name, value in told.items() if value is not None}


def _same(value: Any) -> Any:
    return value


def _label(value: str) -> fo.Classification:
    return fo.Classification(label=value)


def _labels(value: list[str]) -> fo.Classifications:
    return fo.Classifications(classifications=[_label(name) for name in value])


def _prediction(value: list[Any]) -> fo.Classification:
    label, confidence, part = value
    return fo.Classification(label=label, confidence=confidence, part=part)


def _predictions(value: list[list[Any]]) -> fo.Classifications:
    return fo.Classifications(classifications=[_prediction(one) for one in value])


def _boxes(value: list[list[Any]]) -> fo.Detections:
    return fo.Detections(detections=[fo.Detection(label=label, bounding_box=box) for label, box in value])


def _foreground(value: list[Any]) -> fo.Detections:
    """A mask, [run lengths, [x, y, width, height]], as a detection: FiftyOne stretches its mask over its box."""
    told, box = json.loads(value[0]), value[1]
    height, width = told["size"]
    x, y, w, h = box
    found = fo.Detection(
        label="foreground",
        bounding_box=[x / width, y / height, w / width, h / height],
        mask=sampled(told["counts"], height, box),
    )
    return fo.Detections(detections=[found])


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


def _one_back(value: Any) -> str | None:
    return None if value is None else value.label


def _many_back(value: Any) -> list[str] | None:
    return None if value is None or not value.classifications else [one.label for one in value.classifications]


def _list_back(value: Any) -> list[str] | None:
    return list(value) if value else None


KINDS: dict[str, Kind] = {
    "string": Kind(fo.StringField, _same),
    "int": Kind(fo.IntField, _same),
    "float": Kind(fo.FloatField, _same),
    "bool": Kind(fo.BooleanField, _same),
    "time": Kind(fo.DateTimeField, _same),
    "strings": Kind(fo.ListField, list, inner=fo.StringField, back=_list_back),
    "label": Kind(fo.EmbeddedDocumentField, _label, embedded=fo.Classification, back=_one_back),
    "labels": Kind(fo.EmbeddedDocumentField, _labels, embedded=fo.Classifications, back=_many_back),
    "prediction": Kind(fo.EmbeddedDocumentField, _prediction, embedded=fo.Classification),
    "predictions": Kind(fo.EmbeddedDocumentField, _predictions, embedded=fo.Classifications),
    "boxes": Kind(fo.EmbeddedDocumentField, _boxes, embedded=fo.Detections),
    "mask": Kind(fo.EmbeddedDocumentField, _foreground, embedded=fo.Detections),
}


def made(kind: str, value: Any) -> Any:
    """What FiftyOne holds for a plain value; None stays None."""
    return None if value is None else KINDS[kind].make(value)
