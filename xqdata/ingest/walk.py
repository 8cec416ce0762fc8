"""The files below a raw folder, each once, with what can be said before opening it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from xqdata import paths, remote
from xqdata.crawl import Crawl
from xqdata.errors import InputError
from xqdata.paths import Globs
from xqdata.remote import Address, Copies, Location, Stored

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


# So many folders of this machine are listed at once: on its disk more threads only wait for each other.
_THREADS = 4
UNLISTED = "the folder cannot be listed"
_PAGE = 1000  # files of a folder that are passed on together


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file: its spelling in the tables, size in bytes and modification time in ns.

    At an address: as the listing tells, which may tell no time (None), and `tag`, its word for the bytes.
    """

    path: str
    bytes: int
    mtime_ns: int | None
    tag: str = ""


@dataclass(frozen=True, slots=True)
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


Page = tuple[list[str], list[Found | Refused]]


def walk(root: Location, ignore: Sequence[str] = (), without: Collection[Path] = ()) -> Listing:
    """List `root`; see `crawl`."""
    with crawl(root, ignore, without) as found:
        return listing(found)


def crawl(root: Location, ignore: Sequence[str] = (), without: Collection[Path] = ()) -> Crawl[str, Found | Refused]:
    """Begin to list `root`, an absolute path without links or an address. Links are not followed: what they lead to is
    listed itself, or lies outside. `ignore`: glob patterns on the name or the whole relative path. `without`: folders
    and files of the project itself, which are no part of the raw data. Raises InputError if `root` cannot be listed.
    """
    globs = Globs((*IGNORED, *ignore))
    if isinstance(root, Address):
        remote.check_folder(root)
        return Crawl(partial(_remote, root, globs), "", remote.THREADS)
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise InputError(f"cannot be listed ({error.strerror})", where=str(root)) from error
    return Crawl(partial(_local, root, globs, {str(path) for path in without}), "", _THREADS)


def listing(found: Crawl[str, Found | Refused]) -> Listing:
    """The whole listing, when it is complete."""
    found.wait()
    files = [one for one in found.items if isinstance(one, Found)]
    refused = [one for one in found.items if isinstance(one, Refused)]
    return Listing(sorted(files, key=lambda f: f.path), sorted(refused, key=lambda r: r.path))


def copies(root: Location, folder: Path, files: Sequence[Found]) -> Copies | None:
    """What makes local copies in `folder` of the listed `files`, where they lie at an address."""
    if isinstance(root, Path):
        return None
    return Copies(root, folder, [(f.path, f.bytes, f.mtime_ns, f.tag) for f in files])


def _local(root: Path, globs: Globs, without: Collection[str], folder: str) -> Iterator[Page]:
    """Pages of one folder; `folder` is relative to `root` and ends with a slash, or is empty."""
    try:
        with os.scandir(root / folder) as scan:
            while entries := list(islice(scan, _PAGE)):
                yield _page(root, globs, without, folder, entries)
    except OSError as error:
        spelled = paths.spell(folder.removesuffix("/"))
        yield [], [Refused(spelled, "unreadable", f"{UNLISTED} ({error.strerror})")]


def _page(root: Path, globs: Globs, without: Collection[str], folder: str, entries: Sequence[os.DirEntry[str]]) -> Page:
    below: list[str] = []
    items: list[Found | Refused] = []
    for entry in entries:
        if entry.path in without:
            continue
        if entry.is_dir(follow_symlinks=False):
            below.append(f"{folder}{entry.name}/")
        else:
            items.append(_look(entry, folder + entry.name, root, globs))
    return below, items


def _remote(root: Address, globs: Globs, folder: str) -> Iterator[Page]:
    for below, files in remote.pages(root, folder):
        # What a console makes for an empty folder is no file.
        yield below, [_stored(f, globs) for f in files if f.bytes or not (f.path.endswith("/") or not f.path)]


def _stored(file: Stored, globs: Globs) -> Found | Refused:
    path = paths.spell(file.path)
    if {"", ".", ".."} & set(file.path.split("/")) or "?versionId=" in file.path:
        return Refused(path, "unsupported", "its name holds what no file can be called", file.bytes)
    pattern = globs.first(path)
    if pattern is not None:
        return Refused(path, "ignored", f"its name matches {pattern}", file.bytes)
    return Found(path, file.bytes, file.mtime_ns, file.tag)


def _look(entry: os.DirEntry[str], relative: str, root: Path, globs: Globs) -> Found | Refused:
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
    pattern = globs.first(path)
    if pattern is not None:
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
