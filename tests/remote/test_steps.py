"""The steps after ingest, on a raw folder in a bucket: what they make of it is what they make of a folder on disk.

Wrong while green would be: a step that opens paths, and takes an address for a file that is gone.
"""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from assets.pictures import colour, deep, encoded, save
from xqdata import manifest, scans, taxonomy
from xqdata.app import previews
from xqdata.audit.foreign import Claimed, foreign
from xqdata.audit.pictures import reachable
from xqdata.audit.run import Options as AuditOptions
from xqdata.audit.run import audit
from xqdata.config import Config
from xqdata.dedup import run as dedup
from xqdata.errors import RemoteError
from xqdata.exports.request import Request as ExportRequest
from xqdata.exports.run import export
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.report.dataset import page
from xqdata.splits import Request
from xqdata.splits.run import split

TAXONOMY = taxonomy.load(None)


def take(folder, place):
    folder.mkdir()
    project = Project(folder)
    ingest(project, resolve([f"raw={place}"], {}), Config(), TAXONOMY)
    dedup.dedup(project, TAXONOMY, dedup.Options(workers=1))
    split(project, TAXONOMY, Request(parts=(("train", "2/3"), ("test", "1/3"))))
    audit(project, TAXONOMY, AuditOptions(workers=1))
    export(project, TAXONOMY, ExportRequest("imagefolder", folder / "out", link=True, private=True, workers=1))
    return project


@pytest.fixture(scope="module")
def both(tmp_path_factory, s3):
    """A project of a simulated export on disk, and one of the same export in a bucket."""
    raw = tmp_path_factory.mktemp("export") / "raw"
    for number in range(12):
        kind = "apple" if number % 2 else "pear"
        save(raw / f"{kind}/single_basket/{kind}_{number}.png", encoded(colour(48, 64, seed=number * 2 // 3)))
    save(raw / "pear/deep.png", encoded(deep()))
    s3.bucket("scans-of-steps")
    s3.upload(raw, "scans-of-steps", "raw")
    folder = tmp_path_factory.mktemp("projects")
    return take(folder / "here", raw), take(folder / "there", "s3://scans-of-steps/raw")


def test_the_tables_are_the_same(both):
    here, there = ({name: manifest.read(p, name) for name in manifest.standing(p)} for p in both)
    assert {"links", "duplicates", "masks", "splits/default", "audits/default"} <= here.keys() == there.keys()
    for name, table in here.items():
        same = [c for c in table.column_names if c != "mtime"]
        assert table.select(same).equals(there[name].select(same)), name
    assert here["links"].num_rows > 3
    assert reachable(both[1], Mock(deduplicated=True)) == ""


def test_an_export_has_the_same_pictures_and_no_links(both):
    files = [{f.relative_to(p.folder): f.read_bytes() for f in (p.folder / "out").rglob("*.png")} for p in both]
    assert files[0] == files[1] and len(files[0]) > 4
    assert [max(f.stat().st_nlink for f in (p.folder / "out").rglob("*.png")) > 1 for p in both] == [True, False]


def test_a_browser_is_shown_files_of_this_machine(both):
    here, there = both
    rows = manifest.read(there, "images", list(previews.COLUMNS))
    shown = previews.shown(there, rows, workers=1)
    assert shown.unread == {}
    assert all(file.is_file() and file.is_relative_to(there.state / "previews") for file in shown.files)
    assert any(not f.is_relative_to(here.state) for f in previews.shown(here, rows.take([0]), workers=1).files)


def test_a_page_of_the_dataset(both):
    made = page.write(both[1], TAXONOMY, both[1].folder / "report.html", {})
    assert made.shown > 0 and made.absent == 0
    assert "is no longer" not in made.path.read_text(encoding="utf-8")


def test_a_store_that_is_away_ends_each_step(both, s3):
    there = both[1]
    s3.refuse = lambda *_: True
    try:
        for step in (
            scans.standing(there)[0].read,
            lambda: dedup.dedup(there, TAXONOMY, dedup.Options(workers=1)),
            lambda: export(there, TAXONOMY, ExportRequest("imagefolder", there.folder / "again", workers=1)),
        ):
            with pytest.raises(RemoteError, match="AccessDenied by"):
                step()
    finally:
        s3.refuse = lambda *_: False
    assert not (there.folder / "again").exists()


def test_a_split_that_someone_else_made(s3, bucket, tmp_path):
    for part in ("train", "test"):
        for number in range(3):
            save(tmp_path / f"raw/{part}/apple/{number}.png", seed=number + 3 * (part == "test"))
    s3.upload(tmp_path / "raw", bucket, "raw")
    claimed = Claimed(f"s3://{bucket}/raw", layout="{split}/{object}/{file}")
    made, _ = foreign(claimed, tmp_path, Config(), TAXONOMY, AuditOptions(workers=1))
    assert (made.images, made.read) == (6, 6)
