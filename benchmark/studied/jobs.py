"""What is trained on what: every comparison as pairs of trainings of equal size and class mix, judged on the same
images where the comparison is paired.

A draw depends on the split seed and the training seed alone, so that jobs can be made in any order and on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xqdata_benchmark.samples import Samples

from xqdata import manifest
from xqdata.manifest import Project

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

SPECIMENS = (1, 2, 4, 12)
FOLDS = 5
COPIED = (0.0, 0.1, 0.2, 0.4)
_TESTED_SPECIMENS = 4  # of a class, at most: the others are in training on both sides
_TESTED_EACH = 8  # images of each of them
_TYPE_TRAINING = 100  # images of a class where scan types are held out: there are 14 trainings in a round
_COPY_TRAINING = 60  # images of a class on the copies' axis
_COPY_TESTED = 40
_DRAW = {"splits": 1, "types": 2, "specimens": 3, "copies": 4, "rescans": 5}


@dataclass(frozen=True)
class Job:
    """One training and what it is tested on: (samples,) flags. `part`: the comparison; `condition`: which side of it;
    `level`: where on its axis, or the fold that is tested.
    """

    part: str
    condition: str
    level: str
    split_seed: int
    seed: int
    train: Flags
    test: Flags

    @property
    def name(self) -> str:
        """A file's name."""
        return f"{self.part}-{self.condition}-{self.level or 'all'}-{self.split_seed}-{self.seed}"


@dataclass(frozen=True)
class World:
    """Samples of a world and what its tables say of each."""

    project: Project
    data: Samples

    def part(self, split: str) -> NDArray[np.object_]:
        """(n,) the part of each sample in a split; empty where it has none, or follows the image kept of its copies."""
        table = manifest.read(self.project, f"splits/{split}", ["image_id", "part", "reason"])
        place = pc.index_in(pa.array(self.data.ids), table["image_id"].combine_chunks())
        part = pc.fill_null(table["part"].take(place), "")
        copy = pc.starts_with(pc.fill_null(table["reason"].take(place), ""), "copy of ")
        return np.where(copy.to_numpy(zero_copy_only=False), "", np.array(part.to_pylist(), object))

    @cached_property
    def number(self) -> Ints:
        """(n,) the place of each sample among all images of the world by their ids, whatever recipe takes them."""
        ids = manifest.read(self.project, "images", ["image_id"])["image_id"].to_numpy()
        return np.searchsorted(np.sort(ids), np.array(self.data.ids, object))

    @cached_property
    def cluster(self) -> Ints:
        """(n,) the cluster of copies that a sample is in, or -1."""
        return np.asarray(self.data.material.copies[self.data.rows], np.int64)

    @cached_property
    def first(self) -> Flags:
        """(n,) whether it is neither a copy of another sample nor a later pass of its bag."""
        found = self.known.copy()
        when = np.array(self.data.values("scan_id"), object)
        for mine in _groups(self.bag, found):
            found[mine[np.argsort(when[mine].astype(str))[1:]]] = False
        return found

    @cached_property
    def known(self) -> Flags:
        """(n,) whether the log has a row of it: copies that somebody made have none."""
        return np.array([value is not None for value in self.data.values("bag")])

    @cached_property
    def bag(self) -> Ints:
        """(n,) a number for each bag; -1 where it is not known."""
        return _numbered(self.data.values("bag"))

    @cached_property
    def specimen(self) -> Ints:
        """(n,) a number for each specimen, of samples that show exactly one; -1 for others."""
        lists = self.data.material.images["specimens"].take(pa.array(self.data.rows)).to_pylist()
        return _numbered([one[0] if one is not None and len(one) == 1 else None for one in lists])

    @cached_property
    def scan_type(self) -> NDArray[np.object_]:
        """(n,) scan types, empty where not known."""
        return np.array([value or "" for value in self.data.values("scan_type")], object)


def splits(world: World, s: int, t: int) -> Iterator[Job]:
    """(a) the study's random split and (b) the leakage-safe one, with as many training images of each class.

    Each has five folds: one is tested, the others train. So every image is tested once on both sides.
    """
    parts = {name: world.part(f"{name}-{s}") for name in ("random", "safe")}
    for fold in range(FOLDS):
        rng = np.random.default_rng([_DRAW["splits"], fold, t, s])
        trains = _equal(world.data.label, {name: _train(part, fold) for name, part in parts.items()}, rng)
        for name, part in parts.items():
            yield Job("splits", name, str(fold), s, t, trains[name], part == str(fold))


def types(world: World, s: int, t: int) -> Iterator[Job]:
    """(c) each scan type held out of the safe split's training, and a training of the same size that holds all of them.

    All have the same number of images of each class. A training without a scan type is tested on images of that scan
    type, the one with all of them on all images. `s` is the fold of the first safe split that is tested.
    """
    rng = np.random.default_rng([_DRAW["types"], s, t])
    part, kinds = world.part("safe-0"), sorted(set(world.scan_type.tolist()) - {""})
    train, test = _train(part, s), part == str(s)
    held = {kind: train & (world.scan_type != kind) for kind in kinds if (test & (world.scan_type == kind)).any()}
    trains = _equal(world.data.label, {"": train, **held}, rng, most=_TYPE_TRAINING)
    yield Job("types", "with", "", s, t, trains[""], test & np.isin(world.scan_type, list(held)))
    for kind in held:
        yield Job("types", "without", kind, s, t, trains[kind], test & (world.scan_type == kind))


def specimens(world: World, s: int, t: int) -> Iterator[Job]:
    """The gap against specimens of a class in training, whose number of images stays what half a specimen gives."""
    return _siblings(world, "specimens", s, t, _shares)


def scans(world: World, s: int, t: int) -> Iterator[Job]:
    """The same where every specimen brings as many images, so that training grows with their number."""
    return _siblings(world, "scans", s, t, lambda count, among: [count] * among)


def _siblings(world: World, part: str, s: int, t: int, shares: Callable[[int, int], list[int]]) -> Iterator[Job]:
    """Tested are other scans of up to four of the specimens in training. On the other side, these four are replaced by
    four that are not tested. No image of a training is a copy or another pass of a tested one.

    `shares`: from half a specimen's images and the number of specimens to the images of each.
    """
    # The same specimens and images in both parts, so that where one specimen is known they are one training.
    rng = np.random.default_rng([_DRAW["specimens"], s, t])
    label, own = world.data.label, world.first & (world.specimen >= 0)
    by_class = [
        [rng.permutation(mine) for mine in rng_shuffled(rng, _groups(world.specimen, own & (label == k)))]
        for k in range(len(world.data.classes))
    ]
    count = int(min(np.median([len(mine) for mine in of]) for of in by_class)) // 2
    for level in SPECIMENS:
        tested = min(level, _TESTED_SPECIMENS)
        test, with_, without = (np.zeros(len(world.data), bool) for _ in range(3))
        for of in by_class:
            for place, (mine, share) in enumerate(zip(of[:level], shares(count, level), strict=True)):
                if place >= tested:
                    with_[mine[:share]] = without[mine[:share]] = True
                    continue
                with_[mine[:share]] = True
                test[mine[share : share + _TESTED_EACH]] = True
                without[of[level + place][:share]] = True
        yield Job(part, "with", str(level), s, t, with_, test)
        yield Job(part, "without", str(level), s, t, without, test)


def copies(world: World, s: int, t: int) -> Iterator[Job]:
    """The gap against the share of test images that have a copy in training, of a training of the same size."""
    pairs = {}
    for mine in _groups(world.cluster, np.ones(len(world.data), bool)):
        own, twins = mine[world.first[mine]], mine[~world.known[mine]]
        if len(own) == 1 and len(twins):
            pairs[int(own[0])] = twins
    return _twins(world, "copies", pairs, s, t)


def rescans(world: World, s: int, t: int) -> Iterator[Job]:
    """The same for the share of test images whose bag was scanned again."""
    pairs = {}
    for mine in _groups(world.bag, world.known):
        first = mine[world.first[mine]]
        if len(mine) > 1:
            pairs[int(first[0])] = mine[~world.first[mine]]
    return _twins(world, "rescans", pairs, s, t)


def _twins(world: World, part: str, pairs: dict[int, Ints], s: int, t: int) -> Iterator[Job]:
    """Tested are images of half the specimens that have a twin; twins take the place of others in training."""
    rng = np.random.default_rng([_DRAW[part], s, t])
    label = world.data.label
    half = np.zeros(int(world.specimen.max()) + 1, bool)
    for k in range(len(world.data.classes)):
        held = np.unique(world.specimen[(label == k) & (world.specimen >= 0)])
        half[rng.permutation(held)[: len(held) // 2]] = True
    inside = (world.specimen >= 0) & half[world.specimen]
    wanted, strangers = [], []
    for k in range(len(world.data.classes)):
        own = np.array([at for at in pairs if inside[at] and label[at] == k], np.int64)
        wanted.append(rng.permutation(own)[:_COPY_TESTED])
        others = np.flatnonzero(world.first & (world.specimen >= 0) & ~inside & (label == k))
        strangers.append(rng.permutation(others))
    tested = min(len(mine) for mine in wanted)
    size = min(_COPY_TRAINING, *(len(mine) for mine in strangers))
    test = _flags(world, np.concatenate([mine[:tested] for mine in wanted]))
    for level in COPIED:
        train = []
        for mine, others in zip(wanted, strangers, strict=True):
            twins = [int(rng.choice(pairs[int(at)])) for at in mine[: round(level * tested)]]
            train += [*twins, *others[: size - len(twins)].tolist()]
        condition = "with" if level else "without"
        yield Job(part, condition, f"{level:g}", s, t, _flags(world, np.array(train)), test)


PARTS = {
    "splits": splits, "specimens": specimens, "copies": copies, "rescans": rescans, "scans": scans, "types": types,
}  # fmt: skip
WORLD_OF = {part: "study" if part in ("splits", "types") else "families" for part in PARTS}


def rng_shuffled(rng: np.random.Generator, groups: Sequence[Ints]) -> list[Ints]:
    """The groups in another order."""
    return [groups[i] for i in rng.permutation(len(groups))]


def _equal(
    label: Ints, trains: dict[str, Flags], rng: np.random.Generator, most: int | None = None
) -> dict[str, Flags]:
    """Of each training as many images of each class as the one that has the fewest, and not more than `most`."""
    found = {name: np.zeros(len(label), bool) for name in trains}
    for k in np.unique(label):
        held = {name: np.flatnonzero(flags & (label == k)) for name, flags in trains.items()}
        count = min(*(len(mine) for mine in held.values()), most or len(label))
        for name, mine in held.items():
            found[name][rng.permutation(mine)[:count]] = True
    return found


def _train(part: NDArray[np.object_], fold: int) -> Flags:
    return np.asarray((part != "") & (part != str(fold)))


def _shares(count: int, among: int) -> list[int]:
    """`count` in `among` nearly equal shares, the greater ones first."""
    return [count // among + (place < count % among) for place in range(among)]


def _groups(number: Ints, among: Flags) -> list[Ints]:
    """The positions `among` of each number that is not negative."""
    rows = np.flatnonzero(among & (number >= 0))
    order = rows[np.argsort(number[rows], kind="stable")]
    return [g for g in np.split(order, np.flatnonzero(np.diff(number[order])) + 1) if len(g)]


def _numbered(values: Sequence[str | None]) -> Ints:
    names = {name: k for k, name in enumerate(sorted({v for v in values if v is not None}))}
    return np.array([-1 if value is None else names[value] for value in values], np.int64)


def _flags(world: World, rows: Ints) -> Flags:
    found = np.zeros(len(world.data), bool)
    found[rows] = True
    return found
