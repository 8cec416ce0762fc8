"""What the readers of annotation files share: a growing reading, and files that may be damaged."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from xqdata.errors import one_line
from xqdata.readers.base import BadRow, Box, Reading, Tree
from xqdata.readers.files import Files

WHOLE = "the whole file"
_EDGES = ("left", "top", "right", "bottom")
_TEXTS = ("utf-8-sig", "cp949")  # as operators' tables


class Annotations:
    """Collects what annotation files say, row by row; a row that cannot be used is told and left out.

    `masks`: pictures that no annotation means, whatever names they bear.
    """

    def __init__(self, tree: Tree, masks: Collection[str] = ()) -> None:
        self.tree = tree
        self.files = Files(p for p in tree.pictures if p not in masks) if masks else tree.files
        self.fields: dict[str, dict[str, object]] = defaultdict(dict)
        self.boxes: dict[str, list[Box]] = defaultdict(list)
        self.sources: dict[str, str] = {}
        self.bad: list[BadRow] = []
        self.notes: list[str] = []

    @contextmanager
    def row(self, path: str, item: str) -> Iterator[None]:
        """Make a row of rejects of whatever is wrong with the row `item` of `path` inside the block."""
        try:
            yield
        except RecursionError:
            self.bad.append(BadRow(path, one_line(item), "is nested too deeply"))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            told = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
            self.bad.append(BadRow(path, one_line(item), one_line(told) or type(error).__name__))

    def picture(self, name: str, source: str, part: str = "") -> str:
        """The picture that `source` calls `name`; ValueError where none or several may be meant.

        `part`: words of which some may be the names of folders, and tell which of several pictures is meant.
        """
        found = _called(_nearest(self.files.find(name, source), source), part)
        if len(found) != 1:
            several = f"{name!r} may be any of {len(found)} files"
            raise ValueError(several if found else f"no file is called {name!r}")
        return found[0]

    def speaks_of(self, path: str) -> None:
        """Say that an annotation is about a picture, even if it draws nothing there."""
        self.boxes.setdefault(path, [])

    def name_objects(self, path: str, names: Iterable[str]) -> None:
        """Say which objects a picture shows, each once, in the order of their first naming."""
        before = self.fields[path].get("objects", [])
        assert isinstance(before, list)
        self.fields[path]["objects"] = list(dict.fromkeys([*before, *names]))

    def reading(self) -> Reading:
        """All that was collected; what two pictures of one annotation make known twice is told once."""
        bad = list(dict.fromkeys(self.bad))
        return Reading(self.fields, self.sources, bad_rows=bad, notes=self.notes, boxes=self.boxes)


def _nearest(found: list[str], source: str) -> list[str]:
    """Of several files those below the folder that holds the folder of `source`, or the nearest one above that.

    `train/Annotations/1.xml` means `train/JPEGImages/1.jpg`, and not the file of that name below `test`. Where that
    does not tell, all of them.
    """
    home = PurePosixPath(source).parent.parts[:-1]
    for depth in range(len(home), 0, -1):
        below = [p for p in found if PurePosixPath(p).parts[:depth] == home[:depth]]
        if below:
            return below
    return found


def _called(found: list[str], part: str) -> list[str]:
    """Of several files those that lie in the most folders called by a word of `part`; years do not count."""
    words = _words(part)
    scores = [len(words & {word for p in PurePosixPath(path).parent.parts for word in _words(p)}) for path in found]
    return [path for path, score in zip(found, scores, strict=True) if score == max(scores)]


def _words(text: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+|(?:19|20)\d\d$", text.casefold()) if word}


def corners(label: str, edges: Iterable[Any], source: str, item: str, names: tuple[str, ...] = _EDGES) -> Box:
    """A box from its left, top, right and bottom edges in pixels, in messages called `names`.

    ValueError if they are not four rising numbers.
    """
    left, top, right, bottom = numbers(edges, names)
    return Box(label, left, top, right - left, bottom - top, source, item)


def numbers(values: Any, names: tuple[str, ...]) -> list[float]:
    """`values` as numbers, one for each of `names`; ValueError names the first that is none."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"its box is {values!r}, not {', '.join(names)}")
    given = list(values)
    if len(given) != len(names):
        raise ValueError(f"its box has {len(given)} numbers, not {', '.join(names)}")
    made = []
    for name, value in zip(names, given, strict=True):
        try:
            made.append(float(value))
        except (TypeError, ValueError):
            raise ValueError(f"its box has no {name}" if value is None else f"{name} is {value!r}") from None
    return made


def class_name(value: object) -> str:
    """The name of a class as an annotation gives it; ValueError where it gives none."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise ValueError("it has no name")
    return str(value).strip()


def load_json(tree: Tree, path: str) -> Any:
    """The JSON document at `path`; ValueError where it is damaged."""
    text = read_text(tree, path)
    try:
        document = json.loads(text)
        if "\\ud" in text.casefold():  # half a character, written as an escape, can be put into no table
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("holds half of a character") from None
    return document


def load_xml(tree: Tree, path: str) -> ElementTree.Element:
    """The root element of the XML document at `path`, without namespaces; ValueError where it is damaged.

    Entities of the document's own are refused: no export needs them, and a few lines of them can fill the memory.
    """
    text = read_text(tree, path)
    if "<!ENTITY" in text:
        raise ValueError("declares entities, which are not read")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"is not well-formed XML ({error})") from error
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def read_text(tree: Tree, path: str) -> str:
    """The text at `path`; ValueError where it is no text or cannot be read.

    UTF-8, UTF-16 with its byte order mark, or CP949, which Korean programs write.
    """
    try:
        data = tree.locate(path).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else _TEXTS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError("is not text in UTF-8, UTF-16 or CP949")


def ending(path: str) -> str:
    """The ending of a path in lower case, with its dot."""
    return PurePosixPath(path).suffix.lower()
