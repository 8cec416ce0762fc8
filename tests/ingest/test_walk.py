"""The listing of a raw folder.

Wrong while green would be: a link that is followed and so counts a file twice, or never ends; something that is
neither listed nor refused.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from assets.bad import write_bad_folder
from assets.pictures import save
from xqdata.errors import InputError
from xqdata.ingest.walk import walk


def listed(root: Path, *arguments: object) -> dict[str, str]:
    listing = walk(root, *arguments)
    found = [(f.path, "file") for f in listing.files] + [(r.path, r.reason) for r in listing.refused]
    assert len(dict(found)) == len(found), "a path is listed twice"
    assert [f.path for f in listing.files] == sorted(f.path for f in listing.files)
    assert [r.path for r in listing.refused] == sorted(r.path for r in listing.refused)
    return dict(found)


def test_everything_bad_is_listed_once(raw):
    expected = write_bad_folder(raw)
    unopened = ("ignored", "outside_root", "vanished", "unsupported")
    found = listed(raw)
    assert found.keys() == expected.keys()
    for path, reason in expected.items():
        link = Path(raw / path).is_symlink() if "%" not in path else False
        assert found[path] == (reason if link or path == "pipe.png" or reason in unopened[:1] else "file")


def test_sizes_and_times(raw):
    path = save(raw / "a.png", b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (found,) = walk(raw).files
    assert (found.path, found.bytes, found.mtime_ns) == ("a.png", 5, 1_700_000_000_123_456_789)


def test_a_link_out_and_back_in_stands_for_itself(raw, tmp_path):
    save(raw / "a.png")
    (tmp_path / "bridge").symlink_to(raw)
    (raw / "b.png").symlink_to(tmp_path / "bridge" / "a.png")
    assert listed(raw) == {"a.png": "file", "b.png": "ignored"}


def test_a_folder_whose_name_begins_as_the_roots_is_outside(raw, tmp_path):
    save(tmp_path / "raw2" / "a.png")
    (raw / "b.png").symlink_to(tmp_path / "raw2" / "a.png")
    assert listed(raw) == {"b.png": "outside_root"}


def test_sockets(raw, monkeypatch):
    monkeypatch.chdir(raw)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.png")
        assert listed(raw) == {"s.png": "unsupported"}


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("*.bak", {"x/a.bak"}),
        ("x/*", {"x/a.bak", "x/y/b.png"}),
        ("x/y/*", {"x/y/b.png"}),
        ("b.png", {"b.png", "x/y/b.png"}),
        ("x/y/b.png", {"x/y/b.png"}),
    ],
)
def test_patterns_on_the_name_or_the_whole_path(raw, pattern, ignored):
    for path in ("a.png", "b.png", "x/a.bak", "x/y/b.png"):
        save(raw / path)
    found = listed(raw, [pattern])
    assert {path for path, what in found.items() if what == "ignored"} == ignored
    assert len(found) == 4


def test_the_projects_own_files_are_no_raw_data(raw):
    for path in ("a.png", "manifests/images.parquet", ".xqdata/lock", "xqdata.toml", "x/manifests/b.png"):
        save(raw / path)
    own = {raw / "manifests", raw / ".xqdata", raw / "xqdata.toml"}
    assert listed(raw, (), own).keys() == {"a.png", "x/manifests/b.png"}


def test_an_empty_folder(raw):
    assert listed(raw) == {}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be listed"):
        walk(tmp_path / "none")


def test_a_folder_that_vanishes_meanwhile_is_no_crash(raw, monkeypatch):
    save(raw / "a" / "1.png")
    save(raw / "b.png")
    scandir, seen = os.scandir, []

    def gone(path):
        seen.append(path)
        if Path(path).name == "a":
            (raw / "a" / "1.png").unlink(missing_ok=True)
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    assert listed(raw)["b.png"] == "file"
