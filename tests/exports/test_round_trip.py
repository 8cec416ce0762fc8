"""Export, then ingest: the same objects, scan types, pixels, boxes and parts come back.

It could be wrong while tests pass if only names that the taxonomy knows came back, if two files of one name became one,
if an unknown object came back as a folder's name, if a day came back as midnight, or if the parts were found only
because nothing else was in the folder.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from assets.pictures import save
from exports.conftest import ROWS, divide, images, parts, read
from xqdata import labels, manifest
from xqdata.audit.foreign import Claimed, foreign
from xqdata.audit.run import Options
from xqdata.config import Config
from xqdata.errors import InputError
from xqdata.exports import FORMATS, Request, export
from xqdata.ingest import ingest, resolve
from xqdata.labels import Event
from xqdata.manifest import Project

READ_BACK = ("imagefolder", "huggingface", "coco", "yolo", "csv", "croissant")
SAME = ("object", "objects", "scan_type", "container", "multiplicity", "clutter", "acquired_at", "kvp", "licence")
REAL = os.environ.get("XQDATA_REAL_DATA")


def by_id(project: Project) -> dict[str, dict]:
    """What the new ingest knows of each exported picture, by the id it is called by."""
    found = {Path(row["path"]).stem: row for row in manifest.read(project, "images").to_pylist()}
    assert len(found) == manifest.provenance(project, "images").rows
    return found


def expected(project: Project, format: str, split: bool = True) -> dict[str, dict]:
    """The images that the export should hold."""
    held = parts(project) if split else images(project)
    rows = {image: row for image, row in images(project).items() if image in held}
    bare = not manifest.provenance(project, "detections").rows
    if format == "imagefolder" or (format == "yolo" and bare):
        rows = {image: row for image, row in rows.items() if row["object"] is not None}
    return rows


@pytest.mark.parametrize("format", READ_BACK)
def test_what_is_known_comes_back(laboratory, make, format, tmp_path, reference):
    result = make(laboratory, format, folder="out")
    wanted = expected(laboratory, format)
    assert result.images == len(wanted)
    found = by_id(read(tmp_path, reference, "out"))
    assert found.keys() == wanted.keys()
    for image, row in wanted.items():
        assert [found[image][name] for name in SAME] == [row[name] for name in SAME]
        assert ("acquired_precision" in found[image]["extra"]) == ("acquired_precision" in row["extra"])


@pytest.mark.parametrize("format", READ_BACK)
def test_pixels_come_back(laboratory, make, format, tmp_path, reference):
    make(laboratory, format, bits=16)
    wanted = expected(laboratory, format)
    found = by_id(read(tmp_path, reference, "out"))
    for image, row in wanted.items():
        if row["mode"] != "F":  # PNG holds no fractions
            assert found[image]["pixel_hash"] == row["pixel_hash"], row["path"]
            assert (found[image]["width"], found[image]["height"]) == (row["width"], row["height"])


@pytest.mark.parametrize("format", ("huggingface", "coco", "csv", "croissant"))
def test_every_row_is_exported_where_there_is_no_split(laboratory, make, format, tmp_path, reference):
    where = "kvp > 0"  # all
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "raw").symlink_to(laboratory.folder / "raw")
    bare = Project(folder)
    ingest(bare, resolve([f"raw={laboratory.folder / 'raw'}"], {}), Config(), reference)
    result = make(bare, format, where=where)
    assert result.split is None
    assert result.images == len(ROWS) + 2  # three pages of one file
    wanted = images(bare)
    found = by_id(read(tmp_path, reference, "out"))
    assert {i: (r["objects"], r["scan_type"]) for i, r in found.items()} == {
        i: (r["objects"], r["scan_type"]) for i, r in wanted.items()
    }


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=";|+"), min_size=1, max_size=12)


@settings(max_examples=12)
@given(st.lists(NAMES, min_size=4, max_size=4))
@example(["images.csv", "export.json", "train", "metadata.csv"])
@example(["=1", '"', "a\r\tb", "a,b"])
@pytest.mark.parametrize("format", ["imagefolder", "coco", "csv"])
def test_any_names_come_back(tmp_path_factory, reference, format, names):
    folder, again = tmp_path_factory.mktemp("names"), tmp_path_factory.mktemp("again")
    for number, _ in enumerate(names):
        save(folder / f"raw/{number}.png", seed=number)
    project = read(folder, reference)
    events = [
        Event(datetime(2024, 1, 1), "me", "test", "object", image, name.strip() or "x")
        for image, name in zip(images(project), names, strict=True)
        if reference.find_object(name) is None
    ]
    assume(events)
    labels.append(project, events)
    export(project, reference, Request(format, again / "out", where="object is not None"))
    found = {image: row["objects"] for image, row in by_id(read(again, reference, "out")).items()}
    assert found == {event.image_id: [event.after] for event in events}


LISTED = {
    "imagefolder": {"layout": "{split}/{object}/{file}"},
    "huggingface": {"layout": "{split}/{file}"},
    "coco": {"files": [f"annotations/instances_{part}.json" for part in ("train", "val", "test")]},
    "csv": {"files": ["images.csv"]},
}


@pytest.mark.parametrize("name", ["boxed", "laboratory"])
@pytest.mark.parametrize("format", READ_BACK)
def test_parts_come_back_from_the_table(request, make, name, format, tmp_path, reference):
    project = request.getfixturevalue(name)
    make(project, format)
    assert read_parts(tmp_path, reference, files=["images.csv"]) == {
        image: part for image, part in parts(project).items() if image in expected(project, format)
    }


@pytest.mark.parametrize("format", LISTED)
def test_parts_come_back_by_what_the_format_itself_says(laboratory, make, format, tmp_path, reference):
    make(laboratory, format)
    wanted = {image: part for image, part in parts(laboratory).items() if image in expected(laboratory, format)}
    assert read_parts(tmp_path, reference, **LISTED[format]) == wanted


def test_parts_of_yolo_come_back_by_its_own_file(boxed, make, tmp_path, reference):
    make(boxed, "yolo")
    assert read_parts(tmp_path, reference, files=["dataset.yaml"]) == parts(boxed)


def test_folds_come_back(boxed, make, tmp_path, reference):
    divide(boxed, "folds", ("0", "1", "2", "3"))
    make(boxed, "imagefolder", split="folds", where="object is not None")
    found = read_parts(tmp_path, reference, files=["images.csv"])
    assert set(found.values()) == {"0", "1", "2", "3"}
    assert found.items() <= parts(boxed, "folds").items()


def read_parts(folder: Path, reference, layout: str | None = None, files: list[str] = ()) -> dict[str, str]:
    """The parts that an audit of the export finds, by the id that a picture is called by."""
    out = folder / "out"
    claimed = Claimed(str(out), layout, tuple(str(out / file) for file in files))
    made, _ = foreign(claimed, folder, Config(), reference, Options(name="default", workers=1))
    paths = {row["image_id"]: Path(row["path"]).stem for row in manifest.read(made.project, "images").to_pylist()}
    return {paths[image]: part for image, part in parts(made.project).items()}


@pytest.mark.parametrize("format", ["coco", "yolo"])
def test_boxes_come_back(boxed, make, format, tmp_path, reference):
    make(boxed, format)
    again = read(tmp_path, reference, "out")
    names = {row["image_id"]: Path(row["path"]).stem for row in manifest.read(again, "images").to_pylist()}
    found = [(names[row.pop("image_id")], row) for row in manifest.read(again, "detections").to_pylist()]
    wanted = [(row.pop("image_id"), row) for row in manifest.read(boxed, "detections").to_pylist()]

    def key(pair):
        return pair[0], pair[1]["label"], round(pair[1]["x"], 3)

    for (image, box), (same, other) in zip(sorted(found, key=key), sorted(wanted, key=key), strict=True):
        assert (image, box.pop("label")) == (same, other.pop("label"))
        assert box == pytest.approx(other, abs=1e-5)


def test_all_formats_are_tried_here():
    assert set(FORMATS) - set(READ_BACK) == {"webdataset"}  # ingest reads no tar files


@pytest.fixture(scope="module")
def real(tmp_path_factory, reference):
    """Projects of real scans, by the name of their folder; each is ingested once."""

    @cache
    def call(name: str) -> Project:
        project = Project(tmp_path_factory.mktemp(name))
        ingest(project, resolve([str(Path(str(REAL)) / name)], {}), Config(), reference)
        divide(project, parts=("train", "train", "val", "test"))
        return project

    return call


@pytest.mark.real
@pytest.mark.skipif(REAL is None, reason="XQDATA_REAL_DATA is not set")
@pytest.mark.parametrize("name", ["cubox", "fishbones", "compass_xp"])
@pytest.mark.parametrize("format", ["huggingface", "coco", "yolo", "csv", "croissant", "imagefolder"])
def test_real_scans_come_back(real, make, tmp_path, reference, name, format):
    project = real(name)
    if name == "fishbones" and format in ("imagefolder", "yolo"):
        with pytest.raises(InputError, match="200 without an object"):
            make(project, format)
        return
    result = make(project, format, bits=16)
    assert result.images + sum(result.left_out.values()) == manifest.provenance(project, "images").rows
    found = by_id(read(tmp_path, reference, "out"))
    wanted = images(project)
    assert len(found) == result.images
    for image, row in found.items():
        assert [row[column] for column in SAME] == [wanted[image][column] for column in SAME]
        assert row["pixel_hash"] == wanted[image]["pixel_hash"]
        assert json.loads(row["extra"])["split"] == parts(project)[image]
