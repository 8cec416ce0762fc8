"""manifests/reference is what the code of today makes.

Wrong while green would be: pixels that changed without being published again, tables of two different runs, the path of
the machine that made them.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from xqdata.images import Limits, pages, pixel_hash
from xqdata.schema import IMAGES
from xqdata.simulate import Settings
from xqdata.simulate.check import versions
from xqdata.simulate.files import files
from xqdata.simulate.machine import photograph
from xqdata.simulate.pictures import encoded
from xqdata.simulate.plan import plan
from xqdata.simulate.scene import scene

REFERENCE = Path(__file__).parents[2] / "manifests/reference"
SETTINGS = Settings()
TOLD = json.loads((REFERENCE / "settings.json").read_text(encoding="utf-8"))


def column(table, key, value):
    found = pq.read_table(REFERENCE / f"{table}.parquet", columns=[key, value])
    return dict(zip(found[key].to_pylist(), found[value].to_pylist(), strict=True))


def test_it_is_the_default_dataset_and_its_tables_are_of_one_run():
    assert TOLD["settings"] == SETTINGS.told()
    made = [f.path for listed in files(SETTINGS, plan(SETTINGS)).values() for f in listed]
    readable = column("files", "path", "readable")
    assert sorted(readable) == sorted(made)
    pixels = column("pixels", "path", "pixel_hash")
    assert pixels == column("images", "path", "pixel_hash")
    assert set(pixels) == {path for path, opens in readable.items() if opens}
    IMAGES.check(pq.read_table(REFERENCE / "images.parquet"))


def test_it_names_no_place_of_the_machine_that_made_it():
    told = json.loads(pq.read_metadata(REFERENCE / "images.parquet").metadata[b"xqdata"])
    assert told["roots"] == {"raw": "raw"}
    for path in REFERENCE.glob("*.parquet"):
        assert not any(part in path.read_bytes() for part in (b"/tmp/", b"/home/", b"/root/")), path


@pytest.mark.skipif(TOLD["libraries"] != versions(), reason="published under other versions or vectors")
def test_pictures_of_today_have_the_pixels_that_were_published():
    published = column("pixels", "path", "pixel_hash")
    scans = plan(SETTINGS)
    made = files(SETTINGS, scans)
    for kind in ("single_basket", "mixed_carrier_cluttered"):
        scan = next(s for s in scans if s.scan_type == kind)
        file = made[scan.number][0]
        pixels = photograph(SETTINGS, scan, scene(SETTINGS, scan), exposed=True)["top", "colour"].pixels
        page = next(iter(pages(encoded(file, np.asarray(pixels)), Limits())))
        assert pixel_hash(page) == published[file.path], file.path
