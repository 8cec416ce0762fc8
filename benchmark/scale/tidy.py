"""Measurements in a CSV file, one line each, that can be measured again one by one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def keep(lines: Sequence[Mapping[str, Any]], file: Path, key: tuple[str, ...]) -> None:
    """Put `lines` into the table, in place of earlier ones that have the same values in `key`."""
    old = list(csv.DictReader(file.open(encoding="utf-8"))) if file.exists() else []
    rows = {tuple(str(row[name]) for name in key): row for row in [*old, *lines]}
    file.parent.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows, key=_order))


def _order(key: tuple[str, ...]) -> list[tuple[int, str]]:
    """Numbers by their size."""
    return [(int(value), "") if value.isdecimal() else (0, value) for value in key]
