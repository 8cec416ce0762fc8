"""The splits: what is in each part, what may not be torn, how good each is, and what the audit says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import manifest
from xqdata.audit.sides import sides
from xqdata.errors import TableError
from xqdata.report.dataset import drawn
from xqdata.report.dataset.material import UNKNOWN, Material
from xqdata.schema import SEVERITIES

# Splits that are told in full, and components that are drawn.
_SPLITS, _COMPONENTS = 16, 80
_FOLLOWS = "copy of "
_CHECKED = {"specimens": "specimens", "scan_id": "passes", "bag": "bags", "links": "verified pairs", "copies": "copies",
            "session": "sessions", "series": "series", "container_id": "containers"}  # fmt: skip
_MOODS = {"high": "bad", "medium": "warn", "info": "soft"}


def splits(material: Material) -> list[dict[str, Any]]:
    """The values of the template's third section, one for each split that can be read."""
    names = [state.name for state in material.states if state.name.startswith("splits/") and not state.damage]
    # What people use first: the split that commands take when none is named.
    names.sort(key=lambda name: (name != "splits/default", name))
    return [_split(material, name, number < _SPLITS) for number, name in enumerate(names)]


def _split(material: Material, table: str, in_full: bool) -> dict[str, Any]:
    told = manifest.provenance(material.project, table)
    options = told.options
    rows = _rows(material, table)
    held = rows[rows["part"].notna()]
    parts = _in_order(held["part"].unique())
    state = material.state(table)
    values: dict[str, Any] = {
        "name": table.removeprefix("splits/"),
        "id": "split-" + "".join(c if c.isalnum() else "-" for c in table.removeprefix("splits/")),
        "random": _asked(options, "method") == "random",
        "stale": list(state.stale) if state else [],
        "parts": [_part(held, name, number) for number, name in enumerate(parts)],
        "images": f"{len(held):,}",
        "audit": _audit(material, table, set(parts)),
        "in_full": in_full,
    }
    if not in_full:
        return values
    return values | {
        "methods": str(options.get("methods") or ""),
        "obstacles": [str(text) for text in options.get("obstacles") or ()],
        "components": _components(held, parts, table),
        "certificate": _certificate(options),
        "proof": _proof(options),
        "objects": _counts(material, held, parts),
        "left_out": f"{len(rows) - len(held):,}" if len(held) < len(rows) else "",
    }


def _asked(options: Mapping[str, Any], key: str) -> Any:
    request = options.get("request")
    return request.get(key) if isinstance(request, Mapping) else None


def _rows(material: Material, table: str) -> pd.DataFrame:
    columns = ["image_id", "part", "reason", "group"]
    rows: pd.DataFrame = manifest.read(material.project, table, columns).to_pandas()
    objects = material.frame[["image_id", "objects", "scan_type"]]
    return rows.merge(objects, on="image_id", how="left")


def _in_order(names: Iterable[str]) -> list[str]:
    """Parts as people list them: what is trained on first, what is tested last; folds by number."""
    usual = {"train": 0, "val": 1, "test": 3}
    return sorted(names, key=lambda name: (usual.get(name, 2), len(name) if name.isdigit() else 0, name))


def _part(held: pd.DataFrame, name: str, number: int) -> dict[str, Any]:
    mine = held[held["part"] == name]
    copies = _copies(mine)
    return {
        "name": name,
        "colour": drawn.part_colour(number),
        "images": f"{len(mine):,}",
        "share": 100 * len(mine) / max(1, len(held)),
        "percent": f"{len(mine) / max(1, len(held)):.0%}",
        "components": f"{mine['group'].nunique():,}" if mine["group"].notna().any() else "–",
        "copies": f"{copies:,}" if copies else "–",
        "objects": f"{len({one for objects in mine['objects'].dropna() for one in objects}):,}",
        "kinds": f"{mine['scan_type'].nunique():,}",
    }


def _copies(rows: pd.DataFrame) -> int:
    return int(rows["reason"].fillna("").str.startswith(_FOLLOWS).sum())


def _components(held: pd.DataFrame, parts: Sequence[str], table: str) -> dict[str, Any] | None:
    grouped = held.dropna(subset=["group"])
    if grouped.empty:
        return None
    place = {name: n for n, name in enumerate(parts)}
    sizes = grouped.groupby("group").agg(images=("image_id", "size"), part=("part", "first"))
    sizes = sizes.sort_values(["images", "part"], ascending=[False, True], kind="stable")
    shown = sizes.head(_COMPONENTS)
    return {
        "count": f"{len(sizes):,}",
        "single": f"{int((sizes['images'] == 1).sum()):,}",
        "largest": f"{sizes['images'].max():,}",
        "share": f"{sizes['images'].max() / len(grouped):.0%}",
        "median": f"{sizes['images'].median():,.0f}",
        "more": len(sizes) - len(shown),
        "drawing": drawn.components(shown["images"].tolist(), [place[name] for name in shown["part"]], table),
    }


def _certificate(options: Mapping[str, Any]) -> list[str]:
    """How good the split is, and what no split can beat, in sentences."""
    found = options.get("certificate")
    if not isinstance(found, Mapping) or found.get("bound") is None:
        return []
    away, bound = float(found["deviation"]), float(found["bound"])
    lines = [f"The counts of {found['rows']:,} values differ from exact proportion by {away:,.1f} images in total."]
    if found.get("proven"):
        lines.append("No other assignment of these components comes nearer: that is proven.")
    else:
        lines.append(f"None can come nearer than {bound:,.1f} images, so at most {away - bound:,.1f} are lost.")
    if found.get("missing"):
        least = found.get("least_missing")
        best = f", where any split has at least {least:,}" if least is not None else ""
        lines.append(f"{found['missing']:,} pairs of a class and a part have no image{best}.")
    return lines


def _proof(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was looked at again after the split was made, by a check that knows nothing of how it was made."""
    proof = options.get("proof")
    if not isinstance(proof, Mapping):
        return []
    torn = proof.get("torn") or {}
    return [
        {"word": _CHECKED.get(source, source), "checked": f"{count:,}", "torn": f"{torn.get(source, 0):,}",
         "any": bool(torn.get(source, 0))}
        for source, count in (proof.get("checked") or {}).items()
    ]  # fmt: skip


def _counts(material: Material, held: pd.DataFrame, parts: Sequence[str]) -> list[dict[str, Any]]:
    """Images by object and part, copies that follow left out."""
    own = held[~held["reason"].fillna("").str.startswith(_FOLLOWS)]
    long = own[["part", "objects"]].explode("objects")
    long = long.assign(objects=long["objects"].fillna(UNKNOWN))
    table = pd.crosstab(long["objects"], long["part"]).reindex(columns=list(parts), fill_value=0)
    known = {name: n for n, name in enumerate(material.taxonomy.objects)}
    order = sorted(table.index, key=lambda name: (name == UNKNOWN, known.get(name, len(known)), name))
    return [
        {
            "name": material.object_name(str(name)),
            "counts": [{"count": f"{n:,}", "empty": not n} for n in table.loc[name].tolist()],
            "total": f"{int(table.loc[name].sum()):,}",
        }
        for name in order
    ]


# --- the audit


def _audit(material: Material, table: str, parts: set[str]) -> dict[str, Any]:
    """The verdict of the last audit. `state`: none, damaged, leaks, beside, untested, unsure or clean."""
    name = table.replace("splits/", "audits/", 1)
    state = material.state(name)
    if state is None or state.damage:
        return {"state": "damaged" if state else "none", "mood": "warn", "stale": [], "findings": []}
    told = manifest.provenance(material.project, name)
    intended = set(told.options.get("intended") or ())
    rows = manifest.read(material.project, name).to_pylist()
    rows.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["kind"] in intended, -row["images_test"]))
    high = {row["kind"] for row in rows if row["severity"] == "high"}
    tested = _tested(material, table, parts)
    leaking = len(_concerned(material, name, high) & tested) if high else 0
    # An audit of an older xqdata tells no reason.
    unseen = told.options.get("unseen") or ("" if "links" in told.inputs else "dedup has not run")
    untested = told.options.get("untested") or ""
    quiet = "untested" if untested else "unsure" if unseen else "clean"
    verdict = ("leaks" if leaking else "beside") if high else quiet
    return {
        "state": verdict,
        "mood": {"leaks": "bad", "beside": "bad", "clean": "good"}.get(verdict, "warn"),
        "untested": untested,
        "stale": list(state.stale),
        "look": sum(row["severity"] == "medium" and row["kind"] not in intended for row in rows),
        "leaking": f"{leaking:,}",
        "tested": f"{len(tested):,}",
        "percent": f"{leaking / max(1, len(tested)):.0%}",
        "findings": list(_findings(material, rows, intended)),
    }


def _findings(material: Material, rows: Sequence[Mapping[str, Any]], intended: set[str]) -> Iterator[dict[str, str]]:
    for row in rows:
        what, _, _ = row["detail"].rpartition("; ")
        meant = row["kind"] in intended
        yield {
            "severity": row["severity"] + (", intended" if meant else ""),
            "mood": "soft" if meant else _MOODS[row["severity"]],
            "kind": row["kind"],
            "tested": f"{row['images_test']:,}",
            "what": material.discreet(what or row["detail"]),
        }


def _tested(material: Material, table: str, parts: set[str]) -> set[str]:
    rows = manifest.read(material.project, table, ["image_id", "part"])
    mine = rows.filter(pc.is_in(rows["part"], pa.array(sides(parts).test_names, pa.string())))
    return set(mine["image_id"].to_pylist())


def _concerned(material: Material, name: str, kinds: set[str]) -> set[str]:
    """The images that evidence of these kinds concerns."""
    try:
        pairs = manifest.read(material.project, f"{name}.evidence", ["kind", "image_test", "image_train"])
    except TableError:
        return set()
    mine = pairs.filter(pc.is_in(pairs["kind"], pa.array(sorted(kinds), pa.string())))
    return {image for end in ("image_test", "image_train") for image in mine[end].to_pylist() if image}
