"""Status: stale where, and only where, something changed.

It could be wrong while tests pass if everything were always current, or if one change made every table stale.
"""

from __future__ import annotations

from pathlib import Path

from assets.rows import image
from xqdata import manifest, schema
from xqdata.manifest import Origin, Project
from xqdata.status import Changed, TableStatus, status


def write_ingest(project: Project, origin: Origin, *rows: dict[str, object]) -> None:
    tables = {name: schema.empty(name) for name in manifest.TOGETHER}
    manifest.write(project, {**tables, "images": schema.from_rows("images", rows)}, origin)


def by_name(project: Project, **changed: Changed) -> dict[str, TableStatus]:
    return {table.name: table for table in status(project, changed)}


def test_nothing_stands_in_a_new_project(project: Project) -> None:
    assert status(project, {}) == []


def test_rows_digest_and_maker_are_told(project: Project) -> None:
    write_ingest(project, Origin("ingest"), image(), image("b.png"))
    found = by_name(project)
    assert set(found) == set(manifest.TOGETHER)
    assert (found["images"].rows, found["images"].command, found["images"].stale) == (2, "ingest", ())
    assert found["images"].digest == manifest.provenance(project, "images").digest


def test_a_table_is_stale_when_its_input_changed(project: Project) -> None:
    write_ingest(project, Origin("ingest"), image())
    inputs = {"images": manifest.provenance(project, "images").digest}
    manifest.write(project, {"links": schema.empty("links")}, Origin("dedup", inputs=inputs))
    assert by_name(project)["links"].stale == ()
    write_ingest(project, Origin("ingest"), image(), image("b.png"))
    assert by_name(project)["links"].stale == ("images was written anew since",)
    project.path("images").unlink()
    assert by_name(project)["links"].stale == ("images, which it was made from, is gone",)


def test_options_that_changed_make_their_command_stale_and_no_other(project: Project) -> None:
    write_ingest(project, Origin("ingest", {"taxonomy": "mine 1", "workers": 3}))
    manifest.write(project, {"links": schema.empty("links")}, Origin("dedup"))
    changed = by_name(project, ingest=lambda options: [f"no longer {options['taxonomy']}"])
    assert changed["images"].stale == ("no longer mine 1",)
    assert changed["links"].stale == ()


def test_a_raw_folder_that_is_gone_is_said(project: Project, tmp_path: Path) -> None:
    write_ingest(project, Origin("ingest", roots={"raw": str(tmp_path / "nowhere")}))
    assert by_name(project)["images"].stale == (f"raw folder raw is no longer at {tmp_path / 'nowhere'}",)


def test_a_damaged_table_does_not_hide_the_others(project: Project) -> None:
    write_ingest(project, Origin("ingest"))
    project.path("links").write_bytes(b"no table")
    found = by_name(project)
    assert "not a table of xqdata or is damaged" in found["links"].damage
    assert found["images"].damage == ""
