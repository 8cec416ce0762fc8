"""Which parts of a split are tested, and against which others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xqdata.groups import Ints

# How people call the parts: test, testing, test_unseen; val, valid, validation, dev.
_TEST = re.compile(r"test", re.IGNORECASE)
_VAL = re.compile(r"val|dev", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Sides:
    """The parts, `names`, what is tested before what is trained on; the first `tested` of them are the test side.

    `rotates`: every part is tested once, on what the others taught, as folds are.
    """

    names: tuple[str, ...]
    tested: int
    rotates: bool

    @property
    def test_names(self) -> tuple[str, ...]:
        """The parts that are tested."""
        return self.names[: self.tested]

    @property
    def other_names(self) -> tuple[str, ...]:
        """The parts that they are tested against: all of them where every part is tested once."""
        return self.names if self.rotates else self.names[self.tested :]

    @cached_property
    def is_tested(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(parts + 1,) of each part, and of no part, whether it is tested: made to be indexed by part numbers."""
        return np.arange(len(self.names) + 1) < self.tested

    def of(self, part: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Of each part number, -1 being no part, whether it is tested."""
        return np.asarray(self.is_tested[part])


def sides(names: Iterable[str]) -> Sides:
    """What the names of parts say: test is tested, else validation is, else every part in turn."""
    listed = sorted(set(names), key=lambda name: [(len(s), s) if s.isdigit() else (0, s) for s in _DIGITS.split(name)])
    test = [name for name in listed if _TEST.match(name)]
    val = [name for name in listed if _VAL.match(name)]
    others = [name for name in listed if name not in (*test, *val)]
    if test and len(test) < len(listed):
        return Sides((*test, *val, *others), len(test), False)
    if val and others:
        return Sides((*val, *others), len(val), False)
    return Sides(tuple(listed), len(listed), True)
