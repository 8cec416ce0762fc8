"""The paired comparison of `xqdata benchmark --gap` on a folder of real scans."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from studied import pages, worlds
from xqdata import manifest
from xqdata.manifest import Project

SEEDS = 20


def measured(folder: Path, group_from: str | None, work: Path, recipes: tuple[str, ...], workers: int | None) -> None:
    """Ingest, find links, split at random and compare; the figures go to benchmark/results/real.json.

    An xqdata.toml in the folder says what its names mean. Without `group_from`, what belongs together follows from the
    columns and links that ingest and dedup found.
    """
    project = Project(work / f"real-{folder.name}")
    project.folder.mkdir(parents=True, exist_ok=True)
    if (folder / "xqdata.toml").exists():
        shutil.copy(folder / "xqdata.toml", project.folder)
    busy = ("--workers", str(workers)) if workers else ()
    worlds.xqdata(project, "ingest", str(folder.resolve()), *busy)
    worlds.xqdata(project, "dedup", *busy)
    if not manifest.exists(project, "splits/random"):
        worlds.xqdata(project, "split", "--method", "random", "--name", "random")
    grouped = ("--group-from", group_from) if group_from else ()
    told = json.loads(pages.REAL.read_text()) if pages.REAL.exists() else []
    for recipe in recipes:
        name = "quick" if recipe == "cnn" else recipe
        run = f"{name}-{hashlib.sha256((group_from or '').encode()).hexdigest()[:8]}"
        worlds.xqdata(project, "benchmark", "--gap", "--name", "random", "--recipe", name, "--run", run, "--seeds",
                      str(SEEDS), *grouped, *busy)  # fmt: skip
        found = json.loads((project.folder / "gaps" / run / "gap.json").read_text())
        group = f"`{group_from}`" if group_from else "columns and links"
        now = {"scans": folder.name, "group": group, "recipe": recipe, **found}
        told = [one for one in told if [one[k] for k in ("scans", "group", "recipe")] != [folder.name, group, recipe]]
        told.append(now)
        pages.RESULTS.mkdir(exist_ok=True)
        pages.REAL.write_text(json.dumps(told, indent=1) + "\n")
