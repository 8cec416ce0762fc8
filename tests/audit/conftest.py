"""Small projects whose tables and split are made by hand, and one audit of them as tests call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from splits.conftest import Row, fill
from xqdata import manifest, schema
from xqdata.audit import Audit, Finding, Options, audit
from xqdata.manifest import Origin, Project
from xqdata.taxonomy import Taxonomy

Parts = Mapping[str, str | None]


def parted(
    project: Project,
    images: Iterable[Row],
    parts: Parts,
    *tables: Any,
    name: str = "default",
    request: Mapping[str, Any] | None = None,
) -> Project:
    """`project` with images, links, duplicates and events as `fill` takes them, and with a split of these `parts`."""
    fill(project, images, *tables)
    return divide(project, parts, name, request)


def divide(project: Project, parts: Parts, name: str = "default", request: Mapping[str, Any] | None = None) -> Project:
    """Write a split; without `request` it is one that xqdata did not make."""
    rows = [{"image_id": i, "part": p, "reason": None if p else "set aside"} for i, p in parts.items()]
    options = {} if request is None else {"request": request}
    manifest.write(project, {f"splits/{name}": schema.from_rows(f"splits/{name}", rows)}, Origin("split", options))
    return project


@pytest.fixture
def look(project: Project, reference: Taxonomy) -> Callable[..., Audit]:
    """Audits `project` after its tables were written."""

    def call(**asked: Any) -> Audit:
        return audit(project, reference, Options(workers=1, **asked))

    return call


def by_kind(result: Audit) -> dict[str, Finding]:
    """The findings, each of which has a kind of its own."""
    found = {finding.kind: finding for finding in result.findings}
    assert len(found) == len(result.findings)
    return found


def counts(finding: Finding) -> tuple[int, int, int]:
    """Images tested, images of other parts, and pairs."""
    return finding.images_test, finding.images_train, finding.pairs


def severe(result: Audit) -> set[str]:
    """The kinds of severity high."""
    return {finding.kind for finding in result.findings if finding.severity == "high"}


def pairs_of(result: Audit, kind: str) -> set[tuple[str, str | None]]:
    """The evidence of one kind."""
    return {(pair.image_test, pair.image_train) for pair in result.evidence if pair.kind == kind}
