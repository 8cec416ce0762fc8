"""The whole of dedup on a simulated export, on people's verdicts, and on pictures that say nothing."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assets.passes import Scene, expose, item
from xqdata import labels, manifest
from xqdata.config import Config
from xqdata.dedup import run
from xqdata.dedup.joined import settle
from xqdata.dedup.known import Known
from xqdata.dedup.run import Options, dedup
from xqdata.errors import InputError, LockedError
from xqdata.ingest import ingest, resolve
from xqdata.labels import Event
from xqdata.manifest import Project
from xqdata.report.dedup import text
from xqdata.simulate import Rates, Settings, simulate
from xqdata.simulate.settings import FAULTS
from xqdata.taxonomy import load

TAXONOMY = load(None)
COPIES_ONLY = Options(ties=False, containers=False, workers=1)
PLANTED = ("byte_copies", "pixel_copies", "reencoded", "resized", "trimmed", "turned", "mirrored", "crops")
RATES = Rates(**dict.fromkeys(FAULTS, 0.0) | dict.fromkeys(PLANTED, 0.15))


def read(folder):
    project = Project(folder)
    ingest(project, resolve([str(folder / "raw")], {}), Config(), TAXONOMY)
    return project


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dedup")
    simulate(folder / "raw", Settings(scans=14, seed=31, rates=RATES), workers=1)
    return read(folder)


@pytest.fixture(scope="module")
def result(simulated):
    return dedup(simulated, TAXONOMY, COPIES_ONLY)


def by_path(project, table):
    paths = dict(zip(*(manifest.read(project, "images")[c].to_pylist() for c in ("image_id", "path")), strict=True))
    return {frozenset((paths[r["image_a"]], paths[r["image_b"]])): r for r in table.to_pylist()}


def linked(project):
    table = dedup(project, TAXONOMY, COPIES_ONLY).tables["links"]
    return {(row["image_a"], row["image_b"]): row for row in table.to_pylist()}


def test_every_planted_copy_is_found_and_nothing_else(simulated, result):
    found = by_path(simulated, result.tables["links"])
    truth = pq.read_table(simulated.folder / "truth/pairs.parquet").to_pylist()
    planted = {frozenset((p["path_a"], p["path_b"])): p["kind"] for p in truth}
    assert set(found) <= set(planted)
    for pair, row in found.items():
        assert row["kind"] == planted[pair], pair
    # Equal bytes and pixels are linked to the first of their like only: clusters must be whole.
    clusters = {row["image_id"]: row["cluster"] for row in result.tables["duplicates"].to_pylist()}
    ids = dict(zip(*(manifest.read(simulated, "images")[c].to_pylist() for c in ("path", "image_id")), strict=True))
    for pair, kind in planted.items():
        a, b = (ids[path] for path in pair)
        if kind == "crop":
            assert pair in found or any(clusters.get(i) for i in (a, b))
        else:
            assert clusters[a] == clusters[b], (pair, kind)


def test_one_of_each_cluster_is_kept(result):
    rows = result.tables["duplicates"].to_pylist()
    for cluster in {row["cluster"] for row in rows}:
        assert sum(row["kept"] for row in rows if row["cluster"] == cluster) == 1
    assert not result.chains and not result.skipped


def test_running_again_changes_nothing(simulated, result):
    again = dedup(simulated, TAXONOMY, COPIES_ONLY)
    for name, table in result.tables.items():
        assert again.tables[name].equals(table)


def test_what_a_killed_run_left_changes_nothing(simulated, result, monkeypatch):
    """Its pictures of another order, cut off; and a run that ends in the midst leaves none of its own."""
    left = simulated.state / "dedup" / "0123"
    left.mkdir(parents=True)
    for name in ("thumbs", "foregrounds", "patches-0"):
        (left / name).write_bytes(b"\7" * 5000)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(run, "propose", lambda *_, **__: {}["killed"])
        dedup(simulated, TAXONOMY, COPIES_ONLY)
    assert not (simulated.state / "dedup").exists()
    left.mkdir(parents=True)
    again = dedup(simulated, TAXONOMY, COPIES_ONLY)
    assert all(again.tables[name].equals(table) for name, table in result.tables.items())
    assert not (simulated.state / "dedup").exists()


def test_another_run_at_once_is_refused_and_takes_nothing_away(simulated, monkeypatch):
    seen = []

    def meanwhile(*arguments, **options):
        with pytest.raises(LockedError):
            dedup(simulated, TAXONOMY, COPIES_ONLY)
        seen.extend(path.name for path in (simulated.state / "dedup").rglob("*") if path.is_file())
        return propose(*arguments, **options)

    propose = run.propose
    monkeypatch.setattr(run, "propose", meanwhile)
    dedup(simulated, TAXONOMY, COPIES_ONLY)
    assert {"thumbs", "foregrounds"} <= set(seen)


def test_a_verdict_wins_over_the_machine(simulated, result):
    link = next(r for r in result.tables["links"].to_pylist() if r["kind"] == "transformed")
    pair = link["image_a"], link["image_b"]
    plain = set(manifest.read(simulated, "images")["image_id"].to_pylist())
    plain -= set(result.tables["duplicates"]["image_id"].to_pylist())
    others = sorted(plain)[:2]
    at = datetime(2026, 1, 1)
    labels.append(simulated, [
        Event(at, "eve", "dedup", "pair", pair[0], "different", other_image_id=pair[1]),
        Event(at, "eve", "dedup", "pair", others[1], "same", other_image_id=others[0]),
    ])  # fmt: skip
    links = {
        (r["image_a"], r["image_b"]): r for r in dedup(simulated, TAXONOMY, COPIES_ONLY).tables["links"].to_pylist()
    }
    assert pair not in links
    assert links[tuple(others)]["proposed_by"] == ["person: eve"]
    # She changes her mind: the latest counts.
    labels.append(
        simulated,
        [Event(datetime(2026, 1, 2), "eve", "dedup", "pair", others[0], "different", other_image_id=others[1])],
    )
    links = {(r["image_a"], r["image_b"]) for r in dedup(simulated, TAXONOMY, COPIES_ONLY).tables["links"].to_pylist()}
    assert tuple(others) not in links


def test_one_item_more_is_no_copy_and_a_third_picture_does_not_make_it_one(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    noise = np.random.default_rng(5)
    small = Image.fromarray(noise.integers(60, 220, (12, 16), np.uint8)).resize((400, 300), Image.Resampling.BICUBIC)
    scan = np.clip(np.asarray(small) + noise.normal(0, 3, (300, 400)), 0, 255).astype(np.uint8)
    added = scan.copy()
    added[140:155, 200:215] = scan[140:155, 200:215] * 0.6
    for name, pixels in (("scan", scan), ("added", added)):
        Image.fromarray(pixels).save(raw / f"{name}.png")
        Image.fromarray(pixels).resize((160, 120), Image.Resampling.BOX).save(raw / f"{name}-small.png")
    project = read(tmp_path)
    found = dedup(project, TAXONOMY, COPIES_ONLY)
    paths = dict(zip(*(manifest.read(project, "images")[c].to_pylist() for c in ("image_id", "path")), strict=True))
    clusters: dict[str, set[str]] = {}
    for row in found.tables["duplicates"].to_pylist():
        clusters.setdefault(row["cluster"], set()).add(paths[row["image_id"]])
    assert sorted(map(sorted, clusters.values())) == [["added-small.png", "added.png"], ["scan-small.png", "scan.png"]]
    undecided = by_path(project, found.tables["undecided"])
    assert undecided[frozenset(("scan.png", "added.png"))]["reason"].startswith("one scan, but they differ")


def test_what_other_pairs_decide_is_dropped():
    passes = ("P", "P", "Q", None, None)
    known = Known(pa.table({"image_id": list("abcde"), "scan_id": passes}), [])
    # d is a copy of a, e one of c; a and b are two views of one scan.
    clusters = [{"image_id": i, "cluster": c} for i, c in (("a", "a"), ("d", "a"), ("c", "c"), ("e", "c"))]
    links = {pair: {"kind": kind} for pair, kind in [
        (("a", "d"), "transformed"), (("c", "e"), "rescan"), (("a", "c"), "rescan"), (("d", "e"), "same-bag")
    ]}  # fmt: skip
    undecided = {pair: {} for pair in [("a", "d"), ("b", "d"), ("d", "e"), ("b", "c")]}
    settle(known, clusters, links, undecided, [])
    assert sorted(links) == [("a", "c"), ("a", "d"), ("d", "e")]
    assert sorted(undecided) == [("b", "c"), ("d", "e")]
    # A person's word on a and c holds for their copies.
    settle(known, clusters, links, undecided, [("a", "c")])
    assert sorted(undecided) == [("b", "c")]


def test_blank_pictures_are_no_copies_and_gone_ones_are_told(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.full((90, 120), 250, np.uint8)).save(raw / f"blank-{name}.png")
    noise = np.random.default_rng(0)
    # Next to nothing but noise, and the same file twice: noise does not recur, so it is a copy.
    Image.fromarray(noise.integers(100, 102, (90, 120), np.uint8)).save(raw / "noise.png")
    shutil.copy(raw / "noise.png", raw / "noise2.png")
    for name in ("x", "y", "z"):
        small = Image.fromarray(noise.integers(0, 255, (9, 12), np.uint8)).resize((240, 180), Image.Resampling.BICUBIC)
        Image.fromarray(np.clip(np.asarray(small) + noise.normal(0, 3, (180, 240)), 0, 255).astype(np.uint8)).save(
            raw / f"{name}.png"
        )
    shutil.copy(raw / "x.png", raw / "x2.png")
    shutil.copy(raw / "x.png", raw / "x3.png")
    project = read(tmp_path)
    (raw / "z.png").unlink()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(raw / "y.png")
    (raw / "x.png").unlink()
    expected = {frozenset(("x.png", "x2.png")), frozenset(("x.png", "x3.png")), frozenset(("x2.png", "x3.png"))}
    faint = frozenset(("noise.png", "noise2.png"))
    changed = "changed since ingest: run xqdata ingest again"
    for _ in range(2):  # the second time, its sketches are there
        found = dedup(project, TAXONOMY, COPIES_ONLY)
        # What the table knows of equal bytes holds, whether the file can be opened or not.
        links = set(by_path(project, found.tables["links"]))
        assert faint in links and links - {faint} < expected
        assert sorted(Counter(found.tables["duplicates"]["cluster"].to_pylist()).values()) == [2, 3]
        gone = {"z.png": "gone since ingest", "x.png": "gone since ingest", "y.png": changed}
        assert dict(found.skipped) == gone
        assert not found.tables["undecided"].num_rows
    raw.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="the raw folder raw is gone"):
        dedup(project, TAXONOMY, COPIES_ONLY)


def test_one_bag_is_not_scanned_again_days_later(tmp_path):
    """The same two passes, as the log dates them: minutes apart, and days apart."""
    scene = Scene((item(1, -70, 10, 70), item(2, 70, -40, 60), item(3, 40, 60, 40)), basket=False)
    found = {}
    for name, then in {"minutes": "2026-03-02 10:09:00", "days": "2026-03-05 10:00:00"}.items():
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        for n in (1, 2):
            Image.fromarray(expose(replace(scene, offset=(7.3 * n, -4.1)), n)).save(raw / f"{n}.png")
        (raw / "log.csv").write_text(f"file,acquired_at\n1.png,2026-03-02 10:00:00\n2.png,{then}\n")
        tables = dedup(read(tmp_path / name), TAXONOMY, Options(workers=1)).tables
        found[name] = (tables["links"]["kind"].to_pylist(), tables["undecided"]["reason"].to_pylist())
    assert found["minutes"] == (["rescan"], [])
    assert found["days"] == ([], ["alike as one bag is, but scanned 3 days apart"])


def test_an_empty_project(tmp_path):
    (tmp_path / "raw").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)).save(tmp_path / "raw/one.png")
    project = read(tmp_path)
    dedup(project, TAXONOMY, COPIES_ONLY)
    for name in ("links", "undecided", "masks", "duplicates"):
        assert manifest.read(project, name).num_rows == 0


def test_the_page_shows_every_cluster_and_obeys_no_markup(tmp_path):
    raw = tmp_path / "raw" / "<script>alert(1)</script>"
    raw.mkdir(parents=True)
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    for name in ("a&b.png", '"><img src=x onerror=alert(2)>.png'):
        Image.fromarray(picture).save(raw / name)
    project = read(tmp_path)
    dedup(project, TAXONOMY, COPIES_ONLY)
    page = text(project)
    assert "<script" not in page and "<img src=x" not in page
    assert "a&amp;b.png" in page and page.count("data:image/jpeg;base64") == 2
