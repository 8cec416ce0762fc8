"""A JSON or XML file beside each picture, of the same name: `0582.json` or `0582.png.json` for `0582.png`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from xml.etree import ElementTree

from xqdata import schema
from xqdata.readers import voc
from xqdata.readers.annotations import WHOLE, Annotations, ending, load_json, load_xml
from xqdata.readers.base import Reading, Tree
from xqdata.readers.fields import LISTS, coerce, column_called, moment
from xqdata.words import several

_ENDINGS = (".json", ".xml")
# Far below Python's own limit, which depends on who calls.
_DEEPEST = 100


class Sidecars:
    """Columns from the keys of a side file; nested keys count by their last part, or go to extra with their path."""

    name = "sidecars"

    def sniff(self, tree: Tree) -> str | None:
        """How many pictures have a side file."""
        pairs = _pairs(tree)
        count = len({picture for picture, _ in pairs})
        one, many = "picture has a file of its own name beside it", "pictures have a file of their own name beside them"
        found = several(count, one, many)
        return f"{found}, as {pairs[0][1]}" if pairs else None

    def read(self, tree: Tree) -> Reading:
        """Read every side file."""
        collected = Annotations(tree)
        for picture, path in _pairs(tree):
            collected.sources[path] = "sidecar"
            with collected.row(path, WHOLE):
                _describe(collected, picture, path, _load(tree, path))
        return collected.reading()


def _pairs(tree: Tree) -> list[tuple[str, str]]:
    """Pictures and their side files; of one picture the file first whose name is the closest to its own."""
    if "sidecars" not in tree.memo:
        side = (path for path in tree.paths if ending(path) in _ENDINGS)
        there = {_lowered(path): path for path in side if not _is_annotation(tree, path)}
        tree.memo["sidecars"] = [
            (picture, there[whole + suffix])
            for picture in tree.pictures
            for whole in dict.fromkeys((picture, str(PurePosixPath(picture).with_suffix(""))))
            for suffix in _ENDINGS
            if whole + suffix in there
        ]
    pairs: list[tuple[str, str]] = tree.memo["sidecars"]
    return pairs


def _lowered(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(ending(path)))


def _is_annotation(tree: Tree, path: str) -> bool:
    """True for files that the readers of Pascal VOC and COCO understand."""
    if ending(path) == ".xml":
        return voc.is_annotation(tree, path)
    try:
        document = load_json(tree, path)
    except ValueError:
        return False
    return isinstance(document, dict) and all(isinstance(document.get(k), list) for k in ("images", "annotations"))


def _load(tree: Tree, path: str) -> dict[str, Any]:
    document = load_json(tree, path) if ending(path) == ".json" else _from_xml(load_xml(tree, path))
    if not isinstance(document, dict):
        raise ValueError(f"holds a {type(document).__name__}, not keys and values")
    return document


def _from_xml(element: ElementTree.Element, depth: int = 0) -> Any:
    """An element as text, or as a dictionary: attributes, children (a list where several bear one tag), and text."""
    if depth > _DEEPEST:
        raise ValueError("is nested too deeply")
    children: dict[str, Any] = dict(element.attrib)
    found: dict[str, list[Any]] = {}
    for child in element:
        found.setdefault(str(child.tag), []).append(_from_xml(child, depth + 1))
    children |= {tag: values[0] if len(values) == 1 else values for tag, values in found.items()}
    text = (element.text or "").strip()
    return {**children, **({"": text} if text else {})} if children else text


def _flat(document: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(before) > _DEEPEST:
        raise ValueError("is nested too deeply")
    for key, value in document.items():
        parts = (*before, key) if key else before  # no key: the text of an element that has attributes
        if isinstance(value, dict):
            yield from _flat(value, parts)
        elif isinstance(value, float) and not math.isfinite(value):
            yield parts, str(value)
        elif value not in (None, "", []):
            yield parts, value


def _describe(collected: Annotations, picture: str, path: str, document: dict[str, Any]) -> None:
    fields = collected.fields[picture]
    for parts, value in list(_flat(document)):
        key = ".".join(parts)
        column = column_called(parts[-1] if parts else "") or key
        if column in fields and fields[column] != value:  # said already, by a closer file or another key: kept apart
            column = f"{key} ({PurePosixPath(path).name})" if key in (*fields, *schema.IMAGES.names) else key
        with collected.row(path, key or WHOLE):
            try:
                _check(column, value)
            except ValueError:
                fields.setdefault(f"{key}_as_written", value)
                raise
            fields.setdefault(column, value)


def _check(column: str, value: Any) -> None:
    """Raise ValueError if `column` cannot hold `value`."""
    several = isinstance(value, list)
    if column in ("object", "specimen", *LISTS):
        if several and not all(isinstance(each, str | int) for each in value):
            raise ValueError("is not a list of names")
    elif several and (column in schema.IMAGES.names or column in ("date", "time")):
        raise ValueError(f"holds {len(value)} values, not one")
    if column in schema.IMAGES.names:
        coerce(column, value)
    elif column == "date":
        moment(value)
