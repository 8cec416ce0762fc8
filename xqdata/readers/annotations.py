"""What the readers of annotation files share: a growing reading, and files that may be damaged."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from xqdata.readers.base import BadRow, Box, Reading, Tree
from xqdata.readers.files import Files

WHOLE = "the whole file"


class Annotations:
    """Collects what annotation files say, row by row; a row that cannot be used is told and left out."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.fields: dict[str, dict[str, object]] = defaultdict(dict)
        self.boxes: dict[str, list[Box]] = defaultdict(list)
        self.sources: dict[str, str] = {}
        self.bad: list[BadRow] = []
        self.notes: list[str] = []

    @cached_property
    def files(self) -> Files:
        """The pictures by name."""
        return Files(self.tree.pictures)

    @contextmanager
    def row(self, path: str, item: str) -> Iterator[None]:
        """Make a row of rejects of whatever is wrong with the row `item` of `path` inside the block."""
        try:
            yield
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            told = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            self.bad.append(BadRow(path, item, told or type(error).__name__))

    def picture(self, name: str, source: str) -> str:
        """The picture that `source` calls `name`; ValueError where none or several may be meant."""
        found = self.files.find(name, source)
        if len(found) != 1:
            several = f"{name!r} may be any of {len(found)} files"
            raise ValueError(several if found else f"no file is called {name!r}")
        return found[0]

    def name_objects(self, path: str, names: Iterable[str]) -> None:
        """Say which objects a picture shows, each once, in the order of their first naming."""
        before = self.fields[path].get("objects", [])
        assert isinstance(before, list)
        self.fields[path]["objects"] = list(dict.fromkeys([*before, *names]))

    def reading(self) -> Reading:
        """All that was collected."""
        return Reading(self.fields, self.sources, bad_rows=self.bad, notes=self.notes, boxes=self.boxes)


def corners(label: str, edges: Iterable[Any], source: str, item: str) -> Box:
    """A box from its left, top, right and bottom edges in pixels. ValueError if they are not four rising numbers."""
    left, top, right, bottom = (float(e) for e in edges)
    return Box(label, left, top, right - left, bottom - top, source, item)


def load_json(tree: Tree, path: str) -> Any:
    """The JSON document at `path`; ValueError where it is damaged."""
    return json.loads(read_text(tree, path))


def read_text(tree: Tree, path: str) -> str:
    """The text at `path`, with or without byte order mark; ValueError where it is not UTF-8 or cannot be read."""
    try:
        return tree.locate(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error


def ending(path: str) -> str:
    """The ending of a path in lower case, with its dot."""
    return PurePosixPath(path).suffix.lower()
