"""Tables on disk: written whole or not at all, read back the same.

Wrong while green would be: atomicity tested for one table but not for a set; a kill simulated by an exception that
cleans up behind itself, which no kill does; a reader that looks only at the table it was asked for.
"""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.rows import image, reject
from xqdata import manifest, schema
from xqdata.errors import TableError
from xqdata.manifest import Origin, Project, store

ORIGIN = Origin("ingest", {"workers": 2, "이름": "값"}, {"images": "d"}, {"raw": "/data/raw"})


def tables(tag: str, count: int = 3):
    """The set that ingest writes; `tag` can be found again in each."""
    return {
        "images": schema.from_rows("images", [image(f"{tag}{n}.png") for n in range(count)]),
        "rejects": schema.from_rows("rejects", [reject(f"{tag}.txt")]),
        "sources": schema.from_rows("sources", [{"root": "raw", "path": tag, "role": "log", "sha256": "0"}]),
        "detections": schema.empty("detections"),
    }


def tags(project: Project) -> set[str]:
    """Which set each table on disk is from, by its first row."""
    return {manifest.read(project, name)["path"][0].as_py()[0] for name in ("images", "rejects", "sources")}


def leftovers(project: Project) -> list[str]:
    return sorted(p.name for p in project.manifests.rglob(".*"))


@pytest.mark.parametrize("name", [t.name for t in schema.TABLES if t.name not in ("splits", "audits", "evidence")])
def test_an_empty_table_is_written_and_read(project, name):
    written = manifest.write(project, {name: schema.empty(name)}, ORIGIN)
    assert written[name].rows == 0
    found = manifest.read(project, name, together=False)
    assert found.equals(schema.empty(name))


def test_write_then_read_is_the_same(project):
    before = tables("a")
    written = manifest.write(project, before, ORIGIN)
    for name, table in before.items():
        assert manifest.read(project, name).equals(table)
        assert manifest.provenance(project, name) == written[name]
    assert leftovers(project) == []


def test_provenance_says_where_a_table_came_from(project):
    found = manifest.write(project, tables("a"), ORIGIN)["images"]
    assert (found.table, found.command, found.rows) == ("images", "ingest", 3)
    assert (found.options, found.inputs, found.roots) == (ORIGIN.options, ORIGIN.inputs, ORIGIN.roots)
    assert found.digest == str(manifest.digest(schema.IMAGES, tables("a")["images"]))
    document = json.loads(pq.read_metadata(project.path("images")).metadata[b"xqdata"])
    assert set(document) >= {"version", "table", "command", "options", "xqdata", "time", "run", "digest", "roots"}


def test_tables_of_one_write_share_a_run(project):
    runs = {p.run for p in manifest.write(project, tables("a"), ORIGIN).values()}
    again = {p.run for p in manifest.write(project, tables("a"), ORIGIN).values()}
    assert len(runs) == len(again) == 1
    assert runs != again


def test_tables_in_folders(project):
    rows = schema.from_rows("splits/mine", [{"image_id": "a", "part": "train", "group": "a"}])
    manifest.write(project, {"splits/mine": rows, "audits/mine.evidence": schema.empty("audits/mine.evidence")}, ORIGIN)
    assert manifest.read(project, "splits/mine").equals(rows)
    assert manifest.standing(project) == ["audits/mine.evidence", "splits/mine"]


def test_columns(project):
    manifest.write(project, tables("a"), ORIGIN)
    assert manifest.read(project, "images", ["path", "root"]).column_names == ["path", "root"]
    assert [b.schema.names for b in manifest.batches(project, "images", ["path"])] == [["path"]]


@pytest.mark.parametrize("read", [manifest.read, lambda *a: list(manifest.batches(*a))], ids=["read", "batches"])
def test_an_unknown_column_is_named(project, read):
    manifest.write(project, tables("a"), ORIGIN)
    with pytest.raises(TableError, match="images: has no column pathh; columns are image_id"):
        read(project, "images", ["path", "pathh"])


def test_batches_are_no_larger_than_asked(project):
    manifest.write(project, tables("a", 10), ORIGIN)
    pieces = list(manifest.batches(project, "images", rows=4))
    assert [p.num_rows for p in pieces] == [4, 4, 2]
    assert pa.Table.from_batches(pieces).equals(tables("a", 10)["images"])


def test_a_table_may_be_given_in_pieces(project):
    whole = tables("a", 10)["images"]
    pieces = [*whole.slice(0, 4).to_batches(), whole.slice(4)]
    written = manifest.write(project, tables("a", 10) | {"images": iter(pieces)}, ORIGIN)
    assert manifest.read(project, "images").equals(whole)
    assert written["images"].digest == str(manifest.digest(schema.IMAGES, whole))


def test_what_breaks_the_schema_is_not_written(project):
    manifest.write(project, tables("a"), ORIGIN)
    bad = schema.from_rows("rejects", [reject(reason="dull")])
    with pytest.raises(TableError, match="column reason holds 'dull'"):
        manifest.write(project, tables("b") | {"rejects": bad}, ORIGIN)
    assert tags(project) == {"a"}
    manifest.write(project, tables("c"), ORIGIN)
    assert leftovers(project) == []


def test_a_table_that_is_not_there_says_what_to_run(project):
    for name, command in (
        ("images", "ingest RAW"),
        ("links", "dedup"),
        ("audits/x", "audit --name x"),
        ("audits/default.evidence", "audit"),
    ):
        with pytest.raises(TableError, match=f"no such table yet; run: xqdata {command}$"):
            manifest.read(project, name)
    with pytest.raises(TableError, match=r"no such split; make it: xqdata split --name x$"):
        manifest.read(project, "splits/x")
    assert manifest.standing(project) == []


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_file_is_one_line(project, content):
    manifest.write(project, tables("a"), ORIGIN)
    project.path("rejects").write_bytes(content)
    for name in ("rejects", "images"):
        with pytest.raises(TableError, match="damaged") as caught:
            manifest.read(project, name)
        assert "\n" not in str(caught.value)


def test_a_file_cut_in_its_data_is_one_line(project):
    manifest.write(project, tables("a"), ORIGIN)
    path = project.path("images")
    data = bytearray(path.read_bytes())
    data[4:200] = bytes(196)
    path.write_bytes(data)
    with pytest.raises(TableError, match="damaged"):
        manifest.read(project, "images")
    with pytest.raises(TableError, match="damaged"):
        list(manifest.batches(project, "images"))


def test_a_foreign_parquet_file_is_refused(project):
    manifest.write(project, tables("a"), ORIGIN)
    pq.write_table(pa.table({"x": [1]}), project.path("images"))
    with pytest.raises(TableError, match="not a table of xqdata"):
        manifest.read(project, "images")


def test_another_version_is_refused(project, monkeypatch):
    manifest.write(project, tables("a"), ORIGIN)
    newer = schema.Table("images", "", ("image_id",), schema.IMAGES.columns, version=2)
    monkeypatch.setattr(schema, "TABLES", (newer, *schema.TABLES[1:]))
    with pytest.raises(TableError, match="has layout version 1, this xqdata reads 2"):
        manifest.read(project, "images", ["path"])


def test_a_table_copied_in_from_another_run_is_refused(project, tmp_path):
    other = Project(tmp_path / "other")
    manifest.write(project, tables("a"), ORIGIN)
    manifest.write(other, tables("b"), ORIGIN)
    project.path("rejects").write_bytes(other.path("rejects").read_bytes())
    for name in manifest.TOGETHER:
        with pytest.raises(TableError, match="come from different runs of ingest"):
            manifest.read(project, name)
        with pytest.raises(TableError, match="come from different runs of ingest"):
            list(manifest.batches(project, name))
    assert manifest.read(project, "rejects", together=False)["path"].to_pylist() == ["b.txt"]


def test_a_full_disk_leaves_the_old_set(project, monkeypatch):
    manifest.write(project, tables("a"), ORIGIN)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "_write_journal", full)
    with pytest.raises(TableError, match="No space left on device"):
        manifest.write(project, tables("b"), ORIGIN)
    assert tags(project) == {"a"}
    assert leftovers(project) == []


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from manifest.test_store import ORIGIN, tables
from xqdata import manifest
from xqdata.manifest import store

left = 0
def counted(function):
    def wrapper(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return function(*arguments, **options)
    return wrapper

# Every step that changes what is on the disk.
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
os.fsync = counted(lambda handle: None)
store.pq.ParquetWriter.write_table = counted(store.pq.ParquetWriter.write_table)
store.pq.ParquetWriter.close = counted(store.pq.ParquetWriter.close)
made = tables("b")
for folder in sorted(Path(sys.argv[1]).iterdir()):
    child = os.fork()
    if not child:
        left = int(folder.name)
        manifest.write(manifest.Project(folder), made, ORIGIN)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_writer_killed_at_any_step_leaves_the_old_or_the_new_set(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # a kill is no power cut
    projects = [Project(tmp_path / "killed" / f"{step:02}") for step in range(30)]
    for project in projects:
        manifest.write(project, tables("a"), ORIGIN)
    arguments = [str(tmp_path / "killed"), str(Path(__file__).parents[1])]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=True)
    codes = done.stdout.split()
    assert set(codes) == {"0", "9"}, "at the last steps it was not killed any more"
    assert codes == sorted(codes, reverse=True)
    outcomes = [tags(project) for project in projects]
    # It was killed before and after the point of no return, and no set was ever torn.
    assert all(found in ({"a"}, {"b"}) for found in outcomes)
    assert outcomes == sorted(outcomes, key=lambda found: found == {"b"})
    assert outcomes.count({"a"}) >= 8
    assert sum(code == "9" and found == {"b"} for code, found in zip(codes, outcomes, strict=True)) >= 5
    for project in projects:
        manifest.write(project, tables("c"), ORIGIN)
        assert leftovers(project) == []


def test_a_reader_beside_the_renames_sees_one_set(project, monkeypatch):
    """A reader that comes between two renames finishes them; the writer then finds them done."""
    manifest.write(project, tables("a"), ORIGIN)
    replace, seen = Path.replace, []

    def replace_and_read(self: Path, target: Path) -> Path:
        done = replace(self, target)
        if target.name == "images.parquet":
            monkeypatch.setattr(Path, "replace", replace)
            seen.append(tags(project))
        return done

    monkeypatch.setattr(Path, "replace", replace_and_read)
    manifest.write(project, tables("b"), ORIGIN)
    assert seen == [{"b"}]
    assert tags(project) == {"b"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "manifests").write_text("a file where the folder should be")
    with pytest.raises(TableError, match="cannot be written"):
        manifest.write(Project(tmp_path), tables("a"), ORIGIN)


def test_some_rows_are_read_in_the_order_of_the_table_and_widened_in_their_own(project):
    images = schema.from_rows("images", [image(f"{n}.png", width=n + 1) for n in range(300)])
    manifest.write(project, {**tables("a"), "images": images}, ORIGIN)
    ids = images["image_id"].take(pa.array([250, 7, 131]))
    found = manifest.read(project, "images", ["width"], only=ids)
    assert found.to_pydict() == {"width": [8, 132, 251]}
    assert manifest.read(project, "images", ["path"], only=pa.array([], pa.string())).num_rows == 0
    wide = manifest.widened(project, pa.table({"image_id": ids}), ["width", "image_id", "width"])
    assert wide.column_names == ["image_id", "width"] and wide["width"].to_pylist() == [251, 8, 132]
