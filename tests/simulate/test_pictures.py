"""Planted copies: what is done to the pixels is what the truth says of them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from xqdata.simulate.files import File
from xqdata.simulate.pictures import derived, encoded, stamp
from xqdata.simulate.truth import _between

PICTURE = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)


def as_said(orientation: str, pixels: np.ndarray) -> np.ndarray:
    out = pixels[:, ::-1] if orientation[0] == "m" else pixels
    return np.rot90(out, int(orientation[1:]) // 90)


@given(*[st.integers(0, 3), st.booleans()] * 2)
def test_the_orientation_lays_one_copy_on_the_other(turn_a, mirror_a, turn_b, mirror_b):
    a, b = File("a.png", 1, turn=turn_a, mirror=mirror_a), File("b.png", 1, turn=turn_b, mirror=mirror_b)
    assert np.array_equal(as_said(_between(a, b), derived(b, PICTURE)), derived(a, PICTURE))
    assert np.array_equal(as_said(a.orientation, PICTURE), derived(a, PICTURE))


def test_windows_and_sizes():
    trimmed = derived(File("a.png", 1, window=(0.05, 0.1, 1.0, 0.9)), PICTURE)
    assert np.array_equal(trimmed, PICTURE[4:36, 3:])
    assert derived(File("a.png", 1, factor=0.5), PICTURE).shape == (20, 30, 3)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_lossless_files_keep_the_pixels(ending):
    read = np.asarray(Image.open(io.BytesIO(encoded(File(f"a.{ending}", 1), PICTURE))))
    assert np.array_equal(read, PICTURE)


def test_energies_keep_sixteen_bits():
    deep = np.random.default_rng(1).integers(0, 65535, (30, 50), np.uint16)
    data = encoded(File("a_high.tif", 1, channel="high"), deep)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), deep)
    assert data == encoded(File("b_high.tif", 1, channel="high"), deep)


def test_damage_and_lies():
    whole = encoded(File("a.png", 1), PICTURE)
    assert encoded(File("a.jpg", 1), PICTURE) == whole  # a PNG under a JPEG's name
    assert encoded(File("a.jpg", 1, quality=90), PICTURE)[:2] == b"\xff\xd8"
    assert encoded(File("a.png", 1, kind="truncated", share=0.5), PICTURE) == whole[: len(whole) // 2]
    assert encoded(File("a.png", 1, kind="empty", share=0.0), PICTURE) == b""


def test_a_stamp_changes_a_corner_only():
    from datetime import datetime

    white = np.full((100, 400, 3), 255, np.uint8)
    out = stamp(white, datetime(2025, 1, 2), "SIM-1")
    assert (out[:30] != 255).any() and (out[30:] == 255).all() and (white == 255).all()
