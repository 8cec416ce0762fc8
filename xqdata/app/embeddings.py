"""Which pictures resemble each other: for the App's panel of embeddings and its sorting by similarity.

A run's embeddings say what a model sees alike. Where there is no run, small pictures say what looks alike: they are
those that dedup kept, so that nothing is opened again, and no model is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from xqdata import features, scans
from xqdata.app.content import Content, Progress
from xqdata.app.load import KEY, dataset_values, flat, note
from xqdata.manifest import Project
from xqdata.runs import EMBEDDINGS, Run

PANEL, SIMILAR = "embeddings", "similar"  # brain keys
_DIMENSIONS = 32  # kept for similarity: enough for near neighbours, and small
_SEED = 0
_NOTED = "brain"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Embedded:
    """`vectors`: (n, dimensions) of the n images `ids`. `source`: a run's name, or `pictures`."""

    source: str
    ids: list[str]
    vectors: Floats


def embed(project: Project, dataset: fo.Dataset, found: Content, workers: int | None, progress: Progress) -> str:
    """Compute the panel's points and the similarity index anew, if what they follow from changed.

    Returns the source, or `nothing` where there are too few images.
    """
    run = _run_of(found)
    print_of = _print(found, run)
    source = run.name if run else "pictures"
    if dataset.info.get(KEY, {}).get(_NOTED) == print_of and {PANEL, SIMILAR} <= set(dataset.list_brain_runs()):
        return source
    made = _of_run(run, found) if run else _of_pictures(project, found.rows, workers, progress)
    if len(made.ids) < 3:  # no plane through fewer
        return "nothing"
    for name in {PANEL, SIMILAR} & set(dataset.list_brain_runs()):
        dataset.delete_brain_run(name)
    _store(dataset, made)
    note(dataset, **{_NOTED: print_of})
    return source


def _run_of(found: Content) -> Run | None:
    """The newest of the loaded runs that has embeddings."""
    return next((each.run for each in reversed(found.runs) if (each.run.folder / EMBEDDINGS).exists()), None)


def _print(found: Content, run: Run | None) -> str:
    hasher = xxhash.xxh3_64((f"{run.name} {run.made_at}" if run else "pictures").encode())
    for column in ("image_id", "pixel_hash"):
        for value in found.rows[column].to_pylist():
            hasher.update(value.encode())
    return hasher.hexdigest()


def _of_run(run: Run, found: Content) -> Embedded:
    table = run.embeddings()
    assert table is not None
    table = table.filter(pc.is_in(table["image_id"], found.rows["image_id"].combine_chunks()))
    vectors = np.array(table["embedding"].to_pylist(), np.float32).reshape(table.num_rows, -1)
    return Embedded(run.name, table["image_id"].to_pylist(), vectors)


def _of_pictures(project: Project, rows: pa.Table, workers: int | None, progress: Progress) -> Embedded:
    """The low-resolution pictures, halved once more: what is left is where there is how much."""
    found = features.sketches(
        project,
        scans.located(project, rows),
        rows["pixel_hash"].to_pylist(),
        workers=workers,
        progress=lambda done, total: progress("looking", done, total),
    )
    readable = np.array([n not in found.unread for n in range(rows.num_rows)])
    side = features.SIDE // 2
    small = found.thumbs[readable].reshape(-1, side, 2, side, 2).mean((2, 4), dtype=np.float32)
    ids = rows["image_id"].filter(pa.array(readable)).to_pylist()
    return Embedded("pictures", ids, small.reshape(len(ids), -1) / 255)


def _store(dataset: fo.Dataset, made: Embedded) -> None:
    samples = dict(zip(*dataset_values(dataset, ["image_id", "id"]), strict=True))
    order = [n for n, image in enumerate(made.ids) if image in samples]
    ids = [samples[made.ids[n]] for n in order]
    vectors = _reduced(made.vectors[order])
    every = flat(dataset)
    fob.compute_visualization(
        every, points=dict(zip(ids, vectors[:, :2].astype(float), strict=True)), brain_key=PANEL, progress=False
    )
    index = fob.compute_similarity(every, embeddings=False, brain_key=SIMILAR, backend="sklearn", progress=False)
    index.add_to_index(vectors, np.array(ids))
    index.save()


def _reduced(vectors: Floats) -> Floats:
    """The principal components, (n, at most _DIMENSIONS), those that tell most first; always two columns or more."""
    most = min(_DIMENSIONS, *vectors.shape)
    found = PCA(most, svd_solver="randomized", random_state=_SEED).fit_transform(vectors - vectors.mean(0))
    if most < 2:
        found = np.column_stack([found, np.zeros(len(found))])
    made: Floats = found.astype(np.float32)
    return made
