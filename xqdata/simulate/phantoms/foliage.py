"""Leaves: thin sheets that hang in a bow, with a rib along the middle."""

from __future__ import annotations

from typing import Literal

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Matrix, Part
from xqdata.simulate.phantoms.draws import Draw

_CELL = 1.0  # mm of a raster's cell


def leaf(draw: Draw, length: float, width: float, *, form: Literal["strap", "oval"], bow: float = 0.0) -> Body:
    """A leaf from the origin along x, facing z: mm long and wide, bent down by `bow` degrees over its length.

    `strap` leaves are widest below the middle and long pointed, `oval` ones short with a stalk.
    """
    thickness = draw.size(0.9 if form == "strap" else 0.45, spread=0.12)
    cells = max(12, round(length / _CELL)), max(8, round(1.15 * width / _CELL))
    picture = _picture(draw, cells, form, thickness)
    pieces = 1 if abs(bow) < 15 else 4 if length > 120 else 2
    return _bent(picture, length, 1.15 * width, bow, pieces)


def _picture(draw: Draw, cells: tuple[int, int], form: str, thickness: float) -> np.ndarray:
    """Thickness in mm, rows across the leaf."""
    u = (np.arange(cells[0]) + 0.5) / cells[0]
    v = 2.3 * ((np.arange(cells[1]) + 0.5) / cells[1] - 0.5)[:, None]  # 1 at the edge of a leaf of full width
    if form == "strap":
        half = (0.32 + 0.68 * np.minimum(1.0, u / 0.35) ** 0.8) * np.clip((1 - u) / 0.5, 0, 1) ** 0.6
    else:
        half = np.maximum(np.sin(np.pi * np.clip((u - 0.2) / 0.8, 0, 1)) ** 0.75, 0.09 * (u < 0.3))
    middle = draw.waves(cells[0], 0.18 * draw.width) * u
    across = (v - middle) / np.maximum(half * (1 - 0.15), 1e-3)
    blade = np.clip((1.0 - np.abs(across)) * half * 8, 0, 1)
    rib = 3.2 * np.exp(-(((v - middle) / 0.055) ** 2)) * (1.05 - u) * (np.abs(across) < 1)
    veins = 0.14 * np.cos(2 * np.pi * (across * 4.5 if form == "strap" else u * 9 - np.abs(v) * 3))
    edge = 0.35 * np.exp(-(((np.abs(across) - 0.93) / 0.07) ** 2))
    return np.asarray(thickness * blade * (1.0 + veins + edge + rib), np.float32)


def _bent(picture: np.ndarray, length: float, width: float, bow: float, pieces: int) -> Body:
    """The picture along x, in flat pieces of which each hangs lower than the one before."""
    parts = []
    at = np.eye(4)
    for piece in np.array_split(picture, pieces, axis=1):
        run = length * piece.shape[1] / picture.shape[1]
        frame = at @ g.shift(run / 2) @ g.scale(run / 2, width / 2, 1.0)
        parts.append(Part("sheet", frame, "fresh_plant", raster=np.ascontiguousarray(piece)))
        at = at @ g.shift(run) @ g.turn("y", bow / pieces)
    return tuple(parts)


def aimed(parts: Body, at: tuple[float, float, float], heading: float, rise: float, roll: float = 0.0) -> Body:
    """A leaf moved to `at`: it heads that many degrees from x towards y, rises so many, and is rolled about itself."""
    pose: Matrix = g.shift(*at) @ g.turn("z", heading) @ g.turn("y", -rise) @ g.turn("x", roll)
    return g.moved(parts, pose)
