"""Pascal VOC: an XML file for each picture, with `object` elements and their corners in pixels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from xqdata.readers.annotations import WHOLE, Annotations, class_name, corners, ending, load_xml, read_text
from xqdata.readers.base import Reading, Tree

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FIRST = re.compile(r"<([A-Za-z_][\w.-]*:)?(\w+)")
_PICTURES = "jpegimages"
_MASKS = ("segmentationclass", "segmentationobject")
_EDGES = ("xmin", "ymin", "xmax", "ymax")


class Voc:
    """Boxes and objects from Pascal VOC's XML files, as SIXray has them."""

    name = "voc"

    def sniff(self, tree: Tree) -> str | None:
        """How many XML files are annotations."""
        found = list(_annotations(tree))
        return f"{len(found)} XML files are annotations, as {found[0]}" if found else None

    def read(self, tree: Tree) -> Reading:
        """Read every annotation; it belongs to the picture it names, else to the one that bears its own name."""
        masks = frozenset(_masks(tree))
        collected = Annotations(tree, masks)
        collected.sources.update(dict.fromkeys(masks, "sidecar"))
        for path in _annotations(tree):
            collected.sources[path] = "annotation"
            with collected.row(path, WHOLE):
                _read(collected, path)
        return collected.reading()


def is_annotation(tree: Tree, path: str) -> bool:
    """True if the first element of the file is an `annotation`, be the file whole or not."""
    try:
        first = _FIRST.search(_COMMENT.sub("", read_text(tree, path)))
    except ValueError:
        return False
    return first is not None and first[2] == "annotation"


def _annotations(tree: Tree) -> Iterator[str]:
    return (path for path in tree.paths if ending(path) == ".xml" and is_annotation(tree, path))


def _masks(tree: Tree) -> Iterator[str]:
    """The pictures of objects' outlines, which lie beside the folder of pictures and bear the same names."""
    folders = {path: PurePosixPath(path).parent for path in tree.pictures}
    places = {folder.parent for folder in folders.values() if folder.name.lower() == _PICTURES}
    return (p for p, folder in folders.items() if folder.name.lower() in _MASKS and folder.parent in places)


def _read(collected: Annotations, path: str) -> None:
    root = load_xml(collected.tree, path)
    picture = _picture(collected, (root.findtext("filename") or "").strip(), path)
    collected.speaks_of(picture)
    for number, element in enumerate(root.iter("object"), start=1):
        item = f"object {number}"
        with collected.row(path, item):
            label = class_name(element.findtext("name"))
            edges = [element.findtext(f"bndbox/{edge}") for edge in _EDGES]
            collected.boxes[picture].append(corners(label, edges, path, item, _EDGES))
            collected.name_objects(picture, [label])


def _picture(collected: Annotations, name: str, path: str) -> str:
    # Many programs write the name of the picture that was annotated first into all of its copies: a picture that bears
    # the annotation's own name is the one that is meant.
    own, files = PurePosixPath(path).stem, collected.files
    same = PurePosixPath(name.replace("\\", "/")).stem == own and files.find(name, path)
    return collected.picture(own if not same and files.find(own, path) else name or own, path)
