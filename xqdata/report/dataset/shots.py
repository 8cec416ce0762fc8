"""Small pictures of images, as far as the raw folders are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from xqdata import scans
from xqdata.errors import InputError
from xqdata.report import page
from xqdata.report.dataset.material import Material
from xqdata.scans import Scan


class Shots:
    """Pictures by image_id. `shown`, `absent`: how many could be made, and how many could not."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.shown = 0
        self.absent = 0
        self.scans = _located(material)

    def picture(self, image: str, side: int, quality: int = 70) -> str | None:
        """At most `side` pixels, as a data address; None where the file is gone, has changed, or cannot be read."""
        made = page.thumbnail(self.scans[image], side, quality) if image in self.scans else None
        self.shown += made is not None
        self.absent += made is None
        return made

    def figure(self, image: str, side: int = 200, note: str = "") -> dict[str, Any]:
        """A picture with its caption; an image of another ingest has none of either."""
        row = self.material.rows.get(image, {})
        made = row.get("acquired_at")
        return {
            "picture": self.picture(image, side),
            "label": self.material.label(image),
            "scan_type": self.material.scan_type_name(str(row["scan_type"])) if row.get("scan_type") else "",
            "path": f"{row.get('path', image)}" + (f" (page {row['page']})" if row.get("page") else ""),
            "made": f"{made:%Y-%m-%d %H:%M}" if made else "",
            "note": note,
        }


def _located(material: Material) -> Mapping[str, Scan]:
    """The scans of every raw folder that is at hand."""
    found: dict[str, Scan] = {}
    table = material.ingested.select(scans.COLUMNS)
    for root in pc.unique(table["root"]).to_pylist():
        try:
            located = scans.located(material.project, table.filter(pc.equal(table["root"], root)))
        except InputError:  # the page says how many pictures are absent
            continue
        found |= {scan.image_id: scan for scan in located}
    return found
