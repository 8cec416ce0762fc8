"""A table that the operator keeps (CSV, TSV, XLSX), joined on the file name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xqdata import schema
from xqdata.config import TableConfig
from xqdata.errors import ConfigError, InputError
from xqdata.readers import sheets
from xqdata.readers.base import BadRow, Fields, Outside, Reading, Tree
from xqdata.readers.fields import FILE_WORDS, coerce, column_called
from xqdata.readers.files import Files
from xqdata.taxonomy import fold


class Tables:
    """What operators' tables say of the files they name."""

    name = "tables"

    def sniff(self, tree: Tree) -> str | None:
        """Which tables have a column of file names."""
        logs = list(_logs(tree))
        if not logs:
            return None
        told = [f"{log.path} names {log.matched} files in its column {log.sheet.header[log.column]!r}" for log in logs]
        return "; ".join(told)

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
            if log.inside:
                sources[log.path] = "log"
            else:
                outside.append(Outside(log.path, log.location, "log"))
            left = [p for p in tree.pictures if p not in described]
            if left:
                notes.append(f"{log.path}: {len(left)} files have no row, the first is {left[0]}")
        without = sum(row.item.startswith("row") and "no file" in row.message for row in bad)
        notes += [f"rows that name no file: {without}"] if without else []
        return Reading(fields, sources, outside, bad, notes)


@dataclass(frozen=True)
class _Log:
    """One table, its column of file names, and the files that each of its names may mean."""

    path: str
    location: Path
    inside: bool
    sheet: sheets.Sheet
    column: int
    columns: Mapping[str, str]
    files: Files

    @property
    def matched(self) -> int:
        """How many rows name exactly one file."""
        return sum(len(self.files.find(_name(row, self.column), self.path)) == 1 for row in self.sheet.rows)


def _logs(tree: Tree) -> Iterator[_Log]:
    files = Files(tree.pictures)
    named = {}
    for config in tree.config.tables:
        if config.root not in (None, tree.root):
            continue
        location = tree.folder / config.path
        inside = location.resolve().is_relative_to(tree.location)
        path = location.resolve().relative_to(tree.location).as_posix() if inside else config.path
        named[path] = config
        log = _open(path, location, inside, config, files)
        if log is None:
            raise ConfigError(f"the table {config.path} has no column of file names", where="xqdata.toml",
                              hint="name it: file_column = …")  # fmt: skip
        yield log
    for path in tree.paths:
        if path not in named and PurePosixPath(path).suffix.lower() in sheets.SUFFIXES:
            try:
                log = _open(path, tree.locate(path), True, TableConfig(path=path), files)
            except InputError:
                continue  # not named by anybody and not a table: its file is accounted for as any other
            if log and log.matched:
                yield log


def _open(path: str, location: Path, inside: bool, config: TableConfig, files: Files) -> _Log | None:
    sheet = sheets.load(location, config.encoding, config.sheet)
    wanted = {fold(config.file_column)} if config.file_column else FILE_WORDS
    at = next((n for n, header in enumerate(sheet.header) if fold(header) in wanted), None)
    return None if at is None else _Log(path, location, inside, sheet, at, config.columns, files)


def _join(log: _Log, bad: list[BadRow]) -> dict[str, Fields]:
    described: dict[str, Fields] = {}
    first_row: dict[str, int] = {}
    for row in log.sheet.rows:
        item, name = f"row {row.number}", _name(row, log.column)
        found = log.files.find(name, log.path)
        if len(row.cells) > len(log.sheet.header):
            bad.append(BadRow(log.path, item, f"{len(row.cells)} cells under {len(log.sheet.header)} headings"))
        elif not name:
            bad.append(BadRow(log.path, item, "no file name"))
        elif not found:
            bad.append(BadRow(log.path, item, f"no file is called {name!r}"))
        elif len(found) > 1:
            bad.append(BadRow(log.path, item, f"{name!r} may be any of {len(found)} files: give its folder too"))
        elif found[0] in first_row:
            bad.append(BadRow(log.path, item, f"{name!r} stands already in row {first_row[found[0]]}"))
        else:
            first_row[found[0]] = row.number
            described[found[0]] = _describe(log, row, bad)
    return described


def _describe(log: _Log, row: Row, bad: list[BadRow]) -> Fields:
    fields: dict[str, object] = {}
    for position, (header, cell) in enumerate(zip(log.sheet.header, row.cells, strict=False)):
        if position == log.column or not header or not str(cell).strip():
            continue
        column = log.columns.get(header) or column_called(header) or header
        try:
            if column in schema.IMAGES.names:
                coerce(column, cell)
        except ValueError as error:
            bad.append(BadRow(log.path, f"row {row.number}, {header}", str(error)))
            column = header if header not in schema.IMAGES.names else f"{header}_as_written"
        fields[column] = cell
    if "date" in fields and "acquired_at" not in fields:
        day, clock = fields.pop("date"), fields.pop("time", "")
        fields["acquired_at"] = f"{str(day).split()[0]} {clock}" if clock else day
        try:
            coerce("acquired_at", fields["acquired_at"])
        except ValueError as error:
            bad.append(BadRow(log.path, f"row {row.number}, date", str(error)))
            fields["acquired_at_as_written"] = fields.pop("acquired_at")
    return fields


def _name(row: Row, column: int) -> str:
    return str(row.cells[column]).strip() if column < len(row.cells) else ""


Row = sheets.Row
