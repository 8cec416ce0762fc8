"""Raw folders as commands name them.

Wrong while green would be: one folder twice in the tables under two names, or two folders under one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from xqdata.errors import InputError
from xqdata.ingest import Root, resolve


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ("a/raw", "b/raw", "x=y"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_called_by_its_own_name(folders):
    assert resolve(["a/raw"], {}) == [Root("raw", folders / "a" / "raw")]
    assert resolve([str(folders / "a" / "raw") + "/"], {})[0].name == "raw"
    assert resolve(["a/raw/../../a"], {})[0] == Root("a", folders / "a")
    assert resolve(["."], {})[0].name == folders.name


def test_a_link_is_called_by_what_it_leads_to(folders):
    (folders / "link").symlink_to("a/raw")
    assert resolve(["link"], {}) == [Root("raw", folders / "a" / "raw")]


def test_an_alias(folders):
    assert resolve(["first=a/raw", "둘째=b/raw"], {}) == [
        Root("first", folders / "a" / "raw"),
        Root("둘째", folders / "b" / "raw"),
    ]


def test_a_folder_with_an_equals_sign_in_its_name(folders):
    assert resolve(["x=y"], {}) == [Root("x=y", folders / "x=y")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "none: there is no such folder"),
        (["name=none"], "there is no such folder"),
        (["file"], "is a file, not a folder"),
        (["a/raw", "b/raw"], "two raw folders are called raw"),
        (["a/raw", "a/raw"], "lies in the same folder as"),
        (["a", "a/raw"], "lies in the same folder as"),
        (["a/raw", "p=a"], "lies in the same folder as"),
        (["same=a/raw", "same=b/raw"], "two raw folders are called same"),
        (["/"], "has no name of its own; give it an alias: NAME=/"),
    ],
)
def test_what_cannot_be_used_is_one_line(folders, arguments, said):
    with pytest.raises(InputError) as caught:
        resolve(arguments, {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_tables_know_already(folders):
    place = str(folders / "a" / "raw")
    assert resolve(["a/raw"], {"raw": place})[0].name == "raw"
    assert resolve([f"first={place}"], {"first": place})[0].name == "first"
    with pytest.raises(InputError, match=r"two raw folders are called raw: .*give this one an alias"):
        resolve(["b/raw"], {"raw": place})
    with pytest.raises(InputError, match=f"is in the tables already, as first; run: xqdata ingest first={place}"):
        resolve(["a/raw"], {"first": place})


def test_a_folder_that_moved_keeps_its_name(folders):
    """Its old place is gone, so nothing can be meant twice."""
    assert resolve(["b/raw"], {"raw": str(folders / "gone" / "raw")})[0].location == folders / "b" / "raw"


def test_a_name_that_is_not_utf_8(folders):
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    Path(name).mkdir()
    assert resolve([name], {})[0].name == "caf%E9"


@pytest.mark.parametrize("alias", [".", ".."])
def test_an_alias_that_is_a_step_in_a_path_is_refused(folders, alias):
    """The root's name is a folder's name in `.xqdata`."""
    with pytest.raises(InputError):
        resolve([f"{alias}=a/raw"], {})
