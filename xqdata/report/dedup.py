"""The page of `xqdata dedup --report`: every cluster as a strip of pictures with its evidence, conflicts first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import xqdata
from xqdata import manifest, scans
from xqdata.dedup.cluster import contradict
from xqdata.manifest import Project
from xqdata.report import page
from xqdata.schema import COPY_KINDS

# So many of each sort are shown, so that the page stays below 10 MB.
_CLUSTERS, _TIES, _UNDECIDED = 300, 100, 100
_MEMBERS = 12
_WORDS = (
    ("bytes, pixels", "two files with the same bytes; the same pixels in another file"),
    ("re-encoded", "the same size and orientation, compressed with loss"),
    ("transformed", "resized, turned, mirrored, or trimmed with 95% of the larger picture shared"),
    ("rescan, same-bag", "one bag through the tunnel again; with its items moved about"),
    ("crop", "windows of one scan that share less"),
    ("turned", "how the second picture is turned (r) or mirrored and turned (m), in degrees, to lie on the first"),
    ("correlation", "how well the two agree over what is not air; 1 is the same"),
    ("worst tile", "the same where they agree least: an item that was added shows here"),
    ("overlap", "share of the larger picture that the other one shows"),
    ("features", "local features that agree on one geometry"),
)

_FIGURES = ("ncc", "worst_tile", "overlap")
_LINKS = ("image_a", "image_b", "kind", "orientation", *_FIGURES, "inliers", "proposed_by")

Row = Mapping[str, Any]


def write(project: Project, path: Path) -> None:
    """Write the page. Raises TableError where dedup has not run, InputError where it cannot be written."""
    page.write(path, text(project))


def text(project: Project) -> str:
    """The page as HTML. Raises TableError where dedup has not run."""
    told = manifest.provenance(project, "links")
    links = manifest.read(project, "links", _LINKS).to_pylist()
    duplicates = manifest.read(project, "duplicates", ["image_id", "cluster", "kept", "reason"]).to_pylist()
    undecided = manifest.read(project, "undecided", ["image_a", "image_b", "reason"]).to_pylist()
    paired = (row[end] for row in (*links, *undecided) for end in ("image_a", "image_b"))
    shelf = _Shelf.of(project, {row["image_id"] for row in duplicates}.union(paired))
    clusters = _clusters(duplicates, links)
    conflicts = [c for c in clusters if contradict(shelf.rows[m["image_id"]]["objects"] or () for m in c.members)]
    plain = [c for c in clusters if c not in conflicts]
    room = max(0, _CLUSTERS - len(conflicts[:_CLUSTERS]))
    ties = [link for link in links if link["kind"] not in COPY_KINDS]
    unsure = _undecided(undecided, duplicates)
    superfluous = sum(not row["kept"] for row in duplicates)
    return page.render(
        "dedup.html",
        project=project.folder.name,
        version=xqdata.__version__,
        time=told.time[:16].replace("T", " "),
        facts=[
            (f"{manifest.provenance(project, 'images').rows:,}", "images"),
            (f"{len(clusters):,}", "clusters of copies"),
            (f"{superfluous:,}", "superfluous copies"),
            (f"{len(conflicts):,}", "clusters with contradicting labels"),
            (f"{len(ties):,}", "ties"),
            (f"{len(undecided):,}", "undecided pairs"),
        ],
        conflicts=[_strip(shelf, c, "bad") for c in conflicts[:_CLUSTERS]],
        clusters=[_strip(shelf, c) for c in plain[:room]],
        copies_total=len(clusters),
        ties=[_pair(shelf, link, [link]) for link in ties[:_TIES]],
        ties_total=len(ties),
        undecided=[_pair(shelf, row, [], more) for row, more in unsure[:_UNDECIDED]],
        undecided_groups=len(unsure),
        undecided_total=len(undecided),
        words=_WORDS,
    )


@dataclass(frozen=True)
class _Cluster:
    members: list[Row]
    links: list[Row]


@dataclass(frozen=True)
class _Shelf:
    """The rows of the images that links, duplicates and undecided name, by id, and where their pixels are."""

    rows: Mapping[str, Row]
    scans: Mapping[str, scans.Scan]

    @classmethod
    def of(cls, project: Project, named: Set[str]) -> _Shelf:
        shown = ("objects", "scan_type", "width", "height", "format", "bit_depth", "acquired_at")
        ids = pa.array(sorted(named), pa.string())
        table = manifest.read(project, "images", [*scans.COLUMNS, *shown], only=ids)
        found = scans.located(project, table)
        rows = table.drop_columns(["mtime"]).to_pylist()
        return cls({row["image_id"]: row for row in rows}, {scan.image_id: scan for scan in found})

    def label(self, image: str) -> str:
        return ", ".join(self.rows[image]["objects"] or ()) or "object unknown"

    def figure(self, image: str, kept: bool = False, reason: str = "") -> dict[str, Any]:
        row = self.rows[image]
        made = f", {row['acquired_at']:%Y-%m-%d %H:%M}" if row["acquired_at"] else ""
        depth = f", {row['bit_depth']} bits" if row["bit_depth"] > 8 else ""
        return {
            "picture": page.thumbnail(self.scans[image]),
            "path": row["path"] + (f" (page {row['page']})" if row["page"] else ""),
            "label": self.label(image),
            "scan_type": row["scan_type"],
            "facts": f"{row['width']} x {row['height']} {row['format']}{depth}{made}",
            "kept": kept,
            "reason": reason,
        }


def _clusters(duplicates: Iterable[Row], links: Iterable[Row]) -> list[_Cluster]:
    found: dict[str, _Cluster] = {}
    place: dict[str, str] = {}
    for row in duplicates:
        found.setdefault(row["cluster"], _Cluster([], [])).members.append(row)
        place[row["image_id"]] = row["cluster"]
    for link in links:
        if link["kind"] in COPY_KINDS:
            found[place[link["image_a"]]].links.append(link)
    # The kept one first, then the rest.
    for cluster in found.values():
        cluster.members.sort(key=lambda row: (not row["kept"], row["image_id"]))
    return list(found.values())


def _strip(shelf: _Shelf, cluster: _Cluster, mood: str = "") -> dict[str, Any]:
    shown = cluster.members[:_MEMBERS]
    more = f", {len(shown)} of them shown" if len(shown) < len(cluster.members) else ""
    labels = sorted({shelf.label(row["image_id"]) for row in cluster.members})
    kinds = sorted({link["kind"] for link in cluster.links}, key=COPY_KINDS.index)
    return {
        "title": f"{len(cluster.members)} copies{more}",
        "tags": [(kind, "accent") for kind in kinds] + [(label, mood or "soft") for label in labels],
        "members": [shelf.figure(row["image_id"], row["kept"], row["reason"]) for row in shown],
        "links": [_evidence(shelf, link) for link in cluster.links],
        "say": [],
    }


def _undecided(undecided: Iterable[Row], duplicates: Iterable[Row]) -> list[tuple[Row, int]]:
    """The first undecided pair of each two clusters, and how many more there are between their copies."""
    place: dict[str, str] = {row["image_id"]: row["cluster"] for row in duplicates}
    found: dict[frozenset[str], list[Row]] = {}
    for row in undecided:
        ends = frozenset(place.get(name, name) for name in (str(row["image_a"]), str(row["image_b"])))
        found.setdefault(ends, []).append(row)
    return [(rows[0], len(rows) - 1) for rows in found.values()]


def _pair(shelf: _Shelf, row: Row, links: Sequence[Row], more: int = 0) -> dict[str, Any]:
    ends = " ".join(row[end] for end in ("image_a", "image_b"))
    return {
        "title": row["kind"] if links else row["reason"],
        "tags": [(f"and {more} more between copies of the two", "soft")] if more else [],
        "members": [shelf.figure(row[end]) for end in ("image_a", "image_b")],
        "links": [_evidence(shelf, link) for link in links],
        "say": [] if links else [f"xqdata dedup --{word} {ends}" for word in ("same", "different")],
    }


def _evidence(shelf: _Shelf, link: Row) -> dict[str, str]:
    names = [shelf.rows[link[end]]["path"].rsplit("/", 1)[-1] for end in ("image_a", "image_b")]
    figures = {c: "" if link[c] is None else f"{link[c]:.3f}" for c in _FIGURES}
    return figures | {
        "pair": " – ".join(names),
        "kind": link["kind"],
        "orientation": link["orientation"] or "",
        "inliers": "" if link["inliers"] is None else str(link["inliers"]),
        "proposed_by": ", ".join(link["proposed_by"]),
    }
