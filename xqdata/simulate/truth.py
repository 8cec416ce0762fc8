"""What is true of a simulated export: tables beside the raw folder, for measuring what the other steps find.

`files`: one row for each file. `specimens`: one row for each physical object. `pairs`: every pair of files that are
copies or ties. `masks`: where anything lies in a scan that is neither container nor air.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa

from xqdata.schema import BOX, STRINGS
from xqdata.simulate.files import File
from xqdata.simulate.plan import SCANNERS, Scan
from xqdata.simulate.settings import scan_types

FILES = pa.schema([
    ("path", pa.string()),  # below the raw folder
    ("kind", pa.string()),  # scan, one of COPIES, crop, truncated, empty
    ("readable", pa.bool_()),
    ("source", pa.string()),  # path of the file that it was made from
    ("orientation", pa.string()),  # how it is turned against its source
    ("scan_id", pa.string()),
    ("bag", pa.string()),
    ("session", pa.string()),
    ("series", pa.string()),
    ("sequence", pa.int64()),
    ("container_id", pa.string()),
    ("scanner_serial", pa.string()),
    ("acquired_at", pa.timestamp("us")),
    ("view", pa.string()),
    ("channel", pa.string()),
    ("scan_type", pa.string()),
    ("object", pa.string()),  # the true class where there is exactly one
    ("objects", STRINGS),  # the true classes
    ("specimens", STRINGS),
    ("told_object", pa.string()),  # in whose folder it lies
    ("wrong_label", pa.bool_()),
    ("conflicting", pa.bool_()),  # a copy filed under another object than its source
    ("rescan", pa.bool_()),
    ("overlay", pa.bool_()),
    ("misnamed", pa.bool_()),
    ("logged", pa.bool_()),  # has a row in the operator's log
])  # fmt: skip
SPECIMENS = pa.schema([("specimen", pa.string()), ("object", pa.string()), ("pool", pa.int64()), ("scans", pa.int64())])
PAIRS = pa.schema(
    [("path_a", pa.string()), ("path_b", pa.string()), ("kind", pa.string()), ("orientation", pa.string())]
)
MASKS = pa.schema([("path", pa.string()), ("rle", pa.string()), ("box", BOX), ("specimen_boxes", pa.list_(BOX))])


def scan_id(scan: Scan) -> str:
    """One pass."""
    return f"P{scan.number:06}"


def container_id(scan: Scan) -> str | None:
    """The physical container, None for the bare belt."""
    kind = scan_types()[scan.scan_type].factors["container"]
    return None if kind == "none" else f"{kind}-{scan.container + 1}"


def file_row(scan: Scan, file: File) -> dict[str, Any]:
    """The row of `files`."""
    whole, colour_top = file.kind == "scan", (file.view, file.channel) == ("top", "colour")
    return {
        "path": file.path,
        "kind": file.kind,
        "readable": file.kind not in ("truncated", "empty"),
        "source": file.source,
        "orientation": None if whole else file.orientation,
        "scan_id": scan_id(scan),
        "bag": f"B{scan.packing:06}",
        "session": f"T{scan.session:04}",
        "series": f"R{scan.series:05}",
        "sequence": scan.number,
        "container_id": container_id(scan),
        "scanner_serial": SCANNERS[scan.scanner][0],
        "acquired_at": scan.at,
        "view": file.view,
        "channel": file.channel,
        "scan_type": scan.scan_type,
        "object": scan.objects[0] if len(scan.objects) == 1 else None,
        "objects": list(scan.objects),
        "specimens": [s.name for s in scan.specimens],
        "told_object": file.told_object,
        "wrong_label": scan.wrong_label is not None,
        "conflicting": file.conflicting,
        "rescan": scan.again > 0,
        "overlay": scan.overlay and file.channel == "colour",
        "misnamed": scan.misnamed and colour_top and file.kind in ("scan", "byte_copies"),
        "logged": whole,
    }


def specimen_rows(scans: Sequence[Scan]) -> list[dict[str, Any]]:
    """The rows of `specimens`, in the order of their names."""
    rows: dict[str, dict[str, Any]] = {}
    for specimen in (s for scan in scans for s in scan.specimens):
        row = {"specimen": specimen.name, "object": specimen.object, "pool": specimen.pool, "scans": 0}
        rows.setdefault(specimen.name, row)["scans"] += 1
    return [rows[name] for name in sorted(rows)]


def pair_rows(scans: Sequence[Scan], files: Mapping[int, Sequence[File]]) -> list[dict[str, Any]]:
    """The rows of `pairs`: every two readable pictures of one packing, with the nearest relation that they have."""
    packings: dict[int, list[File]] = {}
    for scan in scans:
        readable = [f for f in files[scan.number] if f.kind not in ("truncated", "empty")]
        packings.setdefault(scan.packing, []).extend(readable)
    found = []
    for together in packings.values():
        for one, other in combinations(sorted(together, key=lambda f: f.path), 2):
            kind = relation(one, other)
            if kind:
                turned = None if kind in ("rescan", "same-scan") else _between(one, other)
                found.append({"path_a": one.path, "path_b": other.path, "kind": kind, "orientation": turned})
    return found


def relation(one: File, other: File) -> str | None:
    """The kind of `links` that two readable files of one packing have; None for other views of two passes."""
    if (one.view, one.channel) != (other.view, other.channel):
        return "same-scan" if one.number == other.number else None
    if one.number != other.number:
        return "rescan"
    kinds = {one.kind, other.kind} - {"scan"}
    if "crop" in kinds:
        return "crop"
    if kinds <= {"byte_copies"}:
        return "bytes"
    if kinds <= {"byte_copies", "pixel_copies"}:
        return "pixels"
    return "re-encoded" if kinds <= {"byte_copies", "pixel_copies", "reencoded"} else "transformed"


def _between(a: File, b: File) -> str:
    """How b is turned to lie on a: undo b's own turning, then do a's."""
    # A file's pixels are turn^k · mirror^m of its source's, and mirror · turn^k = turn^-k · mirror.
    turns = a.turn + (b.turn if a.mirror != b.mirror else -b.turn)
    return f"{'m' if a.mirror != b.mirror else 'r'}{turns % 4 * 90}"
