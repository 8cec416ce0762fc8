"""Patches of equal pixels that pictures have in common, found a part at a time: all of them would not fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

_PATCH = np.dtype([("hash", np.uint64), ("owner", np.int64)])
# Pictures for each file, some 16 MB of patches; and files that are written at once at most.
_PICTURES, _FILES = 4096, 128
# A patch that very many pictures have is no noise: an empty stretch, a logo, burnt-in text.
_COMMON = 24
_FEW = 1 << 20


@dataclass(frozen=True)
class Patches:
    """The patches of `count` pictures, in `files` by the lowest digits of their hashes: equal ones are in one file."""

    files: tuple[Path, ...]
    count: int

    def shared(self, least: int) -> tuple[Rows, Rows]:
        """Pairs of pictures, the lower number first, ascending, that have `least` or more patches in common.

        Raises OSError where a file cannot be read.
        """
        tally = _Tally()
        for file in self.files:
            for keys in _together(np.fromfile(file, _PATCH), self.count):
                tally.add(keys)
        a, b = np.divmod(tally.told(least), self.count)
        return a, b


@contextmanager
def writing(folder: Path, count: int) -> Iterator[tuple[Patches, Callable[[NDArray[np.uint64], Rows], None]]]:
    """The patches of `count` pictures, and a function that adds some: their hashes, (k,), and whose they are, (k,).

    They can be read when the block has ended. Raises OSError where they cannot be written.
    """
    paths = tuple(folder / f"patches-{n}" for n in range(min(_FILES, 1 + count // _PICTURES)))
    with ExitStack() as opened:
        files = [opened.enter_context(path.open("xb")) for path in paths]

        def add(hashes: NDArray[np.uint64], owners: Rows) -> None:
            some = np.empty(len(hashes), _PATCH)
            some["hash"], some["owner"] = hashes, owners
            number = hashes % np.uint64(len(files))
            bounds = np.cumsum(np.bincount(number.astype(np.int64), minlength=len(files)))[:-1]
            for file, part in zip(files, np.split(some[np.argsort(number, kind="stable")], bounds), strict=True):
                file.write(part.tobytes())

        yield Patches(paths, count), add


def _together(patches: NDArray[np.void], count: int) -> Iterator[NDArray[np.int64]]:
    """For each pair of pictures that have a patch in common, first * `count` + second, as often as they have."""
    order = np.argsort(patches["hash"], kind="stable")
    hashes, owner = patches["hash"][order], patches["owner"][order]
    bounds = np.append(np.flatnonzero(np.diff(hashes, prepend=~hashes[:1])), len(hashes))
    sizes = np.diff(bounds)
    for size in np.unique(sizes[(sizes > 1) & (sizes <= _COMMON)]):
        groups = np.sort(owner[bounds[:-1][sizes == size][:, None] + np.arange(size)], axis=1)
        first, second = np.triu_indices(size, 1)
        yield (groups[:, first] * count + groups[:, second]).ravel()


class _Tally:
    """How often each number was told. What waits to be counted is never much more than what is."""

    def __init__(self) -> None:
        self.numbers = self.counts = np.zeros(0, np.int64)
        self.waiting: list[NDArray[np.int64]] = []

    def add(self, numbers: NDArray[np.int64]) -> None:
        self.waiting.append(numbers)
        if sum(map(len, self.waiting)) > max(_FEW, len(self.numbers)):
            self._count()

    def told(self, least: int) -> NDArray[np.int64]:
        """The numbers that were told `least` times or more, ascending."""
        self._count()
        return self.numbers[self.counts >= least]

    def _count(self) -> None:
        fresh, times = np.unique(np.concatenate([np.zeros(0, np.int64), *self.waiting]), return_counts=True)
        numbers, place = np.unique(np.concatenate([self.numbers, fresh]), return_inverse=True)
        self.counts = np.bincount(place, np.concatenate([self.counts, times]), len(numbers)).astype(np.int64)
        self.numbers, self.waiting = numbers, []
