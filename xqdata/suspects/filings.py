"""Filings: images that were labelled in one act, and what other filings say of the same things.

A label that was filed wrongly is wrong on every copy, view and rescan of that bag: those are one word, however many
files say it. Another scan of the same specimen is another word.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from xqdata import groups, labels, manifest, scans, schema
from xqdata.groups import IDENTITY, Ints
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

Said = frozenset[str]
# What is read of `images`: what ties them, what is told of them, and what a classifier of their pixels takes.
MEASURED = ("mean", "std", "air_fraction", "opaque_fraction", "sharpness")
_COLUMNS = (*labels.COLUMNS, *scans.COLUMNS, *IDENTITY, *MEASURED, "missing", "pixel_hash")


@dataclass(frozen=True)
class Word:
    """What else is said of an image: a label (every object on it), the row that says so, and what ties it: `copy`,
    `bag` or `specimen`; `export` where a person has judged what the export told.
    """

    label: Said
    row: int
    tie: str


@dataclass(frozen=True)
class Filings:
    """The images that stand, by image_id, with effective labels.

    `object`: (n,) the one object, empty where there is none or are several; `exported`: (n,) every object that the
    export told. `component`: (n,) what may not be separated. `copy`: (n,) the first row of the cluster of copies.
    `filing`: (n,) the first row of what was labelled in one act. `judged`: by image_id what each person said of it
    last. `second_look`: by image_id who asked for one.
    """

    images: pa.Table
    object: NDArray[np.object_]
    exported: list[Said]
    component: Ints
    copy: Ints
    filing: Ints
    judged: Mapping[str, Mapping[str, Said]]
    second_look: Mapping[str, str]

    @cached_property
    def ids(self) -> list[str]:
        """(n,) image ids."""
        return list(self.images["image_id"].to_pylist())

    @cached_property
    def said(self) -> list[Said]:
        """(n,) every object that each image is said to show."""
        return [frozenset(objects or ()) for objects in self.images["objects"].to_pylist()]

    @cached_property
    def _members(self) -> Mapping[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for row, filing in enumerate(self.filing.tolist()):
            found[filing].append(row)
        return found

    @cached_property
    def _by_specimen(self) -> Mapping[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for row, names in enumerate(self.images["specimens"].to_pylist()):
            for name in names or ():
                found[name].append(row)
        return found

    def words(self, row: int) -> list[Word]:
        """What others say of the thing on this image: each other label of its own filing once, and each label of every
        other filing of a specimen of its own.
        """
        own = self.filing[row]
        found: dict[tuple[int, Said], Word] = {}
        if self.ids[row] in self.judged and self.exported[row]:
            found[-1, self.exported[row]] = Word(self.exported[row], row, "export")
        for other in self._members[int(own)]:
            if other != row and self.said[other] and self.said[other] != self.said[row]:
                tie = "copy" if self.copy[other] == self.copy[row] else "bag"
                known = found.get((int(own), self.said[other]))
                if known is None or (known.tie, tie) == ("bag", "copy"):
                    found[int(own), self.said[other]] = Word(self.said[other], other, tie)
        for specimen in self.images["specimens"][row].as_py() or ():
            for other in self._by_specimen[specimen]:
                if self.filing[other] != own and self.said[other]:
                    found.setdefault((int(self.filing[other]), self.said[other]),
                                     Word(self.said[other], other, "specimen"))  # fmt: skip
        return list(found.values())


def gather(project: Project, taxonomy: Taxonomy) -> Filings:
    """Read what stands. Without dedup's tables only columns and equal files tie images."""
    events, exported = labels.log(project), manifest.read(project, "images", list(dict.fromkeys(_COLUMNS)))
    every = labels.effective(exported, events, taxonomy)
    images = manifest.ordered(every.filter(pc.invert(every["missing"])), ["image_id"])
    told = exported["objects"].take(pc.index_in(images["image_id"], exported["image_id"].combine_chunks()))
    links = _links(project)
    everywhere = np.ones(images.num_rows, bool)
    same = [groups.column_ties(images, name, everywhere) for name in ("sha256", "pixel_hash", "scan_id", "bag")]
    linked = groups.link_ties(images, links)
    identity = [groups.column_ties(images, name, everywhere) for name in IDENTITY]
    copies = [t for t in linked if t.source.removesuffix(" links") in schema.COPY_KINDS]
    objects = images["object"].fill_null("").to_pylist()
    return Filings(
        images=images,
        object=np.array(objects, object),
        exported=[frozenset(objects or ()) for objects in told.to_pylist()],
        component=groups.components(images.num_rows, [*same, *identity, *linked]),
        copy=groups.components(images.num_rows, [*same[:2], *copies]),
        filing=groups.components(images.num_rows, [*same, *linked]),
        judged=_judged(images, events),
        second_look=_second_look(images, events),
    )


def _links(project: Project) -> pa.Table:
    columns = ["image_a", "image_b", "kind"]
    return manifest.read(project, "links", columns) if manifest.exists(project, "links") else schema.empty("links")


def _judged(images: pa.Table, events: pa.Table) -> dict[str, dict[str, Said]]:
    """By image what each person said last that it shows."""
    found: dict[str, dict[str, Said]] = defaultdict(dict)
    for person in sorted(set(events["by"].to_pylist())):
        for image, row in labels.standing(images, events, "object", person).items():
            after = json.loads(row["after"])
            found[image][person] = frozenset([after] if isinstance(after, str) else after or ())
    return found


def _second_look(images: pa.Table, events: pa.Table) -> dict[str, str]:
    """By image who asked for a second look, where that stands."""
    found = labels.standing(images, events, "second_look")
    return {image: row["by"] for image, row in found.items() if row["after"] == "true"}
