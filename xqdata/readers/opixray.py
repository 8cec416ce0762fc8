"""OPIXray: text files with a line for each box: file name, class, and the corners in pixels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from xqdata.readers.annotations import Annotations, corners, ending, read_text
from xqdata.readers.base import Reading, Tree

_LINE = re.compile(r"(?P<file>\S.*?\.\w{3,4})\s+(?P<label>[^\d\s]\S*)(?P<edges>(?:\s+-?\d+(?:\.\d+)?){4})\s*")
_BEGINNING = re.compile(r"\S.*?\.\w{3,4}\s+[^\d\s]\S*\s+\S")


class Opixray:
    """Boxes and objects from OPIXray's annotation files."""

    name = "opixray"

    def sniff(self, tree: Tree) -> str | None:
        """How many text files have such lines."""
        found = list(_annotations(tree))
        return f"{len(found)} text files hold lines of file, class and corners, as {found[0]}" if found else None

    def read(self, tree: Tree) -> Reading:
        """Read every line of every such file."""
        collected = Annotations(tree)
        for path in _annotations(tree):
            collected.sources[path] = "annotation"
            for number, line in enumerate(read_text(tree, path).splitlines(), start=1):
                if line.strip():
                    with collected.row(path, f"row {number}"):
                        _read(collected, path, f"row {number}", line)
        return collected.reading()


def _annotations(tree: Tree) -> Iterator[str]:
    for path in tree.paths:
        if ending(path) == ".txt":
            try:
                lines = [line for line in read_text(tree, path).splitlines() if line.strip()]
            except ValueError:
                continue
            good = sum(_LINE.fullmatch(line) is not None for line in lines)
            if good and all(_BEGINNING.match(line) or _LINE.fullmatch(line) for line in lines[:1]):
                yield path


def _read(collected: Annotations, path: str, item: str, line: str) -> None:
    match = _LINE.fullmatch(line)
    if not match:
        raise ValueError("not a file name, a class and four corners")
    picture = collected.picture(match["file"], path)
    collected.boxes[picture].append(corners(match["label"], match["edges"].split(), path, item))
    collected.name_objects(picture, [match["label"]])
