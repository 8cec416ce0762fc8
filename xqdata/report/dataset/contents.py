"""What the dataset is: counts, objects by scan type with pictures, when and on what it was scanned, specimens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xqdata.report.dataset import drawn
from xqdata.report.dataset.material import UNKNOWN, Material, spelled
from xqdata.report.dataset.shots import Shots

# Rows and columns of the heat map, its pictures, and their longer side in pixels.
_OBJECTS, _SCAN_TYPES, _PICTURES, _SIDE = 120, 40, 420, 112
_SESSIONS = 60
# Fewer specimens of a class than parts, and some part has none of it.
_PARTS = 3


def contents(material: Material, shots: Shots) -> dict[str, Any]:
    """The values of the template's first section."""
    frame = material.frame
    return {
        "facts": _facts(material),
        "heat": _heat(material, shots),
        "timeline": _timeline(frame),
        "scanners": _scanners(frame),
        "files": _files(frame),
        "sessions": _sessions(material),
        "specimens": _specimens(material),
        "licences": _counted(frame["licence"]),
    }


def _facts(material: Material) -> list[tuple[str, str]]:
    frame = material.frame
    objects = {name for held in frame["objects"].dropna() for name in held}
    specimens = {name for held in frame["specimens"].dropna() for name in held}
    copies = len(material.superfluous.intersection(frame["image_id"]))
    told = [
        (len(objects), "object"),
        (frame["scan_type"].nunique(), "scan type"),
        (len(specimens), "specimen"),
        (frame["session"].nunique(), "session"),
        (frame["scanner_serial"].nunique(), "machine"),
    ]
    facts = [(f"{len(frame):,}", "image" if len(frame) == 1 else "images")]
    facts += [(f"{len(frame) - copies:,}", "without superfluous copies")] if copies else []
    facts += [(f"{count:,}", word if count == 1 else f"{word}s") for count, word in told if count]
    return [*facts, (_bytes(int(frame["bytes"].sum())), "in files")]


def _bytes(size: int) -> str:
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if (value := size / 10**power) >= 1:
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:,.1f} {unit}"
    return f"{size:,} bytes"


# --- objects by scan types


def _heat(material: Material, shots: Shots) -> dict[str, Any] | None:
    long = _cells(material)
    if long.empty:
        return None
    objects = _ordered(long["object"], material.taxonomy.objects)
    kinds = _ordered(long["scan_type"], material.taxonomy.scan_types)
    cells = long.groupby(["object", "scan_type"], sort=False)
    held = {(str(a), str(b)): group for (a, b), group in cells}
    most = max(len(group) for group in held.values())
    shown = sorted(held, key=lambda key: -len(held[key]))[:_PICTURES]
    rows = []
    for name in objects[:_OBJECTS]:
        line = []
        for kind in kinds[:_SCAN_TYPES]:
            group = held.get((name, kind))
            picture = shots.picture(_typical(group), _SIDE) if group is not None and (name, kind) in shown else None
            count = 0 if group is None else len(group)
            line.append({"count": f"{count:,}" if count else "", "shade": f"{count / most:.3f}", "picture": picture})
        total = int((long["object"] == name).sum())
        rows.append({**_named(material, name), "total": f"{total:,}", "cells": line})
    totals = long.drop_duplicates(["image_id", "scan_type"])["scan_type"].value_counts()
    return {
        "rows": rows,
        "kinds": [
            {"name": material.scan_type_name(kind), "total": f"{totals[kind]:,}"} for kind in kinds[:_SCAN_TYPES]
        ],
        "more_objects": len(objects) - len(rows),
        "more_kinds": max(0, len(kinds) - _SCAN_TYPES),
        "several": int((material.frame["objects"].dropna().map(len) > 1).sum()),
    }


def _cells(material: Material) -> pd.DataFrame:
    """One row for each object of each image; images without one count once, as unknown."""
    frame = material.frame[["image_id", "objects", "scan_type", "air_fraction", "std"]]
    long = frame.explode("objects").rename(columns={"objects": "object"})
    return long.assign(object=long["object"].fillna(UNKNOWN), scan_type=long["scan_type"].fillna(UNKNOWN))


def _typical(group: pd.DataFrame) -> str:
    """The image with as much air as half of its cell has: neither the emptiest nor the fullest."""
    ordered = group.sort_values(["air_fraction", "image_id"], na_position="first")
    return str(ordered["image_id"].iloc[len(ordered) // 2])


def _ordered(values: pd.Series[Any], known: Mapping[str, object]) -> list[str]:
    """Names in the taxonomy's order, then others, the commonest first, then unknown."""
    counts = values.value_counts()
    place = {name: n for n, name in enumerate(known)}
    return sorted(
        (str(name) for name in counts.index),
        key=lambda name: (name == UNKNOWN, place.get(name, len(place)), -counts[name], name),
    )


def _named(material: Material, name: str) -> dict[str, str]:
    term = material.taxonomy.objects.get(name)
    return {"name": material.object_name(name), "also": term.korean if term else ""}


# --- when


def _timeline(frame: pd.DataFrame) -> dict[str, Any] | None:
    dated = frame["acquired_at"].dropna()
    if dated.empty:
        return None
    unit, word = _unit(dated)
    starts = dated.dt.to_period(unit).dt.start_time
    counts = starts.value_counts().sort_index()
    ends = counts.index.to_period(unit).end_time
    drawing = drawn.timeline(counts.index.to_numpy(), ends.to_numpy(), counts.to_numpy())
    return {
        "drawing": drawing,
        "bar": word,
        "first": f"{dated.min():%Y-%m-%d}",
        "last": f"{dated.max():%Y-%m-%d}",
        "days": f"{dated.dt.normalize().nunique():,}",
        "undated": f"{len(frame) - len(dated):,}" if len(dated) < len(frame) else "",
    }


def _unit(dated: pd.Series[Any]) -> tuple[str, str]:
    days = (dated.max() - dated.min()).days
    for most, unit, word in ((120, "D", "day"), (900, "W", "week"), (7300, "M", "month")):
        if days <= most:
            return unit, word
    return "Y", "year"


# --- on what


def _scanners(frame: pd.DataFrame) -> list[dict[str, str]]:
    groups = frame.groupby(["scanner_make", "scanner_model"], dropna=False, sort=False)
    rows = []
    for (make, model), group in sorted(groups, key=lambda pair: -len(pair[1])):
        names = [str(name) for name in (make, model) if isinstance(name, str)]
        rows.append({
            "name": " ".join(names) or UNKNOWN,
            "images": f"{len(group):,}",
            "machines": f"{group['scanner_serial'].nunique():,}" if group["scanner_serial"].notna().any() else "–",
            "kvp": _range(group["kvp"], "kV"),
            "ma": _range(group["ma"], "mA"),
            "views": ", ".join(sorted(group["view"].dropna().unique())) or "–",
            "dates": _dates(group["acquired_at"]),
        })  # fmt: skip
    return rows


def _range(values: pd.Series[Any], unit: str) -> str:
    held = values.dropna()
    if held.empty:
        return "–"
    low, high = f"{held.min():g}", f"{held.max():g}"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _dates(values: pd.Series[Any]) -> str:
    held = values.dropna()
    if held.empty:
        return "–"
    first, last = f"{held.min():%Y-%m-%d}", f"{held.max():%Y-%m-%d}"
    return first if first == last else f"{first} to {last}"


def _files(frame: pd.DataFrame) -> list[dict[str, str]]:
    groups = frame.groupby(["format", "bit_depth", "mode"], sort=False)
    return [
        {
            "name": f"{format_}, {depth} bits, {mode}",
            "images": f"{len(group):,}",
            "width": _range(group["width"], "px"),
            "height": _range(group["height"], "px"),
            "size": _bytes(int(group["bytes"].median())),
        }
        for (format_, depth, mode), group in sorted(groups, key=lambda pair: -len(pair[1]))
    ]


def _counted(values: pd.Series[Any]) -> list[tuple[str, str]]:
    counts = values.dropna().value_counts()
    return [(str(name), f"{count:,}") for name, count in counts.items()]


# --- what belongs together


def _sessions(material: Material) -> dict[str, Any] | None:
    frame = material.frame
    groups = {str(name): group for name, group in frame.groupby("session")}
    if not groups:
        return None
    sizes = pd.Series({name: len(group) for name, group in groups.items()})
    largest = sizes.sort_values(ascending=False, kind="stable").index[:_SESSIONS]
    rows = [_session(material.discreet(name), groups[name]) for name in sorted(largest)]
    return {
        "count": f"{len(sizes):,}",
        "median": f"{sizes.median():,.0f}",
        "largest": f"{sizes.max():,}",
        "unknown": f"{int(frame['session'].isna().sum()):,}",
        "rows": rows,
        "more": len(sizes) - len(rows),
    }


def _session(name: str, group: pd.DataFrame) -> dict[str, str]:
    objects = {one for held in group["objects"].dropna() for one in held}
    return {
        "name": name,
        "dates": _dates(group["acquired_at"]),
        "images": f"{len(group):,}",
        "objects": f"{len(objects):,}",
        "kinds": f"{group['scan_type'].nunique():,}",
    }


def _specimens(material: Material) -> dict[str, Any] | None:
    """Physical objects of each class, by the images that show one class alone: which is whose is known there."""
    frame = material.frame[["image_id", "object", "specimens"]].dropna(subset=["object"])
    if frame.empty or not material.frame["specimens"].notna().any():
        return None
    long = frame.explode("specimens").dropna(subset=["specimens"])
    by_object = {str(name): group["specimens"].value_counts() for name, group in long.groupby("object")}
    images = frame["object"].value_counts()
    most = max((len(counts) for counts in by_object.values()), default=1)
    rows = list(_specimen_rows(material, by_object, images, most))
    return {"rows": rows, "few": [row["name"] for row in rows if row["few"]], "parts": _PARTS}


def _specimen_rows(
    material: Material, by_object: Mapping[str, pd.Series[int]], images: pd.Series[int], most: int
) -> Iterator[dict[str, Any]]:
    for name in _ordered(pd.Series(images.index), material.taxonomy.objects):
        counts: Sequence[int] = by_object[name].tolist() if name in by_object else []
        yield {
            **_named(material, name),
            "images": f"{images[name]:,}",
            "count": f"{len(counts):,}" if counts else UNKNOWN,
            "share": 100 * len(counts) / most,
            "median": f"{np.median(counts):,.0f}" if counts else "–",
            "largest": f"{max(counts):,}" if counts else "–",
            "few": 0 < len(counts) < _PARTS,
        }


def described(name: str) -> str:
    """A column of `images` as people call it."""
    return {"acquired_at": "time", "scanner_model": "scanner model", "kvp": "tube voltage"}.get(name, spelled(name))
