"""One ingest, as tests call it, and the accounts that every ingest must balance."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow.compute as pc
import pytest

from xqdata import manifest
from xqdata.config import Config
from xqdata.ingest import Options, Result, ingest, resolve
from xqdata.manifest import Project
from xqdata.taxonomy import Taxonomy

Ingest = Callable[..., Result]


@pytest.fixture
def run(project: Project, reference: Taxonomy) -> Ingest:
    """Ingests the given folders (paths, or NAME=PATH) into `project`, and checks the accounts of what is on disk."""

    def call(*folders: object, into: Project = project, config: dict[str, object] | None = None, **options: object):
        known = manifest.provenance(into, "images").roots if into.path("images").exists() else {}
        roots = resolve([str(f) for f in folders], known)
        made = Config.model_validate({"ingest": config or {}})
        result = ingest(into, roots, made, reference, Options(**options))
        if not options.get("dry_run"):
            for name, table in result.tables.items():
                assert manifest.read(into, name).equals(table)
        found = {}
        for name in ("images", "rejects", "sources"):
            table = result.of_this_run(name)
            if name == "images":
                table = table.filter(pc.invert(table["missing"]))
            if name == "rejects":
                table = table.filter(pc.is_null(table["item"]))
            found[name] = set(zip(table["root"].to_pylist(), table["path"].to_pylist(), strict=True))
        assert not found["images"] & found["rejects"]
        assert not found["images"] & found["sources"]
        assert not found["rejects"] & found["sources"]
        assert sum(len(f) for f in found.values()) == sum(a.found for a in result.accounts)
        return result

    return call
