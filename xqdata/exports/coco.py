"""COCO: pictures by part, and for each part a JSON file of images, categories and boxes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from xqdata.exports.columns import plain
from xqdata.exports.format import Export, Exported
from xqdata.exports.listing import save_listing
from xqdata.exports.naming import folder_names
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Selection
from xqdata.exports.table import PICTURES
from xqdata.words import several


class Coco:
    """images/PART/ID, annotations/instances_PART.json, and images.csv.

    An annotation is a box that an export brought along; none is made up. What is known of a whole picture (`object`,
    `scan_type`, …) stands in its entry under `images`.
    """

    name = "coco"
    kinds = USUAL
    deep = False
    usage = "pycocotools.coco.COCO('{folder}/annotations/instances_{part}.json')"

    def places(self, selection: Selection) -> list[Place]:
        """images/PART/ID, or images/ID."""
        return part_places(selection, PICTURES)

    def finish(self, export: Export) -> None:
        """Write a file for each part; ids of images and boxes are unique over all of them."""
        save_listing(export)
        parts = folder_names(export.selection.parts)
        numbers = {image.item.image_id: number for number, image in enumerate(export.images, start=1)}
        categories = {name: number for number, name in enumerate(_categories(export), start=1)}
        licences = {name: number for number, name in enumerate(_licences(export), start=1)}
        first = 1
        for part in export.parts:
            images = export.of(part)
            drawn = _annotations(images, numbers, categories, first)
            first += len(drawn)
            document = {
                "info": {"description": "exported by xqdata", "version": "1.0"},
                "licenses": [{"id": number, "name": name} for name, number in licences.items()],
                "images": [_image(image, numbers[image.item.image_id], licences) for image in images],
                "annotations": drawn,
                "categories": [{"id": n, "name": name, "supercategory": ""} for name, n in categories.items()],
            }
            name = "instances" if part is None else f"instances_{parts[part]}"
            export.save(f"annotations/{name}.json", json.dumps(document, ensure_ascii=False, indent=1) + "\n")
        _tell(export)


def part_places(selection: Selection, above: str) -> list[Place]:
    """ABOVE/PART/ID, or ABOVE/ID where there are no parts."""
    parts = folder_names(selection.parts)
    return [
        Place("/".join(filter(None, (above, "" if item.part is None else parts[item.part], item.image_id))))
        for item in selection.items
    ]


def _categories(export: Export) -> list[str]:
    """Labels of boxes, and objects."""
    items = [image.item for image in export.images]
    return in_order({box.label for item in items for box in item.boxes} | {name for i in items for name in i.objects})


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once: numbers as numbers, then others by letter."""
    return sorted(set(names), key=lambda name: (not name.isdecimal(), len(name) if name.isdecimal() else 0, name))


def _licences(export: Export) -> list[str]:
    return sorted({image.item.told["licence"] for image in export.images} - {None})


def _image(image: Exported, number: int, licences: dict[str, int]) -> dict[str, Any]:
    width, height = image.item.size
    file = image.written.file.rpartition("/")[2]
    entry = {"id": number, "file_name": file, "width": width, "height": height, **plain(image.item.told)}
    licence = entry.pop("licence", None)
    return entry if licence is None else entry | {"license": licences[licence]}


def _annotations(
    images: Sequence[Exported], numbers: dict[str, int], categories: dict[str, int], first: int
) -> list[dict[str, Any]]:
    drawn = [(numbers[image.item.image_id], box) for image in images for box in image.item.boxes]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": categories[box.label],
            "bbox": [box.x, box.y, box.width, box.height],
            "area": box.width * box.height,
            "segmentation": [],
            "iscrowd": 0,
        }
        for number, (image, box) in enumerate(drawn, start=first)
    ]


def _tell(export: Export) -> None:
    bare = sum(not image.item.boxes for image in export.images)
    if bare == len(export.images):
        export.notes.append("no image has a box: annotations are empty, and images tell their object themselves")
    elif bare:
        export.notes.append(
            f"{several(bare, 'image has', 'images have')} no box: a detector takes such for empty, whatever they show"
        )
