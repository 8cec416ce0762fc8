"""Counts of what was found against what is true, by kind of copy and tie, by look-alikes, and by stage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from tally import wilson
from workloads import COPY, KINDS, ROUND, TIE, Case

from xqdata import labels, manifest, scans, taxonomy
from xqdata.dedup import propose
from xqdata.dedup import run as whole
from xqdata.dedup.known import Known
from xqdata.schema import COPY_KINDS

Keys = NDArray[np.int64]
OURS = "xqdata"
ALIKE = {
    "pose": "one set of specimens, packed anew: another pose",
    "container": "other objects in one container",
    "round": "round objects of one class",
    "edit": "one item added or taken away",
    "all": "all pairs of different scans",
}
_COPY_CODES = [KINDS.index(kind) for kind in COPY]
_TIE_CODES = [KINDS.index(kind) for kind in TIE]
_UNJUDGED = KINDS.index("unjudged")
_DRAWS = 100
_SMALL = 0.005  # below it, a share is told with two digits


class Shares:
    """Hits among so many, by key; those of several cases add up."""

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, *key: str, hits: int, of: int) -> None:
        """Count `hits` of `of` more."""
        self.counts[key][0] += int(hits)
        self.counts[key][1] += int(of)

    def of(self, *key: str) -> int:
        """How many there were."""
        return self.counts[key][1] if key in self.counts else 0

    def hits(self, *key: str) -> int:
        """How many of them were hit."""
        return self.counts[key][0] if key in self.counts else 0

    def told(self, *key: str) -> str:
        """The share with its 95% interval, `-` where nothing was counted."""
        hits, of = self.hits(*key), self.of(*key)
        if not of:
            return "-"
        low, high = wilson(hits, of)
        if 0 < high < _SMALL:
            return f"{hits / of:.2g} ({low:.2g} to {high:.2g})"
        return f"{floor(hits, of)} ({low:.3f} to {high:.3f})"

    def million(self, *key: str) -> str:
        """The same as hits in a million."""
        hits, of = self.hits(*key), self.of(*key)
        if not of:
            return "-"
        low, high = (1e6 * bound for bound in wilson(hits, of))
        return f"{_short(1e6 * hits / of)} ({_short(low)} to {_short(high)})"


def floor(hits: int, of: int) -> str:
    """A share with three digits, rounded down so that 1.000 means all of them."""
    return f"{1000 * hits // of / 1000:.3f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


@dataclass(frozen=True)
class Found:
    """The pairs that a contestant calls the same, as keys of the case; of ours, also direct links and ties by name."""

    copies: Keys
    links: Mapping[str, Keys]  # by what the link claims, one of COPY; a pair may stand twice
    ties: Mapping[str, Keys]  # rescan (same-bag among them), crop
    names: Counter[tuple[str, str]]  # (true kind, kind in the table) of the links
    undecided: Keys


def of_peer(pairs: NDArray[np.int64], size: int) -> Found:
    """What a peer found: places a < b."""
    return Found(pairs[:, 0] * size + pairs[:, 1], {}, {}, Counter(), np.zeros(0, np.int64))


def of_project(case: Case) -> Found:
    """What the tables of the project say: clusters of copies as all pairs inside them, and links."""
    place = {name: i for i, name in enumerate(case.ids)}
    clusters: dict[str, list[int]] = {}
    for row in manifest.read(case.project, "duplicates").to_pylist():
        clusters.setdefault(row["cluster"], []).append(place[row["image_id"]])
    together = [np.array(members)[np.stack(np.triu_indices(len(members), 1))] for members in clusters.values()]
    links: defaultdict[str, list[int]] = defaultdict(list)
    ties: defaultdict[str, list[int]] = defaultdict(list)
    names: Counter[tuple[str, str]] = Counter()
    for row in manifest.read(case.project, "links").to_pylist():
        key = int(_keys(case, np.array([place[row["image_a"]]]), np.array([place[row["image_b"]]]))[0])
        true = int(case.kind_of(np.array([key]))[0])
        names["none" if true < 0 else KINDS[true], row["kind"]] += 1
        if row["kind"] in COPY_KINDS:
            for claim in _claims(row):
                links[claim].append(key)
        else:
            ties["crop" if row["kind"] == "crop" else "rescan"].append(key)
    undecided = [
        (place[row["image_a"]], place[row["image_b"]]) for row in manifest.read(case.project, "undecided").to_pylist()
    ]
    return Found(
        np.unique(np.concatenate([np.zeros(0, np.int64), *(_keys(case, *pair) for pair in together)])),
        {kind: np.array(keys, np.int64) for kind, keys in links.items()},
        {kind: np.array(keys, np.int64) for kind, keys in ties.items()},
        names,
        _keys(case, *np.array(undecided, np.int64).reshape(-1, 2).T),
    )


def _keys(case: Case, a: NDArray[np.int64], b: NDArray[np.int64]) -> Keys:
    return np.asarray(np.minimum(a, b) * len(case) + np.maximum(a, b), np.int64)


def _claims(link: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds of copy for which a link counts, should it be false."""
    if link["kind"] != "transformed":
        return (link["kind"],)
    if link["orientation"].startswith("m"):
        return ("mirrored",)
    return ("resized", "trimmed") if link["orientation"] == "r0" else ("turned",)


def judge(case: Case, name: str, found: Found, shares: Shares) -> None:
    """Add how right `found` is: ("recall", name, kind), ("precision", name, kind), ("false", name, group)."""
    kinds = case.kind_of(found.copies)
    hits = Counter(kinds.tolist())
    true = Counter(case.kinds.tolist())
    for code in _COPY_CODES:
        shares.add("recall", name, KINDS[code], hits=hits[code], of=true[code])
        shares.add("recall", name, "copies", hits=hits[code], of=true[code])
    judged = len(kinds) - hits[_UNJUDGED]
    shares.add("precision", name, "copies", hits=sum(hits[c] for c in _COPY_CODES), of=judged)
    shares.add("precision", name, "any", hits=sum(hits[c] for c in _COPY_CODES + _TIE_CODES), of=judged)
    for claim, keys in found.links.items():
        told = case.kind_of(keys)
        right = int(np.isin(told, _COPY_CODES).sum())
        shares.add("precision", name, claim, hits=right, of=len(keys) - int((told == _UNJUDGED).sum()))
    for kind in ("rescan", "crop"):
        wanted = _by_root(case, case.keys[case.kinds == KINDS.index(kind)], kind)
        held = found.ties.get(kind, np.zeros(0, np.int64))
        pairs = _by_root(
            case, np.concatenate([*found.ties.values(), np.zeros(0, np.int64)]) if found.links else found.copies, kind
        )
        shares.add("recall", name, kind, hits=len(np.intersect1d(wanted, pairs)), of=len(wanted))
        if found.links:
            told = case.kind_of(held)
            judged = (told != _UNJUDGED) & ~_of_edits(case, held)
            shares.add("precision", name, kind, hits=int((told == KINDS.index(kind)).sum()), of=int(judged.sum()))
    for group, keys in _alike(case, found.copies):
        shares.add("false", name, group, hits=len(keys), of=0)
    if found.links:
        for group, keys in _alike(case, np.unique(_all(found.ties))):
            shares.add("false", f"{name}, ties", group, hits=len(keys), of=0)


def rare(case: Case, name: str, found: Found, rate: float, shares: Shares) -> None:
    """Add ("rare", name, rate, precision or recall): as if each kind of copy had been planted at `rate` of the scans.

    Sums over draws of which copies are there. Edited scans are left out.
    """
    copy = np.array([p.kind == "copy" for p in case.pictures], bool)
    scans = sum(p.kind == "scan" for p in case.pictures)
    planted = max(1, round(rate * scans * (len(COPY) - 1)))
    a, b = np.divmod(found.copies, len(case))
    kinds = case.kind_of(found.copies)
    right, unjudged = np.isin(kinds, _COPY_CODES), kinds == _UNJUDGED
    true = np.divmod(case.keys[np.isin(case.kinds, _COPY_CODES)], len(case))
    rng = np.random.default_rng(0)
    for _ in range(_DRAWS):
        there = np.array([p.kind in ("scan", "crop") for p in case.pictures], bool)
        there[rng.permutation(np.flatnonzero(copy))[:planted]] = True
        held = there[a] & there[b]
        hits = int((held & right).sum())
        shares.add("rare", name, str(rate), "precision", hits=hits, of=int((held & ~unjudged).sum()))
        shares.add("rare", name, str(rate), "recall", hits=hits, of=int((there[true[0]] & there[true[1]]).sum()))


def _all(columns: Mapping[str, Keys]) -> Keys:
    return np.concatenate([np.zeros(0, np.int64), *columns.values()])


def _of_edits(case: Case, keys: Keys) -> NDArray[np.bool_]:
    edit = np.array([p.kind == "edit" for p in case.pictures], bool)
    a, b = np.divmod(keys, len(case))
    return np.asarray(edit[a] | edit[b])


def _by_root(case: Case, keys: Keys, kind: str) -> Keys:
    """Pairs of scans and windows, each copy standing for its scan; a window is no party to a rescan."""
    place = {p.path: i for i, p in enumerate(case.pictures)}
    root = np.array([place.get(p.root, i) for i, p in enumerate(case.pictures)], np.int64)
    crop = np.array([p.kind == "crop" for p in case.pictures], bool)
    edit = np.array([p.kind == "edit" for p in case.pictures], bool)
    a, b = np.divmod(keys, len(case))
    kept = ~(edit[a] | edit[b])
    if kind == "rescan":
        kept &= ~(crop[a] | crop[b])
    a, b = root[a[kept]], root[b[kept]]
    return np.unique(_keys(case, a[a != b], b[a != b]))


# --- pairs that look like copies and are none


@dataclass(frozen=True)
class _Codes:
    """What of the scans is compared, in numbers: -1 is unknown, `objects` are bits."""

    scan: NDArray[np.bool_]
    packing: NDArray[np.int64]
    specimens: NDArray[np.int64]
    container: NDArray[np.int64]
    objects: NDArray[np.int64]
    round: NDArray[np.bool_]

    @classmethod
    def of(cls, case: Case) -> _Codes:
        """The codes of all pictures of a case."""
        names = sorted({name for p in case.pictures for name in p.objects})

        def numbered(values: Sequence[Any]) -> NDArray[np.int64]:
            """Equal values have equal numbers; what is empty is -1."""
            seen: dict[Any, int] = {}
            return np.array([seen.setdefault(v, len(seen)) if v else -1 for v in values], np.int64)

        return cls(
            np.array([p.kind == "scan" and p.channel == "colour" for p in case.pictures], bool),
            numbered([p.packing for p in case.pictures]),
            numbered([p.specimens for p in case.pictures]),
            numbered([p.container for p in case.pictures]),
            np.array([sum(1 << names.index(o) for o in p.objects) for p in case.pictures], np.int64),
            np.array([len(p.objects) == 1 and p.objects <= ROUND for p in case.pictures], bool),
        )

    def groups(self, a: NDArray[np.int64] | int, b: NDArray[np.int64]) -> dict[str, NDArray[np.bool_]]:
        """Which pairs are of which group; all are pairs of different scans."""
        every = self.scan[a] & self.scan[b] & ((self.packing[a] != self.packing[b]) | (self.packing[a] < 0))
        return {
            "all": every,
            "pose": every & (self.specimens[a] == self.specimens[b]) & (self.specimens[a] >= 0),
            "container": every
            & (self.container[a] == self.container[b])
            & (self.container[a] >= 0)
            & ((self.objects[a] & self.objects[b]) == 0),
            "round": every & self.round[a] & self.round[b] & (self.objects[a] == self.objects[b]),
        }


def _alike(case: Case, keys: Keys) -> Iterator[tuple[str, Keys]]:
    """The found pairs of each group of look-alikes."""
    a, b = np.divmod(keys, len(case))
    for group, flags in _Codes.of(case).groups(a, b).items():
        yield group, keys[flags]
    yield "edit", np.intersect1d(keys, _edit_pairs(case))


def _edit_pairs(case: Case) -> Keys:
    """Edited scans with the scan and with its copies."""
    by_root: dict[str, list[int]] = {}
    for i, p in enumerate(case.pictures):
        if p.kind in ("scan", "copy"):
            by_root.setdefault(p.root, []).append(i)
    pairs = [(i, j) for i, p in enumerate(case.pictures) if p.kind == "edit" for j in by_root.get(p.root, [])]
    return _keys(case, *np.array(pairs, np.int64).reshape(-1, 2).T)


def look_alikes(case: Case, shares: Shares, names: Sequence[str]) -> None:
    """Add how many pairs each group of look-alikes has."""
    codes = _Codes.of(case)
    counts: Counter[str] = Counter()
    for a in np.flatnonzero(codes.scan):
        for group, flags in codes.groups(int(a), np.arange(a + 1, len(case))).items():
            counts[group] += int(flags.sum())
    counts["edit"] = len(_edit_pairs(case))
    for group, count in counts.items():
        for name in names:
            shares.add("false", name, group, hits=0, of=count)


# --- what each stage loses


def stages(case: Case, shares: Shares, workers: int) -> None:
    """Add the share of true pairs that each stage keeps: ("stage", kind, stage) and ("channel", kind, channel).

    Pairs of pictures with different pixels; of ties, pairs of scans and their windows as they are. The stages are run
    again as they were, up to where pictures are opened; what was verified is in the tables.
    """
    options = whole.Options(workers=workers)
    log = labels.log(case.project)
    table = whole.present(case.project, taxonomy.load(None), log)
    known = Known.of(table, scans.located(case.project, table))
    result = whole.Result({}, len(known))
    speakers = whole._speakers(known, whole._gone(case.project, known, result))
    sketches = whole._sketches(case.project, known, speakers, options, result)
    wanted, kinds = _wanted(case, known, speakers)
    seen = {name: np.zeros(len(wanted), bool) for name in propose.CHANNELS}
    passed = {name: np.zeros(len(wanted), bool) for name in propose.CHANNELS}
    copy = np.isin(kinds, _COPY_CODES)
    cut, filtered = propose._pieces, propose._filtered

    def seeing(pictures: Any, batch: Any, channel: int) -> Any:
        """Note which wanted pairs a channel proposes."""
        seen[propose.CHANNELS[channel]] |= np.isin(wanted, batch.a * len(speakers) + batch.b)
        return cut(pictures, batch, channel)

    def passing(*arguments: Any) -> Any:
        """Note which wanted pairs pass the filters, as copies and as ties."""
        for survivors in filtered(*arguments):
            a, b, _, channels, for_copy, for_tie, for_window, _ = survivors
            kept = a * len(speakers) + b
            as_copy = np.isin(wanted, kept[for_copy | for_window])
            as_tie = np.isin(wanted, kept[for_tie | for_window])
            for bit, name in enumerate(propose.CHANNELS):
                if len(a) and channels[0] >> bit & 1:  # all of one piece are of one channel
                    passed[name] |= np.where(copy, as_copy, as_tie)
            yield survivors

    with (
        mock.patch.object(propose, "_pieces", seeing),
        mock.patch.object(propose, "_filtered", passing),
        whole._folder(case.project) as folder,
    ):
        told = manifest.read(case.project, "masks", ["image_id", "rle"]).to_pylist()
        foregrounds = {known.place[row["image_id"]]: row["rle"] for row in told if row["rle"]}
        whole._proposed(case.project, folder, known, speakers, sketches, foregrounds, options, result)
    proposed, through = np.any(list(seen.values()), axis=0), np.any(list(passed.values()), axis=0)
    linked, joined = _verified(case, known, speakers, wanted, copy)
    for code in np.unique(kinds):
        own = kinds == code
        told = {
            "proposed": proposed,
            "passed": through,
            "verified": linked & through,
            "joined": joined | (linked & ~copy),
        }
        for stage, flags in told.items():
            shares.add("stage", KINDS[code], stage, hits=int(flags[own].sum()), of=int(own.sum()))
        for name, flags in passed.items():
            others = np.any([f for n, f in passed.items() if n != name], axis=0)
            shares.add("channel", KINDS[code], name, hits=int(flags[own].sum()), of=int(own.sum()))
            shares.add("alone", KINDS[code], name, hits=int((flags & ~others)[own].sum()), of=int(own.sum()))


def _wanted(case: Case, known: Known, speakers: Sequence[int]) -> tuple[Keys, NDArray[np.int8]]:
    """The true pairs of speakers, as keys by their places among them, and their kinds."""
    speaker = {known.row(place)["pixel_hash"]: n for n, place in enumerate(speakers)}
    of = np.array([speaker[known.named(name)["pixel_hash"]] for name in case.ids], np.int64)
    plain = np.array([p.kind == "scan" for p in case.pictures], bool)
    crop = np.array([p.kind == "crop" for p in case.pictures], bool)
    a, b = np.divmod(case.keys, len(case))
    rescan = (case.kinds != KINDS.index("rescan")) | (plain[a] & plain[b])
    window = (case.kinds != KINDS.index("crop")) | ((plain | crop)[a] & (plain | crop)[b])
    kept = rescan & window & (case.kinds != _UNJUDGED) & (of[a] != of[b]) & (case.kinds != KINDS.index("same-scan"))
    one, other = of[a[kept]], of[b[kept]]
    keys, first = np.unique(np.minimum(one, other) * len(speakers) + np.maximum(one, other), return_index=True)
    return keys, case.kinds[kept][first]


def _verified(
    case: Case, known: Known, speakers: Sequence[int], wanted: Keys, copy: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the wanted pairs have a link of their sort, and which lie in one cluster of copies."""
    number = {known.ids[place]: n for n, place in enumerate(speakers)}
    links: dict[bool, list[int]] = {True: [], False: []}
    for row in manifest.read(case.project, "links").to_pylist():
        a, b = (number.get(row[end], -1) for end in ("image_a", "image_b"))
        if min(a, b) >= 0:
            links[row["kind"] in COPY_KINDS].append(min(a, b) * len(speakers) + max(a, b))
    cluster = np.arange(-len(speakers), 0)
    names: dict[str, int] = {}
    for row in manifest.read(case.project, "duplicates").to_pylist():
        if row["image_id"] in number:
            cluster[number[row["image_id"]]] = names.setdefault(row["cluster"], len(names))
    a, b = np.divmod(wanted, len(speakers))
    linked = np.where(copy, np.isin(wanted, links[True]), np.isin(wanted, links[False]))
    return linked, copy & (cluster[a] == cluster[b])
