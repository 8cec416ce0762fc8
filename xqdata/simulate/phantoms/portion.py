"""Several pieces that make one specimen: how they lie together, and the film around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part, moved, shift
from xqdata.simulate.phantoms.draws import Draw

_DIRECTIONS = 24


def handful(draw: Draw, bodies: Sequence[Body], gap: float = 1.0) -> Body:
    """The bodies side by side on z = 0, each as near to the first ones as its round footprint allows."""
    places: list[tuple[float, float, float]] = []  # x, y, radius
    parts: list[Part] = []
    for body in bodies:
        low, high = _reach(body)
        radius = float((high - low)[:2].mean() / 2)
        x, y = _nearest(draw, places, radius, gap)
        places.append((x, y, radius))
        middle = (low + high) / 2
        parts += moved(body, shift(x - middle[0], y - middle[1], -low[2]))
    return tuple(parts)


def _reach(body: Body) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lowest and highest x, y, z of all parts. The boxes around tilted balls and rods would be far too wide."""
    parts = [part for part in body if part.density > 0.0]
    centres = np.stack([part.matrix[:3, 3] for part in parts])
    half = np.stack([_half(part) for part in parts])
    return (centres - half).min(0), (centres + half).max(0)


def _half(part: Part) -> NDArray[np.float64]:
    """How far a part reaches from its centre along x, y and z, its cuts ignored."""
    axes = part.matrix[:3, :3]
    if part.shape == "ball":
        return np.asarray(np.linalg.norm(axes, axis=1))
    if part.shape in {"tube", "cone"}:
        return np.asarray(np.hypot(axes[:, 0], axes[:, 1]) + np.abs(axes[:, 2]))
    return np.asarray(np.abs(axes).sum(1))


def _nearest(draw: Draw, places: list[tuple[float, float, float]], radius: float, gap: float) -> tuple[float, float]:
    """The free place nearest to the middle, looked for from there in some directions."""
    if not places:
        return 0.0, 0.0
    middle = np.mean([place[:2] for place in places], axis=0)
    start = draw.uniform(0, 2 * np.pi)
    best: tuple[float, float, float] | None = None
    for step in range(_DIRECTIONS):
        angle = start + 2 * np.pi * step / _DIRECTIONS
        way = np.array([np.cos(angle), np.sin(angle)])
        reach = max(_clear(np.array(place[:2]) - middle, way, place[2] + radius + gap) for place in places)
        reach *= draw.uniform(1.0, 1.12)
        if best is None or reach < best[0]:
            best = reach, *(middle + reach * way)
    assert best is not None
    return best[1], best[2]


def _clear(centre: np.ndarray, way: np.ndarray, distance: float) -> float:
    """How far to go along `way` to be `distance` from `centre`."""
    along = float(centre @ way)
    across = float(centre @ centre) - along**2
    return along + float(np.sqrt(max(0.0, distance**2 - across)))


def bagged(draw: Draw, body: Body, room: float, *, thickness: float = 0.1, seam: float = 0.5) -> Body:
    """The body in a bag as `film` makes it, `room` mm longer and wider."""
    low, high = _reach(body)
    middle, size = (low + high) / 2, high - low + room
    bag = film(draw, size[0], size[1], 0.0, thickness=thickness, seam=seam)
    return (*body, bag.moved(shift(*middle)))


def film(draw: Draw, length: float, width: float, z: float, *, thickness: float = 0.1, seam: float = 0.5) -> Part:
    """A bag of thin plastic lying flat at the height z: both layers together, wrinkles, and a seam along its sides."""
    cells = max(8, round(length / 2.2)), max(8, round(width / 2.2))
    x = np.linspace(-1, 1, cells[0])
    y = np.linspace(-1, 1, cells[1])[:, None]
    picture = np.full((cells[1], cells[0]), thickness)
    for _ in range(9):
        angle, phase, size = draw.uniform(0, np.pi), draw.uniform(-1, 1), draw.uniform(0.6, 1.6)
        across = np.cos(angle) * x + np.sin(angle) * y - phase + 0.1 * np.sin(2 * x + 3 * y + 6 * phase)
        along = np.sin(angle) * x - np.cos(angle) * y - draw.uniform(-0.6, 0.6)
        picture += size * thickness * np.exp(-((across / 0.025) ** 2) - (along / 0.5) ** 2)
    border = np.minimum((1 - np.abs(x)) * length, (1 - np.abs(y)) * width) / 2
    picture += seam * np.exp(-(((border - 3.0) / 1.2) ** 2))
    frame = shift(0, 0, z) @ g.scale(length / 2, width / 2, 1.0)
    return Part("sheet", frame, "polyethylene", raster=picture.astype(np.float32))
