"""How the commands of `xqdata label` name images, people and values."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

SHORT = 12  # signs of an event's id that are shown


def now() -> datetime:
    """This moment (UTC, no time zone), to the second."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def user() -> str:
    """Who is at the terminal."""
    return getpass.getuser()


def places(images: pa.Table) -> dict[str, str]:
    """By image_id the root and path."""
    rows = images.select(["image_id", "root", "path"]).to_pylist()
    return {row["image_id"]: f"{row['root']}/{row['path']}" for row in rows}


def value(held: Any) -> str:
    """A label's value as people write it."""
    if held is None:
        return "unknown"
    if isinstance(held, bool):
        return "yes" if held else "no"
    return " + ".join(map(str, held)) if isinstance(held, list) else str(held)


def spelled(text: str | None) -> str:
    """A value as the log holds it (JSON); empty where it was not recorded."""
    return "" if text is None else value(json.loads(text))


def document(event: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """A row of the log as --json prints it, with the image's path."""
    told = {**event, "path": images.get(event["image_id"])}
    for name in ("before", "after"):
        told[name] = None if event[name] is None else json.loads(event[name])
    return told
