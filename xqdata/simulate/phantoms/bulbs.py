"""Tulip bulb and garlic: scales around one another, cloves around a stem."""

from __future__ import annotations

import numpy as np

from xqdata.simulate import geometry as g
from xqdata.simulate.geometry import Body, Part
from xqdata.simulate.phantoms.draws import Draw
from xqdata.simulate.phantoms.phantom import FLAT, Phantom
from xqdata.simulate.phantoms.portion import handful
from xqdata.simulate.phantoms.shapes import cut, emptied, lathe, limb

# The width in mm that bulbs, garlic and large nuts have in common.
BULBOUS = 43.0


def tulip_bulb(draw: Draw) -> Phantom:
    """One to four drops of fleshy scales with air between them, a shoot inside, a disc of roots below."""
    count = draw.count(1, 4)
    return Phantom("tulip_bulb", handful(draw, [_tipped(draw, _bulb(draw), 62) for _ in range(count)]), FLAT)


def _tipped(draw: Draw, body: Body, most: float) -> Body:
    """Turned as it rolled: lying, or at a slant."""
    pose = (
        g.turn("z", draw.uniform(0, 360))
        @ g.turn("y", draw.uniform(90 - most, 115))
        @ g.turn("z", 360 * draw.rng.random())
    )
    return g.moved(body, pose)


def _drop(radius: float, half: float, tip: float, scale: float = 1.0) -> np.ndarray:
    """(z, radius) of a drop: round below, drawn out to a tip above; `scale` shrinks it towards its base."""
    u = np.array([0.0, 0.06, 0.16, 0.3, 0.45, 0.6, 0.74, 0.86, 0.95, 1.0])
    r = np.array([0.42, 0.68, 0.88, 0.99, 0.98, 0.86, 0.64, 0.4, 0.22, 0.1])
    z = half * (scale * (2 * u - 0.12) - 0.88)
    return np.stack([z, radius * scale * np.maximum(r, tip * u**3)], 1)


def _bulb(draw: Draw) -> Body:
    radius = draw.size(40.0, BULBOUS, 0.1) / 2
    half = radius * draw.size(1.22, 1.1, 0.07)
    tip = draw.size(0.14, spread=0.2)
    parts: list[Part] = [*lathe(_drop(radius, half, tip), "bulb", texture=draw.texture(0.02, 4.0))]
    scale = 1.0
    for _ in range(draw.count(3, 5)):  # a gap is a thin shell taken away: its outside empty, its inside filled again
        scale -= draw.uniform(0.13, 0.19)
        if scale < 0.3:
            break
        gap = draw.size(0.85, 0.4, 0.25) / radius
        parts += emptied(lathe(_drop(radius, half, tip, scale), "bulb"), "bulb", 0.9)
        parts += lathe(_drop(radius, half, tip, scale - gap), "bulb", density=0.9)
    base = -half + 0.02 * half
    parts += limb(
        [(0, 0, base - 3), (0, 0, base + 1)], [0.36 * radius, 0.4 * radius], "dry_plant", caps=(0.2, 0), density=1.6
    )
    for _ in range(draw.count(0, 7)):
        angle, reach = draw.uniform(0, 2 * np.pi), draw.uniform(0.1, 0.35) * radius
        foot = np.array([reach * np.cos(angle), reach * np.sin(angle), base - 2])
        parts += limb([foot, foot * [1.8, 1.8, 1] - [0, 0, draw.uniform(3, 9)]], [0.7, 0.4], "dry_plant", density=1.6)
    if draw.chance(0.5):
        parts += limb(
            [(0, 0, half * 0.9), (draw.normal(2), draw.normal(2), half + draw.uniform(3, 12))], [2.6, 1.4], "bulb"
        )
    squeezed = np.eye(4)
    squeezed[0, 0], squeezed[0, 2] = draw.uniform(0.82, 1.0), draw.normal(0.1)  # one side is flat: daughter bulbs press
    return g.moved(parts, squeezed)


def garlic(draw: Draw) -> Phantom:
    """One or two heads: cloves with air between them around a dry stem, in papery skins."""
    heads = [_tipped(draw, _head(draw), 85) for _ in range(1 if draw.chance(0.6) else 2)]
    return Phantom("garlic", handful(draw, heads), FLAT)


def _head(draw: Draw) -> Body:
    radius = draw.size(52.0, BULBOUS, 0.09) / 2
    half = radius * draw.size(0.78, 0.95, 0.06)
    count = draw.count(6, 11)
    edges = np.cumsum([draw.uniform(0.75, 1.3) for _ in range(count)])
    edges = np.radians(360.0 * edges / edges[-1])
    cloves = [
        _clove(draw, radius, half, float(a), float(b))
        for a, b in zip(edges, np.append(edges[1:], edges[0] + 2 * np.pi), strict=True)
    ]
    stem = draw.size(26.0, 12.0, 0.3)
    lean = draw.normal(4)
    neck = limb(
        [(0, 0, -half), (0, 0, half * 0.7), (lean, 0, half + stem)],
        [2.6, 3.0, 2.7],
        "dry_plant",
        caps=(0, 0),
        density=1.7,
    )
    skin = _skins(draw, radius, half, stem, lean)
    roots = limb([(0, 0, -half - 3), (0, 0, -half + 2)], [7.5, 8.5], "dry_plant", caps=(0.3, 0), density=1.5)
    return (*(part for clove in cloves for part in clove), *neck, *skin, *roots)


def _clove(draw: Draw, radius: float, half: float, a: float, b: float) -> Body:
    """A clove between two angles: round outside, wedged between its neighbours, drawn up along the stem."""
    size, apart = draw.uniform(0.88, 1.02), draw.size(0.7, 0.3, 0.2)
    middle, opening = (a + b) / 2, (b - a) / 2
    out = np.array([np.cos(middle), np.sin(middle), 0.0])
    sides = [np.array([np.sin(a), -np.cos(a), 0.0]), np.array([-np.sin(b), np.cos(b), 0.0])]
    place = g.shift(*(0.5 * radius * out)) @ g.turn("z", float(np.degrees(middle))) @ g.turn("y", -draw.uniform(2, 9))
    wide = min(1.3 * 0.62 * radius * np.sin(opening) + 1.5, 0.45 * radius)
    texture = draw.texture(0.015, 5.0)
    parts = []
    for side in (-1, 1):
        high = half * 0.93 * size if side < 0 else half * draw.uniform(1.05, 1.3)
        frame = place @ g.scale(0.46 * radius * size, wide, high)
        cuts = [cut(frame, s, -apart * s) for s in sides] + [(0.0, 0.0, -float(side), 0.0)]
        parts.append(Part("ball", frame, "bulb", cuts=tuple(cuts), texture=texture))
    return tuple(parts)


def _skins(draw: Draw, radius: float, half: float, stem: float, lean: float) -> Body:
    """Papery coats around the whole head, tied to the neck."""
    z = np.array([-1.0, -0.85, -0.5, 0.0, 0.45, 0.8, 1.15, 1.5]) * half
    r = np.array([0.3, 0.62, 0.9, 1.0, 0.9, 0.64, 0.33, 0.16]) * radius
    coat = lathe(np.stack([z, r], 1), "dry_plant", density=1.2)
    hollow = emptied(lathe(np.stack([z[:-1], np.maximum(r[:-1] - 0.5, 0.2)], 1), "dry_plant"), "dry_plant", 1.2)
    top = (
        limb([(0, 0, 1.5 * half), (0.8 * lean, 0, half + 0.9 * stem)], [0.16 * radius, 2.9], "dry_plant", caps=(0, 0))
        if half + 0.9 * stem > 1.6 * half
        else ()
    )
    return (*coat, *hollow, *top)
