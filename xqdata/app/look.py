"""How the App shows the dataset: the order of its sidebar, and colours that mean the same object in every project."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterable, Sequence
from typing import Any

import fiftyone as fo
import pyarrow.compute as pc
import xxhash

from xqdata.app.content import EDITABLE, Content, Field
from xqdata.app.load import KEY, note
from xqdata.taxonomy import Taxonomy

# Groups of the sidebar from top to bottom; those of runs stand behind the labels. True: open at first.
_SHELVES = {
    "labels": True,
    "suspects": True,
    "duplicates": True,
    "splits": True,
    "together": False,
    "acquisition": False,
    "quality": False,
    "file": False,
}
# Shown on the pictures of the grid at first: more would hide them.
_ACTIVE = ("object", "objects", "suggested", "boxes")
# Parts and right or wrong, by Paul Tol's scheme that also the colour-blind tell apart.
_FIXED = {"train": "#4477AA", "val": "#CCBB44", "test": "#EE6677", "True": "#228833", "False": "#EE6677"}
_GOLDEN = 0.618033988749895
_FOREGROUND = "#66CCEE"


_PARTS = ("sidebar_groups", "color_scheme", "active_fields")


def arranged(dataset: fo.Dataset) -> set[str]:
    """The parts of the look that a person has changed in the App; asked before an update, as FiftyOne adds to them."""
    noted = dataset.info.get(KEY, {}).get("look", {})
    return {name for name in _PARTS if name in noted and _print(getattr(dataset.app_config, name)) != noted[name]}


def arrange(dataset: fo.Dataset, found: Content, taxonomy: Taxonomy, keep: set[str]) -> None:
    """Set sidebar, colours and what is shown at first, but for those to `keep`."""
    wanted = {
        "sidebar_groups": _sidebar(dataset, found.fields),
        "color_scheme": _colours(found, taxonomy),
        "active_fields": fo.ActiveFields(paths=_active(found)),
    }
    noted = dict(dataset.info.get(KEY, {}).get("look", {}))
    for name, value in wanted.items():
        if name not in keep:
            setattr(dataset.app_config, name, value)
            noted[name] = _print(value)
    dataset.save()
    note(dataset, look=noted)


def _active(found: Content) -> list[str]:
    names = {each.name for each in (*EDITABLE, *found.fields)}
    return [name for name in (*_ACTIVE, *(run.predicted for run in found.runs[-1:])) if name in names]


def _sidebar(dataset: fo.Dataset, fields: Sequence[Field]) -> list[fo.SidebarGroupDocument]:
    """Ours in our order; fields that a person made, or that no table fills any more, come last."""
    fields = [*fields, *(each for each in EDITABLE if each not in fields)]
    runs = list(dict.fromkeys(each.shelf for each in fields if each.shelf.startswith("run ")))
    order = [*list(_SHELVES)[:1], *reversed(runs), *list(_SHELVES)[1:]]
    paths = {shelf: [each.name for each in fields if each.shelf == shelf] for shelf in order}
    for run in runs:  # FiftyOne makes this field, when it evaluates
        predicted = next(name for name in paths[run] if name.startswith("run_"))
        correct = predicted.replace("run_", "correct_", 1)
        if correct not in paths[run] and correct in dataset.get_field_schema():
            paths[run].append(correct)
    told = {path for group in paths.values() for path in group}
    metadata = [f"metadata.{name}" for name in ("size_bytes", "mime_type", "width", "height", "num_channels")]
    own = ["id", "filepath", "created_at", "last_modified_at"]
    extra = [name for name in dataset.get_field_schema() if name not in (*told, *own, "tags", "metadata")]
    every = [
        fo.SidebarGroupDocument(name="tags", paths=["tags", "_label_tags"], expanded=True),
        *(
            fo.SidebarGroupDocument(name=shelf, paths=group, expanded=_SHELVES.get(shelf, True))
            for shelf, group in paths.items()
            if group
        ),
        fo.SidebarGroupDocument(name="other", paths=[*extra, *own], expanded=False),
        fo.SidebarGroupDocument(name="metadata", paths=metadata, expanded=False),
    ]
    return [group for group in every if group.paths]


def _colours(found: Content, taxonomy: Taxonomy) -> fo.ColorScheme:
    names = {name for each in found.rows["objects"].to_pylist() for name in each or ()}
    types = set(pc.unique(found.rows["scan_type"].drop_null()).to_pylist())
    objects = _by_value(taxonomy.objects, sorted(names), 0.65, 0.85)
    scan_types = _by_value(taxonomy.scan_types, sorted(types), 0.35, 0.75)
    fields = [
        _field(each.name, scan_types if each.name == "scan_type" else objects, "label")
        for each in found.fields
        if each.kind in ("label", "labels", "prediction", "predictions", "boxes")
    ]
    fields += [
        {"path": name, "fieldColor": _FIXED["train"], "valueColors": _fixed()}
        for name in (*found.splits.values(), *(run.correct for run in found.runs))
    ]
    fields.append({"path": "foreground", "fieldColor": _FOREGROUND, "colorByAttribute": "label",
                   "valueColors": [{"value": "foreground", "color": _FOREGROUND}]})  # fmt: skip
    return fo.ColorScheme(color_by="value", fields=fields, color_pool=[c["color"] for c in objects[:20]], opacity=0.4)


def _field(path: str, colours: list[dict[str, str]], attribute: str) -> dict[str, object]:
    return {"path": path, "colorByAttribute": attribute, "valueColors": colours}


def _fixed() -> list[dict[str, str]]:
    return [{"value": value, "color": colour} for value, colour in _FIXED.items()]


def _by_value(known: Iterable[str], present: Iterable[str], saturation: float, value: float) -> list[dict[str, str]]:
    """A colour for every name: of the taxonomy by its place there, of others by their letters."""
    order = {name: n for n, name in enumerate(known)}
    told = {name: n * _GOLDEN for name, n in order.items()}
    for name in present:
        told.setdefault(name, xxhash.xxh3_64_intdigest(name.encode()) / 2**64)
    return [
        {"value": name, "color": _hex(hue % 1, saturation, value - 0.2 * (order.get(name, 0) % 2))}
        for name, hue in told.items()
    ]


def _hex(hue: float, saturation: float, value: float) -> str:
    return "#" + "".join(f"{round(255 * channel):02X}" for channel in colorsys.hsv_to_rgb(hue, saturation, value))


def _print(value: Any) -> str:
    """A fingerprint of a part of the App's settings."""
    parts = value if isinstance(value, list) else [] if value is None else [value]
    told = [part.to_dict() if hasattr(part, "to_dict") else dict(part) for part in parts]
    return xxhash.xxh3_64_hexdigest(json.dumps(told, sort_keys=True, default=str).encode())
