"""The part of dedup that follows once all pairs are compared: `python benchmark/scale/clusters.py PROJECT`.

From the table `links` as it stands, no picture opened: links reconciled, copies joined to clusters, one of each kept,
pairs settled that others decide. It must come to the clusters that stand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xqdata import labels, manifest, taxonomy
from xqdata.dedup import run
from xqdata.manifest import Project


def main() -> None:
    """Join what stands and compare."""
    project = Project(Path(sys.argv[1]))
    rows = {name: manifest.read(project, name).to_pylist() for name in ("links", "undecided")}
    links, undecided = ({(row["image_a"], row["image_b"]): row for row in rows[name]} for name in rows)
    table = run.present(project, taxonomy.load(), labels.log(project))
    ids = table["image_id"].to_pylist()
    known = run._Known(run._Rows(table), {name: place for place, name in enumerate(ids)}, [])
    result = run.Result({}, len(ids))
    run._reconcile(links, undecided, set())
    # Chains whose ends do not match are looked for on pixels: a matter of tasks, not of this machine.
    run._alike = lambda *_: True
    found = run._clusters(known, links, run.Options(), result)
    run._settle(known, found, links, undecided, ())
    standing = manifest.read(project, "duplicates", ["image_id", "cluster"]).sort_by("image_id").to_pylist()
    if [(row["image_id"], row["cluster"]) for row in found] != [(r["image_id"], r["cluster"]) for r in standing]:
        sys.exit("other clusters than those that stand")
    print(f"{len(found):,} members of clusters")


if __name__ == "__main__":
    main()
