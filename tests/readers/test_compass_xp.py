"""COMPASS-XP's layout.

Wrong while green would be: the five renderings of a scan as five scans, or as scans of different objects; scans of two
sets, or of two raw folders, tied because their numbers are equal; photographs counted as scans, or somebody else's
folder of photographs swallowed; an ordinary folder `Colour` taken for the dialect.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from assets.pictures import save
from xqdata import manifest
from xqdata.readers.compass_xp import CompassXp

CHANNELS = {"Colour": "colour", "Density": "density", "Grey": "grey", "High": "high", "Low": "low"}
HEADING = ("basename", "class", "instance", "pose", "dangerous", "scan_tray")
ROWS = (("0582", "bread knife", "1", "2", "1", "A"), ("0583", "apple", "07", "1", "0", ""))
REAL = os.environ.get("XQDATA_REAL_DATA")


def lay(folder: Path, names=("0582", "0583"), channels=tuple(CHANNELS), photo=True) -> Path:
    """A set: one picture for each name in each folder."""
    for number, name in enumerate(names):
        for shift, channel in enumerate(channels):
            save(folder / channel / f"{name}.png", seed=10 * number + shift)
        if photo:
            save(folder / "Photo" / f"{name}.png", seed=10 * number + 9)
    return folder


def describe(folder: Path, *rows, heading=HEADING) -> None:
    lines = ["\t".join(cells) for cells in (heading, *rows)]
    (folder / "meta.txt").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")


def said(tree):
    return CompassXp().read(tree()).fields


def problems(reading):
    return [(bad.path, bad.item, bad.message) for bad in reading.bad_rows]


def test_the_renderings_of_one_name_are_one_scan_of_one_object(run, raw, project):
    describe(lay(raw), *ROWS)
    run(raw)
    images = manifest.read(project, "images").to_pylist()
    assert len(images) == 10
    scans = {row["scan_id"]: [r for r in images if r["scan_id"] == row["scan_id"]] for row in images}
    assert len(scans) == 2
    for group in scans.values():
        assert Counter(r["channel"] for r in group) == Counter(CHANNELS.values())
        assert len({Path(r["path"]).stem for r in group}) == 1
        assert len({(r["object"], tuple(r["objects"]), tuple(r["specimens"]), r["extra"]) for r in group}) == 1
    by_path = {r["path"]: r for r in images}
    for path, row in by_path.items():
        assert row["channel"] == CHANNELS[path.split("/")[0]]
        assert "compass_xp" in row["reader"]
    row = by_path["High/0582.png"]
    assert (row["object"], row["specimens"], row["label_source"]) == ("bread knife", ["bread knife-1"], "compass_xp")
    assert '"pose": "2"' in row["extra"]
    assert '"dangerous": "1"' in row["extra"]
    assert '"scan_tray": "A"' in row["extra"]
    # The class is known to the taxonomy, and number 07 of the apples is called as any other reader would call it.
    row = by_path["Low/0583.png"]
    assert (row["object"], row["specimens"]) == ("apple", ["apple-07"])
    assert "scan_tray" not in row["extra"]


def test_photographs_are_sources_and_no_scans(run, raw, project):
    describe(lay(raw), *ROWS)
    run(raw)
    sources = {r["path"]: r["role"] for r in manifest.read(project, "sources").to_pylist()}
    assert sources == {"meta.txt": "annotation", "Photo/0582.png": "sidecar", "Photo/0583.png": "sidecar"}
    assert manifest.read(project, "rejects").num_rows == 0


def test_somebody_elses_photographs_are_not_swallowed(raw, tree):
    lay(raw / "set")
    save(raw / "other/photo/1.png")
    assert set(CompassXp().read(tree()).sources) == {"set/Photo/0582.png", "set/Photo/0583.png"}


def test_nested_and_side_by_side_sets_share_no_scan(raw, tree):
    describe(lay(raw / "spring/lab A"), *ROWS)
    describe(lay(raw / "autumn", names=("0582",)), ("0582", "hatchet", "1", "1", "1", "B"))
    fields = said(tree)
    ids = {path: field["scan_id"] for path, field in fields.items()}
    assert len(set(ids.values())) == 3
    assert len({ids["autumn/High/0582.png"], ids["autumn/Low/0582.png"]}) == 1
    assert ids["autumn/High/0582.png"] != ids["spring/lab A/High/0582.png"]
    assert fields["autumn/Grey/0582.png"]["object"] == "hatchet"
    assert fields["spring/lab A/Grey/0582.png"]["object"] == "bread knife"


def test_two_raw_folders_share_no_scan(run, tmp_path, project):
    for name in ("siteA", "siteB"):
        describe(lay(tmp_path / name), *ROWS)
    run(tmp_path / "siteA", tmp_path / "siteB")
    images = manifest.read(project, "images").to_pylist()
    assert len({r["scan_id"] for r in images}) == 4
    assert len({(r["root"], r["scan_id"]) for r in images}) == 4


def test_rows_without_files_and_files_without_rows(raw, tree):
    lay(raw)
    describe(raw, ROWS[0], ("9999", "apple", "1", "1", "0", ""), ROWS[0], ("0583", "apple"), ("", *ROWS[0][1:]))
    reading = CompassXp().read(tree())
    assert problems(reading) == [
        ("meta.txt", "row 3", "no file is called '9999'"),
        ("meta.txt", "row 4", "'0582' stands twice"),
        ("meta.txt", "row 5", "2 cells under 6 headings"),
        ("meta.txt", "row 6", "no file is called ''"),
    ]
    assert reading.notes == ["meta.txt: 1 scan has no row, the first is 0583"]
    assert "object" not in reading.fields["High/0583.png"]
    assert reading.fields["High/0583.png"]["channel"] == "high"


@pytest.mark.parametrize("name", ["0582", "0582.png", "scan.01"])
def test_basenames_with_and_without_ending(raw, tree, name):
    lay(raw, names=(name.removesuffix(".png"),))
    describe(raw, (name, *ROWS[0][1:]))
    reading = CompassXp().read(tree())
    assert not reading.bad_rows
    assert {field["object"] for field in reading.fields.values()} == {"bread knife"}


def test_two_encodings_of_one_rendering_are_both_described(raw, tree):
    lay(raw, names=("1",))
    shutil.copy(raw / "High/1.png", raw / "High/1.PNG.tif")
    shutil.copy(raw / "High/1.png", raw / "High/1.tif")
    fields = said(tree)
    assert fields["High/1.tif"] == fields["High/1.png"] == {"scan_id": "raw/1", "channel": "high"}


def test_an_instance_that_is_no_number_counts_within_its_class(raw, tree):
    lay(raw, names=("1", "2"), channels=("High", "Low"))
    describe(raw, ("1", "knife", "a", "", "", ""), ("2", "saw", "a", "", "", ""))
    assert {f["specimen"] for f in said(tree).values()} == {"knife-a", "saw-a"}


def test_an_unknown_instance_is_no_specimen(raw, tree):
    lay(raw, names=("1",))
    describe(raw, ("1", "knife", "", "3", "", ""))
    assert all("specimen" not in f and f["pose"] == "3" for f in said(tree).values())


def test_one_folder_called_colour_is_not_the_dialect(raw, tree):
    lay(raw, channels=("Colour",), photo=False)
    assert CompassXp().sniff(tree()) is None
    (raw / "meta.txt").write_text("what I did on Monday\n", encoding="utf-8")
    assert CompassXp().sniff(tree()) is None
    describe(raw, *ROWS)
    assert CompassXp().sniff(tree()) == "2 scans in the folders Colour, described by meta.txt"


def test_names_in_other_folders_do_not_make_a_scan(raw, tree):
    for path in ("High/a.png", "Low/b.png", "apple/a.png", "mango/a.png", "apple/high.png"):
        save(raw / path)
    assert CompassXp().sniff(tree()) is None


def test_case_and_american_spelling(raw, tree):
    lay(raw, names=("1",), channels=("COLOR", "gray", "HIGH"))
    assert {f["channel"] for f in said(tree).values()} == {"colour", "grey", "high"}
    assert len({f["scan_id"] for f in said(tree).values()}) == 1


@pytest.mark.real
@pytest.mark.skipif(not REAL, reason="XQDATA_REAL_DATA is not set: it names the folder of real scans")
def test_real_scans_with_a_meta_beside_them(run, tmp_path, project):
    folder = tmp_path / "compass_xp"
    shutil.copytree(Path(REAL or "") / "compass_xp", folder)
    (folder / "acquisition.csv").unlink()
    names = sorted(p.stem for p in (folder / "Colour").glob("*.png"))
    describe(folder, *((name, "thing", str(n), "1", "0", "A") for n, name in enumerate(names)))
    run(folder)
    images = manifest.read(project, "images").to_pylist()
    assert len(images) == len({r["scan_id"] for r in images}) == len({tuple(r["specimens"]) for r in images}) == 12
    assert {(r["object"], r["channel"]) for r in images} == {("thing", "colour")}
    assert [s["path"] for s in manifest.read(project, "sources").to_pylist()] == ["meta.txt"]
