"""YOLO: for detection where there are boxes, else for classification."""

from __future__ import annotations

import math
from collections.abc import Sequence

import yaml

from xqdata.exports.coco import in_order, part_places
from xqdata.exports.format import Export
from xqdata.exports.imagefolder import class_places, complete_classes, leave_out_unnamed
from xqdata.exports.listing import save_listing
from xqdata.exports.naming import folder_names
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Drawn, Item, Selection
from xqdata.exports.table import PICTURES
from xqdata.words import several

_LABELS = "labels"
# Ultralytics wants a part, if there is only one.
_ONLY_PART = "train"


class Yolo:
    """With boxes: images/PART/ID, labels/PART/ID.txt and dataset.yaml. Without any: PART/OBJECT/ID.

    A picture without boxes is, to YOLO, one that shows nothing. So of a selection with boxes, pictures that are said to
    show something, and have no box for it, are left out.
    """

    name = "yolo"
    kinds = USUAL
    deep = False
    usage = "yolo detect train data={folder}/dataset.yaml"

    def places(self, selection: Selection) -> list[Place]:
        """Where each picture goes, by the task."""
        if not _detects(selection.items):
            leave_out_unnamed(selection)
            return class_places(selection, _ONLY_PART)
        selection.leave_out("with objects that have no box", lambda item: bool(item.objects) and not item.boxes)
        return part_places(selection, PICTURES)

    def finish(self, export: Export) -> None:
        """Write the labels, the names of the classes, and images.csv."""
        save_listing(export)
        items = [image.item for image in export.images]
        if not _detects(items):
            export.notes.append("no image has a box: the folders are those of YOLO's classification")
            export.usage = "yolo classify train data={folder}"
            complete_classes(export)
            return
        names = in_order(box.label for item in items for box in item.boxes)
        numbers = {name: number for number, name in enumerate(names)}
        for image in export.images:
            rows = [_row(numbers[box.label], box, image.item.size) for box in image.item.boxes]
            label = image.written.file.rpartition(".")[0].replace(PICTURES, _LABELS, 1)
            export.save(f"{label}.txt", "".join(rows))
        export.save("dataset.yaml", _yaml(export, names))
        bare = sum(not item.boxes for item in items)
        if bare:
            export.notes.append(several(bare, "image", "images") + " without object and box: exported as background")


def _detects(items: list[Item]) -> bool:
    return any(item.boxes for item in items)


def _row(number: int, box: Drawn, size: tuple[int, int]) -> str:
    """Class, centre x and y, width, height as shares of the picture; what reaches beyond it is cut off."""
    left, right = (min(max(edge / size[0], 0.0), 1.0) for edge in (box.x, box.x + box.width))
    top, bottom = (min(max(edge / size[1], 0.0), 1.0) for edge in (box.y, box.y + box.height))
    shares = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return f"{number} {' '.join(f'{share:.9f}' for share in shares)}\n"


def _yaml(export: Export, names: list[str]) -> str:
    """`dataset.yaml`: where the parts lie, and the classes by number."""
    parts = folder_names(export.selection.parts)
    named = {part: f"{PICTURES}/{parts[part]}" for part in export.selection.parts} or {_ONLY_PART: PICTURES}
    if "val" not in named:
        export.notes.append("there is no part val: Ultralytics wants one in dataset.yaml")
    return dumped(named, names)


def dumped(parts: dict[str, str], names: Sequence[str]) -> str:
    """Parts and classes as YAML, in which a class called `no`, `007` or `a: b` stays a text of one line."""
    # Unicode's own line breaks would be written as they are, and read as blanks.
    readable = all(name.isprintable() for name in names)
    document = {**parts, "names": dict(enumerate(names))}
    text: str = yaml.safe_dump(document, allow_unicode=readable, sort_keys=False, width=math.inf)
    return text
