"""`xqdata audit`: the tables of a project in, what is wrong with one of its splits out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from xqdata import manifest, memory, schema
from xqdata.audit.background import background
from xqdata.audit.confounding import confounding, files
from xqdata.audit.contents import conflicts, drift, missing
from xqdata.audit.copies import copies_and_ties, undecided
from xqdata.audit.finding import HIGH, MEDIUM, Evidence, Finding, ranked
from xqdata.audit.identity import columns, conditions, values_looked_at
from xqdata.audit.material import Material, gather
from xqdata.audit.neighbours import neighbours
from xqdata.audit.telling import Found
from xqdata.audit.usage import test_use
from xqdata.errors import InputError
from xqdata.groups import IDENTITY
from xqdata.manifest import Origin, Project
from xqdata.schema import COPY_KINDS, TIE_KINDS
from xqdata.splits.request import parts_called
from xqdata.status import status
from xqdata.taxonomy import Taxonomy

Progress = Callable[[str, int, int], None]

# By benchmark/scale, to 10^7 images.
MEMORY = memory.Rate(800 * 10**6, 820)


@dataclass(frozen=True)
class Options:
    """How one audit runs.

    `name`: the split, as in `splits/NAME`. `apart`: columns of images that the split is said to keep apart, besides
    those that its own provenance claims. `seed`: of permutations and resampling. `given`: findings that were made
    before the tables were, each with its evidence. `repair`: what to type to have the split mended, if it is not what
    one types in the project's folder.
    """

    name: str = "default"
    apart: tuple[str, ...] = ()
    seed: int = 0
    workers: int | None = None
    progress: Progress = lambda step, done, total: None
    given: tuple[tuple[Finding, Iterable[Evidence]], ...] = ()
    repair: str = ""

    def __post_init__(self) -> None:
        if self.name.endswith(".evidence"):
            hint = "copy the split to another name"
            raise InputError("a split whose name ends in .evidence cannot be audited", where=self.name, hint=hint)

    def told(self) -> dict[str, Any]:
        """What the result depends on, as provenance records it."""
        return {"name": self.name, "apart": list(self.apart), "seed": self.seed}


@dataclass(frozen=True)
class Facts:
    """What was looked at, for the terminal and the page.

    `parts`: images by part; `tested`: the parts that stand as test side, `against` the others; both hold all of them
    where every part is tested once. `nearest`: of the tested images that findings of severity high concern, how many by
    the nearest kind that ties them to another part. `checked`: by source, how many values or links were looked at.
    `claims`: columns that the split claims to keep apart. `radius`: bits of the pHash within which every pair was
    proposed, None where that is not known. `unseen`: why copies are not known of all pictures, empty where they are.
    `repair`: what to type to have the split made clean, empty where that cannot be done. `own`: made by xqdata split,
    which can make it anew. `warnings`: what makes the audit less than it could be; `notes`: what was looked at and gave
    no finding, or could not be looked at, and why.
    """

    table: str
    images: int
    parts: Mapping[str, int]
    tested: tuple[str, ...]
    against: tuple[str, ...]
    nearest: Mapping[str, int] = field(default_factory=dict)
    checked: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    radius: int | None = None
    unseen: str = ""
    repair: str = ""
    own: bool = True
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def deduplicated(self) -> bool:
        """Whether dedup has compared all pictures that are there."""
        return not self.unseen

    @property
    def leaking(self) -> int:
        """Tested images that findings of severity high concern."""
        return sum(self.nearest.values())

    @property
    def tested_images(self) -> int:
        """Images of the parts that are tested."""
        return sum(self.parts[name] for name in self.tested)

    @property
    def untested(self) -> str:
        """Why the split tests nothing, so that an audit cannot find anything; empty where it does."""
        filled = [name for name, images in self.parts.items() if images]
        if not filled:
            return "there is nothing to test: no image that counts is in a part"
        if len(filled) == 1:
            return f"there is nothing to test: all images are in {parts_called(filled)}"
        for names in (self.tested, self.against):
            if not any(self.parts[name] for name in names):
                return f"there is nothing to test: no image is in {parts_called(names)}"
        return ""

    @property
    def unknown(self) -> str:
        """Why nobody knows whether the split leaks although no leak was found; empty where that is known."""
        if self.untested or not self.unseen:
            return self.untested
        return f"no leak in columns and equal files, but other copies are not all known: {self.unseen}"


@dataclass(frozen=True)
class Audit:
    """Findings, the worst first; the images behind them; what was looked at; whether tables were written anew."""

    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    facts: Facts
    changed: bool

    @property
    def leaks(self) -> bool:
        """Whether there is a finding of severity high."""
        return any(finding.severity == HIGH for finding in self.findings)

    @property
    def unknown(self) -> str:
        """Why nobody knows whether the split leaks; empty where it does, or where that was looked at."""
        return "" if self.leaks else self.facts.unknown

    @property
    def to_look_at(self) -> int:
        """Findings of severity medium that the split does not intend."""
        return sum(finding.severity == MEDIUM and not finding.intended for finding in self.findings)


def audit(project: Project, taxonomy: Taxonomy, options: Options = Options()) -> Audit:
    """Audit the split `options.name` of `project` and write `audits/NAME` and `audits/NAME.evidence`.

    Raises TableError where images or the split do not stand, InputError where they do not belong together.
    """
    with manifest.lock(project.state, "audit"):
        material = gather(project, taxonomy, options.name, options.apart, options.repair)
        looked = list(_looked(project, material, options))
        found = [*options.given, *(one for one in looked if not isinstance(one, str))]
        findings = ranked(finding for finding, _ in found)
        evidence = tuple(pair for _, pairs in found for pair in pairs)
        nearest = _nearest(material, findings, evidence)
        facts = _facts(project, material, options, nearest, [one for one in looked if isinstance(one, str)])
        changed = _write(project, options, findings, evidence, material.inputs, facts)
        return Audit(findings, evidence, facts, changed)


def _looked(project: Project, material: Material, options: Options) -> Iterator[Found | str]:
    """All findings, and in one line each what was looked at and is no finding."""
    yield from copies_and_ties(material)
    yield from columns(material)
    yield from conditions(material)
    yield from undecided(material)
    yield from conflicts(material)
    yield from missing(material)
    yield from drift(material, options.seed)
    yield from confounding(material, options.seed)
    yield from files(material, options.seed)
    yield from background(project, material, options.seed, options.workers, options.progress)
    yield from neighbours(project, material, options.seed, options.workers, options.progress)
    yield from test_use(project, material)


def _nearest(material: Material, findings: Iterable[Finding], evidence: Iterable[Evidence]) -> dict[str, int]:
    """How many tested images each kind of severity high concerns and no nearer one: copies, then ties, then columns."""
    high = {finding.kind for finding in findings if finding.severity == HIGH}
    near = [kind for kind in (*COPY_KINDS, *TIE_KINDS, "chain", *IDENTITY) if kind in high]
    order = {kind: n for n, kind in enumerate([*near, *sorted(high.difference(near))])}
    tested = set(material.images["image_id"].filter(pa.array(material.tested)).to_pylist())
    found: dict[str, str] = {}
    for pair in evidence:
        for image in tested.intersection((pair.image_test, pair.image_train)) if pair.kind in order else ():
            found[image] = min(found.get(image, pair.kind), pair.kind, key=order.__getitem__)
    counted = Counter(found.values())
    return {kind: counted[kind] for kind in order if counted[kind]}


def _facts(
    project: Project, material: Material, options: Options, nearest: Mapping[str, int], notes: Iterable[str]
) -> Facts:
    sides = material.sides
    held = np.bincount(material.part[material.has_part], minlength=len(sides.names)).tolist()
    links = dict(Counter(material.links["kind"].to_pylist()))
    radius = manifest.provenance(project, "links").options.get("complete_radius") if material.deduplicated else None
    return Facts(
        f"splits/{options.name}",
        int(material.has_part.sum()),
        dict(zip(sides.names, held, strict=True)),
        sides.test_names,
        sides.other_names,
        nearest,
        {**links, **values_looked_at(material)},
        material.claims.apart,
        radius,
        material.unseen,
        material.repair,
        material.claims.own,
        tuple(_warnings(project, material, options)),
        (*material.notes, *notes),
    )


def _warnings(project: Project, material: Material, options: Options) -> Iterator[str]:
    if material.unseen:
        yield (
            f"{material.unseen}, so that only equal bytes, equal pixels, columns and earlier links were looked at: run "
            "xqdata dedup, then this again"
        )
    for table in status(project, {}):
        if table.name in ("images", "links", "duplicates", "masks", f"splits/{options.name}"):
            yield from (f"{table.name} is stale: {reason}" for reason in table.stale)


def _write(
    project: Project,
    options: Options,
    findings: Iterable[Finding],
    evidence: Iterable[Evidence],
    inputs: Mapping[str, str],
    facts: Facts,
) -> bool:
    """Write both tables unless they stand already with the same content and origin; whether they were written."""
    name = f"audits/{options.name}"
    rows = [{key: value for key, value in asdict(finding).items() if key != "intended"} for finding in findings]
    unique = {(pair.kind, pair.image_test, pair.image_train): pair for pair in evidence}
    # Column by column: there may be millions of pairs.
    columns = {field: [getattr(pair, field) for pair in unique.values()] for field in schema.EVIDENCE.names}
    tables = {
        name: schema.from_rows(name, rows),
        f"{name}.evidence": pa.Table.from_pydict(columns, schema.EVIDENCE.arrow),
    }
    intended = sorted(finding.kind for finding in findings if finding.intended)
    unknown = {name: why for name, why in (("unseen", facts.unseen), ("untested", facts.untested)) if why}
    origin = Origin("audit", {**options.told(), "intended": intended, **unknown}, inputs)
    if all(_stands(project, one, table, origin) for one, table in tables.items()):
        return False
    manifest.write(project, tables, origin)
    return True


def _stands(project: Project, name: str, table: pa.Table, origin: Origin) -> bool:
    if not manifest.exists(project, name):
        return False
    known = manifest.provenance(project, name)
    if (known.options, known.inputs) != (origin.options, origin.inputs):
        return False  # a digest of very many rows takes a while
    return known.digest == str(manifest.digest(schema.table(name), table))
