"""YOLO: a text file for each picture, a line for each box: class, centre x and y, width, height as shares.

The text lies beside the picture, or in a folder `labels` where the picture lies in `images`. Names of the classes come
from `data.yaml`, `classes.txt` or `obj.names`; without them a class is its number, and says nothing of the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import yaml

from xqdata.readers.annotations import Annotations, ending, read_text
from xqdata.readers.base import Box, Reading, Tree

_LINE = re.compile(r"\d+(\s+[-+.\deE]+){4,}\s*$")
_NAME_FILES = ("classes.txt", "obj.names", "predefined_classes.txt")


class Yolo:
    """Boxes from YOLO's label files, and objects where the classes have names."""

    name = "yolo"

    def sniff(self, tree: Tree) -> str | None:
        """How many pictures have a label file of the right form."""
        pairs = [(picture, text) for picture, text in _pairs(tree) if _is_label(tree, text)]
        if not pairs:
            return None
        named = f"classes named by {', '.join(_names(tree)[0])}" if _names(tree)[1] else "classes without names"
        return f"{len(pairs)} pictures have a file of boxes, as {pairs[0][1]}; {named}"

    def read(self, tree: Tree) -> Reading:
        """Read the label file of every picture that has one."""
        collected = Annotations(tree)
        sources, names = _names(tree)
        collected.sources.update(dict.fromkeys(sources, "annotation"))
        for picture, path in _pairs(tree):
            if _is_label(tree, path):
                collected.sources[path] = "annotation"
                _read(collected, picture, path, names)
        return collected.reading()


def _pairs(tree: Tree) -> Iterator[tuple[str, str]]:
    there = set(tree.paths)
    for picture in tree.pictures:
        beside = PurePosixPath(picture).with_suffix(".txt")
        parts = list(beside.parts)
        moved = [n for n, part in enumerate(parts[:-1]) if part == "images"]
        if moved:
            parts[moved[-1]] = "labels"
        for path in dict.fromkeys((str(PurePosixPath(*parts)), str(beside))):
            if path in there:
                yield picture, path
                break


def _is_label(tree: Tree, path: str) -> bool:
    """True if the first line that is not empty is a box, or the file is empty in a folder of labels (no object)."""
    try:
        lines = read_text(tree, path).split("\n")
    except ValueError:
        return False
    first = next((line for line in lines if line.strip()), None)
    return "labels" in PurePosixPath(path).parts if first is None else bool(_LINE.match(first.strip()))


def _names(tree: Tree) -> tuple[list[str], dict[int, str]]:
    """The files that name the classes, and the names by number."""
    for path in tree.paths:
        try:
            if ending(path) in (".yaml", ".yml"):
                names = _from_yaml(read_text(tree, path))
            elif PurePosixPath(path).name in _NAME_FILES:
                names = dict(enumerate(line.strip() for line in read_text(tree, path).splitlines() if line.strip()))
            else:
                continue
        except (ValueError, yaml.YAMLError):
            continue
        if names:
            return [path], names
    return [], {}


def _from_yaml(text: str) -> dict[int, str]:
    document = yaml.safe_load(text)
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, list):
        return {n: str(name) for n, name in enumerate(names)}
    return {int(n): str(name) for n, name in names.items()} if isinstance(names, dict) else {}


def _read(collected: Annotations, picture: str, path: str, names: dict[int, str]) -> None:
    for number, line in enumerate(read_text(collected.tree, path).splitlines(), start=1):
        if not line.strip():
            continue
        with collected.row(path, f"row {number}"):
            box = _box(line.split(), path, f"row {number}", names)
            collected.boxes[picture].append(box)
            if names:
                collected.name_objects(picture, [box.label])


def _box(cells: list[str], path: str, item: str, names: dict[int, str]) -> Box:
    number = int(cells[0])
    if names and number not in names:
        raise ValueError(f"there is no class {number}")
    values = [float(cell) for cell in cells[1:]]
    if len(values) == 4:
        x, y, width, height = values
        left, top = x - width / 2, y - height / 2
    elif len(values) >= 6 and len(values) % 2 == 0:  # a polygon: the box around it
        left, top = min(values[::2]), min(values[1::2])
        width, height = max(values[::2]) - left, max(values[1::2]) - top
    else:
        raise ValueError(f"{len(cells)} cells, not a class and four shares, or a class and a polygon")
    return Box(names.get(number, str(number)), left, top, width, height, path, item, share=True)
