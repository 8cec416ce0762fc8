"""A project of N images without any picture: its tables alone, as ingest, dedup and a careless division leave them.

    python benchmark/scale/tables.py FOLDER --rows 1e6 [--shape usual] [--seed 0]

Rows come in blocks that know nothing of each other, each from the seed and its own number, and are written as they are
made, so that memory does not grow with N. A block holds whole families: specimens with their bags, scans and views.
Some bags show the next specimen too, some images are copies of the one before them, some bags went through the tunnel
twice. The shapes besides `usual` are what a collection may be at worst: `giant` ties all images by one bag, `bare`
knows of no image what it shows or belongs to, `distinct` has a specimen, a bag and a scan for every image.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import manifest, schema, taxonomy
from xqdata.config import Config
from xqdata.ingest import told_options
from xqdata.ingest.assemble import image_id
from xqdata.manifest import Origin, Project

BLOCK = 1 << 16
ROOT = "synthetic"
SHAPES = ("usual", "giant", "bare", "distinct")
# Images of one specimen: the mean, but for a hundredth of all specimens, which were scanned twenty times as often.
FAMILY = 3.0
SAME_BAG, SAME_SCAN = 0.5, 0.3  # of the images of a family, those that lie in the bag, or the scan, of the one before
NEXT_TOO = 0.05  # of all bags, those that show the next family's specimen too
COPY, REENCODED, RESCAN, UNDECIDED = 0.03, 0.4, 0.01, 0.002
TORN = 0.01  # of all images, those that the careless division puts elsewhere than their family
SHARES = (("train", 0.7), ("val", 0.15), ("test", 0.15))

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Block:
    """Rows of one block. `family`, `bag`, `scan`: (rows,) numbers within the block; `copy`, `reencoded`, `rescan`,
    `undecided`: what each row is to the one before it. `both`: the scan shows the next family's specimen, too.
    """

    number: int
    dice: np.random.Generator
    family: Ints
    bag: Ints
    scan: Ints
    copy: Flags
    reencoded: Flags
    rescan: Flags
    undecided: Flags
    both: Flags

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.family)

    def paths(self) -> list[str]:
        """Below the root."""
        first = self.number * BLOCK
        return [f"{(first + n) // 1000:06}/scan_{first + n:09}.png" for n in range(self.rows)]

    def ids(self) -> pa.Array:
        """The images' ids."""
        return pa.array([image_id(ROOT, path, 0) for path in self.paths()])


def blocks(rows: int, seed: int) -> Iterator[Block]:
    """All blocks of a project of `rows` images."""
    for number in range(-(-rows // BLOCK)):
        yield _block(number, min(BLOCK, rows - number * BLOCK), np.random.default_rng([seed, number]))


def _block(number: int, rows: int, dice: np.random.Generator) -> Block:
    sizes = dice.geometric(1 / FAMILY, rows)
    sizes[dice.random(rows) < 0.01] *= 20
    family = np.repeat(np.arange(rows), sizes)[:rows]
    first = np.append(True, family[1:] != family[:-1])
    kin = ~first
    new_bag = first | (dice.random(rows) > SAME_BAG)
    new_scan = new_bag | (dice.random(rows) > SAME_SCAN)
    bag, scan = np.cumsum(new_bag) - 1, np.cumsum(new_scan) - 1
    copy = kin & (dice.random(rows) < COPY)
    both = (dice.random(int(bag[-1]) + 1) < NEXT_TOO)[bag]
    rescan = kin & new_scan & ~copy & (dice.random(rows) < RESCAN / (1 - 1 / FAMILY))
    undecided = ~copy & ~rescan & ~first & (dice.random(rows) < UNDECIDED)
    return Block(number, dice, family, bag, scan, copy, copy & (dice.random(rows) < REENCODED), rescan, undecided, both)


def images(block: Block, shape: str) -> pa.Table:
    """The rows of `images` of one block."""
    columns = _identity(block) | _content(block) | _belonging(block, shape) | _acquisition(block) | _measured(block)
    if shape == "bare":
        told = [c.name for c in schema.IMAGES.columns if c.group.startswith("what") or c.group == "acquisition"]
        columns |= {name: pa.nulls(block.rows, schema.IMAGES.column(name).type) for name in told}
    arrow = schema.IMAGES.arrow
    given = [columns.get(field.name, pa.nulls(block.rows, field.type)) for field in arrow]
    return pa.table([one.cast(field.type) for one, field in zip(given, arrow, strict=True)], schema=arrow)


def _identity(block: Block) -> dict[str, pa.Array]:
    rows, same = block.rows, ~block.reencoded & block.copy
    exact = _first_of(same)
    return {
        "image_id": block.ids(),
        "root": _repeated(ROOT, rows),
        "path": pa.array(block.paths()),
        "page": pa.array(np.zeros(rows, np.int32)),
        "sha256": _hex(block.dice, rows, 32, exact),
        "pixel_hash": _hex(block.dice, rows, 16, exact),
        "missing": pa.array(np.zeros(rows, bool)),
        "bytes": pa.array(block.dice.integers(40_000, 900_000, rows)[exact]),
        "mtime": pa.array(_clock(block) * 1_000_000_000 + 123_456_789),
        "format": _chosen(np.where(block.reencoded, 1, 0), ["PNG", "JPEG"]),
        "width": pa.array(block.dice.choice([640, 768, 896], rows).astype(np.int32)),
        "height": pa.array(block.dice.choice([480, 576, 760], rows).astype(np.int32)),
        "channels": pa.array(np.full(rows, 3, np.int32)),
        "bit_depth": pa.array(np.full(rows, 8, np.int32)),
        "mode": _repeated("RGB", rows),
        "extra": _repeated("{}", rows),
    }


def _content(block: Block) -> dict[str, pa.Array]:
    known = taxonomy.load()
    names, types = list(known.objects), list(known.scan_types)
    weight = 1 / np.arange(2, len(names) + 2)
    of_family = block.dice.choice(len(names), int(block.family[-1]) + 2, p=weight / weight.sum())
    one, other = of_family[block.family], of_family[block.family + 1]
    mixed = block.both & (one != other)
    unknown = block.dice.random(block.rows) < 0.005
    factors = {name: [known.scan_types[t].factors.get(name) for t in types] for name in ("container", "clutter")}
    several = [n for n, t in enumerate(types) if t.startswith("mixed")]
    single = [n for n, t in enumerate(types) if not t.startswith("mixed")]
    bags = int(block.bag[-1]) + 1
    kind = np.where(mixed, block.dice.choice(several, bags)[block.bag], block.dice.choice(single, bags)[block.bag])
    listed = _lists(np.where(unknown, 0, np.where(mixed, 2, 1)), one, other, names)
    return {
        "object": _chosen(np.where(mixed | unknown, -1, one), names),
        "objects": listed,
        "scan_type": _chosen(kind, types),
        **{name: _chosen(kind, values) for name, values in factors.items()},
        "multiplicity": _chosen(kind, [known.scan_types[t].factors.get("multiplicity") for t in types]),
        "reader": _repeated("folders", block.rows),
        "label_source": _repeated("folders", block.rows),
    }


def _belonging(block: Block, shape: str) -> dict[str, pa.Array]:
    row = np.arange(block.rows)
    family, bag, scan = (row, row, row) if shape == "distinct" else (block.family, block.bag, block.scan)
    many = np.where(block.both & (shape != "distinct"), 2, 1)
    start = block.number * BLOCK
    named = _numbered("s", np.arange(int(family[-1]) + 2), start)
    return {
        "specimens": _lists(many, family, family + 1, named),
        "bag": _repeated("all", block.rows) if shape == "giant" else _numbered("b", bag, start),
        "scan_id": _numbered("t", scan, start),
        "session": _numbered("day", row // 200, start),
        "series": _numbered("r", row // 50, start),
        "sequence": pa.array(row + start),
    }


def _acquisition(block: Block) -> dict[str, pa.Array]:
    session = np.arange(block.rows) // 200 + block.number
    return {
        "scanner_make": _repeated("Maker", block.rows),
        "scanner_model": _chosen(session % 3 // 2, ["M1", "M2"]),
        "scanner_serial": _chosen(session % 3, ["1001", "1002", "2001"]),
        "kvp": pa.array(np.full(block.rows, 160.0)),
        "view": _chosen(_place(block.scan) % 2, ["top", "side"]),
        "channel": _repeated("colour", block.rows),
        "polarity": _repeated("air_bright", block.rows),
        "acquired_at": pa.array(_clock(block) * 1_000_000).cast(schema.TIME),
        "operator": _chosen(session % 8, [f"operator {n}" for n in range(8)]),
        "site": _repeated("laboratory", block.rows),
    }


def _measured(block: Block) -> dict[str, pa.Array]:
    rows, like = block.rows, _first_of(block.copy)
    hashes = block.dice.integers(0, 1 << 64, (rows, 6), np.uint64)[like]
    figures = block.dice.random((5, rows)).round(6)[:, like]
    names = ("mean", "std", "air_fraction", "opaque_fraction", "sharpness")
    box = np.tile(np.array([20, 20, 600, 440], np.int32), rows)
    return {
        "phash": pa.array(hashes[:, 0]),
        "dhash": pa.array(hashes[:, 1]),
        "phash256": pa.array([row.tobytes() for row in hashes[:, 2:]], pa.binary(32)),
        **{name: pa.array(values) for name, values in zip(names, figures, strict=True)},
        "content_box": pa.FixedSizeListArray.from_arrays(pa.array(box), 4),
    }


def _clock(block: Block) -> Ints:
    """Seconds since 1970: a scan a minute, two hundred a day."""
    n = np.arange(block.rows) + block.number * BLOCK
    return np.asarray(1_400_000_000 + n // 200 * 86_400 + n % 200 * 60, np.int64)


def _place(number: Ints) -> Ints:
    """Each row's place among those of its number, which stand side by side."""
    starts = np.flatnonzero(np.append(True, np.diff(number) != 0))
    return np.arange(len(number)) - np.repeat(starts, np.diff(np.append(starts, len(number))))


def _first_of(same: Flags) -> Ints:
    """The row that each row is the same as: `same` says so of it and the row before."""
    return np.asarray(np.maximum.accumulate(np.where(same, 0, np.arange(len(same)))), np.int64)


def _hex(dice: np.random.Generator, rows: int, width: int, like: Ints) -> pa.Array:
    text = dice.bytes(rows * width).hex()
    return pa.array([text[i : i + 2 * width] for i in range(0, len(text), 2 * width)]).take(pa.array(like))


def _numbered(letter: str, number: Ints, start: int) -> pa.Array:
    return pc.binary_join_element_wise(letter, pa.array(number + start).cast(pa.string()), "")


def _repeated(word: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(word), rows)


def _chosen(number: Ints, words: list[str | None] | list[str]) -> pa.Array:
    """The word of each number; none for -1."""
    return pa.array(words, pa.string()).take(pa.array(number, mask=number < 0))


def _lists(many: Ints, one: Ints, other: Ints, names: list[str] | pa.Array) -> pa.Array:
    """A list of `many` names for each row: none (null), of `one`, or of `one` and `other`, each once."""
    many = np.where((many == 2) & (one == other), 1, many)
    both = np.stack([one, other], axis=1)[np.arange(2)[None] < many[:, None]]
    held = pa.array(names, pa.string()).take(pa.array(both))
    ends = pa.array(np.append(0, np.cumsum(many)), pa.int32(), mask=np.append(many == 0, False))
    return pa.ListArray.from_arrays(ends, held, type=schema.STRINGS)


def links(block: Block) -> pa.Table:
    """The rows of `links`: each copy and each rescan with the image before it."""
    rows = np.flatnonzero(block.copy | block.rescan)
    a, b = _ends(block, rows)
    kind = np.where(block.rescan[rows], 2, np.where(block.reencoded[rows], 1, 0))
    alike = np.where(kind == 2, 0.97, 1.0)
    by = pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32), _repeated("phash", len(rows)))
    columns = {
        "image_a": a,
        "image_b": b,
        "kind": _chosen(kind, ["bytes", "re-encoded", "rescan"]),
        "orientation": _repeated("r0", len(rows)),
        "phash_distance": pa.array(np.where(kind == 2, 6, 0), pa.int32()),
        "phash256_distance": pa.array(np.where(kind == 2, 30, 0), pa.int32()),
        "ncc": pa.array(alike),
        "worst_tile": pa.array(alike),
        "overlap": pa.array(np.ones(len(rows))),
        "inliers": pa.nulls(len(rows), pa.int32()),
        "proposed_by": by,
    }
    arrow = schema.LINKS.arrow
    return pa.table([columns[field.name].cast(field.type) for field in arrow], schema=arrow)


def undecided(block: Block) -> pa.Table:
    """The rows of `undecided`."""
    rows = np.flatnonzero(block.undecided)
    a, b = _ends(block, rows)
    return pa.table([a, b, _repeated("a low-information picture", len(rows))], schema=schema.UNDECIDED.arrow)


def _ends(block: Block, rows: Ints) -> tuple[pa.Array, pa.Array]:
    ids = block.ids()
    one, other = ids.take(pa.array(rows - 1)), ids.take(pa.array(rows))
    less = pc.less(one, other)
    return pc.if_else(less, one, other), pc.if_else(less, other, one)


def duplicates(block: Block) -> pa.Table:
    """The rows of `duplicates`: a chain of copies is one cluster, of which the first is kept."""
    ids, first = block.ids(), _first_of(block.copy)
    together = np.bincount(first, minlength=block.rows)
    rows = np.flatnonzero(together[first] > 1)
    held = pa.table({"first": first[rows], "image_id": ids.take(pa.array(rows))})
    least = held.group_by("first").aggregate([("image_id", "min")])
    cluster = least["image_id_min"].combine_chunks().take(pc.index_in(held["first"].combine_chunks(), least["first"]))
    kept = first[rows] == rows
    leader = pc.binary_join_element_wise("copy of ", ids.take(pa.array(first[rows])), "")
    reason = pc.if_else(pa.array(kept), pa.scalar("kept: largest"), leader)
    return pa.table(
        [held["image_id"].combine_chunks(), cluster, pa.array(kept), reason], schema=schema.DUPLICATES.arrow
    )


def careless(block: Block) -> pa.Table:
    """A division that somebody else made: by family, but for a few images."""
    edges = np.cumsum([share for _, share in SHARES])[:-1]
    of_family = block.dice.random(int(block.family[-1]) + 1)
    luck = np.where(block.dice.random(block.rows) < TORN, block.dice.random(block.rows), of_family[block.family])
    part = _chosen(np.searchsorted(edges, luck), [name for name, _ in SHARES])
    nothing = pa.nulls(block.rows, schema.STRING)
    return pa.table([block.ids(), part, nothing, nothing], schema=schema.SPLITS.arrow)


def write(folder: Path, rows: int, shape: str = "usual", seed: int = 0) -> Project:
    """Make the project in `folder`, which is emptied: images, links, undecided, duplicates, and splits/given."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    project, config, known = Project(folder), Config(), taxonomy.load()
    # As if the pictures had been moved away: then no step opens one.
    root = {ROOT: str(project.folder / "raw" / ROOT)}
    told = {"roots": {ROOT: {**told_options(config, known), "taxonomy_file": None}}}
    nothing = {name: schema.empty(name) for name in manifest.TOGETHER}
    one = manifest.write(
        project,
        {**nothing, "images": _each(rows, seed, lambda b: images(b, shape))},
        Origin("ingest", told, roots=root),
    )
    inputs = {"images": one["images"].digest}
    tied: dict[str, manifest.Data] = {
        "links": _each(rows, seed, links),
        "undecided": _each(rows, seed, undecided),
        "duplicates": _each(rows, seed, duplicates),
    }
    found = manifest.write(project, {**tied, "masks": schema.empty("masks")}, Origin("dedup", {}, inputs))
    inputs |= {"links": found["links"].digest, "duplicates": found["duplicates"].digest}
    manifest.write(project, {"splits/given": _each(rows, seed, careless)}, Origin("elsewhere", {}, inputs))
    return project


def _each(rows: int, seed: int, of: Callable[[Block], pa.Table]) -> Iterator[pa.Table]:
    return (of(block) for block in blocks(rows, seed))


def main() -> None:
    """Make one project."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an empty folder, or one to be made anew")
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=100_000)
    parser.add_argument("--shape", choices=SHAPES, default="usual")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    project = write(given.folder, given.rows, given.shape, given.seed)
    for name in manifest.standing(project):
        print(f"{name:20} {manifest.provenance(project, name).rows:12,}")


if __name__ == "__main__":
    main()
