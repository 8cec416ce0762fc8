"""Files without a header.

Wrong while green would be: bytes swapped, rows and columns exchanged, the first row lost behind a header; a file of
another size cut or filled up; measurements of one layout kept when the config says another.
"""

from __future__ import annotations

import numpy as np
import pytest

from assets.pictures import deep, grey
from xqdata import config, manifest
from xqdata.errors import ConfigError
from xqdata.hashing import hashes
from xqdata.images import BadImage, Limits, RawLayout, raw_page
from xqdata.images.deep import deep_grey

HEIGHT, WIDTH = 12, 16
PIXELS = {8: grey(), 16: deep(), 32: deep().astype(np.uint32) * 40_000}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("skip", [0, 7, 512])
def test_pixels_are_the_files(bits, order, skip):
    pixels = PIXELS[bits]
    data = b"\x89" * skip + pixels.astype(f"{order}u{bits // 8}").tobytes()
    page = raw_page(data, RawLayout(WIDTH, HEIGHT, f"{order}u{bits // 8}", skip), Limits())
    assert (page.width, page.height, page.channels, page.index) == (WIDTH, HEIGHT, 1, 0)
    assert (page.format, page.bit_depth) == ("RAW", bits)
    assert page.pixels.dtype == pixels.dtype
    assert page.pixels.dtype.isnative
    np.testing.assert_array_equal(page.pixels, pixels)
    expected = pixels if bits == 8 else deep_grey(pixels, None)
    np.testing.assert_array_equal(page.grey, expected)


def test_a_window_is_declared_and_not_found():
    page = raw_page(PIXELS[16].tobytes(), RawLayout(WIDTH, HEIGHT, "<u2"), Limits(window=(0, 65535)))
    np.testing.assert_allclose(page.grey, PIXELS[16] / 257.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("size", "reason", "told"),
    [
        (383, "truncated", "383 bytes, where xqdata.toml says 16 x 12 values of 2 bytes behind 4: 388 bytes"),
        (388 + 1, "unsupported", "389 bytes, where xqdata.toml says 16 x 12 values of 2 bytes behind 4: 388 bytes"),
        (1, "truncated", "1 bytes, where"),
        (388 * 2, "unsupported", "776 bytes, where"),
    ],
)
def test_another_size_is_a_reject(size, reason, told):
    with pytest.raises(BadImage) as caught:
        raw_page(bytes(size), RawLayout(WIDTH, HEIGHT, "<u2", 4), Limits())
    assert caught.value.reason == reason
    assert caught.value.message.startswith(told)


def test_one_that_is_too_large_is_not_read():
    with pytest.raises(BadImage) as caught:
        raw_page(b"", RawLayout(10**6, 10**6, "<u2"), Limits(max_pixels=10**6))
    assert caught.value.reason == "too_large"


# --- by way of ingest


def layout(files: str = "*.raw", **more: object) -> dict[str, object]:
    return {"raw": [{"files": files, "width": WIDTH, "height": HEIGHT, **more}]}


def write(folder, name: str, pixels: np.ndarray = PIXELS[16], dtype: str = "<u2", before: bytes = b"") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(before + pixels.astype(dtype).tobytes())


def images(project) -> dict[str, dict[str, object]]:
    return {row["path"]: row for row in manifest.read(project, "images").to_pylist()}


def rejects(project) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in manifest.read(project, "rejects").to_pylist()}


def test_rows_and_hashes_are_those_of_the_pixels(run, raw, project):
    write(raw, "apple/1.raw")
    run(raw, config=layout())
    row = images(project)["apple/1.raw"]
    assert (row["format"], row["width"], row["height"], row["mode"], row["bit_depth"]) == ("RAW", 16, 12, "I;16", 16)
    assert row["object"] == "apple"
    assert row["phash"] == hashes(deep_grey(PIXELS[16], None)).phash


def test_both_byte_orders_and_a_header_give_the_same_pixels(run, raw, project):
    write(raw, "a/1.raw")
    write(raw, "b/1.raw", dtype=">u2")
    write(raw, "c/1.raw", before=b"\x89PNG\r\n\x1a\nXY")
    layouts = [
        {"files": "b/*", "width": 16, "height": 12, "byte_order": "big"},
        {"files": "c/*", "width": 16, "height": 12, "skip": 10},
        {"files": "*.raw", "width": 16, "height": 12, "byte_order": "little"},
    ]
    run(raw, config={"raw": layouts})
    found = images(project)
    assert set(found) == {"a/1.raw", "b/1.raw", "c/1.raw"}
    assert len({row["pixel_hash"] for row in found.values()}) == 1


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("*.raw", {"1.raw", "high/1.raw", "set/high/1.raw"}),
        ("high/*.raw", {"high/1.raw"}),
        ("*/high/*.raw", {"set/high/1.raw"}),
        ("1.*", {"1.raw", "high/1.raw", "set/high/1.raw", "high/1.bin"}),
        ("high/*", {"high/1.raw", "high/1.bin"}),
        ("*", {"1.raw", "high/1.raw", "set/high/1.raw", "high/1.bin"}),
    ],
)
def test_patterns_match_names_or_whole_paths(run, raw, project, pattern, matched):
    for name in ("1.raw", "high/1.raw", "set/high/1.raw", "high/1.bin"):
        write(raw, name)
    run(raw, config=layout(pattern))
    assert set(images(project)) == matched
    assert set(rejects(project).values()) <= {"not_an_image"}


def test_eight_bits(run, raw, project):
    write(raw, "1.raw", PIXELS[8], "u1")
    run(raw, config=layout(bits=8))
    row = images(project)["1.raw"]
    assert (row["mode"], row["bit_depth"], row["phash"]) == ("L", 8, hashes(PIXELS[8]).phash)


def test_wrong_sizes_empty_files_and_other_pictures(run, raw, project):
    write(raw, "good.raw")
    write(raw, "short.raw", PIXELS[16][:-1])
    write(raw, "long.raw", np.vstack([PIXELS[16], PIXELS[16][:1]]))
    write(raw, "empty.raw", PIXELS[16][:0])
    run(raw, config=layout())
    assert set(images(project)) == {"good.raw"}
    assert rejects(project) == {"short.raw": "truncated", "long.raw": "unsupported", "empty.raw": "empty"}


def test_another_layout_measures_again(run, raw, project):
    write(raw, "1.raw")
    run(raw)
    assert rejects(project) == {"1.raw": "not_an_image"}
    seen = []
    for byte_order in ("little", "big", "little"):
        run(raw, config=layout(byte_order=byte_order))
        assert rejects(project) == {}
        seen.append(images(project)["1.raw"]["pixel_hash"])
    assert seen[0] == seen[2] != seen[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("width = 4\nheight = 4", "key ingest.raw[0].files is missing"),
        ('files = "*.raw"\nheight = 4', "key ingest.raw[0].width is missing"),
        ('files = "*.raw"\nwidth = 0\nheight = 4', "key ingest.raw[0].width is 0"),
        ('files = "*.raw"\nwidth = 4\nheight = 4\nbits = 12', "key ingest.raw[0].bits is 12"),
        ('files = "*.raw"\nwidth = 4\nheight = 4\nbyte_order = "middle"', "key ingest.raw[0].byte_order is 'middle'"),
        ('files = "*.raw"\nwidth = 4\nheight = 4\nskip = -1', "key ingest.raw[0].skip is -1"),
        ('files = "*.raw"\nwidth = 4\nheight = 4\nendian = "big"', "unknown key ingest.raw[0].endian"),
        ('files = "*.raw"\nwidth = "4"\nheight = 4', "key ingest.raw[0].width is '4'"),
    ],
)
def test_config_that_is_not_allowed_is_one_line(text, told):
    with pytest.raises(ConfigError) as caught:
        config.parse_toml(f"[[ingest.raw]]\n{text}\n", config.Config, where="xqdata.toml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
