"""How healthy the dataset is: what could not be read, what is odd, unknown, there twice, or said in two ways."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import labels
from xqdata.dedup.cluster import contradict
from xqdata.report.dataset import drawn
from xqdata.report.dataset.contents import described
from xqdata.report.dataset.material import Material
from xqdata.report.dataset.shots import Shots
from xqdata.schema import COPY_KINDS, TIE_KINDS

# Below .xqdata/: what `xqdata label suspects` found last.
_SUSPECTS = "suspects.json"
_EXAMPLES = 3  # of each reason, and of pairs
_ODD = 8
_EVENTS = 12
_REASONS = {
    "ignored": "the settings say to leave it out",
    "empty": "no byte in it",
    "truncated": "ends before the picture does",
    "not_an_image": "is something else, whatever its name says",
    "unsupported": "an encoding that is not read",
    "too_large": "larger than the settings allow",
    "unreadable": "could not be opened or decoded",
    "outside_root": "a link that leads out of the raw folder",
    "vanished": "gone while it was being read",
    "bad_annotation": "a row of annotations that cannot be used",
}
_KINDS = {
    "bytes": "the same file twice",
    "pixels": "the same pixels in another file",
    "re-encoded": "the same picture, compressed with loss",
    "transformed": "the same picture resized, turned, mirrored or trimmed",
    "rescan": "one bag through the tunnel again, not unpacked",
    "same-bag": "the same things, moved about",
    "same-scan": "files of one pass",
    "crop": "windows of one scan",
}
_COLUMNS = ("object", "scan_type", "specimens", "session", "acquired_at", "scanner_model", "kvp", "licence")
_MEASURES = (
    ("mean", "brightness", "mean of the grey values"),
    ("std", "contrast", "standard deviation of the grey values"),
    ("air_fraction", "air", "share of the picture that shows nothing but air"),
    ("sharpness", "sharpness", "variance of the Laplacian over the variance"),
)
# Tukey's outer fences: so many interquartile ranges beyond the quartiles.
_FENCE = 3.0
_ENOUGH = 12


def health(material: Material, shots: Shots) -> dict[str, Any]:
    """The values of the template's second section."""
    return {
        "rejects": _rejects(material),
        "missing": f"{_missing(material):,}",
        "rejected": f"{_by_people(material):,}",
        "odd": _odd(material, shots),
        "unknown": _unknown(material),
        "duplicates": _duplicates(material, shots),
        "unread": [name for name in ("links", "duplicates") if (state := material.state(name)) and state.damage],
        "log": _log(material),
        "contradictions": _contradictions(material, shots),
        "suspects": _suspects(material, shots),
    }


def _missing(material: Material) -> int:
    return pc.sum(material.ingested["missing"]).as_py() or 0


def _by_people(material: Material) -> int:
    """Images that are there and that the label log rejects."""
    return int(material.ingested.num_rows - _missing(material) - material.images.num_rows)


def _rejects(material: Material) -> list[dict[str, Any]] | None:
    table = material.table("rejects", ["reason", "path", "item", "message"])
    if table is None:
        return None
    rows = table.to_pylist()
    counts = Counter(row["reason"] for row in rows)
    return [
        {
            "reason": reason.replace("_", " "),
            "meaning": _REASONS.get(reason, ""),
            "count": f"{count:,}",
            "soft": reason == "ignored",
            "examples": [
                {"path": row["path"] + (f", {row['item']}" if row["item"] else ""), "message": row["message"]}
                for row in rows
                if row["reason"] == reason
            ][:_EXAMPLES],
        }
        for reason, count in counts.most_common()
    ]


# --- quality


def _odd(material: Material, shots: Shots) -> dict[str, Any] | None:
    """What lies far from the other pictures of its scan type."""
    frame = material.frame
    kinds = frame["scan_type"].fillna("")
    rows = []
    away: dict[int, list[tuple[float, str]]] = {}
    for column, word, meaning in _MEASURES:
        values = frame[column].to_numpy(np.float64, na_value=np.nan)
        far = _far(values, kinds.to_numpy())
        outside = np.flatnonzero(far)
        for place in outside.tolist():
            side = "much" if far[place] > 0 else "little"
            away.setdefault(place, []).append((abs(float(far[place])), f"{side} {word} ({values[place]:.3g})"))
        held = np.isfinite(values)
        if held.any():
            drawing = drawn.histogram(values[held], far[held] != 0, column)
            rows.append({"word": word, "meaning": meaning, "count": f"{len(outside):,}", "any": bool(len(outside)),
                         "drawing": drawing})  # fmt: skip
    if not rows:
        return None
    ids = frame["image_id"].tolist()
    worst = sorted(away, key=lambda place: (-max(away[place])[0], ids[place]))[:_ODD]
    shown = [shots.figure(ids[n], note=", ".join(text for _, text in sorted(away[n], reverse=True))) for n in worst]
    blank = int(frame["sharpness"].isna().sum())
    return {"rows": rows, "count": len(away), "shown": shown, "blank": f"{blank:,}" if blank else ""}


def _far(values: NDArray[np.float64], kinds: NDArray[Any]) -> NDArray[np.float64]:
    """How far each value lies beyond the outer fences of its kind (Tukey, Exploratory Data Analysis, 1977), in
    interquartile ranges: above 0 over the upper one, below 0 under the lower one, 0 between them. Kinds of few pictures
    have no fences.
    """
    far = np.zeros(len(values))
    for kind in set(kinds.tolist()):
        mine = np.flatnonzero((kinds == kind) & np.isfinite(values))
        if len(mine) < _ENOUGH:
            continue
        low, high = np.percentile(values[mine], [25, 75])
        unit = (high - low) or np.spacing(high)
        over, under = values[mine] - high, values[mine] - low
        far[mine] = np.where(over > _FENCE * unit, over / unit, np.where(under < -_FENCE * unit, under / unit, 0))
    return far


def _unknown(material: Material) -> list[dict[str, Any]]:
    frame, total = material.frame, max(1, len(material.frame))
    rows = []
    for column in _COLUMNS:
        count = int(frame["objects" if column == "object" else column].isna().sum())
        rows.append({"name": described(column), "count": f"{count:,}", "share": 100 * count / total,
                     "percent": f"{count / total:.0%}" if count in (0, total) else f"{100 * count / total:.1f}%",
                     "any": count > 0})  # fmt: skip
    names = {name for held in frame["objects"].dropna() for name in held}
    strange = sorted(name for name in names if name not in material.taxonomy.objects)
    kinds = sorted(name for name in frame["scan_type"].dropna().unique() if name not in material.taxonomy.scan_types)
    for word, found in (("objects that the taxonomy does not know", strange), ("scan types that it does not", kinds)):
        if found:
            more = f" and {len(found) - 8} more" if len(found) > 8 else ""
            rows.append({"name": word, "count": f"{len(found):,}", "share": 0, "any": True, "percent": "",
                         "names": ", ".join(found[:8]) + more})  # fmt: skip
    return rows


# --- what is there twice


def _duplicates(material: Material, shots: Shots) -> dict[str, Any] | None:
    links = material.table("links", ["image_a", "image_b", "kind"])
    members = material.table("duplicates", ["cluster"])
    if links is None or members is None:
        return None
    rows = links.to_pylist()
    counts = Counter(row["kind"] for row in rows)
    kinds = [
        {
            "kind": kind,
            "meaning": _KINDS[kind],
            "is_copy": kind in COPY_KINDS,
            "count": f"{counts[kind]:,}",
            "pair": _example(shots, [row for row in rows if row["kind"] == kind]),
        }
        for kind in (*COPY_KINDS, *TIE_KINDS)
        if counts[kind]
    ]
    undecided = material.table("undecided", ["image_a", "image_b"])
    return {
        "kinds": kinds,
        "clusters": f"{len(set(members['cluster'].to_pylist())):,}",
        "superfluous": f"{len(material.superfluous):,}",
        "any": bool(material.superfluous),
        "undecided": 0 if undecided is None else undecided.num_rows,
        "unsure": _example(shots, [] if undecided is None else undecided.to_pylist()),
    }


def _example(shots: Shots, pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One pair of these, the first whose pictures are both at hand."""
    for pair in pairs[:_EXAMPLES]:
        if shots.at_hand(pair["image_a"]) and shots.at_hand(pair["image_b"]):
            return [shots.figure(pair[end]) for end in ("image_a", "image_b")]
    return [shots.figure(pair[end]) for pair in pairs[:1] for end in ("image_a", "image_b")]


def _contradictions(material: Material, shots: Shots) -> dict[str, Any]:
    """Clusters of copies whose labels contradict, and verdicts that did not fit what they replaced."""
    members = material.table("duplicates", ["image_id", "cluster"])
    clusters: dict[str, list[str]] = {}
    for row in [] if members is None else members.to_pylist():
        clusters.setdefault(row["cluster"], []).append(row["image_id"])
    against = [held for held in clusters.values() if contradict(_objects(material, held))]
    shown = [[shots.figure(image) for image in held[:_EXAMPLES]] for held in against[:_EXAMPLES]]
    there = material.ingested.filter(pc.invert(material.ingested["missing"]))
    conflicts = labels.conflicts(there, material.log, material.taxonomy) if material.log.num_rows else []
    return {
        "copies": len(against),
        "shown": shown,
        "known": members is not None,
        "verdicts": [
            {
                "label": material.label(one.image_id),
                "path": str(material.rows.get(one.image_id, {}).get("path", one.image_id)),
                "field": one.field.replace("_", " "),
                "seen": "another file" if one.reason == "file" else str(one.seen),
                "replaced": "this one" if one.reason == "file" else str(one.replaced),
            }
            for one in conflicts[:_EVENTS]
        ],
        "verdicts_total": len(conflicts),
    }


def _suspects(material: Material, shots: Shots) -> dict[str, Any] | None:
    """The labels that are probably wrong, as the last search for them left its list; None where there is none."""
    try:
        told = json.loads((material.project.state / _SUSPECTS).read_text(encoding="utf-8"))
        changed = sorted(name for name, digest in told["inputs"].items() if _digest(material, name) != digest)
        rows = told["suspects"]
        shown = [_suspect(material, shots, row) for row in rows[:_ODD]]
        return {"count": len(rows), "source": str(told["source"]), "shown": shown, "changed": changed,
                "made_at": str(told["made_at"])[:10]}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none, or of another version
        return None


def _suspect(material: Material, shots: Shots, row: Mapping[str, Any]) -> dict[str, Any]:
    suggested = material.object_name(str(row["suggested"]))
    note = f"{float(row['wrong']):.0%} wrong" + (f", rather {suggested}" if row["suggested"] != row["object"] else "")
    return {**shots.figure(str(row["image_id"]), note=note), "reason": str(row["reason"])}


def _digest(material: Material, name: str) -> str:
    state = material.state(name)
    return state.digest if state else ""


def _objects(material: Material, images: Iterable[str]) -> list[list[str]]:
    held = (material.rows[image]["objects"] for image in images if image in material.rows)
    return [list(names) if isinstance(names, list) else [] for names in held]


def _log(material: Material) -> dict[str, Any] | None:
    if not material.log.num_rows:
        return None
    rows = material.log.to_pylist()
    fields = Counter(row["field"] for row in rows)
    return {
        "count": f"{len(rows):,}",
        "people": len({row["by"] for row in rows}),
        "first": f"{min(row['at'] for row in rows):%Y-%m-%d}",
        "last": f"{max(row['at'] for row in rows):%Y-%m-%d}",
        "fields": [(field.replace("_", " "), f"{count:,}") for field, count in fields.most_common()],
        "rows": [
            {
                "at": f"{row['at']:%Y-%m-%d %H:%M}",
                "path": str(material.rows.get(row["image_id"], {}).get("path", row["image_id"])),
                "field": row["field"].replace("_", " "),
                "after": row["after"] or "",
                "why": material.discreet(row["why"] or ""),
            }
            for row in rows[: -_EVENTS - 1 : -1]
        ],
    }
