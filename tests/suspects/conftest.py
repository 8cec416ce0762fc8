"""Projects of labels without pictures, and runs whose predictions were made up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.rows import image
from xqdata import manifest, schema
from xqdata.manifest import Origin, Project

CLASSES = ("apple", "egg", "mango")


def labelled(path: str, *objects: str, **more: Any) -> dict[str, Any]:
    """A row of images whose file is its own, with these objects."""
    one = objects[0] if len(objects) == 1 else None
    own = {"sha256": f"bytes of {path}", "pixel_hash": f"pixels of {path}"}
    return image(path, object=one, objects=list(objects) or None, **{**own, **more})


@pytest.fixture
def filed(project: Project) -> Callable[..., Project]:
    """Writes the tables of the given rows, and of links as (path, path, kind)."""

    def make(*rows: dict[str, Any], links: Sequence[tuple[str, str, str]] = ()) -> Project:
        tables = {name: schema.empty(name) for name in manifest.TOGETHER}
        manifest.write(project, {**tables, "images": schema.from_rows("images", rows)}, Origin("ingest"))
        found = []
        for a, b, kind in links:
            ends = sorted((f"id of {a}", f"id of {b}"))
            found.append({"image_a": ends[0], "image_b": ends[1], "kind": kind, "proposed_by": ["test"]})
        manifest.write(project, {"links": schema.from_rows("links", found)}, Origin("dedup"))
        return project

    return make


def write_run(project: Project, said: dict[str, Sequence[float]], name: str = "cv", **told: Any) -> None:
    """A run with folds that gives each path these probabilities of CLASSES."""
    folder = project.folder / "runs" / name
    folder.mkdir(parents=True)
    probability = np.array(list(said.values()), np.float32).reshape(len(said), len(CLASSES))
    columns: dict[str, Any] = {
        "image_id": [f"id of {path}" for path in said],
        "part": [str(n % 2) for n in range(len(said))],
    }
    columns |= {f"p_{c}": probability[:, k] for k, c in enumerate(CLASSES)}
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
    run = {"format": 1, "recipe": "quick", "task": "single", "classes": CLASSES, "split": "cv", "folds": True}
    (folder / "run.json").write_text(json.dumps({**run, "made_at": "2026-01-01T00:00:00+00:00", **told}))
