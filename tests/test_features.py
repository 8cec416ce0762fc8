"""Sketches: hashes in all orientations, thumbnails, and a cache that changes nothing."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from xqdata import features, manifest, scans
from xqdata.config import Config
from xqdata.errors import XqdataError
from xqdata.hashing import hashes
from xqdata.ingest import ingest, resolve
from xqdata.manifest import Project
from xqdata.schema import ORIENTATIONS
from xqdata.taxonomy import load


def turned(pixels: np.ndarray, orientation: str) -> np.ndarray:
    out = pixels[:, ::-1] if orientation[0] == "m" else pixels
    return np.ascontiguousarray(np.rot90(out, int(orientation[1:]) // 90))


def picture(seed: int, rows: int, columns: int, dtype: type = np.uint8) -> np.ndarray:
    """Smooth, so that a hash bit does not hang on rounding."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 6), np.uint8)).resize((columns, rows), Image.Resampling.BICUBIC)
    return np.asarray(small).astype(dtype)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(64, 200), st.integers(64, 200), st.sampled_from([np.uint8, np.float32]))
def test_a_turned_picture_has_the_hash_that_its_orientation_predicts(seed, rows, columns, dtype):
    grey = picture(seed, rows, columns, dtype)
    predicted = features.orientations(grey)
    assert predicted[0] == hashes(grey).phash
    for orientation, bits in zip(ORIENTATIONS, predicted, strict=True):
        # Resizing rounds to 8 bits, one axis after the other: a bit at the median may fall to the other side.
        assert (bits ^ hashes(turned(grey, orientation)).phash).bit_count() <= 4


def test_a_thumbnail_is_dark_on_zero_whatever_the_polarity_and_size():
    grey = np.full((160, 240), 250, np.uint8)
    grey[40:80, 40:80] = 25
    bright, box = features._thumb(grey, "air_bright")
    dark, _ = features._thumb(255 - grey, "air_dark")
    assert bright[0, 0] == 0 and bright[24, 16] == 255 and abs(bright.astype(int) - dark).max() <= 6
    left, top, right, bottom = box
    assert left <= 40 <= left + 4 and right - 4 <= 80 <= right and top <= 40 and bottom >= 80
    small = np.asarray(Image.fromarray(grey).resize((96, 64), Image.Resampling.BOX))
    assert np.corrcoef(features._thumb(small, None)[0].ravel(), bright.ravel())[0, 1] > 0.99


@pytest.fixture
def project(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    for seed in range(5):
        Image.fromarray(picture(seed, 90, 120)).save(raw / f"{seed}.png")
    shutil.copy(raw / "0.png", raw / "copy.png")
    project = Project(tmp_path)
    ingest(project, resolve([str(raw)], {}), Config(), load(None))
    return project


def asked(project):
    table = manifest.read(project, "images")
    return scans.located(project, table), table["pixel_hash"].to_pylist(), table["phash"].to_pylist()


def phash8(sketches):
    out = np.zeros((len(sketches.file), 8), np.uint64)
    for part in sketches.parts():
        out[part.at] = part.phash8
    return out


def test_each_picture_is_opened_once_and_rows_stay_in_order(project):
    wanted, pixel_hashes, phashes = asked(project)
    seen = []
    first = features.sketches(project, wanted, pixel_hashes, progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (5, 5)  # the copy was not opened
    assert phash8(first)[:, 0].tolist() == phashes and not first.unread
    again = features.sketches(project, wanted[::-1], pixel_hashes[::-1], progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (0, 0)
    assert np.array_equal(phash8(again), phash8(first)[::-1]) and np.array_equal(again.thumbs, first.thumbs[::-1])


def test_a_picture_that_is_gone_is_told_and_looked_for_again(project, tmp_path):
    wanted, pixel_hashes, _ = asked(project)
    kept = (tmp_path / "raw/3.png").read_bytes()
    position = [s.file.name for s in wanted].index("3.png")
    info = (tmp_path / "raw/3.png").stat()
    (tmp_path / "raw/3.png").unlink()
    found = features.sketches(project, wanted, pixel_hashes)
    assert list(found.unread) == [position] and not found.thumbs[position].any()
    import os

    (tmp_path / "raw/3.png").write_bytes(kept)
    os.utime(tmp_path / "raw/3.png", ns=(info.st_atime_ns, info.st_mtime_ns))
    assert not features.sketches(project, wanted, pixel_hashes).unread


def test_a_damaged_cache_is_made_again(project):
    wanted, pixel_hashes, _ = asked(project)
    first = features.sketches(project, wanted, pixel_hashes).thumbs
    for path in (project.state / "sketches").rglob("*.arrow"):
        path.write_bytes(b"ARROW1 no more")
    assert np.array_equal(features.sketches(project, wanted, pixel_hashes).thumbs, first)


def test_what_a_killed_run_left_half_written_is_made_again(project):
    wanted, pixel_hashes, _ = asked(project)
    first = features.sketches(project, wanted, pixel_hashes).thumbs
    (whole,) = (project.state / "sketches").rglob("*.arrow")
    data = whole.read_bytes()
    whole.with_suffix(".tmp").write_bytes(data[: len(data) // 2])
    whole.write_bytes(data[: len(data) // 2])  # under its final name, as after a power cut
    seen = []
    again = features.sketches(project, wanted, pixel_hashes, progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (5, 5) and not again.unread
    assert np.array_equal(again.thumbs, first)


def test_a_shard_that_was_done_twice_counts_once(project):
    wanted, pixel_hashes, _ = asked(project)
    first = features.sketches(project, wanted, pixel_hashes)
    assert len(first.thumbs) == 6
    (file,) = (project.state / "sketches").rglob("*.arrow")
    shutil.copy(file, file.with_name("another.arrow"))
    again = features.sketches(project, wanted, pixel_hashes)
    assert sorted(np.concatenate([part.at for part in again.parts()]).tolist()) == list(range(6))
    assert np.array_equal(again.thumbs, first.thumbs) and np.array_equal(phash8(again), phash8(first))


def test_a_changed_picture_is_not_taken_for_what_it_was(project, tmp_path):
    wanted, pixel_hashes, _ = asked(project)
    before = features.sketches(project, wanted, pixel_hashes).thumbs
    Image.fromarray(picture(77, 90, 120)).save(tmp_path / "raw/3.png")
    ingest(project, resolve([str(tmp_path / "raw")], {}), Config(), load(None))
    wanted, pixel_hashes, phashes = asked(project)
    after = features.sketches(project, wanted, pixel_hashes)
    assert phash8(after)[:, 0].tolist() == phashes
    assert {t.tobytes() for t in after.thumbs} != {t.tobytes() for t in before}


def test_a_cache_that_is_emptied_meanwhile_is_one_line(project):
    wanted, pixel_hashes, _ = asked(project)
    found = features.sketches(project, wanted, pixel_hashes)
    shutil.rmtree(project.state / "sketches")
    with pytest.raises(XqdataError, match=r"gone since this command found it .*; run the command again"):
        list(found.parts())
