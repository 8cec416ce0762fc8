"""Which tables of a project stand, what they hold, and which no longer follow from what they were made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from xqdata import manifest, schema
from xqdata.errors import TableError
from xqdata.manifest import Project, Provenance
from xqdata.remote import stands

Changed = Callable[[Mapping[str, Any]], list[str]]


@dataclass(frozen=True)
class TableStatus:
    """One table that stands.

    `stale`: why its maker would make another one today; empty if nothing says so. `damage`: why it cannot be read, in
    which case nothing else is known of it.
    """

    name: str
    rows: int | None = None
    digest: str = ""
    command: str = ""
    time: str = ""
    version: str = ""
    stale: tuple[str, ...] = ()
    damage: str = ""


def status(project: Project, changed: Mapping[str, Changed]) -> list[TableStatus]:
    """The tables that stand in `project`, sorted by name.

    `changed`: by command, a function that says in what the options of such a table differ from today's.
    """
    standing: dict[str, Provenance] = {}
    damaged: list[TableStatus] = []
    for name in manifest.standing(project):
        try:
            standing[name] = manifest.provenance(project, name)
        except TableError as error:
            damaged.append(TableStatus(name, damage=error.message))
    digests = {name: p.digest for name, p in standing.items()}
    whole = [
        TableStatus(name, p.rows, p.digest, p.command, p.time, p.xqdata, tuple(_stale(p, standing, digests, changed)))
        for name, p in standing.items()
    ]
    return sorted(whole + damaged, key=lambda table: table.name)


def _stale(
    found: Provenance,
    standing: Mapping[str, Provenance],
    digests: Mapping[str, str],
    changed: Mapping[str, Changed],
) -> list[str]:
    reasons = [
        f"{name} was written anew since" if name in digests else f"{name}, which it was made from, is gone"
        for name, digest in found.inputs.items()
        if digests.get(name) != digest
    ]
    reasons += changed[found.command](found.options) if found.command in changed else []
    gone = [name for name, place in found.roots.items() if not stands(place)]
    reasons += [f"raw folder {name} is no longer at {found.roots[name]}" for name in gone]
    if found.table in manifest.TOGETHER:
        others = [n for n in manifest.TOGETHER if n in standing and standing[n].run != found.run]
        reasons += [f"{name} comes from another run" for name in others]
    try:
        if schema.table(found.table).version != found.version:
            reasons.append(f"layout version {found.version} is no longer read")
    except TableError:
        reasons.append("this xqdata knows no such table")
    return reasons
