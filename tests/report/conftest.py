"""A project whose every name is hostile, after ingest, dedup's tables, splits, an audit and runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assets.pictures import colour, encoded, save
from xqdata import manifest, schema
from xqdata.config import Config
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Origin, Project
from xqdata.report.dataset import Made, write
from xqdata.taxonomy import Taxonomy

# What a name may hold that a page must show as it is: tags, attributes, style, mathtext of matplotlib, other scripts.
EVIL = (
    "<script>window.hurt=1</script>",
    '"><img src=x onerror=window.hurt=1>',
    "'><svg onload=window.hurt=1>",
    "{{ 7*7 }}{% raw %}",
    "</style><style>body{display:none}</style>",
    "javascript:window.hurt=1",
    "$\\frac{1}{0}$",
    "얼룩말 \u202eabc",  # reads from right to left
)
PARTS = ("train", "val", "test")
OPERATOR, SITE, SERIAL = "Kim Minsu", "Busan Terminal 3", "SN-77142"


def hostile(folder: Path, reference: Taxonomy) -> Project:
    """Three pictures for each name, in folders and files that bear it, with a log that says more."""
    rows = ["file,object,session,specimen,acquired_at,operator,site,scanner_serial,scanner_make,remark"]
    for number, name in enumerate(EVIL):
        for shot in range(3):
            path = f"{name.replace('/', '／')}/single_basket/{shot} {name[:20].replace('/', '／')}.png"
            save(folder / "raw" / path, encoded(colour(40, 48, number * 10 + shot)))
            quoted = [path, name, f"{name} by {OPERATOR}", f"{name} {shot}", f"2024-03-{number + 1:02} 09:0{shot}:00",
                      OPERATOR, SITE, SERIAL, name, name]  # fmt: skip
            rows.append(",".join('"' + cell.replace('"', '""') + '"' for cell in quoted))
        save(folder / "raw" / name.replace("/", "／") / "empty.png", b"")
    save(folder / "raw" / "log.csv", "\n".join(rows).encode())
    project = Project(folder)
    ingest(project, resolve([str(folder / "raw")], {}), Config(), reference)
    return project


def ids(project: Project) -> list[str]:
    """All images, in the order of their ids."""
    return sorted(manifest.read(project, "images", ["image_id"])["image_id"].to_pylist())


def deduplicate(project: Project) -> None:
    """Tables of dedup: a copy that contradicts, a rescan, an undecided pair."""
    names = ids(project)
    pairs = [
        {"image_a": names[0], "image_b": names[1], "kind": "re-encoded", "proposed_by": ["phash"]},
        {"image_a": names[2], "image_b": names[3], "kind": "rescan", "proposed_by": ["neighbour"]},
    ]
    members = [
        {"image_id": name, "cluster": names[0], "kept": name == names[0], "reason": EVIL[0]} for name in names[:2]
    ]
    unsure = [{"image_a": names[4], "image_b": names[5], "reason": EVIL[1]}]
    tables = {"links": pairs, "duplicates": members, "undecided": unsure}
    made = {name: schema.from_rows(name, rows) for name, rows in tables.items()}
    manifest.write(project, made, Origin("dedup", {}, {"images": manifest.provenance(project, "images").digest}))


def divide(
    project: Project, name: str, method: str = "balanced", parts: tuple[str, ...] = ("train", "val", "test")
) -> None:
    """A split that deals images out in turn, with an obstacle and a certificate."""
    rows = [
        {"image_id": image, "part": parts[n % len(parts)], "group": image if method != "random" else None}
        for n, image in enumerate(ids(project))
    ]
    told = {
        "request": {"method": method},
        "obstacles": [EVIL[0]],
        "methods": f"Divided. {EVIL[1]}",
        "certificate": {"rows": 9, "deviation": 4.5, "bound": 3.0, "proven": False, "missing": 2, "least_missing": 1},
        "proof": {"checked": {"specimens": 24, "links": 2}, "torn": {"specimens": 0, "links": 1}},
    }
    inputs = {"images": manifest.provenance(project, "images").digest}
    manifest.write(project, {f"splits/{name}": schema.from_rows(f"splits/{name}", rows)}, Origin("split", told, inputs))


def judge(
    project: Project, name: str, findings: list[dict[str, Any]], intended: tuple[str, ...] = (), **told: str
) -> None:
    """An audit with these findings, and evidence of the first two images for each of severity high."""
    names = ids(project)
    evidence = [
        {"kind": row["kind"], "image_test": names[2], "image_train": names[0], "detail": EVIL[1]}
        for row in findings
        if row["severity"] == "high"
    ]
    tables = {
        f"audits/{name}": schema.from_rows(f"audits/{name}", findings),
        f"audits/{name}.evidence": schema.from_rows(f"audits/{name}.evidence", evidence),
    }
    inputs = {
        table: manifest.provenance(project, table).digest
        for table in ("images", f"splits/{name}", "links")
        if manifest.exists(project, table)
    }
    manifest.write(project, tables, Origin("audit", {"intended": list(intended), **told}, inputs))


def finding(kind: str, severity: str, detail: str = "2 of 8 images are so; do something") -> dict[str, Any]:
    """A row of an audit."""
    return {"kind": kind, "severity": severity, "images_test": 2, "images_train": 3, "pairs": 4, "detail": detail}


def run(
    project: Project, name: str, value: float, *, leaking: bool = False, split: str = "default", **told: Any
) -> Path:
    """A run with a matrix of two hostile classes, as the benchmark writes one."""
    folder = project.folder / "runs" / name
    folder.mkdir(parents=True)
    share = {"value": value, "n": 10, "components": 3, "low": max(0, value - 0.1), "high": min(1, value + 0.1)}
    few = {"value": 0.5, "n": 2, "components": 1, "low": None, "high": None, "range": [0.5, 0.5]}
    one, other = EVIL[:2]
    metrics = {
        "test": {"accuracy": share, "balanced_accuracy": share},
        "classes": {
            kind: {"support": 2, "components": 1, "precision": None, "recall": few, "f1": None} for kind in EVIL[:2]
        },
        "chance": {"commonest": 0.1, "even": 0.05},
        "parts": ["test"],
        "confusion": [
            {"true": one, "predicted": other, "count": 7, "share": share},
            {"true": one, "predicted": one, "count": 3, "share": share},
        ],
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    document = {"format": 1, "name": name, "made_at": "2026-01-01T00:00:00+00:00", "xqdata": "0", "recipe": EVIL[1],
                "task": "single", "classes": list(EVIL[:2]), "split": split, "seed": 0, "settings": {},
                "leaking": ["links: 3"] if leaking else [], "tables": {}}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(document | told))
    return folder


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory, reference: Taxonomy) -> Path:
    return hostile(tmp_path_factory.mktemp("ingested"), reference).folder


@pytest.fixture
def lab(ingested: Path, tmp_path: Path) -> Project:
    """Hostile images, ingested and nothing else, to be changed; the raw folder is one for all tests."""
    folder = tmp_path / "lab"
    shutil.copytree(ingested / "manifests", folder / "manifests")
    (folder / ".xqdata").mkdir()
    (folder / "raw").symlink_to(ingested / "raw")
    return Project(folder)


@pytest.fixture
def full(lab: Project) -> Project:
    """The same after every step."""
    return finish(lab)


def finish(lab: Project) -> Project:
    """Take a project that was ingested through every further step."""
    deduplicate(lab)
    divide(lab, "default")
    divide(lab, "study", "random")
    judge(lab, "default", [finding("background", "medium", f"{EVIL[0]} of {OPERATOR}; look")])
    judge(lab, "study", [finding("specimens", "high"), finding("drift-object", "info")])
    run(lab, "quick", 0.4)
    run(lab, "study", 0.7, leaking=True, split="study")
    return lab


@pytest.fixture
def make(reference: Taxonomy) -> Callable[..., tuple[str, Made]]:
    """The page of a project as text, and what was told of it."""

    def call(project: Project, name: str = "report.html") -> tuple[str, Made]:
        path = project.folder / name
        made = write(project, reference, path, {})
        return path.read_text(encoding="utf-8"), made

    return call
