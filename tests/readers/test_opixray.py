"""OPIXray's annotation lines.

Wrong while green would be: a file name cut at its first space; notes taken for annotations; annotations whose first
line is broken taken for notes.
"""

from __future__ import annotations

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.opixray import Opixray
from xqdata.readers.yolo import Yolo


def lay(raw, **texts: str) -> None:
    for name, text in texts.items():
        path = raw / "train_annotation" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def boxes(reading):
    return {
        path: [(b.label, b.x, b.y, b.width, b.height) for b in drawn] for path, drawn in reading.boxes.items() if drawn
    }


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


def test_lines_are_boxes(raw, tree):
    save(raw / "train_image/009001.jpg")
    lay(raw, **{"009001": "009001.jpg Multi-tool_Knife 578 189 799 325\n009001.jpg Scissor 1 2.5 3 4\n"})
    reading = Opixray().read(tree())
    assert boxes(reading) == {
        "train_image/009001.jpg": [("Multi-tool_Knife", 578, 189, 221, 136), ("Scissor", 1, 2.5, 2, 1.5)]
    }
    assert dict(reading.fields) == {"train_image/009001.jpg": {"objects": ["Multi-tool_Knife", "Scissor"]}}
    assert reading.sources == {"train_annotation/009001.txt": "annotation"}
    assert Yolo().sniff(tree()) is None


@pytest.mark.parametrize(
    "name", ["a b.png", "LAGs products(Plastic-C)_102 1 2 3 4.png", "x.jpg copy 2.png", "바구니 1.png", "1.tiff"]
)
@pytest.mark.parametrize("gap", [" ", "\t", "   "])
def test_names_with_spaces(raw, tree, name, gap):
    save(raw / "image" / name)
    lay(raw, all=f"{name}{gap}Folding_Knife{gap}1 2 4 6\n")
    assert boxes(Opixray().read(tree())) == {f"image/{name}": [("Folding_Knife", 1, 2, 3, 4)]}


def test_each_part_has_its_own_picture_of_that_name(raw, tree):
    for part in ("train", "test"):
        save(raw / part / f"{part}_image/1.jpg")
        path = raw / part / f"{part}_annotation/1.txt"
        path.parent.mkdir()
        path.write_text(f"1.jpg {part} 1 2 4 6\n")
    assert boxes(Opixray().read(tree())) == {
        "train/train_image/1.jpg": [("train", 1, 2, 3, 4)],
        "test/test_image/1.jpg": [("test", 1, 2, 3, 4)],
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.jpg Knife 1 2 3", "not a file name, a class and four corners"),
        ("1.jpg Knife 1 2 3 4 5", "not a file name, a class and four corners"),
        ("1.jpg 1 2 3 4", "not a file name, a class and four corners"),
        ("1.jpg", "not a file name, a class and four corners"),
        ("1.jpg Knife 1 2 3 x", "not a file name, a class and four corners"),
        ("1.jpg Knife 5 2 3 4", "its box is -2 x 2"),
        ("7.jpg Knife 1 2 3 4", "no file is called '7.jpg'"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_line_that_cannot_be_used_is_told_and_the_others_are_read(raw, tree, line, message, first):
    save(raw / "1.jpg")
    good = "1.jpg Scissor 1 2 4 6"
    lay(raw, all="\n".join([line, good] if first else ["", good, "", line]))
    reading = Opixray().read(tree())
    assert boxes(reading) == {"1.jpg": [("Scissor", 1, 2, 3, 4)]}
    assert problems(reading) == [("train_annotation/all.txt", "row 1" if first else "row 4", message)]


def test_a_file_with_its_only_line_broken_is_known_by_its_neighbours(run, raw, project):
    for name in ("1", "2"):
        save(raw / f"train_image/{name}.png")
    lay(raw, **{"1": "1.png Scissor 1 2 4 6\n", "2": "2.png Scissor 1 2 4\n", "notes": "2.png is torn, Kim 4\n"})
    run(raw)
    sources = manifest.read(project, "sources").to_pylist()
    assert {s["path"] for s in sources} == {"train_annotation/1.txt", "train_annotation/2.txt"}
    assert [(r["path"], r["item"], r["reason"]) for r in manifest.read(project, "rejects").to_pylist()] == [
        ("train_annotation/2.txt", "row 1", "bad_annotation"),
        ("train_annotation/notes.txt", None, "not_an_image"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1.jpg looks odd\n",
        "see 1.jpg for 1 2 3 4 reasons\n",
        "Monday: scanned 40 bags.\n1.jpg Knife 1 2 4 6\nTuesday: 30 more.\n",
        "1.jpg\n2.jpg\n",
        "1 0.5 0.5 0.1 0.1\n",
        "009001\n009002\n",
        "",
        "a.bcd " * 20_000,
    ],
)
def test_other_texts_are_not_claimed(raw, tree, text):
    save(raw / "1.jpg")
    lay(raw, notes=text)
    assert Opixray().sniff(tree()) is None


def test_why(raw, tree):
    save(raw / "1.jpg")
    lay(raw, a="1.jpg Knife 1 2 4 6", b="1.jpg Knife 1 2 4 6")
    assert Opixray().sniff(tree()) == "2 text files hold lines of file, class and corners, as train_annotation/a.txt"
