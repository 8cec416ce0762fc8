"""YOLO's label files.

Wrong while green would be: the numbers of one set read with the names of another; names shifted by an empty line; a
box off by half its size or scaled by the wrong side; texts that lie beside pictures for other reasons swallowed.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from assets.pictures import colour, encoded, save
from xqdata import manifest
from xqdata.readers.yolo import Yolo

REAL = os.environ.get("XQDATA_REAL_DATA")
BOX = "0.5 0.5 0.25 0.5"


def lay(raw, labels: dict[str, str], **more: str) -> None:
    """Pictures in `images`, their labels in `labels`, and other files."""
    for name, text in labels.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        save(Path(str(path.with_suffix(".png")).replace("/labels/", "/images/")))
    for name, text in more.items():
        path = raw / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read(tree):
    return Yolo().read(tree())


def labels(reading):
    return {path: [box.label for box in drawn] for path, drawn in reading.boxes.items() if drawn}


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


NAMES = {
    "data.yaml": "path: .\ntrain: images/train\nnc: 3\nnames: [knife, gun, bat]\n",
    "my set.yml": "names:\n  0: knife\n  1: gun\n  2: bat\n",
    "classes.txt": "knife\r\ngun\r\nbat\r\n",
    "obj.names": "knife\ngun\nbat",
    "labels/train/classes.txt": "knife\ngun\nbat\n",
    "settings/data.yaml": "names: {'0': knife, 1: gun, 2: bat}",
}


@pytest.mark.parametrize("names", NAMES)
def test_classes_are_named(raw, tree, names):
    lay(raw, {"labels/train/1.txt": f"0 {BOX}\n2 {BOX}\n2 {BOX}\n"}, **{names: NAMES[names]})
    reading = read(tree)
    assert labels(reading) == {"images/train/1.png": ["knife", "bat", "bat"]}
    assert dict(reading.fields) == {"images/train/1.png": {"objects": ["knife", "bat"]}}
    assert reading.sources == {"labels/train/1.txt": "annotation", names: "annotation"}
    assert names in (Yolo().sniff(tree()) or "")


def test_without_names_a_class_is_its_number_and_no_object(raw, tree):
    lay(raw, {"labels/1.txt": f"0 {BOX}\n17 {BOX}\n"})
    reading = read(tree)
    assert labels(reading) == {"images/1.png": ["0", "17"]}
    assert dict(reading.fields) == {}
    assert Yolo().sniff(tree()) == "1 picture has a file of boxes, as labels/1.txt; classes without names"


def test_each_set_has_its_own_names(raw, tree):
    sets = {f"{name}/labels/1.txt": f"0 {BOX}\n" for name in ("A", "B", "C")}
    lay(raw, sets, **{"A/data.yaml": "names: [knife]", "B/classes.txt": "gun\n"})
    reading = read(tree)
    assert labels(reading) == {"A/images/1.png": ["knife"], "B/images/1.png": ["gun"], "C/images/1.png": ["0"]}
    assert "C/images/1.png" not in reading.fields


def test_the_only_names_belong_to_the_set_they_lie_in(raw, tree):
    lay(raw, {"A/labels/1.txt": f"0 {BOX}\n", "B/labels/1.txt": f"0 {BOX}\n"}, **{"A/data.yaml": "names: [knife]"})
    assert labels(read(tree)) == {"A/images/1.png": ["knife"], "B/images/1.png": ["0"]}


def test_the_nearer_names_count_and_yaml_before_text(raw, tree):
    more = {"classes.txt": "wrong", "data.yaml": "names: [root]", "A/classes.txt": "text", "A/data.yaml": "names: [a]"}
    lay(raw, {"A/labels/1.txt": f"0 {BOX}\n", "labels/1.txt": f"0 {BOX}\n"}, **more)
    reading = read(tree)
    assert labels(reading) == {"A/images/1.png": ["a"], "images/1.png": ["root"]}
    assert set(more) <= set(reading.sources)


def test_an_empty_line_among_the_names_shifts_nothing(raw, tree):
    lay(raw, {"labels/1.txt": f"0 {BOX}\n2 {BOX}\n1 {BOX}\n"}, **{"classes.txt": "knife\n\nbat\n\n"})
    reading = read(tree)
    assert labels(reading) == {"images/1.png": ["knife", "bat"]}
    assert problems(reading) == [("labels/1.txt", "row 3", "there is no class 1")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("names: [no, 007, ~]", ["no", "007", "~"]),
        ("names: {0: on, 1: 1.0, 2: 2024-05-17}", ["on", "1.0", "2024-05-17"]),
        ("names: ['사과', 망고, \"a: b\"]", ["사과", "망고", "a: b"]),
    ],
)
def test_names_are_as_written(raw, tree, names, expected):
    lay(raw, {"labels/1.txt": "".join(f"{n} {BOX}\n" for n in range(3))}, **{"data.yaml": names})
    assert labels(read(tree)) == {"images/1.png": expected}


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    ["names: 3", "names: {knife: 0}", "names: [", "[1, 2]", "", "- a", "names: !!python/object:os.system x",
     BOMB + "names: *i", "[" * 5000],
)  # fmt: skip
def test_other_yaml_names_nothing_and_harms_nothing(raw, tree, text):
    lay(raw, {"labels/1.txt": f"0 {BOX}\n"}, **{"data.yaml": text})
    reading = read(tree)
    assert labels(reading) == {"images/1.png": ["0"]}
    assert set(reading.sources) == {"labels/1.txt"}


def test_shares_become_pixels_exactly(run, raw, project):
    (raw / "labels").mkdir()
    save(raw / "images/1.png", encoded(colour(height=48, width=64)))
    (raw / "labels/1.txt").write_text("3 0.5 0.25 0.25 0.5\n3 0.0625 0.9375 0.125 0.125\n1 0.5 0.5 1 1\n")
    run(raw)
    found = manifest.read(project, "detections").to_pylist()
    assert sorted((b["label"], b["x"], b["y"], b["width"], b["height"]) for b in found) == [
        ("1", 0.0, 0.0, 64.0, 48.0),
        ("3", 0.0, 42.0, 8.0, 6.0),
        ("3", 24.0, 0.0, 16.0, 24.0),
    ]


def test_a_polygon_is_the_box_around_it(raw, tree):
    lay(raw, {"labels/1.txt": "0 0.1 0.5 0.3 0.2 0.4 0.9\n0 0.1 0.1 0.2 0.1 0.2 0.2 0.1 0.3\n"})
    ((first, second),) = read(tree).boxes.values()
    assert (first.x, first.y, first.width, first.height) == pytest.approx((0.1, 0.2, 0.3, 0.7))
    assert (second.x, second.y, second.width, second.height) == pytest.approx((0.1, 0.1, 0.1, 0.2))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.1", "4 cells, not a class and four shares, or a class and a polygon"),
        (f"0 {BOX} 0.9", "6 cells, not a class and four shares, or a class and a polygon"),
        (f"0 {BOX} 0.1 0.2 0.3", "8 cells, not a class and four shares, or a class and a polygon"),
        ("0", "1 cells, not a class and four shares, or a class and a polygon"),
        (f"knife {BOX}", "'knife' is no number of a class"),
        (f"-1 {BOX}", "'-1' is no number of a class"),
        (f"1.5 {BOX}", "'1.5' is no number of a class"),
        ("0 0.5 0.5 0 0.1", "its box is 0 x 0.1"),
        ("0 0.5 0.5 -0.1 0.1", "its box is -0.1 x 0.1"),
        ("0 nan 0.5 0.1 0.1", "its box holds what is not a number"),
        ("0 0.5 x 0.1 0.1", "y is 'x'"),
        ("0 0,5 0,5 0,1 0,1", "x is '0,5'"),
        (f"9 {BOX}", "there is no class 9"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_line_that_cannot_be_used_is_told_and_the_others_are_read(raw, tree, line, message, first):
    lines = [line, f"1 {BOX}"] if first else [f"1 {BOX}", "", line]
    lay(raw, {"labels/1.txt": "\n".join(lines)}, **{"classes.txt": "knife\ngun"})
    reading = read(tree)
    assert labels(reading) == {"images/1.png": ["gun"]}
    assert problems(reading) == [("labels/1.txt", "row 1" if first else "row 3", message)]


def test_a_file_of_labels_with_broken_lines_only_is_still_one(raw, tree):
    lay(raw, {"labels/1.txt": "0 0.5 0.5 0.1\n", "labels/2.txt": "0 320 240 50 60\n", "labels/3.txt": f"0 {BOX}\n"})
    reading = read(tree)
    assert set(reading.sources) == {"labels/1.txt", "labels/2.txt", "labels/3.txt"}
    assert [(path, item) for path, item, _ in problems(reading)] == [("labels/1.txt", "row 1")]


def test_pixels_in_place_of_shares_leave_the_picture(run, raw, project):
    lay(raw, {"labels/1.txt": "0 320 240 50 60\n"})
    run(raw)
    assert manifest.read(project, "detections").num_rows == 0
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == ("labels/1.txt", "row 1", "bad_annotation")


def test_an_empty_file_of_labels_says_that_there_is_no_object(run, raw, project):
    lay(raw, {"labels/1.txt": "", "labels/2.txt": " \n\n", "labels/3.txt": f"0 {BOX}\n"})
    run(raw)
    assert manifest.read(project, "detections").num_rows == 1
    assert {s["path"] for s in manifest.read(project, "sources").to_pylist()} == {f"labels/{n}.txt" for n in (1, 2, 3)}
    assert manifest.read(project, "rejects").num_rows == 0


def test_labels_beside_the_pictures(raw, tree):
    lay(raw, {"day 1/1.txt": f"0 {BOX}\n", "images/2.txt": f"1 {BOX}\n"})
    assert labels(read(tree)) == {"day 1/1.png": ["0"], "images/2.png": ["1"]}


def test_an_empty_text_beside_a_picture_is_a_label_where_others_are(run, raw, project):
    lay(raw, {"data/1.txt": f"0 {BOX}\n", "data/2.txt": "", "other/3.txt": ""}, **{"data/notes.txt": ""})
    run(raw)
    assert manifest.read(project, "sources")["path"].to_pylist() == ["data/1.txt", "data/2.txt"]
    rejects = {row["path"]: row["reason"] for row in manifest.read(project, "rejects").to_pylist()}
    assert rejects == {"data/notes.txt": "empty", "other/3.txt": "empty"}


@pytest.mark.parametrize(
    ("picture", "text"),
    [("IMAGES/1.PNG", "LABELS/1.TXT"), ("images/1.png", "labels/1.TXT"), ("Images/1.png", "labels/1.txt")],
)
def test_case_of_endings_and_folders_does_not_count(raw, tree, picture, text):
    lay(raw, {}, **{text: f"0 {BOX}\n"})
    save(raw / picture)
    assert labels(Yolo().read(tree(picture, text))) == {picture: ["0"]}


def test_case_of_names_counts(raw, tree):
    lay(raw, {}, **{"labels/p.txt": f"0 {BOX}\n"})
    assert labels(Yolo().read(tree("images/P.png", "images/p.png", "labels/p.txt"))) == {"images/p.png": ["0"]}


def test_labels_in_their_folder_go_before_those_beside(raw, tree):
    lay(raw, {"labels/1.txt": f"1 {BOX}\n"}, **{"images/1.txt": f"0 {BOX}\n"})
    assert labels(read(tree)) == {"images/1.png": ["1"]}


def test_the_last_folder_called_images_is_exchanged(raw, tree):
    save(raw / "images/set/images/1.png")
    for number, path in enumerate(("images/set/labels/1.txt", "labels/set/images/1.txt")):
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        (raw / path).write_text(f"{number} {BOX}")
    assert labels(read(tree)) == {"images/set/images/1.png": ["0"]}


@pytest.mark.parametrize(
    "text",
    ["seen by Kim on Monday\n", "160 kV\n", "", "160 1.2 0.2 12 8\n", "1 20 30 40 50\n", "2024 5 17 14 30\n",
     f"scanned twice\nby Kim\n1 {BOX}\n", "\x00\x01", "1 2\n3 4\n"],
)  # fmt: skip
def test_other_texts_beside_pictures_are_not_swallowed(run, raw, project, text):
    lay(raw, {"day/1.txt": text})
    run(raw)
    assert manifest.read(project, "sources").num_rows == 0
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["reason"]) == ("day/1.txt", "not_an_image" if text else "empty")


def test_texts_without_a_picture_are_not_labels(raw, tree):
    lay(raw, {"labels/1.txt": f"0 {BOX}\n"}, **{"labels/train.txt": f"0 {BOX}\n", "2.txt": f"0 {BOX}\n"})
    assert set(read(tree).sources) == {"labels/1.txt"}


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="XQDATA_REAL_DATA is not set: it names the folder of real scans")
def test_cuboxs_labels(run, project):
    folder = Path(REAL or "") / "cubox"
    written = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.txt")}
    lines = {path: [line for line in p.read_text().splitlines() if line.strip()] for path, p in written.items()}
    assert len(written) == 30
    run(folder)
    images = {r["image_id"]: r for r in manifest.read(project, "images").to_pylist()}
    assert len(images) == 30
    sources = manifest.read(project, "sources").to_pylist()
    assert {s["path"]: s["role"] for s in sources} == dict.fromkeys(written, "annotation")
    assert {r["reason"] for r in manifest.read(project, "rejects").to_pylist()} == {"ignored"}
    boxes = manifest.read(project, "detections").to_pylist()
    assert len(boxes) == sum(map(len, lines.values()))
    for box in boxes:
        image = images[box["image_id"]]
        assert 0 <= box["x"] <= box["x"] + box["width"] <= image["width"]
        assert 0 <= box["y"] <= box["y"] + box["height"] <= image["height"]
    drawn = Counter(images[b["image_id"]]["path"] for b in boxes)
    assert drawn == Counter(
        {p.replace("labels/", "images/").replace(".txt", ".png"): len(found) for p, found in lines.items()}
    )
    # One box by hand: centre and size of the first line of one file, in pixels of 896 x 760.
    path = sorted(lines)[0]
    label, *shares = lines[path][0].split()
    x, y, w, h = map(float, shares)
    mine = [b for b in boxes if images[b["image_id"]]["path"] == path.replace("labels", "images").replace("txt", "png")]
    expected = ((x - w / 2) * 896, (y - h / 2) * 760, w * 896, h * 760)
    assert any(
        (b["x"], b["y"], b["width"], b["height"]) == pytest.approx(expected) and b["label"] == label for b in mine
    )
