"""Tables that the operator keeps, joined on the file name.

Wrong while green would be: a row joined to the wrong file (one of two of that name), a row or a file that is passed
over without a word, a text decoded into nonsense because one encoding accepts any bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from datetime import date, datetime, time

import openpyxl
import pytest

from assets.pictures import save
from xqdata.config import TableConfig
from xqdata.errors import ConfigError, InputError
from xqdata.readers.tables import Tables

HEADER = ["파일명", "관전압 kV", "관전류", "일시", "담당자", "session", "비고"]
ROW = ["a.png", "160", "0.4", "2024-05-17 14:30", "김민수", "s1", "흔들림"]
SAID = {"kvp": "160", "ma": "0.4", "acquired_at": "2024-05-17 14:30", "operator": "김민수", "session": "s1"}


def text(*rows, delimiter=","):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue()


@pytest.fixture
def log(raw):
    """Writes raw/log.csv beside raw/a.png and raw/b.png."""
    save(raw / "a.png")
    save(raw / "b.png")

    def write(*rows, name="log.csv", encoding="utf-8", delimiter=","):
        return save(raw / name, text(*rows, delimiter=delimiter).encode(encoding))

    return write


def read(tree):
    assert Tables().sniff(tree) is not None
    return Tables().read(tree)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_encodings_and_separators(raw, tree, encoding, delimiter):
    save(raw / "a.png")
    body = text(HEADER, ROW, delimiter=delimiter)
    data = b"\xff\xfe" + body.encode("utf-16-le") if encoding == "utf-16-le-bom" else body.encode(encoding)
    save(raw / "log.csv", data)
    found = read(tree())
    assert found.fields == {"a.png": SAID | {"비고": "흔들림"}}
    assert found.sources == {"log.csv": "log"}
    assert found.bad_rows == []


def test_tsv(log, tree):
    log(HEADER, ROW, name="log.TSV", delimiter="\t")
    assert read(tree()).fields["a.png"]["kvp"] == "160"


def test_excel_keeps_types(raw, tree):
    save(raw / "a.png")
    book = openpyxl.Workbook()
    page = book.active
    page.append(["filename", "kVp", "sequence", "acquired_at", "session", "note", "date"])
    page.append(["a.png", 160.0, 17, datetime(2024, 5, 17, 14, 30), "s1", None, date(2024, 5, 17)])
    book.save(raw / "log.xlsx")
    found = dict(read(tree()).fields["a.png"])
    assert (found["kvp"], found["sequence"], found["session"]) == (160, 17, "s1")
    assert found["acquired_at"] == datetime(2024, 5, 17, 14, 30)
    assert "note" not in found


def test_excel_file_names_that_are_numbers(raw, tree):
    save(raw / "582.png")
    book = openpyxl.Workbook()
    book.active.append(["basename", "object"])
    book.active.append([582, "apple"])
    book.save(raw / "log.xlsx")
    assert read(tree()).fields == {"582.png": {"object": "apple"}}


def test_excel_sheet_by_name(raw, tree, project):
    save(raw / "a.png")
    book = openpyxl.Workbook()
    page = book.create_sheet("기록")
    page.append(["파일명", "session"])
    page.append(["a.png", "s1"])
    book.save(raw / "log.xlsx")
    table = TableConfig(path="raw/log.xlsx", sheet="기록")
    assert Tables().read(tree(tables=[table])).fields == {"a.png": {"session": "s1"}}
    with pytest.raises(InputError, match=r"has no sheet 'x'; sheets are Sheet, 기록"):
        Tables().read(tree(tables=[TableConfig(path="raw/log.xlsx", sheet="x")]))


def test_rows_without_a_file_and_files_without_a_row_are_told(log, tree):
    log(HEADER, ROW, ["gone.png", *ROW[1:]])
    found = read(tree())
    ((bad),) = found.bad_rows
    assert (bad.path, bad.item, bad.message) == ("log.csv", "row 3", "no file is called 'gone.png'")
    assert "log.csv: 1 file has no row, the first is b.png" in found.notes


def bad_rows(found):
    return [(b.item, b.message) for b in found.bad_rows]


def test_rows_are_counted_as_a_spreadsheet_counts(log, tree):
    log(HEADER, ROW, [""] * 7, ["gone.png", *ROW[1:]])
    assert bad_rows(read(tree())) == [("row 4", "no file is called 'gone.png'")]


def test_a_name_of_two_files_is_ambiguous_unless_its_folder_is_given(raw, tree):
    for path in ("x/1.png", "y/1.png", "x/2.png"):
        save(raw / path)
    save(raw / "log.csv", text(["file", "session"], ["1.png", "s1"], ["y/1.png", "s2"], ["2.png", "s3"]).encode())
    found = read(tree())
    assert found.fields == {"y/1.png": {"session": "s2"}, "x/2.png": {"session": "s3"}}
    assert bad_rows(found) == [("row 2", "'1.png' may be any of 2 files: give its folder too")]


def test_a_log_in_a_folder_means_the_files_beside_it(raw, tree):
    for path in ("x/1.png", "y/1.png"):
        save(raw / path)
    save(raw / "x/log.csv", text(["file", "session"], ["1.png", "s1"]).encode())
    assert read(tree()).fields == {"x/1.png": {"session": "s1"}}


@pytest.mark.parametrize("name", ["x/1.PNG", "X\\1.png", "./x/1.png", "/x/1.png", "x/1", "1"])
def test_ways_to_name_a_file(raw, tree, name):
    save(raw / "x/1.png")
    save(raw / "2.png")
    save(raw / "log.csv", text(["file", "session"], ["2.png", "s0"], [name, "s1"]).encode())
    assert read(tree()).fields["x/1.png"] == {"session": "s1"}


@pytest.mark.parametrize("folder", ["D:\\scans\\x\\", "/mnt/scans/x/", "C:/x/"])
def test_a_path_on_the_scanners_own_machine_means_the_file_that_its_end_names(raw, tree, folder):
    for path in ("x/1.png", "y/1.png", "2.png"):
        save(raw / path)
    save(raw / "log.csv", text(["file", "session"], ["2.png", "s0"], [f"{folder}1.png", "s1"]).encode())
    assert read(tree()).fields["x/1.png"] == {"session": "s1"}


def test_names_composed_and_decomposed_are_the_same(raw, tree):
    save(raw / unicodedata.normalize("NFD", "사과.png"))
    save(raw / "log.csv", text(["file", "session"], [unicodedata.normalize("NFC", "사과.png"), "s1"]).encode())
    assert list(read(tree()).fields.values()) == [{"session": "s1"}]


def test_the_very_name_beats_names_that_are_only_like_it(raw, tree):
    for path in ("d/A.png", "d/a.png", "d/x.tif", "d/x.tif.png"):
        save(raw / path)
    rows = (["file", "session"], ["d/A.png", "s1"], ["a.png", "s2"], ["x.tif", "s3"], ["x.tif.png", "s4"])
    save(raw / "log.csv", text(*rows).encode())
    found = read(tree())
    assert found.fields == {
        "d/A.png": {"session": "s1"},
        "d/a.png": {"session": "s2"},
        "d/x.tif": {"session": "s3"},
        "d/x.tif.png": {"session": "s4"},
    }


def test_a_second_row_of_a_file_is_told(log, tree):
    log(["file", "session"], ["a.png", "s1"], ["b.png", "s1"], ["a", "s2"])
    found = read(tree())
    assert found.fields["a.png"] == {"session": "s1"}
    assert bad_rows(found) == [("row 4", "'a' stands already in row 2")]


def test_a_bad_value_costs_the_value_and_not_the_row(log, tree):
    log(["file", "kVp", "session"], ["a.png", "auto", "s1"])
    found = read(tree())
    assert found.fields["a.png"]["session"] == "s1"
    assert "kvp" not in found.fields["a.png"]
    assert "auto" in found.fields["a.png"].values()
    assert bad_rows(found) == [("row 2, kVp", "'auto' is not a number")]


def test_a_bad_value_under_the_columns_own_name(log, tree):
    log(["file", "kvp", "session"], ["a.png", "auto", "s1"])
    assert read(tree()).fields["a.png"] == {"kvp_as_written": "auto", "session": "s1"}


def test_rows_that_are_too_long_or_too_short(log, tree):
    log(["file", "kVp", "session"], ["a.png", "160", "s1", "more"], ["b.png", "160"], ["", "160", "s1"])
    found = read(tree())
    assert found.fields == {"b.png": {"kvp": "160"}}
    assert bad_rows(found) == [("row 2", "4 cells under 3 headings"), ("row 4", "no file name")]


def test_quoted_cells_with_line_breaks_and_separators(log, tree):
    log(["file", "note", "session"], ["a.png", 'one, "two"\nthree', "s1"], ["gone.png", "", ""])
    found = read(tree())
    assert found.fields["a.png"] == {"note": 'one, "two"\nthree', "session": "s1"}
    assert [b.item for b in found.bad_rows] == ["row 3"]


@pytest.mark.parametrize("heading", ["note; a, b; c; d; e", "note\n(a;b)"])
def test_headings_may_hold_separators_and_line_breaks(log, tree, heading):
    log([heading, "file", "session"], ["x", "a.png", "s1"])
    assert read(tree()).fields["a.png"] == {heading: "x", "session": "s1"}


def test_a_day_and_a_time_in_two_columns_are_left_to_be_put_together(log, tree):
    log(["file", "날짜", "시간"], ["a.png", "2024-05-17", "14:30:05"], ["b.png", "2024-05-18", ""])
    assert read(tree()).fields == {
        "a.png": {"date": "2024-05-17", "time": "14:30:05"},
        "b.png": {"date": "2024-05-18"},
    }


def test_a_day_and_a_time_in_excel(raw, tree):
    save(raw / "a.png")
    book = openpyxl.Workbook()
    book.active.append(["file", "date", "time"])
    book.active.append(["a.png", date(2024, 5, 17), time(14, 30, 5)])
    book.save(raw / "log.xlsx")
    assert read(tree()).fields == {"a.png": {"date": date(2024, 5, 17), "time": "14:30:05"}}


def test_a_bad_day_is_told(log, tree):
    log(["file", "date", "session"], ["a.png", "17.05.2024", "s1"])
    found = read(tree())
    assert found.fields["a.png"]["session"] == "s1"
    assert [item for item, _ in bad_rows(found)] == ["row 2, date"]


def test_what_no_column_holds_is_kept(log, tree):
    log(["file", "비고", "pixel_hash"], ["a.png", "재촬영", "x"])
    assert read(tree()).fields["a.png"]["비고"] == "재촬영"


def test_a_table_that_is_no_log_is_left_alone(raw, tree):
    save(raw / "a.png")
    save(raw / "prices.csv", text(["fruit", "price"], ["a.png", "1"]).encode())
    save(raw / "names.csv", text(["name", "price"], ["nobody", "1"]).encode())
    save(raw / "broken.xlsx", b"no workbook")
    save(raw / "bytes.csv", b"\xff\xff\x80file,\x81")
    save(raw / "empty.csv", b"")
    assert Tables().sniff(tree()) is None


def test_two_logs_and_the_first_one_holds(log, tree):
    log(["file", "session", "kvp"], ["a.png", "s1", "160"], name="1.csv")
    log(["file", "session"], ["a.png", "s2"], ["b.png", "s3"], name="2.csv")
    found = read(tree())
    assert found.fields["a.png"]["session"] == "s1"
    assert found.fields["b.png"]["session"] == "s3"
    assert found.sources == {"1.csv": "log", "2.csv": "log"}


def test_two_logs_of_one_file_are_put_together(log, tree):
    log(["file", "session"], ["a.png", "s1"], name="1.csv")
    log(["file", "kvp"], ["a.png", "160"], name="2.csv")
    assert read(tree()).fields["a.png"] == {"session": "s1", "kvp": "160"}


def test_a_table_of_the_config(raw, tree, tmp_path):
    save(raw / "a.png")
    save(tmp_path / "kept" / "log.txt", text(["사진", "전압기록"], ["a.png", "160"], delimiter=";").encode("cp949"))
    table = TableConfig(path="kept/log.txt", file_column="사진", encoding="cp949", columns={"전압기록": "kvp"})
    found = read(tree(tables=[table]))
    assert found.fields == {"a.png": {"kvp": "160"}}
    assert found.sources == {}
    (outside,) = found.outside
    assert (outside.path, outside.role) == ("kept/log.txt", "log")
    assert outside.sha256 == hashlib.sha256((tmp_path / "kept" / "log.txt").read_bytes()).hexdigest()


def test_a_table_of_the_config_below_the_raw_folder(log, tree):
    log(["사진", "session"], ["a.png", "s1"])
    found = read(tree(tables=[TableConfig(path="raw/log.csv", file_column="사진")]))
    assert found.sources == {"log.csv": "log"}
    assert found.outside == []


def test_a_heading_that_the_config_sends_to_no_column_goes_to_extra(log, tree):
    log(["file", "kvp"], ["a.png", "high"])
    found = read(tree(tables=[TableConfig(path="raw/log.csv", columns={"kvp": "setting"})]))
    assert found.fields["a.png"] == {"setting": "high"}
    assert found.bad_rows == []


def test_a_table_of_the_config_that_cannot_be_used_is_an_error(log, tree):
    log(["x", "session"], ["a.png", "s1"])
    with pytest.raises(ConfigError, match="has no column 'of file names'; name it with file_column"):
        Tables().sniff(tree(tables=[TableConfig(path="raw/log.csv")]))
    with pytest.raises(InputError, match=r"none.csv: cannot be read \(No such file"):
        Tables().sniff(tree(tables=[TableConfig(path="raw/none.csv")]))
    log(["file", "비고"], ["a.png", "재촬영"], encoding="cp949")
    with pytest.raises(InputError, match="is not text in utf-8; name its encoding"):
        Tables().sniff(tree(tables=[TableConfig(path="raw/log.csv", encoding="utf-8")]))


def test_why(log, tree):
    log(HEADER, ROW)
    assert Tables().sniff(tree()) == "log.csv names 1 file in its column '파일명'"
