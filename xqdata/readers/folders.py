"""Folders that carry meaning: `raw/OBJECT/SCAN_TYPE/…/file`, in any order, recognised through the taxonomy."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from pathlib import PurePosixPath

from xqdata.readers.base import Fields, Reading, Tree
from xqdata.readers.fields import coerce
from xqdata.words import several

# A level of folders speaks of objects when at least this share of its folders bear known names. The others on that
# level are not objects for that, but a person wants to know of them.
_LEVEL_SHARE = 0.5
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


class Folders:
    """Object, scan type, its factors and the channel from the names of folders, the raw folder's own name included."""

    name = "folders"

    def sniff(self, tree: Tree) -> str | None:
        """How many known names the folders bear."""
        parts = {part for path in tree.pictures for part in _parts(tree, path)}
        objects = sorted(p for p in parts if tree.taxonomy.find_object(p))
        scans = sorted(p for p in parts if tree.taxonomy.find_scan_type(p))
        factors = sorted(p for p in parts if _factor(tree, p))
        told = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for what, names in (("object", objects), ("scan type", scans), ("other", factors))
            if names
        ]
        return f"known words among the folder names: {'; '.join(told)}" if told else None

    def read(self, tree: Tree) -> Reading:
        """Describe every picture by its folders."""
        levels = _object_levels(tree)
        describe = lru_cache(maxsize=4096)(lambda folder: _describe(tree, folder, levels))
        described = {path: describe(str(PurePosixPath(path).parent)) for path in tree.pictures}
        beside = Counter(str(f["folder_beside_objects"]) for f in described.values() if "folder_beside_objects" in f)
        told = ", ".join(f"{folder} ({several(count, 'scan', 'scans')})" for folder, count in sorted(beside.items()))
        note = f"folders beside known objects that the taxonomy does not know: {told}"
        return Reading({p: fields for p, fields in described.items() if fields}, notes=[note] if beside else [])


def _parts(tree: Tree, path: str) -> tuple[str, ...]:
    return (tree.location.name, *PurePosixPath(path).parent.parts)


def _object_levels(tree: Tree) -> set[int]:
    names: dict[int, set[str]] = defaultdict(set)
    for path in tree.pictures:
        for level, part in enumerate(_parts(tree, path)):
            names[level].add(part)
    share = {n: sum(tree.taxonomy.find_object(p) is not None for p in parts) / len(parts) for n, parts in names.items()}
    return {n for n, known in share.items() if known >= _LEVEL_SHARE}


def _describe(tree: Tree, folder: str, levels: set[int]) -> Fields:
    parts = (tree.location.name, *PurePosixPath(folder).parts)
    fields: dict[str, object] = {}
    for part in parts:
        fields |= _factor(tree, part) or {}
    scans = {name for part in parts if (name := tree.taxonomy.find_scan_type(part))}
    objects = {name for part in parts if (name := tree.taxonomy.find_object(part))}
    unknown = [parts[n] for n in levels if n < len(parts) and not _is_word(tree, parts[n])]
    _one_or_all(fields, "scan_type", sorted(scans))
    _one_or_all(fields, "object", sorted(objects))
    if unknown and not objects:
        fields["folder_beside_objects"] = unknown[0]
    return fields


def _one_or_all(fields: dict[str, object], column: str, names: list[str]) -> None:
    if len(names) == 1:
        fields[column] = names[0]
    elif names:
        fields[f"folder_{column}s"] = names  # two folders, two names: which one holds is not ours to say


def _is_word(tree: Tree, part: str) -> bool:
    return bool(tree.taxonomy.find_scan_type(part) or _factor(tree, part))


def _factor(tree: Tree, part: str) -> dict[str, object] | None:
    found = tree.taxonomy.find_factor(part)
    if found:
        return {found[0]: found[1]}
    if part.lower() in _PARTS:
        return {"source_part": _PARTS[part.lower()]}
    try:
        return {"channel": coerce("channel", part)}
    except ValueError:
        return None
