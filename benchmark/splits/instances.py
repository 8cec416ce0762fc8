"""Datasets to split, as arrays: each image's class (or cell) and group. The same seed gives the same instance.

The shape is the quarantine study's: 11,517 images, 21 objects x 13 scan types = 273 cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

IMAGES, OBJECTS, SCAN_TYPES = 11_517, 21, 13
FOLDS = (1, 1, 1, 1, 1)
PARTS = (14, 3, 3)


@dataclass(frozen=True)
class Instance:
    """`y`: (images,) the class, `g`: (images,) the group; `shares`: whole numbers, one for each part."""

    name: str
    y: Ints
    g: Ints
    shares: tuple[int, ...]

    @property
    def told(self) -> str:
        """What it is, in a few words."""
        groups, classes = len(np.unique(self.g)), len(np.unique(self.y))
        parts = "5 folds" if self.shares == FOLDS else "70/15/15"
        return f"{self.name}: {len(self.y):,} images, {groups:,} groups, {classes} classes, {parts}"


def instances(seed: int = 0, most: int = 100_000) -> Iterator[Instance]:
    """The instances of the table; those of more than `most` groups are left out."""
    for shares in (FOLDS, PARTS):
        yield Instance("specimens, mixed", *specimens(seed, 252), shares)
        yield Instance("specimens by object, pure", *specimens(seed, 252, cells=False), shares)
        yield Instance("bursts, pure", *bursts(seed, 3_833, pure=True), shares)
        yield Instance("bursts, mixed", *bursts(seed, 3_833, pure=False), shares)
        yield Instance("near-singletons, pure", *bursts(seed, 9_329, pure=True), shares)
        for groups in (100, 1_000, 10_000, 100_000):
            if groups <= most:
                classes = 50 if groups >= 1_000 else 10
                yield Instance("groups of 1 to 20, pure", *plain(seed, groups, classes, pure=True), shares)
                yield Instance("groups of 1 to 20, mixed", *plain(seed, groups, classes, pure=False), shares)


def specimens(seed: int, count: int, cells: bool = True) -> tuple[Ints, Ints]:
    """Each specimen of an object is scanned several times in every scan type; the class is the cell, or the object."""
    random = np.random.default_rng(seed)
    specimen = random.integers(0, count, IMAGES)
    scan_type = random.integers(0, SCAN_TYPES, IMAGES)
    kind = specimen % OBJECTS
    return (kind * SCAN_TYPES + scan_type if cells else kind), specimen


def bursts(seed: int, count: int, pure: bool) -> tuple[Ints, Ints]:
    """Groups of neighbouring shots, `count` of them; of one cell, or of any."""
    random = np.random.default_rng(seed)
    group = np.concatenate([np.arange(count), random.integers(0, count, IMAGES - count)])
    cells = OBJECTS * SCAN_TYPES
    return (random.integers(0, cells, count)[group] if pure else random.integers(0, cells, IMAGES)), group


def plain(seed: int, count: int, classes: int, pure: bool) -> tuple[Ints, Ints]:
    """`count` groups of 1 to 20 images, of one class or of any."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(count), random.integers(1, 21, count))
    return (random.integers(0, classes, count)[group] if pure else random.integers(0, classes, len(group))), group


@dataclass(frozen=True)
class TwoAxes:
    """Images with a component and a level: `kind` is the class."""

    name: str
    component: Ints
    level: Ints
    kind: Ints
    shares: tuple[int, ...]


def two_axes(seed: int) -> Iterator[TwoAxes]:
    """Instances that a MILP can solve: few components, few levels, crossing wholly or in part."""
    random = np.random.default_rng(seed)
    for components, levels, images, wholly in (
        (12, 4, 100, True),
        (14, 5, 120, True),
        (20, 5, 200, True),
        (30, 5, 300, True),
        (20, 6, 200, False),
        (30, 6, 300, False),
        (60, 8, 300, False),
    ):
        for shares in ((4, 1), PARTS):
            component = random.integers(0, components, images)
            level = random.integers(0, levels, images)
            if not wholly:
                level = (component + random.integers(0, 3, images)) % levels
            component = np.unique(component, return_inverse=True)[1]
            level = np.unique(level, return_inverse=True)[1]
            how = "wholly" if wholly else "partly"
            name = f"{components} components x {levels} levels, {images} images, {how} crossing"
            yield TwoAxes(name, component, level, component % 4, shares)
