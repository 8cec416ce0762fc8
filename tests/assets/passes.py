"""Passes of things through a scanner: the same scene again, with other noise, moved, turned, or something changed.

A scene is a function of the place, so that a pass that lies a third of a pixel off is drawn and not interpolated.
Shapes are blurred by 0.7 pixels, as a detector does; noise is added after that.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 330, 480
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Item:
    """Ellipses (x, y, half axes, degrees, attenuation) around a middle, at a place and angle."""

    parts: tuple[tuple[float, float, float, float, float, float], ...]
    x: float
    y: float
    degrees: float = 0.0

    def moved(self, x: float = 0.0, y: float = 0.0, degrees: float = 0.0) -> Item:
        """The item elsewhere."""
        return replace(self, x=self.x + x, y=self.y + y, degrees=self.degrees + degrees)


@dataclass(frozen=True)
class Scene:
    """Items in a basket, or on the bare belt. `offset`, `degrees`, `stretch`: how the whole lies on the belt."""

    items: tuple[Item, ...]
    basket: bool = True
    offset: tuple[float, float] = (0.0, 0.0)
    degrees: float = 0.0
    stretch: float = 1.0
    size: tuple[int, int] = field(default=(HEIGHT, WIDTH))


def item(seed: int, x: float, y: float, size: float = 40.0, parts: int = 14) -> Item:
    """A thing with inner structure, about `size` pixels across."""
    rng = np.random.default_rng([seed, 77])
    made = [(0.0, 0.0, size * 0.5, size * 0.35, float(rng.uniform(0, 180)), 0.35)]
    for _ in range(parts - 1):
        at = rng.normal(0, size * 0.22, 2)
        axes = rng.uniform(size * 0.04, size * 0.2, 2)
        made.append((*map(float, at), *map(float, axes), float(rng.uniform(0, 180)), float(rng.uniform(0.15, 0.7))))
    return Item(tuple(made), x, y, float(rng.uniform(0, 360)))


def attenuation(scene: Scene) -> Map:
    """What the scene takes out of the beam, (height, width), 0 in air."""
    height, width = scene.size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = (x - width / 2 - scene.offset[0]) / scene.stretch, y - height / 2 - scene.offset[1]
    turn = np.radians(scene.degrees)
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    total = _basket(x, y) if scene.basket else np.zeros_like(x)
    for thing in scene.items:
        total = total + _item(thing, x, y)
    return np.asarray(cv2.GaussianBlur(total, (0, 0), 0.7), np.float32)


def _basket(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A tray: a wall, a ribbed floor, and ballast at one end."""
    depth = np.minimum(200 - np.abs(x), 130 - np.abs(y))
    wall = 0.35 * np.clip(depth + 0.5, 0, 1) * np.clip(8 - depth, 0, 1)
    floor = np.clip(depth + 0.5, 0, 1) * (0.16 + 0.05 * (np.sin(x / 7) > 0.97) + 0.05 * (np.sin(y / 9) > 0.97))
    ballast = 1.6 * np.clip(1 - np.abs(x - 180) / 7, 0, 1) * (np.abs(y) < 80)
    return np.asarray(wall + floor + ballast)


def _item(thing: Item, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.radians(thing.degrees)
    u, v = x - thing.x, y - thing.y
    u, v = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    total = np.zeros_like(x)
    for px, py, a, b, degrees, amount in thing.parts:
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        along, across = (u - px) * c + (v - py) * s, (v - py) * c - (u - px) * s
        total += amount * np.sqrt(np.maximum(0, 1 - (along / a) ** 2 - (across / b) ** 2))
    return total


def mask(scene: Scene) -> NDArray[np.bool_]:
    """Where an item lies."""
    return attenuation(replace(scene, basket=False)) > 0.02


def expose(scene: Scene, seed: int, noise: float = 2.0) -> NDArray[np.uint8]:
    """One pass as 8-bit grey, air bright. `noise`: standard deviation in levels; the detector's rows differ too."""
    return np.clip(np.rint(_signal(scene, seed, noise)), 0, 255).astype(np.uint8)


def expose_deep(scene: Scene, seed: int, noise: float = 2.0) -> NDArray[np.uint16]:
    """The same with 16 bits."""
    return np.clip(np.rint(_signal(scene, seed, noise) * 256), 0, 65535).astype(np.uint16)


def _signal(scene: Scene, seed: int, noise: float) -> Map:
    clean = 245 * np.exp(-attenuation(scene))
    pattern = np.random.default_rng(5).normal(0, 0.5, (scene.size[0], 1))
    return np.asarray(clean + pattern + np.random.default_rng([seed, 3]).normal(0, noise, clean.shape), np.float32)
