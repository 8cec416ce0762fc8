"""What the parts hold: contradicting labels of one picture, classes that a part lacks, and drift between parts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xqdata import groups
from xqdata.audit.chance import FEWEST, RARE, against, held, sample, sampled, table, variation
from xqdata.audit.finding import MEDIUM, Evidence, Finding
from xqdata.audit.material import Flags, Material
from xqdata.audit.telling import Found, count, listed
from xqdata.dedup.cluster import contradict
from xqdata.groups import Ints
from xqdata.schema import COPY_KINDS
from xqdata.splits.request import parts_called

# Pictures of one moment show one thing: copies, the views and energies of one pass, and a bag that was not unpacked.
_SAME = (*COPY_KINDS, "same-scan", "rescan")
_WORDS = {"objects": "class", "scan_type": "scan type"}
# Parts whose contents differ by less than this share of their images are much alike, however surely they differ.
_DRIFT = 0.05


def conflicts(material: Material) -> Iterator[Found]:
    """Images of one picture, or of one moment, that are said to show different things, whichever parts they lie in."""
    rows = np.arange(len(material.part))
    cluster = groups.components(len(rows), [material.tie(*_SAME), material.copy_tie])
    several = (np.bincount(cluster[material.has_part], minlength=len(rows)) > 1)[cluster] & material.has_part
    held = np.flatnonzero(several)
    told = material.images["objects"].take(pa.array(held)).to_pylist()
    objects = dict(zip(held.tolist(), told, strict=True))
    pairs = [
        (a, b) if material.part[a] <= material.part[b] else (b, a)
        for together in _apart(held, cluster[held])
        for a, b in combinations(together, 2)
        if contradict((objects[a] or (), objects[b] or ()))
    ]
    if not pairs:
        return
    wrong = np.zeros(len(rows), bool)
    wrong[np.array(pairs).ravel()] = True
    test, other = _counted(material, wrong)
    ids = material.ids
    shown = [
        Evidence("conflict", ids[a], ids[b], f"{_spelled(objects[a])} or {_spelled(objects[b])}") for a, b in pairs
    ]
    sentence = (
        f"{count(int(wrong.sum()), 'image')} of one picture or one moment are said to show different things "
        f"({count(len(pairs), 'pair')}); at most one label is right: look at the pairs, and correct the labels"
    )
    yield Finding("conflict", MEDIUM, test, other, len(pairs), sentence), shown


def _apart(rows: Ints, cluster: Ints) -> list[list[int]]:
    """`rows`, ascending, by cluster, the clusters in the order of their first rows."""
    order = np.argsort(cluster, kind="stable")
    cuts = np.flatnonzero(np.diff(cluster[order])) + 1
    return sorted(members.tolist() for members in np.split(rows[order], cuts)) if len(rows) else []


def _spelled(objects: list[str] | None) -> str:
    return " and ".join(objects or ())


def _counted(material: Material, rows: Flags) -> tuple[int, int]:
    """Images of the test side and of the others among `rows`."""
    return int((rows & material.tested).sum()), int((rows & material.against).sum())


def missing(material: Material) -> Iterator[Found]:
    """Classes and scan types that one part holds and another lacks."""
    for column, word in _WORDS.items():
        rows, value, names, several = _classes(material) if column == "objects" else (*_values(material, column), 0)
        part = material.part[rows]
        has = np.zeros((len(names), len(material.sides.names)), bool)
        has[value, part] = True
        lacking = np.flatnonzero(~has.all(axis=1))
        if not len(lacking):
            continue
        told = ", ".join(_lacks(part, names, has[:, p], word) for p, part in enumerate(material.sides.names))
        images = np.zeros(len(material.part), bool)
        images[rows[np.isin(value, lacking)]] = True
        test, other = _counted(material, images)
        intended = _intended(material, column)
        told += f" ({count(several, 'image')} of several objects not counted)" if several else ""
        advice = "what a part lacks is not learnt there, or not tested: split with more images, or with other --parts"
        if intended:
            advice = "the split was asked for this, so its score is one for what training never saw"
        finding = Finding(f"missing-{column}", MEDIUM, test, other, 0, f"{told}; {advice}", intended)
        yield finding, []


def _classes(material: Material) -> tuple[Ints, Ints, list[str], int]:
    """As `_values`, of the classes as the split balanced them, and how many images do not count: those of several
    objects, unless it was asked to count them in each class, or nobody knows and they are most.
    """
    stratify = material.claims.stratify
    many = pc.greater(pc.list_value_length(material.images["objects"]), 1).fill_null(False).to_numpy()
    several = int((many & material.has_part).sum())
    if "objects" in stratify or (not stratify and 2 * several > int(material.has_part.sum())):
        return *_values(material, "objects"), 0
    return *_values(material, "object"), several


def _lacks(part: str, names: list[str], has: Flags, word: str) -> str:
    lacking = [name for name, held in zip(names, has.tolist(), strict=True) if not held]
    if not lacking:
        return f"{parts_called([part])} has every {word}"
    return f"{parts_called([part])} lacks {len(lacking):,} of {count(len(names), word)} ({listed(lacking)})"


def _intended(material: Material, column: str) -> bool:
    """Whether the split was asked to put values of this column into one part only."""
    claims = material.claims
    named = {*claims.axes, *(["object"] if "objects" in claims.axes else [])}
    words = (column, column.removesuffix("s"))
    return any(word in named or (claims.test_where is not None and word in claims.test_where) for word in words)


def drift(material: Material, seed: int) -> Iterator[Found | str]:
    """Whether parts hold classes and scan types in other shares than whole components dealt by chance would."""
    for column, word in (("object", "objects"), ("scan_type", "scan types")):
        rows, value, _ = _values(material, column)
        family = material.families(rows)
        some = sample(family, seed)
        side = (material.part[rows] if material.sides.rotates else material.tested[rows].astype(np.int64))[some]
        value = value[some]
        counted = held(family[some], value)
        if counted.components < FEWEST or len(np.unique(side)) < 2:
            yield f"drift of {word} was not looked at: {counted.components} components are too few"
            continue
        observed = variation(_by_side(side, value))
        sizes = np.bincount(counted.component, counted.count)
        ends = np.cumsum(np.bincount(side))

        def deal(dice: np.random.Generator, c=counted, s=sizes, e=ends) -> float:  # type: ignore[no-untyped-def]
            order = dice.permutation(len(s))
            middle = np.empty(len(s))
            middle[order] = np.cumsum(s[order]) - s[order] / 2
            return variation(table(c, np.searchsorted(e[:-1], middle, side="right")))

        found = against(observed, deal, seed)
        told = f"{word} of {found.found:.1%} of the images are not as in all parts, by chance of {found.chance:.1%}"
        told += sampled(family, counted.components)
        if found.p > RARE or found.found < _DRIFT:
            yield f"no drift of {word}: {told}"
            continue
        intended = _intended(material, column)
        advice = "the split was asked for this" if intended else f"split with --stratify {column} to hold them alike"
        images = np.zeros(len(material.part), bool)
        images[rows] = True
        sentence = f"{told} (p {found.p:.3f}); {advice}"
        yield Finding(f"drift-{column}", MEDIUM, *_counted(material, images), 0, sentence, intended), []


def _by_side(side: Ints, value: Ints) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    counts = np.zeros((int(side.max()) + 1, int(value.max()) + 1))
    np.add.at(counts, (side, value), 1)
    return counts


def _values(material: Material, column: str) -> tuple[Ints, Ints, list[str]]:
    """Rows that have a part, the number of the value that each holds (one row for each of several), and their names."""
    ties = material.column(column)
    names = ties.names.to_pylist()
    order = np.argsort(pc.array_sort_indices(ties.names).to_numpy()) if names else np.zeros(0, np.int64)
    return ties.image, order[ties.value].astype(np.int64), sorted(names)
