"""Exports as a whole: the same bytes again, all or nothing, and every image counted.

Wrong while green would be: bytes that depend on the time, on the workers or on the order of rows; a folder that looks
whole and is not; somebody's folder deleted; an image that is neither exported nor counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from assets.pictures import colour, deep, encoded, save
from exports.conftest import divide, images, parts, read
from xqdata import labels, manifest, schema
from xqdata.config import Config
from xqdata.errors import InputError, TableError
from xqdata.exports import FORMATS
from xqdata.exports.staging import appearing, check_free
from xqdata.images import Limits, pages
from xqdata.ingest import ingest, resolve
from xqdata.labels import Event
from xqdata.manifest import Origin, Project


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- the same bytes


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_input_gives_the_same_bytes(laboratory, boxed, make, tmp_path, format):
    for number, project in enumerate((laboratory, boxed)):
        make(project, format, f"a{number}")
        make(project, format, f"b{number}", workers=2)
        first = contents(tmp_path / f"a{number}")
        assert first == contents(tmp_path / f"b{number}")
        assert "export.json" in first


def test_the_order_of_rows_does_not_matter(boxed, make, tmp_path, reference):
    make(boxed, "coco", "a")
    table = manifest.read(boxed, "images")
    drawn = manifest.read(boxed, "detections")
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    mixed = drawn.take(np.random.default_rng(0).permutation(len(drawn)))
    told = manifest.provenance(boxed, "images")
    origin = Origin("ingest", told.options, told.inputs, told.roots)
    rest = {name: manifest.read(boxed, name) for name in ("rejects", "sources")}
    manifest.write(boxed, {"images": shuffled, "detections": mixed, **rest}, origin)
    make(boxed, "coco", "b")
    manifest.write(boxed, {"images": table, "detections": drawn, **rest}, origin)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


# --- all or nothing


def test_a_folder_that_holds_something_is_left_alone(laboratory, make, tmp_path):
    mine = save(tmp_path / "out/mine.txt", b"mine")
    for replace in (False, True):
        with pytest.raises(InputError, match="not empty"):
            make(laboratory, "csv", replace=replace)
    assert contents(tmp_path / "out") == {"mine.txt": b"mine"}
    mine.unlink()
    make(laboratory, "csv")
    with pytest.raises(InputError, match="--force"):
        make(laboratory, "coco")
    make(laboratory, "coco", replace=True)
    assert (tmp_path / "out/annotations").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_and_a_link_in_the_place_are_left_alone(laboratory, make, tmp_path):
    save(tmp_path / "out", b"a file")
    with pytest.raises(InputError, match="no folder"):
        make(laboratory, "csv", replace=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no folder"):
        make(laboratory, "csv", "link", replace=True)


@pytest.mark.parametrize("place", ["raw/out", "manifests/out", ".xqdata/out", "raw"])
def test_an_export_does_not_lie_among_what_it_is_made_from(laboratory, make, tmp_path, place):
    with pytest.raises(InputError, match="lies in"):
        make(laboratory, "csv", str(laboratory.folder / place))


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_nothing(laboratory, make, tmp_path, format, monkeypatch):
    def fail(*_):
        raise RuntimeError("power cut")

    monkeypatch.setattr(type(FORMATS[format]), "finish", fail)
    with pytest.raises(RuntimeError):
        make(laboratory, format)
    assert [*tmp_path.iterdir()] == []


KILLED = """
import os, sys
from pathlib import Path
from xqdata.exports.staging import appearing
with appearing(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("half")
    os._exit(9)
"""


def test_a_killed_export_leaves_nothing_that_looks_whole_and_the_next_one_tidies(tmp_path):
    out = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert done.returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out.")
    save(tmp_path / ".out.x.1.part/mine", b"of the export out.x")
    with appearing(out) as folder:
        assert not left.exists()
        (folder / "whole").write_text("whole")
        with appearing(tmp_path / "other"):
            assert folder.exists()  # in use: not a leftover
    assert contents(tmp_path) == {"out/whole": b"whole", ".out.x.1.part/mine": b"of the export out.x"}


def test_what_a_kill_between_two_renames_set_aside_comes_back(tmp_path):
    save(tmp_path / ".out.12345.old/whole", b"the earlier one")
    with pytest.raises(RuntimeError), appearing(tmp_path / "out"):
        raise RuntimeError
    assert contents(tmp_path) == {"out/whole": b"the earlier one"}


def test_two_at_once_do_not_mix(tmp_path):
    with appearing(tmp_path / "out") as first:
        (first / "a").write_text("first")
        code = KILLED.replace("os._exit(9)", "pass").replace('"half"', '"b"')
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], check=True)
        assert contents(tmp_path / "out") == {"b": b"b"}
    assert contents(tmp_path / "out") == {"a": b"first"}


def test_a_folder_that_cannot_be_made_is_one_line(laboratory, make, tmp_path):
    save(tmp_path / "file", b"in the way")
    for place in ("file/out", "x" * 250):
        with pytest.raises(InputError, match="cannot be written"):
            make(laboratory, "csv", place)


def test_dots_in_the_path_are_followed(laboratory, make, tmp_path):
    make(laboratory, "csv", "not there/../out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_check_free_takes_an_empty_folder_and_none(tmp_path):
    (tmp_path / "empty").mkdir()
    check_free(tmp_path / "empty", "mark", False)
    check_free(tmp_path / "none", "mark", False)


# --- every image is counted


@pytest.fixture
def own(tmp_path, reference):
    """A small project that a test may change."""
    folder = tmp_path / "own"
    for number in range(8):
        save(folder / f"raw/apple/single_basket/{number}.png", encoded(colour(seed=number)))
    save(folder / "raw/mango/single_basket/8.png", encoded(colour(seed=8)))
    save(folder / "raw/odd/9.png", encoded(colour(seed=9)))
    return read(folder, reference)


def ids(project) -> dict[str, str]:
    return {row["path"].rpartition("/")[2]: image for image, row in images(project).items()}


@pytest.mark.parametrize("format", FORMATS)
def test_exported_and_left_out_are_all(laboratory, make, format):
    result = make(laboratory, format, where="scan_type == 'single_basket'")
    assert result.images + sum(result.left_out.values()) == len(images(laboratory))
    assert sum(result.parts.values()) == result.images == sum(result.ways.values())
    assert result.left_out["whether the condition holds is unknown"] == 1


def test_a_split_that_does_not_stand_is_an_error_only_where_it_is_asked_for(own, make):
    assert make(own, "csv").split is None
    with pytest.raises(TableError, match="xqdata split"):
        make(own, "csv", "other", split="nosuch")


def test_images_that_came_after_the_split_are_counted(own, make, reference):
    divide(own)
    save(own.folder / "raw/apple/single_basket/new.png", encoded(colour(seed=99)))
    read(own.folder, reference)
    result = make(own, "csv")
    assert result.left_out["not in splits/default, which is older"] == 1
    assert result.images + sum(result.left_out.values()) == 11


def test_a_stale_split_is_told(own, make, reference):
    from xqdata.splits import Request, split

    split(own, reference, Request())
    assert make(own, "csv", "before").notes == []
    save(own.folder / "raw/apple/single_basket/new.png", encoded(colour(seed=99)))
    read(own.folder, reference)
    assert make(own, "csv", "after").notes == ["splits/default is stale: images was written anew since"]


def test_peoples_verdicts_count(own, make, tmp_path):
    name = ids(own)
    when = datetime(2024, 1, 1)
    labels.append(own, [
        Event(when, "me", "test", "object", name["0.png"], "mango"),
        Event(when, "me", "test", "reject", name["1.png"], True),
    ])  # fmt: skip
    result = make(own, "imagefolder")
    assert (tmp_path / "out/mango" / f"{name['0.png']}.png").exists()
    assert result.left_out == {"rejected in the label log": 1, "without an object": 1}


def test_a_verdict_follows_a_file_that_moved_twice(own, make, tmp_path, reference):
    labels.append(own, [Event(datetime(2024, 1, 1), "me", "test", "object", ids(own)["0.png"], "mango")])
    place = own.folder / "raw/apple/single_basket/0.png"
    for number in range(2):
        place = place.rename(place.with_name(f"moved {number}.png"))
        read(own.folder, reference)
    result = make(own, "csv", where="object == 'mango'")
    assert result.images == 2
    assert result.left_out["the file is gone"] == 2


def test_kept_only_takes_one_of_each_cluster(own, make):
    name = ids(own)
    rows = [("0", "0", False), ("1", "0", True), ("2", "0", False), ("3", "3", True), ("4", "3", False)]
    table = schema.from_rows("duplicates", [
        {"image_id": name[f"{image}.png"], "cluster": cluster, "kept": kept, "reason": "test"}
        for image, cluster, kept in rows
    ])  # fmt: skip
    manifest.write(own, {"duplicates": table}, Origin("dedup"))
    result = make(own, "csv", kept_only=True)
    assert (result.images, result.left_out) == (7, {"copies of one that is exported": 3})
    # Where the kept one is not selected, another one stands for the cluster.
    result = make(own, "csv", "other", kept_only=True, where=f"image_id != '{name['1.png']}'")
    assert (result.images, result.left_out["copies of one that is exported"]) == (7, 2)


def test_kept_only_without_dedup_says_what_to_do(own, make):
    with pytest.raises(TableError, match="xqdata dedup"):
        make(own, "csv", kept_only=True)


def test_nothing_to_export_is_an_error_that_says_why(own, make):
    with pytest.raises(InputError, match="10 the condition does not hold"):
        make(own, "csv", where="kvp is not None")
    with pytest.raises(InputError, match="1 without an object"):
        make(own, "imagefolder", where="object is None")


@pytest.mark.parametrize("harm", ["gone", "changed", "changed with its time"])
def test_a_file_that_is_not_what_was_ingested_ends_it(own, make, tmp_path, harm):
    path = own.folder / "raw/apple/single_basket/3.png"
    info = path.stat()
    if harm == "gone":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-30] + bytes([data[-30] ^ 1]) + data[-29:])
        os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns + (harm == "changed")))
    with pytest.raises(InputError, match=r"3\.png: (gone|changed) since ingest"):
        make(own, "csv")
    assert not (tmp_path / "out").exists()


def test_a_random_split_is_told(own, make, reference):
    from xqdata.splits import Request, split

    split(own, reference, Request(name="study", method="random"))
    result = make(own, "csv", split="study")
    assert any("made at random" in note for note in result.notes)


def test_files_without_a_header_become_png(make, tmp_path, reference):
    folder = tmp_path / "headerless"
    save(folder / "raw/apple/1.raw", deep(seed=5).astype(">u2").tobytes())
    asked = {"ingest": {"raw": [{"files": "*.raw", "width": 16, "height": 12, "byte_order": "big"}]}}
    project = Project(folder)
    ingest(project, resolve([str(folder / "raw")], {}), Config.model_validate(asked), reference)
    make(project, "csv")
    (picture,) = (tmp_path / "out/images").iterdir()
    (page,) = pages(picture.read_bytes(), Limits())
    assert np.array_equal(page.pixels, deep(seed=5))


def test_a_name_that_ingest_would_part_is_told(make, tmp_path, reference):
    folder = tmp_path / "parted"
    save(folder / "raw/1.png")
    project = read(folder, reference)
    (image,) = images(project)
    labels.append(project, [Event(datetime(2024, 1, 1), "me", "test", "object", image, "salt + pepper")])
    assert any("salt + pepper" in note for note in make(project, "csv").notes)


def test_a_secret_of_an_image_that_is_not_exported_is_one(make, tmp_path, reference):
    folder = tmp_path / "secret"
    rows = ["file,operator,session", "1.png,Kim,monday", "2.png,,Kim monday"]
    save(folder / "raw/log.csv", "\n".join(rows).encode())
    for number in (1, 2):
        save(folder / f"raw/{number}.png", seed=number)
    make(read(folder, reference), "csv", where="operator is None")
    assert "Kim" not in (tmp_path / "out/images.csv").read_text()


def test_the_record_says_what_it_was_made_from(laboratory, make, tmp_path):
    make(laboratory, "coco", kept_only=False, where="kvp > 141")
    told = json.loads((tmp_path / "out/export.json").read_text())
    assert told["where"] == "kvp > 141"
    assert told["made_from"]["images"] == manifest.provenance(laboratory, "images").digest
    assert told["split"] == "splits/default"
    assert str(laboratory.folder) not in (tmp_path / "out/export.json").read_text()


def test_groups_of_the_split_go_along(laboratory, make, tmp_path):
    make(laboratory, "csv")
    import csv

    with (tmp_path / "out/images.csv").open(encoding="utf-8", newline="") as file:
        found = {row["image_id"]: row["group"] for row in csv.DictReader(file)}
    assert found == {image: image for image in parts(laboratory)}
