"""Apple, mango and mandarin: a core of seed pockets, a flat stone, segments around a hollow axis."""

from __future__ import annotations

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import ROUND, Phantom, rolled
from xqdata.simulate.phantoms.shapes import ball, cut, emptied, lathe, limb, lump

# What fruit and tubers that are taken for one another have in common: their width in mm.
ROUNDISH = 68.0


def apple(draw: Draw) -> Phantom:
    """Airy flesh with a dimple at both ends, five pockets around the axis with seeds in them, a stalk."""
    radius = draw.size(81.0, ROUNDISH, 0.07) / 2
    half = radius * draw.size(0.86, 0.88, 0.05)
    shoulder, depth = radius * draw.size(0.46, spread=0.1), draw.size(13.0, 10.0, 0.15)
    flesh = lathe(_outline(half, radius, shoulder, 0.34 * radius), "apple_flesh")
    dimples = (*_funnel(half, shoulder, depth, 1), *_funnel(half, 0.34 * radius, 0.5 * depth, -1))
    stalk = [(0.0, 0.0, half - depth - 1), (0.6, 0, half - depth / 2), (draw.normal(2.5), draw.normal(2.5), half + 7)]
    woody = limb(stalk, [1.3, 1.1, 1.6], "hardwood") if draw.chance(0.85, 0.5) else ()
    spot = draw.spin()[:3, 0] * 0.78 * radius
    bruise = [ball("apple_flesh", spot, (7.0, 9.0, 5.0), draw.spin(), density=0.12)] if draw.chance(0.3) else []
    body = (*flesh, *dimples, *_core(draw, radius, half), *woody, *bruise)
    lopsided = np.eye(4)
    lopsided[0, 0], lopsided[0, 2], lopsided[1, 2] = 1 + draw.normal(0.035), draw.normal(0.06), draw.normal(0.05)
    return Phantom("apple", g.moved(body, lopsided), ROUND)


def _outline(half: float, radius: float, top: float, bottom: float) -> np.ndarray:
    """(z, radius) of an apple between the rims of its dimples, widest a little above the middle."""
    widest = 0.12 * half
    rise = np.sin(np.radians([0, 16, 32, 48, 62, 75, 84, 90]))
    up = np.stack([widest + (half - widest) * rise, top + (radius - top) * (1 - rise**2) ** 0.5], 1)
    down = np.stack([widest - (half + widest) * rise, bottom + (radius - bottom) * (1 - rise**2) ** 0.62], 1)
    return np.concatenate([down[::-1], up[1:]])


def _funnel(half: float, rim: float, depth: float, side: int) -> Body:
    """The dimple at one end, taken from the flesh."""
    u = np.array([0.06, 0.2, 0.36, 0.52, 0.68, 0.84, 1.0])
    profile = np.stack([side * (half - depth * (1 - u) ** 1.8), rim * u], 1)
    return emptied(lathe(profile[::side], "apple_flesh"), "apple_flesh")


def _core(draw: Draw, radius: float, half: float) -> Body:
    long, out = 0.29 * half * draw.size(1.0, 0.6, 0.1), 0.2 * radius
    parts: list[Part] = []
    for pocket in range(5):
        place = g.turn("z", pocket * 72 + draw.normal(4)) @ g.shift(out, 0, -0.04 * half)
        hollow = ball("apple_flesh", (0, 0, 0), (0.12 * radius, draw.towards(2.5, 1.4), long), density=-1.0)
        seeds = [
            ball("seed", (draw.normal(0.6), 0.7 * side, draw.normal(0.15 * long)), (2.3, 1.1, 4.0), g.turn("y", 12))
            for side in (-1, 1)
            if draw.chance(0.8, 0.5)
        ]
        parts += g.moved((hollow, *seeds), place)
    return tuple(parts)


def mango(draw: Draw) -> Phantom:
    """A kidney of dense flesh around a large flat stone; in the stone some air and the seed."""
    long, wide = draw.size(112.0, 84.0, 0.08) / 2, draw.size(82.0, ROUNDISH, 0.06) / 2
    thick = wide * draw.size(0.86, 0.93, 0.05)
    blunt, beak = long * draw.size(0.9, 1.0, 0.05), long * draw.size(1.1, 1.0, 0.05)
    belly, back = wide * draw.size(1.1, 1.0, 0.05), wide * draw.size(0.9, 1.0, 0.05)
    texture = draw.texture(0.012, 14.0, 3.0, 3.0)
    flesh = lump("fruit_flesh", (blunt, back, thick), (beak, belly, thick), texture=texture)
    stone = _stone(draw, (0.68 * long, 0.56 * wide, draw.size(0.3, 0.22, 0.1) * thick))
    stalk = limb([(-blunt + 2, 0, 0), (-blunt - 5, 1, 1)], [2.6, 2.2], "green_wood") if draw.chance(0.6, 0.3) else ()
    kidney = np.eye(4)
    kidney[1, 0] = 0.22 * draw.towards(1.0, 0.3) + draw.normal(0.05)
    body = g.moved((*flesh, *stone, *stalk), kidney)
    return Phantom("mango", body, rolled("x", 0, 20, 160, 180, 200, 340, 90))


def _stone(draw: Draw, half: tuple[float, float, float]) -> Body:
    wall = draw.size(2.6, spread=0.12)
    inner = (half[0] - 2 * wall, half[1] - 1.6 * wall, half[2] - wall)
    seed = (inner[0] * draw.uniform(0.62, 0.86), inner[1] * draw.uniform(0.65, 0.88), inner[2] * 0.72)
    place = g.shift(draw.normal(2.5), draw.normal(1.5), 0)
    stone = (
        ball("fruit_stone", (0, 0, 0), half, within="fruit_flesh"),
        ball("fruit_stone", (0, 0, 0), inner, density=-1.0),
        ball("chestnut_kernel", (0, 0, 0), seed, texture=draw.texture(0.04, 6.0)),
    )
    return g.moved(stone, place)


def mandarin(draw: Draw) -> Phantom:
    """A spongy peel, under it a gap, then nine to twelve segments around a hollow axis."""
    radius = draw.size(60.0, ROUNDISH, 0.065) / 2
    half = radius * draw.size(0.8, 0.9, 0.06)
    peel, gap = draw.size(2.7, 2.0, 0.18), draw.size(1.5, 0.3, 0.4)
    outer = lump("citrus_peel", (radius, radius, half * 0.97), (radius, radius, half * 1.05))
    hollow = ball("citrus_peel", (0, 0, 0), (radius - peel, radius - peel, half * 0.97 - peel), density=-1.0)
    inner = (radius - peel - gap, radius - peel - gap, half * 0.96 - peel - 0.6 * gap)
    button = limb([(0, 0, half * 1.01), (0, 0, half * 1.05 + 1.5)], [3.2, 2.2], "green_wood", caps=(0, 0.3))
    neck: Body = ()
    if draw.chance(0.25):
        neck = lathe([(half * 0.98, 12.0), (half * 1.05 + 4, 8.0), (half * 1.05 + 6, 3.0)], "citrus_peel")
    lopsided = np.eye(4)
    lopsided[0, 0], lopsided[0, 2] = 1 + draw.normal(0.03), draw.normal(0.04)
    body = (*outer, hollow, *_segments(draw, inner), *button, *neck)
    return Phantom("mandarin", g.moved(body, lopsided), ROUND)


def _segments(draw: Draw, half: tuple[float, float, float]) -> Body:
    """Wedges of an ellipsoid, a membrane's width apart, their edges at the hollow axis."""
    count, axis, apart = draw.count(9, 12), draw.size(3.4, 1.2, 0.25), draw.size(0.45, 0.12, 0.2)
    edges = np.cumsum(1.0 + 0.16 * np.array([draw.normal(1.0) for _ in range(count)]))
    edges = np.radians(360.0 * edges / edges[-1] + draw.uniform(0, 360))
    return tuple(
        _segment(draw, half, float(a), float(b), axis, apart)
        for a, b in zip(edges, np.append(edges[1:], edges[0] + 2 * np.pi), strict=True)
    )


def _segment(draw: Draw, half: tuple[float, float, float], a: float, b: float, axis: float, apart: float) -> Part:
    size = draw.uniform(0.94, 1.0)
    frame = g.scale(*(size * h for h in half))
    sides = [(np.sin(a), -np.cos(a), 0.0), (-np.sin(b), np.cos(b), 0.0)]
    tip = (-np.cos((a + b) / 2), -np.sin((a + b) / 2), 0.0)
    cuts = [cut(frame, side, -apart * np.asarray(side)) for side in sides] + [cut(frame, tip, -axis * np.asarray(tip))]
    return Part("ball", frame, "fruit_flesh", cuts=tuple(cuts), texture=draw.texture(0.03, 4.0))
