"""The files below a raw folder, each once, with what can be said before opening it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqdata import paths
from xqdata.errors import InputError

# Written by operating systems and file managers, never by a scanner.
IGNORED = (
    ".DS_Store",
    "Thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "._*",
    "*.tmp",
    "*~",
    "~$*",
    ".gitkeep",
    ".gitignore",
)


@dataclass(frozen=True)
class Found:
    """A regular file: its spelling in the tables, size in bytes and modification time in ns."""

    path: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class Refused:
    """Something that is not opened: why, as in the table `rejects`."""

    path: str
    reason: str
    message: str
    bytes: int | None = None


@dataclass(frozen=True)
class Listing:
    """What lies below a raw folder, both sorted by path."""

    files: list[Found]
    refused: list[Refused]


def walk(root: Path, ignore: Sequence[str] = (), without: Collection[Path] = ()) -> Listing:
    """List `root`, an absolute path without links. Links are not followed: what they lead to is listed itself, or lies
    outside. `ignore`: glob patterns on the name or the whole relative path. `without`: folders and files of the project
    itself, which are no part of the raw data. Raises InputError if `root` cannot be listed.
    """
    patterns = (*IGNORED, *ignore)
    listing = Listing([], [])
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise InputError(f"cannot be listed ({error.strerror})", where=str(root)) from error
    for entry in _entries(root, root, without, listing.refused):
        relative = str(Path(entry.path).relative_to(root))
        found = _look(entry, relative, root, patterns)
        (listing.files if isinstance(found, Found) else listing.refused).append(found)  # type: ignore[arg-type]
    listing.files.sort(key=lambda f: f.path)
    listing.refused.sort(key=lambda r: r.path)
    return listing


def _entries(folder: Path, root: Path, without: Collection[Path], refused: list[Refused]) -> Iterator[os.DirEntry[str]]:
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as scan:
                entries = list(scan)
        except OSError as error:
            spelled = paths.spell(str(current.relative_to(root)))
            refused.append(Refused(spelled, "unreadable", f"the folder cannot be listed ({error.strerror})"))
            continue
        for entry in entries:
            if Path(entry.path) in without:
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                yield entry


def _look(entry: os.DirEntry[str], relative: str, root: Path, patterns: Sequence[str]) -> Found | Refused:
    path = paths.spell(relative)
    try:
        info = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return Refused(path, "vanished", "gone before it could be looked at")
    except OSError as error:
        return Refused(path, "unreadable", f"{error.strerror}")
    if stat.S_ISLNK(info.st_mode):
        return _link(Path(entry.path), path, root)
    if not stat.S_ISREG(info.st_mode):
        return Refused(path, "unsupported", "neither a file nor a folder (a pipe, a socket or a device)")
    for pattern in patterns:
        if paths.matches(path, pattern):
            return Refused(path, "ignored", f"its name matches {pattern}", info.st_size)
    return Found(path, info.st_size, info.st_mtime_ns)


def _link(link: Path, path: str, root: Path) -> Refused:
    try:
        target = link.resolve(strict=True)
    except FileNotFoundError:
        return Refused(path, "vanished", "a link to a file that is not there")
    except RuntimeError:  # how Python 3.11 and 3.12 tell of a loop
        return Refused(path, "unreadable", "a link that leads back to itself")
    except OSError as error:
        looped = error.errno == errno.ELOOP
        told = "a link that leads back to itself" if looped else f"a link that cannot be followed ({error.strerror})"
        return Refused(path, "unreadable", told)
    if not target.is_relative_to(root):
        return Refused(path, "outside_root", "a link that leaves the raw folder: ingest that folder by itself")
    inner = paths.spell(str(target.relative_to(root)))
    return Refused(path, "ignored", f"a link to {inner}, which stands for itself")
