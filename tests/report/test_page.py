"""Pages are written whole, or an error says in one line why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from xqdata.errors import InputError
from xqdata.report import page


def test_a_page_that_cannot_be_written_is_an_error_of_the_users_side(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"file/x\.html: cannot be written \(.*\); .*name another file"):
        page.write(tmp_path / "file" / "x.html", "")


def test_a_page_is_written_with_its_folder_and_leaves_no_part(tmp_path: Path) -> None:
    page.write(tmp_path / "new" / "x.html", "é")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.html"]
    assert (tmp_path / "new/x.html").read_text(encoding="utf-8") == "é"
