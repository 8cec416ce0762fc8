"""Where a raw folder or a file is: a path of this machine, or an address with `://`.

Addresses are plain text, not paths: a key of an object store may hold `//` or `..`, which paths would take away, and a
path object for each of a million keys costs minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from xqdata import paths
from xqdata.errors import InputError

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
# user:password@ at the beginning; a password may hold slashes. A port is no password.
_SECRET = re.compile(r"[^/@:]*:(?!\d+(?:/|\Z)).*@", re.DOTALL)
_SAME = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}


@dataclass(frozen=True, slots=True)
class Address:
    """An address without credentials and without a slash at its end; made by `location`."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, path: str) -> Address:
        return Address(f"{self.url}/{path}")

    def file(self, path: str) -> Address:
        """Where the file called `path` in the tables lies below this folder."""
        return self / paths.unspell(path)

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return self.url.partition("://")[0]

    @property
    def store(self) -> Address:
        """The bucket, container or host alone."""
        return Address(f"{self.scheme}://{self.url.partition('://')[2].partition('/')[0]}")

    @property
    def name(self) -> str:
        """The last part."""
        return self.url.rpartition("/")[2]


Location = Path | Address


def is_address(text: str) -> bool:
    """True for what `location` takes for an address, and not for a path."""
    return _ADDRESS.match(text) is not None


def location(text: str) -> Location:
    """The place that `text` names: an address, or a path, which `file://` may stand before.

    Raises InputError for an address that holds a password or a query, or names nothing.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Path(text)
    scheme, rest = match["scheme"].lower(), match["rest"].rstrip("/")
    if scheme in ("file", "local"):
        return Path(match["rest"])
    shown = f"{scheme}://{re.split('[:@?]', rest)[0]}"
    if _SECRET.match(rest):
        hint = "leave it out: credentials come from the environment or the store's own settings"
        raise InputError("an address must not hold a password", where=f"{scheme}://…", hint=hint)
    if "?" in rest or "::" in rest:
        raise InputError("an address holds neither ? nor ::", where=shown, hint="name the folder alone")
    if not rest or {"", ".", ".."} & set(rest.split("/")):
        raise InputError("names no folder", where=shown, hint="as in s3://BUCKET/FOLDER")
    return Address(f"{_SAME.get(scheme, scheme)}://{rest}")


def locate(root: Location, path: str) -> Location:
    """Where the file called `path` in the tables lies below `root`."""
    return paths.locate(root, path) if isinstance(root, Path) else root.file(path)


def within(place: Location, other: Location) -> bool:
    """True if `place` is `other` or lies below it."""
    if isinstance(place, Path) or isinstance(other, Path):
        return isinstance(place, Path) and isinstance(other, Path) and place.is_relative_to(other)
    return place == other or place.url.startswith(f"{other.url}/")


def stands(place: str) -> bool:
    """True if the raw folder at `place` is there. An address is taken to be: whoever opens it will see."""
    return is_address(place) or Path(place).is_dir()
