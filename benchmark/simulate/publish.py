"""Write manifests/reference: what `xqdata simulate --check manifests/reference` compares with.

    python benchmark/simulate/publish.py [--folder FOLDER] [--workers N]

Simulates the default dataset in a scratch folder, ingests it, and keeps its settings, library versions, pixel hashes,
truth tables and the table of images. `--folder` keeps the scratch folder, and a second run goes on where it stopped.
Run it when the simulator's pictures have changed, and say so in CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

from xqdata.config import Config
from xqdata.ingest import Options, ingest, resolve
from xqdata.manifest import Project
from xqdata.manifest.store import KEY
from xqdata.simulate import Settings, simulate
from xqdata.simulate.check import publish
from xqdata.taxonomy import load

REFERENCE = Path(__file__).parents[2] / "manifests" / "reference"


def main() -> None:
    """Simulate, ingest, publish."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to simulate; a temporary folder by default")
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xqdata-") as scratch:
        folder = options.folder or Path(scratch)
        raw = simulate(folder / "raw", Settings(), workers=options.workers).raw
        project = Project(folder)
        ingest(project, resolve([str(raw)], {}), Config(), load(None), Options(workers=options.workers))
        count = publish(raw, REFERENCE, workers=options.workers)
        copy_placeless(project.path("images"), REFERENCE / "images.parquet")
    print(f"{count:,} pictures published in {REFERENCE}")


def copy_placeless(table: Path, to: Path) -> None:
    """Copy a table; its provenance then says no more of where the raw folders lay than their names."""
    found = pq.read_table(table)
    told = json.loads(pq.read_metadata(table).metadata[KEY])
    told["roots"] = {name: name for name in told["roots"]}
    with pq.ParquetWriter(to, found.schema, compression="zstd") as writer:
        writer.write_table(found)
        writer.add_key_value_metadata({KEY: json.dumps(told)})


if __name__ == "__main__":
    main()
