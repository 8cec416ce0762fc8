"""Rows of images become pixels again, as ingest saw them, or say why not."""

import numpy as np
import pytest
from PIL import Image

from xqdata import manifest, scans
from xqdata.config import Config
from xqdata.hashing import hashes
from xqdata.images import BadImage
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.taxonomy import load


@pytest.fixture
def project(tmp_path):
    rng = np.random.default_rng(0)
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (30, 40, 3), np.uint8)).save(raw / name)
    pages = [Image.fromarray(rng.integers(0, 255, (20, 25), np.uint8)) for _ in range(3)]
    pages[0].save(raw / "c.tif", save_all=True, append_images=pages[1:])
    rng.integers(0, 65535, (12, 17)).astype("<u2").tofile(raw / "d.raw")
    settings = {"raw": [{"files": "*.raw", "width": 17, "height": 12, "bits": 16, "byte_order": "little"}]}
    project = Project(tmp_path)
    ingest(project, resolve([str(raw)], {}), Config.model_validate({"ingest": settings}), load(None))
    return project


def test_every_image_is_read_as_ingest_read_it(project):
    rows = {r["image_id"]: r for r in manifest.read(project, "images", ["image_id", "phash", "page"]).to_pylist()}
    found = scans.standing(project)
    assert len(found) == len(rows) == 6
    for scan in found:
        page = scan.read()
        assert hashes(page.grey).phash == rows[scan.image_id]["phash"] and page.index == scan.page


def test_a_file_that_is_gone_or_changed_says_so(project, tmp_path):
    (tmp_path / "raw/a.png").unlink()
    (tmp_path / "raw/b.png").write_bytes(b"else")
    reasons = {}
    for scan in scans.standing(project):
        try:
            scan.read()
        except BadImage as error:
            reasons[scan.file.name] = error.reason, error.message
    assert reasons == {
        "a.png": ("vanished", "gone since ingest"),
        "b.png": ("unreadable", "changed since ingest: run xqdata ingest again"),
    }
