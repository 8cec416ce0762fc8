"""What follows once all pairs are compared: links that stand together, clusters of copies, and what they decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xqdata.dedup import cluster
from xqdata.dedup.cluster import Chain, Policy
from xqdata.dedup.known import IdPair, Known, Row
from xqdata.schema import COPY_KINDS

_TORN = "alike, but a copy of one of them differs from a copy of the other"


@dataclass
class Joined:
    """The rows of duplicates by image_id. `conflicts`: clusters whose labels contradict each other, and these."""

    rows: list[Row] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    conflicts: list[tuple[str, list[str]]] = field(default_factory=list)


def reconcile(links: dict[IdPair, Row], undecided: dict[IdPair, Row], differ: set[IdPair]) -> None:
    """Move links that would make copies of two images that differ to undecided."""
    for pair in cluster.reconciled(_copies(links), differ)[1]:
        del links[pair]
        undecided[pair] = {"image_a": pair[0], "image_b": pair[1], "reason": _TORN}


def joined(known: Known, links: Mapping[IdPair, Row], keep: Policy, alike: Callable[[str, str], bool]) -> Joined:
    """Copies as clusters. `alike`: whether two members match on pixels; `keep`: which member of a cluster is kept."""
    copies = _copies(links)
    found = Joined()
    together = cluster.components(list(copies))
    of = {name: members[0] for members in together for name in members}
    inside: dict[str, dict[IdPair, float]] = {}
    for pair, strength in copies.items():
        inside.setdefault(of[pair[0]], {})[pair] = strength
    for members in together:
        own = [known.named(name) for name in members]
        found.rows += cluster.rows(own, keep)
        if cluster.contradict(row["objects"] or () for row in own):
            told = sorted({", ".join(row["objects"]) for row in own if row["objects"]})
            found.conflicts.append((members[0], told))
        if len(members) > 2 and (chain := cluster.chain(members, inside[members[0]], alike)):
            found.chains.append(chain)
    found.rows.sort(key=lambda row: str(row["image_id"]))
    return found


def settle(
    known: Known,
    clusters: Sequence[Row],
    links: dict[IdPair, Row],
    undecided: dict[IdPair, Row],
    told: Iterable[IdPair],
) -> None:
    """Drop what other pairs decide: ties of copies; undecided pairs of one cluster, or of two pictures of one scan.

    `told`: pairs that a person gave a verdict on. It holds for their copies too.
    """
    member: dict[str, str] = {row["image_id"]: row["cluster"] for row in clusters}
    asked = {member.get(name, name) for pair in undecided for name in pair}
    passes: dict[str, set[str]] = {}
    for row in known.taken(["image_id", "scan_id"]) if asked else ():
        name = member.get(row["image_id"], row["image_id"])
        if row["scan_id"] is not None and name in asked:
            passes.setdefault(name, set()).add(row["scan_id"])
    for pair in [pair for pair, row in links.items() if row["kind"] not in COPY_KINDS]:
        if member.get(pair[0], pair[0]) == member.get(pair[1], pair[1]):
            del links[pair]
    clear = {frozenset(member.get(name, name) for name in pair) for pair in told}
    for pair in list(undecided):
        one, other = (member.get(name, name) for name in pair)
        if one == other or {one, other} in clear or passes.get(one, set()) & passes.get(other, set()):
            del undecided[pair]


def _copies(links: Mapping[IdPair, Row]) -> dict[IdPair, float]:
    return {pair: _strength(row) for pair, row in links.items() if row["kind"] in COPY_KINDS}


def _strength(row: Row) -> float:
    """How sure a link is: equal bytes or pixels are beyond doubt, and a person's word is above all."""
    if row["proposed_by"][0].startswith("person"):
        return 2.0
    told = [row[name] for name in ("ncc", "worst_tile") if row.get(name) is not None]
    return float(min(told, default=1.0))
