"""The main job, from raw folders to tables.

Wrong while green would be: a file that is in no table; a second run that reads everything again or gives another
digest; tables that depend on the number of workers, on the cache, or on what an earlier run left; a dry run that
writes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from assets.bad import write_bad_folder
from assets.export import write_export
from assets.pictures import colour, deep, encoded, grey, save
from xqdata import manifest, memory, readers, scans, schema
from xqdata.errors import InputError, XqdataError
from xqdata.ingest import measuring
from xqdata.ingest.walk import walk
from xqdata.manifest import Project, gather
from xqdata.readers import Reading


def digests(project: Project) -> dict[str, str]:
    return {name: manifest.provenance(project, name).digest for name in manifest.TOGETHER}


def rows(project: Project, name: str = "images") -> dict[str, dict[str, object]]:
    """Rows by path; of several pages the last."""
    return {row["path"]: row for row in manifest.read(project, name).to_pylist()}


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_ino) for p in sorted(folder.rglob("*"))}


def few(raw: Path, count: int = 5) -> None:
    for n in range(count):
        save(raw / f"apple/single_basket/{n}.png", seed=n)


# --- everything bad


def test_everything_bad_is_accounted_for(run, raw, project):
    expected = write_bad_folder(raw)
    (account,) = run(raw, workers=1).accounts
    assert account.found == len(expected) == sum(1 for p in raw.rglob("*") if p.is_symlink() or not p.is_dir())
    images = rows(project)
    rejects = {r["path"]: r for r in manifest.read(project, "rejects").to_pylist() if r["item"] is None}
    found = dict.fromkeys(images, "image") | {path: str(r["reason"]) for path, r in rejects.items()}
    assert found == expected
    for path, row in rejects.items():
        assert row["message"]
        assert str(row["message"]).isprintable(), path
        opened = row["reason"] not in ("ignored", "outside_root", "vanished") and path not in (
            "pipe.png",
            "loop a.png",
            "loop b.png",
        )
        assert (row["sha256"] is not None) == opened, path
        assert not opened or row["bytes"] is not None


def test_a_half_broken_tiff_has_its_good_pages_and_a_reject_for_the_other(run, raw, project):
    write_bad_folder(raw)
    run(raw, workers=1)
    images = manifest.read(project, "images").to_pylist()
    assert [r["page"] for r in images if r["path"] == "half broken.tif"] == [0, 2]
    items = [r for r in manifest.read(project, "rejects").to_pylist() if r["item"] is not None]
    assert [(r["path"], r["item"], r["reason"]) for r in items] == [("half broken.tif", "page 1", "unreadable")]


def test_the_tables_of_a_bad_folder_do_not_depend_on_the_run(run, raw, tmp_path):
    """Messages of decoders must not tell where in memory something lay."""
    write_bad_folder(raw)
    found = []
    for n, workers in enumerate((1, 2, 1)):
        project = Project(tmp_path / f"project {n}")
        run(raw, into=project, workers=workers)
        found.append(digests(project))
    assert found[0] == found[1] == found[2]
    assert " at 0x" not in str(manifest.read(project, "rejects")["message"].to_pylist())


def test_columns_whose_texts_are_gathered_in_pieces_give_the_same_tables(run, raw, tmp_path, monkeypatch):
    write_export(raw)
    gathered = []
    pieces = gather._pieces
    monkeypatch.setattr(gather, "_pieces", lambda *given: gathered.append(len(given[1])) or pieces(*given))
    found = []
    for n, most in enumerate((gather._MOST, 100)):
        monkeypatch.setattr(gather, "_MOST", most)
        project = Project(tmp_path / f"project {n}")
        run(raw, into=project, workers=1)
        run(raw, into=project, workers=1)
        found.append((digests(project), len(gathered) > 0))
    assert found == [(found[0][0], False), (found[0][0], True)]


def test_more_files_than_a_project_holds_are_told_before_they_are_opened(run, raw, project, monkeypatch):
    few(raw)
    monkeypatch.setattr(memory, "_MOST", 4)
    opened = []
    with pytest.raises(InputError, match="ingest: takes at most 4 images, and there are 5; divide the project by site"):
        run(raw, progress=lambda *told: opened.append(told))
    assert not opened and not project.path("images").exists()


AS_NOBODY = """
import json, os, sys
from pathlib import Path
from xqdata import config, manifest, taxonomy
from xqdata.ingest import Options, ingest, resolve
base = Path(sys.argv[1])
project = manifest.Project(base / "project")
given = (project, resolve([str(base / "raw")], {}), config.Config(), taxonomy.load())
if os.geteuid() == 0:
    # Python and the packages may lie where only root can read: whatever is imported late is imported now.
    ingest(*given, Options(dry_run=True, workers=1))
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
result = ingest(*given, Options(workers=1))
rejects = [r for r in result.tables["rejects"].to_pylist() if r["item"] is None]
print(json.dumps({
    "user": os.geteuid(),
    "found": result.accounts[0].found,
    "images": sorted(set(result.tables["images"]["path"].to_pylist())),
    "rejects": {r["path"]: [r["reason"], r["message"]] for r in rejects},
}))
"""


@pytest.fixture
def public():
    """A folder that everybody may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="xqdata-test-"))
    folder.chmod(0o755)
    (folder / "project").mkdir()
    (folder / "project").chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def as_nobody(folder: Path) -> dict[str, object]:
    command = [sys.executable, "-c", AS_NOBODY, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_permission(public):
    raw = public / "raw"
    expected = write_bad_folder(raw)
    (raw / "good.png").chmod(0)
    (raw / "x.png").chmod(0)
    (raw / "이름").chmod(0o444)  # it can be listed, and nothing in it can be looked at
    try:
        told = as_nobody(public)
    finally:
        (raw / "x.png").chmod(0o755)
        (raw / "이름").chmod(0o755)
    assert told["user"] != 0
    rejects = told["rejects"]
    assert rejects["good.png"] == ["unreadable", "Permission denied"]
    assert rejects["x.png"][0] == "unreadable"
    assert "cannot be listed" in rejects["x.png"][1]
    named = [path for path in expected if path.startswith("이름/")]
    assert {rejects[path][0] for path in named} == {"unreadable"}
    others = {p for p in expected if not p.startswith(("이름/", "x.png/", "good.png"))}
    assert {p for p in others if expected[p] == "image"} == set(told["images"])
    assert told["found"] == len(others) + len(named) + 2


# --- files that change while it runs


def test_files_that_vanish_while_it_runs(run, raw, project):
    few(raw, 6)
    gone = [raw / f"apple/single_basket/{n}.png" for n in (1, 4)]

    def progress(root, done, total):
        for path in gone:
            path.unlink(missing_ok=True)

    run(raw, progress=progress)
    rejects = rows(project, "rejects")
    assert {path: r["reason"] for path, r in rejects.items()} == {
        "apple/single_basket/1.png": "vanished",
        "apple/single_basket/4.png": "vanished",
    }
    assert len(rows(project)) == 4


def test_a_folder_that_vanishes_while_readers_look_at_it(run, raw, project, monkeypatch):
    few(raw, 3)
    save(raw / "log.csv", b"file,session\n0.png,s1\n")

    class Remover:
        name = "remover"

        def sniff(self, tree):
            return "it always applies"

        def read(self, tree):
            shutil.rmtree(raw / "apple")
            (raw / "log.csv").unlink()
            return Reading({})

    monkeypatch.setattr(readers, "READERS", (*readers.READERS, Remover()))
    result = run(raw)
    assert result.accounts[0].found == 4
    assert set(manifest.read(project, "rejects")["reason"].to_pylist()) == {"vanished"}


def test_files_that_become_something_else_while_it_runs(run, raw, project):
    for name in ("pipe", "link", "folder", "shorter", "other"):
        save(raw / f"{name}.png", encoded(colour(60, 60)))
    save(raw.parent / "outside.png")

    def progress(root, done, total):
        if done:
            return
        for name in ("pipe", "link", "folder"):
            (raw / f"{name}.png").unlink()
        os.mkfifo(raw / "pipe.png")
        (raw / "link.png").symlink_to(raw.parent / "outside.png")
        (raw / "folder.png").mkdir()
        with (raw / "shorter.png").open("r+b") as file:
            file.truncate(3000)
        save(raw / "other.png", b"now a text")

    run(raw, progress=progress)
    found = {path: r["reason"] for path, r in rows(project, "rejects").items()}
    assert found == {
        "pipe.png": "unreadable",
        "link.png": "unreadable",
        "folder.png": "unreadable",
        "shorter.png": "truncated",
        "other.png": "not_an_image",
    }


def test_what_vanished_while_it_ran_is_read_when_it_is_back(run, raw, project):
    few(raw, 2)
    path = raw / "apple/single_basket/0.png"
    data, times = path.read_bytes(), path.stat()
    run(raw, progress=lambda *_: path.unlink(missing_ok=True))
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    run(raw)
    assert len(rows(project)) == 2
    assert rows(project, "rejects") == {}


def test_an_image_that_vanishes_while_it_runs_keeps_its_row_as_missing(run, raw, project):
    few(raw, 2)
    run(raw)
    path = raw / "apple/single_basket/0.png"
    save(path, seed=77)  # so that it has to be read
    run(raw, progress=lambda *_: path.unlink(missing_ok=True))
    assert rows(project)["apple/single_basket/0.png"]["missing"] is True
    assert rows(project, "rejects")["apple/single_basket/0.png"]["reason"] == "vanished"


# --- what a row holds


def test_an_export_is_understood(run, raw, project):
    truth = write_export(raw)
    result = run(raw, workers=1)
    images = rows(project)
    assert {path: (row["object"], row["scan_type"]) for path, row in images.items()} == truth
    reasons = Counter(r["reason"] for r in rows(project, "rejects").values())
    assert reasons == {"empty": 1, "truncated": 1, "not_an_image": 1, "ignored": 1, "bad_annotation": 1}
    assert manifest.read(project, "sources").to_pylist() == [
        {
            "root": "raw",
            "path": "log.csv",
            "role": "log",
            "sha256": hashlib.sha256((raw / "log.csv").read_bytes()).hexdigest(),
        }
    ]
    first = next(iter(truth))
    row = images[first]
    assert (row["kvp"], row["ma"], row["operator"], row["session"]) == (140.0, 0.4, "김민수", "2024-03-04")
    assert row["specimens"] == ["dracaena-1"]
    assert (row["reader"], row["label_source"]) == ("tables, folders", "folders")
    pages = [r["page"] for r in manifest.read(project, "images").to_pylist() if r["path"].endswith("series.tif")]
    assert pages == [0, 1, 2]
    assert [name for name, _ in result.accounts[0].readers] == ["tables", "folders"]
    assert any("files have no row" in note for note in result.accounts[0].notes)


def test_the_examples_of_a_run_say_how_paths_were_understood(run, raw):
    write_export(raw)
    examples = run(raw, dry_run=True, workers=1).accounts[0].examples
    assert len(examples) == 3
    assert all({"object", "scan_type"} <= set(understood) for _, understood in examples)


def test_measured_columns(run, raw, project):
    data = encoded(deep(20, 30))
    path = save(raw / "a.png", data)
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))
    run(raw)
    row = rows(project)["a.png"]
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert (row["bytes"], row["format"], row["mode"], row["bit_depth"]) == (len(data), "PNG", "I;16", 16)
    assert (row["width"], row["height"], row["channels"], row["page"]) == (30, 20, 1, 0)
    assert manifest.read(project, "images")["mtime"].cast("int64").to_pylist() == [1_700_000_000_123_456_789]
    assert (row["missing"], row["object"], row["scan_type"], row["extra"]) == (False, None, None, "{}")


def test_the_identity_of_a_row_follows_from_root_path_and_page_only(run, raw, project, tmp_path):
    save(raw / "a.png", seed=1)
    run(raw)
    before = rows(project)["a.png"]["image_id"]
    save(raw / "a.png", seed=2)
    run(raw)
    assert rows(project)["a.png"]["image_id"] == before
    other = Project(tmp_path / "other")
    run(f"alias={raw}", into=other)
    assert rows(other)["a.png"]["image_id"] != before


def test_two_encodings_of_the_same_pixels_share_a_pixel_hash(run, raw, project):
    save(raw / "a.png", encoded(grey()))
    save(raw / "a.bmp", encoded(grey(), "BMP"))
    save(raw / "b.png", encoded(np.zeros((10, 20), np.uint8)))
    save(raw / "c.png", encoded(np.zeros((20, 10), np.uint8)))
    run(raw)
    found = {path: row["pixel_hash"] for path, row in rows(project).items()}
    assert found["a.png"] == found["a.bmp"]
    assert len(set(found.values())) == 3


def test_a_declared_polarity_holds_for_every_picture(run, raw, project):
    save(raw / "a.png")
    run(raw, config={"polarity": "air_dark"})
    assert rows(project)["a.png"]["polarity"] == "air_dark"


def test_a_log_outside_the_raw_folders_is_a_source_without_a_root(run, raw, project):
    few(raw, 2)
    save(project.folder / "kept.csv", b"file,session\n0.png,s1\n")
    for _ in range(2):
        result = run(raw, config={"tables": [{"path": "kept.csv"}]})
    (source,) = manifest.read(project, "sources").to_pylist()
    assert (source["root"], source["path"]) == (None, "kept.csv")
    assert rows(project)["apple/single_basket/0.png"]["session"] == "s1"
    assert result.accounts[0].found == 2


def test_a_csv_becomes_a_source_when_it_is_named_as_one(run, raw, project):
    few(raw, 1)
    save(raw / "log.csv", b"bild,session\n0.png,s1\n")
    run(raw)
    assert rows(project, "rejects")["log.csv"]["reason"] == "not_an_image"
    run(raw, config={"tables": [{"path": str(raw / "log.csv"), "file_column": "bild"}]})
    assert rows(project, "rejects") == {}
    assert rows(project, "sources")["log.csv"]["role"] == "log"


# --- again, and what changed


def test_again_is_the_same_and_reads_nothing(run, raw, project):
    write_export(raw)
    first = run(raw, workers=1)
    before = digests(project), snapshot(project.manifests)
    again = run(raw)
    assert (digests(project), snapshot(project.manifests)) == before
    assert (first.changed, again.changed) == (True, False)
    assert first.accounts[0].read > 100
    assert again.accounts[0].read == 0


def test_the_digest_depends_on_nothing_but_files_and_options(run, raw, tmp_path, project):
    """Not on workers, cache, the order in which folders are listed, the files' times, nor where the folder lies."""
    write_export(raw)
    run(raw, workers=1)
    expected = digests(project)
    two = Project(tmp_path / "two")
    run(raw, into=two, workers=2)
    assert digests(two) == expected
    shutil.rmtree(project.state)
    run(raw, workers=2)
    assert digests(project) == expected
    copy = tmp_path / "elsewhere" / "raw"
    for path in sorted((p for p in raw.rglob("*") if p.is_file()), reverse=True):
        save(copy / path.relative_to(raw), path.read_bytes())
    three = Project(tmp_path / "three")
    run(copy, into=three, workers=1)
    assert digests(three) == expected


def test_a_new_file_is_all_that_is_read(run, raw, project):
    few(raw, 3)
    run(raw)
    save(raw / "mango/x.png", seed=9)
    result = run(raw)
    assert (result.accounts[0].read, result.accounts[0].unchanged) == (1, 3)
    assert rows(project)["mango/x.png"]["object"] == "mango"


def test_a_changed_file_is_read_again(run, raw, project):
    few(raw, 3)
    run(raw)
    before = rows(project)
    path = raw / "apple/single_basket/1.png"
    times = path.stat()
    path.write_bytes(encoded(colour(30, 30)))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the size alone tells
    result = run(raw)
    after = rows(project)
    assert result.accounts[0].read == 1
    assert after["apple/single_basket/1.png"]["width"] == 30
    assert after["apple/single_basket/0.png"] == before["apple/single_basket/0.png"]


def test_a_file_of_the_same_size_and_a_new_time_is_read_again(run, raw, project):
    save(raw / "a.bmp", encoded(grey(seed=1), "BMP"))
    run(raw)
    save(raw / "a.bmp", encoded(grey(seed=2), "BMP"))
    os.utime(raw / "a.bmp", ns=(1, 1))
    assert run(raw).accounts[0].read == 1
    assert rows(project)["a.bmp"]["sha256"] == hashlib.sha256((raw / "a.bmp").read_bytes()).hexdigest()


def test_a_corrected_config_needs_no_decoding(run, raw, project):
    save(raw / "wug_3.png")
    run(raw)
    result = run(raw, config={"patterns": ["{object}_{specimen}.{ext}"]})
    assert result.accounts[0].read == 0
    assert result.changed
    assert rows(project)["wug_3.png"]["specimens"] == ["wug-3"]


def test_rules_of_measuring_make_everything_be_read_again(run, raw, project):
    few(raw, 2)
    run(raw)
    result = run(raw, config={"max_pixels": 10})
    assert result.accounts[0].read == 2
    assert {r["reason"] for r in rows(project, "rejects").values()} == {"too_large"}


def test_images_of_a_folder_that_cannot_be_listed_are_not_gone(run, raw, project, monkeypatch):
    """A share that fails for a minute must not empty the dataset."""
    few(raw, 3)
    run(raw)
    before = rows(project)
    listed = os.scandir

    def failing(folder):
        if str(folder).rstrip("/").endswith("single_basket"):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", failing)
    told = "apple/single_basket: cannot be listed .Permission denied.; 3 images of it stand"
    with pytest.raises(InputError, match=told):
        run(raw)
    assert rows(project) == before


def test_a_file_that_is_gone_stays_as_missing(run, raw, project):
    few(raw, 3)
    run(raw)
    (raw / "apple/single_basket/1.png").unlink()
    for _ in range(2):
        result = run(raw)
        assert result.accounts[0].missing == 1
        assert {path: row["missing"] for path, row in rows(project).items()} == {
            "apple/single_basket/0.png": False,
            "apple/single_basket/1.png": True,
            "apple/single_basket/2.png": False,
        }
    save(raw / "apple/single_basket/1.png", seed=1)
    run(raw)
    assert not any(row["missing"] for row in rows(project).values())


def test_a_file_that_becomes_garbage_moves_to_the_rejects_and_back(run, raw, project):
    few(raw, 2)
    run(raw)
    expected = digests(project)
    path = raw / "apple/single_basket/1.png"
    save(path, b"garbage")
    run(raw)
    assert rows(project).keys() == {"apple/single_basket/0.png"}
    assert rows(project, "rejects")["apple/single_basket/1.png"]["reason"] == "not_an_image"
    save(path, seed=1)
    run(raw)
    assert digests(project) == expected


def test_an_empty_folder_has_empty_tables(run, raw, project):
    result = run(raw)
    assert result.accounts[0].found == 0
    assert manifest.standing(project) == sorted(manifest.TOGETHER)
    assert all(manifest.read(project, name).num_rows == 0 for name in manifest.TOGETHER)


def test_a_run_that_was_ended_goes_on_where_it_stopped(run, raw, project, monkeypatch):
    monkeypatch.setattr(measuring, "SHARD_FILES", 2)
    few(raw, 10)

    def stop(root, done, total):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(raw, workers=1, progress=stop)
    assert manifest.standing(project) == []
    assert run(raw, workers=1).accounts[0].read == 4


def test_a_damaged_cache_is_no_obstacle(run, raw, project):
    few(raw, 3)
    run(raw)
    expected = digests(project)
    for path in (project.state / "measured").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:50])
    assert run(raw).accounts[0].read == 3
    assert digests(project) == expected


# --- several roots


def test_another_root_leaves_the_first_as_it_was(run, project, tmp_path):
    few(tmp_path / "a", 3)
    save(tmp_path / "a" / "zero.png", b"")
    save(tmp_path / "a" / "log.csv", b"file,session\n0.png,s1\n")
    few(tmp_path / "b", 2)
    run(tmp_path / "a")
    before = {name: manifest.read(project, name).to_pylist() for name in manifest.TOGETHER}
    run(tmp_path / "b")
    for name, old in before.items():
        after = manifest.read(project, name).to_pylist()
        assert [row for row in after if row.get("root") == "a"] == old
    assert Counter(manifest.read(project, "images")["root"].to_pylist()) == {"a": 3, "b": 2}
    assert set(manifest.provenance(project, "images").roots) == {"a", "b"}


def test_roots_together_or_one_after_the_other_are_the_same(run, project, tmp_path):
    few(tmp_path / "a", 3)
    few(tmp_path / "b", 2)
    run(tmp_path / "b")
    run(tmp_path / "a")
    together = Project(tmp_path / "together")
    run(tmp_path / "a", tmp_path / "b", into=together)
    assert digests(together) == digests(project)


def test_a_name_that_stands_for_another_folder_is_refused_until_it_has_an_alias(run, project, tmp_path):
    few(tmp_path / "1/raw", 2)
    few(tmp_path / "2/raw", 2)
    run(tmp_path / "1/raw")
    with pytest.raises(XqdataError, match="two raw folders are called raw"):
        run(tmp_path / "2/raw")
    run(f"second={tmp_path / '2/raw'}")
    assert Counter(manifest.read(project, "images")["root"].to_pylist()) == {"raw": 2, "second": 2}


def test_a_project_inside_its_raw_folder_does_not_ingest_itself(run, raw):
    few(raw, 2)
    save(raw / "xqdata.toml", b"")
    project = Project(raw)
    for _ in range(2):
        result = run(raw, into=project)
        assert result.accounts[0].found == 2
    assert not result.changed


# --- a dry run


def test_a_dry_run_writes_nothing_at_all(run, raw, project, tmp_path, monkeypatch):
    write_bad_folder(raw)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = snapshot(tmp_path)
    result = run(raw, dry_run=True, workers=1)
    after = snapshot(tmp_path)
    del before[str(scratch)], after[str(scratch)]
    assert after == before
    assert result.tables["images"].num_rows > 10


def test_a_dry_run_after_a_run_shows_what_would_change(run, raw, project):
    few(raw, 3)
    run(raw)
    before = snapshot(project.folder)
    save(raw / "mango/x.png")
    result = run(raw, dry_run=True)
    assert snapshot(project.folder) == before
    assert result.tables["images"].num_rows == 4
    assert result.accounts[0].read == 1


def test_a_dry_run_shows_what_the_run_will_write(run, raw, project):
    write_export(raw)
    dry = run(raw, dry_run=True, workers=1)
    wet = run(raw, workers=1)
    for name in manifest.TOGETHER:
        assert dry.tables[name].equals(wet.tables[name])


# --- odd input from outside


def test_a_number_too_large_for_its_column_is_no_crash(run, raw, project):
    save(raw / "E3S690_20221012_99999999999999999999999_S_Gun_112-003_1.png")
    run(raw)
    (row,) = rows(project).values()
    assert (row["objects"], row["sequence"]) == (["Gun"], None)
    assert "99999999999999999999999" in row["extra"]


def test_a_tiff_without_a_page_is_a_reject(run, raw, project):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, grey(), subfiletype=1, metadata=None)
    save(raw / "thumbnail.tif", buffer.getvalue())
    save(raw / "little.tif", b"II*\0\0\0\0\0")
    save(raw / "big.tif", b"MM\0*\0\0\0\0" + bytes(200))
    save(raw / "bigtiff.tif", b"II+\0\x08\0\0\0" + bytes(100))
    run(raw)
    assert rows(project, "rejects").keys() == {"thumbnail.tif", "little.tif", "big.tif", "bigtiff.tif"}


def test_a_plug_in_that_speaks_of_files_that_are_not_there_is_no_obstacle(run, raw, project, monkeypatch):
    few(raw, 1)

    class Dreamer:
        name = "dreamer"

        def sniff(self, tree):
            return "why not"

        def read(self, tree):
            return Reading({"none.png": {"object": "apple"}}, sources={"none.csv": "log"})

    monkeypatch.setattr(readers, "READERS", (Dreamer(), *readers.READERS))
    run(raw)
    assert rows(project).keys() == {"apple/single_basket/0.png"}


def test_tables_satisfy_their_schemas_and_name_no_file_twice(run, raw, project):
    write_bad_folder(raw)
    run(raw, workers=1)
    for name in manifest.TOGETHER:
        schema.table(name).check(manifest.read(project, name))
    ids = manifest.read(project, "images")["image_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert len(walk(raw).files) + len(walk(raw).refused) == len(
        {*rows(project), *(r["path"] for r in rows(project, "rejects").values() if r["item"] is None)}
    )


def test_a_file_that_was_only_touched_can_be_opened_by_later_steps(run, raw, project):
    path = save(raw / "a.png")
    digest = run(raw) and manifest.provenance(project, "images").digest
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    assert run(raw).changed
    assert manifest.provenance(project, "images").digest == digest
    assert scans.changes(project, scans.standing(project)) == {}
    assert not run(raw).changed
