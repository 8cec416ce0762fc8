"""What a split is made of: the images with their effective labels, who follows whom, and what may not be separated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from xqdata import groups, labels, manifest, schema
from xqdata.errors import InputError
from xqdata.groups import Ties
from xqdata.manifest import Project
from xqdata.splits.loops import Flags, Ints
from xqdata.splits.request import Request
from xqdata.taxonomy import Taxonomy

# Why a row takes no part, by its state.
TAKES_PART, MISSING, REJECTED = 0, 1, 2
REASONS = ("", "missing: the file is gone", "rejected in the label log")
_PIECE = 1 << 18
# What a report tells.
_NEEDED = (
    "image_id",
    "path",
    "missing",
    "object",
    "objects",
    "scan_type",
    "container",
    "multiplicity",
    "clutter",
    "specimens",
)


@dataclass(frozen=True)
class Material:
    """All rows of images by image_id, with effective labels.

    `state`: of each row, TAKES_PART, MISSING or REJECTED. `kept`: the row that each row follows, itself
    unless it is a copy. `component`: the first row of each row's component. `inputs`: digests of the tables read.
    """

    images: pa.Table
    state: Ints
    kept: Ints
    component: Ints
    ties: list[Ties]
    inputs: dict[str, str]

    @property
    def takes_part(self) -> Flags:
        """Rows that take part: neither missing nor rejected."""
        return np.asarray(self.state == TAKES_PART)

    @property
    def counted(self) -> Ints:
        """The rows that are given parts and balanced: those that take part and are no copies."""
        return np.flatnonzero(self.takes_part & (self.kept == np.arange(len(self.kept))))

    @property
    def ids(self) -> list[str]:
        """The image ids."""
        found: list[str] = self.images["image_id"].to_pylist()
        return found

    def luck(self, rows: Ints, seed: int) -> NDArray[np.uint64]:
        """A random number for each of `rows`, by the seed and the image's id: whatever the order of rows."""
        return luck(self.images["image_id"], rows, seed & (2**64 - 1))


def luck(ids: pa.ChunkedArray, rows: Ints, seed: int) -> NDArray[np.uint64]:
    """The hashes of the ids of `rows` under a seed of 64 bits."""
    found = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), _PIECE):
        some = ids.take(pa.array(rows[start : start + _PIECE])).to_pylist()
        found[start : start + len(some)] = [xxhash.xxh3_64_intdigest(i.encode(), seed=seed) for i in some]
    return found


def gather(project: Project, taxonomy: Taxonomy, request: Request) -> Material:
    """Read what the split needs. Raises TableError as the readers do, and InputError if there is nothing to split."""
    columns = list(dict.fromkeys([*_NEEDED, *request.columns]))
    images, rejected = judged(project, taxonomy, columns)
    present = [name for name in ("images", "links", "duplicates", "labels") if manifest.exists(project, name)]
    inputs = {name: manifest.provenance(project, name).digest for name in present}
    state = _states(images, rejected)
    duplicates = _table(project, "duplicates", ["image_id", "cluster", "kept"])
    ties = all_ties(images, _table(project, "links", ["image_a", "image_b", "kind"]), request, state == TAKES_PART)
    kept = _kept(images, duplicates, state)
    # Copies go where the kept one goes, so whatever else they show goes there, too.
    copies = groups.copy_ties(images, kept)
    ties += [copies] if len(copies.image) else []
    component = groups.components(images.num_rows, ties)
    made = Material(images, state, kept, component, ties, inputs)
    if not len(made.counted):
        raise InputError("there is no image to split", where=str(project.manifests), hint="run: xqdata ingest RAW")
    return made


def judged(project: Project, taxonomy: Taxonomy, columns: Sequence[str]) -> tuple[pa.Table, Flags]:
    """Columns of all rows of images, by image_id, with effective labels; and which rows were rejected."""
    log = labels.log(project)
    raw = manifest.read(project, "images", list(dict.fromkeys([*columns, *labels.needed(log)])))
    known = labels.effective(raw, log, taxonomy)
    if known.num_rows == raw.num_rows:
        images = known.select(list(columns))
        del raw, known  # the copy in order is all that is needed
        images = manifest.ordered(images, ["image_id"]).combine_chunks()
        return images, np.zeros(images.num_rows, bool)
    rejected = raw.filter(pc.invert(pc.is_in(raw["image_id"], known["image_id"].combine_chunks())))
    both = pa.concat_tables([known, rejected]).select(list(columns))
    images = manifest.ordered(both, ["image_id"]).combine_chunks()
    return images, pc.is_in(images["image_id"], rejected["image_id"].combine_chunks()).to_numpy(zero_copy_only=False)


def _table(project: Project, name: str, columns: list[str]) -> pa.Table:
    if manifest.exists(project, name):
        return manifest.read(project, name, columns)
    return schema.empty(name).select(columns)


def _states(images: pa.Table, rejected: Flags) -> Ints:
    state = np.full(images.num_rows, TAKES_PART)
    state[rejected] = REJECTED
    state[images["missing"].to_numpy()] = MISSING
    return state


def all_ties(images: pa.Table, links: pa.Table, request: Request, takes_part: Flags) -> list[Ties]:
    """The ties of all columns that the request ties by, and of the links."""
    ties = [groups.column_ties(images, name, takes_part) for name in request.identity]
    return ties + (groups.link_ties(images, links) if request.links else [])


def _kept(images: pa.Table, duplicates: pa.Table, state: Ints) -> Ints:
    """The row that each row follows. Where the kept file is gone, the first copy that is left stands for it."""
    follows = np.arange(images.num_rows)
    place = pc.index_in(duplicates["image_id"], images["image_id"].combine_chunks())
    known = duplicates.filter(pc.is_valid(place))
    rows = place.filter(pc.is_valid(place)).to_numpy().astype(np.int64)
    if not len(rows):
        return follows
    _, cluster = np.unique(known["cluster"].to_numpy(zero_copy_only=False), return_inverse=True)
    first = known["kept"].to_numpy(zero_copy_only=False).astype(bool)
    here = state[rows] != MISSING
    order = np.lexsort((rows, ~first, ~here, cluster))
    starts = np.flatnonzero(np.append(True, np.diff(cluster[order]) > 0))
    leader = rows[order[starts]]
    follows[rows[here]] = leader[cluster[here]]
    return follows
