"""Pascal VOC's XML files.

Wrong while green would be: boxes on the picture that a copied `filename` names; the picture of another part; a corner
taken for a size; a file that fills the memory; other XML taken for annotations.
"""

from __future__ import annotations

import time

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.voc import Voc


def thing(name="knife", box=(1, 2, 4, 6)):
    edges = "".join(f"<{e}>{v}</{e}>" for e, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=False))
    return f"<object><name>{name}</name><difficult>0</difficult><bndbox>{edges}</bndbox></object>"


def write(path, *objects, filename="1.png", before="", root="annotation"):
    path.parent.mkdir(parents=True, exist_ok=True)
    named = "" if filename is None else f"<filename>{filename}</filename>"
    size = "<size><width>16</width><height>12</height><depth>3</depth></size>"
    path.write_text(f"{before}<{root}><folder>x</folder>{named}{size}{''.join(objects)}</{root.split()[0]}>", "utf-8")


def boxes(reading):
    return {
        path: [(b.label, b.x, b.y, b.width, b.height) for b in drawn] for path, drawn in reading.boxes.items() if drawn
    }


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


KNIFE = ("knife", 1, 2, 3, 4)


def test_several_objects(raw, tree):
    save(raw / "JPEGImages/1.png")
    write(raw / "Annotations/1.xml", thing(), thing("gun", (0, 0, 16, 12)), thing("knife", (0.5, 1, 2.5, 2)))
    reading = Voc().read(tree())
    assert boxes(reading) == {"JPEGImages/1.png": [KNIFE, ("gun", 0, 0, 16, 12), ("knife", 0.5, 1, 2, 1)]}
    assert dict(reading.fields) == {"JPEGImages/1.png": {"objects": ["knife", "gun"]}}
    assert reading.sources == {"Annotations/1.xml": "annotation"}
    assert not problems(reading)


def test_masks_are_no_pictures(run, raw, project):
    for n in (1, 2):
        save(raw / f"VOC/JPEGImages/{n}.png", seed=n)
        for folder in ("SegmentationClass", "SegmentationObject"):
            save(raw / f"VOC/{folder}/{n}.png", seed=n)
    save(raw / "SegmentationClass/3.png")  # beside no folder of pictures: nothing says that it is a mask
    write(raw / "VOC/Annotations/1.xml", thing())
    write(raw / "VOC/Annotations/2.xml", thing(), filename="1.png")
    write(raw / "VOC/Annotations/4.xml", thing(), filename="4.png")
    run(raw)
    images = {row["path"]: row["objects"] for row in manifest.read(project, "images").to_pylist()}
    assert images == {
        "SegmentationClass/3.png": None,
        "VOC/JPEGImages/1.png": ["knife"],
        "VOC/JPEGImages/2.png": ["knife"],
    }
    roles = manifest.read(project, "sources")["role"].to_pylist()
    assert sorted(roles) == ["annotation"] * 3 + ["sidecar"] * 4
    rejects = [(row["path"], row["message"]) for row in manifest.read(project, "rejects").to_pylist()]
    assert rejects == [("VOC/Annotations/4.xml", "no file is called '4.png'")]


def test_a_mask_whose_picture_is_gone_gets_no_boxes(raw, tree):
    save(raw / "JPEGImages/2.png")
    save(raw / "SegmentationClass/1.png")
    write(raw / "Annotations/1.xml", thing(), filename="1.jpg")
    reading = Voc().read(tree())
    assert not boxes(reading)
    assert problems(reading) == [("Annotations/1.xml", "the whole file", "no file is called '1.jpg'")]


def test_no_object(run, raw, project):
    save(raw / "1.png")
    write(raw / "1.xml")
    run(raw)
    assert manifest.read(project, "images")["objects"].to_pylist() == [None]
    assert manifest.read(project, "detections").num_rows == manifest.read(project, "rejects").num_rows == 0
    assert manifest.read(project, "sources")["role"].to_pylist() == ["annotation"]


@pytest.mark.parametrize(
    "filename", ["2.png", "first.jpg", None, "", r"C:\scans\2.png", "2", "/home/kim/scans/2.png", "1.jpg", "1"]
)
def test_the_files_own_name_goes_before_the_one_it_holds(raw, tree, filename):
    """Programs copy the first picture's name into all of their annotations."""
    for name in (1, 2):
        save(raw / f"JPEGImages/{name}.png")
    write(raw / "Annotations/1.xml", thing(), filename=filename)
    assert boxes(Voc().read(tree())) == {"JPEGImages/1.png": [KNIFE]}


@pytest.mark.parametrize("filename", ["2.png", "JPEGImages/2.png", " 2.png\n", "2"])
def test_a_file_whose_own_name_is_no_pictures(raw, tree, filename):
    save(raw / "JPEGImages/2.png")
    write(raw / "Annotations/ann-000002.xml", thing(), filename=filename)
    assert boxes(Voc().read(tree())) == {"JPEGImages/2.png": [KNIFE]}


def test_each_part_has_its_own_picture_of_that_name(raw, tree):
    for part in ("train", "test"):
        save(raw / part / "JPEGImages/1.png")
        write(raw / part / "Annotations/1.xml", thing(part))
    assert boxes(Voc().read(tree())) == {
        "train/JPEGImages/1.png": [("train", 1, 2, 3, 4)],
        "test/JPEGImages/1.png": [("test", 1, 2, 3, 4)],
    }


def test_where_two_pictures_may_be_meant_none_is_taken(raw, tree):
    """Not even where the copied name inside would be clear."""
    for path in ("JPEGImages/a/1.png", "JPEGImages/b/1.png", "JPEGImages/2.png", "Annotations/shown/1.png"):
        save(raw / path)
    write(raw / "Annotations/1.xml", thing(), filename="2.png")
    reading = Voc().read(tree())
    assert not boxes(reading)
    assert problems(reading) == [("Annotations/1.xml", "the whole file", "'1' may be any of 3 files")]


def test_the_picture_is_not_there(raw, tree):
    save(raw / "2.png")
    write(raw / "1.xml", thing())
    assert problems(Voc().read(tree())) == [("1.xml", "the whole file", "no file is called '1.png'")]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (thing(box=(4, 2, 1, 6)), "its box is -3 x 4"),
        (thing(box=(1, 6, 4, 2)), "its box is 3 x -4"),
        (thing(box=(1, 2, 1, 6)), "its box is 0 x 4"),
        (thing(box=(1, 2, 4)), "its box has no ymax"),
        (thing(box=(1, "", 4, 6)), "ymin is ''"),
        (thing(box=("nan", 2, 4, 6)), "its box holds what is not a number"),
        (thing(box=(1, 2, "inf", 6)), "its box holds what is not a number"),
        (thing(name=""), "it has no name"),
        (thing(name=" "), "it has no name"),
        ("<object><name>knife</name></object>", "its box has no xmin"),
        (thing(box=(1, "x", 4, 6)), "ymin is 'x'"),
        ("<object/>", "it has no name"),
    ],
)
def test_an_object_that_cannot_be_used_is_told_and_the_others_are_read(raw, tree, broken, message):
    save(raw / "1.png")
    write(raw / "1.xml", broken, thing())
    reading = Voc().read(tree())
    assert boxes(reading) == {"1.png": [KNIFE]}
    assert problems(reading) == [("1.xml", "object 1", message)]
    assert reading.fields["1.png"] == {"objects": ["knife"]}


def test_parts_of_an_object_are_not_it(raw, tree):
    save(raw / "1.png")
    part = "<part><name>blade</name><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>1</xmax><ymax>1</ymax></bndbox></part>"
    write(raw / "1.xml", thing().replace("<name>", f"{part}<name>", 1))
    assert boxes(Voc().read(tree())) == {"1.png": [KNIFE]}


@pytest.mark.parametrize(
    ("before", "root", "encoding"),
    [
        ("\ufeff", "annotation", "utf-8"),
        ('<?xml version="1.0" encoding="utf-8"?>\n', "annotation", "utf-8"),
        ('<?xml version="1.0" encoding="euc-kr"?>\n', "annotation", "cp949"),
        ('<?xml version="1.0" encoding="utf-16"?>\n', 'annotation verified="yes"', "utf-16"),
        ("<!-- <scan> made by hand -->\n<!DOCTYPE annotation>\n", "annotation", "utf-8"),
        ("", 'annotation xmlns="http://example.org/voc"', "utf-8"),
    ],
)
def test_beginnings_and_encodings(raw, tree, before, root, encoding):
    save(raw / "1.png")
    write(raw / "1.xml", thing("사과"), before=before, root=root)
    (raw / "1.xml").write_bytes((raw / "1.xml").read_text("utf-8").encode(encoding))
    assert boxes(Voc().read(tree())) == {"1.png": [("사과", 1, 2, 3, 4)]}


def test_a_damaged_file_is_a_source_and_a_reject(run, raw, project):
    save(raw / "1.png")
    write(raw / "1.xml", thing(), thing())
    text = (raw / "1.xml").read_text()
    (raw / "1.xml").write_text(text[: len(text) * 2 // 3])
    run(raw)
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == ("1.xml", "the whole file", "bad_annotation")
    assert reject["message"].startswith("is not well-formed XML")
    assert manifest.read(project, "detections").num_rows == 0
    assert manifest.read(project, "sources")["path"].to_pylist() == ["1.xml"]


LAUGHS = "<!DOCTYPE annotation [\n" + '<!ENTITY a0 "lol">\n' + "".join(
    f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">\n' for n in range(1, 12)
) + "]>\n"  # fmt: skip
QUADRATIC = f'<!DOCTYPE annotation [<!ENTITY a "{"lol" * 30_000}">]>\n'
OUTSIDE = '<!DOCTYPE annotation [<!ENTITY a11 SYSTEM "file:///etc/hostname">]>\n'


@pytest.mark.parametrize(("before", "name"), [(LAUGHS, "&a11;"), (QUADRATIC, "&a;" * 30_000), (OUTSIDE, "&a11;")])
def test_entities_neither_fill_the_memory_nor_read_other_files(raw, tree, before, name):
    save(raw / "1.png")
    write(raw / "1.xml", thing(name), before=before)
    start = time.monotonic()
    reading = Voc().read(tree())
    assert time.monotonic() - start < 2
    assert not boxes(reading)
    assert problems(reading) == [("1.xml", "the whole file", "declares entities, which are not read")]


def test_a_box_that_leaves_its_picture_is_a_reject(run, raw, project):
    save(raw / "1.png")  # 16 x 12
    write(raw / "1.xml", thing(), thing("gun", (1, 1, 40, 5)))
    run(raw)
    assert manifest.read(project, "detections")["label"].to_pylist() == ["knife"]
    (reject,) = manifest.read(project, "rejects").to_pylist()
    assert (reject["path"], reject["item"], reject["reason"]) == ("1.xml", "object 2", "bad_annotation")


@pytest.mark.parametrize("text", ["<scan><annotation/></scan>", "", "<annotations/>", "<", "annotation", "\x00\xff"])
def test_other_xml_is_not_claimed(raw, tree, text):
    save(raw / "1.png")
    (raw / "2.xml").write_text(text, "utf-8")
    assert Voc().sniff(tree()) is None


def test_why(raw, tree):
    save(raw / "1.png")
    write(raw / "1.xml")
    write(raw / "2.XML")
    assert Voc().sniff(tree()) == "2 XML files are annotations, as 1.xml"
