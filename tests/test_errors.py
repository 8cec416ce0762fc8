"""Errors are one line with what, where and what to do.

Wrong while green would be: a file's name with a newline that breaks the line.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path

from xqdata.errors import InputError, XqdataError, installing, one_line


def test_message_place_and_remedy_stand_in_one_line():
    error = XqdataError("is not a folder", where="a\nb\x1b[31m.png", hint="name a folder")
    assert str(error) == "a\\nb\\x1b[31m.png: is not a folder; name a folder"
    assert str(XqdataError("bad")) == "bad"


def test_korean_is_not_escaped():
    assert one_line("사과 é") == "사과 é"


def test_surrogates_of_undecodable_names_can_be_printed():
    assert one_line("a\udcff").encode("utf-8") == b"a\\udcff"


def test_errors_cross_process_borders_whole():
    error = InputError("is not a folder", where="x", hint="name a folder")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (InputError, str(error))


def test_extras_are_installed_from_a_folder_since_the_index_has_another_xqdata():
    assert installing("dicom") == "pip install '/path/to/xqdata[dicom]'"
    assert installing("remote", "adlfs") == "pip install '/path/to/xqdata[remote]' adlfs"


def test_no_page_and_no_message_installs_by_name():
    top = Path(__file__).parents[1]
    texts = [top / "README.md", *(top / "docs").rglob("*.md"), *(top / "xqdata").rglob("*.py")]
    texts += (top / "benchmark").rglob("*.py")
    by_name = re.compile(r"pip install ['\"]?xqdata")
    assert [str(path) for path in texts if by_name.search(path.read_text(encoding="utf-8"))] == []
