"""Raw folders at an address, on a local S3.

Wrong while green would be: rows that differ from those of the same files on disk; a second run that reads everything
again, or an object that changed and is not read; a log that changed and whose old copy is believed; a store that does
not answer taken for scans that are bad; a password in a table, in provenance or in a message; a key that leads out of
a folder, or that is neither listed nor refused; several requests for each image.
"""

from __future__ import annotations

import json
import stat
import threading

import pyarrow.compute as pc
import pytest

from assets import command
from assets.bad import write_bad_folder
from assets.pictures import encoded, grey, save
from xqdata import manifest, remote, scans
from xqdata.config import IngestConfig
from xqdata.errors import InputError, RemoteError
from xqdata.images import BadImage
from xqdata.ingest import draft, resolve
from xqdata.ingest import measuring as measuring_module
from xqdata.ingest import run as run_module
from xqdata.manifest import Project
from xqdata.status import status

LOG = "file,object,operator\napple_0.png,apple,Kim\napple_1.png,apple,Lee\n"


def plain(tables):
    """The tables without what differs by nature: when a file was put where it is."""
    return {n: t.drop_columns(["mtime"]).to_pylist() if n == "images" else t.to_pylist() for n, t in tables.items()}


def few(folder, count=4):
    for number in range(count):
        save(folder / f"apple_{number}.png", seed=number)
    save(folder / "log.csv", LOG.encode())


def export(folder):
    """What is wrong with raw folders, as far as it can be put into a bucket, and readers with much to read."""
    write_bad_folder(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        special = path.is_symlink() or not (stat.S_ISREG(path.lstat().st_mode) or path.is_dir())
        if special or (path.is_file() and not path.name.isprintable()):
            path.unlink()
    few(folder / "operators")
    for number in range(20):
        save(folder / f"sided/pear_{number}.png", seed=100 + number)
        save(folder / f"sided/pear_{number}.json", json.dumps({"object": "pear", "bag": f"B{number}"}).encode())
        save(folder / f"boxed/images/{number}.png", seed=200 + number)
        save(folder / f"boxed/labels/{number}.txt", b"0 0.5 0.5 0.2 0.2\n")
    save(folder / "boxed/classes.txt", b"grape\n")


def test_the_same_tables_from_a_folder_and_from_a_bucket(run, tmp_path, s3, bucket):
    raw = tmp_path / "raw"
    raw.mkdir()
    export(raw)
    s3.upload(raw, bucket, "exports/raw")
    s3.requests.clear()
    here = run(raw, into=Project(tmp_path / "here"))
    there = run(f"s3://{bucket}/exports/raw", into=Project(tmp_path / "there"), workers=1)
    assert plain(there.tables) == plain(here.tables)
    assert [a.readers for a in there.accounts] == [a.readers for a in here.accounts]
    assert there.tables["detections"].num_rows == 20 and there.tables["sources"].num_rows >= 42
    reasons = set(there.tables["rejects"]["reason"].to_pylist())
    assert {"truncated", "ignored", "empty", "unsupported", "too_large", "not_an_image"} <= reasons
    # Whether there is such a folder is asked once.
    assert [path for method, path in s3.requests if method != "GET"] == [f"{bucket}/exports/raw"]
    fetched = s3.gets()
    # Each file once; of those that readers look into, a copy as well.
    looked = sum(path.endswith((".json", ".txt", ".csv")) or "." not in path.rpartition("/")[2] for path in fetched)
    listed = there.accounts[0].found - reasons_of(there, "ignored")
    assert len(fetched) <= listed + looked


def reasons_of(result, reason):
    return pc.sum(pc.equal(result.tables["rejects"]["reason"], reason)).as_py() or 0


def test_worker_processes_fetch_for_themselves(run, raw, tmp_path, s3, bucket, monkeypatch):
    monkeypatch.setattr(measuring_module, "_FEW", 0)
    few(raw, 40)
    s3.upload(raw, bucket, "raw")
    there = run(f"s3://{bucket}/raw", workers=2)
    assert plain(there.tables) == plain(run(raw, into=Project(tmp_path / "here")).tables)
    assert there.tables["images"].num_rows == 40


def test_files_are_measured_while_a_bucket_is_listed(run, raw, tmp_path, s3, bucket, monkeypatch):
    for folder in "abc":
        few(raw / folder, 3)
    s3.upload(raw, bucket, "raw")
    here = run(raw, into=Project(tmp_path / "here"))
    measured, early = threading.Event(), []

    def held(method, path):
        if "prefix=raw%2Fb%2F" in path:
            early.append(measured.wait(60))  # this folder is listed when a file of another one is measured
        return False

    s3.refuse = held
    monkeypatch.setattr(run_module, "PATIENCE", 0)
    monkeypatch.setattr(measuring_module, "SHARD_FILES", 1)
    there = run(f"s3://{bucket}/raw", workers=1, progress=lambda root, done, total: done and measured.set())
    assert early == [True]
    assert plain(there.tables) == plain(here.tables)
    assert there.accounts[0].read == 12 and there.tables["sources"].num_rows == 3


# --- again


def test_a_second_run_fetches_only_what_changed(run, raw, s3, bucket):
    few(raw, 3)
    s3.upload(raw, bucket, "raw")
    address = f"s3://{bucket}/raw"
    run(address)
    assert len(s3.gets()) == 5  # the log twice: for its hash, and to be read
    again = run(address)
    assert (s3.gets(), again.accounts[0].read, again.changed) == ([], 0, False)
    # Of one size and within one second.
    old = run(address).tables["images"].to_pylist()
    s3.put(bucket, "raw/apple_1.png", save(raw / "apple_1.png", b"x" * old[1]["bytes"]).read_bytes())
    s3.delete(bucket, "raw/apple_2.png")
    changed = run(address)
    assert s3.gets() == [f"{bucket}/raw/apple_1.png"]
    assert changed.accounts[0].missing == 1
    assert reasons_of(changed, "not_an_image") == 1


def test_a_log_that_changed_is_read_anew(run, raw, project, s3, bucket):
    few(raw, 2)
    s3.upload(raw, bucket, "raw")
    assert run(f"s3://{bucket}/raw").tables["images"]["operator"].to_pylist() == ["Kim", "Lee"]
    s3.put(bucket, "raw/log.csv", LOG.replace("Lee", "Han").encode())
    assert run(f"s3://{bucket}/raw").tables["images"]["operator"].to_pylist() == ["Kim", "Han"]
    assert len(list((project.state / "fetched/raw").iterdir())) == 1


def test_side_files_are_fetched_together(run, raw, s3, bucket, monkeypatch):
    for number in range(21):
        save(raw / f"pear_{number:02}.png", seed=number)
        save(raw / f"pear_{number:02}.json", b'{"bag": "B1"}')
    s3.upload(raw, bucket, "raw")
    rounds = []
    heads = remote.copies.heads
    monkeypatch.setattr(remote.copies, "heads", lambda *a: rounds.append(len(a[0])) or heads(*a))
    assert run(f"s3://{bucket}/raw").tables["images"]["bag"].to_pylist() == ["B1"] * 21
    assert rounds == [1, 2, 4, 8, 6]


def test_a_dry_run_leaves_nothing(run, raw, project, s3, bucket):
    few(raw)
    s3.upload(raw, bucket, "raw")
    assert run(f"s3://{bucket}/raw", dry_run=True).tables["sources"].num_rows == 1
    assert list(project.folder.iterdir()) == []


def test_what_a_bucket_may_hold_besides_files(run, s3, bucket):
    for key in ("a.png", "b//c.png", "../d.png", "x/../e.png", "./f.png", "/g.png", "h.png?versionId=1", "i%41.png"):
        s3.put(bucket, f"raw/{key}", encoded(grey()))
    for key in ("raw/", "raw/empty/", "raw/b/"):
        s3.put(bucket, key, b"")
    s3.put(bucket, "raw/full/", b"bytes in a folder")
    s3.put(bucket, "rawness.png", encoded(grey()))
    result = run(f"s3://{bucket}/raw")
    assert result.tables["images"]["path"].to_pylist() == ["a.png", "i%2541.png"]
    refused = dict(zip(*(result.tables["rejects"][c].to_pylist() for c in ("path", "reason")), strict=True))
    wanted = ["../d.png", "./f.png", "/g.png", "b//c.png", "full/", "h.png?versionId=1", "x/../e.png"]
    assert refused == dict.fromkeys(wanted, "unsupported")


def test_a_whole_bucket_and_pages_of_its_listing(run, s3, bucket, monkeypatch):
    for number in range(5):
        s3.put(bucket, f"{number}.png", encoded(grey(seed=number)))
        s3.put(bucket, f"sub/{number}.png", encoded(grey(seed=number)))
    fs = remote.store._filesystem(remote.location(f"s3://{bucket}"))
    call = fs.call_s3
    monkeypatch.setattr(fs, "call_s3", lambda name, **more: call(name, **more, MaxKeys=2))
    result = run(f"s3://{bucket}/")
    assert result.accounts[0].root.name == bucket
    assert result.tables["images"].num_rows == 10


# --- what goes wrong on the way


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        ("403 Forbidden", "ExpiredToken", "say who you are as the store's own tools take it"),
        ("500 Internal Server Error", "InternalError", "the command goes on when run again"),
        ("503 Slow Down", "ServiceUnavailable", "the command goes on when run again"),
    ],
)
def test_a_store_that_refuses_makes_no_reject_and_what_was_finished_is_kept(
    run, raw, s3, bucket, monkeypatch, status, code, hint
):
    monkeypatch.setattr(measuring_module, "SHARD_FILES", 2)
    s3.refusal = (status, code)
    few(raw, 10)
    s3.upload(raw, bucket, "raw")
    s3.refuse = lambda method, path: path.endswith("apple_7.png")
    told = rf"^s3://{bucket}/raw/apple_7\.png: cannot be read \(.*{code} by the test\); {hint}$"
    with pytest.raises(RemoteError, match=told):
        run(f"s3://{bucket}/raw", workers=1)
    assert not (raw.parent / "project/manifests").exists()
    s3.refuse = lambda method, path: False
    s3.gets()
    result = run(f"s3://{bucket}/raw")
    assert {path.rpartition("/")[2] for path in s3.gets()} == {"apple_7.png", "apple_6.png", "apple_8.png",
                                                              "apple_9.png", "log.csv"}  # fmt: skip
    assert result.tables["images"].num_rows == 10 and result.tables["rejects"].num_rows == 0


def test_a_folder_that_cannot_be_listed_ends_the_run(run, raw, project, s3, bucket):
    few(raw / "a")
    few(raw / "b")
    s3.upload(raw, bucket, "raw")
    run(f"s3://{bucket}/raw")
    s3.refuse = lambda method, path: "prefix=raw%2Fb%2F" in path
    with pytest.raises(RemoteError, match="AccessDenied by"):
        run(f"s3://{bucket}/raw")
    assert manifest.read(project, "images").num_rows == 8


def test_a_key_that_is_gone_is_a_reject_but_a_bucket_is_none(run, raw, s3, bucket, monkeypatch):
    few(raw, 3)
    s3.upload(raw, bucket, "raw")
    address = f"s3://{bucket}/raw"
    result = run(address, progress=lambda root, done, total: s3.delete(bucket, "raw/apple_1.png"), workers=1)
    assert reasons_of(result, "vanished") == 1
    read = remote.read

    emptying = threading.Lock()  # files are read ahead by several threads

    def emptied(place):
        with emptying:
            if s3.has(bucket):
                for key in ("apple_0.png", "apple_1.png", "apple_2.png", "log.csv"):
                    s3.delete(bucket, f"raw/{key}")
                s3._client().delete_bucket(Bucket=bucket)
        return read(place)

    monkeypatch.setattr(remote.store, "read", emptied)
    with pytest.raises(RemoteError, match="is not there any more"):
        run(f"other={address}/", into=Project(raw.parent / "other"), workers=1)


def test_short_answers_are_no_truncated_scans(run, raw, s3, bucket, monkeypatch):
    few(raw, 1)
    s3.upload(raw, bucket, "raw")
    read = remote.read
    monkeypatch.setattr(remote.store, "read", lambda place: read(place)[:-5])
    with pytest.raises(RemoteError, match=r"bytes came of"):
        run(f"s3://{bucket}/raw", workers=1)


def test_a_file_that_changes_between_listing_and_reading(run, raw, s3, bucket):
    few(raw, 1)
    s3.upload(raw, bucket, "raw")
    address, longer = f"s3://{bucket}/raw", encoded(grey(30, 40))
    result = run(address, progress=lambda *_: s3.put(bucket, "raw/apple_0.png", longer), workers=1)
    assert result.tables["images"]["bytes"].to_pylist() == [len(longer)]
    assert run(address).accounts[0].read == 1
    assert run(address).accounts[0].read == 0


def test_an_upload_of_the_same_bytes_is_no_change_for_later_steps(standing, run, raw, s3, bucket, monkeypatch):
    found = remote.store._nanoseconds
    monkeypatch.setattr(remote.store, "_nanoseconds", lambda moment: found(moment) + 10**9)
    again = run(f"s3://{bucket}/raw")
    assert (again.accounts[0].read, again.changed) == (3, True)
    assert scans.changes(standing, scans.standing(standing)) == {}


def test_nobody_answers(run, monkeypatch):
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    monkeypatch.setattr("s3fs.S3FileSystem.cachable", False)
    monkeypatch.setattr(remote.store, "_filesystem", remote.store._filesystem.__wrapped__)
    with pytest.raises(RemoteError, match=r"^s3://nobody/raw: cannot be read \(Could not connect to the endpoint"):
        run("s3://nobody/raw")


@pytest.mark.parametrize("address", ["s3://{}-x/raw", "s3://{}/none", "s3://{}/raw/apple_0.png"])
def test_no_such_folder(run, raw, s3, bucket, address, project):
    few(raw, 1)
    s3.upload(raw, bucket, "raw")
    with pytest.raises(InputError, match=r"there is no such folder|is a file, not a folder"):
        run(address.format(bucket))
    assert manifest.standing(project) == []


def test_no_secret_is_written_anywhere(run, raw, project, s3, bucket):
    few(raw, 2)
    s3.upload(raw, bucket, "raw")
    run(f"s3://{bucket}/raw")
    for secret in ("AKIATESTING", "not-a/secret", "not-a%2Fsecret"):
        assert not [p for p in project.folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]
    with pytest.raises(InputError) as caught:
        run(f"s3://AKIATESTING:not-a/secret@{bucket}/raw")
    assert "AKIA" not in str(caught.value) and "secret" not in str(caught.value)
    with pytest.raises(InputError, match="must not hold a password"):
        run(f"s3://{bucket}/raw", config={"tables": [{"path": "s3://me:word@b/log.csv"}], "readers": ["folders"]})


# --- roots and later steps


def test_roots_at_addresses(s3, bucket, raw):
    def names(*arguments, before=None):
        return [root.name for root in resolve(arguments, before or {})]

    assert names(f"s3://{bucket}/a/raw", f"x=s3://{bucket}/b/raw", "s3://{}".format(bucket + "2")) == [
        "raw", "x", bucket + "2"]  # fmt: skip
    for inner, outer in (("raw/x", "raw"), ("raw", "raw/x"), ("raw/", "raw")):
        with pytest.raises(InputError, match="lies in the same folder"):
            names(f"a=s3://{bucket}/{inner}", f"b=s3a://{bucket}/{outer}")
    names(f"a=s3://{bucket}/raw", f"b=s3://{bucket}/raw2")
    with pytest.raises(InputError, match="two raw folders are called raw"):
        names(f"s3://{bucket}/a/raw", str(raw))
    s3.put(bucket, "old/raw/a.png", b"")
    old = {"raw": f"s3://{bucket}/old/raw"}
    with pytest.raises(InputError, match="two raw folders are called raw"):
        names(str(raw), before=old)
    s3.delete(bucket, "old/raw/a.png")
    assert names(str(raw), before=old) == ["raw"]  # it moved


@pytest.fixture
def standing(run, raw, project, s3, bucket):
    """A project of two images at an address."""
    few(raw, 2)
    s3.upload(raw, bucket, "raw")
    run(f"s3://{bucket}/raw")
    s3.gets()
    return project


def test_scans_are_read_with_one_request(standing, raw, s3, bucket):
    found = scans.standing(standing)
    assert [scan.read().grey.shape for scan in found] == [(12, 16)] * 2
    assert scans.changes(standing, found) == {}
    assert [method for method, _ in s3.requests] == ["GET"] * 3
    s3.put(bucket, "raw/apple_0.png", encoded(grey(12, 16, seed=9)))
    s3.delete(bucket, "raw/apple_1.png")
    for scan, reason in zip(found, ("unreadable", "vanished"), strict=True):
        with pytest.raises(BadImage) as caught:
            scan.read()
        assert caught.value.reason == reason
    assert scans.changes(standing, found) == {
        0: "changed since ingest: run xqdata ingest again", 1: "gone since ingest"}  # fmt: skip
    s3.refuse = lambda *_: True
    with pytest.raises(RemoteError):
        found[0].read()


def test_a_remote_folder_is_not_called_gone(standing):
    assert [table.stale for table in status(standing, {})] == [()] * 4


def test_a_draft_of_the_config(standing, s3, bucket, reference, tmp_path):
    text = draft(resolve([f"s3://{bucket}/raw"], {}), reference, tmp_path)
    assert f'path = "s3://{bucket}/raw/log.csv"' in text


def test_a_table_that_the_config_names_by_its_address(run, raw, s3, bucket):
    few(raw, 2)
    s3.upload(raw, bucket, "raw")
    named = {"path": f"s3://{bucket}/raw/log.csv", "columns": {"operator": "site"}}
    result = run(f"s3://{bucket}/raw", config={"tables": [named]})
    assert result.tables["images"]["site"].to_pylist() == ["Kim", "Lee"]
    assert IngestConfig.model_validate({"tables": [named]}).tables[0].path.startswith("s3://")


def test_dicom_without_endings_is_looked_into_by_its_first_bytes(run, s3, bucket):
    for number in range(3):
        s3.put(bucket, f"raw/scan{number}", bytes(128) + b"DICM" + bytes(5000))
    s3.put(bucket, "raw/short", b"x")
    result = run(f"s3://{bucket}/raw")
    assert [name for name, _ in result.accounts[0].readers] == ["dicom"]
    assert len(s3.gets()) == 3 + 4


def test_the_command_line(raw, tmp_path, s3, bucket):
    few(raw, 2)
    s3.upload(raw, bucket, "exports")
    folder = tmp_path / "work"
    folder.mkdir()
    told = json.loads(command.run(folder, "ingest", f"raw=s3://{bucket}/exports", "--json").stdout)
    assert told["roots"][0]["location"] == f"s3://{bucket}/exports"
    failed = command.run(folder, "ingest", f"b=s3://me:word@{bucket}/exports", code=1)
    assert failed.stderr.count("\n") == 1 and "word@" not in failed.stderr
