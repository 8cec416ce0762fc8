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

from xqdata.errors import InputError

_ENCODINGS = ("utf-8-sig", "cp949")
_DELIMITERS = ",\t;"
_SAMPLE = 50

SUFFIXES = (".csv", ".tsv", ".xlsx")


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet counts (the header is 1), and its cells as written; Excel's are typed."""

    number: int
    cells: list[object]


@dataclass(frozen=True)
class Sheet:
    """A table: its header and its rows, empty rows left out."""

    header: list[str]
    rows: list[Row]


def load(path: Path, encoding: str | None = None, sheet: str | None = None) -> Sheet:
    """The table in the file `path`. Raises InputError where it cannot be read."""
    try:
        rows = list(_excel(path, sheet) if path.suffix.lower() == ".xlsx" else _text(path, encoding))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror or error})", where=str(path)) from error
    filled = [row for row in rows if any(str(cell).strip() for cell in row.cells)]
    if not filled:
        return Sheet([], [])
    return Sheet([str(cell).strip() for cell in filled[0].cells], filled[1:])


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
        except (UnicodeDecodeError, LookupError):
            continue
    raise InputError(
        f"is not text in {' or '.join(tried)}",
        where=str(path),
        hint="name its encoding in xqdata.toml: encoding = …",
    )


def _excel(path: Path, sheet: str | None) -> Iterator[Row]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with closing(book):
            if sheet is not None and sheet not in book.sheetnames:
                hint = f"sheets are {', '.join(book.sheetnames)}"
                raise InputError(f"has no sheet {sheet!r}", where=str(path), hint=hint)
            page = book[sheet] if sheet else book.worksheets[0]
            for number, cells in enumerate(page.iter_rows(), start=1):
                yield Row(number, [_cell(cell.value, str(cell.number_format or "")) for cell in cells])
    except (InputError, GeneratorExit):
        raise
    except Exception as error:
        raise InputError(f"is not an Excel workbook, or a damaged one ({error})", where=str(path)) from error


def _cell(value: object, shown_as: str) -> object:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, datetime) and "h" not in shown_as.lower():
        return value.date()  # Excel knows no days, only midnights
    return value if isinstance(value, int | float | str | datetime) else str(value)
