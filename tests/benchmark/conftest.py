"""A project whose pictures a network can learn in a second: three objects of different shapes, six specimens each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from xqdata_benchmark import recipe
from xqdata_benchmark.options import Options
from xqdata_benchmark.run import Result, benchmark

from assets.command import run
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

OBJECTS = ("apple", "egg", "honey")
SMALL = ("input.size=24", "model.width=16", "train.epochs=3", "train.batch=16")


def picture(kind: int, specimen: int, shot: int, bits: int = 8) -> Image.Image:
    """A dark shape on air: a disc, a bar or a ring, its size the specimen's, its place the shot's."""
    rng = np.random.default_rng(1000 * kind + 10 * specimen + shot)
    y, x = np.mgrid[0:40, 0:56]
    r = 7 + specimen
    cy, cx = 20 + rng.integers(-3, 4), 28 + rng.integers(-8, 9)
    far = np.hypot(y - cy, x - cx)
    shape = (far < r, (np.abs(y - cy) < 3) & (np.abs(x - cx) < 2 * r), (far < r) & (far > r - 4))[kind]
    values = np.clip(np.where(shape, 90, 250) + rng.normal(0, 4, shape.shape), 0, 255)
    if bits == 16:
        return Image.fromarray((values * 257).astype(np.uint16))
    return Image.fromarray(values.astype(np.uint8))


def write_raw(folder: Path, bits: int = 8, specimens: int = 6, shots: int = 3) -> None:
    """OBJECT/SPECIMEN-SHOT.png, and what reads it."""
    for kind, name in enumerate(OBJECTS):
        (folder / "raw" / name).mkdir(parents=True, exist_ok=True)
        for specimen in range(specimens):
            for shot in range(shots):
                picture(kind, specimen, shot, bits).save(folder / "raw" / name / f"{name[0]}{specimen}-{shot}.png")
    (folder / "xqdata.toml").write_text('[ingest]\npatterns = ["{object}/{specimen}-{shot}.{ext}"]\n', encoding="utf-8")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, with its splits: default, study (random), cv (folds). Tests that change files take a copy."""
    folder = tmp_path_factory.mktemp("benchmark")
    write_raw(folder)
    run(folder, "ingest", "raw", "-q")
    run(folder, "split", "-q")
    run(folder, "split", "--method", "random", "--name", "study", "-q")
    run(folder, "split", "--folds", "3", "--name", "cv", "-q")
    return folder


@pytest.fixture(scope="session")
def go(made: Path) -> Callable[..., Result]:
    """Runs the benchmark on `made`, or on another folder."""
    from xqdata import taxonomy

    known: Taxonomy = taxonomy.load()

    def call(name: str = "quick", *sets: str, folder: Path = made, split: str = "default", **more: Any) -> Result:
        small, move = SMALL if name == "quick" else (), more.pop("move", lambda *_: None)
        asked = Options(split, name, recipe.load(name, (*small, *sets)), device="cpu", workers=1, **more)
        return benchmark(Project(folder), known, asked, move)

    return call
