"""Rows for tables, so that tests of tables need no pictures."""

from __future__ import annotations

from datetime import datetime

from xqdata import schema


def image(path: str = "a.png", **changes: object) -> dict[str, object]:
    """One row of `images` in which every required column holds something."""
    filled: dict[str, object] = {}
    for column in schema.IMAGES.columns:
        if column.required:
            filled[column.name] = _VALUES[str(column.type)]
    moment = datetime(2024, 5, 17, 14, 30, 5)
    return filled | {"image_id": f"id of {path}", "root": "raw", "path": path, "acquired_at": moment} | changes


def reject(path: str = "b.png", **changes: object) -> dict[str, object]:
    """One row of `rejects`."""
    return {"root": "raw", "path": path, "reason": "empty", "message": "the file holds no bytes", "bytes": 0} | changes


_VALUES = {
    "string": "x",
    "int32": 1,
    "int64": 1,
    "uint64": 2**64 - 1,
    "bool": False,
    "double": 0.5,
    "fixed_size_binary[32]": bytes(range(32)),
}
