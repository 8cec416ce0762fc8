"""A laboratory whose export has everything that can go wrong: names, formats, depths, and secrets in all places."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from assets.pictures import colour, deep, encoded, grey, save
from xqdata import manifest, schema
from xqdata.config import Config
from xqdata.exports import Request, Result, export
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Origin, Project
from xqdata.taxonomy import Taxonomy

OPERATOR, SITE, SERIAL = "Kim Minsu", "Busan Terminal 3", "SN-77142"
SECRETS = (OPERATOR, SITE, SERIAL)
HEADER = "file object scan_type specimen session operator site scanner_serial acquired_at kvp licence remark".split()
# Path, object, scan type. Names that no folder may bear, names that some file systems confuse, and none at all.
ROWS = (
    ("a/0001.png", "apple", "single_basket"),
    ("b/0001.png", "apple", "single_carrier"),
    (f"{OPERATOR}/0002.jpg", "mango", "single_basket"),
    ("deep/0003.png", "mango", "multiple_basket"),
    ("deep/0004.tif", "apple", "single_basket"),
    ("0005.bmp", "../x", "single_basket"),
    ("0006.webp", "a/b", "my own way"),
    ("0007.tif", "Zebra", "single_basket"),
    ("0008.png", "zebra", "single_basket"),
    ("0009.png", "con", "single_basket"),
    ("0010.png", "", "single_basket"),
    ("0011.png", "apple; mango", "multiple_basket"),
    ("0012.jpg", "얼룩말 été", ""),
    ("0013.tif", "..", "single_basket"),
    ("0014.png", "apple", "single_basket"),
    ("0015.png", "a_b", "single_basket"),
    (f"{SITE}/0016.png", "mango", "single_basket"),
)
PARTS = ("train", "train", "val", "test", None)


def write_raw(raw: Path) -> None:
    """The laboratory's export: a picture for each of ROWS, and the operator's log."""
    for number, (path, _, _) in enumerate(ROWS):
        save(raw / path, _data(path, number))
    text = io.StringIO(newline="")
    out = csv.writer(text)
    out.writerow(HEADER)
    for number, (path, name, kind) in enumerate(ROWS):
        day = f"2024-03-{number % 9 + 1:02}" + (f" 09:{number:02}:00" if number % 3 else "")
        session = f"{OPERATOR} {day[:10]}"
        remark = f"asked {OPERATOR}"
        out.writerow(
            [path, name, kind, f"{number % 4}", session, OPERATOR, SITE, SERIAL, day, 140 + number, "CC0-1.0", remark]
        )
    save(raw / "log.csv", text.getvalue().encode())


def _data(path: str, number: int) -> bytes:
    """A picture of the format that the path's ending names, or nearly: of its own pixels, some with texts inside."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", OPERATOR)
    texts.add_itxt("Comment", f"taken at {SITE}")
    exif = Image.Exif()
    exif[0x013B] = OPERATOR
    exif[0x010E] = f"scanner {SERIAL}"
    match path.rpartition("/")[2]:
        case "0002.jpg":
            return encoded(colour(40, 48, number), "JPEG", exif=exif, comment=SITE.encode())
        case "0003.png":
            return encoded(deep(seed=number))
        case "0004.tif":
            return tiff(np.stack([deep(seed=100 + page) for page in range(3)]), description=f"by {OPERATOR}")
        case "0005.bmp":
            return encoded(colour(seed=number), "BMP")
        case "0006.webp":
            return encoded(colour(seed=number), "WEBP", lossless=True, exif=exif)
        case "0007.tif":
            return tiff(colour(seed=number), description=f"{SITE} {SERIAL}")
        case "0008.png":
            return encoded(Image.fromarray(grey(seed=number)).quantize(16))
        case "0009.png":
            return encoded(Image.fromarray(grey(seed=number)).convert("1"))
        case "0012.jpg":
            return encoded(colour(seed=number, channels=4))  # a PNG, whatever its name says
        case "0013.tif":
            return tiff(np.random.default_rng(number).normal(0, 1, (12, 16)).astype(np.float32))
        case "0014.png":
            return encoded(colour(seed=number), pnginfo=texts)
        case name:
            assert name.endswith("png")
            return encoded(colour(seed=number))


def tiff(pixels: np.ndarray[Any, Any], **options: Any) -> bytes:
    """A TIFF file, of several pages where `pixels` are."""
    buffer = io.BytesIO()
    kind = "rgb" if pixels.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(buffer, pixels, photometric=kind, metadata=None, datetime=None, **options)
    return buffer.getvalue()


def read(folder: Path, reference: Taxonomy, raw: str = "raw") -> Project:
    """The folder as a project, with its raw folder ingested."""
    project = Project(folder)
    ingest(project, resolve([str(folder / raw)], {}), Config(), reference)
    return project


def divide(project: Project, name: str = "default", parts: tuple[str | None, ...] = PARTS) -> None:
    """Write a split that deals the images out in turn."""
    ids = sorted(manifest.read(project, "images", ["image_id"])["image_id"].to_pylist())
    rows = [
        {"image_id": image, "part": parts[n % len(parts)], "group": image if parts[n % len(parts)] else None}
        for n, image in enumerate(ids)
    ]
    manifest.write(project, {f"splits/{name}": schema.from_rows(f"splits/{name}", rows)}, Origin("split"))


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory, reference: Taxonomy) -> Project:
    """The laboratory's project, with a split. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("laboratory")
    write_raw(folder / "raw")
    project = read(folder, reference)
    divide(project)
    return project


@pytest.fixture(scope="session")
def boxed(tmp_path_factory: pytest.TempPathFactory, reference: Taxonomy) -> Project:
    """A project with boxes, from YOLO's files: some pictures have two, some none, and one reaches to its edge."""
    folder = tmp_path_factory.mktemp("boxed")
    rows = ("0 0.5 0.5 0.25 0.5", "1 0.1 0.2 0.1 0.1\n0 0.95 0.5 0.1 0.3", "", "1 0.123456 0.654321 0.111111 0.222222")
    for number in range(12):
        save(folder / f"raw/images/bag {number:02}.png", encoded(colour(30, 50, number)))
        save(folder / f"raw/labels/bag {number:02}.txt", rows[number % 4].encode())
    save(folder / "raw/data.yaml", b"names: [apple, 'no: really']\n")
    project = read(folder, reference)
    divide(project, parts=("train", "val", "test"))
    return project


Exporter = Callable[..., Result]


@pytest.fixture
def make(tmp_path: Path, reference: Taxonomy) -> Exporter:
    """Exports a project to `tmp_path/out`."""

    def call(project: Project, format: str, folder: str = "out", **options: Any) -> Result:
        request = Request(format, tmp_path / folder, **{"workers": 1, **options})
        return export(project, reference, request)

    return call


def images(project: Project) -> dict[str, dict[str, Any]]:
    """The rows of images by id."""
    return {row["image_id"]: row for row in manifest.read(project, "images").to_pylist()}


def parts(project: Project, name: str = "default") -> dict[str, str]:
    """Of the images that have a part, the part by id."""
    table = manifest.read(project, f"splits/{name}", ["image_id", "part"])
    return {row["image_id"]: row["part"] for row in table.to_pylist() if row["part"] is not None}
