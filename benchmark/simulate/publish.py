"""Write manifests/reference: what `xqdata simulate --check manifests/reference` compares with.

    python benchmark/simulate/publish.py

Simulates the default dataset in a scratch folder, ingests it, and keeps its settings, library versions, pixel hashes,
truth tables and the table of images. Run it when the simulator's pictures have changed, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from xqdata.config import Config
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.simulate import Settings, simulate
from xqdata.simulate.check import publish
from xqdata.taxonomy import load

REFERENCE = Path(__file__).parents[2] / "manifests" / "reference"


def main() -> None:
    """Simulate, ingest, publish."""
    with tempfile.TemporaryDirectory(prefix="xqdata-") as scratch:
        folder = Path(scratch)
        raw = simulate(folder / "raw", Settings()).raw
        project = Project(folder)
        ingest(project, resolve([str(raw)], {}), Config(), load(None))
        count = publish(raw, REFERENCE)
        shutil.copy(project.path("images"), REFERENCE / "images.parquet")
    print(f"{count:,} pictures published in {REFERENCE}")


if __name__ == "__main__":
    main()
