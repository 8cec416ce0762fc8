"""ImageFolder: classes below train, val and test.

Wrong while green would be: days, bags, channels or kinds of files taken for classes; a class outside the taxonomy
dropped; parts of one set compared with those of another.
"""

from __future__ import annotations

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.imagefolder import ImageFolder


def paths(*folders: str) -> list[str]:
    return [f"{folder}/{n}.png" for folder in folders for n in range(2)]


def objects(tree, *folders: str) -> dict[str, object]:
    made = tree(*paths(*folders))
    if ImageFolder().sniff(made) is None:
        return {}
    return {path.rpartition("/")[0]: f["object"] for path, f in ImageFolder().read(made).fields.items()}


def test_classes_that_no_taxonomy_knows(run, raw, project):
    for path in paths("train/Wug", "train/Apple", "val/Wug", "val/Apple", "val/Blick"):
        save(raw / path, seed=len(path))
    run(raw)
    rows = {r["path"]: r for r in manifest.read(project, "images").to_pylist()}
    found = {path.rpartition("/")[0]: (r["object"], r["label_source"]) for path, r in rows.items()}
    assert found == {
        "train/Wug": ("Wug", "imagefolder"),
        "train/Apple": ("apple", "imagefolder"),
        "val/Wug": ("Wug", "imagefolder"),
        "val/Apple": ("apple", "imagefolder"),
        "val/Blick": ("Blick", "imagefolder"),
    }
    assert '"source_part": "val"' in rows["val/Blick/0.png"]["extra"]


def test_the_parts_have_several_names(tree):
    made = tree(*paths("Training/a b", "Training/c", "VALID/a b", "VALID/c", "test/a b", "test/c"))
    parts = {f["source_part"] for f in ImageFolder().read(made).fields.values()}
    assert parts == {"train", "val", "test"}
    assert ImageFolder().sniff(made) == "Training, VALID, test hold the same 2 folders (a b, c, …)"


def test_below_another_folder(tree):
    found = objects(tree, "set/train/a", "set/train/b", "set/test/a", "set/test/b", "other/test/c", "train/x/y/a")
    assert found == {"set/train/a": "a", "set/train/b": "b", "set/test/a": "a", "set/test/b": "b"}


def test_parts_of_two_sets_are_not_one(tree):
    assert objects(tree, "A/train/a", "A/train/b", "B/val/a", "B/val/b") == {}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("2024-05-17", "2024-05-18"),
        ("20240517", "20240518"),
        ("0517", "0518"),
        ("1", "2"),
        ("images", "masks"),
        ("Images", "Labels"),
        ("High", "Low"),
        ("Colour", "Grey"),
        ("single_basket", "multiple_basket"),
        ("basket", "carrier"),
        ("knife", "2024-05-17"),
        ("knife", "high"),
    ],
)
def test_folders_that_are_no_classes(tree, one, two):
    assert objects(tree, *(f"{part}/{name}" for part in ("train", "val") for name in (one, two))) == {}


@pytest.mark.parametrize(
    "folders",
    [
        ("train/a", "train/b"),
        ("train/a", "train/b", "val/c", "val/d"),
        ("train/a", "val/a"),
        ("a", "b"),
        ("monday/a", "monday/b", "tuesday/a", "tuesday/b"),
        ("a/train", "a/val", "b/train", "b/val"),
        ("train", "val"),
        ("train/a/deep", "train/b/deep", "val/a/deep", "val/b/deep"),
    ],
)
def test_other_layouts_are_not_claimed(tree, folders):
    assert objects(tree, *folders) == {}


def test_folders_beside_the_classes_are_left_alone(tree):
    found = objects(tree, "train/a", "train/b", "train/2024-05-17", "val/a", "val/b", "train/a/high")
    assert set(found) == {"train/a", "train/b", "val/a", "val/b"}


def test_tables_make_no_folder_of_pictures(tree):
    assert ImageFolder().sniff(tree("train/a/1.csv", "train/b/1.csv", "val/a/1.csv", "val/b/1.csv")) is None
