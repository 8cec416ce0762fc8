"""Dracaena and sapling: canes with crowns of strap leaves, a stem with branches above a ball of roots."""

from __future__ import annotations

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.foliage import aimed, leaf
from xqdata.simulate.phantoms.phantom import Phantom, rolled
from xqdata.simulate.phantoms.rootball import root_ball
from xqdata.simulate.phantoms.shapes import ball, limb, rod

_SIDES = rolled("x", 0, 90, 180, 270)


def dracaena(draw: Draw) -> Phantom:
    """Canes with crowns of strap leaves; or a bunch of thin jointed ones, as lucky bamboo is sold."""
    bunch = draw.chance(0.3, 0.6)
    body = _bunch(draw) if bunch else _canes(draw)
    if draw.chance(0.1, 0.6):
        body = (*body, *root_ball(draw, (4.0, 0.0, 0.0), draw.size(32.0, 36.0, 0.1), bare=False))
    return Phantom("dracaena", body, _SIDES)


def _canes(draw: Draw) -> Body:
    parts: list[Part] = []
    for cane in range(draw.count(1, 2)):
        radius, long = draw.size(15.0, 8.0, 0.25), draw.size(165.0, 205.0, 0.15)
        place = g.shift(0, 48.0 * cane * draw.uniform(0.8, 1.3), draw.normal(4)) @ g.turn("z", draw.normal(5))
        parts += g.moved(_cane(draw, radius, long), place)
        for _ in range(draw.count(1, 2)):
            at = (long * draw.uniform(0.72, 0.95), radius * draw.uniform(-0.9, 0.9), 0.5 * radius)
            parts += g.moved(
                _crown(draw, draw.count(6, 11), draw.size(165.0, 130.0, 0.15)),
                place @ g.shift(*at) @ g.turn("z", draw.normal(28)),
            )
    return tuple(parts)


def _cane(draw: Draw, radius: float, long: float) -> Body:
    """Wood around a softer middle; scars of fallen leaves; wax on the upper cut."""
    line = np.stack([np.linspace(0, long, 5), draw.waves(5, 3.0), draw.waves(5, 3.0)], 1)
    radii = radius * (1 + draw.waves(5, 0.06))
    wood = limb(line, radii, "green_wood", caps=(0, 0), texture=draw.texture(0.05, 2.0, 2.0, 14.0))
    pith = limb(line, 0.45 * radii, "green_wood", caps=(0, 0), density=-0.22)
    scars = [
        rod("green_wood", (x, line[2, 1], line[2, 2]), (x + 1.4, line[2, 1], line[2, 2]), radius * 1.05, density=0.3)
        for x in np.arange(draw.uniform(6, 14), long - 4, draw.uniform(11, 19))
    ]
    end = line[-1]
    wax = rod("polyethylene", end, end + np.array([draw.uniform(1.5, 3.0), 0, 0]), 1.03 * radius)
    return (*wood, *pith, *scars, wax)


def _crown(draw: Draw, leaves: int, long: float) -> Body:
    """A short shoot along x and strap leaves that spread from it."""
    shoot = limb([(0, 0, 0), (14, 0, 6), (30, 0, 9)], [4.5, 4.2, 3.0], "green_wood")
    parts: list[Part] = [*shoot]
    for i in range(leaves):
        length = long * draw.uniform(0.6, 1.1)
        blade = leaf(draw, length, draw.size(36.0, 24.0, 0.15), form="strap", bow=draw.uniform(5, 75))
        heading = 62.0 * (2 * (i + 0.5) / leaves - 1) + draw.normal(12)
        parts += aimed(blade, (12 + 18 * draw.rng.random(), 0.0, 7.0), heading, draw.uniform(-20, 38), draw.normal(40))
    return tuple(parts)


def _bunch(draw: Draw) -> Body:
    """Three to six straight canes with joints, each with a few leaves at its end."""
    canes: list[Part] = []
    parts: list[Part] = []
    long = draw.size(215.0, 225.0, 0.12)
    count = draw.count(3, 6)
    for i in range(count):
        radius, length = draw.size(6.2, 5.8, 0.1), long * draw.uniform(0.85, 1.08)
        place = g.shift(0, (i - count / 2) * 2.6 * radius, 9.0 * (i % 2)) @ g.turn("z", draw.normal(1.2))
        canes += g.moved(_jointed(draw, radius, length), place)
        for _ in range(draw.count(1, 3)):
            blade = leaf(draw, draw.size(85.0, 70.0, 0.2), 15.0, form="strap", bow=draw.uniform(0, 50))
            parts += g.moved(
                aimed(blade, (length - draw.uniform(0, 20), 0, 0), draw.normal(38), draw.normal(25), draw.normal(50)),
                place,
            )
    parts += canes
    if draw.chance(0.6):
        low, high = g.extent(canes)
        middle, half = (low + high) / 2, (high - low) / 2
        for x in (0.25 * long, 0.7 * long):  # tape around them
            for thicker, sign in ((1.0, 0.6), (0.4, -0.6)):
                frame = g.shift(x, middle[1], middle[2]) @ g.scale(4.0, half[1] + thicker, half[2] + thicker)
                parts.append(Part("cube", frame, "polypropylene", density=sign))
    return tuple(parts)


def _jointed(draw: Draw, radius: float, length: float) -> Body:
    parts: list[Part] = []
    x = 0.0
    while x < length - 10:
        step = min(length - x, draw.uniform(26, 40))
        parts.append(rod("green_wood", (x, 0, 0), (x + step, 0, 0), radius, 0.97 * radius))
        parts.append(rod("green_wood", (x + step - 1.6, 0, 0), (x + step, 0, 0), 1.12 * radius, density=0.5))
        x += step
    return tuple(parts)


def fruit_tree_sapling(draw: Draw) -> Phantom:
    """A thin woody stem with a graft and branches, its roots in a wrapped ball of soil or bare; at times in leaf."""
    long = draw.size(330.0, 260.0, 0.1)
    stem = np.stack([np.linspace(0, long, 8), draw.waves(8, 9.0), draw.waves(8, 9.0)], 1)
    radii = draw.size(5.6, 6.2, 0.15) * np.array([1.25, 1.1, 1.0, 0.9, 0.78, 0.66, 0.52, 0.36])
    parts: list[Part] = [*limb(stem, radii, "green_wood", texture=draw.texture(0.04, 2.0, 2.0, 12.0))]
    graft = stem[1] * 0.6 + stem[2] * 0.4
    parts.append(ball("green_wood", graft, (11.0, 1.45 * radii[1], 1.3 * radii[1]), g.turn("z", 15), density=0.35))
    leafy = draw.chance(0.25, 0.75)
    for _ in range(draw.count(3, 7)):
        at = draw.count(2, 6)
        parts += _branch(draw, stem[at], 0.62 * radii[at], (long - stem[at, 0]) * draw.uniform(0.45, 0.8) + 25, leafy)
    parts += root_ball(draw, (-0.5 * radii[0], 0.0, 0.0), draw.size(43.0, 34.0, 0.12), bare=draw.chance(0.25))
    return Phantom("fruit_tree_sapling", tuple(parts), _SIDES)


def _branch(draw: Draw, start: np.ndarray, radius: float, long: float, leafy: bool) -> Body:
    """Up and outwards in any direction about the stem; buds along it, or leaves."""
    about, out = draw.uniform(0, 2 * np.pi), np.radians(draw.uniform(22, 48))
    side = np.array([0.0, np.cos(about), np.sin(about)])
    along = np.linspace(0, 1, 5)[:, None]
    line = start + long * (along * [np.cos(out), 0, 0] + (along - 0.25 * along**2) * np.sin(out) * side)
    line[:, 1] += draw.waves(5, 4.0) * along[:, 0]
    radii = radius * np.array([1.0, 0.85, 0.7, 0.55, 0.38])
    parts: list[Part] = list(limb(line, radii, "green_wood", caps=(0, 1)))
    for place in np.linspace(0.25, 1.0, draw.count(4, 7)):
        at = np.array([np.interp(place, along[:, 0], line[:, i]) for i in range(3)])
        heading = draw.uniform(-75, 75)
        if leafy and draw.chance(0.85):
            blade = leaf(
                draw, draw.size(52.0, spread=0.15), draw.size(26.0, spread=0.15), form="oval", bow=draw.uniform(0, 40)
            )
            parts += aimed(blade, tuple(at), heading, draw.normal(35), draw.normal(50))
        else:
            parts.append(
                ball("green_wood", at + np.array([2, draw.normal(1), 0]), (3.4, 1.7, 1.7), g.turn("z", heading / 2))
            )
    return tuple(parts)
