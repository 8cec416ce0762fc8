"""ImageFolder: PART/OBJECT/picture, as torchvision and many others read it."""

from __future__ import annotations

from xqdata.exports.format import Export
from xqdata.exports.listing import save_listing
from xqdata.exports.naming import folder_names
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Item, Selection

# Names in a line; the others are counted.
_SHOWN = 5


class ImageFolder:
    """A folder for each part, in it one for each object; images.csv beside them holds what folders cannot tell."""

    name = "imagefolder"
    kinds = USUAL
    # Its loader turns every picture to RGB of 8 bits, and clips deeper ones.
    deep = False
    usage = "torchvision.datasets.ImageFolder('{folder}/{part}')"

    def places(self, selection: Selection) -> list[Place]:
        """PART/OBJECT/ID. Images that do not have exactly one object have no folder."""
        leave_out_unnamed(selection)
        return class_places(selection)

    def finish(self, export: Export) -> None:
        """Write images.csv, and the folders of classes that a part lacks."""
        save_listing(export)
        complete_classes(export)
        if export.boxes:
            export.notes.append("boxes are not in it: folders have no place for them")


def leave_out_unnamed(selection: Selection) -> None:
    """Take out what no folder of one class can hold."""
    selection.leave_out("without an object", lambda item: not item.objects)
    selection.leave_out("with several objects", lambda item: item.told["object"] is None)


def class_places(selection: Selection, without_split: str = "") -> list[Place]:
    """PART/OBJECT/ID for each image; `without_split`: the part's folder where there are no parts."""
    parts, objects = folder_names(selection.parts), folder_names(selection.objects)

    def place(item: Item) -> Place:
        part = without_split if item.part is None else parts[item.part]
        return Place("/".join(filter(None, (part, objects[item.told["object"]], item.image_id))))

    return [place(item) for item in selection.items]


def complete_classes(export: Export) -> None:
    """Make the folders of classes that a part lacks.

    Readers number the classes by the folders they see: without it, class 3 of one part would be another one's class 2,
    and nothing would tell.
    """
    parts, objects = folder_names(export.selection.parts), folder_names(export.selection.objects)
    for part in export.selection.parts:
        there = {image.item.told["object"] for image in export.of(part)}
        lacking = [name for name in export.selection.objects if name not in there]
        for name in lacking:
            (export.folder / parts[part] / objects[name]).mkdir(parents=True)
        if len(lacking) == len(export.selection.objects):
            export.notes.append(f"{part} has no picture")
        elif lacking:
            export.notes.append(
                f"{part} has no picture of {_some(lacking)}: their folders are there and empty, so that classes "
                "have the same numbers in all parts; ImageFolder wants allow_empty=True for it"
            )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN:,} more"
