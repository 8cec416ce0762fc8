"""Which file of a raw folder a log or an annotation means by a name."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable


class Files:
    """Finds files by the ways in which people and programs name them.

    By the path below the root or by its last parts; with or without the ending; in another case, with backslashes,
    composed or decomposed. The closest way that finds anything counts. Folders that a name bears are never left out:
    `b/1.png` does not mean `a/1.png`.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_number: dict[int, list[str]] = defaultdict(list)
        for path in paths:
            exact = unicodedata.normalize("NFC", path)
            name = posixpath.basename(exact).casefold()
            self._whole[exact] = path
            self._by_name[name].append(path)
            stem = posixpath.splitext(name)[0]
            self._by_stem[stem].append(path)
            if stem.isdecimal():
                self._by_number[int(stem)].append(path)

    def find(self, name: str, beside: str = "") -> list[str]:
        """The files that `name` may mean; one, where it is clear. `beside`: the path of the file that names it."""
        written = unicodedata.normalize("NFC", name).replace("\\", "/").strip()
        if not written.strip("./"):
            return []
        plain = posixpath.normpath(written).lstrip("/")
        relative = posixpath.normpath(posixpath.join(posixpath.dirname(beside), plain))
        for whole in (relative, plain):
            if whole in self._whole:
                return [self._whole[whole]]
        last = posixpath.basename(plain).casefold()
        for pool, bare in ((self._by_name, False), (self._by_stem, True)):
            for fold in (False, True):
                found = [p for p in pool.get(last, ()) if _ends_with(p, plain, bare, fold)]
                if found:
                    return [p for p in found if _is(p, (relative, plain), bare, fold)] or found
        return []

    def find_number(self, number: int) -> list[str]:
        """The files whose name is `number`, with any zeros before it."""
        return self._by_number.get(number, [])


def _spelled(path: str, bare: bool, fold: bool) -> str:
    exact = unicodedata.normalize("NFC", path)
    exact = posixpath.splitext(exact)[0] if bare else exact
    return exact.casefold() if fold else exact


def _ends_with(path: str, name: str, bare: bool, fold: bool) -> bool:
    return f"/{_spelled(path, bare, fold)}".endswith(f"/{name.casefold() if fold else name}")


def _is(path: str, names: Iterable[str], bare: bool, fold: bool) -> bool:
    return _spelled(path, bare, fold) in [n.casefold() if fold else n for n in names]
