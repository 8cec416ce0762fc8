"""From predictions to the tables and figures of benchmark/README.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from studied import drawn, figures
from studied.drawn import NAMES
from studied.figures import Share

README = Path(__file__).parents[1] / "README.md"
RESULTS = Path(__file__).parents[1] / "results"
PREDICTIONS = RESULTS / "predictions.parquet"
REAL = RESULTS / "real.json"
USED = "used.json"
_TEXT = ("recipe", "part", "condition", "level", "true", "predicted", "tie", "scan_type")
_WHOLE = ("split_seed", "seed", "family", "trained")


def tell(work: Path, *, write: bool) -> None:
    """Print every table; with `write`, keep the predictions and put tables and figures into the repository."""
    rows = kept(work)
    if not len(rows):
        sys.exit(f"nothing is trained in {work}, and there is no {PREDICTIONS}")
    tables = {
        "short": "".join(f"- {line}\n" for line in short(rows)),
        "splits": table(_splits(rows)),
        "ties": table(_ties(rows)),
        "specimens": table(_axis(rows, "specimens")),
        "copies": table(_axis(rows, "copies")),
        "rescans": table(_axis(rows, "rescans")),
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
        draw(rows)
        for name, text in tables.items():
            put(name, text)


def short(rows: pd.DataFrame) -> Iterator[str]:
    """The page in sentences."""
    for one in figures.splits(rows):
        random, safe = (one[side].told(unit="%") for side in ("random", "safe"))
        gap = one["gap"].told("+", " points")
        yield f"**{NAMES[one['recipe']]}**: random split {random}, leakage-safe split {safe}; difference {gap}"
    words = {
        "specimens": "each object is known from {} specimen{}",
        "copies": "{} of the test images have a copy in training",
        "rescans": "{} of the test images have a rescan in training",
    }
    for part, text in words.items():
        found = [one for one in figures.axis(rows, part) if one[0] == most(rows)]
        for _, level, _, _, gap, _ in (found[0], found[-1]) if found else ():
            at = (f"{level:g}", "s" if level > 1 else "") if part == "specimens" else (f"{level:.0%}",)
            where = f"{NAMES[most(rows)]}, where {text.format(*at)}"
            yield f"{where}: family in training is worth {gap.told('+', ' points')}"


def kept(work: Path) -> pd.DataFrame:
    """The predictions below `work`, or those that the repository holds."""
    mark = work / "predictions" / USED
    if mark.exists():
        found = list(_trained_in(mark.parent, json.loads(mark.read_text())))
        rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    else:
        rows = pd.read_parquet(PREDICTIONS) if PREDICTIONS.exists() else pd.DataFrame()
    if len(rows):
        rows = rows.astype(dict.fromkeys(_TEXT, str))  # dictionaries of several files cannot be compared
        rows["right"] = rows["true"] == rows["predicted"]
    return rows


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
    """Every prediction, in a file small enough for the repository: images are numbered."""
    rows = rows.sort_values([*_TEXT[:4], *_WHOLE[:2], "image_id"])
    number = pd.factorize(rows["image_id"], sort=True)[0]
    text = {name: pa.array(rows[name].astype(str)).dictionary_encode() for name in _TEXT}
    whole = {name: pa.array(rows[name].to_numpy(), pa.int32()) for name in _WHOLE}
    told = pa.table({**text, **whole, "image_id": pa.array(number, pa.int32())})
    packed = dict.fromkeys(("image_id", *_WHOLE), "DELTA_BINARY_PACKED")
    how = {"compression": "zstd", "compression_level": 19, "use_dictionary": list(_TEXT), "column_encoding": packed}
    pq.write_table(told, path, **how)


def draw(rows: pd.DataFrame) -> None:
    """The figures, into benchmark/results."""
    best = most(rows)
    drawn.both_splits(rows, RESULTS / "splits.png")
    drawn.gaps(rows, RESULTS / "gap.png")
    drawn.confusions(rows, best, sorted(rows["true"].unique()), RESULTS / "confusion.png")
    drawn.recall(rows, best, RESULTS / "recall.png")
    told = [recipe for recipe in LOOKED if len(rows[(rows["part"] == "types") & (rows["recipe"] == recipe)])]
    if told:
        drawn.held_out(rows, told[0], RESULTS / "types.png")


LOOKED = ("cnn", "linear", "knn")


def most(rows: pd.DataFrame) -> str:
    """The recipe that matrices are shown of: the network, where it was trained on both splits."""
    there = set(rows[rows["part"] == "splits"]["recipe"])
    return next(recipe for recipe in LOOKED if recipe in there)


def _splits(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["recipe", "trainings of each", "training images", "random split, %", "leakage-safe split, %",
           "difference, points", "of each split seed"]  # fmt: skip
    for one in figures.splits(rows):
        each = ", ".join(f"{100 * gap:+.1f}" for gap in one["by_split"])
        yield [NAMES[one["recipe"]], str(one["trainings"]), f"{one['training']:,}", one["random"].told(),
               one["safe"].told(), one["gap"].told("+"), each]  # fmt: skip


def _ties(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["recipe", "split", "nearest in training", "share of test images", "right there, %", "images"]
    for recipe, condition, kind, part, told in figures.by_tie(rows):
        yield [NAMES[recipe], condition, kind, f"{part:.1%}", told.told(), f"{told.n:,}"]


def _axis(rows: pd.DataFrame, part: str) -> Iterator[list[str]]:
    first = (
        "specimens of a class" if part == "specimens" else f"test images with a {part[:-1].replace('copie', 'copy')}"
    )
    yield ["recipe", first, "with family, %", "without, %", "gap, points", "images", "of each split seed"]
    for recipe, level, with_, without, gap, each in figures.axis(rows, part):
        at = f"{level:g}" if part == "specimens" else f"{level:.0%}"
        told = ", ".join(f"{100 * one:+.1f}" for one in each)
        yield [NAMES[recipe], at, with_.told(), without.told(), gap.told("+"), f"{gap.n:,}", told]


def _types(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["recipe", "scan type", "in training, %", "held out, %", "lost, points", "images"]
    for recipe, kind, control, without, gap in figures.types(rows):
        yield [NAMES[recipe], kind, control.told(), without.told(), gap.told("+"), f"{gap.n:,}"]


def _classes(rows: pd.DataFrame, recipe: str) -> Iterator[list[str]]:
    yield ["object", "random split, %", "leakage-safe split, %", "families", "the study, %"]
    told = figures.recalls(rows, recipe).set_index(["class", "condition"])
    known = figures.published()
    for name in sorted(set(told.index.get_level_values(0))):
        cells = []
        for condition in ("random", "safe"):
            one = told.loc[(name, condition)]
            cells.append(Share(one["value"], one["low"], one["high"], int(one["images"])).told())
        yield [
            name,
            *cells,
            str(int(told.loc[(name, "safe")]["families"])),
            known[name].told() if name in known else "",
        ]


def _real() -> Iterator[list[str]]:
    yield [
        "scans",
        "what belongs together",
        "recipe",
        "with family, %",
        "without, %",
        "gap, points",
        "images",
        "families",
    ]
    for one in json.loads(REAL.read_text()) if REAL.exists() else []:
        shares = [Share(*(_number(one[key][end]) for end in ("value", "low", "high")), one["images"])
                  for key in ("with_", "without", "gap")]  # fmt: skip
        yield [one["scans"], one["group"], NAMES.get(one["recipe"], one["recipe"]), shares[0].told(), shares[1].told(),
               shares[2].told("+"), f"{one['images']:,}", f"{one['components']:,}"]  # fmt: skip


def _trained(rows: pd.DataFrame) -> Iterator[list[str]]:
    yield ["comparison", "recipe", "split seeds", "training seeds", "trainings", "images in each", "predictions"]
    for (part, recipe), mine in rows.groupby(["part", "recipe"], sort=False, observed=True):
        several = mine.groupby(["condition", "level", "split_seed", "seed"], observed=True).ngroups
        low, high = mine["trained"].min(), mine["trained"].max()
        size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        seeds = [str(mine[name].nunique()) for name in ("split_seed", "seed")]
        yield [part, NAMES[recipe], *seeds, f"{several:,}", size, f"{len(mine):,}"]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def table(rows: Iterator[list[str]]) -> str:
    """A Markdown table of a header and rows."""
    head, *rest = rows
    lines: Sequence[list[str]] = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def put(name: str, text: str) -> None:
    """Replace what stands between the README's marks of this name."""
    old = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in old or end not in old:
        sys.exit(f"{README} has no marks called {name}")
    README.write_text(f"{old[: old.index(begin)]}{begin}{text}{old[old.index(end) :]}", encoding="utf-8")
