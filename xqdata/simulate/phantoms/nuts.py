"""Chestnut and walnut: a kernel that fills its shell, a wrinkled one in two halves that does not."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.bulbs import BULBOUS
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.portion import handful
from xqdata.simulate.phantoms.shapes import ball, emptied, lump, rod


def chestnut(draw: Draw) -> Phantom:
    """Three to seven nuts, flat on one side and pointed, the kernel starchy and close to a thin shell."""
    nuts = [g.moved(_chestnut(draw), draw.spin()) for _ in range(draw.count(3, 7))]
    return Phantom("chestnut", handful(draw, nuts), FLAT)


def _chestnut(draw: Draw) -> Body:
    wide = draw.size(34.0, 0.93 * BULBOUS, 0.09) / 2
    deep, high = wide * draw.size(0.9, spread=0.05), wide * draw.size(0.74, 0.85, 0.08)
    belly = high * draw.uniform(0.45, 1.0)
    skin = 0.75
    sides = np.array([[wide, 0.85 * deep, belly], [wide, 1.1 * deep, high]])
    shell = lump("nut_shell", *sides)
    hollow = emptied(lump("nut_shell", *(sides - skin)), "nut_shell")
    kernel = lump(
        "chestnut_kernel",
        *((sides - skin) * draw.uniform(0.88, 0.98) * draw.towards(1.0, 0.92)),
        texture=draw.texture(0.02, 4.0),
    )
    rot = draw.normal(0.16) * wide
    cleft = ball("chestnut_kernel", (rot, 0.0, 0.1 * high), (0.06 * wide, 0.45 * deep, 0.3 * high), density=-1.0)
    point = rod("nut_shell", (0, 1.04 * deep, 0), (draw.normal(0.8), 1.1 * deep + 4.5, 0.4), 2.6, 0.5)
    scar = ball("nut_shell", (0, -0.8 * deep, 0), (0.62 * wide, 0.9, 0.6 * belly), density=0.7)
    return (*shell, *hollow, *kernel, cleft, point, scar)


def walnut(draw: Draw) -> Phantom:
    """Two to five nuts: a hard shell with a seam, partitions, and a kernel of four wrinkled lobes with air around."""
    nuts = [g.moved(_walnut(draw), draw.spin()) for _ in range(draw.count(2, 5))]
    return Phantom("walnut", handful(draw, nuts), FLAT)


def _walnut(draw: Draw) -> Body:
    radius = draw.size(36.0, 0.97 * BULBOUS, 0.07) / 2
    half = radius * np.array([1.0, draw.size(0.95, spread=0.03), draw.size(1.12, 1.0, 0.05)])
    room = half - draw.size(1.5, 1.0, 0.15)
    shell = (ball("nut_shell", (0, 0, 0), half), ball("nut_shell", (0, 0, 0), room, density=-1.0))
    seam = (_disc(half + 1.3, 0.9, 0.8), _disc(half - 0.2, 0.9, -0.8))
    tip = rod("nut_shell", (0, 0, half[2] - 0.5), (0, 0, half[2] + 3.0), 2.4, 0.5)
    return (*shell, *seam, tip, *_bumps(draw, half), *_kernel(draw, room))


def _disc(half: NDArray[np.float64], thick: float, density: float) -> Part:
    """A plate across the nut where its two halves meet."""
    return Part("tube", g.turn("y", 90) @ g.scale(half[2], half[1], thick), "nut_shell", density=density)


def _bumps(draw: Draw, half: NDArray[np.float64]) -> Body:
    """The rugged outside: low ridges along the nut."""
    bumps = []
    for _ in range(9):
        angle, level = draw.uniform(0, 2 * np.pi), draw.uniform(-0.75, 0.75)
        out = (1 - level**2) ** 0.5
        at = half * [out * np.cos(angle), out * np.sin(angle), level]
        bumps.append(ball("nut_shell", at, (1.1, 1.1, draw.uniform(2.5, 5.0)), density=0.8))
    return tuple(bumps)


def _kernel(draw: Draw, room: NDArray[np.float64]) -> Body:
    """Partitions across the room, and in each half two lobes that shrank from the walls."""
    middle = Part("tube", g.turn("x", 90) @ g.scale(0.93 * room[0], 0.6 * room[2], 0.4), "nut_shell", density=0.6)
    parts: list[Part] = [_disc(0.96 * room, 0.45, 0.7), middle]
    full = draw.size(0.9, 0.95, 0.06)
    for x, y in product((-1, 1), (-1, 1)):
        size = min(0.95, full * draw.uniform(0.86, 1.03))
        centre = room * [0.46 * x, 0.44 * y, 0.0] + [0, 0, draw.normal(0.6) - 0.4]
        parts.append(
            ball(
                "nut_kernel", centre, size * room * [0.4, 0.45, 0.7], texture=draw.texture(draw.towards(0.3, 0.15), 3.2)
            )
        )
        for z in (-0.33, 0.33):  # convolutions
            at = room * [0.4 * x, y * draw.uniform(0.3, 0.5), z]
            half = (0.34 * room[0], 3.0 * size, 0.2 * room[2])
            parts.append(ball("nut_kernel", at, half, g.turn("x", draw.normal(30)), density=0.5))
    return tuple(parts)
