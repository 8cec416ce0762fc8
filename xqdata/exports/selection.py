"""Which images are exported, with their effective labels, parts and boxes; and how many are not, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from xqdata import card as cards
from xqdata import labels, manifest, scans
from xqdata.card import Card
from xqdata.errors import InputError
from xqdata.exports.columns import PRIVATE, Columns, columns, named
from xqdata.exports.request import Request
from xqdata.manifest import Project
from xqdata.scans import Scan
from xqdata.splits import expression
from xqdata.status import status
from xqdata.taxonomy import Taxonomy

_USUAL = ("train", "val", "test")
# Columns of images that an item is made of, besides those that are told; and what opening it takes.
_OF_ITEM = ("image_id", "width", "height", "sha256", "label_source", "extra")
_TAKEN = (*_OF_ITEM, *scans.COLUMNS)


@dataclass(frozen=True)
class Drawn:
    """One box of `detections`: its label, and left edge, top edge, width and height in pixels."""

    label: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Item:
    """One image that is exported: where its pixels are, what is told of it, its part, and its boxes.

    `size`: width and height in pixels. `sha256`: of the raw file. `label_source`: who named the object. `extra`: as in
    images; it is not told.
    """

    scan: Scan
    told: Mapping[str, Any]
    part: str | None
    group: str | None
    boxes: tuple[Drawn, ...]
    size: tuple[int, int]
    sha256: str
    label_source: str | None
    extra: str

    @property
    def image_id(self) -> str:
        """The id, which the exported file is called by: it tells nothing, and no two images share it."""
        return self.scan.image_id

    @property
    def objects(self) -> list[str]:
        """Every class that is named, each once."""
        return list(self.told["objects"] or [])


@dataclass
class Selection:
    """The images of one export, by image_id. `left_out`: how many are not in it, by reason.

    `split`: the table whose parts they have, or None; `leaky`: it was made at random. `parts`: in the order in which
    people list them. `card`: what people say of the dataset.
    """

    items: list[Item]
    columns: Columns
    split: str | None
    parts: tuple[str, ...]
    inputs: Mapping[str, str]
    leaky: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    card: Card = field(default_factory=Card)

    def leave_out(self, reason: str, out: Callable[[Item], bool]) -> None:
        """Take out the images that `out` says, and count them."""
        kept = [item for item in self.items if not out(item)]
        self._count(reason, len(self.items) - len(kept))
        self.items = kept

    def _count(self, reason: str, number: int) -> None:
        if number:
            self.left_out[reason] += number

    @property
    def objects(self) -> list[str]:
        """Every class that some image of the selection has alone, sorted."""
        return sorted({item.told["object"] for item in self.items if item.told["object"] is not None})


def select(project: Project, taxonomy: Taxonomy, request: Request) -> Selection:
    """The images that `request` asks for. Raises InputError where there are none, TableError as reading tables does."""
    log = labels.log(project)
    chosen_by = ["image_id", "missing", *expression.all_columns([request.where]), *labels.needed(log)]
    raw = manifest.ordered(manifest.read(project, "images", list(dict.fromkeys(chosen_by))), ["image_id"])
    left: Counter[str] = Counter()
    images = _fitting(_chosen(_standing(raw, log, taxonomy, left), request.only, left), request.where, left)
    name = _split(project, request)
    images, parts, groups = _placed(project, images, name, left)
    if request.kept_only:
        images = _kept(project, images, left)
    if not images.num_rows:
        told = ", ".join(f"{number:,} {reason}" for reason, number in left.items() if number)
        raise InputError(f"no image is left to export ({told or 'there is none'})", where=request.where or "")
    images = manifest.widened(project, images, [*named(request.private), *_TAKEN])
    names = columns(images, manifest.read(project, "images", PRIVATE), request.private)
    used = ["images", "labels", "detections", *([name] if name else []), *(["duplicates"] * request.kept_only)]
    inputs = {used: manifest.provenance(project, used).digest for used in used if manifest.exists(project, used)}
    items = _items(project, images, names, parts, groups)
    found = _in_order({item.part for item in items if item.part is not None})
    leaky = bool(name and manifest.provenance(project, name).options.get("leaky"))
    notes = _notes(project, names, name, leaky, inputs)
    return Selection(items, names, name, found, inputs, leaky, +left, notes, cards.load(project.folder))


def _standing(raw: pa.Table, log: pa.Table, taxonomy: Taxonomy, left: Counter[str]) -> pa.Table:
    """The images whose file is there and that nobody rejected, as people corrected them."""
    judged = labels.effective(raw, log, taxonomy)
    images = judged.filter(pc.invert(judged["missing"]))
    left["the file is gone"] = pc.sum(raw["missing"]).as_py() or 0
    left["rejected in the label log"] = raw.num_rows - left["the file is gone"] - images.num_rows
    return images


def _notes(project: Project, names: Columns, split: str | None, leaky: bool, inputs: Mapping[str, str]) -> list[str]:
    notes = [f"{t.name} is stale: {reason}" for t in status(project, {}) if t.name in inputs for reason in t.stale]
    if leaky:
        notes.append(f"{split} was made at random, so its parts share specimens and copies")
    return notes + [
        f"{column}: some names hold an operator's, a site's or a serial number's, so all {len(aliases):,} are replaced "
        "by numbered ones"
        for column, aliases in names.aliases.items()
    ]


def _chosen(images: pa.Table, only: frozenset[str] | None, left: Counter[str]) -> pa.Table:
    if only is None:
        return images
    unknown = only - set(images["image_id"].to_pylist())
    if unknown:
        left["asked for, but not there"] = len(unknown)
    return images.filter(pc.is_in(images["image_id"], pa.array(sorted(only), pa.string())))


def _fitting(images: pa.Table, where: str | None, left: Counter[str]) -> pa.Table:
    if where is None:
        return images
    fits = expression.select(images, where)
    left["the condition does not hold"] = pc.sum(pc.invert(fits)).as_py() or 0
    left["whether the condition holds is unknown"] = fits.null_count
    return images.filter(pc.fill_null(fits, False))


def _split(project: Project, request: Request) -> str | None:
    """The table of parts, or None where there is none and none is asked for."""
    name = f"splits/{request.split or manifest.DEFAULT_SPLIT}"
    if not request.parts or (request.split is None and not manifest.exists(project, name)):
        return None
    manifest.provenance(project, name)  # raises where it does not stand
    return name


def _placed(
    project: Project, images: pa.Table, name: str | None, left: Counter[str]
) -> tuple[pa.Table, dict[str, str], dict[str, str]]:
    """The images that have a part, and by image_id part and group."""
    if name is None:
        return images, {}, {}
    table = manifest.read(project, name, ["image_id", "part", "group"], only=images["image_id"])
    known = pc.is_in(images["image_id"], table["image_id"].combine_chunks())
    left[f"not in {name}, which is older"] = pc.sum(pc.invert(known)).as_py() or 0
    held = table.filter(pc.is_valid(table["part"]))
    placed = pc.is_in(images["image_id"], held["image_id"].combine_chunks())
    left[f"in no part of {name}"] = pc.sum(pc.and_(known, pc.invert(placed))).as_py() or 0
    ids = held["image_id"].to_pylist()
    parts = dict(zip(ids, held["part"].to_pylist(), strict=True))
    return images.filter(placed), parts, dict(zip(ids, held["group"].to_pylist(), strict=True))


def _kept(project: Project, images: pa.Table, left: Counter[str]) -> pa.Table:
    """One image of each cluster: the kept one, or the first where that is not among `images`."""
    here = manifest.read(project, "duplicates", ["image_id", "cluster", "kept"], only=images["image_id"])
    first: dict[str, tuple[bool, str]] = {}
    for row in here.to_pylist():
        candidate = (not row["kept"], row["image_id"])
        first[row["cluster"]] = min(first.get(row["cluster"], candidate), candidate)
    chosen = pa.array([image for _, image in first.values()], pa.string())
    member = pc.is_in(images["image_id"], here["image_id"].combine_chunks())
    stays = pc.or_(pc.invert(member), pc.is_in(images["image_id"], chosen))
    left["copies of one that is exported"] = pc.sum(pc.invert(stays)).as_py() or 0
    return images.filter(stays)


def _items(
    project: Project, images: pa.Table, told: Columns, parts: Mapping[str, str], groups: Mapping[str, str]
) -> list[Item]:
    boxes = _boxes(project, images)
    rows = images.select([*dict.fromkeys([*told.names, *_OF_ITEM])]).to_pylist()
    return [
        Item(
            scan=scan,
            told=told.told(row),
            part=parts.get(row["image_id"]),
            group=groups.get(row["image_id"]),
            boxes=tuple(boxes.get(row["image_id"], ())),
            size=(row["width"], row["height"]),
            sha256=row["sha256"],
            label_source=row["label_source"],
            extra=row["extra"],
        )
        for scan, row in zip(scans.located(project, images), rows, strict=True)
    ]


def _boxes(project: Project, images: pa.Table) -> dict[str, list[Drawn]]:
    found: dict[str, list[Drawn]] = defaultdict(list)
    columns = ["image_id", "label", "x", "y", "width", "height"]
    table = manifest.read(project, "detections", columns, only=images["image_id"])
    for row in manifest.ordered(table, columns).to_pylist():
        found[row.pop("image_id")].append(Drawn(**row))
    return found


def _in_order(parts: set[str]) -> tuple[str, ...]:
    """train, val, test, then others by name, numbers as numbers."""
    return tuple(sorted(parts, key=lambda p: (_USUAL.index(p) if p in _USUAL else len(_USUAL), len(p), p)))
