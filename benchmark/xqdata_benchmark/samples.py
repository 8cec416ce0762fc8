"""What a run learns from and is tested on: the images of a split, their labels, parts and families, and what was left
out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import manifest, scans
from xqdata.audit.copies import copies_and_ties
from xqdata.audit.finding import HIGH
from xqdata.audit.identity import columns, conditions
from xqdata.audit.material import Material, gather
from xqdata.errors import InputError
from xqdata.groups import Ints
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy
from xqdata_benchmark.recipe import Recipe

Flags = NDArray[np.bool_]

# Beyond what the audit reads: to open scans, and to know what they are.
_COLUMNS = (*scans.COLUMNS, "pixel_hash", "view", "channel", "channels", "phash", "content_box")
_COPY = "copy of "


@dataclass(frozen=True)
class Samples:
    """n samples, each a row of `images` or, with dual energy, a pair of rows.

    `rows`: (n,) rows of `material.images`, the high energy's where a sample is a pair; `low`: (n,) the other row, or
    None. `truth`: (n, classes) bool, exactly one true in each row unless the task is multilabel. `part`: (n,) number of
    the part in `material.sides.names`. `copy`: (n,) whether it follows the image that is kept of its copies. `family`:
    (n,) component, joined by what these samples share. `left_out`: why, and how many images.
    """

    material: Material
    rows: Ints
    low: Ints | None
    truth: Flags
    classes: tuple[str, ...]
    part: Ints
    copy: Flags
    family: Ints
    left_out: dict[str, int]
    task: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def label(self) -> Ints:
        """(n,) the number of the class, of samples with exactly one."""
        return np.asarray(self.truth.argmax(1), np.int64)

    @property
    def ids(self) -> list[str]:
        """(n,) image ids."""
        return [self.material.ids[row] for row in self.rows.tolist()]

    @property
    def components(self) -> list[str]:
        """(n,) the id of the first image of each sample's component."""
        return [self.material.ids[row] for row in self.family.tolist()]

    def only(self, keep: Flags, why: str = "") -> Samples:
        """Some of the samples; with `why`, the others are counted as left out."""
        low = None if self.low is None else self.low[keep]
        rows, part = self.rows[keep], self.part[keep]
        left_out = dict(self.left_out)
        if why and not keep.all():
            left_out[why] = left_out.get(why, 0) + int((~keep).sum())
        family = self.family[keep]
        return replace(
            self, rows=rows, low=low, truth=self.truth[keep], part=part, copy=self.copy[keep], family=family,
            left_out=left_out,
        )  # fmt: skip

    def values(self, column: str) -> list[str | None]:
        """(n,) a column of `images`."""
        found: list[str | None] = self.material.images[column].take(pa.array(self.rows)).to_pylist()
        return found


@dataclass(frozen=True)
class Turn:
    """One training and one test: (samples,) flags. `name`: the fold that is tested, or empty."""

    name: str
    train: Flags
    val: Flags
    test: Flags


def leaks(material: Material) -> list[str]:
    """What is wrong with the split, a line for each finding of severity high, the most images first."""
    found = [
        f for f in (*copies_and_ties(material), *columns(material), *conditions(material)) if not isinstance(f, str)
    ]
    high = sorted((f for f, _ in found if f.severity == HIGH), key=lambda f: -f.images_test)
    return [finding.detail.rpartition("; ")[0] for finding in high]


def samples(project: Project, taxonomy: Taxonomy, split: str, recipe: Recipe) -> Samples:
    """The samples of `splits/SPLIT` for a recipe. Raises TableError and InputError as the audit does, and InputError
    where nothing is left to learn from.
    """
    material = _with_columns(project, gather(project, taxonomy, split))
    table = manifest.read(project, f"splits/{split}", ["image_id", "reason"])
    place = pc.index_in(material.images["image_id"], table["image_id"].combine_chunks())
    reason = pc.fill_null(table["reason"].take(place), "")
    copy = pc.starts_with(reason, _COPY).to_numpy(zero_copy_only=False)
    left_out: dict[str, int] = {}
    take = np.array(material.has_part)
    _drop(take, _unlabelled(material, recipe), _why_unlabelled(recipe), left_out)
    rows, low = _paired(material, take, left_out) if recipe.input.channels == "dual" else (np.flatnonzero(take), None)
    if not len(rows):
        raise InputError(
            "no image of a part can be learnt from" + (f" ({_told(left_out)})" if left_out else ""),
            where=f"splits/{split}",
            hint="see what xqdata ingest and xqdata split say of objects and parts",
        )
    classes, truth = _truth(material, rows, recipe, taxonomy)
    family = material.families(rows)
    made = Samples(material, rows, low, truth, classes, material.part[rows], copy[rows], family, left_out, recipe.task)
    return made if recipe.input.copies else made.only(~made.copy, "follow the image kept of their copies")


def with_classes(data: Samples, first: tuple[str, ...]) -> Samples:
    """The same samples, their classes those of `first` and then what else they show."""
    classes = (*first, *(name for name in data.classes if name not in first))
    truth = np.zeros((len(data), len(classes)), bool)
    truth[:, [classes.index(name) for name in data.classes]] = data.truth
    return replace(data, classes=classes, truth=truth)


def turns(data: Samples, split: str, folds: bool) -> Iterator[Turn]:
    """The trainings of a run: one, or one for each fold. Raises InputError where the split has none of that sort."""
    sides = data.material.sides
    if len(sides.names) < 2:
        what = f"has images in one part only, {sides.names[0]}: nothing is tested"
        raise InputError(what, where=f"splits/{split}", hint="see what xqdata split says of its parts")
    if folds != sides.rotates:
        what = "has no folds" if folds else f"has {len(sides.names)} folds and no test part"
        hint = "run: xqdata split --folds 5 --name cv, then this with --name cv" if folds else "add --folds"
        raise InputError(what, where=f"splits/{split}", hint=hint)
    if folds:
        for number, name in enumerate(sides.names):
            test = data.part == number
            yield _checked(Turn(name, ~test, np.zeros(len(data), bool), test & ~data.copy), split, data.left_out)
        return
    # A split of train and val only is tested on val, as the audit does.
    named = sides.names
    val = np.array([name.lower().startswith(("val", "dev")) for name in named])[data.part]
    test = sides.of(data.part)
    own = ~data.copy
    yield _checked(Turn("", ~test & ~val, val & ~test & own, test & own), split, data.left_out)


def untaught(data: Samples, turn: Turn) -> list[str]:
    """Classes that are tested and have no image in training."""
    taught, tested = data.truth[turn.train].any(0), data.truth[turn.test].any(0)
    return [data.classes[k] for k in np.flatnonzero(tested & ~taught).tolist()]


def _checked(turn: Turn, split: str, left_out: Mapping[str, int]) -> Turn:
    for what, flags in (("training", turn.train), ("test", turn.test)):
        if not flags.any():
            where = f"splits/{split}" + (f", fold {turn.name}" if turn.name else "")
            hint = f"of the split's images {_told(left_out)}" if left_out else "see what xqdata split says of its parts"
            if any("several" in why for why in left_out):
                hint += "; --set task=multilabel takes images of several objects"
            raise InputError(f"has no image to learn in the {what} part", where=where, hint=hint)
    return turn


def _with_columns(project: Project, material: Material) -> Material:
    more = manifest.read(project, "images", list(_COLUMNS))
    place = pc.index_in(material.images["image_id"], more["image_id"].combine_chunks())
    images = material.images
    for name in _COLUMNS:
        if name not in images.column_names:
            images = images.append_column(name, more[name].take(place))
    return replace(material, images=images)


def _unlabelled(material: Material, recipe: Recipe) -> Flags:
    if recipe.task == "single":
        # A copy of a mixed scan in a folder of one object bears that object's name, and shows others, too.
        mixed = pc.equal(pc.fill_null(material.images["multiplicity"], ""), "mixed")
        return np.asarray(pc.or_(pc.is_null(material.images["object"]), mixed))
    counts = pc.list_value_length(material.images["objects"])
    return np.asarray(pc.equal(pc.fill_null(counts, 0), 0))


def _why_unlabelled(recipe: Recipe) -> str:
    return "have several objects or none that is known" if recipe.task == "single" else "have no object that is known"


def _drop(take: Flags, away: Flags, why: str, left_out: dict[str, int]) -> None:
    if count := int((take & away).sum()):
        left_out[why] = count
    take &= ~away


def _paired(material: Material, take: Flags, left_out: dict[str, int]) -> tuple[Ints, Ints]:
    """The rows of the high and of the low energy of each pass and view that has both."""
    told = material.images.select(["scan_id", "view", "channel"]).to_pylist()
    found: dict[tuple[str, str | None], dict[str, int]] = {}
    for row in np.flatnonzero(take).tolist():
        if told[row]["channel"] in ("high", "low") and told[row]["scan_id"]:
            found.setdefault((told[row]["scan_id"], told[row]["view"]), {}).setdefault(told[row]["channel"], row)
    whole = [
        pair for pair in found.values() if len(pair) == 2 and material.part[pair["high"]] == material.part[pair["low"]]
    ]
    away = take.copy()
    away[[row for pair in whole for row in pair.values()]] = False
    _drop(take, away, "are no energy of a pass that has both", left_out)
    whole.sort(key=lambda pair: pair["high"])
    high, low = (np.array([pair[channel] for pair in whole], np.int64) for channel in ("high", "low"))
    return high, low


def _truth(material: Material, rows: Ints, recipe: Recipe, taxonomy: Taxonomy) -> tuple[tuple[str, ...], Flags]:
    """The classes, in the taxonomy's order, and which each sample shows."""
    column = material.images["object" if recipe.task == "single" else "objects"].take(pa.array(rows)).to_pylist()
    shown = [[value] if isinstance(value, str) else value for value in column]
    held = {name for names in shown for name in names}
    known = [name for name in taxonomy.objects if name in held]
    classes = (*known, *sorted(held.difference(known)))
    number = {name: k for k, name in enumerate(classes)}
    truth = np.zeros((len(rows), len(classes)), bool)
    for i, names in enumerate(shown):
        truth[i, [number[name] for name in names]] = True
    return classes, truth


def _told(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in left_out.items())
