"""The simulated laboratories that are studied, made by xqdata's own commands."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from xqdata import manifest
from xqdata.manifest import Project

SPLIT_SEEDS = (0, 1, 2, 3, 4)
_SINGLE = "single_bare,single_basket,single_basket_cluttered,single_carrier,single_carrier_cluttered"
_COPIES = ("--byte-copies", "0.04", "--pixel-copies", "0.04", "--reencoded", "0.04", "--resized", "0.02",
           "--trimmed", "0.02", "--turned", "0.02", "--mirrored", "0.02")  # fmt: skip


@dataclass(frozen=True)
class Laboratory:
    """`simulate`, `dedup`: options of these commands. `splits`: options of `xqdata split` by the split's name."""

    name: str
    simulate: tuple[str, ...]
    dedup: tuple[str, ...]
    splits: dict[str, tuple[str, ...]]


# Folds, so that every image is tested once in every split, and on both sides of the comparison.
_SPLITS = {
    f"{name}-{seed}": (*options, "--folds", "5", "--seed", str(seed))
    for seed in SPLIT_SEEDS
    for name, options in (("random", ("--method", "random")), ("safe", ()))
}

# The study's size with the faults that the preset plants. Nothing in xqdata was tuned on this seed.
STUDY = Laboratory("study", ("--preset", "study", "--seed", "9"), (), _SPLITS)
# Single objects only, so that every specimen is a family of its own: 16 of each object, of some 30 scans each. A fifth
# of the scans have a copy and 15% a rescan, so that all images that are tested on these axes can have one.
FAMILIES = Laboratory(
    "families",
    ("--scans", "10080", "--specimens", "16", "--seed", "10", "--scan-types", _SINGLE, "--no-faults", *_COPIES,
     "--rescans", "0.15"),
    ("--no-ties",),
    {"random-0": _SPLITS["random-0"]},
)  # fmt: skip
LABORATORIES = {one.name: one for one in (STUDY, FAMILIES)}


def made(laboratory: Laboratory, work: Path, scans: int | None, workers: int | None) -> Project:
    """Its project below `work`, made where it is not there. `scans`: fewer, to try the script out."""
    project = Project(work / laboratory.name)
    project.folder.mkdir(parents=True, exist_ok=True)
    simulate = (*laboratory.simulate, *(("--scans", str(scans)) if scans else ()))
    told = {"simulate": list(simulate), "dedup": list(laboratory.dedup)}
    mark = project.folder / "world.json"
    if mark.exists() and json.loads(mark.read_text()) != told:
        sys.exit(f"{project.folder} was made with other settings: remove it, or give another --work")
    mark.write_text(json.dumps(told))
    busy = ("--workers", str(workers)) if workers else ()
    if not manifest.exists(project, "masks"):
        xqdata(project, "simulate", "raw", *simulate, *busy)
        xqdata(project, "ingest", "raw", *busy)
        xqdata(project, "dedup", *laboratory.dedup, *busy)
    for name, options in laboratory.splits.items():
        if not manifest.exists(project, f"splits/{name}"):
            xqdata(project, "split", "--name", name, *options)
    return project


def xqdata(project: Project, *arguments: str) -> None:
    """Run a command in the project's folder; its last lines are shown where it fails."""
    print("xqdata", *arguments, file=sys.stderr, flush=True)
    command = [str(Path(sys.executable).with_name("xqdata")), *arguments, "-q"]
    done = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
