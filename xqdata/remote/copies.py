"""Local copies of the logs and annotations of a raw folder at an address: whoever reads them wants files.

A copy is named by the file's address, size, time and tag: of a file that changed there is no copy.
"""

from __future__ import annotations

import os
import shutil
import uuid
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import xxhash

from xqdata.remote.address import Address
from xqdata.remote.store import heads

# Files of one ending are asked for one after the other, each picture's side file for itself: of small ones, so many are
# fetched at once, twice as many each time.
_MOST = 256
_SMALL = 1 << 20  # bytes
_LONGEST = 150  # bytes of a name that stay
_ENDING = 20  # characters of its ending that do


class Copies:
    """Copies in `folder` of files below `root`. `listed`: path as the tables spell it, bytes, time and tag of each.

    Raises RemoteError where a file cannot be fetched.
    """

    def __init__(self, root: Address, folder: Path, listed: Iterable[tuple[str, int, int | None, str]]) -> None:
        self.root = root
        self.folder = folder
        self._facts = {path: (size, mtime, tag) for path, size, mtime, tag in listed}
        self._same: dict[str, list[str]] | None = None
        self._window: dict[str, int] = defaultdict(lambda: 1)
        self._asked: set[Path] = set()

    def locate(self, path: str) -> Path:
        """Where a copy of the file lies; nowhere, if the file is gone."""
        place = self._place(path)
        if not place.exists():
            self._fetch([path, *self._next(path)])
        self._asked.add(place.parent)
        return place

    def heads(self, wanted: Sequence[str], count: int) -> dict[str, bytes]:
        """The first `count` bytes of each file, many at once; of files that are shorter or gone, nothing."""
        long = [path for path in wanted if path in self._facts and self._facts[path][0] >= count]
        found: dict[str, bytes] = {}
        for start in range(0, len(long), _MOST):
            some = long[start : start + _MOST]
            found |= {p: data or b"" for p, data in zip(some, heads(self._addresses(some), count), strict=True)}
        return {path: found.get(path, b"") for path in wanted}

    def sweep(self) -> None:
        """Remove copies that nobody asked for: of files that changed or are gone."""
        for other in self.folder.iterdir() if self.folder.is_dir() else ():
            if other not in self._asked:
                shutil.rmtree(other, ignore_errors=True)

    def _addresses(self, some: Sequence[str]) -> list[Address]:
        return [self.root.file(path) for path in some]

    def _place(self, path: str) -> Path:
        told = repr([str(self.root), path, *self._facts.get(path, ())])
        key = xxhash.xxh3_128_hexdigest(told.encode("utf-8", "surrogatepass"))
        name = PurePosixPath(path)
        # Its name, so that messages are understood, as far as a file may be called so.
        stem = name.stem.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore")
        return self.folder / key / f"{stem}{name.suffix[:_ENDING]}"

    def _next(self, path: str) -> list[str]:
        """Files to be fetched together with `path`: the following ones of the same ending."""
        if self._same is None:
            self._same = defaultdict(list)
            for other in sorted(self._facts):
                self._same[PurePosixPath(other).suffix.lower()].append(other)
        ending = PurePosixPath(path).suffix.lower()
        count = self._window[ending]
        self._window[ending] = min(_MOST, 2 * count)
        same = self._same[ending]
        first = bisect_left(same, path) + 1
        following = same[first : first + count - 1]
        return [p for p in following if self._facts[p][0] <= _SMALL and not self._place(p).exists()]

    def _fetch(self, some: Sequence[str]) -> None:
        for path, data in zip(some, heads(self._addresses(some)), strict=True):
            if data is not None:
                place = self._place(path)
                place.parent.mkdir(parents=True, exist_ok=True)
                part = place.with_name(f".{uuid.uuid4().hex}")
                part.write_bytes(data)
                os.replace(part, place)  # noqa: PTH105
