"""OPIXray: text files with a line for each box: file name, class, and the corners in pixels."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from xqdata.readers.annotations import Annotations, corners, ending, read_text
from xqdata.readers.base import Reading, Tree

_LINE = re.compile(r"(?P<file>\S.*?\.\w{3,4})\s+(?P<label>[^\d\s]\S*)(?P<edges>(?:\s+-?\d+(?:\.\d+)?){4})\s*")


class Opixray:
    """Boxes and objects from OPIXray's annotation files."""

    name = "opixray"

    def sniff(self, tree: Tree) -> str | None:
        """How many text files have such lines."""
        found = _annotations(tree)
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


def _annotations(tree: Tree) -> list[str]:
    """Files of which at least half of the lines are annotations, and what lies beside them under a picture's name."""
    if "opixray" not in tree.memo:
        texts = {path: _lines(tree, path) for path in tree.paths if ending(path) == ".txt"}
        sure = {path for path, lines in texts.items() if lines and 2 * sum(map(_is_box, lines)) >= len(lines)}
        folders = {PurePosixPath(path).parent for path in sure}
        tree.memo["opixray"] = [
            path
            for path in texts
            if path in sure or (PurePosixPath(path).parent in folders and tree.files.find(PurePosixPath(path).stem))
        ]
    found: list[str] = tree.memo["opixray"]
    return found


def _lines(tree: Tree, path: str) -> list[str]:
    try:
        return [line.strip() for line in read_text(tree, path).splitlines() if line.strip()]
    except ValueError:
        return []


def _is_box(line: str) -> bool:
    return _LINE.fullmatch(line) is not None


def _read(collected: Annotations, path: str, item: str, line: str) -> None:
    match = _LINE.fullmatch(line.strip())
    if not match:
        raise ValueError("not a file name, a class and four corners")
    picture = collected.picture(match["file"], path)
    collected.boxes[picture].append(corners(match["label"], match["edges"].split(), path, item))
    collected.name_objects(picture, [match["label"]])
