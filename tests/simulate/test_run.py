"""A whole simulated export: what ingest reads is what the truth says, whoever made it and however often."""

import hashlib
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xqdata import manifest
from xqdata.config import Config
from xqdata.containers.rle import unrle
from xqdata.errors import InputError
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.schema import IMAGES
from xqdata.simulate import Rates, Settings, check, machine, simulate
from xqdata.simulate import truth as truth_schema
from xqdata.simulate.check import publish
from xqdata.simulate.machine import belt_speed
from xqdata.simulate.plan import SCANNERS, plan
from xqdata.simulate.settings import COPIES, FAULTS, NO_FAULTS, scan_types
from xqdata.taxonomy import load

PLANTED = ("byte_copies", "pixel_copies", "reencoded", "resized", "trimmed", "turned", "mirrored", "crops", "rescans")
RATES = Rates(**dict.fromkeys((*PLANTED, "wrong_labels", "conflicting_labels", "overlays", "misnamed", "truncated",
                               "empty"), 0.1))  # fmt: skip
SMALL = Settings(scans=20, rates=RATES)


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sim")
    simulate(folder / "raw", SMALL, workers=1)
    return folder


def test_the_last_bits_of_sines_and_exponentials_change_no_picture(tmp_path, monkeypatch):
    """They differ between processors. Half of all values are moved to the next double here."""
    settings = Settings(scans=26, specimens=2, seed=4411, deep=True, rates=NO_FAULTS)
    made = {}
    for side in ("as they are", "moved"):
        machine._machine.cache_clear()
        simulate(tmp_path / side / "raw", settings, workers=1)
        made[side] = contents(tmp_path / side / "raw")
        for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "hypot", "arctan2", "power"):
            monkeypatch.setattr(np, name, moved(getattr(np, name)))
        monkeypatch.setattr(math, "cos", lambda x, cos=math.cos: math.nextafter(cos(x), 0.0))
    machine._machine.cache_clear()
    assert len(made["moved"]) == 3 * 26 + 1
    assert made["moved"] == made["as they are"]


def moved(function):
    """A function of numpy's of which every second value is the next double, away from zero."""

    def with_others(*arguments, **named):
        values = function(*arguments, **named)
        if not isinstance(values, np.ndarray) or values.dtype != np.float64:
            return values
        every_second = np.arange(values.size).reshape(values.shape) % 2 == 1
        inexact = np.isfinite(values) & (values != 0) & (np.abs(values) != 1)
        return np.where(every_second & inexact, np.nextafter(values, np.copysign(np.inf, values)), values)

    return with_others


@pytest.fixture(scope="module")
def rows(made):
    """The rows of images and of the truth, by path."""
    return agreeing(made, SMALL)


SHARED = ("path", "scan_id", "bag", "session", "series", "sequence", "container_id", "scanner_serial", "acquired_at",
          "view", "channel", "scan_type", "object", "objects", "specimens")  # fmt: skip


def shown(settings, scan, told):
    """What images has to say of a file whose truth is `told`, in every column of the truth and of its scanner.

    A planted file has no row in the log: of it only its folder tells, scan type and object.
    """
    assert set(SHARED) == set(truth_schema.FILES.names) & set(IMAGES.names)
    row = {c: told[c] for c in SHARED}
    _, kvp, ma = SCANNERS[scan.scanner]
    row |= {"scanner_make": "xqdata", "scanner_model": "SIM640", "kvp": kvp, "ma": ma, "operator": scan.operator}
    row |= {"belt_speed": belt_speed(settings, scan), "site": "simulated", "licence": "CC0-1.0"}
    row |= {"palette": "gilardoni" if told["channel"] == "colour" else None}
    if not told["logged"]:
        row = dict.fromkeys(row) | {"path": told["path"], "scan_type": told["scan_type"]}
    if told["wrong_label"] or not told["logged"]:
        row |= {"object": told["told_object"], "objects": [told["told_object"]]}
    kind = scan_types()[told["scan_type"]].factors
    return row | {axis: kind[axis] for axis in ("container", "multiplicity", "clutter")} | {"polarity": "air_bright"}


def agreeing(folder, settings):
    """Ingest, and compare every file's row of images with its truth; both tables' rows by path."""
    project = Project(folder)
    ingest(project, resolve([str(folder / "raw")], {}), Config(), load(None))
    images = {r["path"]: r for r in manifest.read(project, "images").drop_columns(["mtime"]).to_pylist()}
    truth = {r["path"]: r for r in pq.read_table(folder / "truth/files.parquet").to_pylist()}
    rejects = {r["path"]: r["reason"] for r in manifest.read(project, "rejects").to_pylist()}
    assert set(images) == {path for path, row in truth.items() if row["readable"]}
    assert rejects == {path: row["kind"] for path, row in truth.items() if not row["readable"]}
    scans = {s.number: s for s in plan(settings)}
    for path, row in images.items():
        expected = shown(settings, scans[truth[path]["sequence"]], truth[path])
        assert {c: row[c] for c in expected} == expected, path
        assert truth[path]["misnamed"] == (row["format"] == "PNG" and path.endswith(".jpg")), path
    return images, truth


def test_ingest_agrees_with_the_truth_on_every_file(rows):
    images, truth = rows
    assert len(images) > 30
    assert sum(r["wrong_label"] for r in truth.values()) >= 2


def test_ingest_agrees_on_both_views_and_all_energies(tmp_path):
    settings = replace(SMALL, scans=10, views=("top", "side"), deep=True, rates=replace(RATES, reencoded=0.2))
    simulate(tmp_path / "raw", settings, workers=1)
    images, truth = agreeing(tmp_path, settings)
    for kind in ("colour", "high", "low"):
        found = [r for r in images.values() if r["channel"] == kind]  # of planted files nobody knows it
        assert {r["view"] for r in found} == {"top", "side"}
        assert {r["bit_depth"] for r in found} == {8 if kind == "colour" else 16}
        assert any(truth[r["path"]]["overlay"] for r in found) == (kind == "colour")
        assert len(found) == sum(r["logged"] and r["channel"] == kind for r in truth.values()) == 2 * 11


def test_the_default_plants_what_its_settings_say(made):
    """The result's counts, the truth's and the files that are there are the same."""
    again = simulate(made / "raw", SMALL, workers=1)
    truth = pq.read_table(made / "truth/files.parquet").to_pylist()
    assert again.kept == sum(again.kinds.values()) == len(truth) == len(list((made / "raw").glob("*/*/*.*")))
    told = Counter(r["kind"] for r in truth)
    assert told == again.kinds
    count = {name: RATES.count(name, SMALL.scans) for name in FAULTS}
    assert told["scan"] == SMALL.scans + count["rescans"]
    planted = {"crop": "crops"} | {kind: kind for kind in (*COPIES, "truncated", "empty")}
    assert {kind: told[kind] for kind in planted} == {kind: count[name] for kind, name in planted.items()}
    scans = [r for r in truth if r["kind"] == "scan"]
    for column, name in (("rescan", "rescans"), ("wrong_label", "wrong_labels"), ("overlay", "overlays"),
                         ("misnamed", "misnamed")):  # fmt: skip
        assert sum(r[column] for r in scans) == count[name], name
    assert sum(r["conflicting"] for r in truth) == count["conflicting_labels"]


def test_every_column_that_a_scanner_could_fill_is_filled(rows):
    images, _ = rows
    empty = {c for c in next(iter(images.values())) if all(r[c] is None for r in images.values())}
    assert empty == {"moved_from"}


def test_copies_of_bytes_and_pixels_are_what_they_say(made, rows):
    images, _ = rows
    pairs = pq.read_table(made / "truth/pairs.parquet").to_pylist()
    assert {p["kind"] for p in pairs} >= {"bytes", "pixels", "re-encoded", "transformed", "crop", "rescan"}
    for pair in pairs:
        a, b = images[pair["path_a"]], images[pair["path_b"]]
        assert (a["sha256"] == b["sha256"]) == (pair["kind"] == "bytes")
        assert (a["pixel_hash"] == b["pixel_hash"]) == (pair["kind"] in ("bytes", "pixels"))


def test_masks_lie_where_the_contents_are(made, rows):
    images, truth = rows
    masks = pq.read_table(made / "truth/masks.parquet").to_pylist()
    assert [m["path"] for m in masks] == sorted(p for p, r in truth.items() if r["kind"] == "scan")
    for row in masks:
        mask = unrle(row["rle"])
        image = images[row["path"]]
        assert mask.shape == (image["height"], image["width"])
        x, y, width, height = row["box"]
        assert mask.sum() == mask[y : y + height, x : x + width].sum() > 0
        assert len(row["specimen_boxes"]) == len(truth[row["path"]]["specimens"])


def test_the_number_of_workers_changes_nothing(made, tmp_path):
    simulate(tmp_path / "raw", SMALL, workers=2)
    assert contents(tmp_path / "raw") == contents(made / "raw")
    for name in ("files", "pairs", "masks", "specimens"):
        assert (tmp_path / f"truth/{name}.parquet").read_bytes() == (made / f"truth/{name}.parquet").read_bytes()


def test_a_second_run_makes_what_is_missing_and_leaves_the_rest(made, tmp_path):
    import shutil

    shutil.copytree(made / "raw", tmp_path / "raw")
    shutil.copytree(made / "truth", tmp_path / "truth")
    gone = sorted((tmp_path / "raw").rglob("*.png"))[3]
    gone.unlink()
    (gone.parent / f".{gone.name}.part").write_bytes(b"half")
    result = simulate(tmp_path / "raw", SMALL, workers=1)
    assert result.kept == sum(result.kinds.values()) - 1
    assert contents(tmp_path / "raw") == contents(made / "raw")


def test_a_killed_run_leaves_whole_files_and_goes_on(made, tmp_path):
    code = ("import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); "
            "from simulate.test_run import SMALL; from xqdata.simulate import simulate; "
            "simulate(Path(sys.argv[1]), SMALL, workers=1)")  # fmt: skip
    from pathlib import Path

    run = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "raw"), str(Path(__file__).parents[1])])
    while len(list((tmp_path / "raw").rglob("*.png"))) < 4 and run.poll() is None:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    whole = contents(made / "raw")
    left = {p: h for p, h in contents(tmp_path / "raw").items() if not p.endswith(".part")}
    assert len(left) < len(whole) and all(whole[path] == value for path, value in left.items())
    simulate(tmp_path / "raw", SMALL, workers=1)
    assert contents(tmp_path / "raw") == whole


def test_folders_of_others_are_refused(made, tmp_path):
    with pytest.raises(InputError, match="other settings"):
        simulate(made / "raw", Settings(scans=7))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/mine.png").write_bytes(b"x")
    with pytest.raises(InputError, match="not empty"):
        simulate(tmp_path / "raw", SMALL)
    assert [p.name for p in tmp_path.rglob("*")] == ["raw", "mine.png"]


def test_two_views_and_their_energies_are_one_scan(tmp_path):
    settings = Settings(scans=2, views=("top", "side"), deep=True, rates=Rates(**dict.fromkeys(PLANTED, 0.0)))
    simulate(tmp_path / "raw", settings, workers=1)
    files = pq.read_table(tmp_path / "truth/files.parquet").to_pylist()
    assert len(files) == 12 and len({f["scan_id"] for f in files}) == 2
    assert {(f["view"], f["channel"]) for f in files} == {
        (v, c) for v in ("top", "side") for c in ("colour", "high", "low")
    }
    pairs = pq.read_table(tmp_path / "truth/pairs.parquet").to_pylist()
    assert len(pairs) == 2 * 15 and {p["kind"] for p in pairs} == {"same-scan"}


def test_a_published_dataset_is_checked_pixel_by_pixel(made, tmp_path):
    pictures = publish(made / "raw", tmp_path, workers=1)
    assert check(tmp_path, workers=1).same == pictures > 20
    assert (tmp_path / "pairs.parquet").read_bytes() == (made / "truth/pairs.parquet").read_bytes()
    published = pq.read_table(tmp_path / "pixels.parquet").to_pydict()
    published["pixel_hash"][2] = "0" * 32
    pq.write_table(pa.table(published), tmp_path / "pixels.parquet")
    found = check(tmp_path, workers=1)
    assert found.different == [published["path"][2]] and found.same == pictures - 1
    assert published["path"][2] in "\n".join(found.lines())
    with pytest.raises(InputError, match=r"has no settings\.json"):
        check(made / "raw")
