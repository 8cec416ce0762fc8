"""Each format, loaded by the library that it is made for.

Wrong while green would be: a library that was never asked, a picture under another one's label, classes numbered
differently in two parts, a deep picture that comes out white, or an image that is silently not there.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from assets.pictures import deep
from exports.conftest import divide, images, parts
from xqdata.exports.huggingface import split_names
from xqdata.exports.yolo import dumped

os.environ["HF_HUB_OFFLINE"] = "1"  # read when datasets is imported
NAMED = ("train", "val", "test")


@pytest.fixture
def rows(laboratory):
    return {image: {**images(laboratory)[image], "part": part} for image, part in parts(laboratory).items()}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- ImageFolder


def test_torchvision_reads_the_imagefolder(laboratory, make, tmp_path, rows):
    torchvision = pytest.importorskip("torchvision")
    result = make(laboratory, "imagefolder")
    listed = {row["file"]: row for row in read(tmp_path / "out/images.csv")}
    classes = []
    seen = 0
    for part in NAMED:
        folder = torchvision.datasets.ImageFolder(tmp_path / "out" / part, allow_empty=True)
        classes.append(folder.class_to_idx)
        for path, _ in folder.samples:
            row = listed[Path(path).relative_to(tmp_path / "out").as_posix()]
            assert rows[row["image_id"]]["part"] == row["split"] == part
            assert rows[row["image_id"]]["object"] == row["object"]
            seen += 1
        for picture, _ in folder:
            assert picture.mode == "RGB"
            assert np.asarray(picture).std() > 10  # a deep picture that is clipped is white
    assert classes[0] == classes[1] == classes[2]
    assert seen == result.images == sum(row["object"] is not None for row in rows.values())
    assert result.left_out["without an object"] + result.left_out.get("with several objects", 0) == len(rows) - seen
    assert any("allow_empty" in note for note in result.notes)


# --- Hugging Face


@pytest.fixture
def load(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    return lambda folder: datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))


def test_datasets_reads_the_huggingface_export(laboratory, make, tmp_path, rows, load):
    make(laboratory, "huggingface")
    found = load(tmp_path / "out")
    assert set(found) == {"train", "validation", "test"}
    seen = {}
    for name, part in found.items():
        for row in part:
            seen[row["image_id"]] = row
            wanted = rows[row["image_id"]]
            assert {"val": "validation"}.get(wanted["part"], wanted["part"]) == name
            for column in ("object", "objects", "scan_type", "acquired_at", "kvp", "session"):
                assert row[column] == wanted[column] or column == "session"
            assert row["image"].size == (wanted["width"], wanted["height"])
    assert seen.keys() == rows.keys()


def test_datasets_reads_all_bits(laboratory, make, tmp_path, rows, load):
    make(laboratory, "huggingface", where="path == 'deep/0003.png'")
    (part,) = load(tmp_path / "out").values()
    assert np.array_equal(np.asarray(part[0]["image"]), deep(seed=3))


def test_datasets_reads_boxes_and_an_export_without_a_split(boxed, make, tmp_path, load):
    (boxed.manifests / "splits").rename(boxed.manifests / "hidden")
    try:
        make(boxed, "huggingface")
    finally:
        (boxed.manifests / "hidden").rename(boxed.manifests / "splits")
    (name,) = found = load(tmp_path / "out")
    assert name == "train"
    assert sum(len(row["boxes"]) for row in found[name]) == 12
    assert {box["label"] for row in found[name] for box in row["boxes"]} == {"apple", "no: really"}


def test_datasets_reads_folds(boxed, make, tmp_path, load):
    divide(boxed, "tens", ("0", "10"))
    make(boxed, "huggingface", split="tens")
    assert {name: len(part) for name, part in load(tmp_path / "out").items()} == {"fold_0": 6, "fold_10": 6}


def test_parts_keep_apart_in_datasets():
    names = split_names(["train", "val", "validation", "a-b", "a_b", "a b", "0", "fold_0", "훈련"])
    assert names["val"] == "validation"
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"\w+", name) for name in names.values())


# --- COCO


@pytest.fixture
def coco(capsys):
    module = pytest.importorskip("pycocotools.coco")
    return lambda path: module.COCO(str(path))


def test_pycocotools_reads_boxes(boxed, make, tmp_path, coco):
    make(boxed, "coco")
    ids: list[int] = []
    boxes = 0
    for part in NAMED:
        found = coco(tmp_path / f"out/annotations/instances_{part}.json")
        ids += [*found.imgs]
        assert [category["name"] for category in found.loadCats(found.getCatIds())] == ["apple", "no: really"]
        for image in found.loadImgs(found.getImgIds()):
            with Image.open(tmp_path / "out/images" / part / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])
            drawn = found.loadAnns(found.getAnnIds(imgIds=image["id"]))
            assert all(a["bbox"][0] + a["bbox"][2] <= image["width"] + 1e-6 for a in drawn)
            boxes += len(drawn)
        small = found.getAnnIds(areaRng=[0, 100])
        assert all(a["area"] < 100 for a in found.loadAnns(small))
    assert sorted(ids) == [*range(1, 13)]
    assert boxes == 12


def test_coco_scores_itself_as_perfect(boxed, make, tmp_path, coco):
    from pycocotools.cocoeval import COCOeval

    make(boxed, "coco")
    found = coco(tmp_path / "out/annotations/instances_train.json")
    guesses = [{**a, "score": 1.0} for a in found.dataset["annotations"]]
    judged = COCOeval(found, found.loadRes(guesses), "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    assert judged.stats[0] == pytest.approx(1.0)


def test_coco_without_boxes_is_valid_and_draws_nothing(laboratory, make, tmp_path, rows, coco):
    result = make(laboratory, "coco")
    found = coco(tmp_path / "out/annotations/instances_train.json")
    assert found.anns == {}
    assert {"apple", "../x", "zebra"} & {c["name"] for c in found.cats.values()}
    for image in found.imgs.values():
        row = rows[Path(image["file_name"]).stem]
        assert image.get("object") == row["object"]
        assert image.get("scan_type") == row["scan_type"]
    assert any("no image has a box" in note for note in result.notes)


# --- YOLO


def test_fiftyone_reads_yolo(boxed, make, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yolo = pytest.importorskip("fiftyone.utils.yolo")
    make(boxed, "yolo")
    boxes = count = 0
    for part in NAMED:
        with yolo.YOLOv5DatasetImporter(str(tmp_path / "out"), split=part, include_all_data=True) as reader:
            for _, _, label in reader:
                count += 1
                for drawn in label.detections if label else ():
                    assert drawn.label in ("apple", "no: really")
                    assert all(0 <= share <= 1 for share in drawn.bounding_box)
                    boxes += 1
    assert (count, boxes) == (12, 12)


def test_yolo_has_a_label_for_each_picture_and_shares_within_it(boxed, make, tmp_path):
    make(boxed, "yolo")
    told = yaml.safe_load((tmp_path / "out/dataset.yaml").read_text())
    assert told["names"] == {0: "apple", 1: "no: really"}
    for part in NAMED:
        folder = tmp_path / "out" / told[part]
        for picture in folder.iterdir():
            label = Path(str(picture).replace("/images/", "/labels/")).with_suffix(".txt")
            for line in label.read_text().splitlines():
                number, x, y, width, height = line.split()
                assert int(number) in told["names"]
                for middle, size in ((float(x), float(width)), (float(y), float(height))):
                    assert middle - size / 2 + 1e-9 >= 0
                    assert middle + size / 2 <= 1 + 1e-8


@pytest.mark.parametrize(
    "name", ["no", "007", "null", "a: b", "{x}", "'", '"', "금속", "- y", "#z", "a\u2028b", "\x85", "😀", "x" * 300]
)
def test_names_in_yaml_stay_names(name):
    text = dumped({"train": "images"}, [name])
    assert yaml.safe_load(text) == {"train": "images", "names": {0: name}}
    assert len(text.splitlines()) == 3


def test_yolo_without_boxes_is_the_layout_of_its_classification(laboratory, make, tmp_path):
    torchvision = pytest.importorskip("torchvision")
    result = make(laboratory, "yolo")
    found = torchvision.datasets.ImageFolder(tmp_path / "out/train", allow_empty=True)
    assert len(found) == result.parts["train"]
    assert not (tmp_path / "out/labels").exists()


# --- WebDataset


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_its_tar_files(laboratory, make, tmp_path, rows):
    webdataset = pytest.importorskip("webdataset")
    make(laboratory, "webdataset")
    classes = json.loads((tmp_path / "out/classes.json").read_text())
    seen = set()
    for part in NAMED:
        url = str(tmp_path / f"out/{part}-000000.tar")
        for sample in webdataset.WebDataset(url, shardshuffle=False).decode("pil"):
            row = rows[sample["__key__"]]
            seen.add(sample["__key__"])
            told = sample["json"]
            assert (told["split"], told.get("object"), told.get("scan_type")) == (part, row["object"], row["scan_type"])
            assert ("cls" in sample) == (row["object"] is not None)
            if "cls" in sample:
                assert classes[sample["cls"]] == row["object"]
            (picture,) = [sample[key] for key in ("png", "jpg", "bmp", "webp") if key in sample]
            assert picture.size == (row["width"], row["height"])
            assert np.asarray(picture).std() > 10
    assert seen == rows.keys()


def test_a_tar_file_holds_no_more_than_so_many(laboratory, make, tmp_path, monkeypatch):
    monkeypatch.setattr("xqdata.exports.webdataset.SAMPLES", 3)
    result = make(laboratory, "webdataset")
    found = sorted(path.name for path in (tmp_path / "out").glob("train-*.tar"))
    assert len(found) == -(-result.parts["train"] // 3)


# --- Croissant


@pytest.fixture
def described(caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlcroissant = pytest.importorskip("mlcroissant")
    logging.getLogger("absl").setLevel(logging.ERROR)

    def call(folder: Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return mlcroissant.Dataset(str(folder / "croissant.json"))

    return call


@pytest.mark.filterwarnings("ignore")
def test_mlcroissant_validates_it_and_reads_its_records(laboratory, make, tmp_path, rows, described):
    make(laboratory, "croissant")
    dataset = described(tmp_path / "out")
    assert not dataset.metadata.issues.errors
    assert "1.1" in json.loads((tmp_path / "out/croissant.json").read_text())["conformsTo"][0]
    seen = set()
    for record in dataset.records("images"):
        row = rows[record["images/image_id"].decode()]
        seen.add(row["image_id"])
        assert text(record["images/object"]) == row["object"]
        assert text(record["images/scan_type"]) == row["scan_type"]
        assert text(record["images/split"]) == row["part"]
        assert record["images/image"].size == (row["width"], row["height"])
        assert np.asarray(record["images/image"]).std() > 10
    assert seen == rows.keys()
    assert [record["splits/name"] for record in dataset.records("splits")] == [*NAMED]


@pytest.mark.filterwarnings("ignore")
def test_croissant_holds_folds(boxed, make, tmp_path, described):
    divide(boxed, "folds", ("0", "1", "2"))
    make(boxed, "croissant", split="folds")
    dataset = described(tmp_path / "out")
    assert not dataset.metadata.issues.errors
    assert [record["splits/name"] for record in dataset.records("splits")] == ["0", "1", "2"]
    assert len([*dataset.records("images")]) == 12


def text(value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) and value != b"nan" else None


@pytest.mark.filterwarnings("ignore")
def test_checksums_of_croissant_are_true(boxed, make, tmp_path, described):
    make(boxed, "croissant")
    document = json.loads((tmp_path / "out/croissant.json").read_text())
    tables = [entry for entry in document["distribution"] if "sha256" in entry]
    assert {entry["contentUrl"] for entry in tables} == {"images.csv", "boxes.csv"}
    for entry in tables:
        data = (tmp_path / "out" / entry["contentUrl"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
        assert entry["contentSize"] == f"{len(data)} B"
    for row in read(tmp_path / "out/images.csv"):
        assert hashlib.sha256((tmp_path / "out" / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    assert len([*described(tmp_path / "out").records("boxes")]) == 12


@pytest.mark.filterwarnings("ignore")
def test_croissant_says_what_is_known_and_makes_nothing_up(laboratory, make, tmp_path, described):
    make(laboratory, "croissant")
    document = json.loads((tmp_path / "out/croissant.json").read_text())
    metadata = described(tmp_path / "out").metadata
    assert metadata.license == ["CC0-1.0"]
    assert metadata.data_collection_timeframe
    assert metadata.data_biases
    assert metadata.personal_sensitive_information[0].startswith("Operators, sites, serial numbers")
    assert "rai:dataSocialImpact" not in document
    assert not {"datePublished", "creator", "citeAs", "rai:dataUseCases"} & document.keys()


@pytest.mark.filterwarnings("ignore")
def test_croissant_says_what_the_card_says(laboratory, make, tmp_path, described):
    card = laboratory.folder / "card.toml"
    card.write_text(
        "name = 'Spring'\ndescription = 'Scans \"of\" 봄.'\nlicence = 'CC-BY-4.0'\ncitation = 'Kim, Spring (2026)'\n"
        "creators = ['Quarantine laboratory', ' ']\npublished = '2026-05-17'\nversion = '1.2.0'\n"
        "[uses]\nunfit = 'To clear baggage.'\nfit = 'To teach.'\n[maintenance]\nupdates = 'Every year.'\n"
    )
    try:
        make(laboratory, "croissant")
    finally:
        card.unlink()
    metadata = described(tmp_path / "out").metadata
    assert not metadata.issues.errors
    assert not [told for told in metadata.issues.warnings if "recommended" in told]
    assert metadata.name == "Spring"
    assert metadata.description.startswith('Scans "of" 봄.\n\n')
    assert metadata.license == ["CC-BY-4.0"]
    assert metadata.cite_as == "Kim, Spring (2026)"
    assert [one.name for one in metadata.creators] == ["Quarantine laboratory"]
    assert metadata.date_published.isoformat().startswith("2026-05-17")
    assert metadata.version == "1.2.0"
    assert metadata.data_use_cases == ["To teach."]
    assert "To clear baggage." in metadata.data_limitations
    assert metadata.data_release_maintenance_plan == "Every year."


# --- CSV


def test_the_csv_has_a_row_for_each_picture_and_a_picture_for_each_row(laboratory, make, tmp_path, rows):
    pandas = pytest.importorskip("pandas")
    make(laboratory, "csv")
    table = pandas.read_csv(tmp_path / "out/images.csv")
    assert set(table["image_id"]) == rows.keys()
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out/images").iterdir()}
    assert set(table["file"]) == there
    for row in table.itertuples():
        assert rows[row.image_id]["sha256"] == row.source_sha256
        assert hashlib.sha256((tmp_path / "out" / row.file).read_bytes()).hexdigest() == row.sha256


def test_pages_of_one_file_are_pictures_of_their_own(laboratory, make, tmp_path):
    (laboratory.manifests / "splits").rename(laboratory.manifests / "hidden")
    try:
        make(laboratory, "csv", where="path == 'deep/0004.tif'", private=True)
    finally:
        (laboratory.manifests / "hidden").rename(laboratory.manifests / "splits")
    found = read(tmp_path / "out/images.csv")
    assert sorted(row["page"] for row in found) == ["0", "1", "2"]
    for row in found:
        import imagecodecs

        pixels = imagecodecs.png_decode((tmp_path / "out" / row["file"]).read_bytes())
        assert np.array_equal(pixels, deep(seed=100 + int(row["page"])))
