"""Pascal VOC: an XML file for each picture, with `object` elements and their corners in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from xml.etree import ElementTree

from xqdata.readers.annotations import WHOLE, Annotations, corners, ending, read_text
from xqdata.readers.base import Reading, Tree


class Voc:
    """Boxes and objects from Pascal VOC's XML files, as SIXray and PIDray have them."""

    name = "voc"

    def sniff(self, tree: Tree) -> str | None:
        """How many XML files are annotations."""
        found = list(_annotations(tree))
        return f"{len(found)} XML files are annotations, as {found[0]}" if found else None

    def read(self, tree: Tree) -> Reading:
        """Read every annotation; it belongs to the picture it names, else to the one that bears its own name."""
        collected = Annotations(tree)
        for path in _annotations(tree):
            collected.sources[path] = "annotation"
            with collected.row(path, WHOLE):
                _read(collected, path)
        return collected.reading()


def _annotations(tree: Tree) -> Iterator[str]:
    for path in tree.paths:
        if ending(path) == ".xml":
            try:
                if "<annotation" in read_text(tree, path):
                    yield path
            except ValueError:
                continue


def _read(collected: Annotations, path: str) -> None:
    try:
        root = ElementTree.fromstring(read_text(collected.tree, path))
    except ElementTree.ParseError as error:
        raise ValueError(f"is not well-formed XML ({error})") from error
    picture = _picture(collected, root.findtext("filename") or "", path)
    for number, element in enumerate(root.iter("object"), start=1):
        item = f"object {number}"
        with collected.row(path, item):
            label = (element.findtext("name") or "").strip()
            if not label:
                raise ValueError("it has no name")
            edges = [element.findtext(f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
            collected.boxes[picture].append(corners(label, edges, path, item))
            collected.name_objects(picture, [label])


def _picture(collected: Annotations, name: str, path: str) -> str:
    # Many programs write the name of the picture that was annotated first into all of its copies: a picture that bears
    # the annotation's own name is the one that is meant.
    own = PurePosixPath(path).stem
    if PurePosixPath(name).stem != own and len(collected.files.find(own, path)) == 1:
        return collected.files.find(own, path)[0]
    return collected.picture(name or own, path)
