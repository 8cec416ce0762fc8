"""Small projects whose tables are made by hand, and one split of them as tests call it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from assets.rows import image
from xqdata import labels, manifest, schema
from xqdata.manifest import Origin, Project
from xqdata.splits import Request, Result, Task, split
from xqdata.taxonomy import Taxonomy

Row = dict[str, Any]


def scan(name: str, kind: str | None = None, *specimens: str, **more: Any) -> Row:
    """A row of images: `kind` its object, `specimens` what it shows."""
    changes = {"object": kind, "objects": [kind] if kind else None, "specimens": list(specimens) or None, **more}
    return image(f"{name}.png", image_id=name, sha256=f"bytes of {name}", **changes)


def link(a: str, b: str, kind: str = "rescan") -> Row:
    """A row of links."""
    return {"image_a": min(a, b), "image_b": max(a, b), "kind": kind, "proposed_by": ["test"]}


def cluster(kept: str, *copies: str) -> list[Row]:
    """Rows of duplicates: one cluster, of which `kept` is kept."""
    names = (kept, *copies)
    return [{"image_id": n, "cluster": min(names), "kept": n == kept, "reason": "test"} for n in names]


def fill(
    project: Project,
    images: Iterable[Row],
    links: Iterable[Row] = (),
    duplicates: Iterable[Row] = (),
    events: Iterable[labels.Event] = (),
) -> Project:
    """Write the tables into `project`."""
    tables: dict[str, pa.Table] = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**tables, "images": schema.from_rows("images", images)}, Origin("ingest"))
    pairs = {"links": schema.from_rows("links", links), "duplicates": schema.from_rows("duplicates", duplicates)}
    manifest.write(project, pairs, Origin("dedup"))
    labels.append(project, events)
    return project


@pytest.fixture
def run(project: Project, reference: Taxonomy) -> Callable[..., Result]:
    """Splits `project` as asked for, after its tables were filled."""

    def call(**asked: Any) -> Result:
        return split(project, reference, Request(**asked))

    return call


def rows_of(result: Result) -> dict[str, Row]:
    """The rows of the only table of a split, by image_id."""
    (table,) = result.tables.values()
    return {row["image_id"]: row for row in table.to_pylist()}


def parts_of(result: Result) -> dict[str, str | None]:
    """The part of each image."""
    return {name: row["part"] for name, row in rows_of(result).items()}


def task(counts: Any, shares: tuple[int, ...], sizes: Any = None, seed: int = 0, **more: Any) -> Task:
    """A balancing task of a dense matrix, components x rows, each row of which weighs and must be everywhere."""
    dense = np.asarray(counts, np.int64)
    rows = np.ones(dense.shape[1], bool)
    luck = np.random.PCG64(seed).random_raw(len(dense))
    held = dense.sum(1) if sizes is None else np.asarray(sizes, np.int64)
    return Task(sp.csr_array(dense), held, shares, **{"weighs": rows, "must": rows, "luck": luck, **more})


def cost_of(task: Task, parts: Iterable[int]) -> tuple[int, int]:
    """Empty pairs and deviation (in 1/den images) of an assignment, counted without the code under test."""
    dense, den, empty, away = task.counts.toarray(), sum(task.shares), 0, 0
    for p, share in enumerate(task.shares):
        mine = np.asarray(list(parts)) == p
        for r in range(dense.shape[1]):
            total = int(dense[:, r].sum())
            held = int(dense[mine, r].sum())
            empty += bool(task.must[r] and total and held == 0)
            away += abs(den * held - share * total) * bool(task.weighs[r])
        size, all_ = int(task.sizes[mine].sum()), int(task.sizes.sum())
        empty += size == 0
        away += max(0, abs(den * size - share * all_) - den * all_ // 100)
    return empty, away


def every_assignment(components: int, parts: int) -> Iterable[tuple[int, ...]]:
    """All ways to give components to parts."""
    return itertools.product(range(parts), repeat=components)
