"""What an export is asked to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """One export.

    `folder`: where it goes. `where`: a condition on columns of images. `only`: these image ids; None takes
    all. `split`: whose parts it has; None takes `default` where that stands, and no parts where it does not; without
    `parts` it has none, and leaves out none for having none. `kept_only`: one picture of each cluster of copies.
    `private`: with operator, site, serial numbers, the files' own names and `extra`. `link`: hard links instead of
    copies. `bits`: 8 or 16, of pictures that have more than 8; None takes what the format's readers read. `replace`:
    an earlier export in the folder.
    """

    format: str
    folder: Path
    where: str | None = None
    only: frozenset[str] | None = None
    split: str | None = None
    parts: bool = True
    kept_only: bool = False
    private: bool = False
    link: bool = False
    bits: int | None = None
    replace: bool = False
    workers: int | None = None
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None
