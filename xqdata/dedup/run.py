"""`xqdata dedup`: pairs are proposed, verified on pixels, and joined to clusters of copies."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import compared, containers, features, labels, manifest, memory, scans, schema
from xqdata.containers import Masks
from xqdata.dedup import cluster, pictures
from xqdata.dedup.cluster import Chain, Policy
from xqdata.dedup.compare import Outcome, Pair, compare
from xqdata.dedup.joined import joined, reconcile, settle
from xqdata.dedup.known import IdPair, Known, Row
from xqdata.dedup.propose import CHANNELS, Candidates, Gates, propose
from xqdata.dedup.verify import ONE_SCAN
from xqdata.features import Sketches
from xqdata.manifest import Origin, Project
from xqdata.schema import COPY_KINDS, ORIENTATIONS
from xqdata.taxonomy import Taxonomy

# All that is read of images.
_MORE = ("missing", "objects", "phash", "pixel_hash", "sha256")
_COLUMNS = list(dict.fromkeys([*scans.COLUMNS, *pictures.COLUMNS, *cluster.COLUMNS, *_MORE]))

# Of the clusters alone, by benchmark/scale, to 10^7 images: whatever else a run holds comes on top.
MEMORY = memory.Rate(300 * 10**6, 1560)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How one dedup runs.

    `containers`: whether the empty container is estimated and taken away first. `ties`: whether rescans, bags packed
    anew and crops are looked for. `keep`: which member of a cluster is kept.
    """

    keep: Policy = "best"
    ties: bool = True
    containers: bool = True
    gates: Gates = field(default_factory=Gates)
    workers: int | None = None
    progress: Progress = lambda step, done, total: None

    def told(self) -> dict[str, Any]:
        """What the result depends on, as provenance records it."""
        return {"keep": self.keep, "ties": self.ties, "containers": self.containers, "radius": self.gates.radius,
                "window": self.gates.window, "budget": self.gates.budget}  # fmt: skip


@dataclass
class Result:
    """The tables that were written, but `masks`, and what a person wants to know of how they came about.

    `images`: rows that were compared. `skipped`: (path, why) of images that could not be opened. `links`: by kind.
    `proposed`, `passed`: pairs by channel, and those of them that were compared in full. `radius`: of the pHash that
    was complete. `pictures`: a digest of what was compared. `seconds`: by step.
    `conflicts`: clusters whose members' labels contradict each other, as (cluster, labels). `notes`: one line each.
    """

    tables: dict[str, pa.Table]
    images: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    proposed: dict[str, int] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    radius: int = 0
    pictures: str = ""
    chains: list[Chain] = field(default_factory=list)
    conflicts: list[tuple[str, list[str]]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def links(self) -> Counter[str]:
        """Verified pairs by kind."""
        return Counter(self.tables["links"]["kind"].to_pylist())


def dedup(project: Project, taxonomy: Taxonomy, options: Options = Options()) -> Result:
    """Find copies and ties among the project's images and write links, undecided, masks and duplicates.

    Raises TableError where the table `images` does not stand.
    """
    with manifest.lock(project.state, "dedup"), _folder(project) as folder:
        log = labels.log(project)
        table = present(project, taxonomy, log)
        known = Known.of(table, scans.located(project, table))
        result = Result({}, len(known), pictures=compared.pictures(table))
        exact = _exact(known)
        speakers = _speakers(known, _gone(project, known, result))
        with _timed(result, "sketching"):
            sketches = _sketches(project, known, speakers, options, result)
        with _timed(result, "taking containers away"):
            masks = _masks(project, folder, options)
        with _timed(result, "proposing"):
            foregrounds = {} if masks is None else _Foregrounds(known, masks)
            pairs = _proposed(project, folder, known, speakers, sketches, foregrounds, options, result)
        with (
            _timed(result, "comparing"),
            closing(_compared(project, known, pairs, foregrounds, options, result)) as outcomes,
        ):
            links, undecided = _judged(known, outcomes, exact)
        result.skipped = sorted(dict.fromkeys(result.skipped))
        differ = {pair for pair, row in undecided.items() if row["reason"].startswith(ONE_SCAN)}
        told = _overruled(known, log, links, undecided)
        differ = (differ - told.keys()) | {pair for pair, same in told.items() if not same}
        with _timed(result, "clustering"):
            reconcile(links, undecided, differ)
            clusters = joined(known, links, options.keep, lambda one, other: _alike(known, one, other))
            settle(known, clusters.rows, links, undecided, told)
        result.chains, result.conflicts = clusters.chains, clusters.conflicts
        result.tables = {
            "links": schema.from_rows("links", [links[pair] for pair in sorted(links)]),
            "undecided": schema.from_rows("undecided", [undecided[pair] for pair in sorted(undecided)]),
            "duplicates": schema.from_rows("duplicates", clusters.rows),
        }
        _write(project, result, masks, options)
        return result


def present(project: Project, taxonomy: Taxonomy, log: pa.Table) -> pa.Table:
    """The rows that are compared, by image_id, with effective labels: what dedup reads of them."""
    raw = manifest.read(project, "images", list(dict.fromkeys([*_COLUMNS, *labels.needed(log)])))
    table = labels.effective(raw, log, taxonomy).select(_COLUMNS)
    return manifest.ordered(table.filter(pc.invert(table["missing"])), ["image_id"]).combine_chunks()


def _write(project: Project, result: Result, masks: Masks | None, options: Options) -> None:
    """Write all tables; which pictures were compared is told with them."""
    made_from = [name for name in ("images", "labels") if manifest.exists(project, name)]
    inputs = {name: manifest.provenance(project, name).digest for name in made_from}
    told = options.told() | {"complete_radius": result.radius, "pictures": result.pictures}
    pieces = schema.empty("masks") if masks is None else masks.pieces()
    manifest.write(project, {**result.tables, "masks": pieces}, Origin("dedup", told, inputs))


@contextmanager
def _timed(result: Result, step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    result.seconds[step] = time.perf_counter() - start


def _exact(known: Known) -> list[tuple[int, int, str]]:
    """(place, place, kind) of images with equal bytes or equal pixels: each with the first of its like.

    Pictures of one value are equal to each other without being copies. Where there is noise, it never recurs.
    """
    pairs = []
    first_bytes: dict[tuple[str, int], int] = {}
    first_pixels: dict[str, int] = {}
    for i, row in enumerate(known.taken(["std", "sha256", "page", "pixel_hash"])):
        if row["std"] == 0:
            continue
        one = first_bytes.setdefault((row["sha256"], row["page"]), i)
        other = first_pixels.setdefault(row["pixel_hash"], i)
        if one != i:
            pairs.append((one, i, "bytes"))
        elif other != i:
            pairs.append((other, i, "pixels"))
    return pairs


def _gone(project: Project, known: Known, result: Result) -> set[int]:
    """The places of images whose files are not as they were ingested. Only what the table knows of them is used."""
    gone = scans.changes(project, known.scans)
    result.skipped += [(known.row(i)["path"], why) for i, why in gone.items()]
    return set(gone)


def _speakers(known: Known, gone: Container[int]) -> list[int]:
    """The first image of each set of equal pixels that can be opened: what holds for it holds for the others."""
    here = [i for i in range(len(known)) if i not in gone]
    spoken: dict[str, int] = {}
    for i, row in zip(here, known.taken(["pixel_hash"], here), strict=True):
        spoken.setdefault(row["pixel_hash"], i)
    return sorted(spoken.values())


def _sketches(project: Project, known: Known, speakers: Sequence[int], options: Options, result: Result) -> Sketches:
    made = features.sketches(
        project,
        [known.scans[i] for i in speakers],
        [row["pixel_hash"] for row in known.taken(["pixel_hash"], speakers)],
        workers=options.workers,
        progress=lambda done, total: options.progress("sketching", done, total),
    )
    result.skipped += [(known.row(speakers[i])["path"], why) for i, why in sorted(made.unread.items())]
    return made


def _masks(project: Project, folder: Path, options: Options) -> Masks | None:
    if not options.containers:
        return None
    return containers.masks(
        project,
        folder,
        workers=options.workers,
        progress=lambda done, total: options.progress("taking containers away", done, total),
    )


def _proposed(
    project: Project,
    folder: Path,
    known: Known,
    speakers: Sequence[int],
    sketches: Sketches,
    foregrounds: Mapping[int, str],
    options: Options,
    result: Result,
) -> _Proposed:
    made = pictures.laid_out(
        lambda columns: known.taken(columns, speakers), sketches, lambda n: foregrounds.get(speakers[n]), folder
    )
    found = propose(made, options.gates, workers=options.workers, sees=scans.witnesses(project, known.scans))
    pairs = _Proposed(found, np.asarray(speakers, np.int64), options.ties)
    result.proposed, result.passed, result.radius = found.proposed, pairs.by_channel(), found.radius
    if found.radius < options.gates.radius:
        told = f"pHash within {options.gates.radius} bits proposes more than {options.gates.budget:,} pairs"
        result.notes.append(f"{told}: it is complete within {found.radius} bits only")
    for crowd in found.crowds:
        result.notes.append(f"{len(crowd):,} images share one hash: only the first of them was paired by it")
    return pairs


@contextmanager
def _folder(project: Project) -> Iterator[Path]:
    """An empty folder for what this run alone reads. What killed ones left is removed: the lock is held."""
    every = project.state / "dedup"
    shutil.rmtree(every, ignore_errors=True)
    # A name of its own: another node may still know the files of an earlier run by theirs.
    folder = every / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(every, ignore_errors=True)


class _Foregrounds(Mapping[int, str]):
    """The run lengths of foregrounds by place, read when they are asked for."""

    def __init__(self, known: Known, masks: Masks) -> None:
        self.masks = masks
        row = pc.index_in(pa.array(known.ids, pa.string()), value_set=masks.ids)
        row = np.asarray(row.fill_null(-1), np.int64)
        self.row = np.where(np.isin(row, np.flatnonzero(masks.estimated)), row, -1)

    def __getitem__(self, place: int) -> str:
        text = None if self.row[place] < 0 else self.masks.rle(self.row[place])
        if text is None:
            raise KeyError(place)
        return text

    def __contains__(self, place: object) -> bool:
        return isinstance(place, int | np.integer) and bool(self.row[place] >= 0)

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self.row >= 0).tolist())

    def __len__(self) -> int:
        return int(np.count_nonzero(self.row >= 0))


class _Proposed(Sequence[Pair]):
    """The candidates as pairs of places among all images, made when they are asked for."""

    def __init__(self, found: Candidates, speakers: NDArray[np.int64], ties: bool) -> None:
        some = np.flatnonzero(found.for_copy | (found.for_tie & ties) | found.for_window)
        self.a, self.b = speakers[found.a[some]], speakers[found.b[some]]
        self.orientation, self.channels = found.orientation[some], found.channels[some]
        self.uses = np.stack([found.for_copy[some], found.for_tie[some] & ties, found.for_window[some]], axis=1)
        # Ascending, since candidates and speakers are.
        self.images = int(speakers[-1]) + 1 if len(speakers) else 0
        self.keys = self.a * self.images + self.b

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, number: Any) -> Any:
        copy, tie, window = self.uses[number].tolist()
        return Pair(int(self.a[number]), int(self.b[number]), ORIENTATIONS[self.orientation[number]], copy, tie, window)

    def by_channel(self) -> dict[str, int]:
        """How many of them each channel proposed."""
        return {name: int(np.count_nonzero(self.channels >> bit & 1)) for bit, name in enumerate(CHANNELS)}

    def proposers(self, pair: Pair) -> list[str]:
        """The channels that proposed a pair."""
        channels = int(self.channels[np.searchsorted(self.keys, pair.a * self.images + pair.b)])
        return [name for bit, name in enumerate(CHANNELS) if channels >> bit & 1]


def _compared(
    project: Project, known: Known, pairs: _Proposed, masks: Mapping[int, str], options: Options, result: Result
) -> Generator[tuple[Outcome, list[str]], None, None]:
    """What became of each pair, and who proposed it, as it is known."""
    result.compared = len(pairs)
    outcomes = compare(
        known.scans,
        pairs,
        masks,
        workers=options.workers,
        sees=scans.witnesses(project, known.scans),
        progress=lambda done, total: options.progress("comparing", done, total),
    )
    with closing(outcomes):
        for outcome in outcomes:
            yield outcome, pairs.proposers(outcome.pair)


def _judged(
    known: Known, outcomes: Iterable[tuple[Outcome, list[str]]], exact: Iterable[tuple[int, int, str]]
) -> tuple[dict[IdPair, Row], dict[IdPair, Row]]:
    """The rows of links and of undecided, by pair."""
    links: dict[IdPair, Row] = {}
    undecided: dict[IdPair, Row] = {}
    for a, b, kind in exact:
        pair = known.pair(a, b)
        links[pair] = _link(known, pair, kind, [kind])
    for outcome, proposers in outcomes:
        pair = known.pair(outcome.pair.a, outcome.pair.b)
        verdict = outcome.verdict
        if verdict is None:
            undecided[pair] = _undecided(pair, outcome.failed)
        elif verdict.kind in ("rescan", "same-bag") and (days := _days_between(known, pair)) >= 1:
            undecided[pair] = _undecided(pair, f"alike as one bag is, but scanned {days:,} days apart")
        elif verdict.kind is not None:
            links[pair] = _link(known, pair, verdict.kind, proposers) | {
                "orientation": verdict.orientation,
                "ncc": verdict.ncc,
                "worst_tile": verdict.worst_tile,
                "overlap": verdict.overlap,
                "inliers": verdict.inliers,
            }
        elif verdict.undecided:
            undecided[pair] = _undecided(pair, verdict.undecided)
    return links, undecided


def _days_between(known: Known, pair: IdPair) -> int:
    """Whole days between two scans: no bag waits that long to be scanned again. 0 where a time is not known."""
    a, b = (known.named(name)["acquired_at"] for name in pair)
    return abs(a - b).days if a is not None and b is not None else 0


def _link(known: Known, pair: IdPair, kind: str, proposers: list[str]) -> Row:
    a, b = (known.named(name) for name in pair)
    return {
        "image_a": pair[0],
        "image_b": pair[1],
        "kind": kind,
        "phash_distance": (a["phash"] ^ b["phash"]).bit_count(),
        "phash256_distance": (int.from_bytes(a["phash256"]) ^ int.from_bytes(b["phash256"])).bit_count(),
        "proposed_by": proposers,
    }


def _undecided(pair: IdPair, reason: str | None) -> Row:
    return {"image_a": pair[0], "image_b": pair[1], "reason": reason}


def _overruled(
    known: Known, log: pa.Table, links: dict[IdPair, Row], undecided: dict[IdPair, Row]
) -> dict[IdPair, bool]:
    """Whether a person calls a pair the same: it wins over the machine, and the latest word counts."""
    told: dict[IdPair, bool] = {}
    for event in labels.pairs(log):
        ends = (known.place.get(event["image_id"]), known.place.get(event["other_image_id"]))
        if None in ends or ends[0] == ends[1]:
            continue
        pair = known.pair(*ends)  # type: ignore[arg-type]
        undecided.pop(pair, None)
        told[pair] = json.loads(event["after"]) != "different"
        if not told[pair]:
            links.pop(pair, None)
        elif pair not in links or links[pair]["kind"] not in COPY_KINDS:
            links[pair] = _link(known, pair, "transformed", [f"person: {event['by']}"])
    return told


def _alike(known: Known, one: str, other: str) -> bool:
    a, b = known.place[one], known.place[other]
    if known.row(a)["pixel_hash"] == known.row(b)["pixel_hash"]:
        return True
    (outcome,) = compare([known.scans[a], known.scans[b]], [Pair(0, 1, "", True, False)], {}, workers=1)
    return outcome.verdict is None or outcome.verdict.kind is not None or bool(outcome.verdict.undecided)
