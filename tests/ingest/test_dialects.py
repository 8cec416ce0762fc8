"""Every dialect below one root, and again.

Wrong while green would be: readers that are right alone and wrong together; a file that two of them account for or
none; boxes that a second run, another raw folder or a picture that went missing takes away or doubles.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from assets.pictures import colour, encoded, save
from xqdata import config, manifest
from xqdata.manifest import Project
from xqdata.readers import READERS

DOCS = Path(__file__).parents[2] / "docs/dialects"

VOC = (
    "<annotation><filename>1.png</filename><object><name>bat</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
    "<xmax>4</xmax><ymax>6</ymax></bndbox></object>{}</annotation>"
)
COCO = {
    "images": [{"id": 1, "file_name": "1.png"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 1, "category_id": 9, "bbox": [1, 2, 3, 4]},
    ],
    "categories": [{"id": 1, "name": "knife"}],
}
# Every annotation holds one good box of one class, and one row that cannot be used.
TEXTS = {
    "coco/x.json": json.dumps(COCO),
    "yolo/labels/1.txt": "0 0.5 0.5 0.25 0.5\n0 0.5\n",
    "yolo/data.yaml": "names: [gun]",
    "voc/Annotations/1.xml": VOC.format("<object><name>bat</name></object>"),
    "opix/annotation/1.txt": "1.png Scissor 1 2 4 6\n1.png Scissor 1 2 4\n",
    "dvx/P1.json": json.dumps(
        {"objects": [{"label": "Razor", "ol_bb": [1, 2, 4, 6], "sd_bb": [9, 1, 4, 5]}]},
    ),
    "compass/meta.txt": "basename\tclass\tinstance\n1\tbread knife\t3\n2\tbread knife\t3\n",
    "side/1.json": json.dumps({"object": "hatchet", "kvp": 160, "ma": "much"}),
    "log.csv": "file,object,bag\nplain/1.png,rope,b1\nplain/2.png,rope,b2\n",
}
PICTURES = (
    *("coco/1.png", "yolo/images/1.png", "voc/JPEGImages/1.png", "opix/image/1.png", "dvx/P1_OL.png", "dvx/P1_SD.png"),
    *(f"compass/{channel}/1.png" for channel in ("Colour", "Density", "Grey", "High", "Low")),
    *("side/1.png", "plain/1.png", "apple/single_basket/1.png"),
)
OTHERS = {
    "notes.txt": "Monday: 40 bags\n",
    "yolo/labels/lost.txt": "0 0.5 0.5 0.1 0.1\n",
    "voc/Annotations/lost.json": "{}",
    "side/readme.xml": "<readme/>",
    "dvx/train.txt": "P1\n",
    "coco/settings.yaml": "colour: true\n",
}
BOXES = {
    "coco/1.png": "knife",
    "yolo/images/1.png": "gun",
    "voc/JPEGImages/1.png": "bat",
    "opix/image/1.png": "Scissor",
    "dvx/P1_OL.png": "Razor",
}
BROKEN = {
    ("coco/x.json", "annotations 2"),
    ("yolo/labels/1.txt", "row 2"),
    ("voc/Annotations/1.xml", "object 2"),
    ("opix/annotation/1.txt", "row 2"),
    ("dvx/P1.json", "object 1, SD"),
    ("compass/meta.txt", "row 3"),
    ("side/1.json", "ma"),
    ("log.csv", "row 3"),
}


def lay(folder: Path) -> Path:
    for seed, path in enumerate(PICTURES):
        save(folder / path, seed=seed)
    for path, text in {**TEXTS, **OTHERS}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    save(folder / "compass/Photo/1.jpg", encoded(colour(), "JPEG"))
    return folder


def drawn(project: Project) -> list[tuple[str, str, str, float, float, float, float]]:
    """Boxes with root and path in place of the image's id, sorted."""
    images = {r["image_id"]: r for r in manifest.read(project, "images").to_pylist()}
    found = manifest.read(project, "detections").to_pylist()
    return sorted(
        (images[b["image_id"]]["root"], images[b["image_id"]]["path"], b["label"], b["x"], b["y"], b["width"],
         b["height"]) for b in found
    )  # fmt: skip


def digests(project: Project) -> dict[str, str]:
    return {name: manifest.provenance(project, name).digest for name in manifest.TOGETHER}


def test_all_together(run, raw, project):
    (account,) = run(lay(raw)).accounts
    names = [name for name, _ in account.readers]
    assert names == "tables sidecars compass_xp dvxray coco voc opixray yolo folders".split()
    assert [(path, label, *box) for _, path, label, *box in drawn(project)] == sorted(
        (path, label, *((6.0, 3.0, 4.0, 6.0) if label == "gun" else (1.0, 2.0, 3.0, 4.0)))
        for path, label in BOXES.items()
    )
    rows = {r["path"]: r for r in manifest.read(project, "images").to_pylist()}
    assert set(rows) == set(PICTURES)
    objects = {path: row["object"] for path, row in rows.items() if row["object"]}
    assert objects == {
        **BOXES,
        "dvx/P1_SD.png": "Razor",
        "side/1.png": "hatchet",
        "plain/1.png": "rope",
        "apple/single_basket/1.png": "apple",
        **{f"compass/{channel}/1.png": "bread knife" for channel in ("Colour", "Density", "Grey", "High", "Low")},
    }
    scans = [row["scan_id"] for row in rows.values() if row["scan_id"]]
    assert (len(scans), len(set(scans))) == (7, 2)


def test_every_annotation_is_a_source_and_every_broken_row_a_reject(run, raw, project):
    run(lay(raw))
    sources = {s["path"]: s["role"] for s in manifest.read(project, "sources").to_pylist()}
    assert set(sources) == {*TEXTS, "compass/Photo/1.jpg"}
    assert {path for path, role in sources.items() if role == "sidecar"} == {"side/1.json", "compass/Photo/1.jpg"}
    rejects = manifest.read(project, "rejects").to_pylist()
    assert {(r["path"], r["item"]) for r in rejects if r["item"]} == BROKEN
    assert {r["reason"] for r in rejects if r["item"]} == {"bad_annotation"}
    assert {r["path"]: r["reason"] for r in rejects if not r["item"]} == dict.fromkeys(OTHERS, "not_an_image")


def test_again_keeps_boxes_and_digests_and_reads_nothing(run, raw, project):
    run(lay(raw))
    before, boxes = digests(project), drawn(project)
    result = run(raw)
    assert not result.changed
    assert sum(account.read for account in result.accounts) == 0
    assert (digests(project), drawn(project)) == (before, boxes)
    shutil.rmtree(project.state)
    run(raw, workers=2)
    assert (digests(project), drawn(project)) == (before, boxes)


def test_another_raw_folder_keeps_the_first_ones_boxes(run, tmp_path, project):
    a, b = lay(tmp_path / "a"), lay(tmp_path / "b")
    (b / "coco/x.json").unlink()
    run(a)
    of_a = drawn(project)
    run(b)
    found = drawn(project)
    assert [box for box in found if box[0] == "a"] == of_a
    assert [box[1:] for box in found if box[0] == "b"] == [box[1:] for box in of_a if box[1] != "coco/1.png"]
    together = Project(tmp_path / "together")
    together.folder.mkdir()
    run(a, b, into=together)
    assert drawn(together) == found
    scans = [(r["root"], r["scan_id"]) for r in manifest.read(together, "images").to_pylist() if r["scan_id"]]
    assert len({scan for _, scan in scans}) == len(set(scans)) == 4


@pytest.mark.parametrize("gone", [*BOXES, *TEXTS])
def test_what_goes_missing_takes_only_its_own_boxes(run, raw, project, gone):
    """A picture that is gone keeps its boxes, an annotation that is gone takes its own; all others stay."""
    run(lay(raw))
    before = drawn(project)
    (raw / gone).unlink()
    run(raw)
    after = drawn(project)
    if gone in TEXTS:
        mine = {path for path in BOXES if path.split("/")[0] == gone.split("/")[0]}
        assert [box for box in after if box[1] not in mine] == [box for box in before if box[1] not in mine]
        named = gone.endswith(".yaml")  # without its name a class is its number
        assert [box[2] for box in after if box[1] in mine] == (["0"] if named else [])
    else:
        assert after == before
        missing = manifest.read(project, "images")
        assert missing.filter(missing["missing"])["path"].to_pylist() == [gone]
    digest = digests(project)
    run(raw)
    assert digests(project) == digest


def test_a_picture_that_comes_back_has_its_boxes_once(run, raw, project):
    run(lay(raw))
    before, boxes = digests(project), drawn(project)
    data = (raw / "coco/1.png").read_bytes()
    (raw / "coco/1.png").unlink()
    run(raw)
    (raw / "coco/1.png").write_bytes(data)
    run(raw)
    assert (digests(project), drawn(project)) == (before, boxes)


def test_an_annotation_that_changed_replaces_its_boxes(run, raw, project):
    run(lay(raw))
    (raw / "voc/Annotations/1.xml").write_text(VOC.format("").replace("bat", "club"))
    run(raw)
    assert [box[2] for box in drawn(project) if box[1].startswith("voc")] == ["club"]


def test_a_picture_that_is_damaged_now_has_no_boxes(run, raw, project):
    run(lay(raw))
    (raw / "coco/1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    run(raw)
    assert "coco/1.png" not in {box[1] for box in drawn(project)}


def test_a_box_that_two_files_draw_is_one_row(run, raw, project):
    save(raw / "1.png")
    (raw / "train.json").write_text(json.dumps(COCO))
    (raw / "all.json").write_text(json.dumps(COCO))
    run(raw)
    found = manifest.read(project, "detections")
    assert found.num_rows == 1


def test_only_the_readers_that_are_named(run, raw, project):
    run(lay(raw), readers=("yolo",))
    assert {box[1] for box in drawn(project)} == {"yolo/images/1.png"}
    rejects = manifest.read(project, "rejects")
    kept = rejects.filter(pc.is_null(rejects["item"]))["path"].to_pylist()
    assert {"coco/x.json", "compass/meta.txt", "log.csv"} <= set(kept)
    assert "compass/Photo/1.jpg" in manifest.read(project, "images")["path"].to_pylist()


def test_a_dry_run_counts_the_same(run, raw, project):
    lay(raw)
    dry = run(raw, dry_run=True)
    wet = run(raw)
    for name in manifest.TOGETHER:
        assert dry.tables[name].equals(wet.tables[name])


def test_each_dialect_has_its_page():
    index = (DOCS / "index.md").read_text("utf-8")
    rows = re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\) \| `?(\w+)", index, flags=re.MULTILINE)
    told = {reader for _, reader in rows} - {"none"}  # headerless files have no reader
    assert told == {r.name for r in READERS} - {"tables", "patterns", "folders"}  # those stand under Ingest
    assert {page for page, _ in rows} == {p.name for p in DOCS.glob("*.md")} - {"index.md"}
    for page, _ in rows:
        text = (DOCS / page).read_text("utf-8")
        for heading in ("What becomes what", "What is rejected", "Limits"):
            assert f"\n## {heading}\n" in text, page


@pytest.mark.parametrize("page", ["index.md", "raw.md"])
def test_config_on_the_pages_is_valid(page):
    (example,) = re.findall(r"^```toml\n(.*?)^```$", (DOCS / page).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    config.parse_toml(example, config.Config, where=page)
