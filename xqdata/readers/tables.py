"""A table that the operator keeps (CSV, TSV, XLSX), joined on the file name."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from xqdata import schema
from xqdata.config import TableConfig
from xqdata.errors import ConfigError, InputError
from xqdata.readers import sheets
from xqdata.readers.base import BadRow, Fields, Outside, Reading, Tree
from xqdata.readers.fields import FILE_WORDS, coerce, column_called, moment
from xqdata.readers.files import Files
from xqdata.readers.sheets import Row
from xqdata.taxonomy import fold

_ABSOLUTE = re.compile(r"/|\\\\|[A-Za-z]:[\\/]")
# So many names are looked at to find out from which folder of another machine they come.
_SAMPLE = 500


class Tables:
    """What operators' tables say of the files they name."""

    name = "tables"

    def sniff(self, tree: Tree) -> str | None:
        """Which tables have a column of file names."""
        told = [f"{log.path} names {log.matched} files in its column {log.heading!r}" for log in _logs(tree)]
        return "; ".join(told) or None

    def read(self, tree: Tree) -> Reading:
        """Join every table's rows to the files they name."""
        fields: dict[str, Fields] = {}
        bad: list[BadRow] = []
        notes: list[str] = []
        sources: dict[str, str] = {}
        outside: list[Outside] = []
        for log in _logs(tree):
            described = _join(log, bad)
            fields |= {path: {**said, **fields.get(path, {})} for path, said in described.items()}
            if log.outside is None:
                sources[log.path] = "log"
            else:
                outside.append(log.outside)
            left = [p for p in tree.pictures if p not in described]
            if left:
                notes.append(f"{log.path}: {len(left)} files have no row, the first is {left[0]}")
        return Reading(fields, sources, outside, bad, notes)


@dataclass(frozen=True)
class _Log:
    """One table, its column of file names, and the files that they may mean. `outside`: if not in the raw folder."""

    path: str
    outside: Outside | None
    sheet: sheets.Sheet
    column: int
    columns: Mapping[str, str]
    files: Files

    @property
    def heading(self) -> str:
        """The heading of the column of file names."""
        return self.sheet.header[self.column]

    @property
    def matched(self) -> int:
        """How many rows name exactly one file."""
        return sum(len(self.find(row)) == 1 for row in self.sheet.rows)

    def name(self, row: Row) -> str:
        """The file name in `row`, as written."""
        return str(row.cells[self.column]).strip() if self.column < len(row.cells) else ""

    def find(self, row: Row) -> list[str]:
        """The files that `row` may mean."""
        name = self.name(row)
        found = self.files.find(name, self.path)
        if found or not self._elsewhere or not _ABSOLUTE.match(name):
            return found
        plain = _parts(name)
        prefix = len(self._elsewhere)
        return self.files.find("/".join(plain[prefix:])) if tuple(plain[:prefix]) == self._elsewhere else []

    @cached_property
    def _elsewhere(self) -> tuple[str, ...]:
        """The folder on another machine that the names stand below: the one under which most of them are found."""
        counts: Counter[tuple[str, ...]] = Counter()
        names = [self.name(row) for row in self.sheet.rows[:_SAMPLE]]
        for parts in (_parts(name) for name in names if _ABSOLUTE.match(name)):
            for depth in range(1, len(parts)):
                if len(self.files.find("/".join(parts[depth:]))) == 1:
                    counts[tuple(parts[:depth])] += 1
        return max(counts, key=lambda folder: (counts[folder], -len(folder)), default=())


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part]


def _logs(tree: Tree) -> list[_Log]:
    if "logs" not in tree.memo:
        tree.memo["logs"] = [*_named(tree), *_found(tree)]
    logs: list[_Log] = tree.memo["logs"]
    return logs


def _named(tree: Tree) -> Iterator[_Log]:
    """The tables that the config names and that may speak of this raw folder."""
    for config in tree.config.tables:
        location = (tree.folder / config.path).resolve()
        inside = location.is_relative_to(tree.location)
        elsewhere = any(location.is_relative_to(other) for other in tree.others)
        if config.root not in (None, tree.root) or (elsewhere and config.root is None):
            continue
        path = location.relative_to(tree.location).as_posix() if inside else config.path
        log = _open(tree, path, location, None if inside else config.path, config)
        if log is None:
            hint = "name it: file_column = …"
            raise ConfigError(f"the table {config.path} has no column of file names", where="xqdata.toml", hint=hint)
        yield log


def _found(tree: Tree) -> Iterator[_Log]:
    """The tables in the raw folder that nobody named and that speak of files that are there."""
    named = {(tree.folder / config.path).resolve() for config in tree.config.tables}
    for path in tree.paths:
        if PurePosixPath(path).suffix.lower() in sheets.SUFFIXES and tree.locate(path).resolve() not in named:
            try:
                log = _open(tree, path, tree.locate(path), None, TableConfig(path=path))
            except InputError:
                continue  # not named by anybody and not a table: its file is accounted for as any other
            if log and log.matched:
                yield log


def _open(tree: Tree, path: str, location: Path, outside: str | None, config: TableConfig) -> _Log | None:
    sheet = sheets.load(location, config.encoding, config.sheet)
    wanted = {fold(config.file_column)} if config.file_column else FILE_WORDS
    columns = [n for n, header in enumerate(sheet.header) if fold(header) in wanted]
    apart = None
    if outside is not None:
        apart = Outside(outside, "log", hashlib.sha256(location.read_bytes()).hexdigest())
    logs = [_Log(path, apart, sheet, column, config.columns, tree.files) for column in columns]
    return max(logs, key=lambda log: log.matched, default=None)


def _join(log: _Log, bad: list[BadRow]) -> dict[str, Fields]:
    described: dict[str, Fields] = {}
    first_row: dict[str, int] = {}
    for row in log.sheet.rows:
        name, found = log.name(row), log.find(row)
        problem = ""
        if len(row.cells) > len(log.sheet.header):
            problem = f"{len(row.cells)} cells under {len(log.sheet.header)} headings"
        elif not name:
            problem = "no file name"
        elif len(found) > 1:
            problem = f"{name!r} may be any of {len(found)} files: give its folder too"
        elif found and found[0] in first_row:
            problem = f"{name!r} stands already in row {first_row[found[0]]}"
        if problem or not found:
            told = problem or f"no file is called {name!r}"
            bad.append(_bad(log, f"row {row.number}", told, nowhere=not problem))
        else:
            first_row[found[0]] = row.number
            described[found[0]] = _describe(log, row, bad)
    return described


def _bad(log: _Log, item: str, message: str, *, nowhere: bool = False) -> BadRow:
    return BadRow(log.path, item, message, outside=log.outside is not None, nowhere=nowhere)


def _describe(log: _Log, row: Row, bad: list[BadRow]) -> Fields:
    fields: dict[str, object] = {}
    for position, (header, cell) in enumerate(zip(log.sheet.header, row.cells, strict=False)):
        if position == log.column or not header or not str(cell).strip():
            continue
        column = log.columns.get(header) or column_called(header) or header
        try:
            if column in schema.IMAGES.names:
                coerce(column, cell)
            elif column == "date":
                moment(cell)
        except ValueError as error:
            bad.append(_bad(log, f"row {row.number}, {header}", str(error)))
            column = f"{header}_as_written"
        fields[column] = cell
    return fields
