"""WebDataset: tar files of samples, each a picture, what is told of it as JSON, and the number of its class."""

from __future__ import annotations

import json
from collections import Counter

from xqdata.exports.columns import plain
from xqdata.exports.format import Export
from xqdata.exports.naming import folder_names
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Item, Selection

# Samples in one tar file: 150 to 500 MB of usual scans, as the format recommends.
SAMPLES = 2000
_WITHOUT_SPLIT = "images"


class WebDataset:
    """PART-000000.tar and so on, and classes.json.

    Samples stand in the order of their ids, which is none of time or class, so that a buffer is enough to shuffle them.
    """

    name = "webdataset"
    kinds = USUAL
    # Its decoders turn every picture to RGB of 8 bits, and clip deeper ones.
    deep = False
    usage = "webdataset.WebDataset('{folder}/{part}-000000.tar', shardshuffle=False)"

    def places(self, selection: Selection) -> list[Place]:
        """The tar file that each sample goes to, and what stands beside its picture."""
        parts, numbers = folder_names(selection.parts), _numbers(selection)
        counts: Counter[str] = Counter()
        found = []
        for item in selection.items:
            name = _WITHOUT_SPLIT if item.part is None else parts[item.part]
            archive = f"{name}-{counts[name] // SAMPLES:06}.tar"
            counts[name] += 1
            found.append(Place(item.image_id, archive, _beside(item, numbers)))
        return found

    def finish(self, export: Export) -> None:
        """Write the classes, in the order of their numbers."""
        export.save("classes.json", json.dumps(export.selection.objects, ensure_ascii=False, indent=1) + "\n")
        bare = sum(image.item.told["object"] is None for image in export.images)
        if bare:
            export.notes.append(f"{bare:,} samples have no .cls, because no single object is known of them")


def _numbers(selection: Selection) -> dict[str, int]:
    return {name: number for number, name in enumerate(selection.objects)}


def _beside(item: Item, numbers: dict[str, int]) -> dict[str, str]:
    told = plain(item.told)
    if item.part is not None:
        told |= {"split": item.part, "group": item.group}
    boxes = [{"label": b.label, "bbox": [b.x, b.y, b.width, b.height]} for b in item.boxes]
    beside = {".json": json.dumps(told | ({"boxes": boxes} if boxes else {}), ensure_ascii=False)}
    name = item.told["object"]
    return beside if name is None else {**beside, ".cls": str(numbers[name])}
