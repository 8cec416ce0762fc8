"""Which file of a raw folder a log or an annotation means by a name."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath


class Files:
    """Finds files by the ways in which people and programs name them.

    By the path below the root, by its last parts, by a path on the machine that wrote the name; with or without the
    ending; in another case, with backslashes, composed or decomposed. The closest way that finds anything counts.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._ways: tuple[dict[str, list[str]], ...] = tuple(defaultdict(list) for _ in range(4))
        for path in paths:
            exact = unicodedata.normalize("NFC", path)
            ending = len(PurePosixPath(exact).suffix)
            for tail in _tails(exact):
                bare = tail[: len(tail) - ending] if ending else None
                keys = (tail, tail.casefold(), bare, bare.casefold() if bare else None)
                for way, key in zip(self._ways, keys, strict=True):
                    if key:
                        way[key].append(path)

    def find(self, name: str, beside: str = "") -> list[str]:
        """The files that `name` may mean; one, where it is clear. `beside`: the path of the file that names it."""
        written = unicodedata.normalize("NFC", name).replace("\\", "/").strip()
        if not written.strip("./"):
            return []
        relative = posixpath.normpath(posixpath.join(posixpath.dirname(beside), written)).lstrip("/")
        plain = posixpath.normpath(written).lstrip("/")
        for wanted in (plain, *_tails(plain)):
            for way, fold in zip(self._ways, (False, True, False, True), strict=True):
                found = way.get(wanted.casefold() if fold else wanted)
                if found:
                    whole = [p for p in found if _means(p, relative, fold) or _means(p, plain, fold)]
                    return whole or found
        return []


def _tails(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[start:]) for start in range(len(parts)))


def _means(path: str, name: str, fold: bool) -> bool:
    exact = unicodedata.normalize("NFC", path)
    names = (exact, str(PurePosixPath(exact).with_suffix("")))
    return name.casefold() in (n.casefold() for n in names) if fold else name in names
