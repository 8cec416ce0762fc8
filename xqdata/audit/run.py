"""`xqdata audit`: the tables of a project in, what is wrong with one of its splits out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xqdata import manifest
from xqdata.audit.finding import Evidence, Finding
from xqdata.errors import InputError
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """How one audit runs.

    `name`: the split, as in `splits/NAME`. `apart`: columns of images that the split is said to keep apart, besides
    those that its own provenance claims. `seed`: of permutations and resampling.
    """

    name: str = "default"
    apart: tuple[str, ...] = ()
    seed: int = 0
    workers: int | None = None
    progress: Progress = lambda step, done, total: None

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
    where every part is tested once. `checked`: by source, how many values or links were looked at. `claims`: columns
    that the split claims to keep apart. `radius`: bits of the pHash within which every pair was proposed, None without
    dedup. `warnings`: what makes the audit less than it could be; `notes`: what was looked at and gave no finding, or
    could not be looked at, and why.
    """

    table: str
    images: int
    parts: Mapping[str, int]
    tested: tuple[str, ...]
    against: tuple[str, ...]
    checked: Mapping[str, int] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    radius: int | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """Findings, the worst first; the images behind them; what was looked at; whether tables were written anew."""

    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    facts: Facts
    changed: bool


def audit(project: Project, taxonomy: Taxonomy, options: Options = Options()) -> Audit:
    """Audit the split `options.name` of `project` and write `audits/NAME` and `audits/NAME.evidence`.

    Raises TableError where images or the split do not stand, InputError where they do not belong together.
    """
    with manifest.lock(project.state, "audit"):
        raise NotImplementedError
