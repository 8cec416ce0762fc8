"""Columns of 64-bit hashes to be joined: random ones with planted copies, and those of scans that look alike.

The same seed gives the same hashes.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

COPIES, FLIPS = 0.2, 8
_SIDE = 32  # what ImageHash reduces a picture to before it takes the frequencies
_BATCH = 1000
_PARTS = (1.0, 0.6, 0.3)  # how likely an object has a first, second, third part


def planted(count: int, seed: int) -> Hashes:
    """Random hashes, of which COPIES are another one with 0 to FLIPS bits flipped; in random order."""
    rng = np.random.default_rng(seed)
    originals = rng.integers(0, 2**64, count - int(COPIES * count), np.uint64)
    copies = originals[rng.integers(0, len(originals), int(COPIES * count))]
    flips = rng.integers(0, FLIPS + 1, len(copies))
    for n in range(FLIPS):
        bit = np.uint64(1) << rng.integers(0, 64, len(copies)).astype(np.uint64)
        copies = np.where(n < flips, copies ^ bit, copies)
    return rng.permutation(np.concatenate([originals, copies]))


def baskets(count: int, seed: int, workers: int = 2) -> Hashes:
    """pHashes of `count` drawn scans of one object each, all in one basket, as `_draw` draws them."""
    jobs = [(seed, n, min(_BATCH, count - n)) for n in range(0, count, _BATCH)]
    with ProcessPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(_drawn, jobs)))


def resampled(file: Path, count: int, seed: int) -> Hashes:
    """`count` hashes drawn with replacement from a column: a .npy of uint64, or `phash` of an images.parquet.

    Of a table, scans of single objects in baskets are taken where it knows any.
    """
    column = np.load(file) if file.suffix == ".npy" else _single_objects(file)
    return np.random.default_rng(seed).choice(column.astype(np.uint64), count)


def _single_objects(file: Path) -> Hashes:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(file, columns=["phash", "container", "multiplicity"])
    table = table.filter(pc.is_valid(table["phash"]))
    some = table.filter(pc.and_(pc.equal(table["container"], "basket"), pc.equal(table["multiplicity"], "single")))
    return (some if len(some) else table)["phash"].to_numpy()


def _drawn(job: tuple[int, int, int]) -> Hashes:
    seed, first, count = job
    return _phash(_draw(np.random.default_rng([seed, first]), count))


def _draw(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Grey scans (count, 32, 32): the basket, moved a little, with one object of up to three rounded parts, and noise.

    Place, size and noise were chosen so that about 1% of all pairs of different scans are within 8 bits, as was
    measured on scans of single objects in baskets (0.8%).
    """
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32) / _SIDE
    basket = _basket(x, y)
    moved = rng.normal(0, 0.2, (2, count, 1, 1)).astype(np.float32)
    picture = basket + moved[0] * np.gradient(basket)[1] + moved[1] * np.gradient(basket)[0]
    centre, angle = rng.uniform(0.3, 0.7, (2, count)), rng.uniform(0, np.pi, count)
    for number, likely in enumerate(_PARTS):
        aside = 0.0 if number == 0 else 1.0
        length = rng.uniform(0.04, 0.2, count)
        axes = np.stack([length, length * rng.uniform(0.2, 1, count)])
        depth = rng.uniform(0.2, 1.2, count) * (rng.random(count) < likely)
        at = centre + aside * rng.normal(0, 0.06, (2, count))
        picture += _rounded(x, y, at, angle + aside * rng.normal(0, 0.4, count), axes, depth)
    return np.exp(-picture - rng.normal(0, 0.004, picture.shape)).astype(np.float32)


def _basket(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    edge = np.minimum.reduce([x - 0.08, 0.92 - x, y - 0.1, 0.9 - y])
    ribs = 0.03 * np.cos(x * 2 * np.pi * 9) * np.cos(y * 2 * np.pi * 6)
    return 0.5 * np.exp(-((edge / 0.025) ** 2)) + (0.1 + ribs) * (edge > 0)


def _rounded(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    at: NDArray[np.float64],
    angle: NDArray[np.float64],
    axes: NDArray[np.float64],
    depth: NDArray[np.float64],
) -> NDArray[np.float32]:
    """The thickness of one rounded thing in each picture."""
    dx, dy = (c - a[:, None, None].astype(np.float32) for c, a in zip((x, y), at, strict=True))
    cos, sin, long, short, deep = (
        v[:, None, None].astype(np.float32) for v in (np.cos(angle), np.sin(angle), *axes, depth)
    )
    outside = ((dx * cos + dy * sin) / long) ** 2 + ((dy * cos - dx * sin) / short) ** 2
    return deep * np.sqrt(np.clip(1 - outside, 0, None))


def _phash(pictures: NDArray[np.float32]) -> Hashes:
    """What ImageHash makes of pictures that are 32 x 32 already: the signs of 64 frequencies against their median."""
    waves = scipy.fft.dct(np.eye(_SIDE), axis=0)[:8].astype(np.float32)
    frequencies = (waves @ pictures @ waves.T).reshape(len(pictures), 64)
    bits = np.packbits(frequencies > np.median(frequencies, axis=1)[:, None], axis=1)
    return bits.view(">u8").ravel().astype(np.uint64)
