"""What FiftyOne is to show of a project, as plain values by image and field: the tables read, nothing written.

A field is a column of the dataset in FiftyOne. Fields that hold nothing in the whole project are left out: nobody needs
a filter on an operator whom no log names.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
import xxhash

from xqdata import labels, manifest, runs, scans, suspects
from xqdata.dedup.cluster import contradict
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.runs import Run
from xqdata.schema import COPY_KINDS, IMAGES
from xqdata.splits import expression
from xqdata.taxonomy import Taxonomy

# More images than this and the App is no longer the place to look at all of them at once.
MOST = 200_000
# Runs that are loaded where none is named: the App shows a field or two for each.
NEWEST = 3
# Links between pictures of one moment, which show one thing.
_SAME = (*COPY_KINDS, "rescan", "same-scan")
_PLAIN = {
    "together": ("specimens", "scan_id", "bag", "session", "series", "container_id", "sequence"),
    "acquisition": (
        "scanner_make", "scanner_model", "scanner_serial", "kvp", "ma", "belt_speed", "view", "channel", "polarity",
        "palette", "acquired_at", "operator", "site",
    ),
    "quality": ("mean", "std", "air_fraction", "opaque_fraction", "sharpness"),
    "file": ("image_id", "root", "path", "page", "format", "width", "height", "bit_depth", "mode", "bytes", "reader",
             "label_source", "licence"),
}  # fmt: skip
# And what previews and sketches of the pictures are made and found by.
_SHOWN = (*(name for names in _PLAIN.values() for name in names), *scans.COLUMNS, "pixel_hash")

# What the label log speaks of besides fields: FiftyOne shows it as tags.
FLAGS = ("reject", "second_look")
Values = dict[str, Any]  # of one image, by field
Progress = Callable[[str, int, int], None]  # what is being done, done, total


@dataclass(frozen=True)
class Field:
    """One field. `kind`: how its plain values look and what FiftyOne makes of them, see `xqdata.app.kinds`; `shelf`:
    the group of the sidebar; `says`: the hint that the App shows; `source`: the table or run without which it goes.
    """

    name: str
    kind: str
    shelf: str
    says: str
    source: str = ""


# What the label log speaks of, and people may therefore change in FiftyOne.
EDITABLE = (
    Field("object", "label", "labels", "what was scanned, by the effective labels"),
    Field("objects", "labels", "labels", "all that was scanned, where it is not one object alone"),
    Field("scan_type", "label", "labels", "how it was presented to the scanner"),
    Field("specimens", "strings", "together", IMAGES.column("specimens").doc),
)
EDITED_AS = {each.name: each.kind for each in EDITABLE}


@dataclass(frozen=True)
class LoadedRun:
    """A run and its fields: `predicted`, `true` (labels at the time of the run) and `correct`.

    `tested`: image_id, true and predicted of the images that its confusion matrix counts.
    """

    run: Run
    predicted: str
    true: str
    correct: str
    tested: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Content:
    """What is to be shown. `rows`: of images, with effective labels; `values`: by image_id, without the fields that are
    unknown; `slices`: by image_id the scan and the slice of it that the image is, empty where no scan has several;
    `splits`, `audits`: by name the field of the part and of what leaks.
    """

    rows: pa.Table
    fields: tuple[Field, ...]
    values: Mapping[str, Values]
    slices: Mapping[str, tuple[str, str]]
    runs: tuple[LoadedRun, ...]
    splits: Mapping[str, str] = field(default_factory=dict)
    audits: Mapping[str, str] = field(default_factory=dict)
    standing: frozenset[str] = frozenset()  # every image that is not missing and not rejected, chosen or not
    chosen: bool = False  # whether less than everything was asked for


@dataclass(frozen=True)
class Asked:
    """Which images and runs. `where`: a condition on images; `sample`: so many of them, always the same ones."""

    where: str | None = None
    sample: int | None = None
    runs: tuple[str, ...] = ()


def content(project: Project, taxonomy: Taxonomy, asked: Asked) -> Content:
    """Read the tables. Raises TableError where ingest has not run, InputError for a condition or a run that is none,
    and for more images than the App can show.
    """
    log = labels.log(project)
    chosen_by = ["image_id", "missing", *expression.all_columns([asked.where]), *labels.COLUMNS]
    images = manifest.read(project, "images", list(dict.fromkeys(chosen_by)))
    every = labels.effective(images, log, taxonomy)
    every = every.filter(pc.invert(every["missing"]))
    rows = manifest.widened(project, _chosen(every, asked), _SHOWN)
    ids = rows["image_id"].to_pylist()
    book = _Book({image: {} for image in ids})
    _describe(book, rows)
    for image, held in labels.judged(images, log, taxonomy).items():
        if image in book.values:  # a rejected one is not
            book.values[image] |= {name: True for name in FLAGS if held[name]}
    _tell_suspects(book, project)
    links = _table(project, "links", ["image_a", "image_b", "kind"])
    _tell_duplicates(book, project, rows, links)
    splits = {name: _tell_split(book, project, name, rows) for name in _named(project, "splits")}
    audits = {name: _tell_audit(book, project, name) for name in _named(project, "audits")}
    _tell_boxes(book, project, rows)
    loaded = tuple(_tell_run(book, run) for run in _asked_runs(project, asked.runs))
    return Content(
        rows,
        tuple(book.fields.values()),
        book.values,
        _slices(rows),
        loaded,
        splits,
        audits,
        frozenset(every["image_id"].to_pylist()),
        rows.num_rows < every.num_rows,
    )


def key(text: str) -> str:
    """`text` as a part of a field's name."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)


class _Book:
    """Values as they are told, and the fields that they belong to."""

    def __init__(self, values: dict[str, Values]) -> None:
        self.values = values
        self.fields: dict[str, Field] = {}

    def tell(self, told: Field, pairs: Iterable[tuple[str, Any]]) -> str:
        """Put down the values of one field, (image, value) each; unknown images and values are passed over."""
        name = told.name
        while name in self.fields:  # of two runs whose names differ by a dash
            name += "_"
        known = False
        for image, value in pairs:
            if value is not None and image in self.values:
                self.values[image][name] = value
                known = True
        if known:
            self.fields[name] = replace(told, name=name)
        return name


def _chosen(every: pa.Table, asked: Asked) -> pa.Table:
    rows = every
    if asked.where is not None:
        rows = rows.filter(pc.fill_null(expression.select(rows, asked.where), False))
        if not rows.num_rows:
            raise InputError("no image meets the condition", where=f"--where {asked.where!r}")
    if asked.sample is not None and asked.sample < rows.num_rows:
        # Ids are hashes, so the smallest of them are a sample; a larger one holds the smaller, and each stays itself.
        smallest = pc.select_k_unstable(rows["image_id"], asked.sample, [("", "ascending")])
        rows = manifest.taken(rows, smallest.sort())
    if rows.num_rows > MOST:
        hint = "choose some, as in --where \"scan_type == 'single_basket'\", or --sample 20000"
        raise InputError(f"{rows.num_rows:,} images are more than the App shows well ({MOST:,})", hint=hint)
    return rows


def _named(project: Project, folder: str) -> list[str]:
    found = [name for name in manifest.standing(project) if name.startswith(f"{folder}/")]
    return [name.partition("/")[2] for name in found if not name.endswith(".evidence")]


def _table(project: Project, name: str, columns: Sequence[str], rows: pa.Table | None = None) -> pa.Table | None:
    """Columns of a table, of the images `rows` only where those are given; None where it does not stand."""
    only = None if rows is None else rows["image_id"]
    return manifest.read(project, name, columns, only=only) if manifest.exists(project, name) else None


# --- images


def _describe(book: _Book, rows: pa.Table) -> None:
    """What the image table and the label log say."""
    ids = rows["image_id"].to_pylist()
    objects = rows["objects"].to_pylist()
    single = rows["object"].to_pylist()
    several = [None if one is not None else found or None for one, found in zip(single, objects, strict=True)]
    told = {each.name: each for each in EDITABLE}
    book.tell(told["object"], zip(ids, single, strict=True))
    book.tell(told["objects"], zip(ids, several, strict=True))
    book.tell(told["scan_type"], zip(ids, rows["scan_type"].to_pylist(), strict=True))
    for name in ("container", "multiplicity", "clutter"):
        factor = Field(name, "string", "labels", _says(name))
        book.tell(factor, zip(ids, rows[name].to_pylist(), strict=True))
    for shelf, names in _PLAIN.items():
        for name in names:
            column = rows[name]
            values = column.to_pylist()
            if name in ("page", "sequence") and not any(values):
                continue
            if name == "acquired_at":
                values = [None if v is None else _whole_milliseconds(v) for v in values]
            book.tell(Field(name, _kind(column.type), shelf, _says(name)), zip(ids, values, strict=True))


def _says(name: str) -> str:
    return IMAGES.column(name).doc


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return "strings"
    if pa.types.is_timestamp(kind):
        return "time"
    return "float" if pa.types.is_floating(kind) else "int" if pa.types.is_integer(kind) else "string"


def _whole_milliseconds(moment: datetime) -> datetime:
    """As the database keeps it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _slices(rows: pa.Table) -> dict[str, tuple[str, str]]:
    """Scan and slice of each image, where some scan has several views or channels; else nothing.

    One picture of each scan is in the slice `main`, which the App opens with and which so shows every scan: the first
    view in colour, else in grey, else whatever there is. The others are called by view and channel. A second picture of
    one view and channel, as a copy, is a scan of its own.
    """
    rank = {name: n for n, name in enumerate(("colour", "grey", "high", "low", "density", "zeff", None))}
    columns = (rows[name].to_pylist() for name in ("image_id", "scan_id", "view", "channel"))
    scans: dict[str, dict[tuple[str | None, str | None], str]] = defaultdict(dict)
    alone = []
    for image, scan, view, channel in sorted(zip(*columns, strict=True), key=lambda r: r[0]):
        if scan is None or (view, channel) in scans[scan]:
            alone.append(image)
        else:
            scans[scan][view, channel] = image
    if all(len(found) < 2 for found in scans.values()):
        return {}
    slices = {image: (image, "main") for image in alone}
    for scan, found in scans.items():
        order = sorted(found, key=lambda c: (rank[c[1]], c[0] is None, _front(c[0]), c[0] or ""))
        for n, named in enumerate(order):
            told = " ".join(filter(None, named)) or "unnamed"
            slices[found[named]] = (scan, "main" if n == 0 else told)
    return slices


def _front(view: str | None) -> int:
    return {"top": 0, "front": 0, "overhead": 0}.get((view or "").lower(), 1)


# --- suspects


def _tell_suspects(book: _Book, project: Project) -> None:
    """Labels that are probably wrong, by the last `xqdata label suspects`, without those that were changed since."""
    shelf = "suspects"
    listed = [one for one in suspects.last_list(project) if one["object"] == _now(book, one["image_id"])]
    for name, kind, column, says in (
        ("suspect_rank", "int", "rank", "its place in the list of labels that are probably wrong"),
        ("suspect_why", "string", "reason", "why its label is probably wrong"),
        ("suggested", "label", "suggested", "what it probably shows instead"),
        ("suspect_wrong", "float", "wrong", "the probability that its label is wrong"),
    ):
        told = listed if column != "suggested" else [one for one in listed if one["suggested"] != one["object"]]
        book.tell(Field(name, kind, shelf, says), ((one["image_id"], one[column]) for one in told))


def _now(book: _Book, image: str) -> Any:
    return book.values.get(image, {}).get("object")


# --- dedup


def _tell_duplicates(book: _Book, project: Project, rows: pa.Table, links: pa.Table | None) -> None:
    shelf = "duplicates"
    duplicates = _table(project, "duplicates", ["image_id", "cluster", "kept"], rows)
    if duplicates is not None:
        ids, cluster = duplicates["image_id"].to_pylist(), duplicates["cluster"].to_pylist()
        book.tell(Field("cluster", "string", shelf, "copies of one picture bear one name"),
                  zip(ids, cluster, strict=True))  # fmt: skip
        book.tell(Field("kept", "bool", shelf, "the one of its cluster that is used"),
                  zip(ids, duplicates["kept"].to_pylist(), strict=True))  # fmt: skip
    if links is not None:
        kinds: dict[str, set[str]] = defaultdict(set)
        for a, b, kind in zip(*(links[c].to_pylist() for c in ("image_a", "image_b", "kind")), strict=True):
            kinds[a].add(kind)
            kinds[b].add(kind)
        book.tell(Field("links", "strings", shelf, "how it is tied to other pictures"),
                  ((image, sorted(found)) for image, found in kinds.items()))  # fmt: skip
        book.tell(Field("conflict", "string", shelf, "pictures of one moment that are said to show different things "
                        "bear one name"), _conflicts(rows, links))  # fmt: skip
    undecided = _table(project, "undecided", ["image_a", "image_b", "reason"])
    if undecided is not None and undecided.num_rows:
        pairs = list(zip(undecided["image_a"].to_pylist(), undecided["image_b"].to_pylist(), strict=True))
        book.tell(Field("undecided", "string", shelf, "pictures that may be the same, which the pixels did not decide, "
                        "bear one name"), _together(pairs).items())  # fmt: skip
        why = dict(reason for pair, told in zip(pairs, undecided["reason"].to_pylist(), strict=True)
                   for reason in ((pair[0], told), (pair[1], told)))  # fmt: skip
        book.tell(Field("undecided_why", "string", shelf, "why the pixels did not decide"), why.items())


def _conflicts(rows: pa.Table, links: pa.Table) -> Iterator[tuple[str, str]]:
    """(image, name of its conflict) for the pictures of one moment whose objects contradict each other."""
    same = links.filter(pc.is_in(links["kind"], pa.array(_SAME)))
    pairs = list(zip(same["image_a"].to_pylist(), same["image_b"].to_pylist(), strict=True))
    first: dict[str, str] = {}
    for image, scan in zip(rows["image_id"].to_pylist(), rows["scan_id"].to_pylist(), strict=True):
        if scan is not None:
            pairs.append((first.setdefault(scan, image), image))
    objects = dict(zip(rows["image_id"].to_pylist(), rows["objects"].to_pylist(), strict=True))
    clusters = defaultdict(list)
    for image, name in _together(pairs).items():
        if image in objects:
            clusters[name].append(image)
    for name, members in clusters.items():
        if contradict(objects[image] or () for image in members):
            yield from ((image, name) for image in members)


def _together(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """For each image that the pairs name the smallest image of those that they join it with."""
    names = sorted({image for pair in pairs for image in pair})
    place = {image: n for n, image in enumerate(names)}
    ends = np.array([(place[a], place[b]) for a, b in pairs], np.int64).reshape(-1, 2)
    graph = sp.coo_array((np.ones(len(ends), np.int8), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    _, number = sp.csgraph.connected_components(graph, directed=False)
    first: dict[int, str] = {}
    return {image: first.setdefault(n, image) for image, n in zip(names, number.tolist(), strict=True)}


# --- splits and audits


def _tell_split(book: _Book, project: Project, name: str, rows: pa.Table) -> str:
    source = f"splits/{name}"
    table = manifest.read(project, source, ["image_id", "part", "reason", "group"], only=rows["image_id"])
    ids, parts = table["image_id"].to_pylist(), table["part"].to_pylist()
    asides = [why if part is None else None for part, why in zip(parts, table["reason"].to_pylist(), strict=True)]
    made = book.tell(Field(f"part_{key(name)}", "string", "splits", f"part of the split {name}", source),
                     zip(ids, parts, strict=True))  # fmt: skip
    book.tell(Field(f"aside_{key(name)}", "string", "splits", f"why it takes no part in the split {name}", source),
              zip(ids, asides, strict=True))  # fmt: skip
    says = f"what the split {name} may not tear bears one name"
    book.tell(Field(f"group_{key(name)}", "string", "splits", says, source),
              zip(ids, table["group"].to_pylist(), strict=True))  # fmt: skip
    return made


def _tell_audit(book: _Book, project: Project, name: str) -> str:
    """What ties an image to another part, by the findings that make the score too good."""
    findings = manifest.read(project, f"audits/{name}", ["kind", "severity"]).to_pylist()
    high = [finding["kind"] for finding in findings if finding["severity"] == "high"]
    columns = ("kind", "image_test", "image_train")
    evidence = _table(project, f"audits/{name}.evidence", columns)
    kinds: dict[str, set[str]] = defaultdict(set)
    if evidence is not None:
        evidence = evidence.filter(pc.is_in(evidence["kind"], pa.array(high, pa.string())))
        for kind, *ends in zip(*(evidence[c].to_pylist() for c in columns), strict=True):
            for image in filter(None, ends):
                kinds[image].add(kind)
    says = f"what ties it to another part of the split {name}"
    told = Field(f"leaks_{key(name)}", "strings", "splits", says, f"audits/{name}")
    return book.tell(told, ((image, sorted(found)) for image, found in kinds.items()))


# --- where the object is


def _tell_boxes(book: _Book, project: Project, rows: pa.Table) -> None:
    """Boxes that the export brought along, and what remains when the container is taken away."""
    size = {i: (w, h) for i, w, h in zip(*(rows[c].to_pylist() for c in ("image_id", "width", "height")), strict=True)}
    detections = _table(project, "detections", ["image_id", "label", "x", "y", "width", "height"], rows)
    if detections is not None:
        boxes: dict[str, list[list[Any]]] = defaultdict(list)
        for row in detections.to_pylist():
            width, height = size[row["image_id"]]
            box = [row["x"] / width, row["y"] / height, row["width"] / width, row["height"] / height]
            boxes[row["image_id"]].append([row["label"], box])
        book.tell(Field("boxes", "boxes", "labels", "boxes that the export brought along"),
                  ((image, sorted(found)) for image, found in boxes.items()))  # fmt: skip
    masks = _table(project, "masks", ["image_id", "rle", "box"], rows)
    if masks is not None:
        masks = masks.filter(pc.is_valid(masks["rle"]))
        found = zip(*(masks[c].to_pylist() for c in ("image_id", "rle", "box")), strict=True)
        book.tell(Field("foreground", "mask", "labels", "what remains when the container is taken away"),
                  ((image, [rle, box]) for image, rle, box in found if box and box[2] and box[3]))  # fmt: skip


# --- runs


def _asked_runs(project: Project, names: Sequence[str]) -> list[Run]:
    return [runs.read(project, name) for name in names or runs.names(project)[-NEWEST:]]


def _tell_run(book: _Book, run: Run) -> LoadedRun:
    """Predictions with confidence, the labels that they were judged by, and whether they are right.

    The labels of that time, because those of today may have been corrected since, and the run's confusion matrix is
    about the ones that it was judged by.
    """
    shelf, part, source = f"run {run.name}", key(run.name), f"runs/{run.name}"
    multilabel = run.task == "multilabel"
    columns = ["image_id", "part", "true", "predicted", "correct", "confidence"]
    wanted = [*columns, *(f"p_{name}" for name in run.classes)] if multilabel else columns
    rows = run.predictions(wanted).to_pylist()
    guess = _several if multilabel else _one
    says = f"what the run {run.name} says"
    predicted = book.tell(
        Field(f"run_{part}", "predictions" if multilabel else "prediction", shelf, says, source),
        ((row["image_id"], guess(row)) for row in rows),
    )
    says = f"the label that the run {run.name} was judged by"
    true = book.tell(
        Field(f"true_{part}", "labels" if multilabel else "label", shelf, says, source),
        ((row["image_id"], _split(row["true"]) if multilabel else row["true"]) for row in rows),
    )
    correct = f"correct_{part}"
    if multilabel:  # FiftyOne's evaluation, which fills the field otherwise, is of single labels
        told = Field(correct, "bool", shelf, f"whether the run {run.name} named all and no other", source)
        correct = book.tell(told, ((row["image_id"], row["correct"]) for row in rows))
    tested = [row for row in rows if row["part"] == "test"] or rows
    counted = ((row["image_id"], row["true"], row["predicted"]) for row in tested)
    inside = tuple(row for row in counted if row[0] in book.values)
    return LoadedRun(run, predicted, true, correct, inside)


def _one(row: Mapping[str, Any]) -> list[Any]:
    return [row["predicted"], _float(row["confidence"]), row["part"]]


def _several(row: Mapping[str, Any]) -> list[Any]:
    return [[name, _float(row[f"p_{name}"]), row["part"]] for name in _split(row["predicted"])]


def _split(joined: str | None) -> list[str]:
    return joined.split("+") if joined else []


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def plain(value: Any) -> Any:
    """A value as it is remembered: long texts, as run lengths, by a fingerprint."""
    if isinstance(value, list) and value and isinstance(value[0], str) and len(value[0]) > 256:
        return xxhash.xxh3_64_hexdigest(json.dumps(value).encode())
    return value
