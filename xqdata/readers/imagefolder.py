"""ImageFolder: the parts train, val and test, and in each a folder for every class, as torchvision uses it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from xqdata.readers.base import Reading, Tree

_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


class ImageFolder:
    """Objects from the folders below train, val and test, whatever they are called.

    Folders named after classes that no taxonomy knows cannot be told from folders named after days or bags. Two parts
    with the same folders in them can: that is what this reader asks for.
    """

    name = "imagefolder"

    def sniff(self, tree: Tree) -> str | None:
        """Which parts share which classes."""
        parts = _parts(tree)
        shared = set.intersection(*parts.values()) if len(parts) > 1 else set()
        if len(shared) < 2:
            return None
        return f"{', '.join(parts)} hold the same {len(shared)} folders ({', '.join(sorted(shared)[:3])}, …)"

    def read(self, tree: Tree) -> Reading:
        """The folder below the part is the object; the part is kept in extra."""
        fields = {}
        for path in tree.pictures:
            below = PurePosixPath(path).parts
            if len(below) == 3 and below[0].lower() in _PARTS:
                fields[path] = {"object": below[1], "source_part": _PARTS[below[0].lower()]}
        return Reading(fields)


def _parts(tree: Tree) -> dict[str, set[str]]:
    parts: dict[str, set[str]] = defaultdict(set)
    for path in tree.pictures:
        below = PurePosixPath(path).parts
        if len(below) == 3 and below[0].lower() in _PARTS:
            parts[below[0]].add(below[1])
    return parts
