"""The table `masks`, from rows of `images` to run lengths.

Wrong while green would be: an image without a row, a mask from another scanner's basket, a file that is gone or changed
and passes for an empty basket, a table that depends on how the work was cut into shards, the row of another image where
there are more than are read at once.
"""

from __future__ import annotations

import os

import cv2
import numpy as np
import pyarrow as pa
import pytest

from assets.rows import image
from containers.basket_scenes import DEEP, basket, page, passes, scene, things
from xqdata import containers, manifest, schema
from xqdata.config import Config
from xqdata.containers.grouping import COLUMNS, groups, polarities
from xqdata.containers.rle import unrle
from xqdata.containers.run import SHARD_SCANS
from xqdata.errors import XqdataError
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.taxonomy import load


def table(*rows):
    filled = [image(f"{n}.png", pixel_hash=f"p{n}", width=320, height=220) | row for n, row in enumerate(rows)]
    return schema.from_rows("images", filled).select(COLUMNS)


def names(group):
    return [i.removeprefix("id of ").removesuffix(".png") for i in group.images]


def test_known_containers_are_groups_of_their_own_for_each_scanner_view_and_channel():
    known = {"container": "basket", "container_id": "b1", "scanner_serial": "s1", "view": "top", "channel": "colour"}
    others = [{key: "other"} for key in ("container_id", "scanner_serial", "view")] + [{"channel": "high"}]
    found = groups(table(known, known, *(known | other for other in others)))
    assert sorted(map(names, found)) == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
    assert all(g.side is None for g in found)


def test_the_size_of_a_picture_counts_only_where_the_container_is_unknown():
    sizes = [{"width": 320}, {"width": 326}, {"width": 160, "height": 110}]
    assert sorted(map(names, groups(table(*sizes)))) == [["0", "1"], ["2"]]
    assert sorted(map(names, groups(table(*(s | {"container_id": "b"} for s in sizes))))) == [["0", "1", "2"]]


def test_a_group_may_show_the_containers_that_nothing_known_speaks_against():
    unknown, one, other, carrier = groups(
        table(
            {"scanner_serial": "s1"},
            {"scanner_serial": "s1", "container": "basket", "container_id": "b1"},
            {"scanner_serial": "s2", "container": "basket", "container_id": "b1"},
            {"container": "carrier"},
        )
    )[::-1]
    by = {(g.scanner[2], g.container): g for g in (unknown, one, other, carrier)}
    free, s1, s2 = by["s1", None], by["s1", "basket"], by["s2", "basket"]
    assert free.may_show(s1) and s1.may_show(free)
    assert not free.may_show(s2) and not by[None, "carrier"].may_show(s1)


def test_of_equal_pixels_the_image_with_a_known_container_speaks():
    found = groups(table({"pixel_hash": "same"}, {"pixel_hash": "same", "container_id": "b"}, {}))
    assert sorted((names(g), g.container_id) for g in found) == [(["1"], "b"), (["2"], None)]


def test_polarity_is_taken_from_the_same_scanner_where_all_agree():
    told = polarities(
        table(
            {"scanner_serial": "a", "polarity": "air_dark"},
            {"scanner_serial": "a"},
            {"scanner_serial": "b", "polarity": "air_dark"},
            {"scanner_serial": "b", "polarity": "air_bright"},
            {"scanner_serial": "b"},
        )
    )
    assert told == {
        "id of 0.png": "air_dark",
        "id of 1.png": "air_dark",
        "id of 2.png": "air_dark",
        "id of 3.png": "air_bright",
    }


def write(path, full, shot=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), (page(full, shot) if shot else page(full)).pixels)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Two baskets by name and in two depths, a lone one, copies, bare scans; and where contents lie, by path."""
    folder = tmp_path_factory.mktemp("lab")
    raw, contents, rows = folder / "raw", {}, []

    def put(name, s, container="", scan_type="single_basket", shot=None):
        write(raw / name, s.full, shot)
        contents[name] = s.contents
        channel = "high" if shot else "colour"
        rows.append(f"{name},{scan_type},{container},{channel}")

    for k in (1, 2):
        for n, s in enumerate(passes(basket(k), 7, 20 + k)):
            put(f"basket{k}/{n}.png", s, f"b{k}")
    for n, s in enumerate(passes(basket(1), 6, 30)):
        put(f"deep/{n}.png", s, "b1", shot=DEEP)
    for n, s in enumerate(passes(basket(3), 3, 31)):
        put(f"lone/{n}.png", s, "b3")
    draw = np.random.default_rng(0)
    put("bare/0.png", scene(np.zeros_like(basket(1)), things(draw), draw=draw), scan_type="single_bare")
    first = passes(basket(1), 7, 21)[0]
    write(raw / "copies/turned.png", np.ascontiguousarray(np.rot90(first.full)))
    write(raw / "copies/same.bmp", first.full)
    contents |= {"copies/turned.png": np.rot90(first.contents), "copies/same.bmp": first.contents}
    (raw / "log.csv").write_text("\n".join(["file,scan_type,container_id,channel", *rows]) + "\n")
    project = Project(folder / "project")
    project.folder.mkdir()
    ingest(project, resolve([str(raw)], {}), Config(), load(None))
    return project, raw, contents


def masks(project, folder, workers=1, **options):
    """All of the table; what is mapped from the folder's file is gone with it."""
    return containers.masks(project, folder, workers=workers, **options).table()


@pytest.fixture(scope="module")
def made(lab, tmp_path_factory):
    seen = []
    found = masks(lab[0], tmp_path_factory.mktemp("made"), progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen) and seen[-1][0] == seen[-1][1]
    return found


def by_path(project, found):
    images = manifest.read(project, "images", ["image_id", "path"]).to_pylist()
    paths = {r["image_id"]: r["path"] for r in images}
    return {paths[r["image_id"]]: r for r in found.to_pylist()}


def overlap(row, contents):
    mask = unrle(row["rle"])
    return (mask & contents).sum() / (mask | contents).sum()


def test_every_image_has_a_row_and_the_schema_holds(lab, made):
    schema.MASKS.check(made)
    images = manifest.read(lab[0], "images", ["image_id", "container_id"])
    assert made["image_id"].to_pylist() == sorted(images["image_id"].to_pylist())
    assert sorted(images["container_id"].unique().to_pylist(), key=str) == [None, "b1", "b2", "b3"]


def test_contents_are_found_in_all_baskets_and_depths(lab, made):
    project, _, contents = lab
    for path, row in by_path(project, made).items():
        if path.split("/")[0] in ("basket1", "basket2", "deep"):
            assert row["method"].startswith("container of ") and overlap(row, contents[path]) > 0.75


def test_copies_whose_container_nobody_told_are_recognised(lab, made):
    project, _, contents = lab
    rows = by_path(project, made)
    assert "turned r270" in rows["copies/turned.png"]["method"]
    assert overlap(rows["copies/turned.png"], contents["copies/turned.png"]) > 0.75
    same, source = rows["copies/same.bmp"], rows["basket1/0.png"]
    assert {**same, "image_id": ""} == {**source, "image_id": ""}


def test_too_few_scans_and_no_container_say_so(lab, made):
    project, _, contents = lab
    rows = by_path(project, made)
    for n in range(3):
        assert rows[f"lone/{n}.png"]["rle"] is None and rows[f"lone/{n}.png"]["box"] is None
        assert rows[f"lone/{n}.png"]["method"] == "not estimated: 3 scans of this container, 5 are needed"
    assert rows["bare/0.png"]["method"] == "not air, no container"
    assert overlap(rows["bare/0.png"], contents["bare/0.png"]) > 0.85


def test_files_that_are_gone_or_changed_are_listed(lab, tmp_path):
    project, raw, _ = lab
    gone, changed = raw / "basket1/3.png", raw / "bare/0.png"
    kept = {path: (path.read_bytes(), path.stat()) for path in (gone, changed)}
    try:
        gone.unlink()
        changed.write_bytes(b"else")
        rows = by_path(project, masks(project, tmp_path))
    finally:
        for path, (data, info) in kept.items():
            path.write_bytes(data)
            os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert rows["basket1/3.png"]["method"] == "not read: gone since ingest"
    assert rows["bare/0.png"]["method"] == "not read: changed since ingest: run xqdata ingest again"
    assert rows["bare/0.png"]["rle"] is None
    assert sum(r["rle"] is None for r in rows.values()) == 5


def test_a_missing_row_is_left_out_and_an_empty_table_gives_one(lab, tmp_path, monkeypatch):
    read = manifest.read

    def without(project, name, columns=None, **options):
        rows = read(project, name, columns, **options)
        return rows.set_column(rows.schema.get_field_index("missing"), "missing", pa.array([True] * rows.num_rows))

    monkeypatch.setattr(manifest, "read", without)
    assert masks(lab[0], tmp_path).equals(schema.empty("masks"))


def test_how_work_is_cut_does_not_matter(lab, made, tmp_path, monkeypatch):
    assert SHARD_SCANS > 2
    monkeypatch.setattr("xqdata.containers.run.SHARD_SCANS", 2)
    assert masks(lab[0], tmp_path).equals(made)


def test_worker_processes_do_not_matter(lab, made, tmp_path, monkeypatch):
    monkeypatch.setattr("xqdata.containers.run._FEW", 0)
    assert masks(lab[0], tmp_path, workers=2).equals(made)


def test_how_many_rows_lie_together_does_not_matter(lab, made, tmp_path, monkeypatch):
    monkeypatch.setattr("xqdata.containers.lengths._BATCH", 3)
    monkeypatch.setattr("xqdata.containers.lengths._PIECE", 4)
    found = containers.masks(lab[0], tmp_path, workers=1)
    pieces = list(found.pieces())
    assert {piece.num_rows for piece in pieces[:-1]} == {4} and pieces[-1].num_rows <= 4
    assert pa.concat_tables(pieces).equals(made)
    assert [found.rle(n) for n in range(len(found))] == made["rle"].to_pylist()
    assert found.estimated.tolist() == made["rle"].is_valid().to_pylist()


def test_a_folder_that_cannot_be_written_is_one_line(lab, tmp_path):
    with pytest.raises(XqdataError, match=r"masks.arrow: cannot be written \(No such file or directory\); free some"):
        containers.masks(lab[0], tmp_path / "absent", workers=1)
