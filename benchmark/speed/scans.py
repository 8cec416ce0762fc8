"""Scan-like pictures for measuring: a basket with things in it, in pseudo-colour and as 16-bit grey.

What matters for speed is what decoders and kernels see: the size in pixels, white air, smooth shapes under detector
noise, and therefore files as large as a scanner's (JPEG about 100 KB, PNG 0.5 to 1 MB). The same seed gives the same
pixels.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Map = NDArray[np.float32]

HEIGHT, WIDTH = 700, 1000
# Folder of a format below the given one: its title in the tables, the files' suffix.
FORMATS = {
    "jpeg": ("JPEG", "jpg"),
    "png": ("PNG", "png"),
    "bmp": ("BMP", "bmp"),
    "tiff": ("TIFF, 8 bits", "tif"),
    "png16": ("PNG, 16 bits", "png"),
    "tiff16": ("TIFF, 16 bits", "tif"),
}
EIGHT_BITS = ("jpeg", "png", "bmp", "tiff")
# How strongly red, green and blue are absorbed by organic matter (orange), mixtures (green) and metal (blue).
_COLOURS = np.array([[0.25, 0.75, 1.7], [1.1, 0.55, 1.2], [1.7, 1.0, 0.3]], np.float32)
# Standard deviation of the attenuation behind nothing, as the display and the detector's 16 bits show it.
_NOISE, _DEEP_NOISE = 0.025, 0.003


def write(folder: Path, index: int, seed: int, formats: tuple[str, ...]) -> None:
    """Write picture number `index` of `seed` below `folder`, once for each of `formats`."""
    rng = np.random.default_rng([seed, index])
    attenuation, material = _scene(rng)
    colour = _colour(attenuation + _noise(attenuation, _NOISE, rng), material)
    deep = _deep(attenuation + _noise(attenuation, _DEEP_NOISE, rng))
    for name in formats:
        path = folder / name / f"{index:05}.{FORMATS[name][1]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(name, path, colour, deep)


def _save(name: str, path: Path, colour: NDArray[np.uint8], deep: NDArray[np.uint16]) -> None:
    if name.startswith("tiff"):
        pixels = deep if name == "tiff16" else colour
        tifffile.imwrite(path, pixels, compression="lzw", predictor=True, rowsperstrip=64)
    elif name == "jpeg":
        Image.fromarray(colour).save(path, quality=85)
    else:
        Image.fromarray(deep if name == "png16" else colour).save(path)


def _scene(rng: np.random.Generator) -> tuple[Map, Map]:
    """Attenuation, and the share of metal from 0 to 1; both (HEIGHT, WIDTH)."""
    attenuation, material = _basket(rng)
    for _ in range(rng.integers(4, 9)):
        shape = _blob(rng)
        depth, metal = rng.uniform(0.3, 1.6), float(rng.choice([0.0, 0.1, 0.5, 1.0], p=[0.5, 0.2, 0.2, 0.1]))
        texture = 1 + 0.25 * _clouds(rng, 6) + 0.15 * _clouds(rng, 40)
        attenuation += shape * np.float32(depth) * texture
        material = material * (1 - shape) + metal * shape
    return attenuation, material


def _noise(attenuation: Map, at_air: float, rng: np.random.Generator) -> Map:
    # Fewer photons arrive behind thick matter: the noise of the logarithm grows with it.
    return np.float32(at_air) * np.exp(attenuation / 2) * rng.standard_normal((HEIGHT, WIDTH), np.float32)


def _basket(rng: np.random.Generator) -> tuple[Map, Map]:
    """A tray with walls and a grid of ribs, slightly turned, on air."""
    ribs = np.zeros((HEIGHT, WIDTH), np.float32)
    step = int(rng.integers(28, 40))
    ribs[:, ::step] = ribs[::step] = 0.12
    inside = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.rectangle(inside, (110, 80), (WIDTH - 110, HEIGHT - 80), 1.0, -1)
    walls = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.rectangle(walls, (110, 80), (WIDTH - 110, HEIGHT - 80), 0.5, 14)
    tray = cv2.GaussianBlur(inside * (0.12 + cv2.blur(ribs, (3, 3))) + walls, (0, 0), 1.5)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), float(rng.uniform(-4, 4)), 1.0)
    return cv2.warpAffine(tray, turn, (WIDTH, HEIGHT)), np.full((HEIGHT, WIDTH), 0.1, np.float32)


def _blob(rng: np.random.Generator) -> Map:
    """The thickness, 0 to 1, of one rounded thing that lies in the basket."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    angle, (a, b) = rng.uniform(0, np.pi), rng.uniform(30, 170, 2)
    dx, dy = x - rng.uniform(220, WIDTH - 220), y - rng.uniform(180, HEIGHT - 180)
    along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
    return np.sqrt(np.clip(1 - (along / a) ** 2 - (across / b) ** 2, 0, None)).astype(np.float32)


def _clouds(rng: np.random.Generator, size: int) -> Map:
    """Smooth noise of standard deviation 1, its grains about `size` pixels wide."""
    small = rng.standard_normal((HEIGHT // size + 2, WIDTH // size + 2), np.float32)
    return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def _colour(attenuation: Map, material: Map) -> NDArray[np.uint8]:
    """Pseudo-colour, (HEIGHT, WIDTH, 3) RGB: hue from the material, brightness from the attenuation, air white."""
    place = np.clip(material, 0, 1)[..., None] * 2
    low, high = np.clip(1 - place, 0, 1), np.clip(place - 1, 0, 1)
    absorbed = low * _COLOURS[0] + (1 - low - high) * _COLOURS[1] + high * _COLOURS[2]
    # Scanners stretch what is nearly air to white, noise and all.
    beyond_air = np.clip(attenuation - 0.04, 0, None)[..., None]
    return np.round(255 * np.exp(-beyond_air * absorbed)).astype(np.uint8)


def _deep(attenuation: Map) -> NDArray[np.uint16]:
    return np.clip(52_000 * np.exp(-attenuation), 0, 65535).astype(np.uint16)
