"""Stores in general, on fsspec's own in memory: what is asked of S3 by its own interface is tested with ingest.

Wrong while green would be: a listing that only S3 gives; a file that changed and looks as it did.
"""

from __future__ import annotations

import pytest

from assets.pictures import encoded, grey, save
from xqdata import remote, scans
from xqdata.config import Config
from xqdata.errors import InputError, RemoteError
from xqdata.ingest import draft, ingest, resolve
from xqdata.ingest.walk import walk
from xqdata.remote import Address, Copies
from xqdata.remote.store import _nanoseconds

memory = pytest.importorskip("fsspec.implementations.memory")


@pytest.fixture
def box():
    made = memory.MemoryFileSystem()
    yield made
    made.store.clear()
    made.pseudo_dirs[:] = [""]


def test_a_folder_in_memory(box, project, reference, tmp_path):
    for number in range(3):
        box.pipe(f"/box/raw/a/apple_{number}.png", encoded(grey(seed=number)))
    box.pipe("/box/raw/log.csv", b"file,operator\napple_1.png,Kim\n")
    roots = resolve(["memory://box/raw"], {})
    result = ingest(project, roots, Config(), reference)
    assert result.tables["images"]["path"].to_pylist() == [f"a/apple_{n}.png" for n in range(3)]
    assert result.tables["images"]["operator"].to_pylist() == [None, "Kim", None]
    assert ingest(project, roots, Config(), reference).accounts[0].read == 0
    box.pipe("/box/raw/a/apple_2.png", encoded(grey(seed=9)))
    assert ingest(project, roots, Config(), reference).accounts[0].read == 1
    found = scans.standing(project)
    assert [scan.read().width for scan in found] == [16] * 3
    assert scans.changes(project, found) == {}
    box.rm("/box/raw/a/apple_0.png")
    assert scans.changes(project, found) == {0: "gone since ingest"}
    assert "apple_{number}" not in draft(roots, reference, tmp_path)


def test_files_above_what_is_held_in_memory_are_read_in_pieces(box, project, reference, monkeypatch):
    monkeypatch.setattr(remote.store, "_SMALL", 10)
    box.pipe("/box/raw/apple.png", encoded(grey()))
    box.pipe("/box/raw/large.png", encoded(grey(50, 60)))
    config = Config.model_validate({"ingest": {"max_bytes": 1000}})
    result = ingest(project, resolve(["memory://box/raw"], {}), config, reference)
    assert result.tables["images"]["path"].to_pylist() == ["apple.png"]
    assert result.tables["rejects"]["reason"].to_pylist() == ["too_large"]
    assert result.tables["rejects"]["sha256"].null_count == 0


@pytest.mark.parametrize(
    ("info", "told"),
    [({"size": None}, "tells no sizes"), ({"name": "/elsewhere/a.png"}, "which is not in it")],
)
def test_listings_that_cannot_be_used(box, monkeypatch, info, told):
    box.pipe("/box/raw/a.png", b"x")
    one = {"name": "/box/raw/a.png", "size": 1, "type": "file", **info}
    monkeypatch.setattr(memory.MemoryFileSystem, "ls", lambda *a, **k: [one])
    with pytest.raises(RemoteError, match=told):
        walk(remote.location("memory://box/raw"))


def test_without_time_and_tag_nothing_says_that_a_file_is_the_same(box, project, reference, monkeypatch):
    box.pipe("/box/raw/a.png", encoded(grey()))
    monkeypatch.setattr(remote.store, "_TIMES", ())
    roots = resolve(["memory://box/raw"], {})
    for _ in range(2):
        result = ingest(project, roots, Config(), reference)
        assert result.accounts[0].read == 1
        assert result.tables["images"]["mtime"].to_pylist() == [None]
    assert scans.standing(project)[0].read().width == 16


def test_packages_that_are_not_installed():
    with pytest.raises(InputError, match=r"pip install '/path/to/xqdata\[remote\]' adlfs"):
        remote.check_folder(remote.location("az://box/raw"))
    with pytest.raises(InputError, match="no store is reached like this"):
        remote.check_folder(remote.location("nowhere://box/raw"))


def test_signed_addresses_do_not_get_into_messages(box, monkeypatch):
    def fail(*_, **__):
        raise OSError("403, url='https://account.net/box/a.png?sv=1&sig=SECRET'")

    monkeypatch.setattr(memory.MemoryFileSystem, "cat_file", fail)
    with pytest.raises(RemoteError) as caught:
        remote.read(Address("memory://box/raw/a.png"))
    assert "account.net/box/a.png" in str(caught.value) and "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2024-05-06T07:08:09.123456+00:00", 1714979289123456000),
        ("2024-05-06T07:08:09Z", 1714979289000000000),
        (1714979289, 1714979289000000000),
        (None, None),
    ],
)
def test_times(moment, expected):
    assert _nanoseconds(moment) == expected


def test_names_that_no_file_can_have(box, tmp_path):
    keys = ["x" * 400 + ".csv", "a/../../../etc/passwd", "b" * 300, "한" * 200 + ".txt", ".csv"]
    for key in keys:
        box.store[f"/box/raw/{key}"] = memory.MemoryFile(box, f"/box/raw/{key}", key.encode())
    made = Copies(Address("memory://box/raw"), tmp_path / "in", [(key, 1, 1, "") for key in keys])
    places = [made._place(key) for key in keys]
    assert len(set(places)) == len(keys)
    for place in places:
        assert place.resolve().is_relative_to(tmp_path / "in") and place.parent.parent == tmp_path / "in"
        save(place, b"")


def test_a_copy_is_of_one_version(box, tmp_path):
    address = Address("memory://box/raw")
    box.pipe("/box/raw/log.csv", b"old")
    old = Copies(address, tmp_path, [("log.csv", 3, 1, "")])
    assert old.locate("log.csv").read_bytes() == b"old"
    box.pipe("/box/raw/log.csv", b"new")
    assert old.locate("log.csv").read_bytes() == b"old"
    for facts in ((3, 2, ""), (3, 1, "tag"), (4, 1, "")):
        new = Copies(address, tmp_path, [("log.csv", *facts)])
        assert new.locate("log.csv").read_bytes() == b"new"
    new.sweep()
    assert [p.read_bytes() for p in tmp_path.rglob("*.csv")] == [b"new"]
    assert not Copies(address, tmp_path, [("gone.csv", 3, 1, "")]).locate("gone.csv").exists()
