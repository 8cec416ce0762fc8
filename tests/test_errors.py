"""Errors are one line with what, where and what to do.

Wrong while green would be: a file's name with a newline that breaks the line.
"""

from __future__ import annotations

import pickle

from xqdata.errors import InputError, XqdataError, one_line


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
