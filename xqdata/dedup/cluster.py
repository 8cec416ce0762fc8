"""Copies that are joined by links, which of them is kept, and chains whose ends do not match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any, Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Policy = Literal["best", "first", "newest"]
POLICIES: tuple[Policy, ...] = ("best", "first", "newest")
# Columns of images that say which member is kept.
COLUMNS = (
    *("image_id", "root", "path", "page", "mtime", "width", "height", "bit_depth", "channels", "format", "bytes"),
    *("sharpness", "acquired_at"),
)
# Formats whose files were compressed with loss: of two copies of one size the other kind is kept.
_LOSSY = ("JPEG", "WEBP")
# Pairs of a cluster that are compared, as many as twelve members have. Of larger clusters the first ones.
_COMPARED = 66

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chain:
    """A cluster two of whose members do not match each other: `ends`, and the weakest link on the way, `link`."""

    cluster: str
    ends: tuple[str, str]
    link: tuple[str, str]


def components(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The images that `pairs` join, as sorted lists of two or more, in the order of their first."""
    names = sorted({name for pair in pairs for name in pair})
    if not names:
        return []
    place = {name: i for i, name in enumerate(names)}
    ends = np.array([(place[a], place[b]) for a, b in pairs]).T
    graph = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(len(names), len(names)))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return sorted([names[i] for i in group] for group in groups)


def reconciled(
    links: Mapping[tuple[str, str], float], differ: Iterable[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The links that can stand together although the images of each pair in `differ` are no copies; and the others.

    A small picture may match two that differ in what it is too small to show. The strongest links are taken first, and
    one that would join two images that differ is left out.
    """
    parent: dict[str, str] = {}
    foes: dict[str, set[str]] = {}
    for a, b in differ:
        foes.setdefault(a, set()).add(b)
        foes.setdefault(b, set()).add(a)

    kept, cut = [], []
    for pair, _ in sorted(links.items(), key=lambda item: (-item[1], item[0])):
        one, other = _root(parent, pair[0]), _root(parent, pair[1])
        if one != other:
            # Of a root, the names that any of its members differs from.
            if any(_root(parent, foe) == other for foe in foes.get(one, ())):
                cut.append(pair)
                continue
            parent[other] = one
            if other in foes:
                foes.setdefault(one, set()).update(foes.pop(other))
        kept.append(pair)
    return kept, cut


def _root(parent: dict[str, str], name: str) -> str:
    """The name that stands for all that are joined to `name`; shortens the way to it."""
    while parent.setdefault(name, name) != name:
        parent[name] = parent[parent[name]]
        name = parent[name]
    return name


def keep(members: Sequence[Row], policy: Policy) -> tuple[str, str]:
    """The image_id of the member to keep, and why. `members`: rows of images, with COLUMNS."""
    if policy == "first":
        chosen = min(members, key=lambda m: (m["path"], m["root"], m["page"]))
        return chosen["image_id"], "kept: first by path"
    if policy == "newest":
        chosen = max(members, key=lambda m: (m["mtime"], m["image_id"]))
        return chosen["image_id"], "kept: newest file"
    ranked = sorted(members, key=lambda m: (*(-rank(m) for _, rank in _RANKS), m["path"], m["image_id"]))
    best, other = ranked[0], ranked[1]
    why = next((name for name, rank in _RANKS if rank(best) != rank(other)), "first by path, all else equal")
    return best["image_id"], f"kept: {why}"


def _size(row: Row) -> float:
    return float(row["width"]) * float(row["height"])


# What makes a member better than another, the weightiest first.
_RANKS: tuple[tuple[str, Callable[[Row], float]], ...] = (
    ("largest", _size),
    ("deepest", lambda row: float(row["bit_depth"]) * float(row["channels"])),
    ("not compressed with loss", lambda row: float(row["format"] not in _LOSSY)),
    ("least compressed", lambda row: float(row["bytes"]) if row["format"] in _LOSSY else 0.0),
    ("sharpest", lambda row: float(row["sharpness"] or 0.0)),
    ("as the scanner wrote it", lambda row: float(row["acquired_at"] is not None)),
)


def rows(members: Sequence[Row], policy: Policy) -> list[dict[str, Any]]:
    """The rows of `duplicates` for one cluster."""
    cluster = min(m["image_id"] for m in members)
    kept, why = keep(members, policy)
    return [
        {
            "image_id": m["image_id"],
            "cluster": cluster,
            "kept": m["image_id"] == kept,
            "reason": why if m["image_id"] == kept else f"copy of {kept}",
        }
        for m in sorted(members, key=lambda m: str(m["image_id"]))
    ]


def contradict(labels: Iterable[Iterable[str]]) -> bool:
    """Whether two members are said to show different things, where neither is merely told in less detail.

    `labels`: each member's objects; none is unknown, and contradicts nothing.
    """
    told = {frozenset(objects) for objects in labels} - {frozenset()}
    return any(not (one <= other or other <= one) for one, other in combinations(told, 2))


def chain(
    members: Sequence[str], links: Mapping[tuple[str, str], float], alike: Callable[[str, str], bool]
) -> Chain | None:
    """The first two members that are not `alike`, and the weakest link that joins them; None if all are.

    `links`: (smaller id, larger id): strength. Members that a link joins are not compared again.
    """
    for one, other in islice(combinations(members, 2), _COMPARED):
        if (one, other) not in links and not alike(one, other):
            return Chain(min(members), (one, other), _weakest(one, other, links))
    return None


def _weakest(start: str, end: str, links: Mapping[tuple[str, str], float]) -> tuple[str, str]:
    """On the way whose weakest link is strongest, that link: without it the two would be apart."""
    parent: dict[str, str] = {}

    for pair, _ in sorted(links.items(), key=lambda item: (-item[1], item[0])):
        parent[_root(parent, pair[0])] = _root(parent, pair[1])
        if _root(parent, start) == _root(parent, end):
            return pair
    raise ValueError(f"no links join {start} and {end}")
