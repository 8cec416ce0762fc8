"""Which scans may show one container: groups of rows of `images`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

# Columns of `images` that grouping takes.
COLUMNS = (
    *("image_id", "pixel_hash", "width", "height", "container", "container_id"),
    *("scanner_make", "scanner_model", "scanner_serial", "view", "channel", "polarity"),
)
BARE = "none"


@dataclass(frozen=True)
class Group:
    """Scans that one scanner made in one view and channel of one container, or where that is not told, of one kind of
    container.

    `scanner`: make, model and serial number. `container`: its kind. `side`: where `container_id` is null, the shorter
    side of the pictures in pixels: the detector's, while the belt's varies. Null means unknown. `images`: image_id of
    one image for each different picture, sorted.
    """

    scanner: tuple[str | None, ...]
    view: str | None
    channel: str | None
    container: str | None
    container_id: str | None
    side: int | None
    images: tuple[str, ...] = ()

    @property
    def bare(self) -> bool:
        """True for scans without a container."""
        return self.container == BARE

    def may_show(self, other: Group) -> bool:
        """True if a scan of this group may show the container of `other`: nothing that is known of both differs."""
        mine, theirs = (
            (*group.scanner, group.view, group.channel, group.container, group.container_id) for group in (self, other)
        )
        return all(a is None or b is None or a == b for a, b in zip(mine, theirs, strict=True))


def groups(table: pa.Table) -> list[Group]:
    """The groups of the rows of `images` in `table` (which holds COLUMNS), those of known containers first.

    Copies with the same pixels stand in for each other: of them, the one with a known container is taken.
    """
    found: dict[Group, list[str]] = {}
    for row in speakers(table.select(COLUMNS).to_pylist()).values():
        known = row["container_id"] is not None or row["container"] == BARE
        side = None if known else min(row["width"], row["height"])
        scanner = (row["scanner_make"], row["scanner_model"], row["scanner_serial"])
        group = Group(scanner, row["view"], row["channel"], row["container"], row["container_id"], side)
        found.setdefault(group, []).append(row["image_id"])
    made = [replace(group, images=tuple(sorted(images))) for group, images in found.items()]
    return sorted(made, key=lambda g: (g.container_id is None, g.images))


def speakers(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """One row for each `pixel_hash`: the first by image_id of those whose container is known best."""
    chosen: dict[str, Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda r: (r["container_id"] is None, r["container"] is None, r["image_id"])):
        chosen.setdefault(row["pixel_hash"], row)
    return chosen


def polarities(table: pa.Table) -> dict[str, str]:
    """The polarity of each image that has one, or that is of a scanner and channel of which all others agree in one."""
    rows = table.select(COLUMNS).to_pylist()
    seen: dict[tuple[Any, ...], Counter[str]] = {}
    for row in rows:
        if row["polarity"] is not None:
            seen.setdefault(_machine(row), Counter())[row["polarity"]] += 1
    told = {}
    for row in rows:
        usual = seen.get(_machine(row), Counter())
        polarity = row["polarity"] or (next(iter(usual)) if len(usual) == 1 else None)
        if polarity is not None:
            told[row["image_id"]] = polarity
    return told


def _machine(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["scanner_make"], row["scanner_model"], row["scanner_serial"], row["channel"]
