"""Roots: bare, in a ball of soil in plastic film, or in a pot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part, Texture
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.portion import film
from xqdata.simulate.phantoms.shapes import ball, limb, lump, rod

Point = tuple[float, float, float]
_SOILS = (("soil", 1.0), ("mineral_soil", 0.62))  # on peat; loam, loosened for potting


def root_ball(draw: Draw, at: Point, radius: float, *, bare: bool) -> Body:
    """Roots towards -x from the foot of a stem at `at`, and unless `bare` what holds them, `radius` mm large."""
    roots = _roots(draw, at, radius, 1.0 if bare else 0.45)
    if bare:
        return roots
    soil, density = _SOILS[draw.count(0, 1)]
    texture = draw.texture(0.16, 5.0)
    held = _pot if draw.chance(0.3) else _wrapped
    middle = (at[0] - 0.75 * radius, at[1], at[2])
    place = g.shift(*middle)
    return (*roots, *g.moved((*held(draw, radius, soil, density, texture), *_stones(draw, 0.3 * radius)), place))


def _roots(draw: Draw, at: Point, radius: float, density: float) -> Body:
    parts: list[Part] = []
    for _ in range(draw.count(7, 12)):
        lean, about = draw.uniform(0.1, 1.05), draw.uniform(0, 2 * np.pi)
        way = np.array([-np.cos(lean), np.sin(lean) * np.cos(about), np.sin(lean) * np.sin(about)])
        line: NDArray[np.float64] = at + np.linspace(0, 1, 4)[:, None] * way * radius * draw.uniform(1.2, 1.75)
        line[:, 1] += draw.waves(4, 0.12 * radius)
        radii = draw.uniform(1.2, 2.8) * np.array([1.0, 0.75, 0.5, 0.25])
        parts += limb(line, radii, "green_wood", caps=(0, 1), density=density)
    return tuple(parts)


def _wrapped(draw: Draw, radius: float, soil: str, density: float, texture: Texture) -> Body:
    """A ball of soil, pressed out of shape, in film that is tied at its top."""
    low, high = (radius * np.array([draw.uniform(0.78, 1.1) for _ in range(3)]) for _ in range(2))
    wrap = film(draw, 2.3 * radius, 2.2 * radius, 0.0, thickness=0.2, seam=0.0)
    neck = ball("polypropylene", (0.95 * radius, 0, 0), (2.0, 0.3 * radius, 0.3 * radius), density=0.6)
    return (*lump(soil, low, high, density=density, texture=texture), wrap, neck)


def _pot(draw: Draw, radius: float, soil: str, density: float, texture: Texture) -> Body:
    """Soil in a plastic pot, its brim towards x."""
    foot, brim = radius * draw.uniform(0.68, 0.8), radius * draw.uniform(0.92, 1.08)
    low, high = -0.92 * radius, 0.85 * radius
    earth = rod(soil, (low, 0, 0), (high, 0, 0), foot, brim, density=density, texture=texture)
    walls = [
        rod("polypropylene", (low + floor, 0, 0), (high + 8, 0, 0), foot + outer, brim + 1.5 + outer, density=sign)
        for outer, floor, sign in ((1.2, -2.0, 1.0), (0.0, 0.0, -1.0))
    ]
    return (earth, *walls)


def _stones(draw: Draw, spread: float) -> Body:
    return tuple(
        ball(
            "silica",
            [draw.normal(spread) for _ in range(3)],
            [draw.uniform(1.2, 2.8) for _ in range(3)],
            draw.spin(),
            density=0.8,
        )
        for _ in range(draw.count(4, 14))
    )
