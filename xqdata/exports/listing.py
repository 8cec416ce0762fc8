"""images.csv: a row for each picture, which `xqdata ingest` and `xqdata audit --split-file` read."""

from __future__ import annotations

import csv
import io

from xqdata.exports.columns import written
from xqdata.exports.format import Export

LISTING = "images.csv"


def save_listing(export: Export) -> str:
    """Write images.csv: the file, its part and group where there is a split, what is told of it, and checksums."""
    export.save(LISTING, listing(export))
    return LISTING


def listing(export: Export) -> str:
    """The text of images.csv."""
    told = export.selection.columns.names
    split = ["split", "group"] if export.selection.split else []
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["file", *split, *told, "sha256", "source_sha256"])
    for image in export.images:
        item = image.item
        cells = [written(name, item.told[name], item.extra) for name in told]
        mine = [item.part, item.group] if split else []
        out.writerow([image.written.file, *mine, *cells, image.written.sha256, item.sha256])
    return text.getvalue()
