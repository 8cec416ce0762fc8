"""The pictures of docs/simulate.md, made by simulating: `python docs/contact_sheet.py [--seed 11] [--workers N]`.

`simulate-all.jpg` has one scan for each of the 21 objects (down) and 13 scan types (across), `simulate-some.jpg` a few
of them larger, `simulate-one.jpg` one scan in all its views and energies. No faults are planted.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from xqdata.containers.rle import unrle
from xqdata.simulate import Settings, simulate
from xqdata.simulate.machine import photograph
from xqdata.simulate.plan import objects, plan
from xqdata.simulate.scene import scene
from xqdata.simulate.settings import NO_FAULTS, scan_types
from xqdata.taxonomy import load

IMAGES = Path(__file__).parent / "images"
Pixels = NDArray[np.uint8]
Cells = Mapping[tuple[str, str], Path]

# What the smaller sheet shows: one object of each family, and scan types that differ most.
SOME_OBJECTS = ("dracaena", "apple", "walnut", "tree_ear_mushroom", "pork_rib", "honey")
SOME_TYPES = ("single_bare", "single_basket", "multiple_basket_cluttered", "mixed_carrier_cluttered")
ONE = ("honey", "mixed_basket_cluttered")
AIR = 60_000  # what the energies are calibrated to
_GAP, _BORDER = 4, 10
_QUALITY = 78
_INK, _PAPER, _FRAME = (40, 40, 40), (255, 255, 255), (214, 214, 214)


def main() -> None:
    """Simulate, and write the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    cells = len(objects()) * len(scan_types())
    settings = Settings(scans=cells, seed=options.seed, rates=NO_FAULTS, confounded=0)
    with tempfile.TemporaryDirectory() as folder:
        made = simulate(Path(folder) / "raw", settings, workers=options.workers)
        found = scans_by_cell(made.raw, made.truth)
        save("simulate-all", sheet(found, objects(), tuple(scan_types()), width=140, letters=12))
        save("simulate-some", sheet(found, SOME_OBJECTS, SOME_TYPES, width=330, letters=17))
    save("simulate-one", views(settings))


def scans_by_cell(raw: Path, truth: Path) -> dict[tuple[str, str], Path]:
    """The first scan of each object and scan type of a simulated dataset."""
    table = pq.read_table(truth / "files.parquet", columns=["path", "kind", "told_object", "scan_type"])
    found: dict[tuple[str, str], Path] = {}
    for row in table.to_pylist():
        if row["kind"] == "scan":
            found.setdefault((row["told_object"], row["scan_type"]), raw / row["path"])
    return found


def sheet(cells: Cells, down: Sequence[str], across: Sequence[str], *, width: int, letters: int) -> Image.Image:
    """Thumbnails `width` pixels wide in a grid with the names of objects at the left and of scan types above."""
    height = round(width * 580 / 847)
    font = ImageFont.load_default(letters)
    taxonomy = load()
    rows = [_lines(taxonomy.objects[name].english, 12) for name in down]
    heads = [_lines(taxonomy.scan_types[name].english, 1.75 * width / letters) for name in across]
    margin = round(0.62 * letters * max(len(line) for lines in rows for line in lines)) + 2 * _BORDER
    above = round(1.25 * letters * max(map(len, heads))) + 2 * _BORDER
    size = margin + len(across) * (width + _GAP) + _BORDER, above + len(down) * (height + _GAP) + _BORDER
    page = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(page)
    for i, lines in enumerate(heads):
        at = margin + i * (width + _GAP) + width / 2, above - 6
        draw.multiline_text(at, "\n".join(lines), _INK, font, anchor="md", align="center")
    for j, (name, lines) in enumerate(zip(down, rows, strict=True)):
        top = above + j * (height + _GAP)
        draw.multiline_text((margin - 8, top + height / 2), "\n".join(lines), _INK, font, anchor="rm", align="right")
        for i, kind in enumerate(across):
            _paste(page, _read(cells[name, kind]), (margin + i * (width + _GAP), top), (width, height))
    return page


def _lines(name: str, most: float) -> list[str]:
    """A name in lines of about `most` characters."""
    lines: list[str] = []
    for word in name.split():
        if lines and len(lines[-1]) + 1 + len(word) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _paste(page: Image.Image, picture: Pixels, at: tuple[int, int], size: tuple[int, int]) -> None:
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    page.paste(Image.fromarray(small), at)
    box = (at[0] - 1, at[1] - 1, at[0] + size[0], at[1] + size[1])
    ImageDraw.Draw(page).rectangle(box, outline=_FRAME)


# --- one scan


def views(settings: Settings) -> Image.Image:
    """One scan as the machine shows it, both energies, where its contents are, and the view from the side."""
    both = replace(settings, views=("top", "side"), deep=True)
    scan = next(s for s in plan(both) if (s.object, s.scan_type) == ONE)
    shots = photograph(both, scan, scene(both, scan), exposed=True)
    top = shots["top", "colour"]
    assert top.pixels is not None
    shown: list[tuple[str, Pixels]] = [("colour", np.asarray(top.pixels, np.uint8))]
    shown += [(f"{channel} energy, 16 bits", _grey(shots["top", channel].pixels)) for channel in ("high", "low")]
    masked = _masked(top.pixels, top.rle, top.specimen_boxes)
    shown.append(("truth: mask of all contents, boxes of the specimens", masked))
    side = shots["side", "colour"].pixels
    assert side is not None
    shown.append(("side view", np.asarray(side, np.uint8)))
    shown.append(("side view, high energy", _grey(shots["side", "high"].pixels)))
    return _captioned(shown, across=2, width=520, letters=17)


def _grey(pixels: NDArray[np.generic] | None) -> Pixels:
    """A 16-bit energy as a grey picture, brightened: a tenth of air's signal becomes a quarter of its grey."""
    assert pixels is not None
    share = np.clip(pixels.astype(np.float32) / AIR, 1e-4, 1.0)
    return np.repeat((255 * share**0.6).astype(np.uint8)[..., None], 3, axis=2)


def _masked(pixels: NDArray[np.generic], mask: str, boxes: Sequence[Sequence[int]]) -> Pixels:
    """The picture pale where neither container nor air is masked, with a box around each specimen."""
    shown = np.asarray(pixels, np.uint8).copy()
    outside = ~unrle(mask)
    shown[outside] = 255 - (255 - shown[outside]) // 4
    for x, y, width, height in boxes:
        cv2.rectangle(shown, (x, y), (x + width - 1, y + height - 1), (200, 30, 60), 2)
    return shown


def _captioned(shown: Sequence[tuple[str, Pixels]], *, across: int, width: int, letters: int) -> Image.Image:
    """Pictures in rows, each with its name above it; all to one scale."""
    factor = width / shown[0][1].shape[1]
    font = ImageFont.load_default(letters)
    rows = [shown[i : i + across] for i in range(0, len(shown), across)]
    heights = [round(factor * max(p.shape[0] for _, p in row)) + round(1.8 * letters) for row in rows]
    page = Image.new("RGB", (across * (width + _BORDER) + _BORDER, sum(heights) + _BORDER * (len(rows) + 1)), _PAPER)
    top = _BORDER
    for row, height in zip(rows, heights, strict=True):
        for i, (name, picture) in enumerate(row):
            left = _BORDER + i * (width + _BORDER)
            ImageDraw.Draw(page).text((left, top), name, _INK, font)
            size = (width, round(factor * picture.shape[0]))
            _paste(page, picture, (left, top + round(1.5 * letters)), size)
        top += height + _BORDER
    return page


def save(name: str, page: Image.Image) -> None:
    """As a JPEG in docs/images."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.jpg"
    page.save(path, quality=_QUALITY, optimize=True, progressive=True)
    print(f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: "
          f"{page.width} x {page.height}, {path.stat().st_size / 1000:.0f} KB")  # fmt: skip


if __name__ == "__main__":
    main()
