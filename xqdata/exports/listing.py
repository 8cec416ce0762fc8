"""Tables: images.csv, which `xqdata ingest` and `xqdata audit --split-file` read, and boxes.csv."""

from __future__ import annotations

import csv
import io
import re

from xqdata.exports.columns import written
from xqdata.exports.format import Export

# What ingest takes for the end of one name and the beginning of another.
_SEPARATORS = re.compile(r"[;|+]")
LISTING = "images.csv"
BOXES = "boxes.csv"


def save_listing(export: Export) -> None:
    """Write images.csv: the file, its part and group where there is a split, what is told of it, and checksums."""
    told = export.selection.columns.names
    split = ["split", "group"] if export.selection.split else []
    text = io.StringIO(newline="")
    # With its own end of a line, the writer quotes both signs that it consists of.
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(["file", *split, *told, "sha256", "source_sha256"])
    for image in export.images:
        item = image.item
        cells = [written(name, item.told[name], item.extra) for name in told]
        mine = [item.part, item.group] if split else []
        out.writerow([image.written.file, *mine, *cells, image.written.sha256, item.sha256])
    export.save(LISTING, text.getvalue())
    parted = sorted({name for image in export.images for name in image.item.objects if _SEPARATORS.search(name)})
    if parted:
        export.notes.append(f"{parted[0]!r} holds a sign that parts names, so xqdata ingest would read several objects")


def save_boxes(export: Export) -> None:
    """Write boxes.csv, where there are boxes: a row for each, its image by id, edges and sizes in pixels."""
    if not export.boxes:
        return
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\r\n")
    out.writerow(["image_id", "label", "x", "y", "width", "height"])
    for image in export.images:
        out.writerows([image.item.image_id, b.label, b.x, b.y, b.width, b.height] for b in image.item.boxes)
    export.save(BOXES, text.getvalue())
