"""The raw folders that a command names: where they are, and what they are called in the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqdata import paths, remote
from xqdata.errors import InputError
from xqdata.remote import Address, Location, within

_ALIAS = re.compile(r"(?P<name>[^/=]+)=(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True)
class Root:
    """A raw folder. `location`: absolute, links resolved; or an address."""

    name: str
    location: Location


def resolve(arguments: Sequence[str], before: Mapping[str, str]) -> list[Root]:
    """The raw folders that `arguments` name: a path or an address, or NAME=PATH to give it an alias.

    `before`: locations by name of the folders that the project's tables hold already. Raises InputError for a folder
    that is not there, folders that lie in one another, and two folders of one name.
    """
    roots: list[Root] = []
    for argument in arguments:
        root = _parse(argument)
        for other in roots:
            _check_apart(root, other)
        _check_known(root, before)
        roots.append(root)
    return roots


def _parse(argument: str) -> Root:
    match = _ALIAS.fullmatch(argument)
    alias = match["name"] if match and not Path(argument).exists() else None
    location = _check_folder(remote.location(match["path"] if match and alias else argument), argument)
    name = paths.spell(alias or location.name)
    if name in ("", ".", ".."):
        raise InputError("has no name of its own", where=argument, hint=f"give it an alias: NAME={argument}")
    return Root(name, location)


def _check_folder(place: Location, argument: str) -> Location:
    """Where a folder is. Raises InputError if there is none; whoever lists an address says so of it."""
    if isinstance(place, Address):
        return place
    if not place.exists():
        raise InputError("there is no such folder", where=argument)
    if not place.is_dir():
        raise InputError("is a file, not a folder", where=argument, hint="name the folder that holds the scans")
    return place.resolve()


def _check_apart(root: Root, other: Root) -> None:
    if within(root.location, other.location) or within(other.location, root.location):
        raise InputError(f"lies in the same folder as {other.location}", where=str(root.location),
                         hint="name each file's folder once")  # fmt: skip
    if root.name == other.name:
        raise _two(root, str(other.location))


def _check_known(root: Root, before: Mapping[str, str]) -> None:
    for name, place in before.items():
        earlier = remote.location(place)
        if name == root.name and earlier != root.location and _is_there(earlier):
            raise _two(root, place)
        if name != root.name and earlier != root.location and remote.stands(place):
            _check_apart(root, Root(name, earlier))
        # A folder under a new name while its old one stands would be there twice.
        if name != root.name and earlier == root.location:
            raise InputError(
                f"is in the tables already, as {name}", where=place, hint=f"run: xqdata ingest {name}={place}"
            )


def _is_there(place: Location) -> bool:
    if isinstance(place, Path):
        return place.is_dir()
    try:
        remote.check_folder(place)
    except InputError:
        return False
    return True


def _two(root: Root, other: str) -> InputError:
    return InputError(
        f"two raw folders are called {root.name}: {other} and this one",
        where=str(root.location),
        hint=f"give this one an alias: xqdata ingest NAME={root.location}",
    )
