"""Where numba cannot be installed, every record is the same, only slower."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from assets.pictures import colour, deep, encoded, grey

RECORDS = """
import sys
from pathlib import Path

if sys.argv[2] == "without":
    sys.modules["numba"] = None
from xqdata import kernels
from xqdata.ingest.measure import measure_file
from xqdata.ingest.shard import Shard
from xqdata.ingest.walk import walk
from xqdata.scans import Rules

folder = Path(sys.argv[1])
assert kernels.AVAILABLE == (sys.argv[2] == "with")
shard = Shard(folder, (), frozenset(), Rules(), folder)
for found in sorted(walk(folder, (), set()).files, key=lambda f: f.path):
    for row in measure_file(shard, found):
        print(sorted(row.items()))
"""


def records(folder: Path, how: str) -> list[str]:
    return subprocess.check_output([sys.executable, "-c", RECORDS, str(folder), how], text=True).splitlines()


def scan(height: int, width: int) -> np.ndarray:
    """Air all round and things in it, so that all figures are measured."""
    y, x = np.mgrid[:height, :width]
    thing = 200 * np.exp(-(((y - height / 2) / (height / 5)) ** 2 + ((x - width / 2) / (width / 6)) ** 2))
    noise = np.random.default_rng(1).normal(0, 1, (height, width, 3))
    return np.clip(253 - thing[..., None] * [0.5, 0.8, 1.2] + noise, 0, 255).astype(np.uint8)


def test_every_record_is_the_same(tmp_path):
    pictures = {"scan": scan(90, 240), "tall": scan(400, 30), "noise": colour(40, 60), "alpha": colour(40, 60, 0, 4)}
    pictures |= {"grey": grey(50, 300), "deep": deep(50, 300), "narrow": grey(3, 5), "deep narrow": deep(3, 5)}
    for name, pixels in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(encoded(pixels))
        if pixels.dtype == np.uint8:
            (tmp_path / f"{name}.bmp").write_bytes(encoded(pixels, "BMP"))
        if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
            (tmp_path / f"{name}.jpg").write_bytes(encoded(pixels, "JPEG"))
        (tmp_path / f"{name}.tif").write_bytes(encoded(pixels, "TIFF", compression="tiff_lzw"))
    found = records(tmp_path, "with")
    assert len(found) == len(list(tmp_path.iterdir()))
    assert all("'kind', 'image'" in row for row in found)
    assert records(tmp_path, "without") == found
