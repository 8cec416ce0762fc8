"""What every sort of recipe does: read the scans once, then learn from some of them and judge others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xqdata.groups import Ints
from xqdata_benchmark.samples import Turn

# (what is being done, done, total, more to say of it)
Progress = Callable[[str, int, int, str], None]


def _nothing(folder: Path) -> None:
    """There is nothing more to keep."""


@dataclass(frozen=True)
class Learnt:
    """`rows`: samples that were judged; `probability`: (len(rows), classes); `embedding`: (len(rows), width) or None.
    `keep`: writes what else is worth keeping, curves and weights, to a folder. `spare`: files that nobody needs
    once all of that is kept.
    """

    rows: Ints
    probability: NDArray[np.float64]
    embedding: NDArray[np.float32] | None = None
    keep: Callable[[Path], None] = _nothing
    spare: tuple[Path, ...] = ()


class Learner(Protocol):
    """A way to learn. `unread`: samples that could not be read, by position, and why. `environment`: the device and
    what else its figures depend on. `lead`: whether this process writes files; others only compute.
    """

    unread: dict[int, str]
    environment: dict[str, Any]
    lead: bool

    def learn(self, turn: Turn, seed: int, folder: Path) -> Learnt:
        """Learn from `turn.train` and judge `turn.val` and `turn.test`; `folder` keeps what is unfinished."""

    def wait(self) -> None:
        """Let all processes come to this place."""

    def agreed(self, text: str) -> str:
        """The leading process's `text`, in all of them."""
