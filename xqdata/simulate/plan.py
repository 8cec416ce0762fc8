"""Which specimens are scanned when, how and in what: the laboratory's diary, drawn before any picture is made.

Specimens of three kinds of object form a pool, and mixed scans draw from one pool only. So the specimens fall into
components that a split can keep apart; where `chained`, they draw from all and there is one component.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import numpy as np

from xqdata.simulate.settings import Settings, scan_types
from xqdata.taxonomy import load

# One independent stream of random numbers for each purpose, so that a new fault leaves all pictures as they are.
POOLS, SCANS, SESSIONS, FAULTS, SPECIMEN, CONTAINER, PACKING, PASS, MACHINE, CLUTTER = range(10)

KINDS_IN_POOL = 3
SESSION_SCANS = 40
BASKETS, CARRIERS = 4, 6
_OPERATORS = ("A. Kim", "B. Rossi", "C. Okafor")
_FIRST_DAY = datetime(2025, 3, 3, 9)
# Serial number, kV, mA: two machines of one model, the second one older.
SCANNERS = (("SIM-0001", 160.0, 0.7), ("SIM-0002", 140.0, 1.0))


@dataclass(frozen=True)
class Specimen:
    """One physical object. `key`: the random stream that draws it. `pool`: -1 for one bought for a single packing."""

    name: str
    object: str
    key: tuple[int, ...]
    pool: int


@dataclass(frozen=True)
class Scan:
    """One pass of one packing through one scanner.

    `number`: running number, from 1. `object`: in whose folder it is filed. `packing`: which arrangement of specimens,
    container and belongings; a rescan has that of the scan before, and `again` counts the passes. `wrong_label`: the
    object whose folder it should not be in, where a label is wrong.
    """

    number: int
    object: str
    scan_type: str
    specimens: tuple[Specimen, ...]
    container: int
    packing: int
    again: int = 0
    session: int = 0
    scanner: int = 0
    operator: str = ""
    series: int = 0
    at: datetime = _FIRST_DAY
    wrong_label: str | None = None
    overlay: bool = False
    misnamed: bool = False

    @property
    def objects(self) -> tuple[str, ...]:
        """The true classes in the scan, each once."""
        return tuple(dict.fromkeys(s.object for s in self.specimens))

    @property
    def told_object(self) -> str:
        """The class whose folder it is filed in."""
        return self.wrong_label or self.object


def rng(settings: Settings, purpose: int, *key: int) -> np.random.Generator:
    """The random numbers of one purpose and thing."""
    return np.random.default_rng([settings.seed, purpose, *key])


@cache
def objects() -> tuple[str, ...]:
    """The 21 objects of the reference taxonomy."""
    return tuple(load(None).objects)


def plan(settings: Settings) -> list[Scan]:
    """Every scan, in the order in which it was made."""
    scans = _with_rescans(settings, _in_sessions(settings, list(_base(settings))))
    return _befallen(settings, _dated(settings, scans))


@dataclass(frozen=True)
class _Pool:
    """Which objects' specimens are packed together, and those specimens by object."""

    number: int
    members: dict[str, tuple[Specimen, ...]]


def _pools(settings: Settings) -> list[_Pool]:
    """Each specimen is in one pool; each pool holds an equal share of the specimens of three objects."""
    names = objects()
    share = max(1, min(3, settings.specimens // 4))
    draw = rng(settings, POOLS)
    pools: list[_Pool] = []
    serials = iter(draw.permutation(len(names) * settings.specimens) + 1)
    for start in range(0, settings.specimens, share):
        order = [names[i] for i in draw.permutation(len(names))]
        for first in range(0, len(names), KINDS_IN_POOL):
            number = len(pools)
            members = {
                name: tuple(
                    Specimen(f"S{next(serials):05}", name, (names.index(name), k), number)
                    for k in range(start, min(start + share, settings.specimens))
                )
                for name in order[first : first + KINDS_IN_POOL]
            }
            pools.append(_Pool(number, members))
    return pools


def _base(settings: Settings) -> Iterator[Scan]:
    """The scans of every cell of objects and scan types, evenly over the pools; not yet in their order."""
    names, kinds = objects(), scan_types()
    pools = _pools(settings)
    draw = rng(settings, SCANS)
    used: Counter[tuple[str, str]] = Counter()
    cells = [(name, kind) for name in names for kind in kinds if kind in (settings.scan_types or kinds)]
    extra = set(draw.permutation(len(cells))[: settings.scans % len(cells)].tolist())
    turns: Counter[tuple[str, str]] = Counter()
    packing = 0
    for index, (name, kind) in enumerate(cells):
        own = [pool for pool in pools if name in pool.members]
        for _ in range(settings.scans // len(cells) + (index in extra)):
            factors = kinds[kind].factors
            # Each scan type starts at another pool, so that few scans of a cell do not all come from the first.
            turn = turns[name, "pool"]
            turns[name, "pool"] += 1
            pool = own[turn % len(own)]
            chosen = _chosen(settings, draw, pools, pool, name, factors["multiplicity"], used, packing)
            for specimen in chosen:
                used[specimen.name, kind] += 1
                used[specimen.name, ""] += 1
            container = int(draw.integers({"basket": BASKETS, "carrier": CARRIERS}.get(factors["container"], 1)))
            yield Scan(0, name, kind, chosen, container, packing)
            packing += 1


def _chosen(
    settings: Settings,
    draw: np.random.Generator,
    pools: Sequence[_Pool],
    pool: _Pool,
    name: str,
    multiplicity: str,
    used: Counter[tuple[str, str]],
    packing: int,
) -> tuple[Specimen, ...]:
    """What is scanned: the specimen that was scanned least, and where there are several, more of the same pool."""
    own = sorted(pool.members[name], key=lambda s: (used[s.name, ""], s.name))
    if multiplicity == "single":
        return (own[0],)
    if multiplicity == "mixed":
        others = [
            m for p in (pools if settings.chained else [pool]) for n, ms in p.members.items() if n != name for m in ms
        ]
        first = others[int(draw.integers(len(others)))]
        rest = [m for m in others if m.object != first.object]
        second = (rest[int(draw.integers(len(rest)))],) if rest and draw.random() < 0.5 else ()
        return (own[0], first, *second)
    wanted = int(draw.integers(2, 6))
    known = own[: min(len(own), wanted)]
    fresh = [_bought(name, packing, n) for n in range(max(0, min(wanted, 4) - len(known)))] if len(known) < 2 else []
    return (*known, *fresh)


def _bought(name: str, packing: int, number: int) -> Specimen:
    """A specimen that is scanned in one packing only, where the pool has too few for several of one kind."""
    return Specimen(f"X{packing:06}-{number}", name, (objects().index(name), 1_000_000 + packing, number), -1)


def _in_sessions(settings: Settings, scans: Sequence[Scan]) -> list[list[Scan]]:
    """Sittings of up to SESSION_SCANS scans of one object from one pool, in the order of their days."""
    together: dict[tuple[int, str], list[Scan]] = {}
    for scan in scans:
        together.setdefault((scan.specimens[0].pool, scan.object), []).append(scan)
    sittings = [part for key in sorted(together) for part in _portions(together[key])]
    order = rng(settings, SESSIONS).permutation(len(sittings))
    return [sittings[i] for i in order]


def _portions(scans: list[Scan]) -> list[list[Scan]]:
    count = -(-len(scans) // SESSION_SCANS)
    size = -(-len(scans) // count)
    return [scans[i : i + size] for i in range(0, len(scans), size)]


def _with_rescans(settings: Settings, sittings: list[list[Scan]]) -> list[list[Scan]]:
    """The same bags, not unpacked, sent through again one to three scans later."""
    draw = rng(settings, FAULTS, 0)
    total = sum(map(len, sittings))
    again = set(draw.permutation(total)[: settings.rates.count("rescans", total)].tolist())
    result, index = [], 0
    for sitting in sittings:
        places = [(float(i), scan) for i, scan in enumerate(sitting)]
        for place, scan in enumerate(sitting):
            if index in again:
                places.append((place + int(draw.integers(1, 4)) - 0.5, replace(scan, again=1)))
            index += 1
        result.append([scan for _, scan in sorted(places, key=lambda p: p[0])])
    return result


def _dated(settings: Settings, sittings: Sequence[Sequence[Scan]]) -> list[Scan]:
    """Running numbers, times, series, machines and operators."""
    draw = rng(settings, SESSIONS, 1)
    confounded = set(np.array(objects())[draw.permutation(21)[: settings.confounded]].tolist())
    first = dict(zip(objects(), draw.integers(2, size=len(objects())), strict=True))
    turns: Counter[str] = Counter()
    scans: list[Scan] = []
    series = 0
    for number, sitting in enumerate(sittings):
        # In turns, so that only the confounded classes are seen by one machine alone.
        turns[sitting[0].object] += 1
        scanner = (
            1 if sitting[0].object in confounded else (turns[sitting[0].object] + int(first[sitting[0].object])) % 2
        )
        operator = _OPERATORS[int(draw.integers(len(_OPERATORS)))]
        at = _FIRST_DAY + timedelta(
            days=number // 3 + number // 15 * 2, hours=number % 3 * 3, minutes=float(draw.uniform(0, 40))
        )
        before = None
        for scan in sitting:
            at += timedelta(seconds=round(float(draw.uniform(25, 120))))
            what = (scan.scan_type, scan.specimens)
            series += what != before
            before = what
            scans.append(replace(scan, number=len(scans) + 1, session=number + 1, scanner=scanner, operator=operator,
                                 series=series, at=at.replace(microsecond=0)))  # fmt: skip
    return scans


def _befallen(settings: Settings, scans: list[Scan]) -> list[Scan]:
    """Wrong labels, burnt-in text and wrong file endings, each on as many first passes as asked for."""
    draw = rng(settings, FAULTS, 1)
    first = [i for i, scan in enumerate(scans) if scan.again == 0]
    plain = [i for i in first if scan_types()[scans[i].scan_type].factors["multiplicity"] != "mixed"]
    names = objects()
    for i in _some(draw, plain, settings.rates.count("wrong_labels", settings.scans)):
        others = [name for name in names if name != scans[i].object]
        scans[i] = replace(scans[i], wrong_label=others[int(draw.integers(len(others)))])
    for i in _some(draw, first, settings.rates.count("overlays", settings.scans)):
        scans[i] = replace(scans[i], overlay=True)
    for i in _some(draw, first, settings.rates.count("misnamed", settings.scans)):
        scans[i] = replace(scans[i], misnamed=True)
    return scans


def _some(draw: np.random.Generator, among: Sequence[int], count: int) -> list[int]:
    return sorted(np.asarray(among, int)[draw.permutation(len(among))[:count]].tolist())
