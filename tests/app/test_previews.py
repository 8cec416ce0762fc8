"""Previews of pictures that no browser shows.

It could be wrong while tests pass if a preview existed but was black, or that of another file: so these look at its
values, and give two pictures whose preview must differ, or must be one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from app.conftest import xq
from xqdata import manifest
from xqdata.app import previews
from xqdata.images import Limits, pages
from xqdata.manifest import Project


@pytest.fixture
def deep(tmp_path: Path) -> Project:
    """A faint 16-bit TIFF, twice; the same as PNG; a TIFF of two pages; a plain PNG and a JPEG."""
    folder = tmp_path / "deep"
    raw = folder / "raw"
    raw.mkdir(parents=True)
    y, x = np.mgrid[:60, :80]
    faint = (1000 + 3 * x + y).astype(np.uint16)
    faint[0, 0] = 65535  # a dead detector element
    tifffile.imwrite(raw / "a.tif", faint)
    shutil.copy(raw / "a.tif", raw / "b.tif")
    Image.fromarray(faint).save(raw / "c.png")
    tifffile.imwrite(raw / "d.tif", np.stack([faint[::-1], faint[:, ::-1]]), photometric="minisblack")
    plain = (x * 3 % 256).astype(np.uint8)
    Image.fromarray(plain).save(raw / "e.png")
    Image.fromarray(plain).save(raw / "f.jpg")
    xq(folder, "ingest", "raw", "--quiet")
    return Project(folder)


def shown(project: Project) -> tuple[dict[tuple[str, int], Path], previews.Shown]:
    rows = manifest.read(project, "images")
    found = previews.shown(project, rows, workers=1)
    names = zip(rows["path"].to_pylist(), rows["page"].to_pylist(), strict=True)
    return dict(zip(names, found.files, strict=True)), found


def test_only_what_no_browser_shows_gets_one(deep: Project) -> None:
    files, found = shown(deep)
    made = {name for name, file in files.items() if file.is_relative_to(deep.state)}
    assert made == {("a.tif", 0), ("b.tif", 0), ("c.png", 0), ("d.tif", 0), ("d.tif", 1)}
    assert files["e.png", 0] == deep.folder / "raw" / "e.png"
    assert files["a.tif", 0] == files["b.tif", 0] == files["c.png", 0]  # the same pixels
    assert files["d.tif", 0] != files["d.tif", 1]
    assert not found.unread


def test_faint_values_are_stretched_over_the_range(deep: Project) -> None:
    files, _ = shown(deep)
    picture = cv2.imread(str(files["a.tif", 0]), cv2.IMREAD_UNCHANGED)
    assert (picture.dtype, picture.shape) == (np.uint8, (60, 80))
    assert picture.min() == 0
    assert picture.max() == 255
    assert 90 < np.median(picture) < 170  # one bright speck does not leave all else black
    assert (np.diff(picture[30].astype(int)) >= 0).all()


def test_they_are_made_once(deep: Project) -> None:
    files, _ = shown(deep)
    place = files["a.tif", 0]
    before = place.stat().st_mtime_ns
    shown(deep)
    assert place.stat().st_mtime_ns == before
    assert not [file for file in place.parent.iterdir() if file.name.startswith(".")]


def test_another_window_is_another_preview(deep: Project) -> None:
    files, _ = shown(deep)
    (deep.folder / "xqdata.toml").write_text("[ingest]\nwindow = [1000, 1100]\n")
    xq(deep.folder, "ingest", "raw", "--quiet")
    again, _ = shown(deep)
    assert again["a.tif", 0] != files["a.tif", 0]
    picture = cv2.imread(str(again["a.tif", 0]), cv2.IMREAD_UNCHANGED)
    assert (picture[:, 40:] == 255).all()


def test_a_picture_that_is_gone_is_told(deep: Project) -> None:
    (deep.folder / "raw" / "d.tif").unlink()
    files, found = shown(deep)
    assert set(found.unread.values()) == {"gone since ingest"}
    assert len(found.unread) == 2
    assert files["a.tif", 0].exists()


@pytest.mark.parametrize("kind", ["constant", "nan", "colour", "float"])
def test_odd_pictures_give_something(tmp_path: Path, kind: str) -> None:
    dice = np.random.default_rng(0)
    pixels = {
        "constant": np.full((20, 30), 700, np.uint16),
        "nan": np.where(dice.random((20, 30)) < 0.1, np.nan, dice.random((20, 30))).astype(np.float32),
        "colour": dice.integers(0, 60000, (20, 30, 3)).astype(np.uint16),
        "float": dice.normal(0, 1, (20, 30)).astype(np.float32),
    }[kind]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb" if kind == "colour" else "minisblack")
    (page,) = pages((tmp_path / "a.tif").read_bytes(), Limits())
    made = previews.preview(page)
    assert made.dtype == np.uint8
    assert made.shape == pixels.shape
    assert (made.std() > 30) == (kind != "constant")


def test_colours_keep_their_order(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint16)
    pixels[:, :15, 0] = 60000  # red on the left
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    (page,) = pages((tmp_path / "a.tif").read_bytes(), Limits())
    assert previews.preview(page)[0, 0].tolist() == [0, 0, 255]  # OpenCV's order


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    pixels = np.linspace(0, 60000, 5000 * 100).reshape(100, 5000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    (page,) = pages((tmp_path / "a.tif").read_bytes(), Limits())
    assert previews.preview(page).shape == (41, 2048)
