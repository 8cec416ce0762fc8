"""A small fake scanner export: folders OBJECT/SCAN_TYPE of pictures, the operator's log, and a few bad files.

    python tests/assets/export.py FOLDER [--seed N]

It stands in for a scanner in tests and in the demonstration. The same seed gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float64]

HEIGHT, WIDTH = 120, 160
SHOTS = 5
# Folder as an operator names it, the taxonomy's name, radius (y, x) in pixels, attenuation, blobs of one object.
OBJECTS = (
    ("dracaena", "dracaena", (4, 26), 0.5, 3),
    ("Tree Ear Mushroom", "tree_ear_mushroom", (11, 13), 0.25, 4),
    ("사과", "apple", (13, 13), 0.8, 1),
    ("MANGO", "mango", (10, 16), 0.9, 1),
    ("감귤", "mandarin", (9, 9), 0.7, 1),
    ("garlic bulb", "garlic", (6, 7), 0.6, 3),
    ("소시지", "sausage", (6, 22), 1.1, 1),
    ("Stag_Beetle", "stag_beetle", (4, 8), 0.3, 2),
)
# The same for scan types: folder, the taxonomy's name, what the objects lie in, how many they are, belongings.
SCANS = (
    ("single_basket", "single_basket", "basket", 1, False),
    ("바구니 단일", "single_basket", "basket", 1, False),
    ("Multiple object in carrier", "multiple_carrier", "carrier", 3, False),
    ("Carrier Single", "single_carrier", "carrier", 1, False),
    ("바구니 복수", "multiple_basket", "basket", 3, False),
    ("basket single clutter", "single_basket_cluttered", "basket", 1, True),
)
HEADER = ["파일명", "개체번호", "관전압 kV", "관전류", "일시", "담당자", "session", "비고"]
OPERATORS = ("김민수", "이서연")
Y, X = np.mgrid[:HEIGHT, :WIDTH].astype(float)


def write_export(folder: Path, seed: int = 0) -> dict[str, tuple[str, str]]:
    """Write the export below `folder`; returns the object and the scan type of every good picture, by its path."""
    rng = np.random.default_rng(seed)
    truth: dict[str, tuple[str, str]] = {}
    rows: list[list[object]] = []
    number = 0
    for index, (place, name, *shape) in enumerate(OBJECTS):
        for scan in (SCANS[index % 6], SCANS[(index + 2) % 6], SCANS[(index + 5) % 6]):
            below = f"{place}/{scan[0]}"
            for shot in range(SHOTS):
                number += 1
                path = f"{below}/X{number:04}.{'png' if index % 2 == 0 else 'jpg'}"
                attenuation = _scene(rng, shape, *scan[2:])
                _save(folder / path, _encoded(_coloured(attenuation), path))
                truth[path] = (name, scan[1])
                rows.append(_row(Path(path).name, index, number, shot))
                if shot == 0 and index < 4:
                    path = f"{below}/grey/X{number:04}.tif"
                    _save(folder / path, _tiff(_grey(attenuation)))
                    truth[path] = (name, scan[1])
    path = f"{OBJECTS[3][0]}/{SCANS[3][0]}/series.tif"
    _save(folder / path, _tiff(np.stack([_grey(_scene(rng, OBJECTS[3][2:], *SCANS[3][2:])) for _ in range(3)])))
    truth[path] = (OBJECTS[3][1], SCANS[3][1])
    _write_log(folder / "log.csv", rows)
    _write_bad(folder, next(iter(truth)))
    return truth


def _scene(rng: np.random.Generator, shape: list[object], container: str, count: int, belongings: bool) -> Map:
    """Attenuation, (height, width), 0 where there is air: the container, and objects somewhere in it."""
    (tall, wide), density, blobs = shape
    scene = _container(container)
    for _ in range(count):
        y, x = rng.uniform(35, HEIGHT - 35), rng.uniform(45, WIDTH - 45)
        for _ in range(blobs):
            near = (y + rng.normal(0, tall), x + rng.normal(0, wide / 2))
            scene += density * _blob(near, (tall, wide), rng.uniform(0, np.pi))
    if belongings:
        for _ in range(4):
            place = (rng.uniform(25, HEIGHT - 25), rng.uniform(30, WIDTH - 30))
            scene += 0.35 * _blob(place, (rng.uniform(3, 12), rng.uniform(3, 20)), rng.uniform(0, np.pi))
    return np.maximum(scene + rng.normal(0, 0.004, scene.shape), 0)


def _container(kind: str) -> Map:
    """A shallow basket with a ribbed floor, or a carrier: a thicker shell with two rails of its handle."""
    margin = 10 if kind == "basket" else 6
    depth = np.minimum.reduce([Y - margin, HEIGHT - 1 - margin - Y, X - margin, WIDTH - 1 - margin - X])
    wall = ((depth >= 0) & (depth < (4 if kind == "basket" else 7))) * (0.15 if kind == "basket" else 0.3)
    floor = (depth >= 0) * (0.07 + 0.02 * (np.sin(X / 4) > 0.6 if kind == "basket" else np.zeros_like(X)))
    rails = (depth >= 0) * ((abs(X - 60) < 2) | (abs(X - 100) < 2)) * (0.8 if kind == "carrier" else 0.0)
    return np.asarray(wall + floor + rails)


def _blob(centre: tuple[float, float], radii: tuple[float, float], turn: float) -> Map:
    """How thick an ellipsoid is along the ray, 1 in its middle."""
    y, x = Y - centre[0], X - centre[1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return np.sqrt(np.maximum(0, 1 - (across / radii[0]) ** 2 - (along / radii[1]) ** 2))


def _coloured(attenuation: Map) -> NDArray[np.uint8]:
    """The usual palette: air white, organic matter orange, the darker the thicker."""
    return (255 * np.exp(-attenuation[..., None] * np.array([0.35, 1.1, 2.6]))).astype(np.uint8)


def _grey(attenuation: Map) -> NDArray[np.uint16]:
    return (62000 * np.exp(-attenuation)).astype(np.uint16)


def _encoded(pixels: NDArray[np.uint8], path: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if path.endswith("png") else "JPEG", quality=92)
    return buffer.getvalue()


def _tiff(pixels: NDArray[np.uint16]) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="minisblack", compression="zlib", metadata=None, datetime=None)
    return buffer.getvalue()


def _row(name: str, index: int, number: int, shot: int) -> list[object]:
    day, operator = f"2024-03-{number // 30 + 4:02}", OPERATORS[number // 30 % 2]
    moment = f"{day} {9 + number % 30 // 10}:{number % 10 * 6:02}:00"
    return [name, shot // 2 + 1, 140 + 20 * (index % 2), 0.4, moment, operator, day, "재촬영" if shot == 4 else ""]


def _write_log(path: Path, rows: list[list[object]]) -> None:
    text = io.StringIO(newline="")
    lost = ["X9999.png", 1, 140, 0.4, "2024-03-09 10:00:00", OPERATORS[0], "2024-03-09", "파일 없음"]
    csv.writer(text).writerows([HEADER, *rows[:-3], lost])  # the last three pictures were never entered
    _save(path, text.getvalue().encode("cp949"))


def _write_bad(folder: Path, good: str) -> None:
    whole = (folder / good).read_bytes()
    buffer = io.BytesIO()
    Image.open(io.BytesIO(whole)).save(buffer, "JPEG")
    _save(folder / "MANGO/empty.png", b"")
    _save(folder / "MANGO/cut.jpg", buffer.getvalue()[:900])
    _save(folder / "사과/메모.png", "바구니를 바꿈\n".encode())
    _save(folder / "사과/.DS_Store", b"\0\0\0\1Bud1")


def _save(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a small fake scanner export.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_export(arguments.folder, arguments.seed)
