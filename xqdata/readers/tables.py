"""A table that the operator keeps (CSV, TSV, XLSX), joined on the file name."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from xqdata import paths, remote, schema
from xqdata.config import TableConfig
from xqdata.errors import ConfigError, InputError
from xqdata.readers import sheets
from xqdata.readers.base import BadRow, Fields, Outside, Reading, Tree
from xqdata.readers.fields import COLUMNS, FILE_WORDS, coerce, column_called, moment
from xqdata.readers.files import Files
from xqdata.readers.sheets import Row
from xqdata.remote import Location, within
from xqdata.taxonomy import fold
from xqdata.words import several

_ABSOLUTE = re.compile(r"/|\\\\|[A-Za-z]:[\\/]")
# So many names are looked at to find out from which folder of another machine they come.
_SAMPLE = 500


class Tables:
    """What operators' tables say of the files they name."""

    name = "tables"

    def sniff(self, tree: Tree) -> str | None:
        """Which tables have a column of file names."""
        told = [
            f"{log.path} names {several(log.matched, 'file', 'files')} in its column {log.heading!r}"
            for log in _logs(tree)
        ]
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
            kept = [h for h in log.sheet.header if h and h != log.heading and not _column(log, h)]
            if kept:
                notes.append(f"{log.path}: headings that are no columns, kept in extra: {', '.join(kept)}")
            left = [p for p in tree.pictures if p not in described]
            if left:
                notes.append(
                    f"{log.path}: {several(len(left), 'file has', 'files have')} no row, the first is {left[0]}"
                )
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
        found = self.files.find(name, self.path) or self._without_zeros(row)
        if found or not self._elsewhere or not _ABSOLUTE.match(name):
            return found
        plain = _parts(name)
        prefix = len(self._elsewhere)
        return self.files.find("/".join(plain[prefix:])) if tuple(plain[:prefix]) == self._elsewhere else []

    def _without_zeros(self, row: Row) -> list[str]:
        """Excel makes the number 7 of a file called 0007."""
        cell = row.cells[self.column] if self.column < len(row.cells) else None
        return self.files.find_number(cell) if isinstance(cell, int) else []

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
        place = _placed(tree, config)
        inside = _inside(tree, place)
        elsewhere = any(within(place, other) for other in tree.others)
        if config.root not in (None, tree.root) or (elsewhere and config.root is None):
            continue
        location = place if isinstance(place, Path) else _copy(tree, inside, config)
        log = _open(tree, inside or config.path, location, config.path if inside is None else None, config)
        if log is None:
            told = f"the table {config.path} has no column {config.file_column or 'of file names'!r}"
            headings = [h for sheet in sheets.load(location, config.encoding) for h in sheet.header if h]
            hint = f"name it with file_column; headings are {', '.join(headings)}"
            raise ConfigError(told, where="xqdata.toml", hint=hint)
        _check_columns(log)
        yield log


def _placed(tree: Tree, config: TableConfig) -> Location:
    """Where a table is that the config names."""
    place = remote.location(config.path)
    return (tree.folder / config.path).resolve() if isinstance(place, Path) else place


def _inside(tree: Tree, place: Location) -> str | None:
    """The path of a table below the raw folder; None if it lies elsewhere."""
    if not within(place, tree.location):
        return None
    if isinstance(place, Path) and isinstance(tree.location, Path):
        return place.relative_to(tree.location).as_posix()
    return paths.spell(str(place).removeprefix(f"{tree.location}/"))


def _copy(tree: Tree, inside: str | None, config: TableConfig) -> Path:
    if inside is None:
        hint = "put it into the raw folder that it speaks of, or into a folder of this machine"
        raise ConfigError(f"the table {config.path} lies at an address outside", where="xqdata.toml", hint=hint)
    return tree.locate(inside)


def _found(tree: Tree) -> Iterator[_Log]:
    """The tables in the raw folder that nobody named and that speak of files that are there."""
    named = {_placed(tree, config) for config in tree.config.tables}
    for path in tree.paths:
        if PurePosixPath(path).suffix.lower() in sheets.SUFFIXES and _is_at(tree, path) not in named:
            try:
                log = _open(tree, path, tree.locate(path), None, TableConfig(path=path))
            except InputError:
                continue  # not named by anybody and not a table: its file is accounted for as any other
            if log and log.matched:
                yield log


def _is_at(tree: Tree, path: str) -> Location:
    place = remote.locate(tree.location, path)
    return place.resolve() if isinstance(place, Path) else place


def _open(tree: Tree, path: str, location: Path, outside: str | None, config: TableConfig) -> _Log | None:
    """The table in one file: of its sheets, rows that may be the heading and columns, those that name most files."""
    wanted = {fold(config.file_column)} if config.file_column else FILE_WORDS
    every = sheets.load(location, config.encoding)
    if config.sheet is not None and config.sheet not in [sheet.name for sheet in every]:
        hint = f"sheets are {', '.join(sheet.name for sheet in every)}"
        raise InputError(f"has no sheet {config.sheet!r}", where=str(location), hint=hint)
    apart = None
    if outside is not None:
        apart = Outside(outside, "log", hashlib.sha256(location.read_bytes()).hexdigest())
    logs = [
        _Log(path, apart, sheet.below(number) if number else sheet, column, config.columns, tree.files)
        for sheet in every
        if config.sheet in (None, sheet.name)
        for number, header in sheet.headings()
        for column, heading in enumerate(header)
        if fold(heading) in wanted
    ]
    return max(logs, key=lambda log: log.matched, default=None)


def _check_columns(log: _Log) -> None:
    """Raise ConfigError for a heading that is not there, and for a column that is none or is meant twice."""
    for header, column in log.columns.items():
        where = f"key ingest.tables.columns.{header!r}"
        if header not in log.sheet.header:
            hint = f"headings of {log.path} are {', '.join(filter(None, log.sheet.header))}"
            raise ConfigError(f"{where}: there is no such heading", where="xqdata.toml", hint=hint)
        close = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.75)
        if close and column not in COLUMNS:  # any other word is a key of extra
            hint = f"did you mean {close[0]}?"
            raise ConfigError(f"{where} is {column!r}, which is no column", where="xqdata.toml", hint=hint)
    twice = [column for column, count in Counter(log.columns.values()).items() if count > 1]
    if twice:
        raise ConfigError(f"key ingest.tables.columns: two headings mean {twice[0]}", where="xqdata.toml")


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


def _column(log: _Log, header: str) -> str | None:
    return log.columns.get(header) or column_called(header)


def _describe(log: _Log, row: Row, bad: list[BadRow]) -> Fields:
    fields: dict[str, object] = {}
    for position, (header, cell) in enumerate(zip(log.sheet.header, row.cells, strict=False)):
        if position == log.column or not header or not str(cell).strip():
            continue
        column = _column(log, header) or header
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
