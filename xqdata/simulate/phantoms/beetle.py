"""Stag beetle: the insect, in a box on shavings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.shapes import ball, emptied, limb


def stag_beetle(draw: Draw) -> Phantom:
    """A beetle with mandibles and legs in a small box of clear plastic or cardboard, or in a round tub."""
    scale = draw.size(1.0, 0.9, 0.12)
    beetle = g.moved(_beetle(draw, scale), g.turn("z", draw.normal(14)) @ g.turn("x", draw.normal(7)))
    low, high = g.extent(beetle)
    beetle = g.moved(beetle, g.shift(*(-(low + high) / 2)))
    half = (high - low) / 2 + [draw.uniform(4, 14), draw.uniform(4, 14), draw.uniform(3, 9)]
    bed = Part("cube", g.shift(0, 0, -half[2] + 3.5) @ g.scale(half[0] - 1.5, half[1] - 1.5, 2.5), "wood", density=0.35,
               texture=draw.texture(0.5, 5.0, 5.0, 9.0))  # fmt: skip
    box = _tub(draw, half) if draw.chance(0.3) else _box(draw, half)
    food = (
        ball("fruit_flesh", (-half[0] + 14, half[1] - 14, -half[2] + 9), (8.0, 8.0, 4.5)) if draw.chance(0.4) else None
    )
    return Phantom("stag_beetle", (*beetle, bed, *box, *((food,) if food else ())), FLAT)


def _box(draw: Draw, half: np.ndarray) -> Body:
    """Six walls; the lid of a plastic one grips over its rim."""
    paper = draw.chance(0.4)
    material, wall = ("cardboard", draw.uniform(1.4, 2.2)) if paper else ("polystyrene", draw.uniform(1.2, 1.8))
    density = 2.0 if paper else 1.0  # thin folding board, not corrugated
    outer = Part("cube", g.scale(*(half + wall)), material, density=density)
    inner = Part("cube", g.scale(*half), material, density=-density)
    if paper:
        return outer, inner
    rim = Part("cube", g.shift(0, 0, half[2] - 4) @ g.scale(half[0] + 2 * wall, half[1] + 2 * wall, 3.5), material)
    return (
        outer,
        inner,
        rim,
        *emptied(
            (Part("cube", g.shift(0, 0, half[2] - 4) @ g.scale(half[0] + wall, half[1] + wall, 3.5), material),),
            material,
        ),
    )


def _tub(draw: Draw, half: np.ndarray) -> Body:
    radius, wall = float(np.hypot(half[0], half[1]) * 0.92), draw.uniform(0.7, 1.1)
    frame, room = g.scale(radius + wall, radius + wall, half[2] + wall), g.scale(radius, radius, half[2])
    lid = Part("tube", g.shift(0, 0, half[2]) @ g.scale(radius + 3, radius + 3, 1.2), "polypropylene")
    return Part("tube", frame, "polypropylene"), Part("tube", room, "polypropylene", density=-1.0), lid


def _beetle(draw: Draw, k: float) -> Body:
    """Along x, the head ahead; `k` scales a male of 58 mm."""
    spine = np.stack([np.array([-29.0, -24, -16, -8, -3.5]) * k, np.zeros(5), np.array([-1.0, 0, 0.4, 0.4, 0]) * k], 1)
    wide = np.array([5.8, 9.6, 11.2, 11.0, 9.6]) * k
    cover, within = (limb(spine, wide - inset, "chitin", flat=0.56, caps=(0.5, 0.15)) for inset in (0.0, 0.75 * k))
    grain = draw.texture(0.12, 4.0)
    abdomen = limb(spine, wide - 0.75 * k, "insect_flesh", flat=0.56, caps=(0.5, 0.15), texture=grain)
    chest = limb(
        _level(k, -2.5, 2.0, 6.5), k * np.array([9.4, 10.6, 9.3]), "chitin", flat=0.5, caps=(0.1, 0.1), density=0.8
    )
    head = limb(
        _level(k, 8.3, 12, 15.2), k * np.array([7.6, 9.0, 8.2]), "chitin", flat=0.46, caps=(0.1, 0.1), density=0.9
    )
    suture = limb([(-29 * k, 0, 4 * k), (-5 * k, 0, 5.6 * k)], [0.6 * k, 0.6 * k], "chitin")
    parts: list[Part] = [*cover, *emptied(within, "chitin"), *abdomen, *chest, *head, *suture]
    reach = draw.size(19.0, 10.0, 0.18) * k
    for side in (-1, 1):
        parts += _mandible(draw, k, side, reach)
        for leg, (x, angle) in enumerate(((6.0, 48.0), (-3.0, 100.0), (-9.0, 138.0))):
            parts += _leg(draw, k, side, x, angle + draw.normal(12), leg)
        feeler = np.array([[15 * k, side * 7 * k, 0], [20 * k, side * 12 * k, 1], [17 * k, side * 15 * k, 2]])
        parts += limb(feeler, [0.6 * k, 0.5 * k, 0.9 * k], "chitin")
    return tuple(parts)


def _level(k: float, *x: float) -> NDArray[np.float64]:
    """Points on the beetle's axis."""
    return np.stack([k * np.array(x), np.zeros(len(x)), np.zeros(len(x))], 1)


def _mandible(draw: Draw, k: float, side: int, reach: float) -> Body:
    """A sickle that closes ahead, with a tooth inside."""
    s = np.linspace(0, 1, 6)
    out = 4.2 * k + (0.34 * reach) * np.sin(np.pi * s**0.9) - 2.2 * k * s
    line = np.stack([15.5 * k + reach * s, side * out, draw.normal(0.6) * s], 1)
    jaw = limb(line, k * np.array([2.7, 2.4, 2.1, 1.9, 1.5, 0.7]), "chitin", caps=(0, 1))
    tooth = limb([line[3], line[3] + [1.5 * k, -side * 3.6 * k, 0]], [1.2 * k, 0.4 * k], "chitin")
    return (*jaw, *tooth)


def _leg(draw: Draw, k: float, side: int, x: float, angle: float, which: int) -> Body:
    """Thigh, shin and foot, angled at the knee."""
    a = np.radians(angle)
    hip = np.array([x * k, side * 7 * k, -3 * k])
    out = np.array([np.cos(a), side * np.sin(a), 0.0])
    bend = np.radians(angle + (-1 if which == 0 else 1) * draw.uniform(15, 50))
    then = np.array([np.cos(bend), side * np.sin(bend), -0.15])
    knee = hip + draw.uniform(11, 13.5) * k * out + [0, 0, 1.5 * k]
    foot = knee + draw.uniform(10, 13) * k * then
    claw = foot + draw.uniform(7, 10) * k * (then + np.array([0.2, 0, -0.1]))
    return limb([hip, knee, foot, claw], k * np.array([1.6, 1.4, 0.9, 0.5]), "chitin")
