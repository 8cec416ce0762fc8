"""How much of what the simulator planted an audit finds: recall and precision by kind, against truth/.

    python benchmark/audit/planted.py PROJECT                      a project made by `xqdata simulate`, deduplicated
    python benchmark/audit/planted.py PROJECT --blank FOLDER       the same without specimens, scans, bags and sessions
    python benchmark/audit/planted.py PROJECT --blank FOLDER --write

PROJECT is read only; splits and audits are made in a scratch copy of its tables. A pair counts if its two files lie in
different parts. `--write` puts the tables into the README beside this file; with --blank it is one table, and its own.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xqdata import groups, manifest, schema, taxonomy
from xqdata.audit import Finding
from xqdata.audit.copies import copies_and_ties, relations
from xqdata.audit.crossing import pairs, relation
from xqdata.audit.identity import columns
from xqdata.audit.material import Material, gather
from xqdata.dedup.run import Options as Dedup
from xqdata.dedup.run import dedup
from xqdata.manifest import Origin, Project
from xqdata.schema import COPY_KINDS, TIE_KINDS
from xqdata.splits import Request, split

Pair = tuple[str, str]
Pairs = Mapping[str, set[Pair]]

COLUMNS = ("specimens", "scan_id", "bag")
BLANKED = ("specimens", "scan_id", "bag", "session", "series")
README = Path(__file__).with_name("README.md")


def main() -> None:
    """Measure one project, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--blank", type=Path, help="make the project without metadata here (dedup takes its time)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    truth = true_pairs(asked.project / "truth")
    with tempfile.TemporaryDirectory() as folder:
        project = scratch(asked.project, Path(folder))
        for name, request in (("study", Request("study", method="random")), ("ours", Request("ours"))):
            if not manifest.exists(project, f"splits/{name}"):
                split(project, taxonomy.load(), request)
        if asked.blank:
            told = {"blanked": table(blanked(project, asked.blank, truth, asked.workers))}
        else:
            told = {"planted": table(planted(project, truth)), "ours": clean(project, truth)}
    for name, text in told.items():
        print(f"\n{name}\n{text}")
        if asked.write:
            write(name, text)


def scratch(source: Path, folder: Path) -> Project:
    """A project with the tables of another one; pictures stay where they are."""
    shutil.copytree(source / "manifests", folder / "manifests")
    return Project(folder)


# --- truth


def true_pairs(folder: Path) -> dict[str, set[Pair]]:
    """Paths of two readable files by what ties them: kinds of links, specimens, pass, bag."""
    files = [row for row in pq.read_table(folder / "files.parquet").to_pylist() if row["readable"]]
    found: dict[str, set[Pair]] = {kind: set() for kind in (*COPY_KINDS, *TIE_KINDS)}
    for row in pq.read_table(folder / "pairs.parquet").to_pylist():
        found[row["kind"]].add(ordered(row["path_a"], row["path_b"]))
    for column in COLUMNS:
        found[column] = sharing({row["path"]: listed(row[column]) for row in files})
    return found


def listed(value: object) -> list[str]:
    """A column's values, whether or not it holds lists."""
    return list(value) if isinstance(value, list) else [] if value is None else [str(value)]


def sharing(held: Mapping[str, Iterable[str]]) -> set[Pair]:
    """Every two that hold one value."""
    members: dict[str, list[str]] = {}
    for path, values in held.items():
        for value in values:
            members.setdefault(value, []).append(path)
    return {ordered(a, b) for together in members.values() for a, b in combinations(together, 2)}


def ordered(a: str, b: str) -> Pair:
    """The smaller path first."""
    return (a, b) if a < b else (b, a)


# --- what the audit counts


def found_pairs(material: Material) -> dict[str, set[Pair]]:
    """Paths of two images in different parts, by the kind of finding that counts them."""
    paths = material.paths
    rows: dict[str, set[tuple[int, int]]] = {}
    for kind, held, known in relations(material):
        rows[kind] = pairs(material, held, known)
    for column in COLUMNS:
        ties = groups.column_ties(material.images, column, material.has_part)
        rows[column] = pairs(material, relation(material, ties.image, ties.value)) if len(ties.image) else set()
    return {kind: {ordered(paths[a], paths[b]) for a, b in found} for kind, found in rows.items()}


def crossed(material: Material) -> list[Finding]:
    """What an audit finds that crosses the parts; what it says besides is not measured here."""
    return [finding for finding, _ in (*copies_and_ties(material), *columns(material))]


def crossing(truth: Pairs, material: Material) -> dict[str, set[Pair]]:
    """The true pairs that lie in different parts."""
    part = {path: int(p) for path, p in zip(material.paths, material.part, strict=True) if p >= 0}
    return {
        kind: {(a, b) for a, b in true if a in part and b in part and part[a] != part[b]}
        for kind, true in truth.items()
    }


# --- tables


def planted(project: Project, truth: Pairs) -> Iterator[list[str]]:
    """By kind: true pairs across parts of the random split, how many are found, and how many found ones are true."""
    material = gather(project, taxonomy.load(), "study")
    told = {finding.kind: finding for finding in crossed(material)}
    true, found = crossing(truth, material), found_pairs(material)
    anything, related = set().union(*found.values()), set().union(*truth.values())
    row_of = {path: row for row, path in enumerate(material.paths)}
    yield ["kind", "true pairs across", "found as this kind", "found as any kind", "of one component",
           "pairs reported", "of these true", "of this kind"]  # fmt: skip
    for kind in (*COPY_KINDS, *TIE_KINDS, "chain", *COLUMNS):
        mine, seen = true.get(kind, set()), found[kind]
        assert len(seen) == (told[kind].pairs if kind in told else 0), f"{kind}: the audit counts otherwise"
        joined = sum(material.component[row_of[a]] == material.component[row_of[b]] for a, b in mine)
        yield [kind, f"{len(mine):,}", share(len(mine & seen), len(mine)), share(len(mine & anything), len(mine)),
               share(joined, len(mine)), f"{len(seen):,}", share(len(seen & related), len(seen)),
               share(len(seen & truth.get(kind, set())), len(seen))]  # fmt: skip


def clean(project: Project, truth: Pairs) -> str:
    """What the audit says of our split, and what truly crosses its parts."""
    material = gather(project, taxonomy.load(), "ours")
    high = [finding.kind for finding in crossed(material) if finding.severity == "high"]
    left = crossing(truth, material)
    told = ", ".join(f"{kind} {len(p):,}" for kind, p in left.items() if p) or "none"
    return f"Findings of severity high: {', '.join(high) or 'none'}. True pairs across the parts: {told}.\n"


def blanked(project: Project, folder: Path, truth: Pairs, workers: int) -> Iterator[list[str]]:
    """True pairs across parts: drawn at random, split with all metadata, and with what pictures alone say."""
    blind = blind_project(project, folder, workers)
    materials = {
        "random": gather(project, taxonomy.load(), "study"),
        "all metadata": gather(project, taxonomy.load(), "ours"),
        "pictures alone": gather(blind, taxonomy.load(), "ours"),
    }
    counted = {name: crossing(truth, material) for name, material in materials.items()}
    yield ["kind", *(f"{name}: true pairs across" for name in materials)]
    for kind in (*COPY_KINDS, *TIE_KINDS, *COLUMNS):
        yield [kind, *(f"{len(counts[kind]):,}" for counts in counted.values())]


def blind_project(project: Project, folder: Path, workers: int) -> Project:
    """The project without the columns that say what belongs together; deduplicated and split by pictures alone."""
    blind = Project(folder)
    if not manifest.exists(blind, "links"):
        told = manifest.provenance(project, "images")
        tables = {name: manifest.read(project, name) for name in manifest.TOGETHER}
        for column in BLANKED:
            place = tables["images"].column_names.index(column)
            nothing = pa.nulls(tables["images"].num_rows, schema.IMAGES.column(column).type)
            tables["images"] = tables["images"].set_column(place, column, nothing)
        manifest.write(blind, tables, Origin(told.command, told.options, told.inputs, told.roots))
        dedup(blind, taxonomy.load(), Dedup(workers=workers))
    split(blind, taxonomy.load(), Request("ours"))
    return blind


def share(some: int, all_: int) -> str:
    """A count and its share."""
    return f"{some:,} ({some / all_:.1%})" if all_ else "-"


def table(rows: Iterable[list[str]]) -> str:
    """A Markdown table; the first row is its heading."""
    first, *rest = rows
    lines = [first, ["---", *["---:"] * (len(first) - 1)], *rest]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(name: str, text: str) -> None:
    """Replace what stands between the README's marks of this name."""
    old = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if begin not in old or end not in old:
        sys.exit(f"{README} has no marks called {name}")
    README.write_text(f"{old[: old.index(begin)]}{begin}{text}{old[old.index(end) :]}", encoding="utf-8")


if __name__ == "__main__":
    main()
