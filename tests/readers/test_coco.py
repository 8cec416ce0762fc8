"""COCO's instances files.

Wrong while green would be: boxes on another picture that bears the same name or the same id; an annotation that cannot
be used dropped in silence or ending the run; a category taken for another; a large file that nobody recognises.
"""

from __future__ import annotations

import json

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.coco import Coco

KNIFE, GUN = {"id": 1, "name": "knife"}, {"id": 7, "name": "gun"}


def image(number, name):
    return {"id": number, "file_name": name, "width": 16, "height": 12}


def note(number, picture, category=1, box=(1, 2, 3, 4)):
    return {"id": number, "image_id": picture, "category_id": category, "bbox": list(box)}


def write(path, images=(), annotations=(), categories=(KNIFE, GUN), **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"images": list(images), "annotations": list(annotations), "categories": list(categories), **more}
    path.write_text(json.dumps(document), encoding="utf-8")


def boxes(reading):
    return {
        path: [(b.label, b.x, b.y, b.width, b.height) for b in drawn] for path, drawn in reading.boxes.items() if drawn
    }


def problems(reading):
    return [(bad.item, bad.message) for bad in reading.bad_rows]


def test_boxes_and_objects(raw, tree):
    for name in "abc":
        save(raw / f"images/{name}.png")
    images = [image(5, "images/a.png"), image(6, "images/b.png"), image(7, "images/c.png")]
    notes = [note(1, 6), note(2, 6, 7, (0, 0, 16, 12)), note(3, 6, 1, (5.5, 1, 2, 2)), note(4, 5, 7)]
    write(raw / "annotations.json", images, notes)
    reading = Coco().read(tree())
    assert boxes(reading) == {
        "images/b.png": [("knife", 1, 2, 3, 4), ("gun", 0, 0, 16, 12), ("knife", 5.5, 1, 2, 2)],
        "images/a.png": [("gun", 1, 2, 3, 4)],
    }
    assert dict(reading.fields) == {
        "images/b.png": {"objects": ["knife", "gun"]},
        "images/a.png": {"objects": ["gun"]},
    }
    assert reading.sources == {"annotations.json": "annotation"}
    assert not reading.bad_rows


def test_an_image_without_annotations_is_nobodys_object(run, raw, project):
    save(raw / "a.png")
    write(raw / "x.json", [image(1, "a.png")])
    run(raw)
    (row,) = manifest.read(project, "images").to_pylist()
    assert (row["objects"], row["object"]) == (None, None)
    assert manifest.read(project, "detections").num_rows == 0
    assert [s["path"] for s in manifest.read(project, "sources").to_pylist()] == ["x.json"]


def test_two_parts_that_count_from_one_and_use_the_same_names(raw, tree):
    """As Roboflow writes it: the file beside the pictures of its part."""
    for part in ("train", "valid"):
        save(raw / part / "0.png")
    write(raw / "train/_annotations.coco.json", [image(1, "0.png")], [note(1, 1, 1)])
    write(raw / "valid/_annotations.coco.json", [image(1, "0.png")], [note(1, 1, 7)], [{"id": 7, "name": "bat"}])
    reading = Coco().read(tree())
    assert boxes(reading) == {"train/0.png": [("knife", 1, 2, 3, 4)], "valid/0.png": [("bat", 1, 2, 3, 4)]}


def test_names_below_the_set_and_below_the_root(raw, tree):
    for path in ("A/images/train/1.png", "B/images/train/1.png"):
        save(raw / path)
    write(raw / "A/annotations/train.json", [image(1, "1.png")], [note(1, 1)])
    write(raw / "B/annotations/train.json", [image(1, "images/train/1.png")], [note(1, 1, 7)])
    write(raw / "all.json", [image(1, "B/images/train/1.png")], [note(1, 1, 1, (0, 0, 1, 1))])
    reading = Coco().read(tree())
    assert boxes(reading) == {
        "A/images/train/1.png": [("knife", 1, 2, 3, 4)],
        "B/images/train/1.png": [("gun", 1, 2, 3, 4), ("knife", 0, 0, 1, 1)],
    }


def test_a_name_that_two_files_bear_is_nobodys_to_choose(raw, tree):
    for path in ("images/a/1.png", "images/b/1.png"):
        save(raw / path)
    write(raw / "annotations/x.json", [image(1, "1.png")], [note(1, 1)])
    reading = Coco().read(tree())
    assert not boxes(reading)
    assert [item for item, _ in problems(reading)] == ["images 0", "annotations 1"]


@pytest.mark.parametrize("listing", ["{}.json", "instances_{}2017.json", "xray_test_{}.json"])
def test_a_listing_called_after_a_folder_means_the_pictures_there(raw, tree, listing):
    for part in ("train", "val"):
        save(raw / f"images/{part}/1.png")
        write(raw / "annotations" / listing.format(part), [image(1, "1.png")], [note(1, 1, box=(1, 2, 3, len(part)))])
    reading = Coco().read(tree())
    assert boxes(reading) == {f"images/{part}/1.png": [("knife", 1, 2, 3, len(part))] for part in ("train", "val")}
    assert not problems(reading)


def test_captions_are_no_boxes(raw, tree):
    save(raw / "1.png")
    write(raw / "captions.json", [image(1, "1.png")], [{"id": 1, "image_id": 1, "caption": "a bag"}])
    assert Coco().sniff(tree()) is None


@pytest.mark.parametrize(
    ("images", "notes", "expected"),
    [
        ([image(1, ".png")], [], ("images 0", "no file is called '.png'")),  # as in CLCXray
        ([image(1, "")], [], ("images 0", "no file is called ''")),
        ([{"id": 1}], [], ("images 0", "file_name is missing")),
        ([{"file_name": "a.png"}], [], ("images 0", "id is missing")),
        (["a.png"], [], ("images 0", "is 'a.png', not keys and values")),
        ([image(1, 5)], [], ("images 0", "file_name is 5, not a text")),
        ([image([1], "a.png")], [], ("images 0", "unhashable type: 'list'")),
        ([image(9, "a.png")], [], ("images 1", "the id 9 stands twice")),
        ([], [note(4, 8)], ("annotations 4", "there is no image 8")),
        ([], [note(4, 9, 8)], ("annotations 4", "there is no category 8")),
        ([], [note(4, 9, None)], ("annotations 4", "there is no category None")),
        ([], [note(4, 9, box=(1, 2, 3))], ("annotations 4", "its box has 3 numbers, not x, y, width, height")),
        ([], [note(4, 9, box=(1, 2, -3, 4))], ("annotations 4", "its box is -3 x 4")),
        ([], [note(4, 9, box=(1, 2, 0, 4))], ("annotations 4", "its box is 0 x 4")),
        ([], [note(4, 9, box=(1, 2, 3, float("nan")))], ("annotations 4", "its box holds what is not a number")),
        ([], [note(4, 9, box=(1, 2, 3, float("inf")))], ("annotations 4", "its box holds what is not a number")),
        ([], [note(4, 9, box=(10**400, 2, 3, 4))], ("annotations 4", "int too large to convert to float")),
        ([], [note(4, 9, box=(1, 2, 3, "x"))], ("annotations 4", "height is 'x'")),
        ([], [note(4, 9, box=(1, 2, None, 4))], ("annotations 4", "its box has no width")),
        ([], [{"image_id": 9, "category_id": 1}], ("annotations 0", "bbox is missing")),
        ([], [{"image_id": 9, "category_id": 1, "bbox": None}], ("annotations 0", "its box is None, not x, y")),
        (
            [],
            [{"image_id": 9, "category_id": 1, "bbox": "1 2 3 4"}],
            ("annotations 0", "its box is '1 2 3 4', not x, y, width, height"),
        ),
        ([], [None], ("annotations 0", "is None, not keys and values")),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_the_others_are_read(raw, tree, images, notes, expected):
    save(raw / "a.png")
    good = ([image(9, "a.png"), *images], [*notes, note(77, 9)])
    if images and expected[0] == "images 0":
        good = ([*images, image(9, "a.png")], good[1])
    write(raw / "x.json", *good)
    reading = Coco().read(tree())
    assert boxes(reading) == {"a.png": [("knife", 1, 2, 3, 4)]}
    ((item, message),) = problems(reading)
    assert item == expected[0]
    assert expected[1] in message


def test_an_annotation_of_a_picture_that_is_not_there_says_so(raw, tree):
    save(raw / "a.png")
    write(raw / "x.json", [image(1, "b.png")], [note(1, 1)])
    assert problems(Coco().read(tree())) == [
        ("images 0", "no file is called 'b.png'"),
        ("annotations 1", "the image 1 has no file"),
    ]


@pytest.mark.parametrize("category", [{"id": 1}, {"id": 1, "name": None}, {"id": 1, "name": " "}, {"name": "knife"}, 1])
def test_a_category_without_a_name_is_no_label(raw, tree, category):
    save(raw / "a.png")
    write(raw / "x.json", [image(1, "a.png")], [note(1, 1), note(2, 1, 7)], [category, GUN])
    reading = Coco().read(tree())
    assert boxes(reading) == {"a.png": [("gun", 1, 2, 3, 4)]}
    assert [item for item, _ in problems(reading)] == ["categories 0", "annotations 1"]


@pytest.mark.parametrize("categories", [None, {"knife": 1}, 3])
def test_categories_that_are_no_list(raw, tree, categories):
    save(raw / "a.png")
    (raw / "x.json").write_text(
        json.dumps({"images": [image(1, "a.png")], "annotations": [note(1, 1)], "categories": categories})
    )
    assert problems(Coco().read(tree())) == [("annotations 1", "there is no category 1")]


def test_a_box_that_leaves_its_picture_is_a_reject(run, raw, project):
    save(raw / "a.png")  # 16 x 12
    notes = [note(1, 1, box=(0, 0, 16, 12)), note(2, 1, box=(14, 0, 30, 4)), note(3, 1, 7, box=(-9, 0, 5, 4))]
    write(raw / "x.json", [image(1, "a.png")], notes)
    run(raw)
    (box,) = manifest.read(project, "detections").to_pylist()
    assert (box["label"], box["x"], box["y"], box["width"], box["height"]) == ("knife", 0, 0, 16, 12)
    rejects = manifest.read(project, "rejects").to_pylist()
    assert [(r["path"], r["item"], r["reason"]) for r in rejects] == [
        ("x.json", "annotations 2", "bad_annotation"),
        ("x.json", "annotations 3", "bad_annotation"),
    ]


def test_labels_that_the_taxonomy_knows_get_its_name(run, raw, project):
    save(raw / "a.png")
    write(raw / "x.json", [image(1, "a.png")], [note(1, 1)], [{"id": 1, "name": "사과"}])
    run(raw)
    assert manifest.read(project, "detections")["label"].to_pylist() == ["apple"]
    assert manifest.read(project, "images")["object"].to_pylist() == ["apple"]


@pytest.mark.parametrize("order", [["images", "annotations", "categories"], ["images", "categories", "annotations"],
                                   ["categories", "annotations", "images"]])  # fmt: skip
def test_large_files_are_recognised_wherever_their_keys_stand(raw, tree, order):
    save(raw / "a.png")
    parts = {
        "images": [image(n, f"none/{n:060}.png") for n in range(1500)] + [image(-1, "a.png")],
        "annotations": [{"id": 0, "image_id": -1, "category_id": 1, "bbox": [1, 2, 3, 4], "note": "x" * 200_000}],
        "categories": [KNIFE],
    }
    (raw / "x.json").write_text(json.dumps({key: parts[key] for key in order}), encoding="utf-8")
    assert (raw / "x.json").stat().st_size > 4 * (1 << 16)
    assert Coco().sniff(tree()) == "x.json hold images, annotations and categories"
    assert boxes(Coco().read(tree())) == {"a.png": [("knife", 1, 2, 3, 4)]}


@pytest.mark.parametrize(
    "text",
    ['{"images": []', '{"images": {}, "annotations": []}', '[{"image_id": 1, "annotations": []}]', "", "{}",
     '{"annotations": []}', "[" * 100_000 + '"annotations"', '"\\ud800 annotations"'],
)  # fmt: skip
def test_other_json_is_not_claimed(raw, tree, text):
    (raw / "x.json").write_text(text, encoding="utf-8")
    assert Coco().sniff(tree()) is None
