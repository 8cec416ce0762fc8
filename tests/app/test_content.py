"""What is to be shown, from tables alone."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from assets.rows import image
from xqdata import schema
from xqdata.app.content import _slices, _together, key


def rows(*told: dict[str, Any]) -> pa.Table:
    return schema.from_rows("images", [image(**row) for row in told])


def test_each_scan_has_one_picture_in_main() -> None:
    found = _slices(
        rows(
            {"path": "a", "scan_id": "P1", "view": "side", "channel": "colour"},
            {"path": "b", "scan_id": "P1", "view": "top", "channel": "colour"},
            {"path": "c", "scan_id": "P1", "view": "top", "channel": "high"},
            {"path": "d", "scan_id": "P2", "channel": "low"},
            {"path": "e", "scan_id": "P2", "channel": "high"},
            {"path": "f"},
        )
    )
    told = {name.removeprefix("id of "): slice_ for name, slice_ in found.items()}
    assert told == {
        "a": ("P1", "side colour"),
        "b": ("P1", "main"),
        "c": ("P1", "top high"),
        "d": ("P2", "low"),
        "e": ("P2", "main"),
        "f": ("id of f", "main"),
    }


def test_a_copy_of_one_view_is_a_scan_of_its_own() -> None:
    told = {"scan_id": "P1", "view": "top", "channel": "colour"}
    assert _slices(rows({"path": "a", **told}, {"path": "b", **told})) == {}
    found = _slices(rows({"path": "a", **told}, {"path": "b", **told}, {"path": "c", **told, "channel": "low"}))
    assert sorted(found.values()) == [("P1", "main"), ("P1", "top low"), ("id of b", "main")]


def test_pairs_join_over_others() -> None:
    assert _together([("a", "b"), ("b", "c"), ("d", "e")]) == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}
    assert _together([]) == {}


def test_names_of_fields_hold_letters_digits_and_underscores() -> None:
    assert key("resnet18-2024.05 ü") == "resnet18_2024_05__"
