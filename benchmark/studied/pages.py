"""From predictions to the tables and figures of benchmark/README.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studied import drawn, figures, jobs
from studied.drawn import NAMES, TIED
from studied.figures import Pair, Share

README = Path(__file__).parents[1] / "README.md"
RESULTS = Path(__file__).parents[1] / "results"
PREDICTIONS = RESULTS / "predictions.parquet"
REAL = RESULTS / "real.json"
# Which folder below `predictions` a recipe's trainings of a part are in: its name tells scans and settings apart.
USED = "used.json"
LOOKED = ("cnn", "knn", "linear")  # as the tables have them
_FEW = 50  # images, under which a row says nothing
_TEXT = ("recipe", "part", "condition", "level", "true", "predicted", "tie", "scan_type")
_WHOLE = ("split_seed", "seed", "family", "trained")
_SAID = ("image", "family", "true", "predicted", "tie", "scan_type", "trained")


def tell(work: Path, *, write: bool, alone: bool = False) -> None:
    """Print every table; with `write`, keep the predictions and put tables and figures into the repository. `alone`:
    of the trainings in `work` only, whatever the repository holds.
    """
    rows = kept(work, alone=alone)
    if not len(rows):
        sys.exit(f"nothing is trained in {work}, and there is no {PREDICTIONS}")
    tables = {
        "short": "".join(f"- {line}\n" for line in short(rows)),
        "splits": table(_splits(rows)),
        "ties": table(_ties(rows)),
        "specimens": table(_siblings(rows, "specimens")),
        "scans": table(_siblings(rows, "scans")),
        "twins": table(_twins(rows)),
        "rates": table(_rates(rows)),
        "types": table(_types(rows)),
        "classes": table(_classes(rows, most(rows))),
        "real": table(_real()),
        "trained": table(_trained(rows)),
    }
    for name, text in tables.items():
        print(f"\n{name}\n{text}")
    if write:
        RESULTS.mkdir(exist_ok=True)
        keep(rows, PREDICTIONS)
        used = _read(RESULTS / USED) | _read(work / "predictions" / USED)
        (RESULTS / USED).write_text(json.dumps(used, indent=1, sort_keys=True) + "\n")
        draw(rows)
        for name, text in tables.items():
            put(name, text)


def short(rows: pd.DataFrame) -> Iterator[str]:
    """The page in sentences, of the recipe that is shown and of nearest neighbours."""
    shown = (most(rows), "knn")
    for recipe, _, pair, both in figures.splits(rows):
        if recipe in shown:
            sides = f"random split {pair.with_.told(unit='%')}, leakage-safe split {pair.without.told(unit='%')}"
            yield (f"**{NAMES[recipe]}**, the same images, {_some(both['trained'])} in training: {sides}; difference "
                   f"{pair.gap.told('+', ' points')}")  # fmt: skip
    for recipe, level, both in figures.levels(rows, "specimens"):
        if recipe == shown[0] and level in (1, 12):
            where = f"{NAMES[recipe]}, {level:g} specimen{'s' if level > 1 else ''} of each object, "
            yield (f"{where}{_some(both['trained'])} in training: other scans of the tested specimens among them are "
                   f"worth {Pair.of(both).gap.told('+', ' points')}")  # fmt: skip
    for part, word in (("copies", "copy"), ("rescans", "rescan")):
        for recipe, twinned, pair in figures.twins(rows, part):
            if twinned and recipe in shown:
                yield f"{NAMES[recipe]}: a {word} in training is worth {pair.gap.told('+', ' points')} on that image"


def _some(trained: pd.Series) -> str:
    low, high = trained.min(), trained.max()
    return f"{low:,} images" if low == high else f"{low:,} to {high:,} images"


def kept(work: Path, *, alone: bool = False) -> pd.DataFrame:
    """The predictions below `work` and, unless it stands alone, what the repository holds of other comparisons."""
    used = _read(work / "predictions" / USED)
    found = list(_trained_in(work / "predictions", used))
    if not alone:
        there = {(rows["recipe"].iat[0], rows["part"].iat[0]) for rows in found if len(rows)}
        others = [(recipe, part) not in there for recipe, part in _held()[["recipe", "part"]].to_numpy()]
        found.append(_held()[others])
    rows = pd.concat([some for some in found if len(some)] or [pd.DataFrame()], ignore_index=True)
    if len(rows):
        rows = rows.astype(dict.fromkeys(_TEXT, str))  # dictionaries of several files cannot be compared
        rows["right"] = rows["true"] == rows["predicted"]
        # Tables have the recipes in one order, wherever the predictions came from.
        rows = rows.sort_values("recipe", key=lambda names: names.map(LOOKED.index), kind="stable", ignore_index=True)
    return rows


def give(key: str, folder: Path) -> None:
    """Put into `folder` what the repository holds of its trainings: `key` is a recipe and a part.

    Nothing where the repository's are of other scans or settings, as the folder's name tells.
    """
    if _read(RESULTS / USED).get(key) != folder.name:
        return
    recipe, part = key.split()
    held = _held()
    held = held[(held["recipe"] == recipe) & (held["part"] == part)]
    for (condition, level, *seeds), rows in held.groupby(["condition", "level", "split_seed", "seed"]):
        file = folder / "{}-{}-{}-{}-{}.parquet".format(part, condition, level, *seeds)
        if not file.exists():
            pq.write_table(pa.Table.from_pandas(rows[list(_SAID)], preserve_index=False), file)


@cache
def _held() -> pd.DataFrame:
    """Every prediction that the repository holds."""
    empty = dict.fromkeys((*_TEXT, *_WHOLE, "image"), ())
    rows = pd.read_parquet(PREDICTIONS) if PREDICTIONS.exists() else pd.DataFrame(empty)
    return rows.astype(dict.fromkeys(_TEXT, str))


def _read(file: Path) -> dict[str, str]:
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _trained_in(folder: Path, used: dict[str, str]) -> Iterator[pd.DataFrame]:
    """A table for each training."""
    for key, name in used.items():
        recipe, part = key.split()
        for file in sorted((folder / name).glob(f"{part}-*.parquet")):
            condition, level, split_seed, seed = file.stem.removeprefix(f"{part}-").split("-")
            yield (
                pq.read_table(file)
                .to_pandas()
                .assign(
                    recipe=recipe,
                    part=part,
                    condition=condition,
                    level=level,
                    split_seed=int(split_seed),
                    seed=int(seed),
                )
            )


def keep(rows: pd.DataFrame, path: Path) -> None:
    """Every prediction, in a file small enough for the repository."""
    rows = rows.sort_values([*_TEXT[:4], *_WHOLE[:2], "image"])
    text = {name: pa.array(rows[name].astype(str)).dictionary_encode() for name in _TEXT}
    whole = {name: pa.array(rows[name].to_numpy(), pa.int32()) for name in (*_WHOLE, "image")}
    packed = dict.fromkeys(whole, "DELTA_BINARY_PACKED")
    how = {"compression": "zstd", "compression_level": 19, "use_dictionary": list(_TEXT), "column_encoding": packed}
    pq.write_table(pa.table({**text, **whole}), path, **how)


def draw(rows: pd.DataFrame) -> None:
    """The figures, into benchmark/results."""
    best = most(rows)
    drawn.gaps(rows, RESULTS / "gap.png")
    if best:
        drawn.both_splits(rows, RESULTS / "splits.png")
        drawn.confusions(rows, best, sorted(rows["true"].unique()), RESULTS / "confusion.png")
        drawn.recall(rows, best, RESULTS / "recall.png")
    if len(rows[rows["part"] == "types"]):
        drawn.held_out(rows, RESULTS / "types.png")


def most(rows: pd.DataFrame) -> str | None:
    """The recipe that matrices are shown of: the network, where it was trained on both splits, else the next one."""
    there = set(rows[rows["part"] == "splits"]["recipe"])
    return next((recipe for recipe in LOOKED if recipe in there), None)


def _splits(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["recipe", "random split, all its images, %", "random split, same images, %", "leakage-safe split, %",
           "difference, points", "images", "families"]  # fmt: skip
    for recipe, everything, pair, _ in figures.splits(rows):
        yield [NAMES[recipe], everything.told(), *_sides(pair), f"{pair.gap.families:,}"]


def _ties(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["recipe", "nearest in the random split's training", "share of images", "random split, %",
           "leakage-safe split, %", "difference, points", "images"]  # fmt: skip
    for recipe, kind, part, pair in figures.by_tie(rows):
        if pair.gap.n < _FEW:
            continue
        yield [NAMES[recipe], TIED[kind], f"{part:.1%}", *_sides(pair)]


def _siblings(rows: pd.DataFrame, part: str) -> Iterator[list[str]]:
    size = rows[rows["part"] == part].groupby("level", observed=True)["trained"].max()
    classes = rows["true"].nunique()
    yield ["recipe", "specimens of an object", "images of an object in training", "of each specimen",
           "with these specimens, %", "with others, %", "gap, points", "images", "families"]  # fmt: skip
    for recipe, level, pair in figures.axis(rows, part):
        count = int(size[f"{level:g}"]) // classes
        few, left = divmod(count, int(level))
        each = f"{few} to {few + 1}" if left else str(few)
        yield [NAMES[recipe], f"{level:g}", str(count), each, *_sides(pair), f"{pair.gap.families:,}"]


def _twins(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["twin", "recipe", "with it, %", "without, %", "it is worth, points", "images",
           "the others gain, points"]  # fmt: skip
    for part, word in (("copies", "copy"), ("rescans", "rescan")):
        found = {(recipe, twinned): pair for recipe, twinned, pair in figures.twins(rows, part)}
        for recipe in [recipe for recipe, twinned in found if twinned]:
            yield [word, NAMES[recipe], *_sides(found[recipe, True]), found[recipe, False].gap.told("+")]


def _rates(rows: pd.DataFrame) -> Iterator[list[str]]:
    levels = sorted({one[1] for part in ("copies", "rescans") for one in figures.axis(rows, part)})
    yield ["twin", "recipe", *(f"gap where {level:.0%} have one, points" for level in levels), "images"]
    for part, word in (("copies", "copy"), ("rescans", "rescan")):
        gaps: dict[str, list[Share]] = {}
        for recipe, _, pair in figures.axis(rows, part):
            gaps.setdefault(recipe, []).append(pair.gap)
        for recipe, each in gaps.items():
            yield [word, NAMES[recipe], *(gap.told("+") for gap in each), f"{each[0].n:,}"]


def _types(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["scan type", "recipe", "in training, %", "not in training, %", "lost, points", "images", "families"]
    for recipe, kind, pair in sorted(figures.types(rows), key=lambda one: one[1]):
        yield [kind, NAMES[recipe], *_sides(pair), f"{pair.gap.families:,}"]


def _classes(rows: pd.DataFrame, recipe: str | None) -> Iterator[list[str]]:
    yield ["object", "random split, %", "leakage-safe split, %", "the study, %"]
    if recipe is None:
        return
    told = figures.recalls(rows, recipe).set_index(["class", "condition"])
    known = figures.published()
    for name in sorted(set(told.index.get_level_values(0))):
        cells = []
        for condition in ("random", "safe"):
            one = told.loc[(name, condition)]
            text = Share(one["value"], one["low"], one["high"], int(one["images"])).told()
            cells.append(text if one["certain"] else f"{text[:-1]} in {len(one['each'])} families)")
        yield [name, *cells, known[name].told() if name in known else ""]


def _real() -> Iterator[list[str]]:
    yield ["scans", "classes", "images in training", "what belongs together", "recipe", "with family, %", "without, %",
           "gap, points", "predictions", "families"]  # fmt: skip
    for one in json.loads(REAL.read_text()) if REAL.exists() else []:
        shares = [Share(*(_number(one[key][end]) for end in ("value", "low", "high")), one["images"])
                  for key in ("with_", "without", "gap")]  # fmt: skip
        yield [one["scans"], str(one["classes"]), str(one["training"]), one["group"], NAMES[one["recipe"]],
               shares[0].told(), shares[1].told(), shares[2].told("+"), f"{one['images']:,}",
               f"{one['components']:,}"]  # fmt: skip


def _trained(rows: pd.DataFrame) -> Iterator[list[str]]:
    recipes = [recipe for recipe in LOOKED if recipe in set(rows["recipe"])]
    heads = (f"{NAMES[recipe]}: split seeds x training seeds" for recipe in recipes)
    yield ["comparison", "images in a training", *heads]
    for part in [part for part in jobs.PARTS if part in set(rows["part"])]:
        mine = rows[rows["part"] == part]
        low, high = mine["trained"].min(), mine["trained"].max()
        cells = []
        for recipe in recipes:
            own = mine[mine["recipe"] == recipe]
            several = own.groupby(["condition", "level", "split_seed", "seed"], observed=True).ngroups
            seeds = " x ".join(str(own[name].nunique()) for name in ("split_seed", "seed"))
            cells.append(f"{seeds}, {several:,} trainings" if several else "none yet")
        yield [part, f"{low:,}" if low == high else f"{low:,} to {high:,}", *cells]


def _sides(pair: Pair) -> list[str]:
    return [pair.with_.told(), pair.without.told(), pair.gap.told("+"), f"{pair.gap.n:,}"]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def table(rows: Iterator[list[str]]) -> str:
    """A Markdown table of a header and rows."""
    head, *rest = rows
    if not rest:
        return "Nothing of this is trained yet: the command above does it.\n\n"
    lines: Sequence[list[str]] = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def put(name: str, text: str) -> None:
    """Replace what stands between the README's marks of this name."""
    old = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in old or end not in old:
        sys.exit(f"{README} has no marks called {name}")
    README.write_text(f"{old[: old.index(begin)]}{begin}{text}{old[old.index(end) :]}", encoding="utf-8")
