"""COMPASS-XP: a folder for each rendering of a scan, one file of one name in each, and a tab-separated `meta.txt`.

The files of one name are one scan. `Photo` holds photographs of the objects; they are no scans.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from xqdata.errors import InputError
from xqdata.readers import sheets
from xqdata.readers.annotations import Annotations
from xqdata.readers.base import Reading, Tree
from xqdata.words import several

_CHANNELS = {"colour": "colour", "color": "colour", "density": "density", "grey": "grey", "gray": "grey",
             "high": "high", "low": "low"}  # fmt: skip
_PHOTO = "photo"
_META = "meta.txt"


class CompassXp:
    """Channels and scans from the folders; class, instance, pose and tray from `meta.txt`."""

    name = "compass_xp"

    def sniff(self, tree: Tree) -> str | None:
        """Which folders of renderings lie side by side."""
        found = _renderings(tree)
        shared = [scan for scan, files in found.items() if len(set(files.values())) > 1]
        metas = list(_metas(tree))
        if not shared and not metas:
            return None
        folders = sorted({PurePosixPath(path).parent.name for files in found.values() for path in files})
        described = f", described by {', '.join(metas)}" if metas else ""
        return f"{len(found)} scans in the folders {', '.join(folders)}{described}"

    def read(self, tree: Tree) -> Reading:
        """Tie the files of one name together and describe them all by their row of `meta.txt`."""
        collected = Annotations(tree)
        scans = _renderings(tree)
        for scan, files in scans.items():
            for path, channel in files.items():
                collected.fields[path] |= {"scan_id": f"{tree.root}/{scan}", "channel": channel}
        for path in _photos(tree, scans):
            collected.sources[path] = "sidecar"
        for path in _metas(tree):
            collected.sources[path] = "annotation"
            _describe(collected, path, scans)
        return collected.reading()


def _renderings(tree: Tree) -> dict[str, dict[str, str]]:
    """By scan (the place of the folders and the name) its files, each with its channel."""
    scans: dict[str, dict[str, str]] = {}
    for path in tree.pictures:
        place = PurePosixPath(path)
        channel = _CHANNELS.get(place.parent.name.lower())
        if channel:
            scans.setdefault(str(place.parent.parent / place.stem), {})[path] = channel
    return scans


def _photos(tree: Tree, scans: Iterable[str]) -> Iterator[str]:
    """The files of the folders of photographs that lie beside folders of renderings."""
    places = {PurePosixPath(scan).parent for scan in scans}
    for path in tree.pictures:
        folder = PurePosixPath(path).parent
        if folder.name.lower() == _PHOTO and folder.parent in places:
            yield path


def _metas(tree: Tree) -> Iterator[str]:
    for path in tree.paths:
        if PurePosixPath(path).name.lower() == _META:
            try:
                if "basename" in sheets.load(tree.locate(path))[0].header:
                    yield path
            except InputError:
                continue


def _describe(collected: Annotations, path: str, scans: dict[str, dict[str, str]]) -> None:
    (sheet,) = sheets.load(collected.tree.locate(path))
    place = PurePosixPath(path).parent
    seen: set[str] = set()
    for row in sheet.rows:
        item = f"row {row.number}"
        with collected.row(path, item):
            if len(row.cells) != len(sheet.header):
                raise ValueError(f"{len(row.cells)} cells under {len(sheet.header)} headings")
            told = dict(zip(sheet.header, (str(c).strip() for c in row.cells), strict=True))
            name = told.pop("basename")
            scan = next((s for n in (name, PurePosixPath(name).stem) if (s := str(place / n)) in scans), None)
            if not name or scan is None:
                raise ValueError(f"no file is called {name!r}")
            if scan in seen:
                raise ValueError(f"{name!r} stands twice")
            seen.add(scan)
            for file in scans[scan]:
                collected.fields[file] |= _fields(told)
    left = [scan for scan in scans if scan not in seen and PurePosixPath(scan).parent == place]
    if left:
        collected.notes.append(f"{path}: {several(len(left), 'scan has', 'scans have')} no row, the first is {left[0]}")


def _fields(told: dict[str, str]) -> dict[str, object]:
    fields: dict[str, object] = {k: v for k, v in told.items() if v and k not in ("class", "instance")}
    label, instance = told.get("class", ""), told.get("instance", "")
    if label:
        fields["object"] = label
    if label and instance:  # a mere number counts within its class anyway
        fields["specimen"] = instance if instance.isdigit() else f"{label}-{instance}"
    return fields
