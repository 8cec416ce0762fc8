"""DvXray: two views of each scan, `NAME_OL.png` and `NAME_SD.png`, and `NAME.json` with the objects in both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from xqdata.readers.annotations import WHOLE, Annotations, class_name, corners, ending, load_json
from xqdata.readers.base import Reading, Tree

# The overlook and the side view.
_VIEWS = {"OL": "top", "SD": "side"}
_PICTURE = re.compile(r"(?P<scan>.+)_(?P<view>OL|SD)")


class Dvxray:
    """One scan with two views from each pair, and its objects and boxes."""

    name = "dvxray"

    def sniff(self, tree: Tree) -> str | None:
        """How many scans have both views."""
        whole = [scan for scan, views in _scans(tree).items() if len(set(views.values())) == len(_VIEWS)]
        return f"{len(whole)} scans have the two views NAME_OL and NAME_SD, as {whole[0]}" if whole else None

    def read(self, tree: Tree) -> Reading:
        """Describe both views of every scan, and read the annotation beside them."""
        collected = Annotations(tree)
        there = set(tree.paths)
        for scan, views in _scans(tree).items():
            for picture, view in views.items():
                collected.fields[picture] |= {"scan_id": f"{tree.root}/{scan}", "view": _VIEWS[view]}
            path = f"{scan}.json"
            if path in there:
                collected.sources[path] = "annotation"
                with collected.row(path, WHOLE):
                    _read(collected, views, path)
        return collected.reading()


def _scans(tree: Tree) -> dict[str, dict[str, str]]:
    """By scan its pictures, each with its view."""
    scans: dict[str, dict[str, str]] = {}
    for path in tree.pictures:
        match = _PICTURE.fullmatch(str(PurePosixPath(path).with_suffix("")))
        if match and ending(path):
            scans.setdefault(match["scan"], {})[path] = match["view"]
    return scans


def _read(collected: Annotations, views: dict[str, str], path: str) -> None:
    document = load_json(collected.tree, path)
    if not isinstance(document, dict):
        raise ValueError(f"holds a {type(document).__name__}, not keys and values")
    objects = document["objects"]
    for picture in views:
        collected.speaks_of(picture)
    if objects in ("None", "none", "", None):  # the scans without a prohibited item say so in place of a list
        return
    if not isinstance(objects, list):
        raise ValueError(f"objects is {objects!r}, not a list")
    for number, entry in enumerate(objects, start=1):
        item = f"object {number}"
        with collected.row(path, item):
            if not isinstance(entry, dict):
                raise ValueError(f"is {entry!r}, not keys and values")
            label = class_name(entry["label"])
            for picture in views:
                collected.name_objects(picture, [label])
            for view, edges in _edges(entry):
                with collected.row(path, f"{item}, {view}"):
                    _draw(collected, [p for p, seen in views.items() if seen == view], label, edges, path, item)


def _draw(collected: Annotations, pictures: list[str], label: str, edges: list[Any], path: str, item: str) -> None:
    if not pictures:
        raise ValueError("there is no picture of this view")
    for picture in pictures:
        collected.boxes[picture].append(corners(label, edges, path, item))


def _edges(entry: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for key, value in entry.items():
        view = key[:2].upper()
        if view in _VIEWS and isinstance(value, list) and value:
            yield view, value
