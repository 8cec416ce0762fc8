"""The page about the simulator and its pictures say what the code does.

Wrong while green would be: a rate that was changed in the code alone, a table of truth without a new column, an option
that nobody explains, thumbnails under the wrong heading.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import numpy as np
import pytest
from PIL import Image

from xqdata.cli.simulate import command
from xqdata.containers.rle import rle
from xqdata.simulate import truth
from xqdata.simulate.plan import objects
from xqdata.simulate.settings import FAULTS, PRESETS, scan_types

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "simulate.md").read_text(encoding="utf-8")
DEFAULT = PRESETS["default"]
_SHARED = {"as_json", "quiet"}  # of every command


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables below a heading, without code marks."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.findall(r"^\|(.*)\|$", section, flags=re.MULTILINE)
    return [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines if "---" not in line]


def test_every_fault_has_its_option_rate_and_count():
    told = {row[0].removeprefix("--").replace("-", "_"): row for row in rows("Planted faults")[1:]}
    assert sorted(told) == sorted(FAULTS)
    for name, row in told.items():
        assert float(row[1]) == getattr(DEFAULT.rates, name), name
        assert int(row[2]) == DEFAULT.rates.count(name, DEFAULT.scans), name


def test_every_option_is_explained():
    named = {opt for param in command.params if isinstance(param, click.Option) and param.name not in _SHARED
             for opt in param.opts}  # fmt: skip
    told = {row[0].split()[0] for row in rows("Options")[1:] + rows("Planted faults")[1:]}
    assert named == told


def test_defaults_of_options_are_those_of_the_code():
    told = {row[0].split()[0]: row[1].replace(",", "") for row in rows("Options")[1:]}
    for name in ("scans", "specimens", "seed", "difficulty", "confounded"):
        assert float(told[f"--{name}"]) == getattr(DEFAULT, name), name


def test_every_column_of_the_truth_is_explained():
    told = {name for row in rows("The truth")[1:] for name in row[0].split(", ")}
    assert told == set(truth.FILES.names)
    section = PAGE.split("\n## The truth\n", 1)[1].split("\n## ", 1)[0]
    for schema in (truth.SPECIMENS, truth.PAIRS, truth.MASKS):
        assert [name for name in schema.names if f"`{name}`" not in section] == []


@pytest.mark.parametrize("name", ["all", "some", "one"])
def test_pictures_are_there_and_not_too_large(name):
    path = DOCS / "images" / f"simulate-{name}.jpg"
    assert path.stat().st_size < 750_000
    assert f"images/{path.name}" in PAGE


# --- the contact sheet


@pytest.fixture(scope="module")
def sheets() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_contact_sheet", DOCS / "contact_sheet.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_thumbnail_lies_in_its_row_and_column(sheets, tmp_path):
    down, across = objects()[:3], tuple(scan_types())[:2]
    cells = {}
    for j, name in enumerate(down):
        for i, kind in enumerate(across):
            cells[name, kind] = tmp_path / f"{j}{i}.png"
            Image.fromarray(np.full((58, 85, 3), (40 * j, 100 * i, 201), np.uint8)).save(cells[name, kind])
    page = np.asarray(sheets.sheet(cells, down, across, width=120, letters=10))
    ys, xs = np.nonzero((page[..., 2] == 201) & (page[..., 0] != 201))  # text is grey
    found = {(int(page[y, x, 0]), int(page[y, x, 1])): (y, x) for y, x in zip(ys, xs, strict=True)}
    assert set(found) == {(40 * j, 100 * i) for j in range(3) for i in range(2)}
    assert found[0, 0][0] < found[40, 0][0] < found[80, 0][0]
    assert found[0, 0][1] < found[0, 100][1]


def test_the_smaller_sheet_names_what_there_is(sheets):
    assert set(sheets.SOME_OBJECTS) <= set(objects())
    assert set(sheets.SOME_TYPES) | {sheets.ONE[1]} <= set(scan_types())
    assert sheets.ONE[0] in objects()


def test_names_are_broken_where_they_are_long(sheets):
    assert sheets._lines("Mixed objects in basket with belongings", 20) == [
        "Mixed objects in",
        "basket with",
        "belongings",
    ]
    assert sheets._lines("Apple", 3) == ["Apple"]


def test_outside_of_the_mask_the_picture_is_pale(sheets):
    pixels = np.full((6, 9, 3), 55, np.uint8)
    mask = np.zeros((6, 9), bool)
    mask[2:4, 3:5] = True
    shown = sheets._masked(pixels, rle(mask), [])
    assert np.array_equal(shown[mask], pixels[mask])
    assert (shown[~mask] > 200).all()
