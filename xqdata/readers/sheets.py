"""Rows of the tables that people keep: CSV and TSV in the encodings they come in, and Excel workbooks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from xqdata.errors import InputError

_ENCODINGS = ("utf-8-sig", "cp949")
_DELIMITERS = ",\t;"
_SAMPLE = 50
# Rows above the heading that a title may take.
_TITLE_ROWS = 20

SUFFIXES = (".csv", ".tsv", ".xlsx")


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet counts (the header is 1), and its cells as written; Excel's are typed."""

    number: int
    cells: list[object]


@dataclass(frozen=True)
class Sheet:
    """A table: its name (of a workbook's sheet, else empty), its heading and the rows below, empty rows left out."""

    name: str
    header: list[str]
    rows: list[Row]

    def below(self, number: int) -> Sheet:
        """The table whose heading is the row of this number: a title may stand above it."""
        header = next(row for row in self.rows if row.number == number)
        return Sheet(self.name, _texts(header), [row for row in self.rows if row.number > number])

    def headings(self) -> Iterator[tuple[int, list[str]]]:
        """The rows that may be the heading, the first one first: (number, cells); number 0 is `header`."""
        yield 0, self.header
        yield from ((row.number, _texts(row)) for row in self.rows[:_TITLE_ROWS])


def load(path: Path, encoding: str | None = None) -> list[Sheet]:
    """The tables in the file `path`; several only in a workbook. Raises InputError where it cannot be read."""
    try:
        named = _excel(path) if path.suffix.lower() == ".xlsx" else {"": list(_text(path, encoding))}
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=str(path)) from error
    return [_sheet(name, rows) for name, rows in named.items()]


def _sheet(name: str, rows: list[Row]) -> Sheet:
    filled = [row for row in rows if any(str(cell).strip() for cell in row.cells)]
    return Sheet(name, _texts(filled[0]), filled[1:]) if filled else Sheet(name, [], [])


def _texts(row: Row) -> list[str]:
    return [str(cell).strip() for cell in row.cells]


def _text(path: Path, encoding: str | None) -> Iterator[Row]:
    text = _decode(path.read_bytes(), path, encoding)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        for number, cells in enumerate(reader, start=1):
            yield Row(number, list(cells))
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: {error}", where=str(path)) from error


def _delimiter(text: str) -> str:
    """The separator under which most of the first rows have as many cells as the heading."""

    def agreement(delimiter: str) -> tuple[int, int]:
        try:
            rows = list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), _SAMPLE))
        except csv.Error:
            return 0, 0
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows), width) if width > 1 else (0, width)

    return max(_DELIMITERS, key=agreement)


def _decode(data: bytes, path: Path, encoding: str | None) -> str:
    if encoding is None and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    tried = (encoding,) if encoding else _ENCODINGS
    for name in tried:
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
        except LookupError:
            hint = "use a name such as utf-8, cp949 or utf-16"
            raise InputError(f"unknown encoding {name!r}", where=str(path), hint=hint) from None
    raise InputError(
        f"is not text in {' or '.join(tried)}",
        where=str(path),
        hint="name its encoding in xqdata.toml: encoding = …",
    )


def _excel(path: Path) -> dict[str, list[Row]]:
    import openpyxl

    try:
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
            return {page.title: list(_page(page)) for page in book.worksheets}
    except OSError:
        raise
    except Exception as error:
        raise InputError(f"is not an Excel workbook, or a damaged one ({error})", where=str(path)) from error


def _page(page: Any) -> Iterator[Row]:
    for number, cells in enumerate(page.iter_rows(), start=1):
        yield Row(number, [_cell(cell.value, str(cell.number_format or "")) for cell in cells])


def _cell(value: object, shown_as: str) -> object:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, datetime) and "h" not in shown_as.lower():
        return value.date()  # Excel knows no days, only midnights
    return value if isinstance(value, int | float | str | datetime) else str(value)
