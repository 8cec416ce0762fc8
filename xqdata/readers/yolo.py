"""YOLO: a text file for each picture, a line for each box: class, centre x and y, width, height as shares.

The text lies beside the picture, or in a folder `labels` where the picture lies in `images`. Names of the classes come
from `data.yaml`, `classes.txt` or `obj.names`; without them a class is its number, and says nothing of the object.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import yaml

from xqdata.readers.annotations import Annotations, ending, numbers, read_text
from xqdata.readers.base import Box, Reading, Tree
from xqdata.words import several

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_LABELS = "labels"
_NAME_FILES = ("classes.txt", "obj.names", "predefined_classes.txt")
# A share may leave the picture by so much that it is still one: what is a number of pixels is not.
_LARGEST_SHARE = 1.5

Names = Mapping[int, str]


class Yolo:
    """Boxes from YOLO's label files, and objects where the classes have names."""

    name = "yolo"

    def sniff(self, tree: Tree) -> str | None:
        """How many pictures have a label file of the right form."""
        pairs = _labels(tree)
        if not pairs:
            return None
        files = sorted(_names(tree))
        named = f"classes named by {', '.join(files)}" if files else "classes without names"
        found = several(len(pairs), "picture has", "pictures have")
        return f"{found} a file of boxes, as {pairs[0][1]}; {named}"

    def read(self, tree: Tree) -> Reading:
        """Read the label file of every picture that has one."""
        collected = Annotations(tree)
        names = _names(tree)
        spare = _spare(names, [path for _, path in _labels(tree)])
        collected.sources.update(dict.fromkeys(names, "annotation"))
        for picture, path in _labels(tree):
            collected.sources[path] = "annotation"
            _read(collected, picture, path, _nearest(names, path) or spare)
        return collected.reading()


def _labels(tree: Tree) -> list[tuple[str, str]]:
    """Pictures and their label files."""
    if "yolo" not in tree.memo:
        pairs = list(_pairs(tree))
        sure = {text for _, text in pairs if _is_label(tree, text)}
        folders = {PurePosixPath(text).parent for text in sure}
        tree.memo["yolo"] = [
            (picture, text)
            for picture, text in pairs
            if text in sure or (PurePosixPath(text).parent in folders and _is_empty(tree, text))
        ]
    labels: list[tuple[str, str]] = tree.memo["yolo"]
    return labels


def _pairs(tree: Tree) -> Iterator[tuple[str, str]]:
    there = {_spelled(path): path for path in tree.paths if ending(path) == ".txt"}
    for picture in tree.pictures:
        beside = PurePosixPath(picture).with_suffix(".txt")
        parts = list(beside.parts)
        moved = [n for n, part in enumerate(parts[:-1]) if part.lower() == "images"]
        if moved:
            parts[moved[-1]] = _LABELS
        for path in dict.fromkeys((_spelled(str(PurePosixPath(*parts))), _spelled(str(beside)))):
            if path in there:
                yield picture, there[path]
                break


def _spelled(path: str) -> str:
    """A path whose ending and whose folders of labels are in lower case: in both case does not count."""
    place = PurePosixPath(path).with_suffix(ending(path))
    return str(PurePosixPath(*(part.lower() if part.lower() == _LABELS else part for part in place.parts)))


def _is_empty(tree: Tree, path: str) -> bool:
    try:
        return not read_text(tree, path).strip()
    except ValueError:
        return False


def _is_label(tree: Tree, path: str) -> bool:
    """True if some line is a box; in a folder of labels also if it is empty (no object) or begins with numbers.

    Beside a picture may lie any text: there at least half of the lines must be boxes. An empty one counts there if
    others of its folder are labels.
    """
    try:
        lines = [line.split() for line in read_text(tree, path).splitlines() if line.strip()]
    except ValueError:
        return False
    boxes = sum(map(_is_box, lines))
    if _LABELS in (part.lower() for part in PurePosixPath(path).parts[:-1]):
        return boxes > 0 or all(_NUMBER.fullmatch(line[0]) for line in lines)
    return boxes > 0 and 2 * boxes >= len(lines)


def _is_box(cells: list[str]) -> bool:
    rest = cells[1:]
    shares = all(_NUMBER.fullmatch(cell) and abs(float(cell)) <= _LARGEST_SHARE for cell in rest)
    return cells[0].isdecimal() and shares and (len(rest) == 4 or (len(rest) >= 6 and len(rest) % 2 == 0))


def _names(tree: Tree) -> dict[str, Names]:
    """By file that names classes, the names by number."""
    if "yolo names" not in tree.memo:
        read = {path: _read_names(tree, path) for path in tree.paths}
        tree.memo["yolo names"] = {path: names for path, names in read.items() if names}
    found: dict[str, Names] = tree.memo["yolo names"]
    return found


def _read_names(tree: Tree, path: str) -> Names:
    try:
        if ending(path) in (".yaml", ".yml"):
            return _from_yaml(read_text(tree, path))
        if PurePosixPath(path).name in _NAME_FILES:
            lines = enumerate(read_text(tree, path).rstrip().splitlines())
            return {number: line.strip() for number, line in lines if line.strip()}
    except (ValueError, RecursionError, yaml.YAMLError):
        pass
    return {}


def _from_yaml(text: str) -> Names:
    # The base loader leaves every value as it is written: a class may well be called `no` or `007`.
    document = yaml.load(text, Loader=yaml.BaseLoader)
    names = document.get("names") if isinstance(document, dict) else None
    named = dict(enumerate(names)) if isinstance(names, list) else names if isinstance(names, dict) else {}
    return {int(n): name for n, name in named.items() if isinstance(name, str)}


def _nearest(names: Mapping[str, Names], label: str) -> Names:
    """The names in the nearest folder above a label file; a YAML file goes before a text there."""
    above = [path for path in names if PurePosixPath(path).parent in PurePosixPath(label).parents]
    best = max(above, key=lambda p: (len(PurePosixPath(p).parts), ending(p) != ".txt"), default=None)
    return {} if best is None else names[best]


def _spare(names: Mapping[str, Names], labels: list[str]) -> Names:
    """The names in the one file that lies above no label file, as in a folder of settings; none if there are two."""
    above = {parent for label in labels for parent in PurePosixPath(label).parents}
    apart = [path for path in names if PurePosixPath(path).parent not in above]
    return names[apart[0]] if len(apart) == 1 else {}


def _read(collected: Annotations, picture: str, path: str, names: Names) -> None:
    collected.speaks_of(picture)
    for number, line in enumerate(read_text(collected.tree, path).splitlines(), start=1):
        if not line.strip():
            continue
        with collected.row(path, f"row {number}"):
            box = _box(line.split(), path, f"row {number}", names)
            collected.boxes[picture].append(box)
            if names:
                collected.name_objects(picture, [box.label])


def _box(cells: list[str], path: str, item: str, names: Names) -> Box:
    if not cells[0].isdecimal():
        raise ValueError(f"{cells[0]!r} is no number of a class")
    number, count = int(cells[0]), len(cells) - 1
    if names and number not in names:
        raise ValueError(f"there is no class {number}")
    if count == 4:
        x, y, width, height = numbers(cells[1:], ("x", "y", "width", "height"))
        left, top = x - width / 2, y - height / 2
    elif count >= 6 and count % 2 == 0:  # a polygon: the box around it
        values = numbers(cells[1:], tuple(f"corner {n // 2 + 1}" for n in range(count)))
        left, top = min(values[::2]), min(values[1::2])
        width, height = max(values[::2]) - left, max(values[1::2]) - top
    else:
        raise ValueError(f"{len(cells)} cells, not a class and four shares, or a class and a polygon")
    return Box(names.get(number, str(number)), left, top, width, height, path, item, share=True)
