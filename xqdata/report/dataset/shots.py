"""Small pictures of images, as far as the raw folders are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from xqdata import scans
from xqdata.errors import InputError
from xqdata.report import page
from xqdata.report.dataset.material import Material


class Shots:
    """Pictures by image_id. `shown`, `absent`: how many could be made, and how many could not."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.shown = 0
        self.absent = 0
        self._locate = scans.locator(material.project)
        self._roots = frozenset(self._standing())

    def _standing(self) -> Iterator[str]:
        """The raw folders that are at hand."""
        table = self.material.ingested.select(scans.COLUMNS)
        for root in pc.unique(table["root"]).to_pylist():
            try:
                self._locate(table.slice(pc.index(table["root"], root).as_py(), 1))
            except InputError:  # the page says how many pictures are absent
                continue
            yield root

    def at_hand(self, image: str) -> bool:
        """Whether the raw folder of an image is where it was."""
        return image in self.material.rows and self.material.rows[image]["root"] in self._roots

    def picture(self, image: str, side: int, quality: int = 70) -> str | None:
        """At most `side` pixels, as a data address; None where the file is gone, has changed, or cannot be read."""
        made = None
        if self.at_hand(image):
            (scan,) = self._locate(self.material.rows.table(image))
            made = page.thumbnail(scan, side, quality)
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
