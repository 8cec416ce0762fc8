"""DvXray: two views of each scan, `NAME_OL.png` and `NAME_SD.png`, and `NAME.json` with the objects in both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from xqdata.readers.annotations import WHOLE, Annotations, corners, ending, load_json
from xqdata.readers.base import Reading, Tree

# The overlook and the side view.
_VIEWS = {"OL": "top", "SD": "side"}
_PICTURE = re.compile(r"(?P<scan>.+)_(?P<view>OL|SD)")


class Dvxray:
    """One scan with two views from each pair, and its objects and boxes."""

    name = "dvxray"

    def sniff(self, tree: Tree) -> str | None:
        """How many scans have both views."""
        whole = [scan for scan, views in _scans(tree).items() if len(views) == len(_VIEWS)]
        return f"{len(whole)} scans have the two views NAME_OL and NAME_SD, as {whole[0]}" if whole else None

    def read(self, tree: Tree) -> Reading:
        """Describe both views of every scan, and read the annotation beside them."""
        collected = Annotations(tree)
        there = set(tree.paths)
        for scan, views in _scans(tree).items():
            for view, picture in views.items():
                collected.fields[picture] |= {"scan_id": scan, "view": _VIEWS[view]}
            path = f"{scan}.json"
            if path in there:
                collected.sources[path] = "annotation"
                with collected.row(path, WHOLE):
                    _read(collected, views, path)
        return collected.reading()


def _scans(tree: Tree) -> dict[str, dict[str, str]]:
    scans: dict[str, dict[str, str]] = {}
    for path in tree.pictures:
        match = _PICTURE.fullmatch(str(PurePosixPath(path).with_suffix("")))
        if match and ending(path):
            scans.setdefault(match["scan"], {})[match["view"]] = path
    return scans


def _read(collected: Annotations, views: dict[str, str], path: str) -> None:
    document = load_json(collected.tree, path)
    objects = document["objects"]
    # The scans without a prohibited item say "None" where the others have a list.
    for number, entry in enumerate([] if objects in ("None", None) else objects, start=1):
        item = f"object {number}"
        with collected.row(path, item):
            label = entry["label"]
            for view, edges in _edges(entry):
                if view in views:
                    collected.boxes[views[view]].append(corners(label, edges, path, item))
            for picture in views.values():
                collected.name_objects(picture, [label])


def _edges(entry: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for key, value in entry.items():
        view = key[:2].upper()
        if view in _VIEWS and isinstance(value, list) and value:
            yield view, value
