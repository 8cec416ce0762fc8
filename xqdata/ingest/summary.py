"""What an ingest made, counted for a person or a machine to read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pyarrow.compute as pc

from xqdata.ingest.run import Result
from xqdata.taxonomy import Taxonomy

UNKNOWN = "(unknown)"
SEVERAL = "(several)"


@dataclass(frozen=True)
class Summary:
    """The counts of one run, over its raw folders only.

    `found`, `recorded`, `rejected`, `sources` count files: found = recorded + rejected + sources. `images` counts
    rows (a file may hold several pages). `cells`: images by (object, scan type), with UNKNOWN where nothing says, and
    SEVERAL for scans of more than one class. `strays`: rejects of a row or page, by reason.
    """

    found: int
    read: int
    unchanged: int
    recorded: int
    images: int
    rejected: dict[str, int]
    strays: dict[str, int]
    sources: int
    missing: int
    unknown_objects: dict[str, int]
    unknown_scan_types: dict[str, int]
    no_object: int
    no_scan_type: int
    cells: dict[tuple[str, str], int]

    @property
    def only_ignored(self) -> bool:
        """True if nothing was rejected for another reason than `ignored`."""
        return set(self.rejected) <= {"ignored"} and not self.strays


def summarise(result: Result, taxonomy: Taxonomy) -> Summary:
    """Count what `result` holds for the raw folders of its run."""
    images, rejects = result.of_this_run("images"), result.of_this_run("rejects", outside=True)
    present = images.filter(pc.invert(images["missing"]))
    named = list(zip(present["object"].to_pylist(), present["objects"].to_pylist(), strict=True))
    labels = [one or (SEVERAL if several else UNKNOWN) for one, several in named]
    scans = [scan or UNKNOWN for scan in present["scan_type"].to_pylist()]
    objects = Counter(o for _, several in named for o in several or ())
    whole = rejects.filter(pc.is_null(rejects["item"]))
    return Summary(
        found=sum(a.found for a in result.accounts),
        read=sum(a.read for a in result.accounts),
        unchanged=sum(a.unchanged for a in result.accounts),
        recorded=len(set(zip(present["root"].to_pylist(), present["path"].to_pylist(), strict=True))),
        images=present.num_rows,
        rejected=_counted(whole["reason"].to_pylist()),
        strays=_counted(rejects.filter(pc.is_valid(rejects["item"]))["reason"].to_pylist()),
        sources=result.of_this_run("sources").num_rows,
        missing=sum(a.missing for a in result.accounts),
        unknown_objects={o: n for o, n in sorted(objects.items()) if o not in taxonomy.objects},
        unknown_scan_types={s: n for s, n in _counted(scans).items() if s != UNKNOWN and s not in taxonomy.scan_types},
        no_object=labels.count(UNKNOWN),
        no_scan_type=scans.count(UNKNOWN),
        cells=dict(Counter(zip(labels, scans, strict=True))),
    )


def _counted(values: list[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
