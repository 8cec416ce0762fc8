"""What a format is: it says where each picture goes, and writes what tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from xqdata.exports.pictures import Place, Written
from xqdata.exports.selection import Item, Selection


@dataclass(frozen=True)
class Exported:
    """One image in the export: what it is, and the picture that was written."""

    item: Item
    written: Written


@dataclass
class Export:
    """An export that is being made in `folder`; its images in the order of their ids.

    `usage`: how it is loaded, a line of code with {folder} and {part}. `notes`: lines for the person at the terminal.
    """

    folder: Path
    selection: Selection
    usage: str
    images: list[Exported] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, part: str | None) -> list[Exported]:
        """The images of one part."""
        return [image for image in self.images if image.item.part == part]

    @property
    def parts(self) -> Sequence[str | None]:
        """The parts; only None where there are none."""
        return self.selection.parts or (None,)

    @property
    def boxes(self) -> int:
        """How many boxes its images have."""
        return sum(len(image.item.boxes) for image in self.images)

    def save(self, path: str, text: str) -> None:
        """Write `text` to the file `path` below the folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


class Format(Protocol):
    """One format.

    `kinds`: formats of pictures that its readers read. `deep`: they keep more than 8 bits per value. `usage`: how it is
    loaded, as in Export.
    """

    name: str
    kinds: tuple[str, ...]
    deep: bool
    usage: str

    def places(self, selection: Selection) -> list[Place]:
        """Where the picture of each image goes; images that the format has no place for are taken out of `selection`
        first.
        """

    def finish(self, export: Export) -> None:
        """Write all that is not a picture."""
