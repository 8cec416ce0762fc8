"""The raw folders that a command names: where they are, and what they are called in the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqdata import paths
from xqdata.errors import InputError

_ALIAS = re.compile(r"(?P<name>[^/=]+)=(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True)
class Root:
    """A raw folder. `location`: absolute, links resolved."""

    name: str
    location: Path


def resolve(arguments: Sequence[str], before: Mapping[str, str]) -> list[Root]:
    """The raw folders that `arguments` name: a path, or NAME=PATH to give it an alias.

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
    path = Path(match["path"] if match and alias else argument)
    if not path.exists():
        raise InputError("there is no such folder", where=argument)
    if not path.is_dir():
        raise InputError("is a file, not a folder", where=argument, hint="name the folder that holds the scans")
    location = path.resolve()
    name = paths.spell(alias or location.name)
    if name in ("", ".", ".."):
        raise InputError("has no name of its own", where=argument, hint=f"give it an alias: NAME={argument}")
    return Root(name, location)


def _check_apart(root: Root, other: Root) -> None:
    if root.location.is_relative_to(other.location) or other.location.is_relative_to(root.location):
        raise InputError(f"lies in the same folder as {other.location}", where=str(root.location),
                         hint="name each file's folder once")  # fmt: skip
    if root.name == other.name:
        raise _two(root, str(other.location))


def _check_known(root: Root, before: Mapping[str, str]) -> None:
    for name, place in before.items():
        earlier = Path(place)
        if name == root.name and earlier != root.location and earlier.is_dir():
            raise _two(root, place)
        if name != root.name and earlier != root.location and earlier.is_dir():
            _check_apart(root, Root(name, earlier))
        # A folder under a new name while its old one stands would be there twice.
        if name != root.name and earlier == root.location:
            raise InputError(
                f"is in the tables already, as {name}", where=place, hint=f"run: xqdata ingest {name}={place}"
            )


def _two(root: Root, other: str) -> InputError:
    return InputError(
        f"two raw folders are called {root.name}: {other} and this one",
        where=str(root.location),
        hint=f"give this one an alias: xqdata ingest NAME={root.location}",
    )
