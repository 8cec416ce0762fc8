"""Tiny pictures for tests, made from a seed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def grey(height: int = 12, width: int = 16, seed: int = 0) -> NDArray[np.uint8]:
    """8-bit grey noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def colour(height: int = 12, width: int = 16, seed: int = 0, channels: int = 3) -> NDArray[np.uint8]:
    """8-bit noise with channels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def deep(height: int = 12, width: int = 16, seed: int = 0) -> NDArray[np.uint16]:
    """16-bit grey noise that uses all bits."""
    return np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)


def encoded(
    picture: Image.Image | NDArray[np.uint8] | NDArray[np.uint16], format: str = "PNG", **options: object
) -> bytes:
    """A picture as the bytes of a file, by Pillow."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def save(path: Path, data: bytes | None = None, seed: int = 0) -> Path:
    """Write `data`, or else a small PNG of its own, to `path`, whose folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(colour(seed=seed)) if data is None else data)
    return path
