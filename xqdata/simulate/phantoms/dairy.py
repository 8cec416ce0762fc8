"""Cheese and egg: an even mass with holes or a rind, a dense shell with an air cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom, rolled
from xqdata.simulate.phantoms.portion import bagged
from xqdata.simulate.phantoms.shapes import ball, cut, emptied, lathe, lump

_EGG_RESTS = (*rolled("x", 0, 70, 140, 180, 250), *rolled("y", 75, 105))  # on its side, seldom on an end


def cheese(draw: Draw) -> Phantom:
    """A wedge, a block or a small wheel, with a rind or in film, with or without round holes."""
    form = ("wedge", "block", "wheel")[draw.count(0, 2)]
    body = {"wedge": _wedge, "block": _block, "wheel": _wheel}[form](draw)
    if form != "wheel" and draw.chance(0.7):
        body = bagged(draw, body, draw.uniform(8, 26), thickness=0.14, seam=0.45)
    return Phantom("cheese", body, FLAT)


def _wedge(draw: Draw) -> Body:
    """A sector of a large wheel, its tip at the origin; the rind is its outer round side."""
    radius, high = draw.size(118.0, 95.0, 0.14), draw.size(46.0, spread=0.2) / 2
    angle = np.radians(draw.uniform(24, 44)) / 2
    faces = [(-np.sin(angle), np.cos(angle)), (-np.sin(angle), -np.cos(angle))]
    arc = [(np.cos(t), np.sin(t)) for t in angle * np.linspace(-0.9, 0.9, 7)]

    def sector(outer: float, material: str, **looks: Any) -> Part:
        """A block as small as holds it, cut by both faces and by tangents of its round side."""
        frame = g.shift(radius / 2) @ g.scale(radius / 2, radius * np.sin(angle), high)
        cuts = [cut(frame, (*face, 0.0), (0, 0, 0)) for face in faces]
        cuts += [cut(frame, (*out, 0.0), (outer * out[0], outer * out[1], 0)) for out in arc]
        return Part("cube", frame, material, cuts=tuple(cuts), **looks)

    rind = sector(radius, "cheese", density=1.1)
    mass = sector(radius - draw.uniform(2.0, 4.0), "cheese", density=-0.1)
    holes: Body = ()
    if draw.chance(0.55):
        spots = [
            (draw.uniform(0.3, 0.9) * radius, draw.uniform(-0.7, 0.7), draw.uniform(-0.6, 0.6) * high)
            for _ in range(draw.count(4, 9))
        ]
        holes = tuple(
            _hole(
                draw,
                (far * np.cos(t * angle), far * np.sin(t * angle), z),
                min((1 - abs(t)) * angle * far, high - abs(z), 0.08 * radius),
            )
            for far, t, z in spots
        )
    return (rind, mass, *holes)


def _hole(draw: Draw, centre: tuple[float, float, float], most: float) -> Part:
    """An eye of the cheese, clear of its sides."""
    size = max(0.5, 0.85 * most * draw.uniform(0.55, 1.0))
    return ball("cheese", centre, (size, size * draw.uniform(0.8, 1.0), size * draw.uniform(0.75, 1.0)), density=-1.0)


def _block(draw: Draw) -> Body:
    half = (draw.size(105.0, 90.0, 0.12) / 2, draw.size(62.0, spread=0.12) / 2, draw.size(42.0, spread=0.18) / 2)
    slanted = np.eye(4)
    slanted[0, 2], slanted[0, 1] = draw.normal(0.04), draw.normal(0.05)
    mass = Part("cube", slanted @ g.scale(*half), "cheese", texture=draw.texture(0.012, 8.0))
    holes: list[Part] = []
    if draw.chance(0.5):
        for _ in range(draw.count(5, 16)):
            size = draw.uniform(1.5, 0.3 * half[2])
            holes.append(
                ball(
                    "cheese",
                    tuple(draw.uniform(-0.8, 0.8) * (h - size) for h in half),
                    (size, size, size),
                    density=-0.95,
                )
            )
    return (mass, *g.moved(holes, slanted))


def _wheel(draw: Draw) -> Body:
    """A small soft wheel, its edge rounded, at times in a thin wooden box."""
    radius, high = draw.size(54.0, 48.0, 0.12), draw.size(15.0, spread=0.14)
    z = np.array([-1.0, -0.85, -0.5, 0.5, 0.85, 1.0]) * high
    round_off = 3.5 * np.abs(z / high) ** 3
    edge = lathe(np.stack([z, radius - round_off], 1), "cheese", density=1.06)
    rind = draw.uniform(2.0, 4.0)
    soft = emptied(lathe(np.stack([0.85 * z, radius - rind - round_off], 1), "cheese"), "cheese", 0.12)
    core = g.scale(0.82 * radius, 0.82 * radius, 0.8 * high)
    ripe = Part("tube", core, "cheese", density=0.05, texture=draw.texture(0.3, 10.0))
    if not draw.chance(0.5):
        return (*edge, *soft, ripe)
    box, room = (radius + 3.5, high + 3.2), (radius + 2.0, high + 1.8)
    return (
        *edge,
        *soft,
        ripe,
        Part("tube", g.scale(box[0], box[0], box[1]), "wood"),
        Part("tube", g.scale(room[0], room[0], room[1]), "wood", density=-1.0),
    )


def egg(draw: Draw) -> Phantom:
    """A thin shell of chalk, white, yolk, and air at the blunt end."""
    radius = draw.size(43.5, 45.0, 0.036) / 2
    blunt, sharp = radius * draw.size(1.16, 1.05, 0.05), radius * draw.size(1.42, 1.2, 0.06)
    wall = draw.size(0.37, spread=0.1)

    def oval(inset: float, material: str, **looks: Any) -> Body:
        r = radius - inset
        return lump(material, (blunt - inset, r, r), (sharp - inset, r, r), **looks)

    shell, room = oval(0.0, "egg_shell"), oval(wall, "egg_shell")
    white = oval(wall, "egg_white")
    cell = (-1.0 + draw.uniform(0.1, 0.34)) * (blunt - wall)
    frame = g.scale(blunt - wall, radius - wall, radius - wall)
    lean = (1.0, draw.normal(0.05), draw.normal(0.05))
    air = Part("ball", frame, "egg_white", density=-1.0, cuts=(cut(frame, lean, (cell, 0, 0)),))
    size = min(draw.size(15.8, spread=0.05), 0.8 * radius)
    at = (draw.uniform(0, 3), draw.normal(1.0), draw.normal(1.0))
    yolk = ball("egg_yolk", at, (size, size, 0.95 * size), within="egg_white")
    return Phantom("egg", (*shell, *emptied(room, "egg_shell"), *white, air, yolk), _EGG_RESTS)
