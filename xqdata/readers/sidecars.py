"""A JSON or XML file beside each picture, of the same name: `0582.json` or `0582.png.json` for `0582.png`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from xqdata import schema
from xqdata.readers.annotations import WHOLE, Annotations, load_json, read_text
from xqdata.readers.base import Reading, Tree
from xqdata.readers.fields import coerce, column_called

_ENDINGS = (".json", ".xml")


class Sidecars:
    """Columns from the keys of a side file; nested keys count by their last part, or go to extra with their path."""

    name = "sidecars"

    def sniff(self, tree: Tree) -> str | None:
        """How many pictures have a side file."""
        pairs = list(_pairs(tree))
        return f"{len(pairs)} pictures have a file of their own name beside them, as {pairs[0][1]}" if pairs else None

    def read(self, tree: Tree) -> Reading:
        """Read every side file."""
        collected = Annotations(tree)
        for picture, path in _pairs(tree):
            collected.sources[path] = "sidecar"
            with collected.row(path, WHOLE):
                _describe(collected, picture, path, dict(_flat(_load(tree, path))))
        return collected.reading()


def _pairs(tree: Tree) -> Iterator[tuple[str, str]]:
    there = set(tree.paths)
    for picture in tree.pictures:
        for ending in _ENDINGS:
            for path in (f"{picture}{ending}", str(PurePosixPath(picture).with_suffix(ending))):
                if path in there and not _is_annotation(tree, path):
                    yield picture, path
                    break


def _is_annotation(tree: Tree, path: str) -> bool:
    """True for files that the readers of Pascal VOC, COCO and DvXray understand."""
    try:
        if path.endswith(".xml"):
            return "<annotation" in read_text(tree, path)
        document = load_json(tree, path)
    except ValueError:
        return False
    return isinstance(document, dict) and ("annotations" in document or "objects" in document)


def _load(tree: Tree, path: str) -> Any:
    if path.endswith(".json"):
        document = load_json(tree, path)
        if not isinstance(document, dict):
            raise ValueError(f"holds a {type(document).__name__}, not keys and values")
        return document
    try:
        return _from_xml(ElementTree.fromstring(read_text(tree, path)))
    except ElementTree.ParseError as error:
        raise ValueError(f"is not well-formed XML ({error})") from error


def _from_xml(element: ElementTree.Element) -> Any:
    children: dict[str, Any] = dict(element.attrib)
    for child in element:
        children[child.tag] = _from_xml(child)
    return children or (element.text or "").strip()


def _flat(document: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        elif value not in (None, ""):
            yield f"{before}{key}", value


def _describe(collected: Annotations, picture: str, path: str, told: dict[str, Any]) -> None:
    for key, value in told.items():
        column = column_called(key.rsplit(".", 1)[-1])
        with collected.row(path, key):
            if column in schema.IMAGES.names:
                coerce(column, value)
            collected.fields[picture].setdefault(column or key, value)
