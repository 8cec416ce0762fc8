"""`xqdata export`: images, labels and a split in; a folder that other tools read out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import xqdata
from xqdata import manifest
from xqdata.engine import map_shards
from xqdata.errors import InputError
from xqdata.exports.coco import Coco
from xqdata.exports.columns import names_private
from xqdata.exports.croissant import Croissant
from xqdata.exports.format import Export, Exported, Format
from xqdata.exports.huggingface import HuggingFace
from xqdata.exports.imagefolder import ImageFolder
from xqdata.exports.pictures import Failed, Order, Rules, Shard, Written, write
from xqdata.exports.request import Request
from xqdata.exports.selection import select
from xqdata.exports.staging import appearing, check_free
from xqdata.exports.table import Table
from xqdata.exports.webdataset import WebDataset
from xqdata.exports.yolo import Yolo
from xqdata.manifest import Project
from xqdata.splits import expression
from xqdata.taxonomy import Taxonomy
from xqdata.words import several

FORMATS: Mapping[str, Format] = {
    made.name: made for made in (ImageFolder(), HuggingFace(), Coco(), Yolo(), Table(), WebDataset(), Croissant())
}
# Says of a folder that it is an export, and what it was made from.
MARK = "export.json"
_SHARD = 32
_FEW = 500


@dataclass(frozen=True)
class Result:
    """What was exported.

    `usage`: how it is loaded. `parts`: images by part; `ways`: pictures by what was done with them. `unnamed`: images
    without an object; `mixed`: with several. `left_out`: images that are not in it, by reason.
    """

    format: str
    folder: Path
    usage: str
    split: str | None
    images: int
    parts: Mapping[str, int]
    ways: Mapping[str, int]
    unnamed: int
    mixed: int
    boxes: int
    linked: int
    bytes: int
    left_out: Mapping[str, int]
    notes: Sequence[str]


def export(project: Project, taxonomy: Taxonomy, request: Request, tasks: Format | None = None) -> Result:
    """Write the images that `request` asks for to a new folder, in its format, or as `tasks` for an annotation tool.

    The folder appears when all is written. Raises InputError where it cannot be made, where no image is left, and for
    files that are gone or changed since ingest: an export never silently lacks what it was asked for.
    """
    target = request.folder.absolute() if request.folder.is_symlink() else request.folder.resolve()
    _check_place(project, target)
    check_free(target, MARK, request.replace)
    made = tasks or FORMATS[request.format]
    selection = select(project, taxonomy, request)
    places = made.places(selection)
    if not selection.items:
        told = ", ".join(f"{number:,} {reason}" for reason, number in selection.left_out.items() if number)
        raise InputError(f"{made.name} has a place for none of the images ({told})", where=str(request.folder))
    rules = Rules(made.kinds, made.deep if request.bits is None else request.bits > 8, request.private, request.link)
    orders = [Order(item.scan, place, item.sha256) for item, place in zip(selection.items, places, strict=True)]
    with appearing(target) as folder:
        written = _write(folder, orders, rules, request)
        images = [Exported(item, written[item.image_id]) for item in selection.items]
        exported = Export(folder, selection, made.usage, images)
        made.finish(exported)
        exported.save(MARK, _mark(request, exported))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return _result(request, exported, size)


def _check_place(project: Project, target: Path) -> None:
    """Raise InputError where the export would lie among what it is made from."""
    place = target.resolve()
    roots = manifest.provenance(project, "images").roots
    for name, location in [*roots.items(), ("", str(project.manifests)), ("", str(project.state))]:
        if place.is_relative_to(location):
            what = f"the raw folder {name}, which the next ingest would read it from" if name else location
            raise InputError(f"lies in {what}", where=str(target), hint="name a folder elsewhere")


def _write(folder: Path, orders: Sequence[Order], rules: Rules, request: Request) -> dict[str, Written]:
    """Write all pictures; by image_id what was written. Raises InputError for pictures that cannot be."""
    found: dict[str, Written] = {}
    failed: list[Failed] = []
    shards = (Shard(folder, piece, rules) for piece in _pieces(orders))
    request.progress("exporting", 0, len(orders))
    ends = (orders[0].scan.file, orders[-1].scan.file)
    sees = [folder, *(file for file in ends if isinstance(file, Path))]
    with closing(map_shards(write, shards, workers=_workers(orders, request), sees=sees)) as finished:
        for _, done in finished:
            found |= {one.image_id: one for one in done if isinstance(one, Written)}
            failed += [one for one in done if isinstance(one, Failed)]
            request.progress("exporting", len(found) + len(failed), len(orders))
    if failed:
        first = min(failed, key=lambda f: str(f.file))
        more = f" (and {len(failed) - 1:,} more)" if len(failed) > 1 else ""
        hint = "nothing was written; run xqdata ingest again, or leave them out with --where"
        raise InputError(f"{first.why}{more}", where=str(first.file), hint=hint)
    return found


def _workers(orders: Sequence[Order], request: Request) -> int | None:
    # Starting workers takes longer than copying so few.
    return 1 if request.workers is None and len(orders) <= _FEW else request.workers


def _pieces(orders: Sequence[Order]) -> Iterator[list[Order]]:
    """The orders in pieces for workers: an archive is written by one of them."""
    for archive, group in groupby(sorted(orders, key=lambda o: o.place.archive), key=lambda o: o.place.archive):
        waiting = iter(group)
        while piece := list(waiting if archive else islice(waiting, _SHARD)):
            yield piece


def _mark(request: Request, made: Export) -> str:
    """What the export is and was made from: the same input gives the same text."""
    where = request.where
    if where is not None and not request.private and names_private(expression.columns_of(where)):
        where = "names columns that stay inside"
    told: dict[str, Any] = {
        "xqdata": xqdata.__version__,
        "format": request.format,
        "split": made.selection.split,
        "where": where,
        "kept_only": request.kept_only,
        "private": request.private,
        "bits": request.bits,
        "images": len(made.images),
        "pictures": dict(sorted(Counter(image.written.way for image in made.images).items())),
        "left_out": dict(sorted(made.selection.left_out.items())),
        "made_from": dict(made.selection.inputs),
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _result(request: Request, done: Export, size: int) -> Result:
    items = [image.item for image in done.images]
    left = {reason: number for reason, number in done.selection.left_out.items() if number}
    linked = sum(image.written.linked for image in done.images)
    notes = [*done.selection.notes, *done.notes]
    if request.link and linked < len(items):
        why = "changed, or on another disk or at an address"
        notes.append(f"{several(len(items) - linked, 'picture is no link', 'pictures are no links')}: {why}")
    return Result(
        format=request.format,
        folder=request.folder,
        usage=done.usage.format(folder=request.folder, part=next(iter(done.selection.parts), "")),
        split=done.selection.split,
        images=len(items),
        parts={part: len(done.of(part)) for part in done.selection.parts},
        ways=dict(Counter(image.written.way for image in done.images)),
        unnamed=sum(not item.objects for item in items),
        mixed=sum(len(item.objects) > 1 for item in items),
        boxes=done.boxes,
        linked=linked,
        bytes=size,
        left_out=left,
        notes=notes,
    )
