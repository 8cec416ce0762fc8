"""Measurements and descriptions to the rows of `images`, `rejects` and `sources`; the accounts must balance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from xqdata import schema
from xqdata.ingest.describe import DESCRIBED, Describer
from xqdata.ingest.walk import Refused
from xqdata.readers import BadRow, Box
from xqdata.taxonomy import Taxonomy

# Pixels by which a box may leave its picture: annotators' programs round, and count edges from 0 or from 1.
_SLACK = 2.0


def image_id(root: str, path: str, page: int) -> str:
    """The identity of one page of one file: 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(f"{root}\0{path}\0{page}".encode())


def images(root: str, measured: pa.Table, describer: Describer) -> pa.Table:
    """Rows of `images` for the measurements of kind image, in their order."""
    found = measured.filter(pc.equal(measured["kind"], "image"))
    paths = found["path"].to_pylist()
    inside = zip(paths, found["format"].to_pylist(), found["tags"].to_pylist(), strict=True)
    described = [describer.row(path, format, tags) for path, format, tags in inside]
    made: dict[str, pa.Array | pa.ChunkedArray] = {
        "image_id": pa.array(
            [image_id(root, path, page) for path, page in zip(paths, found["page"].to_pylist(), strict=True)]
        ),
        "root": pa.array([root] * len(paths), schema.STRING),
        "missing": pa.array([False] * len(paths)),
        "moved_from": pa.nulls(len(paths), schema.STRING),
        "mtime": found["mtime_ns"].cast(pa.timestamp("ns")),
    }
    for column in schema.IMAGES.columns:
        if column.name in DESCRIBED or column.name == "extra":
            values = pa.array([row.get(column.name) for row in described], column.type)
            made[column.name] = pc.coalesce(values, found["polarity"]) if column.name == "polarity" else values
        elif column.name not in made:
            made[column.name] = found[column.name]
    _turn_polarity(made, found["polarity"])
    return pa.table([made[name] for name in schema.IMAGES.names], schema=schema.IMAGES.arrow)


def _turn_polarity(columns: dict[str, pa.Array | pa.ChunkedArray], measured: pa.ChunkedArray) -> None:
    """Where somebody says the other polarity than was measured, what was taken for air is what is opaque."""
    turned = pc.fill_null(pc.not_equal(columns["polarity"], measured), False)
    air, opaque = columns["air_fraction"], columns["opaque_fraction"]
    columns["air_fraction"] = pc.if_else(turned, opaque, air)
    columns["opaque_fraction"] = pc.if_else(turned, air, opaque)
    boxes = columns["content_box"].to_pylist()
    kept = [None if other else box for other, box in zip(turned.to_pylist(), boxes, strict=True)]
    columns["content_box"] = pa.array(kept, schema.BOX)


def rejects(root: str, measured: pa.Table, refused: Iterable[Refused], bad_rows: Iterable[BadRow]) -> pa.Table:
    """Rows of `rejects`: what could not be measured, what was never opened, and rows that a reader could not use."""
    failed = measured.filter(pc.equal(measured["kind"], "reject"))
    rows = failed.select(["path", "item", "reason", "message", "bytes", "sha256"]).to_pylist()
    rows += [{"path": r.path, "reason": r.reason, "message": r.message, "bytes": r.bytes} for r in refused]
    return pa.concat_tables([schema.from_rows("rejects", [{"root": root, **row} for row in rows]), bad(root, bad_rows)])


def bad(root: str | None, bad_rows: Iterable[BadRow]) -> pa.Table:
    """Rows of `rejects` for rows that a reader could not use; `root` is null for files outside the raw folders."""
    reason = "bad_annotation"
    rows = [{"root": root, "path": b.path, "item": b.item, "reason": reason, "message": b.message} for b in bad_rows]
    return schema.from_rows("rejects", rows)


def sources(root: str, measured: pa.Table, roles: dict[str, str]) -> pa.Table:
    """Rows of `sources` below one root."""
    read = measured.filter(pc.equal(measured["kind"], "source"))
    pairs = zip(read["path"].to_pylist(), read["sha256"].to_pylist(), strict=True)
    return schema.from_rows(
        "sources", [{"root": root, "path": path, "role": roles[path], "sha256": sha} for path, sha in pairs]
    )


def detections(
    images: pa.Table, boxes: Iterable[tuple[str, Sequence[Box]]], taxonomy: Taxonomy
) -> tuple[pa.Table, list[BadRow]]:
    """Rows of `detections` in pixels, and the boxes that do not lie in their picture. `boxes`: by path."""
    columns = [images[c].to_pylist() for c in ("path", "page", "image_id", "width", "height")]
    pictures = {path: rest for path, page, *rest in zip(*columns, strict=True) if page == 0}
    rows: dict[tuple[object, ...], None] = {}  # several annotations may draw one box
    unfit: list[BadRow] = []
    for path, drawn in boxes:
        if path not in pictures:
            continue  # the picture itself is among the rejects
        image, width, height = pictures[path]
        for box in drawn:
            across, down = (width, height) if box.share else (1, 1)
            x, y, w, h = box.x * across, box.y * down, box.width * across, box.height * down
            if min(x, y) < -_SLACK or x + w > width + _SLACK or y + h > height + _SLACK:
                told = f"the box {x:.0f}, {y:.0f}, {w:.0f} x {h:.0f} leaves the picture of {width} x {height}"
                unfit.append(BadRow(box.source, box.item, told))
                continue
            label = taxonomy.find_object(box.label) or box.label
            rows[image, label, x, y, w, h] = None
    names = schema.DETECTIONS.names
    return schema.from_rows("detections", [dict(zip(names, row, strict=True)) for row in rows]), unfit


def check_accounts(found: int, images: pa.Table, rejects: pa.Table, sources: pa.Table) -> None:
    """Every file found is in exactly one of images (not missing), rejects (item null) and sources.

    Raises RuntimeError if not: that is a bug of ours, and the tables must not be written.
    """
    seen = images.filter(pc.invert(images["missing"]))
    parts = (seen, rejects.filter(pc.is_null(rejects["item"])), sources)
    names = [set(zip(p["root"].to_pylist(), p["path"].to_pylist(), strict=True)) for p in parts]
    together = set().union(*names)
    if len(together) != sum(map(len, names)) or len(together) != found:
        raise RuntimeError(
            f"accounts do not balance: {found} found, {[len(n) for n in names]} in images, rejects and sources"
        )
