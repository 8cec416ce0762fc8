"""A project into its dataset in FiftyOne: the whole of it, or what changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
from fiftyone import ViewField as F

from xqdata import manifest, runs
from xqdata.app import embeddings, evaluation, look, previews, views
from xqdata.app.content import Asked, Content, Progress, content
from xqdata.app.load import Loaded, flat, forget, load, open_dataset
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy


@dataclass(frozen=True)
class Opened:
    """A dataset that stands as the tables say. `slug`: of the saved view with the images that were asked for, None for
    all; `embedded`: what the embeddings follow from.
    """

    dataset: fo.Dataset
    slug: str | None
    loaded: Loaded
    images: int
    views: Sequence[str]
    runs: Sequence[str]
    embedded: str


def bring(
    project: Project,
    taxonomy: Taxonomy,
    name: str,
    asked: Asked,
    *,
    shared: bool = False,
    workers: int | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> Opened:
    """Bring the dataset called `name` to what the project's tables say. `xqdata.app.database` must be connected.

    `shared`: whether other projects may lie in the database. Raises TableError and InputError as `content` and
    `open_dataset` do.
    """
    found = content(project, taxonomy, asked)
    pictures = previews.shown(
        project, found.rows, workers=workers, progress=lambda done, total: progress("previews", done, total)
    )
    dataset = open_dataset(name, project, shared)
    keep = look.arranged(dataset)
    loaded = load(dataset, found, pictures.files, progress)
    loaded.unread = pictures.unread
    evaluation.evaluate(dataset, found.runs)
    forget(dataset, found, lambda source: _stands(project, source))
    embedded = embeddings.embed(project, dataset, found, workers, progress)
    saved = views.save(dataset, found, _chosen(dataset, found))
    look.arrange(dataset, found, taxonomy, keep)
    names = [each.run.name for each in found.runs]
    return Opened(dataset, views.chosen_slug(dataset), loaded, found.rows.num_rows, saved, names, embedded)


def _stands(project: Project, source: str) -> bool:
    folder, _, name = source.partition("/")
    return name in runs.names(project) if folder == runs.FOLDER else manifest.exists(project, source)


def _chosen(dataset: fo.Dataset, found: Content) -> Any:
    """What was asked for, where the dataset holds more."""
    if not found.chosen or flat(dataset).count() == found.rows.num_rows:
        return None
    return flat(dataset).match(F("image_id").is_in(found.rows["image_id"].to_pylist()))
