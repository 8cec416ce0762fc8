"""ImageFolder: the parts train, val and test, and in each a folder for every class, as torchvision uses it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from xqdata.readers.base import Reading, Tree
from xqdata.readers.fields import coerce

_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_OTHER = frozenset("images image imgs img jpegimages labels masks mask annotations annotation photo photos raw".split())


class ImageFolder:
    """Objects from the folders below train, val and test, whatever they are called.

    Folders named after classes that no taxonomy knows cannot be told from folders named after days or bags. Two parts
    with the same folders in them can: that is what this reader asks for, and that the names are no dates or numbers.
    """

    name = "imagefolder"

    def sniff(self, tree: Tree) -> str | None:
        """Which parts share which classes."""
        told = []
        for place, parts in _sets(tree).items():
            shared = sorted(set.intersection(*parts.values()))
            where = f"{place}: " if str(place) != "." else ""
            told.append(
                f"{where}{', '.join(sorted(parts))} hold the same {len(shared)} folders ({', '.join(shared[:3])}, …)"
            )
        return "; ".join(told) or None

    def read(self, tree: Tree) -> Reading:
        """The folder below the part is the object; the part is kept in extra."""
        sets = _sets(tree)
        described = {}
        for folder in _folders(tree):
            above, part, name = _levels(folder)
            if above in sets and name in sets[above].get(part, ()):
                described[folder] = {"object": name, "source_part": _PARTS[part.lower()]}
        pairs = ((path, path.rpartition("/")[0]) for path in tree.pictures)
        return Reading({path: described[folder] for path, folder in pairs if folder in described})


def _sets(tree: Tree) -> dict[PurePosixPath, dict[str, set[str]]]:
    """By place the parts and their classes, where two parts and more share two classes and more."""
    places: dict[PurePosixPath, dict[str, set[str]]] = {}
    for above, part, name in map(_levels, _folders(tree)):
        if part.lower() in _PARTS and _may_be_class(tree, name):
            places.setdefault(above, defaultdict(set))[part].add(name)
    return {p: parts for p, parts in places.items() if len(parts) > 1 and len(set.intersection(*parts.values())) > 1}


def _folders(tree: Tree) -> list[str]:
    """The folders that hold pictures."""
    return sorted({path.rpartition("/")[0] for path in tree.pictures})


def _levels(folder: str) -> tuple[PurePosixPath, str, str]:
    """A folder as the place of the parts, the part, and the name below it; empty where it is not as deep."""
    *above, part, name = ("", "", *PurePosixPath(folder).parts)
    return PurePosixPath(*above), part, name


def _may_be_class(tree: Tree, name: str) -> bool:
    """False for folders that name something else: days and other numbers, channels, scan types, kinds of files."""
    if name.lower() in _OTHER or not any(c.isalpha() for c in name):
        return False
    if tree.taxonomy.find_scan_type(name) or tree.taxonomy.find_factor(name):
        return False
    try:
        coerce("channel", name)
    except ValueError:
        return True
    return False
