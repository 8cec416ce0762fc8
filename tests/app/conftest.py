"""One database for all tests of a process, and a small project that has been through every step."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.export import write_export
from xqdata import manifest, schema
from xqdata.manifest import Origin, Project
from xqdata.taxonomy import Taxonomy

XQDATA = Path(sys.executable).with_name("xqdata")


def xq(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """The installed command in `folder`."""
    done = subprocess.run([XQDATA, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == code, done.stderr
    return done


def hear_interrupts() -> None:
    """In a process that is about to start: what a shell starts in the background ignores Ctrl-C, and so would that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def viewing(folder: Path, *words: str, **environment: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """`xqdata view --json` in `folder`, once the App answers."""
    command = [XQDATA, "view", "--no-browser", "--json", "--workers", "1", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "preexec_fn": hear_interrupts}
    with subprocess.Popen(command, cwd=folder, env={**os.environ, **environment}, **pipes) as process:  # type: ignore[call-overload]
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        try:
            yield json.loads("".join(lines) or "{}"), process
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def fiftyone(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """FiftyOne on a database that ends with this process."""
    if importlib.util.find_spec("fiftyone") is None:
        pytest.skip("FiftyOne is not installed")
    from xqdata.app.database import connect

    return connect(Project(tmp_path_factory.mktemp("database")))


@pytest.fixture(scope="session")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after ingest, dedup (tables by hand, which take it a minute), two splits, an audit and a run."""
    folder = tmp_path_factory.mktemp("stepped") / "lab"
    folder.mkdir()
    write_export(folder / "raw")
    xq(folder, "ingest", "raw", "--quiet")
    project = Project(folder)
    _link(project)
    xq(folder, "split", "--quiet")
    xq(folder, "split", "--method", "random", "--name", "study", "--quiet")
    xq(folder, "audit", "--name", "study", "--quiet")
    write_run(project, "quick")
    return folder


def _link(project: Project) -> None:
    """Tables of dedup: two copies, which bear different objects; rescans; an undecided pair; two masks."""
    rows = manifest.read(project, "images", ["image_id", "object", "width", "height"]).to_pylist()
    rows.sort(key=lambda row: str(row["image_id"]))
    ids = [row["image_id"] for row in rows]
    other = next(n for n, row in enumerate(rows) if n and row["object"] != rows[0]["object"])
    copies = sorted([ids[0], ids[other]])
    free = [image for image in ids if image not in copies]
    pairs = [{"image_a": a, "image_b": b, "kind": "rescan", "proposed_by": ["neighbour"]}
             for a, b in zip(free[:20:2], free[1:20:2], strict=True)]  # fmt: skip
    pairs.append({"image_a": copies[0], "image_b": copies[1], "kind": "transformed", "proposed_by": ["phash"]})
    duplicates = [{"image_id": image, "cluster": copies[0], "kept": image == copies[0], "reason": "by hand"}
                  for image in copies]  # fmt: skip
    undecided = [{"image_a": free[30], "image_b": free[31], "reason": "too faint"}]
    masks = [{"image_id": row["image_id"], "rle": mask(row["width"], row["height"]), "box": [10, 20, 30, 40],
              "method": "by hand"} for row in rows[:2]]  # fmt: skip
    masks.append({"image_id": ids[3], "rle": None, "box": None, "method": "no container"})
    made = {"links": pairs, "duplicates": duplicates, "undecided": undecided, "masks": masks}
    inputs = {"images": manifest.provenance(project, "images").digest}
    tables = {name: schema.from_rows(name, told) for name, told in made.items()}
    manifest.write(project, tables, Origin("dedup", {"complete_radius": 8}, inputs))


def mask(width: int, height: int) -> str:
    """Run lengths of a filled box, x 10 to 40, y 20 to 60."""
    from xqdata.containers.rle import rle

    drawn = np.zeros((height, width), bool)
    drawn[20:60, 10:40] = True
    return rle(drawn)


def write_run(
    project: Project,
    name: str,
    *,
    seed: int = 0,
    made_at: str = "2026-01-01T00:00:00+00:00",
    embeddings: bool = True,
    lean: float = 0.2,
    **told: Any,
) -> Path:
    """A run in the format of runs/: chance predictions for the images of val and test, that `lean` to the true one."""
    images = manifest.read(project, "images", ["image_id", "object"])
    objects = dict(zip(*(images[c].to_pylist() for c in ("image_id", "object")), strict=True))
    classes = [*sorted({o for o in objects.values() if o}), "walnut"]  # the last one is in no picture
    dice = np.random.default_rng(seed)
    rows = []
    for row in manifest.read(project, "splits/default").to_pylist():
        true = objects[row["image_id"]]
        if row["part"] in ("val", "test") and true:
            chances = dice.dirichlet(np.ones(len(classes)))
            chances[classes.index(true)] += lean
            guess = classes[int(chances.argmax())]
            rows.append({
                "image_id": row["image_id"], "part": row["part"], "component": row["group"], "true": true,
                "predicted": guess, "correct": guess == true, "confidence": np.float32(chances.max() / (1 + lean)),
                **{f"p_{c}": np.float32(p / (1 + lean)) for c, p in zip(classes, chances, strict=True)},
            })  # fmt: skip
    folder = project.folder / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "predictions.parquet")
    if embeddings:
        vectors = [dice.normal(size=8).astype(np.float32).tolist() for _ in rows]
        table = {"image_id": [row["image_id"] for row in rows], "embedding": pa.array(vectors, pa.list_(pa.float32()))}
        pq.write_table(pa.table(table), folder / "embeddings.parquet")
    (folder / "metrics.json").write_text("{}")
    run = {"format": 1, "name": name, "made_at": made_at, "xqdata": "0", "recipe": "chance", "task": "single",
           "classes": classes, "split": "default", "seed": seed, "tables": {}}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run | told))
    return folder


@pytest.fixture
def lab(stepped: Path, tmp_path: Path) -> Project:
    """A copy of the project, to be changed; its raw folder stays where it is."""
    shutil.copytree(stepped, tmp_path / "lab", ignore=shutil.ignore_patterns("raw"))
    return Project(tmp_path / "lab")


@pytest.fixture
def passes(lab: Project) -> Project:
    """The lab with two pictures of each of three passes: the top in colour, and one more."""
    ids = sorted(manifest.read(lab, "images", ["image_id"])["image_id"].to_pylist())[:6]
    told = dict(zip(ids, [("top", "colour"), ("side", "colour"), ("top", "colour"), ("top", "high"),
                          ("side", "high"), (None, "grey")], strict=True))  # fmt: skip

    def change(row: dict[str, Any]) -> dict[str, Any]:
        if row["image_id"] not in told:
            return row
        view, channel = told[row["image_id"]]
        return row | {"scan_id": f"P{ids.index(row['image_id']) // 2}", "view": view, "channel": channel}

    rewrite(lab, "images", change)
    return lab


@pytest.fixture
def bring(
    lab: Project, fiftyone: ModuleType, reference: Taxonomy, request: pytest.FixtureRequest
) -> Callable[..., Any]:
    """Brings `lab` into a dataset of this test's own."""
    name = request.node.name

    def call(project: Project = lab, **asked: Any) -> Any:
        from xqdata.app.content import Asked
        from xqdata.app.run import bring

        shared = asked.pop("shared", False)
        return bring(project, reference, name, Asked(**asked), workers=1, shared=shared)

    return call


def rewrite(project: Project, name: str, change: Callable[[dict[str, Any]], Mapping[str, Any] | None]) -> None:
    """Write table `name` anew, each row as `change` makes it; rows for which it gives None are left out."""
    told = manifest.provenance(project, name)
    group = manifest.TOGETHER if name in manifest.TOGETHER else (name,)
    tables = {each: manifest.read(project, each) for each in group if manifest.exists(project, each)}
    rows = [made for row in tables[name].to_pylist() if (made := change(row)) is not None]
    tables[name] = pa.Table.from_pylist(rows, schema=schema.table(name).arrow)
    manifest.write(project, tables, Origin(told.command, told.options, told.inputs, told.roots))
