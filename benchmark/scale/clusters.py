"""The part of dedup that follows once all pairs are compared: `python benchmark/scale/clusters.py PROJECT`.

From the table `links` as it stands, no picture opened: links reconciled, copies joined to clusters, one of each kept,
pairs settled that others decide. It must come to the clusters that stand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from xqdata import labels, manifest, taxonomy
from xqdata.dedup.joined import joined, reconcile, settle
from xqdata.dedup.known import Known
from xqdata.dedup.run import present
from xqdata.manifest import Project


def main() -> None:
    """Join what stands and compare."""
    project = Project(Path(sys.argv[1]))
    rows = {name: manifest.read(project, name).to_pylist() for name in ("links", "undecided")}
    links, undecided = ({(row["image_a"], row["image_b"]): row for row in rows[name]} for name in rows)
    table = present(project, taxonomy.load(), labels.log(project))
    known = Known.of(table, [])
    reconcile(links, undecided, set())
    # Chains whose ends do not match are looked for on pixels: a matter of tasks, not of this machine.
    found = joined(known, links, "best", lambda *_: True).rows
    settle(known, found, links, undecided, ())
    standing = manifest.read(project, "duplicates", ["image_id", "cluster"]).sort_by("image_id").to_pylist()
    if [(row["image_id"], row["cluster"]) for row in found] != [(r["image_id"], r["cluster"]) for r in standing]:
        sys.exit("other clusters than those that stand")
    print(f"{len(found):,} members of clusters")


if __name__ == "__main__":
    main()
