"""How long `xqdata view` takes until the App answers: the first load, one with nothing new, one with a few changes.

    python benchmark/speed/view.py [--images 11517] [--scans 273] [--project FOLDER] [--repeats 1] [--write]

A simulated project goes through every step; then its rows are multiplied, with masks, links, parts, audits and one run.
Each copy is a file of its own (a link to the same bytes). Prints a Markdown table; `--write` puts it into view.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from xqdata import manifest, schema
from xqdata.manifest import Origin, Project

PAGE = Path(__file__).with_name("view.md")
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
GOAL = 60.0  # seconds for the first load of the study's 11,517 images on two cores
STUDY = 11_517
XQDATA = Path(sys.executable).with_name("xqdata")
# Columns that name images, by table.
_NAMES = {
    "images": ("image_id",),
    "masks": ("image_id",),
    "detections": ("image_id",),
    "links": ("image_a", "image_b"),
    "undecided": ("image_a", "image_b"),
    "duplicates": ("image_id", "cluster"),
    "splits/default": ("image_id", "group"),
    "splits/study": ("image_id", "group"),
    "audits/study.evidence": ("image_test", "image_train"),
}
_PACKAGES = ("xqdata", "fiftyone", "pymongo")


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=STUDY, help="rows of the project that is loaded")
    parser.add_argument("--scans", type=int, default=273, help="scans that are simulated and then multiplied")
    parser.add_argument("--project", type=Path, help="a project made by xqdata demo, instead of a new one")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    before = os.getloadavg()[0]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        base = options.project or Path(folder) / "demo"
        if not base.exists():
            subprocess.run([XQDATA, "demo", base, "--scans", str(options.scans), "--quiet"], check=True)
        for repeat in range(options.repeats):
            project = Project(Path(folder) / f"project-{repeat}")
            multiply(Project(base), project, options.images)
            rows += [["first", *timed(project)], ["nothing new", *timed(project)]]
            relabel(project, options.images // 100)
            rows.append(["1% of the objects changed", *timed(project)])
    head = ["load", "new", "changed", "as before", "seconds until the App answers"]
    table = _table(head, rows)
    text = "\n\n".join([_circumstances(before), table])
    print(text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
        PAGE.write_text(f"{page[:start]}\n\n{text}\n\n{page[end:]}", encoding="utf-8")


def multiply(base: Project, made: Project, count: int) -> None:
    """A project of `count` images, each a row of `base` under another name."""
    every = manifest.read(base, "images")
    times = -(-count // every.num_rows)
    tables: dict[str, pa.Table] = {}
    for name, columns in _NAMES.items():
        if not manifest.exists(base, name):
            continue
        table = manifest.read(base, name)
        tables[name] = pa.concat_tables([_renamed(table, columns, n) for n in range(times)])
    told = manifest.provenance(base, "images")
    root = Path(told.roots["raw"])
    images = _in_folders(tables["images"], every.num_rows, made.folder / "raw", root).slice(0, count)
    kept = images["image_id"].combine_chunks()
    for name in tables.keys() - {"images"}:
        for column in _NAMES[name]:
            if column in ("image_id", "image_a", "image_b", "image_test", "image_train"):
                tables[name] = tables[name].filter(pc.is_in(tables[name][column], kept))
    tables["images"] = images
    for name in ("rejects", "sources"):
        tables[name] = schema.empty(name)
    tables["audits/study"] = manifest.read(base, "audits/study")
    options = {**told.options}
    manifest.write(made, tables, Origin("ingest", options, roots={"raw": str(made.folder / "raw")}))
    sketches = base.state / "sketches"
    if sketches.exists():  # as dedup leaves them
        made.state.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", sketches, made.state], check=True)
    write_run(made, tables["images"], tables["splits/default"])


def _renamed(table: pa.Table, columns: Sequence[str], n: int) -> pa.Table:
    """The `n`th copy of the rows: each id stays 32 hex digits."""
    for column in columns:
        at = table.column_names.index(column)
        ids = pc.binary_join_element_wise(f"{n:04x}", pc.utf8_slice_codeunits(table[column], 4), "")
        table = table.set_column(at, table.schema.field(at), ids)
    return table


def _in_folders(images: pa.Table, size: int, raw: Path, old: Path) -> pa.Table:
    """The images, each copy of the rows in a folder of its own, with links to the old files."""
    paths = images["path"].to_pylist()
    made = [f"{n // size:04d}/{path}" for n, path in enumerate(paths)]
    for path, link in zip(paths, made, strict=True):
        (raw / link).parent.mkdir(parents=True, exist_ok=True)
        os.link(old / path, raw / link)
    at = images.column_names.index("path")
    images = images.set_column(at, images.schema.field(at), pa.array(made))
    for name in ("scan_id", "moved_from"):
        at = images.column_names.index(name)
        old_values = images[name].to_pylist()
        values = (
            [v and f"{v}-{n // size}" for n, v in enumerate(old_values)] if name == "scan_id" else [None] * len(made)
        )
        images = images.set_column(at, images.schema.field(at), pa.array(values, pa.string()))
    return images


def write_run(project: Project, images: pa.Table, split: pa.Table) -> None:
    """A run with chance predictions for every image of the validation and test parts."""
    objects = dict(zip(images["image_id"].to_pylist(), images["object"].to_pylist(), strict=True))
    classes = sorted({name for name in objects.values() if name})
    dice = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for row in split.to_pylist():
        true = objects.get(row["image_id"])
        if row["part"] in ("val", "test") and true:
            chances = dice.dirichlet(np.ones(len(classes)))
            best = int(chances.argmax())
            rows.append({
                "image_id": row["image_id"], "part": row["part"], "component": row["group"], "true": true,
                "predicted": classes[best], "correct": classes[best] == true, "confidence": float(chances[best]),
                **{f"p_{name}": float(p) for name, p in zip(classes, chances, strict=True)},
            })  # fmt: skip
    folder = project.folder / "runs" / "chance"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    (folder / "metrics.json").write_text("{}")
    told = {"format": 1, "name": "chance", "made_at": "2026-01-01T00:00:00+00:00", "recipe": "chance", "task": "single",
            "classes": classes, "split": "default"}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(told))


def relabel(project: Project, count: int) -> None:
    """Give another object to `count` images in the table, as a corrected log at the next ingest would."""
    images = manifest.read(project, "images")
    objects = images["object"].to_pylist()
    names = sorted({name for name in objects if name})
    changed = [n for n, name in enumerate(objects) if name][:count]
    for n in changed:
        objects[n] = names[(names.index(objects[n]) + 1) % len(names)]
    for column, values in (("object", objects),):
        at = images.column_names.index(column)
        images = images.set_column(at, images.schema.field(at), pa.array(values, pa.string()))
    told = manifest.provenance(project, "images")
    tables = {"images": images} | {name: manifest.read(project, name) for name in ("rejects", "sources", "detections")}
    manifest.write(project, tables, Origin("ingest", told.options, roots=told.roots))


def timed(project: Project) -> list[str]:
    """New, changed and unchanged images, and seconds from the command's start until it says that the App is there."""
    started = time.perf_counter()
    command = [XQDATA, "view", "--no-browser", "--json"]
    process = subprocess.Popen(command, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    seconds = time.perf_counter() - started
    process.terminate()
    process.wait()
    process.stdout.close()
    _await_end(project)
    told = json.loads(text)
    return [f"{told[name]:,}" for name in ("added", "updated", "unchanged")] + [f"{seconds:.1f}"]


def _await_end(project: Project) -> None:
    """Until the database's server has gone, so that the next command starts its own."""
    for _ in range(100):
        found = subprocess.run(["pgrep", "-f", str(project.state)], capture_output=True, check=False)
        if found.returncode:
            return
        time.sleep(0.1)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _circumstances(before: float) -> str:
    command = " ".join(["python", "benchmark/speed/view.py", *sys.argv[1:]])
    return "\n".join([
        f"- {time.strftime('%Y-%m-%d')}: `{command}`",
        f"- {os.cpu_count()} cores; load average {before:.1f} before",
        f"- Python {platform.python_version()}; {', '.join(f'{n} {version(n)}' for n in _PACKAGES)}",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
