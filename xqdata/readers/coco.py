"""COCO: a JSON file of images, categories and annotations, boxes as x, y, width, height in pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from xqdata.readers.annotations import Annotations, class_name, ending, load_json, numbers
from xqdata.readers.base import Box, Reading, Tree


class Coco:
    """Boxes and objects from COCO's instances files."""

    name = "coco"

    def sniff(self, tree: Tree) -> str | None:
        """Which files hold images and annotations."""
        found = [path for path, _ in _documents(tree)]
        return f"{', '.join(found[:3])} hold images, annotations and categories" if found else None

    def read(self, tree: Tree) -> Reading:
        """Read every such file; a picture that stands in several gets all of their boxes."""
        collected = Annotations(tree)
        for path, document in _documents(tree):
            collected.sources[path] = "annotation"
            _read(collected, path, document)
        return collected.reading()


def _documents(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in tree.paths:
        if ending(path) == ".json" and _may_be(tree, path):
            try:
                document = load_json(tree, path)
            except ValueError:
                continue
            known = isinstance(document, dict) and isinstance(document.get("images"), list)
            if known and _draws(document.get("annotations")):
                yield path, document


def _draws(annotations: object) -> bool:
    """True for a list of annotations, but not of another kind, such as captions: none has a box or a category."""
    if not isinstance(annotations, list):
        return False
    return not annotations or any(isinstance(a, dict) and ("bbox" in a or "category_id" in a) for a in annotations)


def _may_be(tree: Tree, path: str) -> bool:
    # COCO files reach gigabytes and side files come by the thousand: look before loading.
    try:
        with tree.locate(path).open("rb") as file:
            head = file.read(1 << 16)
            file.seek(max(0, file.seek(0, 2) - (1 << 16)))
            keys = (b'"images"', b'"annotations"', b'"categories"')
            return any(key in head + file.read() for key in keys)
    except OSError:
        return False


def _read(collected: Annotations, path: str, document: dict[str, Any]) -> None:
    names = _names(collected, path, document.get("categories"))
    pictures: dict[Any, str | None] = {}
    for number, image in enumerate(document["images"]):
        with collected.row(path, f"images {number}"):
            _check_keys(image)
            if image["id"] in pictures:
                raise ValueError(f"the id {image['id']!r} stands twice")
            pictures[image["id"]] = None  # known, even if its file is not
            if not isinstance(image["file_name"], str):
                raise ValueError(f"file_name is {image['file_name']!r}, not a text")
            # Files that list one part each are commonly called after it: `instances_train2017.json`.
            pictures[image["id"]] = picture = collected.picture(image["file_name"], path, PurePosixPath(path).stem)
            collected.speaks_of(picture)
    for number, annotation in enumerate(document["annotations"]):
        item = f"annotations {annotation.get('id', number) if isinstance(annotation, dict) else number}"
        with collected.row(path, item):
            _check_keys(annotation)
            if annotation["image_id"] not in pictures:
                raise ValueError(f"there is no image {annotation['image_id']!r}")
            shown = pictures[annotation["image_id"]]
            if shown is None:
                raise ValueError(f"the image {annotation['image_id']!r} has no file")
            if annotation["category_id"] not in names:
                raise ValueError(f"there is no category {annotation['category_id']!r}")
            label = names[annotation["category_id"]]
            x, y, width, height = numbers(annotation["bbox"], ("x", "y", "width", "height"))
            collected.boxes[shown].append(Box(label, x, y, width, height, path, item))
            collected.name_objects(shown, [label])


def _check_keys(entry: object) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"is {entry!r}, not keys and values")


def _names(collected: Annotations, path: str, categories: Any) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for number, category in enumerate(categories if isinstance(categories, list) else []):
        with collected.row(path, f"categories {number}"):
            _check_keys(category)
            names[category["id"]] = class_name(category["name"])
    return names
