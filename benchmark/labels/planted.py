"""How many of the simulator's wrong labels the first k suspects hold: ours, beside cleanlab and FiftyOne.

    python benchmark/labels/planted.py NAME=PROJECT [NAME=PROJECT ...] --write

PROJECT was made by `xqdata simulate`, ingested and deduplicated; NAME is what the table calls it. It is read only:
tables are copied to a scratch folder. Every run with folds in its runs/ is measured, and the quick classifier, on the
same labels: all rankings get the same out-of-fold probabilities, and an image that no model judged comes last in those
that know nothing else. `--write` puts the table into the README beside this file.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from xqdata import manifest, runs, schema, taxonomy
from xqdata.manifest import Origin, Project
from xqdata.suspects.filings import Filings, gather
from xqdata.suspects.predicted import QUICK, Predicted, predicted
from xqdata.suspects.run import weigh

README = Path(__file__).with_name("README.md")
NAMES = ("specimens", "bag")


@dataclass(frozen=True)
class Truth:
    """Of n images: which labels are judged (`counts`), and which of those are `wrong`."""

    counts: np.ndarray[Any, Any]
    wrong: np.ndarray[Any, Any]


def main() -> None:
    """Measure the projects, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="+", help="NAME=PROJECT")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    asked = parser.parse_args()
    rows = [row for one in asked.project for row in measured(*one.split("=", 1), asked.workers)]
    text = table(rows)
    print(text)
    if asked.write:
        write("planted", text)


def measured(name: str, folder: str, workers: int) -> Iterator[list[str]]:
    """The rows of one project."""
    source = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        named, bare = Project(Path(scratch) / "named"), Project(Path(scratch) / "bare")
        for project in (named, bare):
            for part in ("manifests", "runs"):
                if (source / part).is_dir():
                    shutil.copytree(source / part, project.folder / part)
        nameless(bare)
        folds = [run for run in runs.names(named) if runs.read(named, run).told.get("folds")]
        both = {project: gather(project, taxonomy.load()) for project in (named, bare)}
        truth = true_labels(source, both[named])
        for run in [*folds, None]:
            said = model(named, both[named], run, workers)
            yield from rankings(name, run or QUICK, both[named], both[bare], said, truth)


def model(project: Project, filings: Filings, run: str | None, workers: int) -> Predicted:
    """What a run says, or the quick classifier where that is asked for, whatever runs there are."""
    if run is None and (project.folder / "runs").is_dir():
        shutil.rmtree(project.folder / "runs")
    return predicted(project, filings, run, workers, lambda *_: None)


def nameless(project: Project) -> None:
    """The project without the names of specimens and bags: a laboratory that did not write them down."""
    told = manifest.provenance(project, "images")
    tables = {name: manifest.read(project, name) for name in manifest.TOGETHER}
    for column in NAMES:
        place = tables["images"].column_names.index(column)
        nothing = pa.nulls(tables["images"].num_rows, schema.IMAGES.column(column).type)
        tables["images"] = tables["images"].set_column(place, column, nothing)
    manifest.write(project, tables, Origin(told.command, told.options, told.inputs, told.roots))


def true_labels(source: Path, filings: Filings) -> Truth:
    """A label is wrong if the object is not in the scan. One that names some of several objects is not judged."""
    files = {row["path"]: row for row in pq.read_table(source / "truth" / "files.parquet").to_pylist()}
    true = [set(files[path]["objects"] or ()) for path in filings.images["path"].to_pylist()]
    one = [label != "" for label in filings.object.tolist()]
    wrong = np.array([o and label not in t for o, label, t in zip(one, filings.object.tolist(), true, strict=True)])
    partly = np.array([o and label in t and len(t) > 1 for o, label, t in zip(one, filings.object, true, strict=True)])
    return Truth(np.array(one) & ~partly, wrong)


def rankings(
    name: str, source: str, named: Filings, bare: Filings, said: Predicted, truth: Truth
) -> Iterator[list[str]]:
    """A row for each way to rank the same labels, the most suspected first."""
    label = np.searchsorted(said.classes, named.object.astype(str)).clip(max=len(said.classes) - 1)
    rows = np.flatnonzero(said.known & (named.object != ""))
    held, own = said.probability[rows], label[rows]
    held = held / np.maximum(held.sum(1, keepdims=True), 1e-12)
    accuracy = float((held.argmax(1) == own)[~truth.wrong[rows]].mean())
    quality, mistaken = np.full(len(named.ids), 2.0), np.full(len(named.ids), -1.0)
    quality[rows] = get_label_quality_scores(own, held)
    sure = held.max(1) * np.where(held.argmax(1) == own, -1, 1)
    mistaken[rows] = (sure + 1) / 2  # fiftyone.brain's mistakenness of a classification with confidences
    issue = np.zeros(len(named.ids), bool)
    issue[rows[find_label_issues(own, held, return_indices_ranked_by="self_confidence")]] = True
    silent = replace(said, known=np.zeros_like(said.known))
    every = {
        "xqdata, all evidence": weigh(named, said).wrong,
        "xqdata, without names of specimens and bags": weigh(bare, said).wrong,
        "xqdata, all evidence, no model": weigh(named, silent).wrong,
        "cleanlab, find_label_issues": np.where(issue, 3 - quality, -quality),
        "cleanlab, label quality alone": -quality,
        "FiftyOne, mistakenness": mistaken,
    }
    total = int(truth.wrong.sum())
    counted = np.flatnonzero(truth.counts)
    for way, score in every.items():
        order = counted[np.argsort(-score[counted], kind="stable")]
        hits = truth.wrong[order].cumsum()
        at = [min(k, len(order)) for k in (10, 20, total, 2 * total, 100)]
        listed = truth.counts & (issue if "find_label" in way else score >= 0.5)
        told = (
            "-" if "alone" in way or "FiftyOne" in way else share(int((listed & truth.wrong).sum()), int(listed.sum()))
        )
        yield [name, f"{source} ({accuracy:.0%})", way, *(f"{hits[k - 1] / k:.0%}" for k in at[:3]),
               f"{hits[at[3] - 1] / total:.0%}", f"{hits[at[4] - 1] / total:.0%}", told,
               f"{total} of {len(order):,}"]  # fmt: skip


def share(some: int, all_: int) -> str:
    """A count and its share."""
    return f"{some:,} of {all_:,} ({some / all_:.0%})" if all_ else "none"


def table(rows: list[list[str]]) -> str:
    """A Markdown table."""
    head = ["project", "model (right on true labels)", "ranking", "precision at 10", "at 20", "at n wrong",
            "recall at 2n", "recall at 100", "wrong of what it lists", "wrong labels"]  # fmt: skip
    lines = [head, ["---", "---", "---", *["---:"] * 7], *rows]
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
