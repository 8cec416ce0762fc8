"""CSV: all pictures in one folder, and a table."""

from __future__ import annotations

from xqdata.exports.format import Export
from xqdata.exports.listing import save_boxes, save_listing
from xqdata.exports.pictures import USUAL, Place
from xqdata.exports.selection import Selection

PICTURES = "images"


class Table:
    """images/ID, images.csv, and boxes.csv where there are boxes."""

    name = "csv"
    kinds = USUAL
    deep = True
    usage = "pandas.read_csv('{folder}/images.csv')"

    def places(self, selection: Selection) -> list[Place]:
        """All in one folder: the table tells the rest."""
        return [Place(f"{PICTURES}/{item.image_id}") for item in selection.items]

    def finish(self, export: Export) -> None:
        """Write the tables."""
        save_listing(export)
        save_boxes(export)
