"""What a reader is: it looks at a raw folder's listing, says whether it understands it, and then describes files.

A reader is one file in this package and one line in `READERS`, or an entry point of the group `xqdata.readers` in
another distribution. It never decodes pixels and never writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from xqdata import paths
from xqdata.config import IngestConfig
from xqdata.readers.files import Files
from xqdata.remote import Copies, Location
from xqdata.taxonomy import Taxonomy

# What a reader says of one file: by column name of `images`, or any other word, which goes to `extra`. Values are as
# written (text) or typed; ingest turns them into the columns' types. `object` and `specimen` may also come numbered
# (`object2`, `specimen2`) where one name holds several.
Fields = Mapping[str, object]

# Files with these endings are never pictures, so a log that names its pictures without ending does not mean them.
_NOT_PICTURES = (
    ".txt .csv .tsv .xlsx .xls .json .xml .yaml .yml .toml .md .pdf .doc .docx .hwp .log .ini .html .zip .py"
)
NOT_PICTURES = frozenset(_NOT_PICTURES.split())


@dataclass(frozen=True)
class Tree:
    """One raw folder as readers see it.

    `paths`: the files below it, relative and sorted, spelled as in `images.path`. `config`: the project's ingest
    section; `folder`: the project's folder, which paths in the config are relative to. `others`: the other raw folders
    of the run. `copies`: makes local copies where the raw folder lies at an address. `memo`: where a reader may keep
    between `sniff` and `read` what was costly to find out.
    """

    root: str
    location: Location
    paths: Sequence[str]
    taxonomy: Taxonomy
    config: IngestConfig
    folder: Path
    others: Sequence[Location] = ()
    copies: Copies | None = None
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def files(self) -> Files:
        """The pictures, to be found by name."""
        return Files(self.pictures)

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """The paths that may be pictures, by their ending."""
        return tuple(p for p in self.paths if PurePosixPath(p).suffix.lower() not in NOT_PICTURES)

    @property
    def is_remote(self) -> bool:
        """Whether each file that is opened is fetched from an address."""
        return not isinstance(self.location, Path)

    def locate(self, path: str) -> Path:
        """Where the file called `path` in the tables, or a copy of it, lies on this machine. Raises RemoteError."""
        if isinstance(self.location, Path):
            return paths.locate(self.location, path)
        if self.copies is None:
            raise ValueError(f"nothing makes copies of files at {self.location}")
        return self.copies.locate(path)

    def heads(self, wanted: Sequence[str], count: int) -> dict[str, bytes]:
        """The first `count` bytes of files, by path; none of a file that is shorter or cannot be read.

        For readers that must look into many files: at an address, many small requests are on their way at once.
        """
        if self.copies is not None:
            return self.copies.heads(wanted, count)
        return {path: _head(self.locate(path), count) for path in wanted}


def _head(file: Path, count: int) -> bytes:
    try:
        with file.open("rb") as opened:
            head = opened.read(count)
    except OSError:
        return b""
    return head if len(head) == count else b""


@dataclass(frozen=True)
class BadRow:
    """A row of a file that a reader could not use: becomes a row of `rejects` with reason bad_annotation.

    `outside`: the file lies outside the raw folder. `nowhere`: the row names a file that is not in this raw folder; of
    a table that speaks of several raw folders, that is told only where it is in none of them.
    """

    path: str
    item: str
    message: str
    outside: bool = False
    nowhere: bool = False


@dataclass(frozen=True)
class Box:
    """One box that an annotation draws on a picture: label as written, left and top edge, width and height.

    `share`: the four numbers are shares of the picture's width and height, else pixels. `source` and `item`: the file
    and the row of it that says so, for the case that it does not fit the picture.
    """

    label: str
    x: float
    y: float
    width: float
    height: float
    source: str
    item: str
    share: bool = False

    def __post_init__(self) -> None:
        numbers = (self.x, self.y, self.width, self.height)
        if not all(math.isfinite(n) for n in numbers):
            raise ValueError("its box holds what is not a number")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"its box is {self.width:g} x {self.height:g}")


@dataclass(frozen=True)
class Outside:
    """A metadata file that the config names (`path` as it does there) and that lies outside the raw folder."""

    path: str
    role: str
    sha256: str


@dataclass(frozen=True)
class Reading:
    """What a reader made of one raw folder.

    `fields`: what it says, by path, for files that it describes. `sources`: the files below the folder that it read
    for their metadata, with their role. `notes`: lines for the person at the terminal. `boxes`: by path; none for a
    picture that an annotation speaks of and draws nothing on. `from_tags`: what follows from the metadata inside a
    file, given its format and its tags as images reports them.
    """

    fields: Mapping[str, Fields]
    sources: Mapping[str, str] = field(default_factory=dict)
    outside: Sequence[Outside] = ()
    bad_rows: Sequence[BadRow] = ()
    notes: Sequence[str] = ()
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    from_tags: Callable[[str, Mapping[str, str]], Fields] | None = None


class Reader(Protocol):
    """One export dialect."""

    name: str

    def sniff(self, tree: Tree) -> str | None:
        """Why this reader applies to `tree`, in a few words, or None if it does not."""

    def read(self, tree: Tree) -> Reading:
        """Describe the files of `tree`; called only if `sniff` gave a reason. Raises XqdataError."""
